using System.Runtime.CompilerServices;

namespace BpfPpcc.Verification.Domain;

/// <summary>
/// What is known of a value of <paramref name="Bits"/> bits (1..64): its bits and its bounds, read as an unsigned and as a signed number.
/// Unsigned numbers are held zero-extended, signed ones sign-extended. The default value is the empty set: no value is possible.
/// Operations expect operands of one width and return that width; their results are sound, and <see cref="Tightened"/> draws the
/// conclusions from one of the three views for the others. The width is data so that tests can enumerate words of a few bits.
/// </summary>
internal readonly record struct WordBounds(int Bits, Tnum Known, ulong UMin, ulong UMax, long SMin, long SMax)
{
    public bool IsEmpty => Bits == 0;

    public bool IsConstant => UMin == UMax;

    public ulong Mask => Tnum.LowMask(Bits);

    public static WordBounds Unknown(int bits) =>
        new(bits, Tnum.UnknownOf(bits), 0, Tnum.LowMask(bits), -SignedMax(bits) - 1, SignedMax(bits));

    public static WordBounds Constant(int bits, ulong value)
    {
        value &= Tnum.LowMask(bits);
        long signed = Signed(bits, value);
        return new WordBounds(bits, Tnum.Constant(value), value, value, signed, signed);
    }

    /// <summary>
    /// The values met when counting up from <paramref name="start"/> by <paramref name="length"/>, modulo 2^bits. Such an arc is a range in
    /// each reading unless it passes that reading's end.
    /// </summary>
    public static WordBounds FromArc(int bits, ulong start, ulong length)
    {
        ulong mask = Tnum.LowMask(bits);
        if (length >= mask)
            return Unknown(bits);
        start &= mask;
        ulong end = unchecked(start + length) & mask;
        long signedStart = Signed(bits, start);
        long signedEnd = Signed(bits, end);
        long signedMax = SignedMax(bits);
        bool isRange = start <= end;
        bool isSignedRange = signedStart <= signedEnd;
        return new WordBounds(
            bits,
            isRange ? Tnum.Range(start, end) : new Tnum(0, mask),
            isRange ? start : 0, isRange ? end : mask,
            isSignedRange ? signedStart : -signedMax - 1, isSignedRange ? signedEnd : signedMax);
    }

    public bool Contains(ulong value)
    {
        long signed = Signed(Bits, value);
        return Bits != 0 && Known.Contains(value) && value >= UMin && value <= UMax && signed >= SMin && signed <= SMax;
    }

    /// <summary>Whether this holds every value that <paramref name="inner"/> holds; exact if both are closed.</summary>
    public bool Covers(in WordBounds inner) =>
        UMin <= inner.UMin && inner.UMax <= UMax && SMin <= inner.SMin && inner.SMax <= SMax && Known.Contains(inner.Known);

    /// <summary>The values in both; empty if there are none.</summary>
    public static WordBounds Meet(in WordBounds a, in WordBounds b)
    {
        ulong umin = Math.Max(a.UMin, b.UMin);
        ulong umax = Math.Min(a.UMax, b.UMax);
        long smin = Math.Max(a.SMin, b.SMin);
        long smax = Math.Min(a.SMax, b.SMax);
        return Tnum.TryIntersect(a.Known, b.Known, out Tnum known) && umin <= umax && smin <= smax
            ? new WordBounds(a.Bits, known, umin, umax, smin, smax)
            : default;
    }

    /// <summary>The smallest bounds around the values of both.</summary>
    public static WordBounds Join(in WordBounds a, in WordBounds b)
    {
        if (a.IsEmpty)
            return b;
        if (b.IsEmpty)
            return a;
        return new WordBounds(
            a.Bits, Tnum.Union(a.Known, b.Known), Math.Min(a.UMin, b.UMin), Math.Max(a.UMax, b.UMax),
            Math.Min(a.SMin, b.SMin), Math.Max(a.SMax, b.SMax));
    }

    /// <summary>
    /// One round of deduction: each range from the other, the bits from the unsigned range, and the ends of both ranges from the bits.
    /// Empty if the views contradict each other.
    /// </summary>
    public WordBounds Tightened()
    {
        if (IsEmpty)
            return default;
        ulong sign = 1UL << (Bits - 1);
        ulong umin = UMin, umax = UMax;
        // Signed numbers with their sign bit inverted have the order of unsigned ones.
        ulong smin = (ulong)SMin & Mask ^ sign, smax = (ulong)SMax & Mask ^ sign;
        Cut(ref umin, ref umax, smin ^ sign, smax ^ sign);
        Cut(ref smin, ref smax, umin ^ sign, umax ^ sign);
        if (umin > umax || smin > smax || !Tnum.TryIntersect(Known, Tnum.Range(umin, umax), out Tnum known))
            return default;
        var flipped = new Tnum(known.Value ^ (sign & ~known.Mask), known.Mask);
        if (!Tighten(known, Bits, ref umin, ref umax) || !Tighten(flipped, Bits, ref smin, ref smax))
            return default;
        return new WordBounds(Bits, known, umin, umax, Signed(Bits, smin ^ sign), Signed(Bits, smax ^ sign));
    }

    /// <summary>The low <paramref name="bits"/> bits of this, as a word of that width; this if it is no wider.</summary>
    public WordBounds Narrowed(int bits)
    {
        if (bits >= Bits)
            return this;
        WordBounds unsigned = FromArc(bits, UMin, UMax - UMin);
        WordBounds signed = FromArc(bits, (ulong)SMin, unchecked((ulong)(SMax - SMin)));
        return Refine(unsigned, signed, Known.Truncate(bits));
    }

    public WordBounds ZeroExtended(int bits) =>
        bits == Bits ? this : new WordBounds(bits, Known, UMin, UMax, (long)UMin, (long)UMax);

    public WordBounds SignExtended(int bits)
    {
        WordBounds range = FromArc(bits, (ulong)SMin, unchecked((ulong)(SMax - SMin)));
        return range with { Known = Known.SignExtend(Bits, bits) };
    }

    /// <summary>
    /// This without the values whose low bits are not in <paramref name="low"/>, a narrower word: its bits are taken over, and the ends of
    /// the ranges move inwards to the next values that fit.
    /// </summary>
    public WordBounds WithLow(in WordBounds low)
    {
        ulong umin = UMin, umax = UMax;
        ulong sign = 1UL << (Bits - 1);
        ulong smin = (ulong)SMin & Mask ^ sign, smax = (ulong)SMax & Mask ^ sign;
        ulong lowMask = low.Mask;
        ulong unsignedLength = low.UMax - low.UMin;
        ulong signedLength = unchecked((ulong)(low.SMax - low.SMin));
        ulong signedStart = (ulong)low.SMin & lowMask;
        bool isPossible =
            FitLow(ref umin, ref umax, low.UMin, unsignedLength, lowMask, Mask) && FitLow(ref umin, ref umax, signedStart, signedLength, lowMask, Mask)
            && FitLow(ref smin, ref smax, low.UMin, unsignedLength, lowMask, Mask)
            && FitLow(ref smin, ref smax, signedStart, signedLength, lowMask, Mask);
        if (!isPossible)
            return default;
        return new WordBounds(Bits, Known.WithLow(low.Bits, low.Known), umin, umax, Signed(Bits, smin ^ sign), Signed(Bits, smax ^ sign));
    }

    /// <summary>The values of two results that were both found sound, with the bits found by a third way.</summary>
    internal static WordBounds Refine(in WordBounds a, in WordBounds b, Tnum known) => new(
        a.Bits, known, Math.Max(a.UMin, b.UMin), Math.Min(a.UMax, b.UMax), Math.Max(a.SMin, b.SMin), Math.Min(a.SMax, b.SMax));

    internal static long Signed(int bits, ulong value) => (long)(value << (64 - bits)) >> (64 - bits);

    internal static long SignedMax(int bits) => (long)(Tnum.LowMask(bits) >> 1);

    /// <summary>
    /// Cuts [min, max] by the arc from <paramref name="start"/> up to <paramref name="end"/>, which may pass zero; then it leaves a hole in
    /// the middle, and the range loses an end that lies in the hole. An empty result has min above max.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Cut(ref ulong min, ref ulong max, ulong start, ulong end)
    {
        if (start <= end)
        {
            min = Math.Max(min, start);
            max = Math.Min(max, end);
            return;
        }

        if (min > end)
            min = Math.Max(min, start);
        if (max < start)
            max = Math.Min(max, end);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Tighten(Tnum known, int bits, ref ulong min, ref ulong max)
    {
        if (!known.Contains(min) && !known.TryLeastFrom(min, bits, out min))
            return false;
        if (!known.Contains(max) && !known.TryGreatestTo(max, bits, out max))
            return false;
        return min <= max;
    }

    /// <summary>
    /// Moves the ends of [min, max] inwards until their low bits are on the arc of <paramref name="length"/> from
    /// <paramref name="start"/>; false if nothing is left.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool FitLow(ref ulong min, ref ulong max, ulong start, ulong length, ulong lowMask, ulong mask)
    {
        if ((unchecked(min - start) & lowMask) > length)
        {
            ulong up = unchecked(start - min) & lowMask;
            if (up > mask - min)
                return false;
            min += up;
        }

        if ((unchecked(max - start) & lowMask) > length)
        {
            ulong down = unchecked(max - start - length) & lowMask;
            if (down > max)
                return false;
            max -= down;
        }

        return min <= max;
    }
}
