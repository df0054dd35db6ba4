using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>
/// Phis that are led past: each is a variable, set by the phi in its block and by every block that leads past that one. Uses see what was set
/// last.
/// </summary>
internal sealed class PhiRepair(
    IrFunction function,
    int[] variableOf,
    List<IrInstruction> phis,
    Dictionary<IrBlock, List<(int Variable, IrInstruction Value)>> bypasses)
{
    private readonly int _words = (phis.Count + 63) / 64;

    public void Run()
    {
        IrBlock[] order = new DepthFirstWalk(function).ReversePostorder;
        ulong[][] live = SolveLiveness(order);
        var leaves = new IrLeaves(function);
        var widths = new byte[phis.Count];
        for (int i = 0; i < widths.Length; i++)
            widths[i] = phis[i].Width;
        var variables = new SsaConstruction(function, leaves, widths);
        var isLeft = new bool[function.BlockCount];
        foreach (IrBlock block in order)
        {
            variables.Enter(block, live[block.Id], block.Predecessors.TrueForAll(predecessor => isLeft[predecessor.Id]));
            Rewrite(block, variables);
            variables.Leave(block);
            isLeft[block.Id] = true;
        }

        variables.Complete();
        leaves.Commit();
    }

    private void Rewrite(IrBlock block, SsaConstruction variables)
    {
        if (bypasses.TryGetValue(block, out List<(int Variable, IrInstruction Value)>? values))
        {
            var current = new IrInstruction[values.Count];
            for (int i = 0; i < current.Length; i++)
                current[i] = Read(values[i].Value, variables);
            for (int i = 0; i < current.Length; i++)
                variables[values[i].Variable] = current[i];
        }

        foreach (IrInstruction instruction in block.Instructions)
        {
            if (instruction.Opcode == IrOpcode.Phi)
            {
                if (VariableOf(instruction) is >= 0 and var variable)
                    variables[variable] = instruction;
                continue;
            }

            for (int i = 0; i < instruction.Operands.Length; i++)
                instruction.Operands[i] = Read(instruction.Operands[i], variables);
        }

        foreach (IrBlock successor in block.Successors)
        {
            int way = successor.Predecessors.IndexOf(block);
            foreach (IrInstruction phi in successor.Instructions)
            {
                if (phi.Opcode != IrOpcode.Phi)
                    break;
                // Those of the construction get their operands at its end.
                if (phi.Operands.Length > way)
                    phi.Operands[way] = Read(phi.Operands[way], variables);
            }
        }
    }

    private int VariableOf(IrInstruction value) => value.Id < variableOf.Length ? variableOf[value.Id] : -1;

    private IrInstruction Read(IrInstruction value, SsaConstruction variables) =>
        VariableOf(value) is >= 0 and var variable ? variables[variable] : value;

    /// <summary>By block: the variables that may be read from its start on before they are set.</summary>
    private ulong[][] SolveLiveness(IrBlock[] order)
    {
        var live = new ulong[function.BlockCount][];
        var sets = new ulong[function.BlockCount][];
        foreach (IrBlock block in order)
        {
            live[block.Id] = new ulong[_words];
            sets[block.Id] = new ulong[_words];
        }

        foreach (IrBlock block in order)
            Summarize(block, live[block.Id], sets[block.Id]);
        bool changed;
        do
        {
            changed = false;
            for (int i = order.Length - 1; i >= 0; i--)
                changed |= Propagate(order[i], live, sets[order[i].Id]);
        }
        while (changed);

        return live;
    }

    private void Summarize(IrBlock block, ulong[] reads, ulong[] sets)
    {
        if (bypasses.TryGetValue(block, out List<(int Variable, IrInstruction Value)>? values))
        {
            foreach ((_, IrInstruction value) in values)
                NoteRead(value, reads, sets);
            foreach ((int variable, _) in values)
                sets[variable >> 6] |= 1UL << (variable & 63);
        }

        foreach (IrInstruction instruction in block.Instructions)
        {
            if (instruction.Opcode == IrOpcode.Phi)
            {
                if (VariableOf(instruction) is >= 0 and var variable)
                    sets[variable >> 6] |= 1UL << (variable & 63);
                continue;
            }

            foreach (IrInstruction operand in instruction.Operands)
                NoteRead(operand, reads, sets);
        }

        foreach (IrBlock successor in block.Successors)
        {
            int way = successor.Predecessors.IndexOf(block);
            foreach (IrInstruction phi in successor.Instructions)
            {
                if (phi.Opcode != IrOpcode.Phi)
                    break;
                NoteRead(phi.Operands[way], reads, sets);
            }
        }
    }

    private void NoteRead(IrInstruction value, ulong[] reads, ulong[] sets)
    {
        if (VariableOf(value) is >= 0 and var variable)
            reads[variable >> 6] |= (1UL << (variable & 63)) & ~sets[variable >> 6];
    }

    private bool Propagate(IrBlock block, ulong[][] live, ulong[] sets)
    {
        bool changed = false;
        ulong[] atEntry = live[block.Id];
        foreach (IrBlock successor in block.Successors)
        {
            for (int word = 0; word < _words; word++)
            {
                ulong added = live[successor.Id][word] & ~sets[word] & ~atEntry[word];
                atEntry[word] |= added;
                changed |= added != 0;
            }
        }

        return changed;
    }
}
