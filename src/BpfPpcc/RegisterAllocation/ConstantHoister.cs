using BpfPpcc.Mir;
using BpfPpcc.Ppc64;

namespace BpfPpcc.RegisterAllocation;

/// <summary>
/// Where two paths from a branch join again, and one of them does nothing but set a register to a constant, the constant is set before the
/// branch and that path is empty: the other one need not jump around it.
/// <code>
///     beq   1f                   li    r9,0
///     lwz   r9,4(r3)        =>   beq   2f
///     b     2f                   lwz   r9,4(r3)
///  1: li    r9,0              2:
///  2:
/// </code>
/// The other path must set the register, too, before anything reads it.
/// </summary>
internal sealed class ConstantHoister
{
    /// <summary>How far the other path is looked at, in instructions and edits.</summary>
    private const int MostSteps = 24;

    private readonly MachineFunction _function;
    private readonly Gpr[][][] _operandGprs;
    private readonly AllocationEdit[] _edits;
    private readonly int[] _firstEdit;
    private readonly HashSet<(int Block, int Instruction)> _deleted;

    /// <summary>By block: the constant that moved to its end.</summary>
    private readonly AllocationEdit?[] _moved;

    /// <summary>By block: its constant has gone.</summary>
    private readonly bool[] _isEmptied;

    private ConstantHoister(MachineFunction function, Gpr[][][] operandGprs, List<(int Block, int Instruction)> deleted, AllocationEdit[] edits)
    {
        _function = function;
        _operandGprs = operandGprs;
        _edits = edits;
        _deleted = [.. deleted];
        _moved = new AllocationEdit?[function.Blocks.Count];
        _isEmptied = new bool[function.Blocks.Count];
        _firstEdit = new int[function.Blocks.Count + 1];
        foreach (AllocationEdit edit in edits)
            _firstEdit[edit.Block + 1]++;
        for (int block = 0; block < function.Blocks.Count; block++)
            _firstEdit[block + 1] += _firstEdit[block];
    }

    /// <summary>The edits with those that moved, in order.</summary>
    /// <param name="deleted">Sorted; constants that moved are added.</param>
    public static AllocationEdit[] Hoist(
        MachineFunction function, Gpr[][][] operandGprs, List<(int Block, int Instruction)> deleted, AllocationEdit[] edits)
    {
        var hoister = new ConstantHoister(function, operandGprs, deleted, edits);
        bool hasMoved = false;
        foreach (MachineBlock block in function.Blocks)
            hasMoved |= hoister.TryHoist(block);
        return hasMoved ? hoister.Merge(deleted) : edits;
    }

    private bool TryHoist(MachineBlock block)
    {
        if (block.Terminator.Pseudo != MachinePseudo.Jump || block.Predecessors.Count != 1
            || !TryOnlyConstant(block, out MachineInstruction? constant, out Gpr gpr))
        {
            return false;
        }

        MachineBlock before = _function.Blocks[block.Predecessors[0]];
        if (_moved[before.Index] is not null || before.Terminator.Pseudo != MachinePseudo.Branch
            || before.Successors[0].Target == before.Successors[1].Target || _function.Blocks[block.Successors[0].Target].Predecessors.Count != 2)
        {
            return false;
        }

        int other = before.Successors[0].Target == block.Index ? before.Successors[1].Target : before.Successors[0].Target;
        int steps = MostSteps;
        if (!IsSetFirst(_function.Blocks[other], gpr, ref steps))
            return false;
        _moved[before.Index] = new AllocationEdit(before.Index, before.Instructions.Count - 1, default, Location.InGpr(gpr), constant);
        _isEmptied[block.Index] = true;
        return true;
    }

    /// <summary>The block is a constant of one instruction and the jump.</summary>
    private bool TryOnlyConstant(MachineBlock block, out MachineInstruction? constant, out Gpr gpr)
    {
        constant = null;
        gpr = default;
        for (int index = 0; index < block.Instructions.Count - 1; index++)
        {
            if (_deleted.Contains((block.Index, index)))
                continue;
            if (constant is not null || block.Instructions[index].Pseudo != MachinePseudo.LoadImmediate)
                return false;
            constant = block.Instructions[index];
            gpr = _operandGprs[block.Index][index][0];
        }

        foreach (AllocationEdit edit in EditsOf(block))
        {
            if (constant is not null || edit.Rematerialize is not { Pseudo: MachinePseudo.LoadImmediate })
                return false;
            constant = edit.Rematerialize;
            gpr = edit.To.Gpr;
        }

        return gpr != Gpr.R0 && constant?.Operands[1].Value is >= short.MinValue and <= short.MaxValue;
    }

    private ReadOnlySpan<AllocationEdit> EditsOf(MachineBlock block) =>
        _edits.AsSpan(_firstEdit[block.Index].._firstEdit[block.Index + 1]);

    /// <summary>On every way from the start of the block the register is written, or lost, before it is read.</summary>
    private bool IsSetFirst(MachineBlock block, Gpr gpr, ref int steps)
    {
        Location location = Location.InGpr(gpr);
        ReadOnlySpan<AllocationEdit> edits = EditsOf(block);
        int edit = 0;
        for (int index = 0; index < block.Instructions.Count; index++)
        {
            for (; edit < edits.Length && edits[edit].Instruction == index; edit++)
            {
                if (--steps < 0 || (edits[edit].Rematerialize is null && edits[edit].From == location))
                    return false;
                if (edits[edit].To == location)
                    return true;
            }

            if (_deleted.Contains((block.Index, index)))
                continue;
            MachineInstruction instruction = block.Instructions[index];
            if (--steps < 0 || Touches(block.Index, index, gpr, isDef: false))
                return false;
            if (Touches(block.Index, index, gpr, isDef: true) || (instruction.ClobbersVolatile && !gpr.IsCalleeSaved))
                return true;
        }

        foreach (MachineEdge edge in block.Successors)
        {
            if (!IsSetFirst(_function.Blocks[edge.Target], gpr, ref steps))
                return false;
        }

        return block.Successors.Count > 0;
    }

    private bool Touches(int block, int index, Gpr gpr, bool isDef)
    {
        MachineOperand[] operands = _function.Blocks[block].Instructions[index].Operands;
        Gpr[] gprs = _operandGprs[block][index];
        for (int operand = 0; operand < operands.Length; operand++)
        {
            if (operands[operand].Kind == MachineOperandKind.VirtualRegister && operands[operand].IsDef == isDef && gprs[operand] == gpr)
                return true;
        }

        return false;
    }

    /// <summary>The edits of blocks that are not empty now, and those that moved, each behind what else happens at its place.</summary>
    private AllocationEdit[] Merge(List<(int Block, int Instruction)> deleted)
    {
        List<AllocationEdit> merged = new(_edits.Length + 1);
        foreach (MachineBlock block in _function.Blocks)
        {
            if (_isEmptied[block.Index])
            {
                for (int index = 0; index < block.Instructions.Count - 1; index++)
                    _deleted.Add((block.Index, index));
                continue;
            }

            merged.AddRange(EditsOf(block));
            if (_moved[block.Index] is { } moved)
                merged.Add(moved);
        }

        if (_deleted.Count != deleted.Count)
        {
            deleted.Clear();
            deleted.AddRange(_deleted);
            deleted.Sort();
        }

        return [.. merged];
    }
}
