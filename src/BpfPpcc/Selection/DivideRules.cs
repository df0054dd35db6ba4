using System.Numerics;
using BpfPpcc.Ir;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using static BpfPpcc.Mir.MachineOperand;
using static BpfPpcc.Ppc64.Ppc64Opcode;

namespace BpfPpcc.Selection;

/// <summary>
/// Division and remainder. The Power instructions do not trap, but give something undefined for a division by zero and for the quotient
/// INT_MIN / -1 (Power ISA book I, 3.3.9); BPF defines both (RFC 9669, 4.1), so the result is chosen by isel unless the divisor is a
/// constant or proved to be neither. The word forms read low halves only and leave the upper half undefined, which an I32 allows.
/// </summary>
internal static class DivideRules
{
    public static void Select(SelectionContext context, IrInstruction value, VirtualRegister result)
    {
        if (ValueFacts.TryConstant(value.Operands[1], out long constant))
        {
            if (IsSigned(value))
                DivideSignedImmediate(context, value, result, ArithmeticRules.Truncate(constant, value.Width));
            else
                DivideUnsignedImmediate(context, value, result, value.Width == 32 ? (uint)constant : (ulong)constant);
        }
        else if (value.PlainDivisor == value.Operands[1])
        {
            EmitDivision(context, value, result, UseOperand(context, value, 0), UseOperand(context, value, 1));
        }
        else if (IsSigned(value))
        {
            DivideSigned(context, value, result);
        }
        else
        {
            DivideUnsigned(context, value, result);
        }
    }

    private static bool IsSigned(IrInstruction value) => value.Opcode is IrOpcode.SignedDivide or IrOpcode.SignedRemainder;

    private static bool IsRemainder(IrInstruction value) => value.Opcode is IrOpcode.UnsignedRemainder or IrOpcode.SignedRemainder;

    private static MachineOperand UseOperand(SelectionContext context, IrInstruction value, int index) =>
        context.UseLow(value.Operands[index], value.Width);

    /// <summary>divisor == 0 ? (0 or dividend) : quotient or remainder.</summary>
    private static void DivideUnsigned(SelectionContext context, IrInstruction value, VirtualRegister result)
    {
        MachineOperand dividend = UseOperand(context, value, 0);
        MachineOperand divisor = UseOperand(context, value, 1);
        context.Emit(value.Width == 32 ? Cmplwi : Cmpldi, CrField(0), divisor, Immediate(0));
        VirtualRegister regular = context.NewRegister();
        EmitDivision(context, value, regular, dividend, divisor);
        MachineOperand byZero = IsRemainder(value) ? dividend : Zero;
        context.Emit(Isel, Def(result), byZero, Use(regular), CrBit(CrBits.Eq));
    }

    /// <summary>
    /// One unsigned comparison of divisor + 1 with 1 finds both special divisors, 0 and -1. Their results come without a branch: the
    /// quotient -(dividend &amp; divisor) is 0 for 0 and -dividend for -1, the remainder dividend &amp; ~divisor is the dividend for 0
    /// and 0 for -1.
    /// </summary>
    private static void DivideSigned(SelectionContext context, IrInstruction value, VirtualRegister result)
    {
        MachineOperand dividend = UseOperand(context, value, 0);
        MachineOperand divisor = UseOperand(context, value, 1);
        VirtualRegister next = context.Compute(Addi, divisor, Immediate(1));
        context.Emit(value.Width == 32 ? Cmplwi : Cmpldi, CrField(0), Use(next), Immediate(1));
        VirtualRegister regular = context.NewRegister();
        EmitDivision(context, value, regular, dividend, divisor);
        VirtualRegister special = context.NewRegister();
        if (IsRemainder(value))
            context.Emit(Andc, Def(special), dividend, divisor);
        else
            context.Emit(Neg, Def(special), Use(context.Compute(And, dividend, divisor)));
        context.Emit(Isel, Def(result), Use(regular), Use(special), CrBit(CrBits.Gt));
    }

