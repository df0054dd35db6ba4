using BpfPpcc.Mir;

namespace BpfPpcc.RegisterAllocation;

/// <summary>
/// Cuts the ranges of a bundle at the first call on each way: up to there the values may stay in a volatile register, and behind it they
/// come from their slots. Worth it where calls are rare, as then the ways without a call pay for no saved register.
/// A kept part is closed against the control flow: a block is kept only if all its predecessors are, to their ends, so that nothing has to
/// be loaded on an edge.
/// </summary>
internal sealed class CallSplitter(Liveness liveness, SpillCosts costs)
{
    private readonly int[] _liveIn = new int[liveness.Function.Blocks.Count];
    private readonly int[] _isBehindCall = new int[liveness.Function.Blocks.Count];
    private readonly int[] _isUseful = new int[liveness.Function.Blocks.Count];
    private readonly List<LiveRange> _segments = [];
    private readonly Stack<int> _work = new();
    private int _stamp;

    /// <summary>What may stay in a register, ascending by register and point.</summary>
    public List<LiveRange> Kept { get; } = [];

    /// <summary>What lies behind calls, in the same order.</summary>
    public List<LiveRange> Rest { get; } = [];

    /// <summary>Fills <see cref="Kept"/> and <see cref="Rest"/>. False if that would keep nothing.</summary>
    /// <param name="bundle">With all ranges of its registers.</param>
    /// <param name="cost">The stores and loads that it takes, as <see cref="Bundle.SpillCost"/>.</param>
    public bool TryCut(Bundle bundle, out float cost)
    {
        Kept.Clear();
        Rest.Clear();
        var ranges = (LiveRange[])bundle.Ranges.Clone();
        Array.Sort(ranges, static (a, b) => a.Register != b.Register ? a.Register.CompareTo(b.Register) : a.From.CompareTo(b.From));
        cost = 0;
        int start = 0;
        for (int end = 1; end <= ranges.Length; end++)
        {
            if (end == ranges.Length || ranges[end].Register != ranges[start].Register)
            {
                int rest = Rest.Count;
                Cut(ranges.AsSpan(start..end));
                if (Rest.Count > rest)
                {
                    cost += costs.StoreCost(ranges[start].Register) + costs.LoadCost(Rest, rest);
                }

                start = end;
            }
        }

        return Kept.Count > 0;
    }

    private void Cut(ReadOnlySpan<LiveRange> ranges)
    {
        bool crosses = false;
        foreach (ref readonly LiveRange range in ranges)
        {
            crosses |= liveness.CallsIn(range.From, range.To) > 0;
        }

        if (!crosses)
        {
            Kept.AddRange(ranges);
            return;
        }

        _stamp++;
        FindSegments(ranges);
        MarkBehindCalls();
        MarkUseful();
        foreach (LiveRange segment in _segments)
        {
            Cut(segment);
        }
    }

    /// <summary>The ranges block by block.</summary>
    private void FindSegments(ReadOnlySpan<LiveRange> ranges)
    {
        _segments.Clear();
        foreach (ref readonly LiveRange range in ranges)
        {
            int last = BlockOf(range.To - 1);
            for (int block = BlockOf(range.From); block <= last; block++)
            {
                int from = Math.Max(range.From, liveness.BlockStart(block));
                _segments.Add(new LiveRange(from, Math.Min(range.To, liveness.BlockEnd(block)), range.Register));
                if (from == liveness.BlockStart(block) && !liveness.IsParameterOf(range.Register, block))
                {
                    _liveIn[block] = _stamp;
                }
            }
        }
    }

    private void MarkBehindCalls()
    {
        foreach (LiveRange segment in _segments)
        {
            if (liveness.CallsIn(segment.From, segment.To) > 0)
            {
                _work.Push(BlockOf(segment.From));
            }
        }

        while (_work.TryPop(out int block))
        {
            foreach (MachineEdge edge in liveness.Function.Blocks[block].Successors)
            {
                if (_liveIn[edge.Target] == _stamp && _isBehindCall[edge.Target] != _stamp)
                {
                    _isBehindCall[edge.Target] = _stamp;
                    _work.Push(edge.Target);
                }
            }
        }
    }

    /// <summary>Blocks from whose beginning a use can be reached without a call.</summary>
    private void MarkUseful()
    {
        foreach (LiveRange segment in _segments)
        {
            int block = BlockOf(segment.From);
            if (!IsBehindCall(block) && KeptEnd(segment) > segment.From)
            {
                _isUseful[block] = _stamp;
                _work.Push(block);
            }
        }

        while (_work.TryPop(out int block))
        {
            if (_liveIn[block] != _stamp)
            {
                continue;
            }

            foreach (int predecessor in liveness.Function.Blocks[block].Predecessors)
            {
                if (_isUseful[predecessor] != _stamp)
                {
                    _isUseful[predecessor] = _stamp;
                    _work.Push(predecessor);
                }
            }
        }
    }

    private bool IsBehindCall(int block) => _isBehindCall[block] == _stamp;

    private void Cut(in LiveRange segment)
    {
        int block = BlockOf(segment.From);
        int end = segment.From;
        if (!IsBehindCall(block) && _isUseful[block] == _stamp)
        {
            end = KeptEnd(segment);
            foreach (MachineEdge edge in liveness.Function.Blocks[block].Successors)
            {
                if (_liveIn[edge.Target] == _stamp && _isUseful[edge.Target] == _stamp && !IsBehindCall(edge.Target))
                {
                    end = segment.To;
                }
            }
        }

        Add(Kept, segment with { To = end });
        Add(Rest, segment with { From = end });
    }

    /// <summary>Ranges that touch become one.</summary>
    private static void Add(List<LiveRange> ranges, LiveRange range)
    {
        if (range.From == range.To)
        {
            return;
        }

        if (ranges.Count > 0 && ranges[^1].Register == range.Register && ranges[^1].To == range.From)
        {
            ranges[^1] = ranges[^1] with { To = range.To };
        }
        else
        {
            ranges.Add(range);
        }
    }

    /// <summary>End of the last use in a segment that no call in it comes before.</summary>
    private int KeptEnd(in LiveRange segment)
    {
        int end = segment.From;
        bool isRematerialized = liveness.Rematerialization[segment.Register] is not null;
        foreach (Occurrence occurrence in liveness.OccurrencesIn(segment))
        {
            int point = occurrence.FirstPoint;
            bool needsNoGpr = occurrence.Kind is OccurrenceKind.Parameter or OccurrenceKind.FixedDef || (isRematerialized && occurrence.IsDef);
            if (point >= segment.From && point < segment.To && !needsNoGpr && liveness.CallsIn(segment.From, point + 1) == 0)
            {
                end = Math.Max(end, occurrence.EndPoint);
            }
        }

        return end;
    }

    private int BlockOf(int point) => liveness.BlockOf[ProgramPoint.Instruction(point)];
}
