using System.Numerics;
using BpfPpcc.Bpf;

namespace BpfPpcc.Verification.Domain;

/// <summary>
/// The arithmetic instructions on <see cref="WordBounds"/>: from what is known of two operands to what is known of the result, where
/// arithmetic wraps at the words' width. What the instructions compute is ruled by <see cref="BpfSemantics"/>.
/// </summary>
internal static class WordArithmetic
{
    /// <summary>Whether the low bits of the result depend on no other bits of the operands than as many low ones.</summary>
    public static bool WorksOnLowBits(BpfAluCode code) => code switch
    {
        BpfAluCode.ADD or BpfAluCode.SUB or BpfAluCode.MUL or BpfAluCode.OR or BpfAluCode.AND or BpfAluCode.XOR or BpfAluCode.NEG
            or BpfAluCode.MOV => true,
        BpfAluCode.DIV or BpfAluCode.MOD or BpfAluCode.LSH or BpfAluCode.RSH or BpfAluCode.ARSH or BpfAluCode.END => false,
    };

    /// <summary>All operations but END. NEG looks at <paramref name="a"/> only, MOV at <paramref name="b"/> only.</summary>
    /// <param name="isSigned">DIV and MOD only: the signed forms.</param>
    public static WordBounds Apply(BpfAluCode code, in WordBounds a, in WordBounds b, bool isSigned) => code switch
    {
        BpfAluCode.ADD => Add(a, b),
        BpfAluCode.SUB => Subtract(a, b),
        BpfAluCode.MUL => Multiply(a, b),
        BpfAluCode.DIV => isSigned ? WordDivision.SignedDivide(a, b) : WordDivision.Divide(a, b),
        BpfAluCode.OR => Or(a, b),
        BpfAluCode.AND => And(a, b),
        BpfAluCode.LSH or BpfAluCode.RSH or BpfAluCode.ARSH => Shift(code, a, b),
        BpfAluCode.NEG => Subtract(WordBounds.Constant(a.Bits, 0), a),
        BpfAluCode.MOD => isSigned ? WordDivision.SignedModulo(a, b) : WordDivision.Modulo(a, b),
        BpfAluCode.XOR => Xor(a, b),
        BpfAluCode.MOV => b,
        BpfAluCode.END => throw new InvalidOperationException("END is not an operation on two values"),
    };

    /// <summary>The shift by a constant count, 0..Bits - 1.</summary>
    public static WordBounds ShiftBy(BpfAluCode code, in WordBounds a, int count) => count == 0 ? a : code switch
    {
        BpfAluCode.LSH => Raise(a.Narrowed(a.Bits - count), a.Bits),
        BpfAluCode.RSH => ShiftRight(a, count),
        BpfAluCode.ARSH => ArithmeticShiftRight(a, count),
        BpfAluCode.ADD or BpfAluCode.SUB or BpfAluCode.MUL or BpfAluCode.DIV or BpfAluCode.OR or BpfAluCode.AND or BpfAluCode.NEG
            or BpfAluCode.MOD or BpfAluCode.XOR or BpfAluCode.MOV or BpfAluCode.END =>
            throw new InvalidOperationException($"{code} is not a shift"),
    };

    /// <summary>The shift to the left after which <paramref name="low"/>, the bits that stay, is at the top of a word of that width.</summary>
    public static WordBounds Raise(in WordBounds low, int bits)
    {
        int count = bits - low.Bits;
        return new WordBounds(bits, low.Known.ShiftLeft(count), low.UMin << count, low.UMax << count, low.SMin << count, low.SMax << count);
    }

    private static WordBounds Add(in WordBounds a, in WordBounds b)
    {
        WordBounds unsigned = Arc(a.Bits, unchecked(a.UMin + b.UMin), a.UMax - a.UMin, b.UMax - b.UMin);
        WordBounds signed = Arc(a.Bits, unchecked((ulong)(a.SMin + b.SMin)), SignedLength(a), SignedLength(b));
        return WordBounds.Refine(unsigned, signed, Tnum.Add(a.Known, b.Known).Truncate(a.Bits));
    }

    private static WordBounds Subtract(in WordBounds a, in WordBounds b)
    {
        WordBounds unsigned = Arc(a.Bits, unchecked(a.UMin - b.UMax), a.UMax - a.UMin, b.UMax - b.UMin);
        WordBounds signed = Arc(a.Bits, unchecked((ulong)(a.SMin - b.SMax)), SignedLength(a), SignedLength(b));
        return WordBounds.Refine(unsigned, signed, Tnum.Subtract(a.Known, b.Known).Truncate(a.Bits));
    }

    private static ulong SignedLength(in WordBounds a) => unchecked((ulong)(a.SMax - a.SMin));

    private static WordBounds Arc(int bits, ulong start, ulong length, ulong more) =>
        length > Tnum.LowMask(bits) - more ? WordBounds.Unknown(bits) : WordBounds.FromArc(bits, start, length + more);

