using System.Buffers.Binary;

namespace BpfPpcc.Bpf;

/// <summary>
/// What the arithmetic, byte-swap and compare instructions compute (RFC 9669, 4): the one place that knows wrap-around, shift masking and
/// the results of division by zero. 32-bit forms take the low halves of their operands and return a zero-extended result. Immediates
/// come in sign-extended to 64 bits.
/// </summary>
public static class BpfSemantics
{
    /// <summary>
    /// ALU64: <paramref name="a"/> op <paramref name="b"/>. NEG looks at <paramref name="a"/> only, MOV at <paramref name="b"/> only.
    /// END is not among the operations: see the byte-order functions below.
    /// </summary>
    /// <param name="isSigned">DIV and MOD only: the signed forms (offset 1).</param>
    public static ulong Alu64(BpfAluCode code, ulong a, ulong b, bool isSigned = false) => code switch
    {
        BpfAluCode.ADD => unchecked(a + b),
        BpfAluCode.SUB => unchecked(a - b),
        BpfAluCode.MUL => unchecked(a * b),
        BpfAluCode.DIV => isSigned ? (ulong)SignedDivide((long)a, (long)b) : b == 0 ? 0 : a / b,
        BpfAluCode.OR => a | b,
        BpfAluCode.AND => a & b,
        BpfAluCode.LSH => a << (int)(b & 63),
        BpfAluCode.RSH => a >> (int)(b & 63),
        BpfAluCode.NEG => unchecked(0 - a),
        BpfAluCode.MOD => isSigned ? (ulong)SignedModulo((long)a, (long)b) : b == 0 ? a : a % b,
        BpfAluCode.XOR => a ^ b,
        BpfAluCode.MOV => b,
        BpfAluCode.ARSH => (ulong)((long)a >> (int)(b & 63)),
        BpfAluCode.END => throw new InvalidOperationException("END is not an operation on two values"),
    };

    /// <summary>ALU: as <see cref="Alu64"/> on the low 32 bits; the upper half of the result is zero.</summary>
    public static ulong Alu32(BpfAluCode code, ulong a, ulong b, bool isSigned = false)
    {
        uint x = (uint)a;
        uint y = (uint)b;
        return code switch
        {
            BpfAluCode.ADD => unchecked(x + y),
            BpfAluCode.SUB => unchecked(x - y),
            BpfAluCode.MUL => unchecked(x * y),
            BpfAluCode.DIV => isSigned ? (uint)SignedDivide((int)x, (int)y) : y == 0 ? 0 : x / y,
            BpfAluCode.OR => x | y,
            BpfAluCode.AND => x & y,
            BpfAluCode.LSH => x << (int)(y & 31),
            BpfAluCode.RSH => x >> (int)(y & 31),
            BpfAluCode.NEG => unchecked(0 - x),
            BpfAluCode.MOD => isSigned ? (uint)SignedModulo((int)x, (int)y) : y == 0 ? x : x % y,
            BpfAluCode.XOR => x ^ y,
            BpfAluCode.MOV => y,
            BpfAluCode.ARSH => (uint)((int)x >> (int)(y & 31)),
            BpfAluCode.END => throw new InvalidOperationException("END is not an operation on two values"),
        };
    }

    /// <summary>The low <paramref name="width"/> bits (8, 16, 32) sign-extended to 64: MOVSX of ALU64, MEMSX loads.</summary>
    public static ulong SignExtend64(int width, ulong value) => width switch
    {
        8 => (ulong)(sbyte)value,
        16 => (ulong)(short)value,
        32 => (ulong)(int)value,
        _ => throw new InvalidOperationException($"no sign extension from {width} bits"),
    };

    /// <summary>The low <paramref name="width"/> bits (8, 16) sign-extended to 32 and zero-extended from there: MOVSX of ALU.</summary>
    public static ulong SignExtend32(int width, ulong value) => (uint)SignExtend64(width, value);

    /// <summary>The low <paramref name="width"/> bits (16, 32, 64) with their bytes reversed, zero-extended: END of ALU64 (bswap).</summary>
    public static ulong ByteSwap(int width, ulong value) => width switch
    {
        16 => BinaryPrimitives.ReverseEndianness((ushort)value),
        32 => BinaryPrimitives.ReverseEndianness((uint)value),
        64 => BinaryPrimitives.ReverseEndianness(value),
        _ => throw new InvalidOperationException($"no byte swap of {width} bits"),
    };

    /// <summary>END with source K (le16, le32, le64): host order to little-endian; truncates where nothing is to be swapped.</summary>
    public static ulong ToLittleEndian(int width, ulong value, bool isBigEndianHost) =>
        isBigEndianHost ? ByteSwap(width, value) : ZeroExtend(width, value);

    /// <summary>END with source X (be16, be32, be64): host order to big-endian; truncates where nothing is to be swapped.</summary>
    public static ulong ToBigEndian(int width, ulong value, bool isBigEndianHost) =>
        isBigEndianHost ? ZeroExtend(width, value) : ByteSwap(width, value);

    /// <summary>
    /// Whether a conditional jump is taken: JMP compares 64 bits, JMP32 (<paramref name="is32"/>) the low 32. JA, CALL, EXIT and JCOND
    /// compare nothing and are not among the conditions.
    /// </summary>
    public static bool Compare(BpfJumpCode code, bool is32, ulong a, ulong b)
    {
        ulong x = is32 ? (uint)a : a;
        ulong y = is32 ? (uint)b : b;
        long signedX = is32 ? (int)a : (long)a;
        long signedY = is32 ? (int)b : (long)b;
        return code switch
        {
            BpfJumpCode.JEQ => x == y,
            BpfJumpCode.JGT => x > y,
            BpfJumpCode.JGE => x >= y,
            BpfJumpCode.JSET => (x & y) != 0,
            BpfJumpCode.JNE => x != y,
            BpfJumpCode.JSGT => signedX > signedY,
            BpfJumpCode.JSGE => signedX >= signedY,
            BpfJumpCode.JLT => x < y,
            BpfJumpCode.JLE => x <= y,
            BpfJumpCode.JSLT => signedX < signedY,
            BpfJumpCode.JSLE => signedX <= signedY,
            BpfJumpCode.JA or BpfJumpCode.CALL or BpfJumpCode.EXIT or BpfJumpCode.JCOND =>
                throw new InvalidOperationException($"{code} is not a comparison"),
        };
    }

    private static ulong ZeroExtend(int width, ulong value) => width switch
    {
        16 => (ushort)value,
        32 => (uint)value,
        64 => value,
        _ => throw new InvalidOperationException($"no byte order of {width} bits"),
    };

    /// <summary>RFC 9669, 4.1: by zero gives 0, the least value by -1 gives the least value (where C# and C trap).</summary>
    private static long SignedDivide(long a, long b) => b switch
    {
        0 => 0,
        -1 => unchecked(-a),
        _ => a / b,
    };

    private static int SignedDivide(int a, int b) => b switch
    {
        0 => 0,
        -1 => unchecked(-a),
        _ => a / b,
    };

    /// <summary>RFC 9669, 4.1: by zero gives the dividend, by -1 gives 0; otherwise the result has the dividend's sign.</summary>
    private static long SignedModulo(long a, long b) => b switch
    {
        0 => a,
        -1 => 0,
        _ => a % b,
    };

    private static int SignedModulo(int a, int b) => b switch
    {
        0 => a,
        -1 => 0,
        _ => a % b,
    };
}
