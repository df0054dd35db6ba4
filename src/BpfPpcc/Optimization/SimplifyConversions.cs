using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>Rules of <see cref="Simplify"/> for extensions and byte swaps, whose operands have no wider extensions any more.</summary>
internal static class SimplifyConversions
{
    public static IrInstruction Apply(IrInstruction instruction, SimplifyContext context) => instruction.Opcode switch
    {
        IrOpcode.ZeroExtend => ZeroExtend(instruction, context),
        IrOpcode.SignExtend => SignExtend(instruction, context),
        _ => ByteSwap(instruction, context),
    };

    private static IrInstruction ZeroExtend(IrInstruction extend, SimplifyContext context)
    {
        IrInstruction value = extend.Operands[0];
        int width = extend.Width;
        return value.Opcode switch
        {
            IrOpcode.Constant => context.Constant(ConstantFolding.ZeroExtend(width, value.Immediate)),
            IrOpcode.ZeroExtend when value.Width <= width => value,
            IrOpcode.Load when !value.IsSigned && value.Width <= width => value,
            IrOpcode.ByteSwap or IrOpcode.AtomicReadModifyWrite or IrOpcode.AtomicCompareExchange when value.Width <= width => value,
            IrOpcode.And when value.Width == 64 && FitsUnsigned(value.Operands[1], width) => value,
            IrOpcode.And when value.Width == 64 && value.Operands[1] is { Opcode: IrOpcode.Constant } mask =>
                context.Rewrite(
                    extend, IrOpcode.And, 64, value.Operands[0], context.Constant(ConstantFolding.ZeroExtend(width, mask.Immediate))),
            IrOpcode.And when value.Width == 32 && FitsUnsigned(value.Operands[1], width) && value.Operands[0].Type == IrType.I64 =>
                context.Rewrite(extend, IrOpcode.And, 64, value.Operands[0], value.Operands[1]),
            IrOpcode.ShiftRightLogical when value.Width == 64 && value.Operands[1] is { Opcode: IrOpcode.Constant } count
                && (count.Immediate & 63) >= 64 - width => value,
            _ => extend,
        };
    }

    private static IrInstruction SignExtend(IrInstruction extend, SimplifyContext context)
    {
        IrInstruction value = extend.Operands[0];
        int width = extend.Width;
        return value.Opcode switch
        {
            IrOpcode.Constant => context.Constant(ConstantFolding.SignExtend(width, value.Immediate)),
            IrOpcode.SignExtend when value.Width <= width => value,
            IrOpcode.ZeroExtend when value.Width < width => value,
            IrOpcode.Load when value.Width < width || (value.IsSigned && value.Width == width) => value,
            _ => extend,
        };
    }

    private static IrInstruction ByteSwap(IrInstruction swap, SimplifyContext context)
    {
        IrInstruction value = swap.Operands[0];
        int width = swap.Width;
        if (value.Opcode == IrOpcode.Constant)
            return context.Constant(ConstantFolding.ByteSwap(width, value.Immediate));
        if (value.Opcode is IrOpcode.Load or IrOpcode.ByteSwap && value.Width < width && !value.IsSigned)
            return OfNarrow(swap, value, context);
        if (value.Opcode != IrOpcode.ByteSwap || value.Width != width)
            return swap;
        return width == 64 ? value.Operands[0] : context.Rewrite(swap, IrOpcode.ZeroExtend, width, value.Operands[0]);
    }

    /// <summary>The bytes that are there come out at the other end, and zeros below them.</summary>
    private static IrInstruction OfNarrow(IrInstruction swap, IrInstruction value, SimplifyContext context)
    {
        IrInstruction bytes = value.Width == 8 ? value : context.Insert(IrOpcode.ByteSwap, value.Width, value);
        return context.Rewrite(swap, IrOpcode.ShiftLeft, 64, bytes, context.Constant(swap.Width - value.Width));
    }

    private static bool FitsUnsigned(IrInstruction value, int width) =>
        value.Opcode == IrOpcode.Constant && value.Immediate == ConstantFolding.ZeroExtend(width, value.Immediate);
}
