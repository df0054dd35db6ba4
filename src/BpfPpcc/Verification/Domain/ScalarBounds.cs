using System.Globalization;
using BpfPpcc.Bpf;

namespace BpfPpcc.Verification.Domain;

/// <summary>
/// What is known of a scalar in a register: its bits, and its bounds as an unsigned and a signed number, of all 64 bits and of the low 32.
/// The five views are closed: whatever one says about another has been drawn (<see cref="Close"/>), after every operation. Values are
/// immutable; the default value is the empty set, which says that no execution comes here.
/// Operations are named as in <see cref="BpfSemantics"/>, which rules what they compute; the results hold for all values of the operands.
/// The width is 64; tests also build bounds of a few bits, with a low half of half as many, to enumerate all members.
/// </summary>
internal readonly record struct ScalarBounds
{
    private readonly byte _bits;

    private ScalarBounds(in WordBounds full, in WordBounds half)
    {
        _bits = (byte)full.Bits;
        Known = full.Known;
        UMin = full.UMin;
        UMax = full.UMax;
        SMin = full.SMin;
        SMax = full.SMax;
        U32Min = (uint)half.UMin;
        U32Max = (uint)half.UMax;
        S32Min = (int)half.SMin;
        S32Max = (int)half.SMax;
    }

    /// <summary>No value at all.</summary>
    public static ScalarBounds Empty => default;

    /// <summary>Any 64-bit value.</summary>
    public static readonly ScalarBounds Unknown = UnknownOf(64);

    /// <summary>Any zero-extended value of 8, 16, 32 bits: what narrow loads give.</summary>
    public static readonly ScalarBounds U8 = FromUnsigned(0, byte.MaxValue);

    public static readonly ScalarBounds U16 = FromUnsigned(0, ushort.MaxValue);

    public static readonly ScalarBounds U32 = FromUnsigned(0, uint.MaxValue);

    public static readonly ScalarBounds Zero = Constant(0);

    public Tnum Known { get; }

    public ulong UMin { get; }

    public ulong UMax { get; }

    public long SMin { get; }

    public long SMax { get; }

    public uint U32Min { get; }

    public uint U32Max { get; }

    public int S32Min { get; }

    public int S32Max { get; }

    public bool IsEmpty => _bits == 0;

    public bool IsConstant => UMin == UMax && _bits != 0;

    /// <summary>The value, if <see cref="IsConstant"/>.</summary>
    public ulong ConstantValue => UMin;

    /// <summary>Whether the low 32 bits can have one value only; it is <see cref="U32Min"/>.</summary>
    public bool IsConstant32 => U32Min == U32Max && _bits != 0;

    /// <summary>Whether nothing at all is known.</summary>
    public bool IsUnknown => this == Unknown;

    /// <summary>Whether the value is known to be a multiple of <paramref name="size"/>, a power of two.</summary>
    public bool IsAligned(ulong size) => Known.IsAligned(size);

    public bool Contains(ulong value) => Full.Contains(value) && Half.Contains(value & Tnum.LowMask(_bits / 2));

    public static ScalarBounds Constant(ulong value) => ConstantOf(64, value);

    /// <summary>All values in [min, max], unsigned; empty if min is above max.</summary>
    public static ScalarBounds FromUnsigned(ulong min, ulong max) =>
        min > max ? Empty : Close(WordBounds.FromArc(64, min, max - min), WordBounds.Unknown(32));

    /// <summary>All values in [min, max], signed; empty if min is above max.</summary>
    public static ScalarBounds FromSigned(long min, long max) =>
        min > max ? Empty : Close(WordBounds.FromArc(64, (ulong)min, unchecked((ulong)(max - min))), WordBounds.Unknown(32));

    public static ScalarBounds FromKnown(Tnum known) =>
        Close(WordBounds.Unknown(64) with { Known = known }, WordBounds.Unknown(32));

    /// <summary>ALU64. END is not among the operations.</summary>
    /// <param name="isSigned">DIV and MOD only: the signed forms (offset 1).</param>
    public static ScalarBounds Alu64(BpfAluCode code, in ScalarBounds a, in ScalarBounds b, bool isSigned = false)
    {
        if (a.IsEmpty || b.IsEmpty)
            return Empty;
        if (a._bits == 64 && a.IsConstant && b.IsConstant)
            return Constant(BpfSemantics.Alu64(code, a.UMin, b.UMin, isSigned));
        if (code == BpfAluCode.MOV)
            return b;
        WordBounds full = code == BpfAluCode.LSH && b.IsConstant
            ? WordArithmetic.Raise(a.Low(a._bits - (int)(b.UMin % a._bits)), a._bits)
            : WordArithmetic.Apply(code, a.Full, b.Full, isSigned);
        return Close(full, LowHalf(code, a, b));
    }

    /// <summary>ALU: the operation on the low halves, zero-extended.</summary>
    /// <param name="isSigned">DIV and MOD only: the signed forms (offset 1).</param>
    public static ScalarBounds Alu32(BpfAluCode code, in ScalarBounds a, in ScalarBounds b, bool isSigned = false)
    {
        if (a.IsEmpty || b.IsEmpty)
            return Empty;
        if (a._bits == 64 && a.IsConstant32 && b.IsConstant32)
            return Constant(BpfSemantics.Alu32(code, a.U32Min, b.U32Min, isSigned));
        return FromHalf(WordArithmetic.Apply(code, a.Half, b.Half, isSigned), a._bits);
    }

    /// <summary>The low <paramref name="width"/> bits (8, 16, 32) sign-extended to 64: MOVSX of ALU64, MEMSX loads.</summary>
    public static ScalarBounds SignExtend64(int width, in ScalarBounds value)
    {
        if (value.IsEmpty)
            return Empty;
        WordBounds low = value.Low(width);
        return Close(low.SignExtended(value._bits), WordBounds.Unknown(value._bits / 2));
    }

    /// <summary>The low <paramref name="width"/> bits (8, 16) sign-extended to 32 and zero-extended from there: MOVSX of ALU.</summary>
    public static ScalarBounds SignExtend32(int width, in ScalarBounds value)
    {
        if (value.IsEmpty)
            return Empty;
        return FromHalf(value.Low(width).SignExtended(value._bits / 2), value._bits);
    }

    /// <summary>
    /// The low <paramref name="width"/> bits (8, 16, 32, 64), zero-extended: MOV of ALU for 32, and what a narrow load or the reload of a
    /// part of a spilled value gives.
    /// </summary>
    public static ScalarBounds ZeroExtend(int width, in ScalarBounds value)
    {
        if (value.IsEmpty || width >= value._bits)
            return value;
        return Close(value.Low(width).ZeroExtended(value._bits), WordBounds.Unknown(value._bits / 2));
    }

    /// <summary>END of ALU64 (bswap16, 32, 64).</summary>
    public static ScalarBounds ByteSwap(int width, in ScalarBounds value) =>
        value.IsEmpty ? Empty : FromKnown(value.Known.ByteSwap(width));

    /// <summary>END with source K (le16, le32, le64).</summary>
    public static ScalarBounds ToLittleEndian(int width, in ScalarBounds value, bool isBigEndianHost) =>
        isBigEndianHost ? ByteSwap(width, value) : ZeroExtend(width, value);

    /// <summary>END with source X (be16, be32, be64).</summary>
    public static ScalarBounds ToBigEndian(int width, in ScalarBounds value, bool isBigEndianHost) =>
        isBigEndianHost ? ZeroExtend(width, value) : ByteSwap(width, value);

    /// <summary>The values in both; empty if there are none.</summary>
    public static ScalarBounds Meet(in ScalarBounds a, in ScalarBounds b) =>
        a.IsEmpty || b.IsEmpty ? Empty : Close(WordBounds.Meet(a.Full, b.Full), WordBounds.Meet(a.Half, b.Half));

    /// <summary>The least bounds around the values of both.</summary>
    public static ScalarBounds Join(in ScalarBounds a, in ScalarBounds b)
    {
        if (a.IsEmpty)
            return b;
        if (b.IsEmpty)
            return a;
        return Close(WordBounds.Join(a.Full, b.Full), WordBounds.Join(a.Half, b.Half));
    }

    /// <summary>
    /// <see cref="Join"/> for the header of a loop: an end that moved jumps to the next threshold, so that a chain of widenings ends.
    /// </summary>
    public static ScalarBounds Widen(in ScalarBounds old, in ScalarBounds next, WideningThresholds thresholds)
    {
        if (old.IsEmpty)
            return next;
        if (next.IsEmpty)
            return old;
        return Close(thresholds.Widen(old.Full, next.Full), thresholds.Widen(old.Half, next.Half));
    }

    /// <summary>Whether every value of <paramref name="current"/> is one of <paramref name="old"/>, view by view.</summary>
    public static bool Covers(in ScalarBounds old, in ScalarBounds current) =>
        current.IsEmpty
        || (old.UMin <= current.UMin && current.UMax <= old.UMax && old.SMin <= current.SMin && current.SMax <= old.SMax
            && old.U32Min <= current.U32Min && current.U32Max <= old.U32Max && old.S32Min <= current.S32Min && current.S32Max <= old.S32Max
            && old.Known.Contains(current.Known));

    /// <summary>All bits as a word.</summary>
    internal WordBounds Full => new(_bits, Known, UMin, UMax, SMin, SMax);

    /// <summary>The low half as a word.</summary>
    internal WordBounds Half => _bits == 0 ? default : new(_bits / 2, Known.Truncate(_bits / 2), U32Min, U32Max, S32Min, S32Max);

    internal static ScalarBounds UnknownOf(int bits) => new(WordBounds.Unknown(bits), WordBounds.Unknown(bits / 2));

    internal static ScalarBounds ConstantOf(int bits, ulong value) => new(WordBounds.Constant(bits, value), WordBounds.Constant(bits / 2, value));

    /// <summary>
    /// Draws all conclusions of the views for one another, until there are no more: at most a few rounds, since every end that moves moves
    /// to a value that fits the other views. Empty if they contradict each other.
    /// </summary>
    internal static ScalarBounds Close(in WordBounds full, in WordBounds half)
    {
        WordBounds wide = full, low = half;
        while (true)
        {
            WordBounds nextWide = wide.Tightened();
            if (nextWide.IsEmpty || low.IsEmpty)
                return Empty;
            WordBounds nextLow = WordBounds.Meet(low, nextWide.Narrowed(low.Bits)).Tightened();
            if (nextLow.IsEmpty)
                return Empty;
            nextWide = nextWide.WithLow(nextLow);
            if (nextWide.IsEmpty)
                return Empty;
            if (nextWide == wide && nextLow == low)
                return new ScalarBounds(wide, low);
            wide = nextWide;
            low = nextLow;
        }
    }

    private static ScalarBounds FromHalf(in WordBounds half, int bits) => Close(half.Tightened().ZeroExtended(bits), half);

    /// <summary>What the low halves of the operands alone say about the low half of the result of a full-width operation.</summary>
    private static WordBounds LowHalf(BpfAluCode code, in ScalarBounds a, in ScalarBounds b)
    {
        WordBounds half = a.Half;
        if (WordArithmetic.WorksOnLowBits(code))
            return WordArithmetic.Apply(code, half, b.Half, isSigned: false);
        if (code == BpfAluCode.LSH && b.IsConstant && b.UMin < (ulong)half.Bits)
            return WordArithmetic.ShiftBy(code, half, (int)b.UMin);
        return WordBounds.Unknown(half.Bits);
    }

    private WordBounds Low(int width) => width <= _bits / 2 ? Half.Narrowed(width) : Full.Narrowed(width);

    public override string ToString()
    {
        if (IsEmpty)
            return "empty";
        if (IsConstant)
            return string.Create(CultureInfo.InvariantCulture, $"{SMin}");
        return string.Create(
            CultureInfo.InvariantCulture,
            $"u[{UMin}, {UMax}] s[{SMin}, {SMax}] u32[{U32Min}, {U32Max}] s32[{S32Min}, {S32Max}] bits({Known.Value:x}; {Known.Mask:x})");
    }
}
