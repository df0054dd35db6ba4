using BpfPpcc.Bpf;
using BpfPpcc.Verification.Domain;

namespace BpfPpcc.Tests.Verification.Domain;

/// <summary>
/// Words of a few bits, of which all sets of values can be enumerated: a set is a bit mask over the values. The arithmetic is written
/// again here, from RFC 9669, 4.1 at another width than 64.
/// </summary>
internal static class SmallWords
{
    public static readonly BpfAluCode[] Operations =
    [
        BpfAluCode.ADD, BpfAluCode.SUB, BpfAluCode.MUL, BpfAluCode.DIV, BpfAluCode.OR, BpfAluCode.AND, BpfAluCode.LSH, BpfAluCode.RSH,
        BpfAluCode.NEG, BpfAluCode.MOD, BpfAluCode.XOR, BpfAluCode.MOV, BpfAluCode.ARSH,
    ];

    public static readonly BpfJumpCode[] Conditions =
    [
        BpfJumpCode.JEQ, BpfJumpCode.JGT, BpfJumpCode.JGE, BpfJumpCode.JSET, BpfJumpCode.JNE, BpfJumpCode.JSGT, BpfJumpCode.JSGE,
        BpfJumpCode.JLT, BpfJumpCode.JLE, BpfJumpCode.JSLT, BpfJumpCode.JSLE,
    ];

    public static ulong Apply(BpfAluCode code, int bits, ulong a, ulong b, bool isSigned)
    {
        ulong mask = Tnum.LowMask(bits);
        a &= mask;
        b &= mask;
        long x = WordBounds.Signed(bits, a), y = WordBounds.Signed(bits, b);
        int count = (int)(b % (uint)bits);
        ulong result = code switch
        {
            BpfAluCode.ADD => unchecked(a + b),
            BpfAluCode.SUB => unchecked(a - b),
            BpfAluCode.MUL => unchecked(a * b),
            BpfAluCode.DIV => b == 0 ? 0 : isSigned ? (ulong)(x / y) : a / b,
            BpfAluCode.OR => a | b,
            BpfAluCode.AND => a & b,
            BpfAluCode.LSH => a << count,
            BpfAluCode.RSH => a >> count,
            BpfAluCode.NEG => unchecked(0 - a),
            BpfAluCode.MOD => b == 0 ? a : isSigned ? (ulong)(x % y) : a % b,
            BpfAluCode.XOR => a ^ b,
            BpfAluCode.MOV => b,
            BpfAluCode.ARSH => (ulong)(x >> count),
            BpfAluCode.END => throw new InvalidOperationException("no operation on two values"),
        };
        return result & mask;
    }

    public static bool Compare(BpfJumpCode code, int bits, ulong a, ulong b) =>
        BpfSemantics.Compare(code, is32: false, SignedOrNot(code, bits, a), SignedOrNot(code, bits, b));

    /// <summary>The best word for a set; empty for the empty set.</summary>
    public static WordBounds BestWord(int bits, ulong set)
    {
        WordBounds best = default;
        for (int value = 0; value < 1 << bits; value++)
        {
            if ((set >> value & 1) != 0)
                best = WordBounds.Join(best, WordBounds.Constant(bits, (ulong)value));
        }

        return best;
    }

    /// <summary>The best bounds for a set; empty for the empty set.</summary>
    public static ScalarBounds BestBounds(int bits, ulong set)
    {
        WordBounds half = default;
        for (int value = 0; value < 1 << bits; value++)
        {
            if ((set >> value & 1) != 0)
                half = WordBounds.Join(half, WordBounds.Constant(bits / 2, (ulong)value));
        }

        return set == 0 ? ScalarBounds.Empty : ScalarBounds.Close(BestWord(bits, set), half);
    }

    public static ulong Members(in WordBounds word)
    {
        ulong set = 0;
        for (int value = 0; value < 1 << word.Bits; value++)
        {
            if (word.Contains((ulong)value))
                set |= 1UL << value;
        }

        return set;
    }

    public static ulong Members(int bits, in ScalarBounds bounds)
    {
        ulong set = 0;
        for (int value = 0; !bounds.IsEmpty && value < 1 << bits; value++)
        {
            if (bounds.Contains((ulong)value))
                set |= 1UL << value;
        }

        return set;
    }

    /// <summary>All words that are the best for some set.</summary>
    public static WordBounds[] AllWords(int bits)
    {
        var words = new HashSet<WordBounds>();
        for (ulong set = 1; set < 1UL << (1 << bits); set++)
            words.Add(BestWord(bits, set));
        return [.. words];
    }

    /// <summary>All tristate numbers of a width.</summary>
    public static Tnum[] AllTnums(int bits)
    {
        var all = new List<Tnum>();
        for (ulong mask = 0; mask <= Tnum.LowMask(bits); mask++)
        {
            for (ulong value = 0; value <= Tnum.LowMask(bits); value++)
            {
                if ((value & mask) == 0)
                    all.Add(new Tnum(value, mask));
            }
        }

        return [.. all];
    }

    private static ulong SignedOrNot(BpfJumpCode code, int bits, ulong value) =>
        code is BpfJumpCode.JSGT or BpfJumpCode.JSGE or BpfJumpCode.JSLT or BpfJumpCode.JSLE
            ? (ulong)WordBounds.Signed(bits, value)
            : value & Tnum.LowMask(bits);
}
