using BpfPpcc.Mir;

namespace BpfPpcc.RegisterAllocation;

/// <summary>Two registers that would like to share a GPR, because a move joins them.</summary>
internal readonly record struct Affinity(int First, int Second, float Frequency);

/// <summary>
/// Makes bundles: registers that moves join (block parameters with their arguments, copies, tied operands) are put together where their
/// ranges allow it, the most frequent moves first.
/// </summary>
internal sealed class BundleBuilder
{
    /// <summary>Bundles of more ranges are not joined any further, so that the merging of sorted ranges stays linear.</summary>
    private const int MergeLimit = 128;

    private readonly Liveness _liveness;
    private readonly int[] _parent;
    private readonly LiveRange[][] _ranges;

    private BundleBuilder(Liveness liveness)
    {
        _liveness = liveness;
        _parent = new int[liveness.Ranges.Length];
        for (int register = 0; register < _parent.Length; register++)
        {
            _parent[register] = register;
        }

        _ranges = (LiveRange[][])liveness.Ranges.Clone();
    }

    /// <summary>
    /// Returns the bundles and the affinities that were looked at; <paramref name="groups"/> says by register to which bundle it went
    /// (a number that joined registers have in common): they may share a spill slot, as they are never live together.
    /// </summary>
    public static List<LiveRange[]> Build(Liveness liveness, out Affinity[] affinities, out int[] groups)
    {
        var builder = new BundleBuilder(liveness);
        affinities = FindAffinities(liveness);
        foreach (Affinity affinity in affinities)
        {
            builder.TryJoin(affinity.First, affinity.Second);
        }

        groups = new int[liveness.Ranges.Length];
        var bundles = new List<LiveRange[]>();
        for (int register = 0; register < groups.Length; register++)
        {
            groups[register] = builder.Find(register);
            if (groups[register] == register && builder._ranges[register].Length > 0)
            {
                bundles.Add(builder._ranges[register]);
            }
        }

        return bundles;
    }

    /// <summary>All moves that sharing would save, most frequent first.</summary>
    private static Affinity[] FindAffinities(Liveness liveness)
    {
        var affinities = new List<Affinity>();
        foreach (MachineBlock block in liveness.Function.Blocks)
        {
            foreach (MachineInstruction instruction in block.Instructions)
            {
                AddAffinities(instruction, block.Frequency, affinities);
            }

            foreach (MachineEdge edge in block.Successors)
            {
                MachineBlock target = liveness.Function.Blocks[edge.Target];
                for (int index = 0; index < edge.Arguments.Length; index++)
                {
                    float frequency = Math.Min(block.Frequency, target.Frequency);
                    affinities.Add(new Affinity(target.Parameters[index].Number, edge.Arguments[index].Number, frequency));
                }
            }
        }

        var sorted = affinities.ToArray();
        var keys = new (float NegatedFrequency, int Order)[sorted.Length];
        for (int index = 0; index < keys.Length; index++)
        {
            keys[index] = (-sorted[index].Frequency, index);
        }

        Array.Sort(keys, sorted);
        return sorted;
    }

    private static void AddAffinities(MachineInstruction instruction, float frequency, List<Affinity> affinities)
    {
        MachineOperand[] operands = instruction.Operands;
        if (instruction.Pseudo == MachinePseudo.Copy)
        {
            if (operands[0].Kind == MachineOperandKind.VirtualRegister && operands[1].Kind == MachineOperandKind.VirtualRegister)
            {
                affinities.Add(new Affinity(operands[0].Number, operands[1].Number, frequency));
            }

            return;
        }

        foreach (ref readonly MachineOperand operand in operands.AsSpan())
        {
            if (operand.Kind == MachineOperandKind.VirtualRegister && operand.TiedTo >= 0)
            {
                affinities.Add(new Affinity(operands[operand.TiedTo].Number, operand.Number, frequency));
            }
        }
    }

    private void TryJoin(int first, int second)
    {
        first = Find(first);
        second = Find(second);
        LiveRange[] a = _ranges[first];
        LiveRange[] b = _ranges[second];
        if (first == second || a.Length == 0 || b.Length == 0 || a.Length + b.Length > MergeLimit || !TryMerge(a, b, out LiveRange[] merged))
        {
            return;
        }

        int root = Math.Min(first, second);
        _parent[first] = root;
        _parent[second] = root;
        _ranges[first] = [];
        _ranges[second] = [];
        _ranges[root] = merged;
    }

    private static bool TryMerge(LiveRange[] a, LiveRange[] b, out LiveRange[] merged)
    {
        merged = new LiveRange[a.Length + b.Length];
        int i = 0;
        int j = 0;
        int end = 0;
        for (int index = 0; index < merged.Length; index++)
        {
            LiveRange range = j == b.Length || (i < a.Length && a[i].From < b[j].From) ? a[i++] : b[j++];
            if (range.From < end)
            {
                return false;
            }

            end = range.To;
            merged[index] = range;
        }

        return true;
    }

    private int Find(int register)
    {
        while (_parent[register] != register)
        {
            _parent[register] = _parent[_parent[register]];
            register = _parent[register];
        }

        return register;
    }
}
