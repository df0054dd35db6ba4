using System.Numerics;
using BpfPpcc.Bpf;
using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>What operations compute from constants. Results of width 32 come sign-extended, which is how constants stand where 32 bits count.</summary>
internal static class ConstantFolding
{
    /// <summary>The low <paramref name="bits"/> bits sign-extended: the one constant that stands for all that agree in them.</summary>
    public static long Canonical(long value, int bits) => bits == 64 ? value : value << (64 - bits) >> (64 - bits);

    /// <summary>The arithmetic operation <paramref name="opcode"/> of two constants; of the first, for Negate.</summary>
    public static long Arithmetic(IrOpcode opcode, int width, long left, long right)
    {
        if (opcode is IrOpcode.RotateLeft or IrOpcode.MultiplyHighUnsigned or IrOpcode.MultiplyHighSigned)
            return width == 32 ? WithoutBpf32(opcode, (uint)left, (uint)right) : WithoutBpf64(opcode, left, right);
        (BpfAluCode code, bool isSigned) = BpfOperation(opcode);
        return width == 32
            ? Canonical((long)BpfSemantics.Alu32(code, (ulong)left, (ulong)right, isSigned), 32)
            : (long)BpfSemantics.Alu64(code, (ulong)left, (ulong)right, isSigned);
    }

    public static long ZeroExtend(int width, long value) => value & (long)(ulong.MaxValue >> (64 - width));

    public static long SignExtend(int width, long value) => Canonical(value, width);

    public static long ByteSwap(int width, long value) => (long)BpfSemantics.ByteSwap(width, (ulong)value);

    /// <summary>Whether the condition holds between two constants, compared at <paramref name="width"/> bits.</summary>
    public static bool Compare(IrCondition condition, int width, long left, long right)
    {
        if (condition == IrCondition.TestZero)
            return !Compare(IrCondition.Test, width, left, right);
        return BpfSemantics.Compare(BpfComparison(condition), width == 32, (ulong)left, (ulong)right);
    }

    private static (BpfAluCode Code, bool IsSigned) BpfOperation(IrOpcode opcode) => opcode switch
    {
        IrOpcode.Add => (BpfAluCode.ADD, false),
        IrOpcode.Subtract => (BpfAluCode.SUB, false),
        IrOpcode.Multiply => (BpfAluCode.MUL, false),
        IrOpcode.UnsignedDivide => (BpfAluCode.DIV, false),
        IrOpcode.UnsignedRemainder => (BpfAluCode.MOD, false),
        IrOpcode.SignedDivide => (BpfAluCode.DIV, true),
        IrOpcode.SignedRemainder => (BpfAluCode.MOD, true),
        IrOpcode.And => (BpfAluCode.AND, false),
        IrOpcode.Or => (BpfAluCode.OR, false),
        IrOpcode.Xor => (BpfAluCode.XOR, false),
        IrOpcode.ShiftLeft => (BpfAluCode.LSH, false),
        IrOpcode.ShiftRightLogical => (BpfAluCode.RSH, false),
        IrOpcode.ShiftRightArithmetic => (BpfAluCode.ARSH, false),
        IrOpcode.Negate => (BpfAluCode.NEG, false),
        IrOpcode.Constant or IrOpcode.Undefined or IrOpcode.Argument or IrOpcode.StackAddress or IrOpcode.SymbolAddress or IrOpcode.Phi
            or IrOpcode.RotateLeft or IrOpcode.MultiplyHighUnsigned or IrOpcode.MultiplyHighSigned or IrOpcode.Select
            or IrOpcode.ZeroExtend or IrOpcode.SignExtend or IrOpcode.ByteSwap or IrOpcode.Load or IrOpcode.Store
            or IrOpcode.AtomicReadModifyWrite or IrOpcode.AtomicCompareExchange or IrOpcode.CallExtern or IrOpcode.CallLocal
            or IrOpcode.CallIndirect or IrOpcode.TailCall or IrOpcode.Jump or IrOpcode.Branch or IrOpcode.Return
            or IrOpcode.Unreachable => throw new InvalidOperationException($"{opcode} is not an operation of BPF on two values"),
    };

    private static BpfJumpCode BpfComparison(IrCondition condition) => condition switch
    {
        IrCondition.Equal => BpfJumpCode.JEQ,
        IrCondition.NotEqual => BpfJumpCode.JNE,
        IrCondition.UnsignedLess => BpfJumpCode.JLT,
        IrCondition.UnsignedLessOrEqual => BpfJumpCode.JLE,
        IrCondition.UnsignedGreater => BpfJumpCode.JGT,
        IrCondition.UnsignedGreaterOrEqual => BpfJumpCode.JGE,
        IrCondition.SignedLess => BpfJumpCode.JSLT,
        IrCondition.SignedLessOrEqual => BpfJumpCode.JSLE,
        IrCondition.SignedGreater => BpfJumpCode.JSGT,
        IrCondition.SignedGreaterOrEqual => BpfJumpCode.JSGE,
        IrCondition.Test => BpfJumpCode.JSET,
        IrCondition.None or IrCondition.TestZero => throw new InvalidOperationException($"{condition} is not a comparison of BPF"),
    };

    private static long WithoutBpf64(IrOpcode opcode, long left, long right) => opcode switch
    {
        IrOpcode.RotateLeft => (long)BitOperations.RotateLeft((ulong)left, (int)(right & 63)),
        IrOpcode.MultiplyHighUnsigned => (long)Math.BigMul((ulong)left, (ulong)right, out _),
        _ => Math.BigMul(left, right, out _),
    };

    private static long WithoutBpf32(IrOpcode opcode, uint left, uint right) => opcode switch
    {
        IrOpcode.RotateLeft => (int)BitOperations.RotateLeft(left, (int)(right & 31)),
        IrOpcode.MultiplyHighUnsigned => (int)((ulong)left * right >> 32),
        _ => (int)((long)(int)left * (int)right >> 32),
    };
}
