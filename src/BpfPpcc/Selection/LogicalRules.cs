using BpfPpcc.Ir;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using static BpfPpcc.Mir.MachineOperand;
using static BpfPpcc.Ppc64.Ppc64Opcode;

namespace BpfPpcc.Selection;

/// <summary>
/// And, Or, Xor, with complemented operands and with constants. <see cref="ValueFacts"/> promises how clean their results are, so operands
/// are taken whole here and extensions are not skipped, save under a constant mask.
/// </summary>
internal static class LogicalRules
{
    public static void SelectAnd(SelectionContext context, IrInstruction value, VirtualRegister result)
    {
        if (ConditionRules.TrySelectMasked(context, value, 0, result) || ConditionRules.TrySelectMasked(context, value, 1, result))
            return;
        int index = ValueFacts.ImmediateOperand(value);
        if (index < 0 || !ValueFacts.TryConstant(value.Operands[index], out long constant))
            SelectRegisters(context, value, result, And, Andc);
        else if (!RotateAndMask.TrySelect(context, value, result))
            AndImmediate(context, result, context.UseLow(value.Operands[1 - index], value.Width), constant, value.Width);
    }

    public static void SelectOr(SelectionContext context, IrInstruction value, VirtualRegister result)
    {
        int index = ValueFacts.ImmediateOperand(value);
        if (index < 0 || !ValueFacts.TryConstant(value.Operands[index], out long constant))
        {
            if (!RotateAndInsert.TrySelect(context, value, result))
                SelectRegisters(context, value, result, Or, Orc);
        }
        else if (ArithmeticRules.Truncate(constant, value.Width) == -1)
            context.LoadImmediate(result, -1);
        else
            CombineImmediate(context, result, context.Use(value.Operands[1 - index]), constant, value.Width, Or, Ori, Oris);
    }

    public static void SelectXor(SelectionContext context, IrInstruction value, VirtualRegister result)
    {
        int index = ValueFacts.ImmediateOperand(value);
        if (index < 0 || !ValueFacts.TryConstant(value.Operands[index], out long constant))
        {
            SelectRegisters(context, value, result, Xor, Eqv);
            return;
        }

        MachineOperand source = context.Use(value.Operands[1 - index]);
        if (ArithmeticRules.Truncate(constant, value.Width) == -1)
            context.Emit(Nor, Def(result), source, source);
        else
            CombineImmediate(context, result, source, constant, value.Width, Xor, Xori, Xoris);
    }

    /// <summary>If the value is the complement of another at this width, that other.</summary>
    private static bool TryComplement(SelectionContext context, IrInstruction value, int width, out IrInstruction complemented)
    {
        complemented = value;
        if (value.Opcode != IrOpcode.Xor || value.Width != width || !context.IsOnlyUse(value))
            return false;
        int index = ValueFacts.ImmediateOperand(value);
        if (index < 0 || !ValueFacts.TryConstant(value.Operands[index], out long constant)
            || ArithmeticRules.Truncate(constant, width) != -1)
        {
            return false;
        }

        complemented = value.Operands[1 - index];
        return true;
    }

    private static void SelectRegisters(
        SelectionContext context, IrInstruction value, VirtualRegister result, Ppc64Opcode plain, Ppc64Opcode withComplement)
    {
        (IrInstruction left, IrInstruction right) = (value.Operands[0], value.Operands[1]);
        if (TryComplement(context, right, value.Width, out IrInstruction complemented))
            context.Emit(withComplement, Def(result), context.Use(left), context.Use(complemented));
        else if (TryComplement(context, left, value.Width, out complemented))
            context.Emit(withComplement, Def(result), context.Use(right), context.Use(complemented));
        else
            context.Emit(plain, Def(result), context.Use(left), context.Use(right));
    }

    /// <summary>An and with a constant that is no mask of <see cref="RotateAndMask"/>.</summary>
    private static void AndImmediate(SelectionContext context, VirtualRegister result, MachineOperand source, long constant, int width)
    {
        ulong mask = width == 32 ? (uint)constant : (ulong)constant;
        if (Ppc64Fields.FitsUI16((long)mask))
            context.Emit(AndiRc, Def(result), source, Immediate((long)mask));
        else if (Ppc64Fields.FitsShiftedUI16((long)mask))
            context.Emit(AndisRc, Def(result), source, Immediate((long)(mask >> 16)));
        else if (width == 32 && RotateMask.TryWord((uint)mask, out int begin, out int end))
            context.Emit(Rlwinm, Def(result), source, Immediate(0), Immediate(begin), Immediate(end));
        else
            context.Emit(And, Def(result), source, context.UseImmediate(ArithmeticRules.Truncate(constant, width)));
    }

    /// <summary>An or or xor with a constant, which may come in two halves; of an I32 only the low half of the constant matters.</summary>
    private static void CombineImmediate(
        SelectionContext context,
        VirtualRegister result,
        MachineOperand source,
        long constant,
        int width,
        Ppc64Opcode register,
        Ppc64Opcode low,
        Ppc64Opcode high)
    {
        ulong bits = width == 32 ? (uint)constant : (ulong)constant;
        if (bits == 0)
            context.Copy(result, source.Register);
        else if (bits > uint.MaxValue)
            context.Emit(register, Def(result), source, context.UseImmediate(constant));
        else if (bits >> 16 == 0)
            context.Emit(low, Def(result), source, Immediate((long)bits));
        else if ((bits & 0xffff) == 0)
            context.Emit(high, Def(result), source, Immediate((long)(bits >> 16)));
        else
        {
            VirtualRegister upper = context.Compute(high, source, Immediate((long)(bits >> 16)));
            context.Emit(low, Def(result), Use(upper), Immediate((long)(bits & 0xffff)));
        }
    }
}
