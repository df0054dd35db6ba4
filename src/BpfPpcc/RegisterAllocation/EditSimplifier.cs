using BpfPpcc.Mir;
using BpfPpcc.Ppc64;

namespace BpfPpcc.RegisterAllocation;

/// <summary>
/// Drops edits whose destination already holds the value, and loads from a GPR what one still holds instead of from its slot. Follows
/// values through blocks, and from block to block where there is one way in: an argument that went to a callee-saved register for later is
/// still in place for a call at once.
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

    /// <summary>By location: a number of the value that it holds, the same for equal values; 0 if that is not known.</summary>
    private int[] _values = [];

    private int _lastValue;

    private EditSimplifier(Liveness liveness, Gpr[][][] operandGprs, List<(int Block, int Instruction)> deleted, int slotCount)
    {
        _liveness = liveness;
        _operandGprs = operandGprs;
        _deleted = [.. deleted];
        _behindBlock = new int[liveness.Function.Blocks.Count][];
        _locationCount = GprCount + Math.Min(slotCount, SlotLimit);
    }

    /// <param name="slotCount">How many spill slots the edits name.</param>
    public static AllocationEdit[] Simplify(
        Liveness liveness, Gpr[][][] operandGprs, List<(int Block, int Instruction)> deleted, AllocationEdit[] edits, int slotCount)
    {
        var simplifier = new EditSimplifier(liveness, operandGprs, deleted, slotCount);
        int next = 0;
        foreach (MachineBlock block in liveness.Function.Blocks)
        {
            simplifier._values = simplifier.ValuesAtStart(block);
            for (int index = 0; index < block.Instructions.Count; index++)
            {
                for (; next < edits.Length && edits[next].Block == block.Index && edits[next].Instruction == index; next++)
                {
                    simplifier.Visit(edits[next]);
                }

                simplifier.Visit(block, index);
            }

            simplifier._behindBlock[block.Index] = simplifier._values;
        }

        return simplifier._kept.ToArray();
    }

    private int[] ValuesAtStart(MachineBlock block)
    {
        int[]? before = block.Predecessors.Count == 1 ? _behindBlock[block.Predecessors[0]] : null;
        return before is null ? new int[_locationCount] : (int[])before.Clone();
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

        _values[0] = 0;
        for (int gpr = 3; gpr < 13 && instruction.ClobbersVolatile; gpr++)
        {
            _values[gpr] = 0;
        }

        for (int operand = 0; operand < gprs.Length; operand++)
        {
            if (instruction.Operands[operand].IsDef)
            {
                int register = instruction.Operands[operand].Number;
                _values[gprs[operand].Number] = _liveness.Rematerialization[register] is not null ? ~register : copied != 0 ? copied : ++_lastValue;
            }
        }
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

    private static int RematerializedValue(MachineInstruction definition) => ~definition.Operands[0].Number;

    /// <summary>-1 for slots that are not followed.</summary>
    private static int Index(Location location) => location.IsGpr ? location.Gpr.Number : location.SpillSlot < SlotLimit ? GprCount + location.SpillSlot : -1;
}
