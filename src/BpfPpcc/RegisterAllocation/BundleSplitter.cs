using BpfPpcc.Mir;

namespace BpfPpcc.RegisterAllocation;

/// <summary>
/// Cuts up a bundle that got no register. Joined registers are taken apart first. Then one register keeps a GPR in runs of hot blocks
/// (loops) and is spilled in between; then in clusters, which are uses of one block that no call separates; then clusters are halved
/// until a piece is one instruction. Where no piece covers it, the value is in its spill slot, or is computed again when needed.
/// A slot is written once, at the definition (SSA), so that leaving a piece costs nothing.
/// </summary>
internal sealed class BundleSplitter(Liveness liveness, FrameSplitter frame)
{
    private readonly List<LiveRange> _pieces = [];
    private readonly List<LiveRange> _rest = [];
    private int _nextId;

    /// <summary>By register: it is in pieces, with a GPR each, and none in between.</summary>
    public bool[] IsSpilled { get; } = (bool[])frame.IsCut.Clone();

    public Bundle NewBundle(BundleStage stage, LiveRange[] ranges, float frequencyFloor = 0) =>
        new(_nextId++, stage, ranges) { FrequencyFloor = frequencyFloor };

    public void Split(Bundle bundle, List<Bundle> parts)
    {
        if (IsJoined(bundle))
        {
            SplitByRegister(bundle, parts);
            return;
        }

        IsSpilled[bundle.Ranges[0].Register] = true;
        if (bundle.Stage == BundleStage.Cluster)
        {
            Halve(bundle.Ranges[0], parts);
        }
        else if (!TrySplitHotRuns(bundle, parts))
        {
            AddClusters(bundle.Ranges, parts);
        }
    }

    /// <summary>
    /// Splits a bundle whose registers keep some ranges together and are spilled in the rest. Both ascend by register and point.
    /// </summary>
    public void Split(List<LiveRange> kept, List<LiveRange> rest, List<Bundle> parts)
    {
        var ranges = kept.ToArray();
        Array.Sort(ranges, static (a, b) => a.From.CompareTo(b.From));
        parts.Add(NewBundle(BundleStage.Whole, ranges));
        int start = 0;
        for (int end = 1; end <= rest.Count; end++)
        {
            if (end == rest.Count || rest[end].Register != rest[start].Register)
            {
                Split(NewBundle(BundleStage.Whole, rest.GetRange(start, end - start).ToArray()), parts);
                start = end;
            }
        }
    }

    private static bool IsJoined(Bundle bundle)
    {
        foreach (ref readonly LiveRange range in bundle.Ranges.AsSpan())
        {
            if (range.Register != bundle.Ranges[0].Register)
            {
                return true;
            }
        }

        return false;
    }

    private void SplitByRegister(Bundle bundle, List<Bundle> parts)
    {
        var ranges = (LiveRange[])bundle.Ranges.Clone();
        Array.Sort(ranges, static (a, b) => a.Register != b.Register ? a.Register.CompareTo(b.Register) : a.From.CompareTo(b.From));
        int start = 0;
        for (int end = 1; end <= ranges.Length; end++)
        {
            if (end == ranges.Length || ranges[end].Register != ranges[start].Register)
            {
                parts.Add(NewBundle(BundleStage.Whole, ranges[start..end]));
                start = end;
            }
        }
    }

    /// <summary>True if some run of hot blocks became a bundle; what lies outside of the runs went into clusters.</summary>
    private bool TrySplitHotRuns(Bundle bundle, List<Bundle> parts)
    {
        float hottest = 0;
        foreach (ref readonly LiveRange range in bundle.Ranges.AsSpan())
        {
            int last = liveness.BlockOf[ProgramPoint.Instruction(range.To - 1)];
            for (int block = liveness.BlockOf[ProgramPoint.Instruction(range.From)]; block <= last; block++)
            {
                hottest = Math.Max(hottest, liveness.Function.Blocks[block].Frequency);
            }
        }

        float floor = bundle.FrequencyFloor == 0 ? 2 * liveness.EntryFrequency : bundle.FrequencyFloor * 10;
        for (; floor < hottest; floor *= 10)
        {
            if (TrySplitHotRuns(bundle, floor, parts))
            {
                return true;
            }
        }

        return false;
    }

