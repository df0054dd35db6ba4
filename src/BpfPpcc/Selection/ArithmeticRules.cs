using System.Numerics;
using BpfPpcc.Ir;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using static BpfPpcc.Mir.MachineOperand;
using static BpfPpcc.Ppc64.Ppc64Opcode;

namespace BpfPpcc.Selection;

/// <summary>
/// Add, Subtract, Multiply, Negate and the high halves of products. In a register of an I32 the upper half may be anything, so 32-bit sums
/// and products are those of 64 bits, or those of the word instructions with what they leave above.
/// </summary>
internal static class ArithmeticRules
{
    public static void SelectAdd(SelectionContext context, IrInstruction value, VirtualRegister result)
    {
        int index = ValueFacts.ImmediateOperand(value);
        if (index >= 0 && ValueFacts.TryConstant(value.Operands[index], out long constant))
            AddImmediate(context, result, UseOperand(context, value, 1 - index), Truncate(constant, value.Width), value.Width);
        else if (context.IsInLoop && TryMultiple(context, value, out IrInstruction multiple, out IrInstruction other, out int shift))
            SelectMultipleAndAdd(context, result, multiple, other, shift, value.Width);
        else if (context.Target.Cpu >= Ppc64Cpu.Power9 && TryProduct(context, value, out IrInstruction product, out IrInstruction addend))
            SelectMultiplyAdd(context, result, product, addend, value.Width);
        else
            context.Emit(Add, Def(result), UseOperand(context, value, 0), UseOperand(context, value, 1));
    }

    private static void SelectMultiplyAdd(
        SelectionContext context, VirtualRegister result, IrInstruction product, IrInstruction addend, int width)
    {
        MachineOperand left = context.UseLow(product.Operands[0], width);
        MachineOperand right = context.UseLow(product.Operands[1], width);
        context.Emit(Maddld, Def(result), left, right, context.UseLow(addend, width));
    }

    /// <summary>
    /// x * (2^n + 1) + y as (x &lt;&lt; n) + (x + y): around a loop x is often what the last iteration made of it, as in hashes of strings, and
    /// this is two short operations behind it instead of a multiplication and an addition.
    /// </summary>
    private static void SelectMultipleAndAdd(
        SelectionContext context, VirtualRegister result, IrInstruction x, IrInstruction y, int shift, int width)
    {
        VirtualRegister sum = context.Compute(Add, context.UseLow(x, width), context.UseLow(y, width));
        VirtualRegister shifted = context.NewRegister();
        ShiftRules.ShiftLeftImmediate(context, shifted, context.UseLow(x, width), shift, width);
        context.Emit(Add, Def(result), Use(shifted), Use(sum));
    }

    /// <summary>A sum with x * (2^shift + 1) that nobody else wants.</summary>
    private static bool TryMultiple(SelectionContext context, IrInstruction sum, out IrInstruction x, out IrInstruction y, out int shift)
    {
        y = sum.Operands[1];
        if (IsMultiple(sum.Operands[0], out x, out shift))
            return true;
        y = sum.Operands[0];
        return IsMultiple(sum.Operands[1], out x, out shift);

        bool IsMultiple(IrInstruction value, out IrInstruction factor, out int shift)
        {
            (factor, shift) = (value, 0);
            if (value.Opcode != IrOpcode.Multiply || value.Width < sum.Width || !context.IsOnlyUse(value))
                return false;
            int index = ValueFacts.ImmediateOperand(value);
            if (index < 0 || !ValueFacts.TryConstant(value.Operands[index], out long constant))
                return false;
            constant = Truncate(constant, sum.Width);
            if (constant <= 2 || !long.IsPow2(constant - 1))
                return false;
            (factor, shift) = (value.Operands[1 - index], (int)long.TrailingZeroCount(constant - 1));
            return true;
        }
    }

    /// <summary>A sum with a product of two registers that nobody else wants.</summary>
    private static bool TryProduct(SelectionContext context, IrInstruction sum, out IrInstruction product, out IrInstruction addend)
    {
        (product, addend) = (sum.Operands[0], sum.Operands[1]);
        if (IsProduct(product))
            return true;
        (product, addend) = (addend, product);
        return IsProduct(product);

        bool IsProduct(IrInstruction value) => value.Opcode == IrOpcode.Multiply && value.Width >= sum.Width && context.IsOnlyUse(value)
            && ValueFacts.ImmediateOperand(value) < 0;
    }

