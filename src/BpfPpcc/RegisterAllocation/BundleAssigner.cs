using System.Numerics;
using BpfPpcc.Mir;

namespace BpfPpcc.RegisterAllocation;

/// <summary>
/// Gives GPRs to bundles. A queue hands out what spans blocks, largest first, then what lies in one block, in program order. A bundle
/// takes a free register that moves would like it to have, else any free one that costs nothing, else the cheapest of: to evict lighter
/// bundles, to begin using another callee-saved register, to be cut up. Evicted bundles and pieces go back into the queue. Only lighter
/// bundles are evicted, and pieces get shorter down to single instructions, which nothing evicts: so it ends.
/// </summary>
internal sealed class BundleAssigner
{
    private const int GprCount = 32;
    private const int FirstCalleeSaved = 14;

    /// <summary>How many bundles one may evict at a time.</summary>
    private const int EvictionWidth = 8;

    /// <summary>A bundle that was evicted this often evicts no other.</summary>
    private const int EvictionLimit = 8;

    /// <summary>How many affinities of a register are looked at.</summary>
    private const int AffinityLimit = 16;

    private readonly Liveness _liveness;
    private readonly SpillCosts _costs;
    private readonly BundleSplitter _splitter;
    private readonly FrameSplitter _frame;
    private readonly CallSplitter _callSplitter;
    private readonly RegisterIntervals[] _intervals = new RegisterIntervals[GprCount];
    private readonly PriorityQueue<Bundle, long> _queue = new();
    private readonly List<Bundle> _all = [];
    private readonly List<Bundle> _parts = [];
    private readonly List<Bundle> _inTheWay = [];
    private readonly List<Bundle> _cheapest = [];
    private readonly float[] _wish = new float[GprCount];
    private readonly int[] _affinityStart;
    private readonly (int Other, float Frequency)[] _affinities;
    private readonly int[] _lastGpr;

    /// <summary>What one more callee-saved register could have held of the bundles that were cut up instead, and what that cost.</summary>
    private RegisterIntervals _forgone = new();

    private float _forgoneCost;

    /// <summary>A callee-saved register is in use before the save point, so that the frame is set up earlier.</summary>
    private bool _isFrameEarly;

    private BundleAssigner(Liveness liveness, Affinity[] affinities, BundleSplitter splitter, FrameSplitter frame)
    {
        _frame = frame;
        _liveness = liveness;
        _splitter = splitter;
        _costs = new SpillCosts(liveness, frame);
        _callSplitter = new CallSplitter(liveness, _costs);
        for (int gpr = 0; gpr < GprCount; gpr++)
        {
            _intervals[gpr] = new RegisterIntervals();
        }

        int registerCount = liveness.Ranges.Length;
        _lastGpr = new int[registerCount];
        Array.Fill(_lastGpr, -1);
        _affinityStart = new int[registerCount + 1];
        _affinities = IndexAffinities(affinities, _affinityStart);
    }

    /// <summary>Argument registers last: moves wish for them, so others stay away.</summary>
    private static ReadOnlySpan<byte> VolatileOrder => [10, 9, 8, 11, 12, 7, 6, 5, 4, 3];

    private static ReadOnlySpan<byte> CalleeSavedOrder => [31, 30, 29, 28, 27, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14];

    /// <summary>Returns bundles with their GPRs, which cover what is in a register at all.</summary>
    public static List<Bundle> Assign(
        Liveness liveness, List<LiveRange[]> bundles, Affinity[] affinities, BundleSplitter splitter, FrameSplitter frame)
    {
        var assigner = new BundleAssigner(liveness, affinities, splitter, frame);
        assigner.ReserveFixed();
        foreach (LiveRange[] ranges in bundles)
        {
            assigner.Enqueue(splitter.NewBundle(BundleStage.Whole, ranges));
        }

        while (assigner._queue.TryDequeue(out Bundle? bundle, out _))
        {
            assigner.Place(bundle);
        }

        return assigner._all.FindAll(static bundle => bundle.Gpr >= 0);
    }

    private static (int Other, float Frequency)[] IndexAffinities(Affinity[] affinities, int[] start)
    {
        foreach (Affinity affinity in affinities)
        {
            start[affinity.First]++;
            start[affinity.Second]++;
        }

        int sum = 0;
        for (int register = 0; register < start.Length; register++)
        {
            (start[register], sum) = (sum, sum + start[register]);
        }

        var index = new (int Other, float Frequency)[sum];
        int[] next = start.AsSpan().ToArray();
        foreach (Affinity affinity in affinities)
        {
            index[next[affinity.First]++] = (affinity.Second, affinity.Frequency);
            index[next[affinity.Second]++] = (affinity.First, affinity.Frequency);
        }

        return index;
    }

    /// <summary>Fixed operands take their GPR at their instruction for good.</summary>
    private void ReserveFixed()
    {
        foreach (MachineBlock block in _liveness.Function.Blocks)
        {
            int number = _liveness.FirstInstruction[block.Index];
            foreach (MachineInstruction instruction in block.Instructions)
            {
                ReserveFixed(instruction, number++);
            }
        }
    }