    private static WordBounds Multiply(in WordBounds a, in WordBounds b)
    {
        Tnum known = Tnum.Multiply(a.Known, b.Known).Truncate(a.Bits);
        UInt128 least = (UInt128)a.UMin * b.UMin;
        UInt128 length = (UInt128)a.UMax * b.UMax - least;
        WordBounds unsigned = length >= a.Mask ? WordBounds.Unknown(a.Bits) : WordBounds.FromArc(a.Bits, (ulong)least, (ulong)length);
        if (a.SMin >= 0 && b.SMin >= 0)
            return unsigned with { Known = known };
        return WordBounds.Refine(unsigned, SignedProduct(a, b), known);
    }

    private static WordBounds SignedProduct(in WordBounds a, in WordBounds b)
    {
        Int128 first = (Int128)a.SMin * b.SMin;
        Int128 second = (Int128)a.SMin * b.SMax;
        Int128 third = (Int128)a.SMax * b.SMin;
        Int128 fourth = (Int128)a.SMax * b.SMax;
        Int128 least = Int128.Min(Int128.Min(first, second), Int128.Min(third, fourth));
        Int128 length = Int128.Max(Int128.Max(first, second), Int128.Max(third, fourth)) - least;
        return length >= a.Mask ? WordBounds.Unknown(a.Bits) : WordBounds.FromArc(a.Bits, unchecked((ulong)least), (ulong)length);
    }

    private static WordBounds And(in WordBounds a, in WordBounds b)
    {
        Tnum known = Tnum.And(a.Known, b.Known);
        (long smin, long smax) = SignedAnd(a, b);
        return new WordBounds(a.Bits, known, known.Min, Math.Min(known.Max, Math.Min(a.UMax, b.UMax)), smin, smax);
    }

    /// <summary>
    /// With a non-negative operand the result lies between 0 and that operand. Two negative ones give a negative result that is no greater
    /// than either, and no less than the power of two below both.
    /// </summary>
    private static (long Min, long Max) SignedAnd(in WordBounds a, in WordBounds b)
    {
        bool isPlusA = a.SMin >= 0, isPlusB = b.SMin >= 0;
        long min = isPlusA || isPlusB ? 0 : -1L << (64 - BitOperations.LeadingZeroCount(~(ulong)Math.Min(a.SMin, b.SMin)));
        long max = isPlusA && isPlusB || a.SMax < 0 && b.SMax < 0 ? Math.Min(a.SMax, b.SMax)
            : isPlusA ? a.SMax
            : isPlusB ? b.SMax
            : Math.Max(a.SMax, b.SMax);
        return (min, max);
    }

    private static WordBounds Or(in WordBounds a, in WordBounds b) => Not(And(Not(a), Not(b)));

    private static WordBounds Xor(in WordBounds a, in WordBounds b)
    {
        if (b.UMin == b.Mask)
            return Not(a);
        if (a.UMin == a.Mask)
            return Not(b);
        Tnum known = Tnum.Xor(a.Known, b.Known);
        return WordBounds.Unknown(a.Bits) with { Known = known, UMin = known.Min, UMax = known.Max };
    }

    private static WordBounds Not(in WordBounds a) =>
        new(a.Bits, a.Known.Not(a.Bits), ~a.UMax & a.Mask, ~a.UMin & a.Mask, ~a.SMax, ~a.SMin);

    private static WordBounds ShiftRight(in WordBounds a, int count)
    {
        ulong min = a.UMin >> count;
        return WordBounds.FromArc(a.Bits, min, (a.UMax >> count) - min) with { Known = a.Known.ShiftRight(count) };
    }

    private static WordBounds ArithmeticShiftRight(in WordBounds a, int count)
    {
        long min = a.SMin >> count;
        WordBounds range = WordBounds.FromArc(a.Bits, (ulong)min, unchecked((ulong)((a.SMax >> count) - min)));
        return range with { Known = a.Known.ArithmeticShiftRight(count, a.Bits) };
    }

    /// <summary>The union over all counts that are possible; the count is taken modulo the width.</summary>
    private static WordBounds Shift(BpfAluCode code, in WordBounds a, in WordBounds b)
    {
        if (b.IsConstant)
            return ShiftBy(code, a, (int)(b.UMin % (uint)a.Bits));
        WordBounds unknown = WordBounds.Unknown(a.Bits);
        WordBounds union = default;
        for (ulong counts = PossibleCounts(b); counts != 0 && union != unknown; counts &= counts - 1)
            union = WordBounds.Join(union, ShiftBy(code, a, BitOperations.TrailingZeroCount(counts)));
        return union;
    }

    /// <summary>Bit i set: i may be the count modulo the width.</summary>
    private static ulong PossibleCounts(in WordBounds b)
    {
        bool isExact = b.UMax < (uint)b.Bits;
        // With a width that is a power of two the remainder is the count's low bits.
        Tnum low = isExact ? b.Known
            : BitOperations.IsPow2(b.Bits) ? b.Known.Truncate(BitOperations.Log2((uint)b.Bits))
            : Tnum.Unknown;
        int last = isExact ? (int)b.UMax : b.Bits - 1;
        ulong counts = 0;
        for (int count = isExact ? (int)b.UMin : 0; count <= last; count++)
        {
            if (low.Contains((ulong)count))
                counts |= 1UL << count;
        }

        return counts;
    }
}
