using BpfPpcc.Ir;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using static BpfPpcc.Mir.MachineOperand;
using static BpfPpcc.Ppc64.Ppc64Opcode;

namespace BpfPpcc.Selection;

/// <summary>
/// Shifts and rotations. BPF takes counts modulo the width; sld, srd and srad look at 7 bits of the count and slw, srw and sraw at 6, so
/// a count that may be too large is masked (Power ISA book I, 3.3.14.2).
/// </summary>
internal static class ShiftRules
{
    public static void SelectShift(SelectionContext context, IrInstruction value, VirtualRegister result)
    {
        if (!ValueFacts.TryConstant(value.Operands[1], out long constant))
        {
            context.Emit(VariableOpcode(value), Def(result), UseShifted(context, value), UseCount(context, value));
            return;
        }

        if (value.Opcode != IrOpcode.ShiftRightArithmetic)
        {
            if (!RotateAndMask.TrySelect(context, value, result))
                throw new InvalidOperationException("a shift by a constant is always a rotation and a mask");
            return;
        }

        int count = (int)constant & (value.Width - 1);
        if (count == 0)
            context.Copy(result, context.Register(value.Operands[0]));
        else if (TrySignExtension(context, value, count, out Ppc64Opcode extension, out IrInstruction source))
            context.Emit(extension, Def(result), context.Use(source));
        else
            context.Emit(value.Width == 32 ? Srawi : Sradi, Def(result), UseShifted(context, value), Immediate(count));
    }

    public static void SelectRotate(SelectionContext context, IrInstruction value, VirtualRegister result)
    {
        bool isConstant = ValueFacts.TryConstant(value.Operands[1], out long constant);
        if (value.Width == 32)
        {
            if (isConstant)
                context.Emit(Rlwinm, Def(result), UseShifted(context, value), Immediate(constant & 31), Immediate(0), Immediate(31));
            else
                context.Emit(Rlwnm, Def(result), UseShifted(context, value), UseRotateCount(context, value), Immediate(0), Immediate(31));
        }
        else if (isConstant)
        {
            if (!RotateAndMask.TrySelect(context, value, result))
                throw new InvalidOperationException("a rotation by a constant is always a rotation and a mask");
        }
        else
        {
            context.Emit(Rldcl, Def(result), context.Use(value.Operands[0]), UseRotateCount(context, value), Immediate(0));
        }
    }

    /// <summary>source shifted left by a count from 1 to width - 1.</summary>
    public static void ShiftLeftImmediate(SelectionContext context, VirtualRegister result, MachineOperand source, int count, int width)
    {
        if (width == 32)
            context.Emit(Rlwinm, Def(result), source, Immediate(count), Immediate(0), Immediate(31 - count));
        else
            context.Emit(Rldicr, Def(result), source, Immediate(count), Immediate(63 - count));
    }

    private static Ppc64Opcode VariableOpcode(IrInstruction value) => (value.Opcode, value.Width) switch
    {
        (IrOpcode.ShiftLeft, 32) => Slw,
        (IrOpcode.ShiftLeft, 64) => Sld,
        (IrOpcode.ShiftRightLogical, 32) => Srw,
        (IrOpcode.ShiftRightLogical, 64) => Srd,
        (IrOpcode.ShiftRightArithmetic, 32) => Sraw,
        (IrOpcode.ShiftRightArithmetic, 64) => Srad,
        _ => throw new InvalidOperationException("not a shift of 32 or 64 bits"),
    };

    private static MachineOperand UseShifted(SelectionContext context, IrInstruction value) =>
        context.UseLow(value.Operands[0], value.Width);

    /// <summary>The count, modulo the width.</summary>
    private static MachineOperand UseCount(SelectionContext context, IrInstruction value)
    {
        int countBits = value.Width == 32 ? 5 : 6;
        IrInstruction unmasked = SkipMask(context, value);
        IrInstruction count = context.SkipExtensions(unmasked, 8);
        if (context.Facts.Bits(count) <= countBits)
            return context.Use(count);

        // No more than the low half is looked at.
        if (unmasked == value.Operands[1] && UnsignedBound.Of(unmasked, 32) < 1UL << countBits)
            return context.UseLow(unmasked, 32);
        return Use(context.Compute(Rldicl, context.Use(count), Immediate(0), Immediate(64 - countBits)));
    }

    /// <summary>The count of a rotate instruction, which looks at no more than 5 or 6 bits of it.</summary>
    private static MachineOperand UseRotateCount(SelectionContext context, IrInstruction value) =>
        context.UseLow(SkipMask(context, value), 8);

    /// <summary>The count without an and that only takes it modulo the width.</summary>
    private static IrInstruction SkipMask(SelectionContext context, IrInstruction value)
    {
        IrInstruction count = value.Operands[1];
        int index = count.Opcode == IrOpcode.And && !context.IsWanted(count) ? ValueFacts.ImmediateOperand(count) : -1;
        bool isModulo = index >= 0 && ValueFacts.TryConstant(count.Operands[index], out long mask)
            && (mask & (value.Width - 1)) == value.Width - 1;
        return isModulo ? count.Operands[1 - index] : count;
    }

    /// <summary>A shift left and back by the same count that leaves a byte, halfword or word is its sign extension.</summary>
    private static bool TrySignExtension(
        SelectionContext context, IrInstruction value, int count, out Ppc64Opcode opcode, out IrInstruction source)
    {
        opcode = ConversionRules.SignExtendOpcode(8);
        source = value.Operands[0];
        IrInstruction left = value.Operands[0];
        if (left.Opcode != IrOpcode.ShiftLeft || left.Width != value.Width || !context.IsOnlyUse(left)
            || !ValueFacts.TryConstant(left.Operands[1], out long constant) || ((int)constant & (value.Width - 1)) != count
            || value.Width - count is not (8 or 16 or 32))
        {
            return false;
        }

        opcode = ConversionRules.SignExtendOpcode(value.Width - count);
        source = context.SkipExtensions(left.Operands[0], value.Width - count);
        return true;
    }
}