    private void ReserveFixed(MachineInstruction instruction, int number)
    {
        uint early = 0;
        uint late = 0;
        for (int index = 0; index < instruction.Operands.Length; index++)
        {
            ref readonly MachineOperand operand = ref instruction.Operands[index];
            if (operand.Kind != MachineOperandKind.VirtualRegister || operand.FixedGpr < 0)
            {
                continue;
            }

            late |= operand.IsDef ? 1u << operand.FixedGpr : 0;
            early |= !operand.IsDef || operand.Role == OperandRole.EarlyDef || Liveness.IsTied(instruction, index) ? 1u << operand.FixedGpr : 0;
        }

        for (uint gprs = early | late; gprs != 0; gprs &= gprs - 1)
        {
            int gpr = BitOperations.TrailingZeroCount(gprs);
            int from = (early >> gpr & 1) != 0 ? ProgramPoint.Early(number) : ProgramPoint.Late(number);
            int to = (late >> gpr & 1) != 0 ? ProgramPoint.Gap(number + 1) : ProgramPoint.Late(number);
            _intervals[gpr].Insert(from, to, null);
        }
    }

    private void Enqueue(Bundle bundle)
    {
        _costs.Measure(bundle);
        bundle.IsInFrame = _frame.IsInside(bundle.Ranges);
        _all.Add(bundle);
        Requeue(bundle);
    }

    private void Requeue(Bundle bundle)
    {
        int from = bundle.Ranges[0].From;
        bool isLocal = _liveness.BlockOf[ProgramPoint.Instruction(from)]
            == _liveness.BlockOf[ProgramPoint.Instruction(bundle.Ranges[^1].To - 1)];
        long order = isLocal ? (1L << 62) | ((long)from << 31) : (long)(int.MaxValue - bundle.Size) << 31;
        _queue.Enqueue(bundle, order | (uint)bundle.Id);
    }

    private void Place(Bundle bundle)
    {
        int free = FindFree(bundle);
        if (free >= 0)
        {
            Take(bundle, free);
            return;
        }

        int fresh = HasFrame(bundle) ? FindUnusedCalleeSaved() : FindFreeCalleeSaved(bundle);
        float ownCost = bundle.IsMinimal ? float.PositiveInfinity : bundle.SpillCost;
        int victim = FindVictim(bundle, out float evictionCost);
        if (victim >= 0 && (fresh < 0 || evictionCost < Math.Min(_costs.CalleeSaved, ownCost)))
        {
            Evict(_cheapest);
            Take(bundle, victim);
        }
        else
        {
            TakeOrSplit(bundle, fresh, ownCost);
        }
    }

    /// <summary>Begins using a callee-saved register, if there is one and that is cheaper than to be cut up.</summary>
    private void TakeOrSplit(Bundle bundle, int fresh, float cost)
    {
        float cutCost = 0;
        bool canCut = bundle.CrossesCall && bundle.Stage == BundleStage.Whole && _callSplitter.TryCut(bundle, out cutCost);
        if (fresh >= 0 && !IsCheaperThanCalleeSaved(bundle, canCut ? Math.Min(cost, cutCost) : cost))
        {
            Take(bundle, fresh);
            return;
        }

        if (bundle.IsMinimal)
        {
            throw new InvalidOperationException($"{_liveness.Function.Name}: no GPR for v{bundle.Ranges[0].Register} at point {bundle.Ranges[0].From}");
        }

        _parts.Clear();
        if (canCut)
        {
            _splitter.Split(_callSplitter.Kept, _callSplitter.Rest, _parts);
        }
        else
        {
            _splitter.Split(bundle, _parts);
        }

        EnqueueParts();
    }

    /// <summary>
    /// Compares with the price of one more callee-saved register, of which those that were cut up before and are never live together with
    /// this one would have paid their part.
    /// </summary>
    private bool IsCheaperThanCalleeSaved(Bundle bundle, float cost)
    {
        bool couldShare = _forgone.IsFree(bundle.Ranges);
        if (cost + (couldShare ? _forgoneCost : 0) >= _costs.CalleeSaved)
        {
            _forgone = new RegisterIntervals();
            _forgoneCost = 0;
            return false;
        }

        if (couldShare)
        {
            _forgoneCost += cost;
            foreach (ref readonly LiveRange range in bundle.Ranges.AsSpan())
            {
                _forgone.Insert(range.From, range.To, null);
            }
        }

        return true;
    }

    private void EnqueueParts()
    {
        foreach (Bundle part in _parts)
        {
            Enqueue(part);
        }
    }