    public static void SelectSubtract(SelectionContext context, IrInstruction value, VirtualRegister result)
    {
        if (ValueFacts.TryConstant(value.Operands[1], out long subtrahend))
        {
            long addend = Truncate(unchecked(-subtrahend), value.Width);
            AddImmediate(context, result, UseOperand(context, value, 0), addend, value.Width);
            return;
        }

        MachineOperand right = UseOperand(context, value, 1);
        if (!ValueFacts.TryConstant(value.Operands[0], out long constant))
        {
            context.Emit(Subf, Def(result), right, UseOperand(context, value, 0));
            return;
        }

        long minuend = Truncate(constant, value.Width);
        if (minuend == 0)
            context.Emit(Neg, Def(result), right);
        else if (Ppc64Fields.FitsSI16(minuend))
            context.Emit(Subfic, Def(result), right, Immediate(minuend));
        else
            context.Emit(Subf, Def(result), right, context.UseImmediate(minuend));
    }

    public static void SelectMultiply(SelectionContext context, IrInstruction value, VirtualRegister result)
    {
        int index = ValueFacts.ImmediateOperand(value);
        if (index >= 0 && ValueFacts.TryConstant(value.Operands[index], out long constant))
            MultiplyImmediate(context, result, UseOperand(context, value, 1 - index), Truncate(constant, value.Width), value.Width);
        else
            context.Emit(MultiplyOpcode(value.Width), Def(result), UseOperand(context, value, 0), UseOperand(context, value, 1));
    }

    public static void SelectMultiplyHigh(SelectionContext context, IrInstruction value, VirtualRegister result)
    {
        bool isSigned = value.Opcode == IrOpcode.MultiplyHighSigned;
        Ppc64Opcode opcode = value.Width == 32 ? (isSigned ? Mulhw : Mulhwu) : (isSigned ? Mulhd : Mulhdu);
        context.Emit(opcode, Def(result), UseOperand(context, value, 0), UseOperand(context, value, 1));
    }

    public static void SelectNegate(SelectionContext context, IrInstruction value, VirtualRegister result) =>
        context.Emit(Neg, Def(result), UseOperand(context, value, 0));

    /// <summary>source + addend; of the sum only the low <paramref name="width"/> bits matter, and of the addend.</summary>
    public static void AddImmediate(SelectionContext context, VirtualRegister result, MachineOperand source, long addend, int width)
    {
        if (addend == 0)
        {
            context.Copy(result, source.Register);
            return;
        }

        if (Ppc64Fields.FitsSI16(addend))
        {
            context.Emit(Addi, Def(result), source, Immediate(addend));
            return;
        }

        // The upper part, rounded so that adding the sign-extended low part gives the addend. Just below 2^31 it wraps, which 32-bit sums
        // do not see.
        long low = (short)addend;
        long high = (addend - low) >> 16;
        if (width == 32)
            high = (short)high;
        if (!Ppc64Fields.FitsSI16(high))
        {
            context.Emit(Add, Def(result), source, context.UseImmediate(addend));
            return;
        }

        // In a loop the constant is there already.
        if (low != 0 && context.IsInLoop)
        {
            context.Emit(Add, Def(result), source, context.UseImmediate(addend));
            return;
        }

        if (low == 0)
        {
            context.Emit(Addis, Def(result), source, Immediate(high));
            return;
        }

        VirtualRegister upper = context.Compute(Addis, source, Immediate(high));
        context.Emit(Addi, Def(result), Use(upper), Immediate(low));
    }

    /// <summary>source * factor; for width 32 only the low halves of all matter.</summary>
    public static void MultiplyImmediate(SelectionContext context, VirtualRegister result, MachineOperand source, long factor, int width)
    {
        ulong bits = width == 32 ? (uint)factor : (ulong)factor;
        if (factor == 0)
            context.LoadImmediate(result, 0);
        else if (factor == 1)
            context.Copy(result, source.Register);
        else if (factor == -1)
            context.Emit(Neg, Def(result), source);
        else if (BitOperations.IsPow2(bits))
            ShiftRules.ShiftLeftImmediate(context, result, source, BitOperations.TrailingZeroCount(bits), width);
        else if (Ppc64Fields.FitsSI16(factor))
            context.Emit(Mulli, Def(result), source, Immediate(factor));
        else
            context.Emit(MultiplyOpcode(width), Def(result), source, context.UseImmediate(factor));
    }

    public static Ppc64Opcode MultiplyOpcode(int width) => width == 32 ? Mullw : Mulld;

    /// <summary>A constant as an operation of this width sees it, sign-extended.</summary>
    public static long Truncate(long constant, int width) => width == 32 ? (int)constant : constant;

    private static MachineOperand UseOperand(SelectionContext context, IrInstruction value, int index) =>
        context.UseLow(value.Operands[index], value.Width);
}
