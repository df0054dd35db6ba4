namespace BpfPpcc.Ppc64;

/// <summary>Instruction fields, by the manual's names (book I, 1.6.2). An operand of an instruction is one of these.</summary>
public enum Ppc64Field : byte
{
    /// <summary>GPR, bits 6..10: target.</summary>
    RT,

    /// <summary>GPR, bits 6..10: source.</summary>
    RS,

    /// <summary>GPR, bits 11..15.</summary>
    RA,

    /// <summary>GPR, bits 11..15, where 0 means the value zero and not r0: written (RA|0) in the manual.</summary>
    RA0,

    /// <summary>GPR, bits 16..20.</summary>
    RB,

    /// <summary>GPR, bits 21..25 (maddld).</summary>
    RC,

    /// <summary>Signed 16-bit immediate, bits 16..31.</summary>
    SI,

    /// <summary>Unsigned 16-bit immediate, bits 16..31.</summary>
    UI,

    /// <summary>Signed 16-bit displacement, bits 16..31.</summary>
    D,

    /// <summary>Signed displacement, a multiple of 4, bits 16..29.</summary>
    DS,

    /// <summary>Shift count 0..31, bits 16..20.</summary>
    SH5,

    /// <summary>Shift count 0..63, bits 16..20 and 30.</summary>
    SH6,

    /// <summary>Mask begin 0..31, bits 21..25.</summary>
    MB5,

    /// <summary>Mask end 0..31, bits 26..30.</summary>
    ME5,

    /// <summary>Mask begin or end 0..63, bits 21..26 (high bit last).</summary>
    MB6,

    /// <summary>CR field 0..7, bits 6..8.</summary>
    BF,

    /// <summary>CR field 0..7, bits 11..13.</summary>
    BFA,

    /// <summary>CR bit 0..31 of a branch, bits 11..15.</summary>
    BI,

    /// <summary>CR bit 0..31 of isel, bits 21..25.</summary>
    BC,

    /// <summary>CR bit 0..31, bits 6..10, target of a CR-logical instruction.</summary>
    BT,

    /// <summary>CR bit 0..31, bits 11..15.</summary>
    BA,

    /// <summary>CR bit 0..31, bits 16..20.</summary>
    BB,

    /// <summary>Branch options 0..31, bits 6..10.</summary>
    BO,

    /// <summary>Branch displacement in bytes, a multiple of 4, 26 bits signed, bits 6..29.</summary>
    LI,

    /// <summary>Branch displacement in bytes, a multiple of 4, 16 bits signed, bits 16..29.</summary>
    BD,

    /// <summary>One-hot CR field mask, bits 12..19.</summary>
    FXM,

    /// <summary>VSX register 0..63 written, bits 6..10 and 31.</summary>
    XT,

    /// <summary>VSX register 0..63 read, bits 6..10 and 31.</summary>
    XS,

    /// <summary>VSX register 0..63 read, bits 16..20 and 30.</summary>
    XB,

    /// <summary>Trap conditions 0..31, bits 6..10.</summary>
    TO,
}

/// <summary>What an instruction does with the register or CR field that an operand names.</summary>
public enum Ppc64Access : byte
{
    /// <summary>The operand is no register.</summary>
    None,
    Use,
    Def,

    /// <summary>Reads and writes it (rlwimi, rldimi, update forms).</summary>
    UseDef,
}

/// <summary>An operand of an instruction, in the order of the assembler's syntax.</summary>
public readonly record struct Ppc64Operand(Ppc64Field Field, Ppc64Access Access);

/// <summary>What an instruction reads or changes beside its operands.</summary>
[Flags]
public enum Ppc64Effects : ushort
{
    None = 0,

    /// <summary>Writes CR field 0 (record forms, stXcx.).</summary>
    DefinesCr0 = 1,

    /// <summary>Writes XER[CA].</summary>
    DefinesCarry = 2,

    /// <summary>Reads XER[CA].</summary>
    UsesCarry = 4,

    Loads = 8,
    Stores = 16,

    /// <summary>Orders memory accesses.</summary>
    Barrier = 32,

    /// <summary>Ends a straight run of code.</summary>
    Branches = 64,
    DefinesLr = 128,
    UsesLr = 256,
    DefinesCtr = 512,
    UsesCtr = 1024,

    /// <summary>Traps.</summary>
    Traps = 2048,
}
