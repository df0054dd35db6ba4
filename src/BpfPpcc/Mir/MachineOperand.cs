using BpfPpcc.Ppc64;
using BpfPpcc.Symbols;

namespace BpfPpcc.Mir;

/// <summary>A virtual register: a 64-bit value that will live in a GPR. Every one has exactly one definition (SSA).</summary>
public readonly record struct VirtualRegister(int Number);

public enum MachineOperandKind : byte
{
    VirtualRegister,

    /// <summary>A GPR that the allocator does not manage: r0 (scratch of emission), r1, r2.</summary>
    Gpr,

    /// <summary>The value zero in an RA0 field.</summary>
    Zero,
    Immediate,

    /// <summary>A CR field, 0..7; selection assigns them, the allocator never looks.</summary>
    CrField,

    /// <summary>A CR bit, 4 * field + {0 lt, 1 gt, 2 eq, 3 so}.</summary>
    CrBit,

    /// <summary>A block of the same function.</summary>
    Block,

    /// <summary>A symbol's address with an addend, as its <see cref="SymbolModifier"/> says.</summary>
    Symbol,

    /// <summary>A displacement from r1 that is known when the frame is laid out.</summary>
    Frame,
}

/// <summary>When an instruction reads or writes a register operand.</summary>
public enum OperandRole : byte
{
    /// <summary>Not a register.</summary>
    None,

    /// <summary>Read before any Def is written: may share its register with a Def.</summary>
    Use,

    /// <summary>Written after all uses were read.</summary>
    Def,

    /// <summary>Written while uses are still needed: shares its register with no use (loops inside of a pseudo instruction).</summary>
    EarlyDef,
}

/// <summary>Which part of a symbol's address an operand stands for (ELFv2 ABI, 3.5.3).</summary>
public enum SymbolModifier : byte
{
    /// <summary>The symbol itself: target of a call, or of the pseudo instruction that forms an address.</summary>
    None,

    /// <summary>@toc@ha</summary>
    TocHa,

    /// <summary>@toc@l in a D or SI field; in a DS field emission makes it the DS relocation.</summary>
    TocLo,
}

/// <summary>Parts of a frame to which a displacement may be relative.</summary>
public enum FrameArea : byte
{
    /// <summary>The BPF stack; offset 0 is where BPF r10 points, so offsets are negative.</summary>
    BpfStack,

    /// <summary>The doubleword with the tail-call count or the pointer to one, at -8 from the caller's r1.</summary>
    TailCallCount,
}

/// <summary>One operand of a machine instruction.</summary>
public readonly record struct MachineOperand
{
    /// <summary>Value of <see cref="FixedGpr"/> and <see cref="TiedTo"/> where there is no such constraint.</summary>
    public const sbyte Unconstrained = -1;

    private MachineOperand(MachineOperandKind kind, OperandRole role, sbyte fixedGpr, sbyte tiedTo, byte detail, int number, long value)
    {
        Kind = kind;
        Role = role;
        FixedGpr = fixedGpr;
        TiedTo = tiedTo;
        Detail = detail;
        Number = number;
        Value = value;
    }

    public MachineOperandKind Kind { get; }

    public OperandRole Role { get; }

    /// <summary>For a virtual register: the GPR that it must be in at this instruction, or -1.</summary>
    public sbyte FixedGpr { get; }

    /// <summary>For a use: index of the Def operand that must get the same register, or -1.</summary>
    public sbyte TiedTo { get; }

    /// <summary>Register, CR field, CR bit, block or symbol number.</summary>
    public int Number { get; }

    /// <summary>Immediate, addend or frame offset.</summary>
    public long Value { get; }

    /// <summary><see cref="SymbolModifier"/> or <see cref="FrameArea"/>.</summary>
    private byte Detail { get; }

    public VirtualRegister Register => new(Number);

    public Gpr Gpr => new((byte)Number);

    public SymbolId Symbol => new(Number);

    public SymbolModifier Modifier => (SymbolModifier)Detail;

    public FrameArea Area => (FrameArea)Detail;

    /// <summary>The same operand with another virtual register.</summary>
    public MachineOperand WithRegister(VirtualRegister register) => new(Kind, Role, FixedGpr, TiedTo, Detail, register.Number, Value);

    public bool IsDef => Role is OperandRole.Def or OperandRole.EarlyDef;

    public static MachineOperand Use(VirtualRegister register, sbyte fixedGpr = Unconstrained) =>
        new(MachineOperandKind.VirtualRegister, OperandRole.Use, fixedGpr, Unconstrained, 0, register.Number, 0);

    /// <summary>A use that must be in the register of the Def operand with this index.</summary>
    public static MachineOperand TiedUse(VirtualRegister register, int defIndex) =>
        new(MachineOperandKind.VirtualRegister, OperandRole.Use, Unconstrained, (sbyte)defIndex, 0, register.Number, 0);

    public static MachineOperand Def(VirtualRegister register, sbyte fixedGpr = Unconstrained) =>
        new(MachineOperandKind.VirtualRegister, OperandRole.Def, fixedGpr, Unconstrained, 0, register.Number, 0);

    public static MachineOperand EarlyDef(VirtualRegister register) =>
        new(MachineOperandKind.VirtualRegister, OperandRole.EarlyDef, Unconstrained, Unconstrained, 0, register.Number, 0);

    public static MachineOperand Physical(Gpr gpr) =>
        new(MachineOperandKind.Gpr, OperandRole.None, Unconstrained, Unconstrained, 0, gpr.Number, 0);

    public static MachineOperand Zero { get; } = new(MachineOperandKind.Zero, OperandRole.None, Unconstrained, Unconstrained, 0, 0, 0);

    public static MachineOperand Immediate(long value) =>
        new(MachineOperandKind.Immediate, OperandRole.None, Unconstrained, Unconstrained, 0, 0, value);

    public static MachineOperand CrField(int field) =>
        new(MachineOperandKind.CrField, OperandRole.None, Unconstrained, Unconstrained, 0, field, 0);

    public static MachineOperand CrBit(int bit) =>
        new(MachineOperandKind.CrBit, OperandRole.None, Unconstrained, Unconstrained, 0, bit, 0);

    public static MachineOperand Block(int block) =>
        new(MachineOperandKind.Block, OperandRole.None, Unconstrained, Unconstrained, 0, block, 0);

    public static MachineOperand Address(SymbolId symbol, long addend, SymbolModifier modifier = SymbolModifier.None) =>
        new(MachineOperandKind.Symbol, OperandRole.None, Unconstrained, Unconstrained, (byte)modifier, symbol.Value, addend);

    public static MachineOperand Frame(FrameArea area, long offset) =>
        new(MachineOperandKind.Frame, OperandRole.None, Unconstrained, Unconstrained, (byte)area, 0, offset);
}
