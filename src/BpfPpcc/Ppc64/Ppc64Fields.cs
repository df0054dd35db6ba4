using System.Collections.Immutable;
using static BpfPpcc.Ppc64.Ppc64Field;

namespace BpfPpcc.Ppc64;

/// <summary>What kind of thing the value of a field is.</summary>
public enum Ppc64FieldKind : byte
{
    Gpr,

    /// <summary>A GPR, or the value zero if the field is 0.</summary>
    GprOrZero,
    VsxRegister,
    CrField,
    CrBit,
    Immediate,

    /// <summary>Offset from the base register that follows in the operand list.</summary>
    Displacement,

    /// <summary>Distance in bytes from the instruction itself.</summary>
    BranchTarget,
}

/// <summary>
/// The fields of the Power ISA's 32-bit instructions (book I, 1.6): where each lies, in the manual's bit numbers (0 is the most significant
/// bit), and which values fit into it. Encoder, decoder, printer and instruction selection know fields from here alone.
/// </summary>
public static class Ppc64Fields
{
    /// <param name="First">Leftmost bit of the field, or of its five low bits if it is split.</param>
    /// <param name="Last">Rightmost bit of the same.</param>
    /// <param name="High">Bit that holds the most significant bit of a split field, or -1.</param>
    /// <param name="IsSigned">The field is a two's complement number.</param>
    /// <param name="Scale">Number of low bits that are zero in the value and not stored.</param>
    /// <param name="IsOneHot">Exactly one bit is set.</param>
    private readonly record struct Layout(
        Ppc64Field Field,
        Ppc64FieldKind Kind,
        sbyte First,
        sbyte Last,
        sbyte High = -1,
        bool IsSigned = false,
        byte Scale = 0,
        bool IsOneHot = false)
    {
        public int LowWidth => Last - First + 1;

        public int Width => LowWidth + (High >= 0 ? 1 : 0);
    }

    /// <summary>In the order of <see cref="Ppc64Field"/>.</summary>
    private static readonly ImmutableArray<Layout> s_layouts =
    [
        new(RT,  Ppc64FieldKind.Gpr,           6, 10),
        new(RS,  Ppc64FieldKind.Gpr,           6, 10),
        new(RA,  Ppc64FieldKind.Gpr,          11, 15),
        new(RA0, Ppc64FieldKind.GprOrZero,    11, 15),
        new(RB,  Ppc64FieldKind.Gpr,          16, 20),
        new(RC,  Ppc64FieldKind.Gpr,          21, 25),
        new(SI,  Ppc64FieldKind.Immediate,    16, 31, IsSigned: true),
        new(UI,  Ppc64FieldKind.Immediate,    16, 31),
        new(D,   Ppc64FieldKind.Displacement, 16, 31, IsSigned: true),
        new(DS,  Ppc64FieldKind.Displacement, 16, 29, IsSigned: true, Scale: 2),
        new(SH5, Ppc64FieldKind.Immediate,    16, 20),
        new(SH6, Ppc64FieldKind.Immediate,    16, 20, High: 30),
        new(MB5, Ppc64FieldKind.Immediate,    21, 25),
        new(ME5, Ppc64FieldKind.Immediate,    26, 30),
        new(MB6, Ppc64FieldKind.Immediate,    21, 25, High: 26),
        new(BF,  Ppc64FieldKind.CrField,       6, 8),
        new(BFA, Ppc64FieldKind.CrField,      11, 13),
        new(BI,  Ppc64FieldKind.CrBit,        11, 15),
        new(BC,  Ppc64FieldKind.CrBit,        21, 25),
        new(BT,  Ppc64FieldKind.CrBit,         6, 10),
        new(BA,  Ppc64FieldKind.CrBit,        11, 15),
        new(BB,  Ppc64FieldKind.CrBit,        16, 20),
        new(BO,  Ppc64FieldKind.Immediate,     6, 10),
        new(LI,  Ppc64FieldKind.BranchTarget,  6, 29, IsSigned: true, Scale: 2),
        new(BD,  Ppc64FieldKind.BranchTarget, 16, 29, IsSigned: true, Scale: 2),
        new(FXM, Ppc64FieldKind.Immediate,    12, 19, IsOneHot: true),
        new(XT,  Ppc64FieldKind.VsxRegister,   6, 10, High: 31),
        new(XS,  Ppc64FieldKind.VsxRegister,   6, 10, High: 31),
        new(XB,  Ppc64FieldKind.VsxRegister,  16, 20, High: 30),
        new(TO,  Ppc64FieldKind.Immediate,     6, 10),
    ];

