using BpfPpcc.Mir;
using BpfPpcc.Ppc64;

namespace BpfPpcc.RegisterAllocation;

/// <summary>
/// Where a branch either leaves a loop or goes round, and there is nothing but moves on the way round, they are made before the branch if
/// nothing outside reads what they overwrite: the way round is the branch itself then, not moves and a jump.
/// <code>
///     bge  2f                  mr   r9,r8
///     mr   r9,r8        =>     blt  1b
///     b    1b               2:
///  2:
/// </code>
/// What is read outside comes from a backward data flow over the allocated code, in which every GPR is a bit. A copy that was deleted, as
/// both its operands are one GPR, still reads that: to the checker it makes a second value of what is there.
/// </summary>
internal sealed class LoopEdgeMoves
{
    /// <summary>More moves than this are not made in vain when the loop is left.</summary>
    private const int MostMoves = 6;

    private const uint VolatileGprs = 0x00001ff9;

    private readonly MachineFunction _function;
    private readonly Gpr[][][] _operandGprs;
    private readonly HashSet<(int Block, int Instruction)> _deleted;
    private readonly AllocationEdit[] _edits;
    private readonly int[] _firstEdit;

    /// <summary>By block: the GPRs that are read at or behind its start before they are written. Found when first needed.</summary>
    private uint[]? _live;

    private LoopEdgeMoves(MachineFunction function, Gpr[][][] operandGprs, List<(int Block, int Instruction)> deleted, AllocationEdit[] edits)
    {
        _function = function;
        _operandGprs = operandGprs;
        _deleted = [.. deleted];
        _edits = edits;
        _firstEdit = new int[function.Blocks.Count + 1];
        foreach (AllocationEdit edit in edits)
            _firstEdit[edit.Block + 1]++;
        for (int block = 0; block < function.Blocks.Count; block++)
            _firstEdit[block + 1] += _firstEdit[block];
    }

    /// <summary>The edits with those that moved, in order.</summary>
    /// <param name="deleted">Sorted.</param>
    public static AllocationEdit[] Hoist(
        MachineFunction function, Gpr[][][] operandGprs, List<(int Block, int Instruction)> deleted, AllocationEdit[] edits)
    {
        if (edits.Length == 0)
            return edits;
        var moves = new LoopEdgeMoves(function, operandGprs, deleted, edits);
        var movedTo = new int[function.Blocks.Count];
        bool hasMoved = false;
        foreach (MachineBlock block in function.Blocks)
        {
            movedTo[block.Index] = moves.IsWayRound(block) && moves.AreDeadOutside(block) ? block.Predecessors[0] : -1;
            hasMoved |= movedTo[block.Index] >= 0;
        }

        return hasMoved ? moves.Merge(movedTo) : edits;
    }

    /// <summary>A block between a branch out of a loop and the loop's head, or one that is as frequent, with few edits and no instructions.</summary>
    private bool IsWayRound(MachineBlock block)
    {
        int count = _firstEdit[block.Index + 1] - _firstEdit[block.Index];
        if (count is 0 or > MostMoves || block.Predecessors.Count != 1 || block.Terminator.Pseudo != MachinePseudo.Jump)
            return false;
        int from = block.Predecessors[0];
        if (block.Successors[0].Target > from || _function.Blocks[from].Successors.Count != 2
            || _function.Blocks[Other(from, block.Index)].Frequency >= block.Frequency)
        {
            return false;
        }

        for (int index = 0; index < block.Instructions.Count - 1; index++)
        {
            if (!_deleted.Contains((block.Index, index)))
                return false;
        }

        return true;
    }

    private int Other(int from, int target)
    {
        List<MachineEdge> successors = _function.Blocks[from].Successors;
        return successors[successors[0].Target == target ? 1 : 0].Target;
    }

    private bool AreDeadOutside(MachineBlock block)
    {
        uint written = 0;
        for (int i = _firstEdit[block.Index]; i < _firstEdit[block.Index + 1]; i++)
        {
            if (!_edits[i].To.IsGpr)
                return false;
            written |= Bit(_edits[i].To.Gpr);
        }

        _live ??= Solve();
        return (_live[Other(block.Predecessors[0], block.Index)] & written) == 0;
    }

    private uint[] Solve()
    {
        var live = new uint[_function.Blocks.Count];
        bool changed = true;
        while (changed)
        {
            changed = false;
            for (int block = live.Length - 1; block >= 0; block--)
            {
                uint before = LiveAtStart(_function.Blocks[block], live);
                changed |= before != live[block];
                live[block] = before;
            }
        }

        return live;
    }

    private uint LiveAtStart(MachineBlock block, uint[] liveAtStart)
    {
        uint live = 0;
        foreach (MachineEdge edge in block.Successors)
            live |= liveAtStart[edge.Target];
        int edit = _firstEdit[block.Index + 1] - 1;
        for (int index = block.Instructions.Count - 1; index >= 0; index--)
        {
            if (!_deleted.Contains((block.Index, index)))
                live = Before(block.Instructions[index], _operandGprs[block.Index][index], live);
            else if (block.Instructions[index].Pseudo == MachinePseudo.Copy)
                live |= Bit(_operandGprs[block.Index][index][1]);
            for (; edit >= _firstEdit[block.Index] && _edits[edit].Instruction == index; edit--)
            {
                live &= _edits[edit].To.IsGpr ? ~Bit(_edits[edit].To.Gpr) : ~0u;
                if (_edits[edit].Rematerialize is null && _edits[edit].From.IsGpr)
                    live |= Bit(_edits[edit].From.Gpr);
            }
        }

        return live;
    }

    private static uint Before(MachineInstruction instruction, Gpr[] gprs, uint live)
    {
        uint read = 0;
        uint written = instruction.ClobbersVolatile ? VolatileGprs : 0;
        for (int operand = 0; operand < gprs.Length; operand++)
        {
            if (instruction.Operands[operand].Kind != MachineOperandKind.VirtualRegister)
                continue;
            if (instruction.Operands[operand].IsDef)
                written |= Bit(gprs[operand]);
            else
                read |= Bit(gprs[operand]);
        }

        return (live & ~written) | read;
    }

    private AllocationEdit[] Merge(int[] movedTo)
    {
        var keys = new (int Block, int Instruction, int Order)[_edits.Length];
        var edits = new AllocationEdit[_edits.Length];
        for (int i = 0; i < edits.Length; i++)
        {
            int to = movedTo[_edits[i].Block];
            edits[i] = to < 0 ? _edits[i] : _edits[i] with { Block = to, Instruction = _function.Blocks[to].Instructions.Count - 1 };

            // What is at the end of the block anyway stays before what comes from blocks behind it.
            keys[i] = (edits[i].Block, edits[i].Instruction, to < 0 ? i : edits.Length + i);
        }

        Array.Sort(keys, edits);
        return edits;
    }

    private static uint Bit(Gpr gpr) => 1u << gpr.Number;
}
