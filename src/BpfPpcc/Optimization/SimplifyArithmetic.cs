using System.Numerics;
using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>
/// Rules of <see cref="Simplify"/> for arithmetic. A constant operand stands on the right, if the operation allows it, and is sign-extended
/// from the width.
/// </summary>
internal static class SimplifyArithmetic
{
    public static IrInstruction Apply(IrInstruction instruction, SimplifyContext context)
    {
        if (instruction.Opcode == IrOpcode.Negate)
            return Negate(instruction, context);

        IrInstruction left = instruction.Operands[0];
        IrInstruction right = instruction.Operands[1];
        if (left.Opcode == IrOpcode.Constant && right.Opcode == IrOpcode.Constant)
        {
            return context.Constant(
                ConstantFolding.Arithmetic(instruction.Opcode, instruction.Width, left.Immediate, right.Immediate));
        }

        if (left.Opcode == IrOpcode.Constant && IrRules.IsCommutative(instruction.Opcode))
        {
            instruction.Operands = [right, left];
            context.NoteRewrite();
            (left, right) = (right, left);
        }

        IrInstruction result = right.Opcode == IrOpcode.Constant
            ? WithConstant(instruction, left, right.Immediate, context)
            : WithValue(instruction, left, right, context);
        if (result != instruction || context.IsRewritten)
            return result;
        return Chain(instruction, context);
    }

    /// <summary>-x.</summary>
    private static IrInstruction Negate(IrInstruction negate, SimplifyContext context)
    {
        IrInstruction value = negate.Operands[0];
        return value.Opcode switch
        {
            IrOpcode.Constant => context.Constant(ConstantFolding.Arithmetic(IrOpcode.Negate, negate.Width, value.Immediate, 0)),
            IrOpcode.Negate when value.Width == negate.Width => value.Operands[0],
            IrOpcode.Subtract when value.Width == negate.Width =>
                context.Rewrite(negate, IrOpcode.Subtract, negate.Width, value.Operands[1], value.Operands[0]),
            _ => negate,
        };
    }

    /// <summary>x op c.</summary>
    private static IrInstruction WithConstant(IrInstruction operation, IrInstruction x, long c, SimplifyContext context)
    {
        int width = operation.Width;
        switch (operation.Opcode)
        {
            case IrOpcode.Add:
                return c == 0 ? x : Displace(operation, x, c, context);
            case IrOpcode.Subtract:
                IrInstruction negated = context.Constant(ConstantFolding.Canonical(unchecked(-c), width));
                return context.Rewrite(operation, IrOpcode.Add, width, x, negated);
            case IrOpcode.Multiply:
                return Multiply(operation, x, c, context);
            case IrOpcode.UnsignedDivide or IrOpcode.UnsignedRemainder or IrOpcode.SignedDivide or IrOpcode.SignedRemainder:
                return Divide(operation, x, c, context);
            case IrOpcode.And:
                return And(operation, x, c, context);
            case IrOpcode.Or:
                return c == 0 ? x : c == -1 ? operation.Operands[1] : operation;
            case IrOpcode.Xor:
                return c == 0 ? x : operation;
            case IrOpcode.ShiftLeft or IrOpcode.ShiftRightLogical or IrOpcode.ShiftRightArithmetic or IrOpcode.RotateLeft:
                return Shift(operation, x, c, context);
            case IrOpcode.MultiplyHighUnsigned or IrOpcode.MultiplyHighSigned:
                return c == 0 ? operation.Operands[1] : operation;
            default:
                return operation;
        }
    }

    private static IrInstruction Displace(IrInstruction add, IrInstruction x, long c, SimplifyContext context)
    {
        if (add.Width == 32)
            return add;
        return x.Opcode switch
        {
            IrOpcode.StackAddress => context.Leaves.StackAddress(unchecked(x.Immediate + c)),
            IrOpcode.SymbolAddress => context.Leaves.SymbolAddress(x.Symbol, unchecked(x.Immediate + c)),
            _ => add,
        };
    }

    private static IrInstruction Multiply(IrInstruction multiply, IrInstruction x, long c, SimplifyContext context)
    {
        int width = multiply.Width;
        if (c == 0)
            return multiply.Operands[1];
        if (c == 1)
            return x;
        if (c == -1)
            return context.Rewrite(multiply, IrOpcode.Negate, width, x);
        return Log2(c, width) is { } log ? context.Rewrite(multiply, IrOpcode.ShiftLeft, width, x, context.Constant(log)) : multiply;
    }