    /// <summary>Quotient or remainder for a divisor with which the instructions give it.</summary>
    private static void EmitDivision(
        SelectionContext context, IrInstruction value, VirtualRegister result, MachineOperand dividend, MachineOperand divisor)
    {
        bool isWord = value.Width == 32;
        Ppc64Opcode divide = IsSigned(value) ? (isWord ? Divw : Divd) : (isWord ? Divwu : Divdu);
        if (!IsRemainder(value))
        {
            context.Emit(divide, Def(result), dividend, divisor);
            return;
        }

        if (context.Target.Cpu >= Ppc64Cpu.Power9)
        {
            Ppc64Opcode modulo = IsSigned(value) ? (isWord ? Modsw : Modsd) : (isWord ? Moduw : Modud);
            context.Emit(modulo, Def(result), dividend, divisor);
            return;
        }

        VirtualRegister quotient = context.Compute(divide, dividend, divisor);
        VirtualRegister product = context.Compute(ArithmeticRules.MultiplyOpcode(value.Width), Use(quotient), divisor);
        context.Emit(Subf, Def(result), Use(product), dividend);
    }

    private static void DivideUnsignedImmediate(SelectionContext context, IrInstruction value, VirtualRegister result, ulong divisor)
    {
        if (divisor == 0)
            SelectTrivial(context, value, result, isResultDividend: IsRemainder(value));
        else if (divisor == 1)
            SelectTrivial(context, value, result, isResultDividend: !IsRemainder(value));
        else if (BitOperations.IsPow2(divisor))
            DivideByPowerOfTwo(context, value, result, BitOperations.TrailingZeroCount(divisor));
        else if (value.Width == 32 && ReciprocalDivision.TrySelect(context, value, result, (uint)divisor, IsRemainder(value)))
            return;
        else
            EmitDivision(context, value, result, UseOperand(context, value, 0), UseDivisor(context, value, (long)divisor));
    }

    private static void DivideSignedImmediate(SelectionContext context, IrInstruction value, VirtualRegister result, long divisor)
    {
        if (divisor == 0)
            SelectTrivial(context, value, result, isResultDividend: IsRemainder(value));
        else if (divisor == 1)
            SelectTrivial(context, value, result, isResultDividend: !IsRemainder(value));
        else if (divisor == -1 && IsRemainder(value))
            context.LoadImmediate(result, 0);
        else if (divisor == -1)
            context.Emit(Neg, Def(result), UseOperand(context, value, 0));
        else if (divisor > 0 && long.IsPow2(divisor))
            DivideSignedByPowerOfTwo(context, value, result, (int)long.TrailingZeroCount(divisor));
        else
            EmitDivision(context, value, result, UseOperand(context, value, 0), UseDivisor(context, value, divisor));
    }

    /// <summary>The result is the dividend or 0.</summary>
    private static void SelectTrivial(SelectionContext context, IrInstruction value, VirtualRegister result, bool isResultDividend)
    {
        if (isResultDividend)
            context.Copy(result, context.Register(value.Operands[0]));
        else
            context.LoadImmediate(result, 0);
    }

    private static MachineOperand UseDivisor(SelectionContext context, IrInstruction value, long divisor) =>
        context.UseImmediate(ArithmeticRules.Truncate(divisor, value.Width));

    private static void DivideByPowerOfTwo(SelectionContext context, IrInstruction value, VirtualRegister result, int exponent)
    {
        MachineOperand dividend = UseOperand(context, value, 0);
        if (IsRemainder(value))
            context.Emit(Rldicl, Def(result), dividend, Immediate(0), Immediate(64 - exponent));
        else if (value.Width == 32)
            context.Emit(Rlwinm, Def(result), dividend, Immediate(32 - exponent), Immediate(exponent), Immediate(31));
        else
            context.Emit(Rldicl, Def(result), dividend, Immediate(64 - exponent), Immediate(exponent));
    }

    /// <summary>
    /// The arithmetic shift rounds down and leaves in CA whether a negative dividend lost ones, which is when the quotient is one more.
    /// </summary>
    private static void DivideSignedByPowerOfTwo(SelectionContext context, IrInstruction value, VirtualRegister result, int exponent)
    {
        MachineOperand dividend = UseOperand(context, value, 0);
        VirtualRegister shifted = context.Compute(value.Width == 32 ? Srawi : Sradi, dividend, Immediate(exponent));
        VirtualRegister quotient = IsRemainder(value) ? context.NewRegister() : result;
        context.Emit(Addze, Def(quotient), Use(shifted));
        if (!IsRemainder(value))
            return;
        VirtualRegister product = context.NewRegister();
        ShiftRules.ShiftLeftImmediate(context, product, Use(quotient), exponent, value.Width);
        context.Emit(Subf, Def(result), Use(product), dividend);
    }
}
