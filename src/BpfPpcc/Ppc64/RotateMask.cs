using System.Numerics;

namespace BpfPpcc.Ppc64;

/// <summary>
/// The masks of the rotate instructions (Power ISA book I, 3.3.14): which masks one of them can apply, and the MB and ME that say so.
/// Bits are the manual's: 0 is the most significant.
/// </summary>
public static class RotateMask
{
    /// <summary>MASK(begin, end) of the manual: ones in bits begin..end of 64, going round from bit 63 to bit 0 if begin is greater.</summary>
    public static ulong Mask64(int begin, int end)
    {
        ulong fromBegin = ulong.MaxValue >> begin;
        ulong toEnd = ulong.MaxValue << (63 - end);
        return begin <= end ? fromBegin & toEnd : fromBegin | toEnd;
    }

    /// <summary>The same of 32 bits.</summary>
    public static uint Mask32(int begin, int end)
    {
        uint fromBegin = uint.MaxValue >> begin;
        uint toEnd = uint.MaxValue << (31 - end);
        return begin <= end ? fromBegin & toEnd : fromBegin | toEnd;
    }

    /// <summary>
    /// True if rlwinm, rlwnm or rlwimi can apply the mask to a word: one run of ones, which may go round from bit 31 to bit 0. Begin is
    /// greater than end exactly if it goes round; then rlwinm leaves a copy of the rotated word in the upper half instead of zero.
    /// </summary>
    public static bool TryWord(uint mask, out int begin, out int end)
    {
        if (TryRun32(mask, out begin, out end)) return true;
        if (mask == 0 || !TryRun32(~mask, out int firstZero, out int lastZero)) return false;
        (begin, end) = (lastZero + 1, firstZero - 1);
        return true;
    }

    private static bool TryRun32(uint mask, out int begin, out int end)
    {
        (begin, end) = (BitOperations.LeadingZeroCount(mask), 31 - BitOperations.TrailingZeroCount(mask));
        return mask != 0 && Mask32(begin, end) == mask;
    }

    /// <summary>True if the mask is one run of ones that does not go round.</summary>
    public static bool TryRun(ulong mask, out int begin, out int end)
    {
        (begin, end) = (BitOperations.LeadingZeroCount(mask), 63 - BitOperations.TrailingZeroCount(mask));
        return mask != 0 && Mask64(begin, end) == mask;
    }

    /// <summary>True if rldicl or rldcl can apply the mask: ones from <paramref name="begin"/> to bit 63.</summary>
    public static bool TryClearLeft(ulong mask, out int begin) => TryRun(mask, out begin, out int end) && end == 63;

    /// <summary>True if rldicr or rldcr can apply the mask: ones from bit 0 to <paramref name="end"/>.</summary>
    public static bool TryClearRight(ulong mask, out int end) => TryRun(mask, out int begin, out end) && begin == 0;

    /// <summary>True if rldic or rldimi with this shift count can apply the mask: ones from <paramref name="begin"/> to bit 63 - shift.</summary>
    public static bool TryClearBoth(ulong mask, int shift, out int begin) => TryRun(mask, out begin, out int end) && end == 63 - shift;
}