    private bool TrySplitHotRuns(Bundle bundle, float floor, List<Bundle> parts)
    {
        _rest.Clear();
        _pieces.Clear();
        int partsBefore = parts.Count;
        int runEnd = -1;
        foreach (LiveRange range in bundle.Ranges)
        {
            int from = range.From;
            int block = liveness.BlockOf[ProgramPoint.Instruction(from)];
            while (from < range.To)
            {
                bool isHot = IsHot(block, floor);
                int beyond = block + 1;
                while (beyond < liveness.Function.Blocks.Count && IsHot(beyond, floor) == isHot && liveness.BlockStart(beyond) < range.To)
                {
                    beyond++;
                }

                int to = Math.Min(range.To, liveness.BlockEnd(beyond - 1));
                if (isHot)
                {
                    if (block > runEnd)
                    {
                        FinishRun(floor, parts);
                        runEnd = EndOfRun(block, floor);
                    }

                    int entry = EntryPoint(range.Register, from, to);
                    if (entry < to)
                    {
                        _pieces.Add(new LiveRange(entry, to, range.Register));
                    }
                }
                else
                {
                    _rest.Add(new LiveRange(from, to, range.Register));
                }

                from = to;
                block = beyond;
            }
        }

        FinishRun(floor, parts);
        if (parts.Count == partsBefore || (parts.Count == partsBefore + 1 && _rest.Count == 0))
        {
            parts.RemoveRange(partsBefore, parts.Count - partsBefore);
            return false;
        }

        _rest.Sort(static (a, b) => a.From.CompareTo(b.From));
        AddClusters(_rest.ToArray(), parts);
        return true;
    }

    /// <summary>
    /// The point at which a piece can begin: its definition, the beginning of a block, or else the first use from a GPR in the block, or
    /// the end of the block.
    /// </summary>
    private int EntryPoint(int register, int from, int to)
    {
        int block = liveness.BlockOf[ProgramPoint.Instruction(from)];
        if (from == liveness.BlockStart(block))
        {
            return from;
        }

        foreach (Occurrence occurrence in OccurrencesInside(new LiveRange(from, to, register)))
        {
            bool canBegin = occurrence.Kind == OccurrenceKind.RegisterUse || (occurrence.IsDef && occurrence.FirstPoint == from);
            if (canBegin && liveness.BlockOf[occurrence.Instruction] == block)
            {
                return occurrence.FirstPoint;
            }
        }

        return liveness.BlockEnd(block);
    }

    private bool IsHot(int block, float floor) => liveness.Function.Blocks[block].Frequency > floor;

    private int EndOfRun(int block, float floor)
    {
        while (block + 1 < liveness.Function.Blocks.Count && IsHot(block + 1, floor))
        {
            block++;
        }

        return block;
    }

    private void FinishRun(float floor, List<Bundle> parts)
    {
        if (_pieces.Count == 0)
        {
            return;
        }

        if (HasRegisterUse(_pieces) && CanBeEntered(_pieces))
        {
            parts.Add(NewBundle(BundleStage.HotRun, _pieces.ToArray(), floor));
        }
        else
        {
            _rest.AddRange(_pieces);
        }

        _pieces.Clear();
    }

    private bool HasRegisterUse(List<LiveRange> pieces)
    {
        foreach (LiveRange piece in pieces)
        {
            foreach (Occurrence occurrence in liveness.OccurrencesIn(piece))
            {
                if (occurrence.Kind == OccurrenceKind.RegisterUse && occurrence.FirstPoint >= piece.From && occurrence.FirstPoint < piece.To)
                {
                    return true;
                }
            }
        }

        return false;
    }

    /// <summary>False if the value would have to be loaded on an edge that has no place for it.</summary>
    private bool CanBeEntered(List<LiveRange> pieces)
    {
        int next = 0;
        foreach (LiveRange piece in pieces)
        {
            int last = liveness.BlockOf[ProgramPoint.Instruction(piece.To - 1)];
            for (int index = liveness.BlockOf[ProgramPoint.Instruction(piece.From)]; index <= last; index++)
            {
                MachineBlock block = liveness.Function.Blocks[index];
                if (liveness.BlockStart(index) < piece.From || block.Predecessors.Count == 1 || liveness.IsParameterOf(piece.Register, index))
                {
                    continue;
                }

                foreach (int predecessor in block.Predecessors)
                {
                    if (liveness.Function.Blocks[predecessor].Successors.Count > 1 && !Covers(pieces, liveness.BlockEnd(predecessor) - 1, ref next))
                    {
                        return false;
                    }
                }
            }
        }

        return true;
    }

