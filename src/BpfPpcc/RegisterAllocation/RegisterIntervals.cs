namespace BpfPpcc.RegisterAllocation;

/// <summary>
/// What one GPR is taken by: disjoint intervals of program points, sorted, in chunks of bounded size, so that finding and inserting cost
/// the logarithm of their number (inserting shifts within one chunk and in the list of chunks).
/// </summary>
internal sealed class RegisterIntervals
{
    private const int ChunkCapacity = 64;

    private readonly List<Chunk> _chunks = [];

    /// <summary>Intervals that bundles hold (not reservations).</summary>
    public int OwnedCount { get; private set; }

    /// <summary>Takes an interval that is free. A null owner reserves it for good.</summary>
    public void Insert(int from, int to, Bundle? owner)
    {
        if (owner is not null)
        {
            OwnedCount++;
        }

        if (_chunks.Count == 0)
        {
            _chunks.Add(new Chunk());
        }

        int at = ChunkOf(from);
        Chunk chunk = _chunks[at];
        if (chunk.Count == ChunkCapacity)
        {
            Chunk upper = chunk.SplitOff();
            _chunks.Insert(at + 1, upper);
            if (from >= upper.Intervals[0].From)
            {
                chunk = upper;
            }
        }

        chunk.Insert(chunk.FirstEndingBehind(from), new Interval(from, to, owner));
    }

    /// <summary>Frees the interval of a bundle that begins at a point.</summary>
    public void Remove(int from)
    {
        OwnedCount--;
        int at = ChunkOf(from);
        Chunk chunk = _chunks[at];
        chunk.RemoveAt(chunk.FirstEndingBehind(from));
        if (chunk.Count == 0)
        {
            _chunks.RemoveAt(at);
        }
    }

    public bool IsFree(ReadOnlySpan<LiveRange> ranges)
    {
        if (_chunks.Count == 0)
        {
            return true;
        }

        foreach (ref readonly LiveRange range in ranges)
        {
            if (TrySeek(range.From, out Chunk? chunk, out int index, out _) && chunk.Intervals[index].From < range.To)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// Collects the bundles that stand in the way of some ranges. False, with some of them, if a reservation, a bundle that is not lighter
    /// than <paramref name="weight"/> or more than <paramref name="limit"/> bundles do.
    /// </summary>
    public bool TryCollect(ReadOnlySpan<LiveRange> ranges, float weight, int limit, List<Bundle> inTheWay)
    {
        inTheWay.Clear();
        foreach (ref readonly LiveRange range in ranges)
        {
            if (!TrySeek(range.From, out Chunk? chunk, out int index, out int chunkIndex))
            {
                break;
            }

            while (chunk.Intervals[index].From < range.To)
            {
                Bundle? owner = chunk.Intervals[index].Owner;
                if (owner is null || owner.Weight >= weight)
                {
                    return false;
                }

                if (!inTheWay.Contains(owner))
                {
                    if (inTheWay.Count == limit)
                    {
                        return false;
                    }

                    inTheWay.Add(owner);
                }

                index++;
                if (index == chunk.Count)
                {
                    chunkIndex++;
                    if (chunkIndex == _chunks.Count)
                    {
                        break;
                    }

                    chunk = _chunks[chunkIndex];
                    index = 0;
                }
            }
        }

        return true;
    }

    /// <summary>The first interval that ends behind a point.</summary>
    private bool TrySeek(int point, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Chunk? chunk, out int index, out int chunkIndex)
    {
        chunk = null;
        index = 0;
        chunkIndex = 0;
        if (_chunks.Count == 0)
        {
            return false;
        }

        chunkIndex = ChunkOf(point);
        chunk = _chunks[chunkIndex];
        index = chunk.FirstEndingBehind(point);
        if (index == chunk.Count)
        {
            chunkIndex++;
            if (chunkIndex == _chunks.Count)
            {
                return false;
            }

            chunk = _chunks[chunkIndex];
            index = 0;
        }

        return true;
    }

    /// <summary>The last chunk that begins at or before a point, or the first.</summary>
    private int ChunkOf(int point)
    {
        int low = 1;
        int high = _chunks.Count;
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_chunks[middle].Intervals[0].From <= point)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low - 1;
    }

    private readonly record struct Interval(int From, int To, Bundle? Owner);

    private sealed class Chunk
    {
        /// <summary>Grows up to <see cref="ChunkCapacity"/>: most registers of most functions are taken a few times only.</summary>
        public Interval[] Intervals { get; private set; } = new Interval[4];

        public int Count { get; private set; }

        public int FirstEndingBehind(int point)
        {
            int low = 0;
            int high = Count;
            while (low < high)
            {
                int middle = (low + high) >>> 1;
                if (Intervals[middle].To <= point)
                {
                    low = middle + 1;
                }
                else
                {
                    high = middle;
                }
            }

            return low;
        }

        public void Insert(int index, Interval interval)
        {
            if (Count == Intervals.Length)
            {
                Interval[] grown = new Interval[4 * Count];
                Array.Copy(Intervals, grown, Count);
                Intervals = grown;
            }

            Array.Copy(Intervals, index, Intervals, index + 1, Count - index);
            Intervals[index] = interval;
            Count++;
        }

        public void RemoveAt(int index)
        {
            Count--;
            Array.Copy(Intervals, index + 1, Intervals, index, Count - index);
            Intervals[Count] = default;
        }

        public Chunk SplitOff()
        {
            var upper = new Chunk { Intervals = new Interval[ChunkCapacity] };
            int half = Count / 2;
            upper.Count = Count - half;
            Array.Copy(Intervals, half, upper.Intervals, 0, upper.Count);
            Array.Clear(Intervals, half, upper.Count);
            Count = half;
            return upper;
        }
    }
}
