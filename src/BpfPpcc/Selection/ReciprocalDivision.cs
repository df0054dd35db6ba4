using BpfPpcc.Ir;
using BpfPpcc.Mir;
using static BpfPpcc.Mir.MachineOperand;
using static BpfPpcc.Ppc64.Ppc64Opcode;

namespace BpfPpcc.Selection;

/// <summary>
/// Unsigned 32-bit division by a constant as a multiplication by its rounded-up reciprocal, a fifth of the latency of a division
/// (T. Granlund and P. Montgomery, "Division by Invariant Integers using Multiplication", 1994, theorem 4.2).
/// </summary>
internal static class ReciprocalDivision
{
    /// <summary>Selects the quotient or remainder; false if no reciprocal of 32 bits is exact enough.</summary>
    /// <param name="divisor">No power of two.</param>
    public static bool TrySelect(SelectionContext context, IrInstruction value, VirtualRegister result, uint divisor, bool isRemainder)
    {
        int dividendBits = Math.Min(context.Facts.Bits(value.Operands[0]), 32);
        if (!TryReciprocal(divisor, dividendBits, out uint multiplier, out int shift))
            return false;
        MachineOperand dividend = context.UseLow(value.Operands[0], 32);
        VirtualRegister high = shift == 0 && !isRemainder ? result : context.NewRegister();
        context.Emit(Mulhwu, Def(high), dividend, context.UseImmediate((int)multiplier));
        VirtualRegister quotient = isRemainder && shift != 0 ? context.NewRegister() : shift != 0 ? result : high;
        if (shift != 0)
            context.Emit(Rlwinm, Def(quotient), Use(high), Immediate(32 - shift), Immediate(shift), Immediate(31));
        if (!isRemainder)
            return true;
        context.Emit(Subf, Def(result), Multiple(context, quotient, divisor), dividend);
        return true;
    }

    /// <summary>
    /// multiplier / 2^(32 + shift) is above 1 / divisor by so little that the quotient of no dividend below 2^dividendBits sees it.
    /// </summary>
    internal static bool TryReciprocal(uint divisor, int dividendBits, out uint multiplier, out int shift)
    {
        for (shift = 0; shift < 32; shift++)
        {
            ulong power = 1UL << (32 + shift);
            ulong rounded = (power + divisor - 1) / divisor;
            if (rounded > uint.MaxValue)
                break;
            multiplier = (uint)rounded;
            if (rounded * divisor - power <= 1UL << (32 + shift - dividendBits))
                return true;
        }

        multiplier = 0;
        return false;
    }

    /// <summary>quotient * divisor, by a shift and an addition if those do it.</summary>
    private static MachineOperand Multiple(SelectionContext context, VirtualRegister quotient, uint divisor)
    {
        VirtualRegister product = context.NewRegister();
        if (!uint.IsPow2(divisor - 1))
        {
            ArithmeticRules.MultiplyImmediate(context, product, Use(quotient), (int)divisor, 32);
            return Use(product);
        }

        VirtualRegister shifted = context.NewRegister();
        ShiftRules.ShiftLeftImmediate(context, shifted, Use(quotient), (int)uint.TrailingZeroCount(divisor - 1), 32);
        context.Emit(Add, Def(product), Use(shifted), Use(quotient));
        return Use(product);
    }
}
