using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>Where the variables of <see cref="PhiRepair"/> are live: one walk per variable, from its uses up to where it is set.</summary>
internal sealed class VariableLiveness(
    IrFunction function,
    List<IrInstruction> phis,
    Dictionary<IrBlock, List<(int Variable, IrInstruction Value)>> bypasses,
    int[] variableOf)
{
    private readonly List<IrBlock>[] _setIn = NewLists(phis.Count);

    /// <summary>By variable: the blocks that may read it behind the place where they set it, if they do.</summary>
    private readonly List<IrBlock>[] _readIn = NewLists(phis.Count);

    /// <summary>By variable: the blocks that read it first of all.</summary>
    private readonly List<IrBlock>[] _readAtStart = NewLists(phis.Count);
    private readonly List<int>?[] _live = new List<int>?[function.BlockCount];

    /// <summary>By block: the last variable that was found to be live at its start.</summary>
    private readonly int[] _lastLive = NewMarks(function.BlockCount);
    private readonly Stack<IrBlock> _work = [];

    /// <summary>By block: the variables that may be read from its start on before they are set, in ascending order; null if none.</summary>
    /// <param name="blocks">All that are reachable.</param>
    public List<int>?[] Solve(IrBlock[] blocks)
    {
        foreach (IrBlock block in blocks)
            Collect(block);
        int[] lastSet = NewMarks(function.BlockCount);
        for (int variable = 0; variable < phis.Count; variable++)
        {
            foreach (IrBlock block in _setIn[variable])
                lastSet[block.Id] = variable;
            foreach (IrBlock block in _readAtStart[variable])
                MarkLive(block, variable);
            foreach (IrBlock block in _readIn[variable])
            {
                if (lastSet[block.Id] != variable)
                    MarkLive(block, variable);
            }

            while (_work.TryPop(out IrBlock? block))
            {
                foreach (IrBlock predecessor in block.Predecessors)
                {
                    if (lastSet[predecessor.Id] != variable)
                        MarkLive(predecessor, variable);
                }
            }
        }

        return _live;
    }

    private static List<IrBlock>[] NewLists(int count)
    {
        var lists = new List<IrBlock>[count];
        for (int i = 0; i < count; i++)
            lists[i] = [];
        return lists;
    }

    private static int[] NewMarks(int count)
    {
        var marks = new int[count];
        Array.Fill(marks, -1);
        return marks;
    }

    private void Collect(IrBlock block)
    {
        if (bypasses.TryGetValue(block, out List<(int Variable, IrInstruction Value)>? values))
        {
            foreach ((int variable, IrInstruction value) in values)
            {
                NoteRead(value, block, _readAtStart);
                _setIn[variable].Add(block);
            }
        }

        foreach (IrInstruction instruction in block.Instructions)
        {
            if (instruction.Opcode == IrOpcode.Phi)
            {
                if (variableOf[instruction.Id] is >= 0 and var variable)
                    _setIn[variable].Add(block);
                continue;
            }

            foreach (IrInstruction operand in instruction.Operands)
                NoteRead(operand, block, _readIn);
        }

        foreach (IrBlock successor in block.Successors)
        {
            int way = successor.Predecessors.IndexOf(block);
            foreach (IrInstruction phi in successor.Instructions)
            {
                if (phi.Opcode != IrOpcode.Phi)
                    break;
                NoteRead(phi.Operands[way], block, _readIn);
            }
        }
    }

    private void NoteRead(IrInstruction value, IrBlock block, List<IrBlock>[] reads)
    {
        if (value.Id < variableOf.Length && variableOf[value.Id] is >= 0 and var variable)
            reads[variable].Add(block);
    }

    private void MarkLive(IrBlock block, int variable)
    {
        if (_lastLive[block.Id] == variable)
            return;
        _lastLive[block.Id] = variable;
        (_live[block.Id] ??= []).Add(variable);
        _work.Push(block);
    }
}
