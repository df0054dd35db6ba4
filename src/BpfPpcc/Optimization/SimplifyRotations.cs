using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>
/// Rules of <see cref="Simplify"/> for rotations, which BPF has no instruction for: both halves of a value that was shifted apart come
/// together again.
/// <code>
/// (x &lt;&lt; n) | (x &gt;&gt; (width - n))  =  x rotated left by n     for constants 0 &lt; n &lt; width; the halves share no bit, so ^ and + do as well
/// (x &lt;&lt; n) | (x &gt;&gt; -n)           =  x rotated left by n     for any n, as counts are taken modulo the width; both are x if n is 0
/// </code>
/// </summary>
internal static class SimplifyRotations
{
    /// <summary>The operation of two values made a rotation, or null.</summary>
    public static IrInstruction? Apply(IrInstruction operation, SimplifyContext context)
    {
        IrInstruction x = operation.Operands[0];
        IrInstruction y = operation.Operands[1];
        if (x.Opcode == IrOpcode.ShiftRightLogical)
            (x, y) = (y, x);
        if (x.Opcode != IrOpcode.ShiftLeft || x.Width != operation.Width || !IsShiftRight(y, operation.Width))
            return null;
        IrInstruction value = x.Operands[0];
        if (Low(value, operation.Width) != Low(y.Operands[0], operation.Width))
            return null;
        IrInstruction count = x.Operands[1];
        return AreOpposite(operation, count, y.Operands[1]) ? context.Rewrite(operation, IrOpcode.RotateLeft, operation.Width, value, count) : null;
    }

    /// <summary>A shift to the right of the width, or a wider one of a value that is no wider.</summary>
    private static bool IsShiftRight(IrInstruction shift, int width)
    {
        if (shift.Opcode != IrOpcode.ShiftRightLogical)
            return false;
        return shift.Width == width || (shift.Operands[1] is { Opcode: IrOpcode.Constant, Immediate: > 0 and < 32 } && IsWord(shift.Operands[0]));
    }

    private static bool IsWord(IrInstruction value) => value.Opcode switch
    {
        IrOpcode.ZeroExtend or IrOpcode.ByteSwap or IrOpcode.AtomicReadModifyWrite or IrOpcode.AtomicCompareExchange => value.Width <= 32,
        IrOpcode.Load => value.Width <= 32 && !value.IsSigned,
        _ => false,
    };

    /// <summary>What the low bits of the value are.</summary>
    private static IrInstruction Low(IrInstruction value, int width)
    {
        while (width == 32 && value.Opcode is IrOpcode.ZeroExtend or IrOpcode.SignExtend && value.Width == 32)
            value = value.Operands[0];
        return value;
    }

    private static bool AreOpposite(IrInstruction operation, IrInstruction left, IrInstruction right)
    {
        int width = operation.Width;
        if (left.Opcode == IrOpcode.Constant && right.Opcode == IrOpcode.Constant)
            return left.Immediate > 0 && right.Immediate > 0 && left.Immediate + right.Immediate == width;
        if (operation.Opcode != IrOpcode.Or)
            return false;
        return IsNegative(left, right, width) || IsNegative(right, left, width);
    }

    /// <summary>One count is the other taken from a multiple of the width. Of both only the low bits matter.</summary>
    private static bool IsNegative(IrInstruction count, IrInstruction other, int width)
    {
        count = Low(count, 32);
        return count.Opcode switch
        {
            IrOpcode.Negate => Low(count.Operands[0], 32) == Low(other, 32),
            IrOpcode.Subtract => count.Operands[0] is { Opcode: IrOpcode.Constant } minuend && (minuend.Immediate & (width - 1)) == 0
                && Low(count.Operands[1], 32) == Low(other, 32),
            _ => false,
        };
    }
}