    /// <summary>Division by zero gives 0, the remainder of it the dividend (RFC 9669, 4.1).</summary>
    private static IrInstruction Divide(IrInstruction divide, IrInstruction x, long c, SimplifyContext context)
    {
        int width = divide.Width;
        bool isRemainder = divide.Opcode is IrOpcode.UnsignedRemainder or IrOpcode.SignedRemainder;
        if (c == 0)
            return isRemainder ? x : divide.Operands[1];
        if (c == 1)
            return isRemainder ? context.Constant(0) : x;
        switch (divide.Opcode)
        {
            case IrOpcode.SignedDivide:
                return c == -1 ? context.Rewrite(divide, IrOpcode.Negate, width, x) : divide;
            case IrOpcode.SignedRemainder:
                return c == -1 ? context.Constant(0) : divide;
            case IrOpcode.UnsignedDivide when Log2(c, width) is { } log:
                return context.Rewrite(divide, IrOpcode.ShiftRightLogical, width, x, context.Constant(log));
            case IrOpcode.UnsignedRemainder when Log2(c, width) != null:
                IrInstruction mask = context.Constant(ConstantFolding.Canonical(unchecked(c - 1), width));
                return context.Rewrite(divide, IrOpcode.And, width, x, mask);
            default:
                return divide;
        }
    }

    private static IrInstruction And(IrInstruction and, IrInstruction x, long c, SimplifyContext context)
    {
        if (c == 0)
            return and.Operands[1];
        if (c == -1)
            return x;
        int extension = c switch
        {
            byte.MaxValue => 8,
            ushort.MaxValue => 16,
            uint.MaxValue => 32,
            _ => 0,
        };
        return extension == 0 ? and : context.Rewrite(and, IrOpcode.ZeroExtend, extension, x);
    }

    private static IrInstruction Shift(IrInstruction shift, IrInstruction x, long c, SimplifyContext context)
    {
        int width = shift.Width;
        int count = (int)(c & (width - 1));
        if (count == 0)
            return x;
        if (count != c)
            return context.Rewrite(shift, shift.Opcode, width, x, context.Constant(count));
        if (shift.Opcode == IrOpcode.ShiftRightLogical && count >= 32 && IsProductOfWords(x))
            return HighHalf(shift, x, count - 32, context);
        if (x.Opcode is not (IrOpcode.ShiftLeft or IrOpcode.ShiftRightLogical) || x.Width != width
            || x.Operands[1].Opcode != IrOpcode.Constant || x.Operands[1].Immediate != count)
        {
            return shift;
        }

        // There and back: only some bits are left, in place.
        IrInstruction value = x.Operands[0];
        int kept = width - count;
        switch (shift.Opcode, x.Opcode)
        {
            case (IrOpcode.ShiftRightLogical, IrOpcode.ShiftLeft) when kept is 8 or 16 or 32:
                return context.Rewrite(shift, IrOpcode.ZeroExtend, kept, value);
            case (IrOpcode.ShiftRightArithmetic, IrOpcode.ShiftLeft) when kept is 8 or 16 or 32:
                return context.Rewrite(shift, IrOpcode.SignExtend, kept, value);
            case (IrOpcode.ShiftRightLogical, IrOpcode.ShiftLeft):
                return context.Rewrite(shift, IrOpcode.And, width, value, context.Constant((1L << kept) - 1));
            case (IrOpcode.ShiftLeft, IrOpcode.ShiftRightLogical):
                return context.Rewrite(shift, IrOpcode.And, width, value, context.Constant(-1L << count));
            default:
                return shift;
        }
    }

    /// <summary>A 64-bit product of words of which one would have to be extended first.</summary>
    private static bool IsProductOfWords(IrInstruction value) =>
        value is { Opcode: IrOpcode.Multiply, Width: 64, Operands: [{ Opcode: IrOpcode.ZeroExtend, Width: 32 }, var other] }
        && other is { Opcode: IrOpcode.ZeroExtend, Width: 32 } or { Opcode: IrOpcode.Constant, Immediate: >= 0 and <= uint.MaxValue };

