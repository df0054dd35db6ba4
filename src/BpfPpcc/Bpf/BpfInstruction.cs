namespace BpfPpcc.Bpf;

/// <summary>
/// One 8-byte instruction slot, fields as RFC 9669, 3 names them. The second slot of a 64-bit immediate instruction is a slot of its own,
/// with opcode 0. Jump and call offsets count slots, so programs keep both slots and indices mean slots everywhere.
/// </summary>
/// <param name="Opcode">The opcode byte.</param>
/// <param name="Dst">Destination register, 0..15 as encoded (valid: 0..10).</param>
/// <param name="Src">Source register, 0..15 as encoded.</param>
/// <param name="Offset">Signed 16-bit offset.</param>
/// <param name="Imm">Signed 32-bit immediate.</param>
public readonly record struct BpfInstruction(byte Opcode, byte Dst, byte Src, short Offset, int Imm)
{
    /// <summary>Bytes of a slot.</summary>
    public const int Size = 8;

    public BpfClass Class => (BpfClass)(Opcode & 0x07);

    /// <summary>For ALU, ALU64, JMP, JMP32.</summary>
    public BpfSource Source => (BpfSource)((Opcode >> 3) & 1);

    /// <summary>For ALU and ALU64; values outside of the enum are possible before the structure check.</summary>
    public BpfAluCode AluCode => (BpfAluCode)(Opcode >> 4);

    /// <summary>For JMP and JMP32; values outside of the enum are possible before the structure check.</summary>
    public BpfJumpCode JumpCode => (BpfJumpCode)(Opcode >> 4);

    /// <summary>For LD, LDX, ST, STX.</summary>
    public BpfSize MemorySize => (BpfSize)((Opcode >> 3) & 3);

    /// <summary>For LD, LDX, ST, STX; values outside of the enum are possible before the structure check.</summary>
    public BpfMode Mode => (BpfMode)(Opcode >> 5);

    /// <summary>Bytes that a load, store or atomic instruction moves: 1, 2, 4 or 8.</summary>
    public int MemoryBytes => MemorySize switch
    {
        BpfSize.B => 1,
        BpfSize.H => 2,
        BpfSize.W => 4,
        BpfSize.DW => 8,
    };

    /// <summary>LD | IMM | DW: the first of two slots.</summary>
    public bool IsLoadImmediate64 => Opcode == 0x18;

    public bool IsAtomic => Class == BpfClass.STX && Mode == BpfMode.ATOMIC;

    public bool IsJumpClass => Class is BpfClass.JMP or BpfClass.JMP32;

    public bool IsCall => Class == BpfClass.JMP && JumpCode == BpfJumpCode.CALL;

    /// <summary>Linux's callx: a call through a register (in Dst, as clang encodes it; opcode 0x8d).</summary>
    public bool IsCallIndirect => Opcode == 0x8d;

    public bool IsExit => Class == BpfClass.JMP && JumpCode == BpfJumpCode.EXIT;

    /// <summary>
    /// For a jump (conditional or not, may_goto included; not CALL and EXIT): the offset in slots from the next slot.
    /// JMP32 | JA (gotol) keeps it in the immediate (RFC 9669, 4.3).
    /// </summary>
    public int JumpOffset => Class == BpfClass.JMP32 && JumpCode == BpfJumpCode.JA ? Imm : Offset;
}
