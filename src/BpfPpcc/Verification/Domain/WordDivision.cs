using System.Numerics;

namespace BpfPpcc.Verification.Domain;

/// <summary>
/// Division and modulo on <see cref="WordBounds"/>. Division by zero gives 0, modulo by zero the dividend; the least signed number by -1
/// gives itself and remainder 0 (RFC 9669, 4.1). Operands are closed, so that zero is possible exactly if it is the least unsigned value.
/// </summary>
internal static class WordDivision
{
    public static WordBounds Divide(in WordBounds a, in WordBounds b)
    {
        if (b.UMax == 0)
            return WordBounds.Constant(a.Bits, 0);
        if (b.IsConstant && BitOperations.IsPow2(b.UMin))
            return WordArithmetic.ShiftBy(Bpf.BpfAluCode.RSH, a, BitOperations.Log2(b.UMin));
        ulong least = b.UMin == 0 ? 0 : a.UMin / b.UMax;
        ulong most = a.UMax / Math.Max(b.UMin, 1);
        return WordBounds.FromArc(a.Bits, least, most - least);
    }

    public static WordBounds Modulo(in WordBounds a, in WordBounds b)
    {
        if (b.UMax == 0 || a.UMax < b.UMin)
            return a;
        if (b.UMax == 1 && b.UMin == 1)
            return WordBounds.Constant(a.Bits, 0);
        if (b.IsConstant && BitOperations.IsPow2(b.UMin))
            return a.Narrowed(BitOperations.Log2(b.UMin)).ZeroExtended(a.Bits);
        if (b.IsConstant && a.UMin / b.UMin == a.UMax / b.UMin)
            return WordBounds.FromArc(a.Bits, a.UMin % b.UMin, a.UMax - a.UMin);
        // By zero the result is the dividend; otherwise it is below the divisor. It never exceeds the dividend.
        ulong most = b.UMin == 0 ? a.UMax : Math.Min(a.UMax, b.UMax - 1);
        return WordBounds.FromArc(a.Bits, 0, most);
    }

    public static WordBounds SignedDivide(in WordBounds a, in WordBounds b)
    {
        if (b.UMax == 0)
            return WordBounds.Constant(a.Bits, 0);
        long signedMin = -WordBounds.SignedMax(a.Bits) - 1;
        if (a.SMin == signedMin && b.SMin <= -1 && b.SMax >= -1)
            return OverflowingDivide(a, b, signedMin);
        return SignedQuotients(a.Bits, a.SMin, a.SMax, b);
    }

    /// <summary>The dividend may be the least number and the divisor -1: that quotient is apart from the others.</summary>
    private static WordBounds OverflowingDivide(in WordBounds a, in WordBounds b, long signedMin)
    {
        var least = WordBounds.Constant(a.Bits, (ulong)signedMin);
        if (a.SMax == signedMin && b.IsConstant)
            return least;
        WordBounds others = a.SMax == signedMin ? default : SignedQuotients(a.Bits, signedMin + 1, a.SMax, b);
        WordBounds quotients = WordBounds.Join(least, others);
        // The least number by divisors other than -1: all below half of the range.
        if (!b.IsConstant)
            quotients = WordBounds.Join(quotients, QuotientsOfLeast(a.Bits, signedMin, b));
        return quotients;
    }

    private static WordBounds QuotientsOfLeast(int bits, long signedMin, in WordBounds b)
    {
        WordBounds negative = b.SMin < -1 ? Corners(bits, signedMin, signedMin, b.SMin, Math.Min(b.SMax, -2)) : default;
        WordBounds positive = b.SMax > 0 ? Corners(bits, signedMin, signedMin, Math.Max(b.SMin, 1), b.SMax) : default;
        WordBounds byZero = b.UMin == 0 ? WordBounds.Constant(bits, 0) : default;
        return WordBounds.Join(WordBounds.Join(negative, positive), byZero);
    }

    /// <summary>Quotients where none overflows: by negative divisors, by positive ones, and 0 by zero.</summary>
    private static WordBounds SignedQuotients(int bits, long min, long max, in WordBounds b)
    {
        WordBounds negative = b.SMin < 0 ? Corners(bits, min, max, b.SMin, Math.Min(b.SMax, -1)) : default;
        WordBounds positive = b.SMax > 0 ? Corners(bits, min, max, Math.Max(b.SMin, 1), b.SMax) : default;
        WordBounds byZero = b.UMin == 0 ? WordBounds.Constant(bits, 0) : default;
        return WordBounds.Join(WordBounds.Join(negative, positive), byZero);
    }

    /// <summary>For divisors of one sign the quotient is monotonic in either operand: its extremes are at the corners.</summary>
    private static WordBounds Corners(int bits, long min, long max, long divisorMin, long divisorMax)
    {
        long first = min / divisorMin, second = min / divisorMax, third = max / divisorMin, fourth = max / divisorMax;
        long least = Math.Min(Math.Min(first, second), Math.Min(third, fourth));
        long most = Math.Max(Math.Max(first, second), Math.Max(third, fourth));
        return WordBounds.FromArc(bits, (ulong)least, unchecked((ulong)(most - least)));
    }

    /// <summary>The remainder has the dividend's sign, is no further from zero than it, and nearer to zero than the divisor unless that is zero.</summary>
    public static WordBounds SignedModulo(in WordBounds a, in WordBounds b)
    {
        if (b.UMax == 0 || Math.Max(Magnitude(a.SMin), Magnitude(a.SMax)) < LeastMagnitude(b))
            return a;
        ulong largest = Math.Max(Magnitude(b.SMin), Magnitude(b.SMax)) - 1;
        bool mayBeDividend = b.UMin == 0;
        ulong below = a.SMin >= 0 ? 0 : mayBeDividend ? Magnitude(a.SMin) : Math.Min(Magnitude(a.SMin), largest);
        ulong above = a.SMax <= 0 ? 0 : mayBeDividend ? (ulong)a.SMax : Math.Min((ulong)a.SMax, largest);
        return WordBounds.FromArc(a.Bits, unchecked(0 - below), below + above);
    }

    private static ulong Magnitude(long value) => value < 0 ? unchecked(0 - (ulong)value) : (ulong)value;

    private static ulong LeastMagnitude(in WordBounds b) => b.SMin > 0 ? (ulong)b.SMin : b.SMax < 0 ? Magnitude(b.SMax) : b.UMin == 0 ? 0 : 1UL;
}