    /// <summary>A free register that costs nothing: one that moves wish for if there is one, or -1.</summary>
    private int FindFree(Bundle bundle)
    {
        uint eligible = EligibleWithoutCost(bundle);
        CollectWishes(bundle);
        while (true)
        {
            int best = -1;
            for (int gpr = 3; gpr < GprCount; gpr++)
            {
                if (_wish[gpr] > 0 && (eligible >> gpr & 1) != 0 && (best < 0 || _wish[gpr] > _wish[best]))
                {
                    best = gpr;
                }
            }

            if (best < 0)
            {
                break;
            }

            if (_intervals[best].IsFree(bundle.Ranges))
            {
                return best;
            }

            eligible &= ~(1u << best);
        }

        foreach (byte gpr in VolatileOrder)
        {
            if ((eligible >> gpr & 1) != 0 && _intervals[gpr].IsFree(bundle.Ranges))
            {
                return gpr;
            }
        }

        foreach (byte gpr in CalleeSavedOrder)
        {
            if ((eligible >> gpr & 1) != 0 && _intervals[gpr].IsFree(bundle.Ranges))
            {
                return gpr;
            }
        }

        return -1;
    }

    /// <summary>Volatile registers if no call is crossed, and callee-saved ones that are used already.</summary>
    private uint EligibleWithoutCost(Bundle bundle)
    {
        uint eligible = 0;
        if (!bundle.CrossesCall)
        {
            foreach (byte gpr in VolatileOrder)
            {
                eligible |= 1u << gpr;
            }
        }

        foreach (byte gpr in CalleeSavedOrder)
        {
            eligible |= _intervals[gpr].OwnedCount > 0 && HasFrame(bundle) ? 1u << gpr : 0;
        }

        return eligible;
    }

    private bool HasFrame(Bundle bundle) => bundle.IsInFrame || _isFrameEarly;

    /// <summary>Fills the frequency of moves that each GPR would save.</summary>
    private void CollectWishes(Bundle bundle)
    {
        Array.Clear(_wish);
        int previous = -1;
        foreach (ref readonly LiveRange range in bundle.Ranges.AsSpan())
        {
            foreach (Occurrence occurrence in _liveness.OccurrencesIn(range))
            {
                if (occurrence.FixedGpr >= 0 && occurrence.FirstPoint >= range.From && occurrence.FirstPoint < range.To)
                {
                    _wish[occurrence.FixedGpr] += _liveness.Frequency(occurrence.Instruction);
                }
            }

            if (range.Register == previous)
            {
                continue;
            }

            previous = range.Register;
            int end = Math.Min(_affinityStart[previous + 1], _affinityStart[previous] + AffinityLimit);
            for (int index = _affinityStart[previous]; index < end; index++)
            {
                int gpr = _lastGpr[_affinities[index].Other];
                if (gpr >= 0)
                {
                    _wish[gpr] += _affinities[index].Frequency;
                }
            }

            if (_frame.IsCut[previous] && _lastGpr[previous] >= 0)
            {
                _wish[_lastGpr[previous]] += _liveness.EntryFrequency;
            }
        }
    }

    private int FindUnusedCalleeSaved()
    {
        foreach (byte gpr in CalleeSavedOrder)
        {
            if (_intervals[gpr].OwnedCount == 0)
            {
                return gpr;
            }
        }

        return -1;
    }

    private int FindFreeCalleeSaved(Bundle bundle)
    {
        foreach (byte gpr in CalleeSavedOrder)
        {
            if (_intervals[gpr].IsFree(bundle.Ranges))
            {
                return gpr;
            }
        }

        return -1;
    }

    /// <summary>The register whose bundles are cheapest to spill, if all in the way are lighter, or -1. They are in _cheapest then.</summary>
    private int FindVictim(Bundle bundle, out float cost)
    {
        cost = float.PositiveInfinity;
        _cheapest.Clear();
        if (bundle.Evictions > EvictionLimit && !bundle.IsMinimal)
        {
            return -1;
        }

        int best = -1;
        uint eligible = EligibleWithoutCost(bundle);
        for (int gpr = GprCount - 1; gpr >= 3; gpr--)
        {
            if ((eligible >> gpr & 1) == 0
                || !_intervals[gpr].TryCollect(bundle.Ranges, bundle.Weight, bundle.IsMinimal ? int.MaxValue : EvictionWidth, _inTheWay))
            {
                continue;
            }

            float sum = 0;
            foreach (Bundle other in _inTheWay)
            {
                sum += other.SpillCost;
            }

            if (best < 0 || sum < cost)
            {
                best = gpr;
                cost = sum;
                _cheapest.Clear();
                _cheapest.AddRange(_inTheWay);
            }
        }

        return best;
    }

    private void Evict(List<Bundle> bundles)
    {
        foreach (Bundle bundle in bundles)
        {
            foreach (ref readonly LiveRange range in bundle.Ranges.AsSpan())
            {
                _intervals[bundle.Gpr].Remove(range.From);
                _lastGpr[range.Register] = -1;
            }

            bundle.Gpr = -1;
            bundle.Evictions++;
            Requeue(bundle);
        }
    }

    private void Take(Bundle bundle, int gpr)
    {
        bundle.Gpr = gpr;
        _isFrameEarly |= !bundle.IsInFrame && gpr >= FirstCalleeSaved;
        foreach (ref readonly LiveRange range in bundle.Ranges.AsSpan())
        {
            _intervals[gpr].Insert(range.From, range.To, bundle);
            _lastGpr[range.Register] = gpr;
        }
    }
}