    private static bool Covers(List<LiveRange> pieces, int point, ref int hint)
    {
        if (pieces[hint].From <= point && point < pieces[hint].To)
        {
            return true;
        }

        int low = 0;
        int high = pieces.Count - 1;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (pieces[middle].To <= point)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        hint = low;
        return pieces[low].From <= point && point < pieces[low].To;
    }

    /// <summary>Cuts a cluster at its longest pause, but in the middle half of its instructions, so that the depth is logarithmic.</summary>
    private void Halve(in LiveRange cluster, List<Bundle> parts)
    {
        ReadOnlySpan<Occurrence> occurrences = OccurrencesInside(cluster);
        int distinct = CountInstructions(occurrences);
        int quarter = Math.Max(1, distinct / 4);
        int position = 0;
        int longest = -1;
        int cut = 0;
        for (int index = 1; index < occurrences.Length; index++)
        {
            int pause = occurrences[index].Instruction - occurrences[index - 1].Instruction;
            position += pause > 0 ? 1 : 0;
            if (pause > longest && pause > 0 && position >= quarter && position <= distinct - quarter)
            {
                longest = pause;
                cut = index;
            }
        }

        if (cut == 0)
        {
            return;
        }

        LiveRange[] half = [new LiveRange(cluster.From, occurrences[cut - 1].EndPoint, cluster.Register)];
        AddClusters(half, parts);
        half = [new LiveRange(occurrences[cut].FirstPoint, cluster.To, cluster.Register)];
        AddClusters(half, parts);
    }

    private ReadOnlySpan<Occurrence> OccurrencesInside(in LiveRange range)
    {
        ReadOnlySpan<Occurrence> occurrences = liveness.OccurrencesIn(range);
        int start = 0;
        int end = occurrences.Length;
        while (start < end && occurrences[start].FirstPoint < range.From)
        {
            start++;
        }

        while (end > start && occurrences[end - 1].FirstPoint >= range.To)
        {
            end--;
        }

        return occurrences[start..end];
    }

    private static int CountInstructions(ReadOnlySpan<Occurrence> occurrences)
    {
        int count = occurrences.IsEmpty ? 0 : 1;
        for (int index = 1; index < occurrences.Length; index++)
        {
            count += occurrences[index].Instruction != occurrences[index - 1].Instruction ? 1 : 0;
        }

        return count;
    }

    private void AddClusters(LiveRange[] ranges, List<Bundle> parts)
    {
        if (ranges.Length == 0)
        {
            return;
        }

        int register = ranges[0].Register;
        bool isRematerialized = liveness.Rematerialization[register] is not null;
        var cluster = default(ClusterInProgress);
        foreach (LiveRange range in ranges)
        {
            foreach (Occurrence occurrence in OccurrencesInside(range))
            {
                int point = occurrence.FirstPoint;
                if (cluster.IsOpen && liveness.BlockOf[ProgramPoint.Instruction(cluster.From)] == liveness.BlockOf[occurrence.Instruction]
                    && liveness.CallsIn(cluster.From, point + 1) == 0)
                {
                    if (!isRematerialized || occurrence.Kind == OccurrenceKind.RegisterUse)
                    {
                        cluster = cluster with { To = Math.Max(cluster.To, occurrence.EndPoint), IsUseful = true };
                    }

                    continue;
                }

                Finish(cluster, register, parts);
                cluster = Begin(occurrence, isRematerialized);
            }
        }

        Finish(cluster, register, parts);
    }

    /// <summary>A cluster begins where the value must be in a GPR anyway; what is read from a slot as well as from a GPR begins none.</summary>
    private static ClusterInProgress Begin(Occurrence occurrence, bool isRematerialized) => occurrence.Kind switch
    {
        OccurrenceKind.Def or OccurrenceKind.EarlyDef => new(true, occurrence.FirstPoint, occurrence.EndPoint, !isRematerialized),
        OccurrenceKind.FixedDef => new(true, occurrence.FirstPoint, occurrence.EndPoint, false),
        OccurrenceKind.RegisterUse => new(true, occurrence.FirstPoint, occurrence.EndPoint, true),
        OccurrenceKind.Parameter or OccurrenceKind.GapUse or OccurrenceKind.EdgeUse => default,
    };

    private void Finish(in ClusterInProgress cluster, int register, List<Bundle> parts)
    {
        if (cluster.IsOpen && cluster.IsUseful)
        {
            parts.Add(NewBundle(BundleStage.Cluster, [new LiveRange(cluster.From, cluster.To, register)]));
        }
    }

    private readonly record struct ClusterInProgress(bool IsOpen, int From, int To, bool IsUseful);
}
