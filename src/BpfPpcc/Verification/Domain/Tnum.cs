using System.Numerics;
using BpfPpcc.Bpf;

namespace BpfPpcc.Verification.Domain;

/// <summary>
/// A tristate number: what is known of each bit of a value. A bit set in <paramref name="Mask"/> is unknown; elsewhere the bit of
/// <paramref name="Value"/> is the value's. The two are disjoint. Values of fewer than 64 bits are kept zero-extended: operations work on
/// 64 bits, and callers cut the result to their width with <see cref="Truncate"/>.
/// Vishwanathan et al., "Sound, precise, and fast abstract interpretation with tristate numbers" (CGO 2022).
/// </summary>
internal readonly record struct Tnum(ulong Value, ulong Mask)
{
    public static Tnum Unknown => new(0, ulong.MaxValue);

    public static Tnum Constant(ulong value) => new(value, 0);

    public static Tnum UnknownOf(int bits) => new(0, LowMask(bits));

    /// <summary>The smallest tristate number with all of [min, max], unsigned: the leading bits that the two ends share.</summary>
    public static Tnum Range(ulong min, ulong max)
    {
        ulong below = LowMask(64 - BitOperations.LeadingZeroCount(min ^ max));
        return new Tnum(min & ~below, below);
    }

    public bool IsConstant => Mask == 0;

    /// <summary>The least member, unsigned.</summary>
    public ulong Min => Value;

    /// <summary>The greatest member, unsigned.</summary>
    public ulong Max => Value | Mask;

    public bool Contains(ulong value) => ((value ^ Value) & ~Mask) == 0;

    /// <summary>Whether every member of <paramref name="inner"/> is a member of this.</summary>
    public bool Contains(Tnum inner) => (inner.Mask & ~Mask) == 0 && Contains(inner.Value);

    /// <summary>Whether all members are multiples of <paramref name="size"/>, a power of two.</summary>
    public bool IsAligned(ulong size) => (Max & (size - 1)) == 0;

    /// <summary>
    /// A carry into a bit is known where the sum with all unknown bits zero and the sum with all of them one agree.
    /// </summary>
    public static Tnum Add(Tnum a, Tnum b)
    {
        ulong least = unchecked(a.Min + b.Min);
        ulong most = unchecked(a.Max + b.Max);
        ulong unknown = (least ^ most) | a.Mask | b.Mask;
        return new Tnum(least & ~unknown, unknown);
    }

    public static Tnum Subtract(Tnum a, Tnum b)
    {
        ulong least = unchecked(a.Min - b.Max);
        ulong most = unchecked(a.Max - b.Min);
        ulong unknown = (least ^ most) | a.Mask | b.Mask;
        return new Tnum(least & ~unknown, unknown);
    }

    public static Tnum Negate(Tnum a) => Subtract(Constant(0), a);

    /// <summary>
    /// The meet of two ways to sum the partial products: one keeps, for an unknown bit of the multiplier, the union of "added" and "not
    /// added"; the other sums what is certain apart from what is not. Neither is always the better one.
    /// </summary>
    public static Tnum Multiply(Tnum a, Tnum b)
    {
        if (BitOperations.PopCount(a.Max) > BitOperations.PopCount(b.Max))
            (a, b) = (b, a);
        Tnum byCases = Constant(0);
        Tnum uncertain = Constant(0);
        for (ulong bits = a.Max; bits != 0; bits &= bits - 1)
        {
            int position = BitOperations.TrailingZeroCount(bits);
            Tnum product = b.ShiftLeft(position);
            Tnum added = Add(byCases, product);
            if ((a.Value >> position & 1) != 0)
            {
                byCases = added;
                uncertain = Add(uncertain, new Tnum(0, product.Mask));
            }
            else
            {
                byCases = Union(byCases, added);
                uncertain = Add(uncertain, new Tnum(0, product.Max));
            }
        }

        Tnum bySum = Add(Constant(unchecked(a.Value * b.Value)), uncertain);
        return TryIntersect(byCases, bySum, out Tnum meet)
            ? meet
            : throw new InvalidOperationException("two sound products have no common member");
    }

    public static Tnum And(Tnum a, Tnum b)
    {
        ulong ones = a.Value & b.Value;
        return new Tnum(ones, a.Max & b.Max & ~ones);
    }

    public static Tnum Or(Tnum a, Tnum b)
    {
        ulong ones = a.Value | b.Value;
        return new Tnum(ones, (a.Mask | b.Mask) & ~ones);
    }

    public static Tnum Xor(Tnum a, Tnum b)
    {
        ulong unknown = a.Mask | b.Mask;
        return new Tnum((a.Value ^ b.Value) & ~unknown, unknown);
    }

    /// <summary>The low <paramref name="bits"/> bits inverted.</summary>
    public Tnum Not(int bits) => new(~Value & ~Mask & LowMask(bits), Mask);

    /// <param name="count">0..63.</param>
    public Tnum ShiftLeft(int count) => new(Value << count, Mask << count);

    /// <param name="count">0..63.</param>
    public Tnum ShiftRight(int count) => new(Value >> count, Mask >> count);

    /// <summary>As a value of <paramref name="bits"/> bits, zero-extended again afterwards.</summary>
    /// <param name="count">0..bits - 1.</param>
    public Tnum ArithmeticShiftRight(int count, int bits)
    {
        Tnum wide = SignExtend(bits, 64);
        return new Tnum((ulong)((long)wide.Value >> count), (ulong)((long)wide.Mask >> count)).Truncate(bits);
    }

    /// <summary>False if the two have no common member.</summary>
    public static bool TryIntersect(Tnum a, Tnum b, out Tnum meet)
    {
        ulong unknown = a.Mask & b.Mask;
        meet = new Tnum((a.Value | b.Value) & ~unknown, unknown);
        return ((a.Value ^ b.Value) & ~a.Mask & ~b.Mask) == 0;
    }

    /// <summary>The smallest tristate number with all members of both.</summary>
    public static Tnum Union(Tnum a, Tnum b)
    {
        ulong unknown = a.Mask | b.Mask | (a.Value ^ b.Value);
        return new Tnum(a.Value & ~unknown, unknown);
    }

    /// <summary>The low <paramref name="bits"/> bits, zero-extended.</summary>
    public Tnum Truncate(int bits) => new(Value & LowMask(bits), Mask & LowMask(bits));

    /// <summary>The low <paramref name="from"/> bits, sign-extended to <paramref name="to"/> and zero-extended from there.</summary>
    public Tnum SignExtend(int from, int to)
    {
        int up = 64 - from;
        var wide = new Tnum((ulong)((long)(Value << up) >> up), (ulong)((long)(Mask << up) >> up));
        return wide.Truncate(to);
    }

    /// <summary>This with its low <paramref name="bits"/> bits replaced by those of <paramref name="low"/>.</summary>
    public Tnum WithLow(int bits, Tnum low)
    {
        ulong above = ~LowMask(bits);
        return new Tnum((Value & above) | (low.Value & ~above), (Mask & above) | (low.Mask & ~above));
    }

    /// <summary>The low <paramref name="width"/> bits (16, 32, 64) with their bytes reversed, zero-extended.</summary>
    public Tnum ByteSwap(int width) => new(BpfSemantics.ByteSwap(width, Value), BpfSemantics.ByteSwap(width, Mask));

    /// <summary>The least member of <paramref name="bits"/> bits that is not below <paramref name="bound"/>; false if there is none.</summary>
    public bool TryLeastFrom(ulong bound, int bits, out ulong member)
    {
        member = bound;
        ulong conflicts = (bound ^ Value) & ~Mask;
        if (conflicts == 0)
            return true;
        int top = BitOperations.Log2(conflicts);
        if ((Value >> top & 1) != 0)
        {
            // The bound has a zero where members have a one: all bits below are free to be least.
            member = (bound & ~LowMask(top)) | (Value & LowMask(top + 1));
            return true;
        }

        // The bound has a one where members have a zero: the lowest unknown bit above that is zero in the bound must become one.
        ulong free = Mask & ~bound & ~LowMask(top + 1) & LowMask(bits);
        if (free == 0)
            return false;
        int raised = BitOperations.TrailingZeroCount(free);
        member = (bound & ~LowMask(raised)) | 1UL << raised | (Value & LowMask(raised));
        return true;
    }

    /// <summary>The greatest member of <paramref name="bits"/> bits that is not above <paramref name="bound"/>; false if there is none.</summary>
    public bool TryGreatestTo(ulong bound, int bits, out ulong member)
    {
        bool exists = Not(bits).TryLeastFrom(~bound & LowMask(bits), bits, out ulong inverse);
        member = ~inverse & LowMask(bits);
        return exists;
    }

    /// <summary>The low <paramref name="bits"/> (0..64) bits set.</summary>
    internal static ulong LowMask(int bits) => bits == 0 ? 0 : ulong.MaxValue >> (64 - bits);
}
