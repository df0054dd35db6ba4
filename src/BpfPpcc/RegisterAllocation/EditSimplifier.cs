using BpfPpcc.Mir;
using BpfPpcc.Ppc64;

namespace BpfPpcc.RegisterAllocation;

/// <summary>
/// Drops edits whose destination already holds the value, and constants that are in place, and loads from a GPR what one still holds
/// instead of from its slot. Follows values through blocks, and from block to block where there is one way in: an argument that went to a
/// callee-saved register for later is still in place for a call at once, and what a branch has found to be 0 need not be set to 0.
/// </summary>
internal sealed class EditSimplifier
{
    private const int GprCount = 32;

    /// <summary>Slots with higher numbers are not followed, which bounds the work per block.</summary>
    private const int SlotLimit = 64;

    private readonly Liveness _liveness;
    private readonly Gpr[][][] _operandGprs;
    private readonly HashSet<(int Block, int Instruction)> _deleted;
    private readonly List<AllocationEdit> _kept = [];
    private readonly int[]?[] _behindBlock;
    private readonly int _locationCount;

    /// <summary>By block: the number of the value that is 0 if CR0[EQ] is set behind it, or 0.</summary>
    private readonly int[] _testedBehindBlock;

    /// <summary>By constant: the number of its value.</summary>
    private readonly Dictionary<long, int> _constants = [];

    /// <summary>By location: a number of the value that it holds, the same for equal values; 0 if that is not known.</summary>
    private int[] _values = [];

    private int _lastValue;
    private int _tested;

    private EditSimplifier(Liveness liveness, Gpr[][][] operandGprs, List<(int Block, int Instruction)> deleted, int slotCount)
    {
        _liveness = liveness;
        _operandGprs = operandGprs;
        _deleted = [.. deleted];
        _behindBlock = new int[liveness.Function.Blocks.Count][];
        _testedBehindBlock = new int[liveness.Function.Blocks.Count];
        _locationCount = GprCount + Math.Min(slotCount, SlotLimit);
    }

    /// <summary>The edits that are left, in order.</summary>
    /// <param name="deleted">Sorted; constants that are in place are added.</param>
    /// <param name="slotCount">How many spill slots the edits name.</param>
    public static AllocationEdit[] Simplify(
        Liveness liveness, Gpr[][][] operandGprs, List<(int Block, int Instruction)> deleted, AllocationEdit[] edits, int slotCount)
    {
        var simplifier = new EditSimplifier(liveness, operandGprs, deleted, slotCount);
        int next = 0;
        foreach (MachineBlock block in liveness.Function.Blocks)
        {
            simplifier._values = simplifier.ValuesAtStart(block);
            simplifier._tested = 0;
            for (int index = 0; index < block.Instructions.Count; index++)
            {
                for (; next < edits.Length && edits[next].Block == block.Index && edits[next].Instruction == index; next++)
                {
                    simplifier.Visit(edits[next]);
                }

                simplifier.Visit(block, index);
            }

            simplifier._behindBlock[block.Index] = simplifier._values;
            simplifier._testedBehindBlock[block.Index] = simplifier._tested;
        }

        if (simplifier._deleted.Count != deleted.Count)
        {
            deleted.Clear();
            deleted.AddRange(simplifier._deleted);
            deleted.Sort();
        }

        return simplifier._kept.ToArray();
    }

    private int[] ValuesAtStart(MachineBlock block)
    {
        int predecessor = block.Predecessors.Count == 1 ? block.Predecessors[0] : -1;
        if (predecessor < 0 || _behindBlock[predecessor] is not { } before)
            return new int[_locationCount];
        var values = (int[])before.Clone();
        int tested = _testedBehindBlock[predecessor];
        MachineBlock from = _liveness.Function.Blocks[predecessor];
        int successor = tested == 0 ? -1 : ZeroTest.SuccessorIfZero(from);
        if (successor >= 0 && from.Successors[successor].Target == block.Index)
            values.AsSpan().Replace(tested, ConstantValue(0));
        return values;
    }

    private void Visit(in AllocationEdit edit)
    {
        int to = Index(edit.To);
        if (edit.Rematerialize is not null)
        {
            int computed = RematerializedValue(edit.Rematerialize);
            if (_values[to] != computed)
            {
                _kept.Add(edit);
                _values[to] = computed;
            }

            return;
        }

        int from = Index(edit.From);
        if (from < 0)
        {
            _kept.Add(edit);
            _values[to] = 0;
            return;
        }

        int value = _values[from] != 0 ? _values[from] : _values[from] = ++_lastValue;
        if (to >= 0 && _values[to] == value)
        {
            return;
        }

        _kept.Add(edit.From.IsGpr ? edit : edit with { From = Nearest(edit.From, value) });
        if (to >= 0)
        {
            _values[to] = value;
        }
    }

    private void Visit(MachineBlock block, int index)
    {
        MachineInstruction instruction = block.Instructions[index];
        Gpr[] gprs = _operandGprs[block.Index][index];

        // A copy of a rematerialised value is a value of its own: it is not what a rematerialisation brings.
        int copied = instruction.Pseudo == MachinePseudo.Copy ? Math.Max(0, _values[gprs[1].Number]) : 0;
        if (_deleted.Contains((block.Index, index)))
        {
            if (instruction.Pseudo == MachinePseudo.Copy)
            {
                _values[gprs[0].Number] = copied;
            }

            return;
        }

        if (instruction.Pseudo == MachinePseudo.LoadImmediate && _values[gprs[0].Number] == RematerializedValue(instruction))
        {
            _deleted.Add((block.Index, index));
            return;
        }

        _values[0] = 0;
        for (int gpr = 3; gpr < 13 && instruction.ClobbersVolatile; gpr++)
        {
            _values[gpr] = 0;
        }

        for (int operand = 0; operand < gprs.Length; operand++)
        {
            if (instruction.Operands[operand].IsDef)
            {
                _values[gprs[operand].Number] = instruction.IsRematerializable ? RematerializedValue(instruction)
                    : copied != 0 ? copied : ++_lastValue;
            }
        }

        if (ZeroTest.ChangesCr0(instruction))
            _tested = TestedValue(instruction, gprs);
    }

    /// <summary>The number of the value that is 0 if the instruction sets CR0[EQ], or 0.</summary>
    private int TestedValue(MachineInstruction instruction, Gpr[] gprs)
    {
        int operand = ZeroTest.OperandOf(instruction);
        if (operand < 0)
            return 0;
        ref int value = ref _values[gprs[operand].Number];
        return value != 0 ? value : value = ++_lastValue;
    }

    /// <summary>A GPR with the value that is in a slot, or the slot.</summary>
    private Location Nearest(Location slot, int value)
    {
        for (int gpr = 3; gpr < GprCount; gpr++)
        {
            if (_values[gpr] == value)
            {
                return Location.InGpr(new Gpr((byte)gpr));
            }
        }

        return slot;
    }

    /// <summary>Constants are equal whatever register they are for.</summary>
    private int RematerializedValue(MachineInstruction definition) => definition.Pseudo == MachinePseudo.LoadImmediate
        ? ConstantValue(definition.Operands[1].Value)
        : ~definition.Operands[0].Number;

    private int ConstantValue(long constant)
    {
        if (!_constants.TryGetValue(constant, out int value))
            _constants.Add(constant, value = ~(_liveness.Function.VirtualRegisterCount + _constants.Count));
        return value;
    }

    /// <summary>-1 for slots that are not followed.</summary>
    private static int Index(Location location) => location.IsGpr ? location.Gpr.Number : location.SpillSlot < SlotLimit ? GprCount + location.SpillSlot : -1;
}
