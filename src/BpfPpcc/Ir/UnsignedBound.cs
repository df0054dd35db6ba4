using System.Numerics;

namespace BpfPpcc.Ir;

/// <summary>
/// An upper bound of a value as an unsigned number, from the few operations before it: what array indices that were masked or counted are
/// made of. True of every run, as it rests on the operations alone.
/// </summary>
public static class UnsignedBound
{
    private const int Deepest = 8;

    /// <summary>What a step to the start of a counted value takes of the depth, as it is looked at from several sides.</summary>
    private const int StartDepth = 3;

    /// <summary>The low <paramref name="bits"/> bits (32 or 64) of the value are, unsigned, at most this.</summary>
    public static ulong Of(IrInstruction value, int bits) => Of(value, bits, 0);

    private static ulong Of(IrInstruction value, int bits, int depth)
    {
        ulong all = Ones(bits);
        if (depth == Deepest || (IrRules.IsArithmetic(value.Opcode) && value.Width < bits))
            return all;
        switch (value.Opcode)
        {
            case IrOpcode.Constant:
                return (ulong)value.Immediate & all;
            case IrOpcode.ZeroExtend:
                ulong source = Of(value.Operands[0], 32, depth + 1);
                return source <= Ones(value.Width) ? source : Ones(value.Width);
            case IrOpcode.Load when !value.IsSigned && value.Width < bits:
            case IrOpcode.ByteSwap when value.Width < bits:
                return Ones(value.Width);
            case IrOpcode.And:
                return Math.Min(Of(value.Operands[0], bits, depth + 1), Of(value.Operands[1], bits, depth + 1));
            case IrOpcode.UnsignedRemainder when value.Width == bits && value.Operands[1] is { Opcode: IrOpcode.Constant } divisor:
                ulong modulus = (ulong)divisor.Immediate & all;
                return modulus == 0 ? all : modulus - 1;
            case IrOpcode.Add when value.Operands[1] is { Opcode: IrOpcode.Constant, Immediate: < 0 and > int.MinValue } less
                && Least(value.Operands[0], depth) + less.Immediate >= 0:
                return Of(value.Operands[0], bits, depth + 1) + (ulong)less.Immediate;
            case IrOpcode.Add when bits == 64:
                return Sum(Of(value.Operands[0], 64, depth + 1), Of(value.Operands[1], 64, depth + 1));
            case IrOpcode.ShiftLeft when bits == 64 && value.Operands[1] is { Opcode: IrOpcode.Constant } count:
                int left = (int)count.Immediate & 63;
                ulong shifted = Of(value.Operands[0], 64, depth + 1);
                return shifted <= ulong.MaxValue >> left ? shifted << left : all;
            case IrOpcode.ShiftRightLogical when value.Width == bits && value.Operands[1] is { Opcode: IrOpcode.Constant } count:
                return Of(value.Operands[0], bits, depth + 1) >> ((int)count.Immediate & (bits - 1));
            case IrOpcode.Multiply when bits == 64 && value.Operands[1] is { Opcode: IrOpcode.Constant, Immediate: > 0 } factor:
                ulong multiplied = Of(value.Operands[0], 64, depth + 1);
                return multiplied <= ulong.MaxValue / (ulong)factor.Immediate ? multiplied * (ulong)factor.Immediate : all;
            case IrOpcode.Or or IrOpcode.Xor:
                ulong either = Of(value.Operands[0], bits, depth + 1) | Of(value.Operands[1], bits, depth + 1);
                return either == 0 ? 0 : ulong.MaxValue >> BitOperations.LeadingZeroCount(either);
            case IrOpcode.Phi when TryCounted(value, bits, out InductionVariable variable) && variable.TryRange(depth, out _, out long highest):
                return (ulong)highest;
            default:
                return all;
        }
    }

    /// <summary>The bound of what another value starts at.</summary>
    internal static ulong OfStart(IrInstruction start, int bits, int depth) => Of(start, bits, Math.Min(Deepest, depth + StartDepth));

    /// <summary>What the start of another value is never below.</summary>
    internal static long LeastOfStart(IrInstruction start, int depth) => depth + StartDepth >= Deepest ? 0 : Least(start, depth + StartDepth);

    /// <summary>A value that this one, which is small then, is never below; 0 if none is known.</summary>
    private static long Least(IrInstruction value, int depth)
    {
        if (value is { Opcode: IrOpcode.Constant, Immediate: > 0 and < 1 << 30 })
            return value.Immediate;
        return TryCounted(value, value.Width, out InductionVariable variable) && variable.TryRange(depth, out long lowest, out _)
            ? lowest : 0;
    }

    private static bool TryCounted(IrInstruction value, int bits, out InductionVariable variable) => value.Width == 64
        ? InductionVariable.TryMatch(value, out variable)
        : InductionVariable.TryMatchWord(value, out variable) && bits <= 32;

    private static ulong Ones(int bits) => ulong.MaxValue >> (64 - bits);

    private static ulong Sum(ulong a, ulong b) => a <= ulong.MaxValue - b ? a + b : ulong.MaxValue;
}
