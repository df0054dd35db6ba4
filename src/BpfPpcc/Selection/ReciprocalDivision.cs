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
    /// <summary>
    /// How many of them a function gets outside of loops. One is some three instructions longer than the division; where there are many, a loop
    /// was unrolled of which few rounds run.
    /// </summary>
    private const int MostOutsideOfLoops = 4;

    /// <summary>2^16 + 1, a common size of hash rings.</summary>
    private const uint HalfwordPrime = 65537;

    /// <summary>Selects the quotient or remainder; false if no reciprocal of 32 bits is exact enough.</summary>
    /// <param name="divisor">No power of two.</param>
    public static bool TrySelect(SelectionContext context, IrInstruction value, VirtualRegister result, uint divisor, bool isRemainder)
    {
        int dividendBits = Math.Min(context.Facts.Bits(value.Operands[0]), 32);
        bool isAffordable = context.IsInLoop || context.ReciprocalCount < MostOutsideOfLoops;
        if (!isAffordable || !TryReciprocal(divisor, dividendBits, out uint multiplier, out int shift))
            return false;
        context.ReciprocalCount += context.IsInLoop ? 0 : 1;
        MachineOperand dividend = context.UseLow(value.Operands[0], 32);
        VirtualRegister high = shift == 0 && !isRemainder ? result : context.NewRegister();
        context.Emit(Mulhwu, Def(high), dividend, context.UseImmediate((int)multiplier));
        if (isRemainder && divisor == HalfwordPrime && shift == 16)
        {
            SubtractTwoHalves(context, result, dividend, high);
            return true;
        }

        VirtualRegister quotient = isRemainder && shift != 0 ? context.NewRegister() : shift != 0 ? result : high;
        if (shift != 0)
            context.Emit(Rlwinm, Def(quotient), Use(high), Immediate(32 - shift), Immediate(shift), Immediate(31));
        if (isRemainder)
            SubtractMultiple(context, result, dividend, quotient, divisor);
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

    /// <summary>dividend - quotient * divisor. For 2^n + 1 the quotient and its multiple by 2^n go one by one, so that the shift delays nothing.</summary>
    private static void SubtractMultiple(
        SelectionContext context, VirtualRegister result, MachineOperand dividend, VirtualRegister quotient, uint divisor)
    {
        VirtualRegister multiple = context.NewRegister();
        if (uint.IsPow2(divisor - 1))
        {
            VirtualRegister difference = context.Compute(Subf, Use(quotient), dividend);
            ShiftRules.ShiftLeftImmediate(context, multiple, Use(quotient), (int)uint.TrailingZeroCount(divisor - 1), 32);
            context.Emit(Subf, Def(result), Use(multiple), Use(difference));
            return;
        }

        ArithmeticRules.MultiplyImmediate(context, multiple, Use(quotient), (int)divisor, 32);
        context.Emit(Subf, Def(result), Use(multiple), dividend);
    }

    /// <summary>The quotient is the upper halfword; standing in the lower one, too, it is multiplied by 2^16 + 1.</summary>
    private static void SubtractTwoHalves(SelectionContext context, VirtualRegister result, MachineOperand dividend, VirtualRegister high)
    {
        VirtualRegister multiple = context.NewRegister();
        context.Emit(Rlwimi, Def(multiple), Use(high), Immediate(16), Immediate(16), Immediate(31), TiedUse(high, 0));
        context.Emit(Subf, Def(result), Use(multiple), dividend);
    }
}
