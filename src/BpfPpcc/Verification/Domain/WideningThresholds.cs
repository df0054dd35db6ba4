namespace BpfPpcc.Verification.Domain;

/// <summary>
/// The bounds at which widening stops: constants of a program and sizes of its maps, where loop conditions and checks are likely to hold
/// them, and the ends of the usual integer types.
/// </summary>
internal sealed class WideningThresholds
{
    private static readonly ulong[] Ends = [0, 1, byte.MaxValue, ushort.MaxValue, int.MaxValue, uint.MaxValue, long.MaxValue, ulong.MaxValue];

    private readonly ulong[] _unsigned;
    private readonly long[] _signed;

    /// <param name="constants">Any order, repetitions allowed; each is taken with its two neighbours, for comparisons that exclude it.</param>
    public WideningThresholds(ReadOnlySpan<ulong> constants)
    {
        var all = new SortedSet<ulong>(Ends);
        foreach (ulong constant in constants)
        {
            all.Add(constant);
            all.Add(unchecked(constant - 1));
            all.Add(unchecked(constant + 1));
        }

        _unsigned = [.. all];
        _signed = new long[_unsigned.Length];
        for (int i = 0; i < _unsigned.Length; i++)
            _signed[i] = (long)_unsigned[i];
        Array.Sort(_signed);
    }

    /// <summary>Bounds around both words whose ends are those of <paramref name="old"/> or thresholds.</summary>
    internal WordBounds Widen(in WordBounds old, in WordBounds next)
    {
        WordBounds unknown = WordBounds.Unknown(old.Bits);
        return new WordBounds(
            old.Bits,
            Tnum.Union(old.Known, next.Known),
            next.UMin >= old.UMin ? old.UMin : AtMost(_unsigned, next.UMin, 0UL),
            next.UMax <= old.UMax ? old.UMax : AtLeast(_unsigned, next.UMax, unknown.UMax),
            next.SMin >= old.SMin ? old.SMin : AtMost(_signed, next.SMin, unknown.SMin),
            next.SMax <= old.SMax ? old.SMax : AtLeast(_signed, next.SMax, unknown.SMax));
    }

    private static T AtMost<T>(T[] sorted, T bound, T last)
        where T : IComparable<T>
    {
        int index = Array.BinarySearch(sorted, bound);
        if (index < 0)
            index = ~index - 1;
        return index < 0 || sorted[index].CompareTo(last) < 0 ? last : sorted[index];
    }

    private static T AtLeast<T>(T[] sorted, T bound, T last)
        where T : IComparable<T>
    {
        int index = Array.BinarySearch(sorted, bound);
        if (index < 0)
            index = ~index;
        return index == sorted.Length || sorted[index].CompareTo(last) > 0 ? last : sorted[index];
    }
}