    public static Ppc64FieldKind Kind(Ppc64Field field) => s_layouts[(int)field].Kind;

    /// <summary>Smallest value that fits.</summary>
    public static long Minimum(Ppc64Field field)
    {
        Layout layout = s_layouts[(int)field];
        if (layout.IsOneHot) return 1;
        return layout.IsSigned ? -(1L << (layout.Width - 1 + layout.Scale)) : 0;
    }

    /// <summary>Largest value that fits.</summary>
    public static long Maximum(Ppc64Field field)
    {
        Layout layout = s_layouts[(int)field];
        if (layout.IsOneHot) return 1L << (layout.Width - 1);
        return ((1L << (layout.IsSigned ? layout.Width - 1 : layout.Width)) - 1) << layout.Scale;
    }

    /// <summary>True if the field can hold the value: in range, a multiple of the scale, one-hot where the manual says so.</summary>
    public static bool Fits(Ppc64Field field, long value)
    {
        Layout layout = s_layouts[(int)field];
        if (value < Minimum(field) || value > Maximum(field)) return false;
        if (layout.IsOneHot) return long.IsPow2(value);
        return (value & ((1L << layout.Scale) - 1)) == 0;
    }

    /// <summary>The bits of an instruction that belong to the field.</summary>
    public static uint Mask(Ppc64Field field) => Insert(field, ((1L << s_layouts[(int)field].Width) - 1) << s_layouts[(int)field].Scale);

    /// <summary>The value at the field's place in an otherwise zero instruction. The value must fit.</summary>
    public static uint Insert(Ppc64Field field, long value)
    {
        Layout layout = s_layouts[(int)field];
        var bits = (uint)(value >> layout.Scale);
        uint word = (bits & ((1u << layout.LowWidth) - 1)) << (31 - layout.Last);
        if (layout.High >= 0) word |= ((bits >> layout.LowWidth) & 1) << (31 - layout.High);
        return word;
    }

    /// <summary>The value that the field of an instruction holds.</summary>
    public static long Extract(Ppc64Field field, uint word)
    {
        Layout layout = s_layouts[(int)field];
        long value = (word >> (31 - layout.Last)) & ((1u << layout.LowWidth) - 1);
        if (layout.High >= 0) value |= (long)((word >> (31 - layout.High)) & 1) << layout.LowWidth;
        if (layout.IsSigned) value = value << (64 - layout.Width) >> (64 - layout.Width);
        return value << layout.Scale;
    }

    // The classes of immediates that instruction selection asks for, under the names of the fields that take them.

    /// <summary>addi, mulli, subfic, cmpdi, cmpwi and the displacement of most loads and stores.</summary>
    public static bool FitsSI16(long value) => value == (short)value;

    /// <summary>addis: a signed 32-bit value whose low half is zero.</summary>
    public static bool FitsShiftedSI16(long value) => value == (int)value && (value & 0xffff) == 0;

    /// <summary>ori, xori, andi., cmpldi, cmplwi.</summary>
    public static bool FitsUI16(long value) => value == (ushort)value;

    /// <summary>oris, xoris, andis.: an unsigned 32-bit value whose low half is zero.</summary>
    public static bool FitsShiftedUI16(long value) => value == (uint)value && (value & 0xffff) == 0;

    /// <summary>Displacement of ld, ldu, lwa, std, stdu.</summary>
    public static bool FitsDS(long value) => value == (short)value && (value & 3) == 0;

    /// <summary>Displacement of a conditional branch.</summary>
    public static bool FitsBD(long value) => value == (short)value && (value & 3) == 0;

    /// <summary>Displacement of b and bl.</summary>
    public static bool FitsLI(long value) => Fits(LI, value);
}
