using System.Buffers.Binary;

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

    /// <summary>
    /// The register that the instruction writes, or -1. A call and LD_ABS/LD_IND write r0 and leave r1..r5 unusable; callx and CALL are
    /// not told apart here. CMPXCHG writes r0, the other fetching atomics their source register.
    /// </summary>
    public int WrittenRegister => Class switch
    {
        BpfClass.ALU or BpfClass.ALU64 or BpfClass.LDX => Dst,
        BpfClass.LD => IsLoadImmediate64 ? Dst : 0,
        BpfClass.ST => -1,
        BpfClass.STX => !IsAtomic ? -1 : Imm switch
        {
            BpfAtomic.LOAD_ACQ => Dst,
            BpfAtomic.STORE_REL => -1,
            BpfAtomic.CMPXCHG => 0,
            _ => (Imm & BpfAtomic.FETCH) != 0 ? Src : -1,
        },
        BpfClass.JMP or BpfClass.JMP32 => IsCall ? 0 : -1,
    };

    /// <summary>The 64-bit constant of an LD_IMM64 whose second slot is <paramref name="second"/> (RFC 9669, 5.4).</summary>
    public ulong LoadImmediate64Value(BpfInstruction second) => (ulong)(uint)second.Imm << 32 | (uint)Imm;

    /// <summary>
    /// Reads one slot from its first eight bytes. In big-endian programs the two numbers and the two register nibbles are the other way
    /// round (RFC 9669, 3).
    /// </summary>
    public static BpfInstruction Decode(ReadOnlySpan<byte> slot, bool isBigEndian)
    {
        byte low = (byte)(slot[1] & 15);
        byte high = (byte)(slot[1] >> 4);
        return isBigEndian
            ? new BpfInstruction(
                slot[0], high, low, BinaryPrimitives.ReadInt16BigEndian(slot[2..]), BinaryPrimitives.ReadInt32BigEndian(slot[4..]))
            : new BpfInstruction(
                slot[0], low, high, BinaryPrimitives.ReadInt16LittleEndian(slot[2..]), BinaryPrimitives.ReadInt32LittleEndian(slot[4..]));
    }

    /// <summary>Writes the slot to the first eight bytes of <paramref name="slot"/>; the inverse of <see cref="Decode"/>.</summary>
    public void Encode(Span<byte> slot, bool isBigEndian)
    {
        slot[0] = Opcode;
        if (isBigEndian)
        {
            slot[1] = (byte)(Dst << 4 | Src);
            BinaryPrimitives.WriteInt16BigEndian(slot[2..], Offset);
            BinaryPrimitives.WriteInt32BigEndian(slot[4..], Imm);
        }
        else
        {
            slot[1] = (byte)(Src << 4 | Dst);
            BinaryPrimitives.WriteInt16LittleEndian(slot[2..], Offset);
            BinaryPrimitives.WriteInt32LittleEndian(slot[4..], Imm);
        }
    }
}
