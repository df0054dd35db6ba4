using System.Buffers.Binary;

namespace BpfPpcc.Tests.Execution;

/// <summary>One 8-byte instruction slot of a test program (RFC 9669, 3), with the tests' own encoding and makers of every form.</summary>
public readonly record struct Slot(byte Opcode, int Dst, int Src, int Offset, int Imm)
{
    public const int Size = 8;

    public static Slot Nop => Goto(0);

    public bool IsLoadImmediate64 => Opcode == 0x18;

    public bool IsExit => Opcode == 0x95;

    public bool IsUnconditionalJump => Opcode is 0x05 or 0x06;

    /// <summary>Jumps of JMP and JMP32 except calls and exit; may_goto too.</summary>
    public bool IsJump => (Opcode & 7) is 5 or 6 && Opcode is not (0x85 or 0x8d or 0x95);

    /// <summary>Of a jump: slots from the next one.</summary>
    public int JumpOffset => Opcode == 0x06 ? Imm : Offset;

    public Slot WithJumpOffset(int offset) => Opcode == 0x06 ? this with { Imm = offset } : this with { Offset = offset };

    /// <summary>A conditional jump taken when this one is not; jset has no opposite and stays.</summary>
    public Slot Negated()
    {
        int opposite = (Opcode >> 4) switch
        {
            0x1 => 0x5,
            0x5 => 0x1,
            0x2 => 0xb,
            0xb => 0x2,
            0x3 => 0xa,
            0xa => 0x3,
            0x6 => 0xd,
            0xd => 0x6,
            0x7 => 0xc,
            0xc => 0x7,
            int same => same,
        };
        return this with { Opcode = (byte)(opposite << 4 | Opcode & 15) };
    }

    public static Slot Alu(int operation, bool is64, int dst, int src, int offset = 0) =>
        new((byte)(operation << 4 | 8 | (is64 ? 7 : 4)), dst, src, offset, 0);

    public static Slot AluImm(int operation, bool is64, int dst, int imm, int offset = 0) =>
        new((byte)(operation << 4 | (is64 ? 7 : 4)), dst, 0, offset, imm);

    public static Slot Mov(int dst, int src) => Alu(0xb, true, dst, src);

    public static Slot MovImm(int dst, int imm) => AluImm(0xb, true, dst, imm);

    public static Slot Add(int dst, int src) => Alu(0x0, true, dst, src);

    public static Slot AddImm(int dst, int imm) => AluImm(0x0, true, dst, imm);

    public static Slot ToLittleEndian(int dst, int bits) => new(0xd4, dst, 0, 0, bits);

    public static Slot ToBigEndian(int dst, int bits) => new(0xdc, dst, 0, 0, bits);

    public static Slot ByteSwap(int dst, int bits) => new(0xd7, dst, 0, 0, bits);

    /// <summary>The two slots of a 64-bit immediate.</summary>
    public static Slot[] LoadImmediate64(int dst, ulong value, int src = 0) =>
        [new(0x18, dst, src, 0, (int)(uint)value), new(0, 0, 0, 0, (int)(value >> 32))];

    public static Slot Load(int size, int dst, int src, int offset) => new((byte)(0x61 | SizeBits(size)), dst, src, offset, 0);

    public static Slot LoadSigned(int size, int dst, int src, int offset) => new((byte)(0x81 | SizeBits(size)), dst, src, offset, 0);

    public static Slot Store(int size, int dst, int offset, int src) => new((byte)(0x63 | SizeBits(size)), dst, src, offset, 0);

    public static Slot StoreImm(int size, int dst, int offset, int imm) => new((byte)(0x62 | SizeBits(size)), dst, 0, offset, imm);

    public static Slot Atomic(int size, int operation, int dst, int offset, int src) => new((byte)(0xc3 | SizeBits(size)), dst, src, offset, operation);

    public static Slot LoadAcquire(int size, int dst, int src, int offset) => Atomic(size, 0x100, dst, offset, src);

    public static Slot StoreRelease(int size, int dst, int offset, int src) => Atomic(size, 0x110, dst, offset, src);

    public static Slot LoadAbsolute(int size, int imm) => new((byte)(0x20 | SizeBits(size)), 0, 0, 0, imm);

    public static Slot LoadIndirect(int size, int src, int imm) => new((byte)(0x40 | SizeBits(size)), 0, src, 0, imm);

    public static Slot Goto(int offset) => new(0x05, 0, 0, offset, 0);

    public static Slot GotoLong(int offset) => new(0x06, 0, 0, 0, offset);

    public static Slot MayGoto(int offset) => new(0xe5, 0, 0, offset, 0);

    public static Slot Jump(int code, bool is64, int dst, int src, int offset) =>
        new((byte)(code << 4 | 8 | (is64 ? 5 : 6)), dst, src, offset, 0);

    public static Slot JumpImm(int code, bool is64, int dst, int imm, int offset) =>
        new((byte)(code << 4 | (is64 ? 5 : 6)), dst, 0, offset, imm);

    public static Slot CallHelper(int id) => new(0x85, 0, 0, 0, id);

    /// <summary>A call by offset; where it goes is the relocation's to say.</summary>
    public static Slot CallLocal(int imm = -1) => new(0x85, 0, 1, 0, imm);

    public static Slot CallRegister(int register) => new(0x8d, register, 0, 0, 0);

    public static Slot Exit => new(0x95, 0, 0, 0, 0);

    public void Encode(Span<byte> to, bool isBigEndian = false)
    {
        to[0] = Opcode;
        if (isBigEndian)
        {
            to[1] = (byte)(Dst << 4 | Src);
            BinaryPrimitives.WriteInt16BigEndian(to[2..], (short)Offset);
            BinaryPrimitives.WriteInt32BigEndian(to[4..], Imm);
        }
        else
        {
            to[1] = (byte)(Src << 4 | Dst);
            BinaryPrimitives.WriteInt16LittleEndian(to[2..], (short)Offset);
            BinaryPrimitives.WriteInt32LittleEndian(to[4..], Imm);
        }
    }

    public static Slot Decode(ReadOnlySpan<byte> from) => new(
        from[0], from[1] & 15, from[1] >> 4, BinaryPrimitives.ReadInt16LittleEndian(from[2..]), BinaryPrimitives.ReadInt32LittleEndian(from[4..]));

    private static int SizeBits(int size) => size switch
    {
        4 => 0x00,
        2 => 0x08,
        1 => 0x10,
        8 => 0x18,
        _ => throw new ArgumentOutOfRangeException(nameof(size)),
    };
}
