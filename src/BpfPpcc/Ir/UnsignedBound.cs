namespace BpfPpcc.Ir;

/// <summary>
/// An upper bound of a value as an unsigned number, from the few operations before it: what array indices that were masked or counted are
/// made of. True of every run, as it rests on the operations alone.
/// </summary>
public static class UnsignedBound
{
    private const int Deepest = 8;

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
            case IrOpcode.Phi when InductionVariable.TryMatch(value, out InductionVariable variable) && variable.TryHighest(out long highest):
                return (ulong)highest;
            default:
                return all;
        }
    }

    private static ulong Ones(int bits) => ulong.MaxValue >> (64 - bits);

    private static ulong Sum(ulong a, ulong b) => a <= ulong.MaxValue - b ? a + b : ulong.MaxValue;
}