    /// <summary>The upper word of a product of words, without their extensions and shifted right by less than 32.</summary>
    private static IrInstruction HighHalf(IrInstruction shift, IrInstruction product, int count, SimplifyContext context)
    {
        IrInstruction other = product.Operands[1].Opcode == IrOpcode.Constant
            ? context.Constant(ConstantFolding.Canonical(product.Operands[1].Immediate, 32))
            : product.Operands[1].Operands[0];
        IrInstruction high = context.Insert(IrOpcode.MultiplyHighUnsigned, 32, product.Operands[0].Operands[0], other);
        if (count != 0)
            high = context.Insert(IrOpcode.ShiftRightLogical, 32, high, context.Constant(count));
        return context.Rewrite(shift, IrOpcode.ZeroExtend, 32, high);
    }

    /// <summary>(x op c1) op c2.</summary>
    private static IrInstruction Chain(IrInstruction operation, SimplifyContext context)
    {
        if (operation.Operands[1].Opcode != IrOpcode.Constant || operation.Operands[0] is not { Operands: [var x, var constant] } inner
            || inner.Opcode != operation.Opcode || inner.Width != operation.Width || constant.Opcode != IrOpcode.Constant)
        {
            return operation;
        }

        int width = operation.Width;
        long inside = constant.Immediate;
        long outside = operation.Operands[1].Immediate;
        switch (operation.Opcode)
        {
            case IrOpcode.Add or IrOpcode.Multiply or IrOpcode.And or IrOpcode.Or or IrOpcode.Xor:
                long combined = ConstantFolding.Arithmetic(operation.Opcode, width, inside, outside);
                return context.Rewrite(operation, operation.Opcode, width, x, context.Constant(combined));
            case IrOpcode.ShiftLeft or IrOpcode.ShiftRightLogical or IrOpcode.ShiftRightArithmetic or IrOpcode.RotateLeft:
                long sum = (inside & (width - 1)) + (outside & (width - 1));
                if (operation.Opcode == IrOpcode.ShiftRightArithmetic)
                    sum = Math.Min(sum, width - 1);
                else if (operation.Opcode != IrOpcode.RotateLeft && sum >= width)
                    return context.Constant(0);
                return context.Rewrite(operation, operation.Opcode, width, x, context.Constant(sum));
            default:
                return operation;
        }
    }

    /// <summary>x op y, neither of them constant, or only x.</summary>
    private static IrInstruction WithValue(IrInstruction operation, IrInstruction x, IrInstruction y, SimplifyContext context)
    {
        int width = operation.Width;
        switch (operation.Opcode)
        {
            case IrOpcode.Add when y.Opcode == IrOpcode.Negate && y.Width == width:
                return context.Rewrite(operation, IrOpcode.Subtract, width, x, y.Operands[0]);
            case IrOpcode.Add when x.Opcode == IrOpcode.Negate && x.Width == width:
                return context.Rewrite(operation, IrOpcode.Subtract, width, y, x.Operands[0]);
            case IrOpcode.Add when width == 64 && (IsDisplaced(x, context) || IsDisplaced(y, context)):
                return Reassociate(operation, x, y, context);
            case IrOpcode.Subtract:
                return Subtract(operation, x, y, context);
            case IrOpcode.And or IrOpcode.Or when x == y:
                return x;
            case IrOpcode.Xor when x == y:
                return context.Constant(0);
            case IrOpcode.Or when width == 64 && Masked(x) is var (source, mask) && Masked(y) is var (other, otherMask) && source == other:
                return (mask | otherMask) == -1 ? source
                    : context.Rewrite(operation, IrOpcode.And, 64, source, context.Constant(mask | otherMask));
            case IrOpcode.Or or IrOpcode.Xor or IrOpcode.Add:
                return SimplifyRotations.Apply(operation, context) ?? operation;
            case IrOpcode.UnsignedDivide or IrOpcode.SignedDivide or IrOpcode.UnsignedRemainder or IrOpcode.SignedRemainder
                when IsConstant(x, 0):
                return x;
            case IrOpcode.ShiftLeft or IrOpcode.ShiftRightLogical or IrOpcode.ShiftRightArithmetic or IrOpcode.RotateLeft:
                return ShiftByValue(operation, x, y, context);
            default:
                return operation;
        }
    }

