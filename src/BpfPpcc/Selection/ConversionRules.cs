using BpfPpcc.Ir;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using static BpfPpcc.Mir.MachineOperand;
using static BpfPpcc.Ppc64.Ppc64Opcode;

namespace BpfPpcc.Selection;

/// <summary>ZeroExtend, SignExtend and ByteSwap, together with the load that feeds them.</summary>
internal static class ConversionRules
{
    public static void SelectZeroExtend(SelectionContext context, IrInstruction value, VirtualRegister result)
    {
        if (!RotateAndMask.TrySelect(context, value, result))
            throw new InvalidOperationException("a zero extension is always a mask");
    }

    public static void SelectSignExtend(SelectionContext context, IrInstruction value, VirtualRegister result)
    {
        IrInstruction operand = value.Operands[0];
        if (operand.Width == value.Width && context.CanMoveLoad(operand, value))
            MemoryRules.EmitLoad(context, operand, result, isSigned: true);
        else
            context.Emit(SignExtendOpcode(value.Width), Def(result), context.UseLow(operand, value.Width));
    }

    public static Ppc64Opcode SignExtendOpcode(int width) => width switch
    {
        8 => Extsb,
        16 => Extsh,
        32 => Extsw,
        _ => throw new InvalidOperationException("sign extension from a width that is none"),
    };

    public static void SelectByteSwap(SelectionContext context, IrInstruction value, VirtualRegister result)
    {
        IrInstruction operand = value.Operands[0];
        if (operand.Width == value.Width && context.CanMoveLoad(operand, value))
        {
            MemoryRules.EmitByteReversedLoad(context, operand, result);
            return;
        }

        MachineOperand source = context.UseLow(operand, value.Width);
        if (context.Target.Cpu >= Ppc64Cpu.Power10)
            SwapByInstruction(context, result, source, value.Width);
        else if (value.Width == 16)
            SwapHalfword(context, result, source);
        else if (value.Width == 32)
            SwapWord(context, result, source);
        else
            SwapDoubleword(context, result, source);
    }

    /// <summary>brh, brw and brd; the first two swap in every halfword or word, so what is above goes.</summary>
    private static void SwapByInstruction(SelectionContext context, VirtualRegister result, MachineOperand source, int width)
    {
        if (width == 64)
        {
            context.Emit(Brd, Def(result), source);
            return;
        }

        VirtualRegister swapped = context.NewRegister();
        context.Emit(width == 16 ? Brh : Brw, Def(swapped), source);
        context.Emit(Rldicl, Def(result), Use(swapped), Immediate(0), Immediate(64 - width));
    }

    private static void SwapHalfword(SelectionContext context, VirtualRegister result, MachineOperand source)
    {
        VirtualRegister high = context.NewRegister();
        context.Emit(Rlwinm, Def(high), source, Immediate(8), Immediate(16), Immediate(23));
        InsertWord(context, result, high, source, 24, 24, 31);
    }

    /// <summary>Rotated by 24 bits, bytes 0 and 2 are right already; the other two come from a rotation by 8.</summary>
    private static void SwapWord(SelectionContext context, VirtualRegister result, MachineOperand source)
    {
        VirtualRegister rotated = context.NewRegister();
        VirtualRegister partial = context.NewRegister();
        context.Emit(Rlwinm, Def(rotated), source, Immediate(24), Immediate(0), Immediate(31));
        InsertWord(context, partial, rotated, source, 8, 8, 15);
        InsertWord(context, result, partial, source, 8, 24, 31);
    }

    /// <summary>The words swapped in themselves, and then for each other.</summary>
    private static void SwapDoubleword(SelectionContext context, VirtualRegister result, MachineOperand source)
    {
        VirtualRegister low = context.NewRegister();
        VirtualRegister high = context.NewRegister();
        VirtualRegister upper = context.Compute(Rldicl, source, Immediate(32), Immediate(32));
        SwapWord(context, low, Use(upper));
        SwapWord(context, high, source);
        context.Emit(Rldimi, Def(result), Use(high), Immediate(32), Immediate(0), TiedUse(low, 0));
    }

    /// <summary>rlwimi: background with bits begin..end from the source rotated left.</summary>
    private static void InsertWord(
        SelectionContext context,
        VirtualRegister result,
        VirtualRegister background,
        MachineOperand source,
        int rotation,
        int begin,
        int end) =>
        context.Emit(Rlwimi, Def(result), source, Immediate(rotation), Immediate(begin), Immediate(end), TiedUse(background, 0));
}
