using BpfPpcc.Mir;

namespace BpfPpcc.RegisterAllocation;

/// <summary>
/// Cuts values that live across calls where the frame is set up: before, and on the early exits, they may stay in volatile registers, so
/// that nothing there needs the frame; what lies behind gets a callee-saved register or a slot of its own.
/// </summary>
internal sealed class FrameSplitter
{
    private readonly Liveness _liveness;
    private readonly FrameRegion _region;

    /// <summary>By block, with one more at the end: how many blocks before it are outside of the frame.</summary>
    private readonly int[] _outsideBefore;

    public FrameSplitter(Liveness liveness)
    {
        _liveness = liveness;
        _region = FrameRegion.OfCalls(liveness.Function);
        IsCut = new bool[liveness.Ranges.Length];
        _outsideBefore = new int[liveness.Function.Blocks.Count + 1];
        bool canCut = _region.SavePoint > 0 && liveness.Function.Blocks[_region.SavePoint].Predecessors.Count == 1;
        for (int block = 0; canCut && block < liveness.Function.Blocks.Count; block++)
            _outsideBefore[block + 1] = _outsideBefore[block] + (_region.IsBelow(block) ? 0 : 1);
    }

    /// <summary>The block at whose start the frame is set up. It has one predecessor if anything is cut.</summary>
    public int SavePoint => _region.SavePoint;

    /// <summary>By register: it is in one bundle before the save point, and in another behind.</summary>
    public bool[] IsCut { get; }

    /// <summary>A callee-saved register for these ranges needs the frame nowhere but where it is anyway.</summary>
    public bool IsInside(ReadOnlySpan<LiveRange> ranges)
    {
        foreach (ref readonly LiveRange range in ranges)
        {
            if (!IsInside(range))
                return false;
        }

        return true;
    }

    /// <summary>The range begins at the save point with a value that was in another bundle before.</summary>
    public bool IsEntered(in LiveRange range) => IsCut[range.Register] && range.From == _liveness.BlockStart(SavePoint);

    /// <summary>The frame is set up on every path to the block.</summary>
    public bool IsInside(int block) => _outsideBefore[block] == _outsideBefore[block + 1];

    /// <summary>The bundles with those cut that cross calls and the save point.</summary>
    public List<LiveRange[]> Split(List<LiveRange[]> bundles)
    {
        if (_outsideBefore[^1] == 0)
            return bundles;
        var split = new List<LiveRange[]>(bundles.Count);
        List<LiveRange> outside = [], inside = [];
        foreach (LiveRange[] ranges in bundles)
        {
            outside.Clear();
            inside.Clear();
            if (CrossesCall(ranges))
                Partition(ranges, outside, inside);
            if (outside.Count == 0 || inside.Count == 0 || !CanMove(outside) || !CanMove(inside))
            {
                split.Add(ranges);
                continue;
            }

            MarkCut(outside, inside);
            split.Add(outside.ToArray());
            split.Add(inside.ToArray());
        }

        return split;
    }

    private bool IsInside(in LiveRange range) =>
        _outsideBefore[BlockOf(range.From)] == _outsideBefore[BlockOf(range.To - 1) + 1];

    private bool CrossesCall(LiveRange[] ranges)
    {
        foreach (LiveRange range in ranges)
        {
            if (_liveness.CallsIn(range.From, range.To) > 0)
                return true;
        }

        return false;
    }

    private void Partition(LiveRange[] ranges, List<LiveRange> outside, List<LiveRange> inside)
    {
        foreach (LiveRange range in ranges)
        {
            int last = BlockOf(range.To - 1);
            for (int block = BlockOf(range.From); block <= last; block++)
            {
                int from = Math.Max(range.From, _liveness.BlockStart(block));
                int to = Math.Min(range.To, _liveness.BlockEnd(block));
                Add(_region.IsBelow(block) ? inside : outside, new LiveRange(from, to, range.Register));
            }
        }
    }

    private static void Add(List<LiveRange> ranges, LiveRange range)
    {
        if (ranges.Count > 0 && ranges[^1].Register == range.Register && ranges[^1].To == range.From)
            ranges[^1] = ranges[^1] with { To = range.To };
        else
            ranges.Add(range);
    }

    /// <summary>False if a value would have to be moved on an edge that has no place for it.</summary>
    private bool CanMove(List<LiveRange> ranges)
    {
        foreach (LiveRange range in ranges)
        {
            int last = BlockOf(range.To - 1);
            for (int index = BlockOf(range.From); index <= last; index++)
            {
                MachineBlock block = _liveness.Function.Blocks[index];
                if (_liveness.BlockStart(index) < range.From || block.Predecessors.Count == 1 || _liveness.IsParameterOf(range.Register, index))
                    continue;
                foreach (int predecessor in block.Predecessors)
                {
                    if (_region.IsBelow(predecessor) != _region.IsBelow(index) && _liveness.Function.Blocks[predecessor].Successors.Count > 1)
                        return false;
                }
            }
        }

        return true;
    }

    private void MarkCut(List<LiveRange> outside, List<LiveRange> inside)
    {
        var registers = new HashSet<int>();
        foreach (LiveRange range in outside)
            registers.Add(range.Register);
        foreach (LiveRange range in inside)
            IsCut[range.Register] |= registers.Contains(range.Register);
    }

    private int BlockOf(int point) => _liveness.BlockOf[ProgramPoint.Instruction(point)];
}