    /// <summary>x + (y + c) = (x + y) + c: sums that differ in the constant only have a part in common, and accesses take the constant.</summary>
    private static IrInstruction Reassociate(IrInstruction add, IrInstruction x, IrInstruction y, SimplifyContext context)
    {
        if (IsDisplaced(x, context))
            (x, y) = (y, x);
        IrInstruction sum = context.Insert(IrOpcode.Add, 64, x, y.Operands[0]);
        return context.Rewrite(add, IrOpcode.Add, 64, sum, y.Operands[1]);
    }

    /// <summary>The 64 bits of a value of which a mask is left, or null.</summary>
    private static (IrInstruction Source, long Mask)? Masked(IrInstruction value) => value switch
    {
        { Opcode: IrOpcode.And, Width: 64, Operands: [var source, { Opcode: IrOpcode.Constant } mask] } => (source, mask.Immediate),
        { Opcode: IrOpcode.ZeroExtend, Operands: [{ Type: IrType.I64 } source] } => (source, ConstantFolding.ZeroExtend(value.Width, -1)),
        _ => null,
    };

    private static bool IsDisplaced(IrInstruction value, SimplifyContext context) =>
        value is { Opcode: IrOpcode.Add, Width: 64, Operands: [_, { Opcode: IrOpcode.Constant }] }
        && context.HasOneUse(value);

    private static IrInstruction Subtract(IrInstruction subtract, IrInstruction x, IrInstruction y, SimplifyContext context)
    {
        int width = subtract.Width;
        if (x == y)
            return context.Constant(0);
        if (IsConstant(x, 0))
            return context.Rewrite(subtract, IrOpcode.Negate, width, y);
        if (y.Opcode == IrOpcode.Negate && y.Width == width)
            return context.Rewrite(subtract, IrOpcode.Add, width, x, y.Operands[0]);
        (IrInstruction left, long leftOffset) = Split(x, width);
        (IrInstruction right, long rightOffset) = Split(y, width);
        bool isSamePlace = left == right || (left.Opcode == IrOpcode.SymbolAddress && right.Opcode == IrOpcode.SymbolAddress
            && left.Symbol == right.Symbol) || (left.Opcode == IrOpcode.StackAddress && right.Opcode == IrOpcode.StackAddress);
        return isSamePlace
            ? context.Constant(ConstantFolding.Canonical(unchecked(leftOffset - rightOffset), width))
            : subtract;
    }

    /// <summary>The value as something and a constant added to it.</summary>
    private static (IrInstruction Base, long Offset) Split(IrInstruction value, int width)
    {
        if (value.Opcode == IrOpcode.Add && value.Width == width && value.Operands[1].Opcode == IrOpcode.Constant)
            return (value.Operands[0], value.Operands[1].Immediate);
        return value.Opcode is IrOpcode.StackAddress or IrOpcode.SymbolAddress ? (value, value.Immediate) : (value, 0);
    }

    /// <summary>Of a shift count only the bits below the width matter.</summary>
    private static IrInstruction ShiftByValue(IrInstruction shift, IrInstruction x, IrInstruction count, SimplifyContext context)
    {
        if (IsConstant(x, 0) || (IsConstant(x, -1) && shift.Opcode is IrOpcode.ShiftRightArithmetic or IrOpcode.RotateLeft))
            return x;
        int relevant = shift.Width - 1;
        bool isMasked = count.Opcode is IrOpcode.ZeroExtend or IrOpcode.SignExtend
            || (count.Opcode == IrOpcode.And && count.Operands[1].Opcode == IrOpcode.Constant
                && (count.Operands[1].Immediate & relevant) == relevant);
        if (!isMasked || (shift.Width == 64 && count.Operands[0].Type == IrType.I32))
            return shift;
        return context.Rewrite(shift, shift.Opcode, shift.Width, x, count.Operands[0]);
    }

    private static bool IsConstant(IrInstruction value, long constant) => value.Opcode == IrOpcode.Constant && value.Immediate == constant;

    /// <summary>N if the constant is, as an unsigned number of the width, 2 to the power of N.</summary>
    private static int? Log2(long constant, int width)
    {
        ulong value = (ulong)ConstantFolding.ZeroExtend(width, constant);
        return BitOperations.IsPow2(value) ? BitOperations.Log2(value) : null;
    }
}
