using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>Rules of <see cref="Simplify"/> for what compares: branches and selects.</summary>
internal static class SimplifyComparisons
{
    public static IrInstruction Branch(IrInstruction branch, SimplifyContext context)
    {
        if (Rewrite(branch, context) is { } holds)
        {
            IrEdges.MakeJump(branch, branch.Targets[holds ? 0 : 1]);
            context.HasLostEdges = true;
            context.NoteRewrite();
        }

        return branch;
    }

    public static IrInstruction Select(IrInstruction select, SimplifyContext context)
    {
        IrInstruction ifTrue = select.Operands[2];
        IrInstruction ifFalse = select.Operands[3];
        if (ifTrue == ifFalse)
            return ifTrue;
        return Rewrite(select, context) switch
        {
            true => ifTrue,
            false => ifFalse,
            null => select,
        };
    }

    /// <summary>Brings the comparison into its canonical form. Gives its outcome, if that is certain.</summary>
    private static bool? Rewrite(IrInstruction user, SimplifyContext context)
    {
        IrInstruction left = user.Operands[0];
        IrInstruction right = user.Operands[1];
        if (left.Opcode == IrOpcode.Constant && right.Opcode == IrOpcode.Constant)
            return ConstantFolding.Compare(user.Condition, user.CompareWidth, left.Immediate, right.Immediate);
        if (left.Opcode == IrOpcode.Constant)
        {
            Set(user, user.Condition.Mirrored(), user.CompareWidth, right, left, context);
            return null;
        }

        if (right.Opcode == IrOpcode.Constant)
            return WithConstant(user, left, right.Immediate, context);
        return WithValue(user, left, right, context);
    }

    private static bool? WithValue(IrInstruction user, IrInstruction x, IrInstruction y, SimplifyContext context)
    {
        if (x == y)
        {
            if (user.Condition is not (IrCondition.Test or IrCondition.TestZero))
                return ConstantFolding.Compare(user.Condition, user.CompareWidth, 0, 0);
            IrCondition condition = user.Condition == IrCondition.Test ? IrCondition.NotEqual : IrCondition.Equal;
            Set(user, condition, user.CompareWidth, x, context.Constant(0), context);
        }
        else if (user.CompareWidth == 64 && x.Opcode == y.Opcode && x.Width == 32 && y.Width == 32)
        {
            // Zero extension keeps the unsigned order and makes the signed one the same; sign extension keeps both.
            if (x.Opcode == IrOpcode.ZeroExtend)
                Set(user, user.Condition.AsUnsigned(), 32, x.Operands[0], y.Operands[0], context);
            else if (x.Opcode == IrOpcode.SignExtend && user.Condition is not (IrCondition.Test or IrCondition.TestZero))
                Set(user, user.Condition, 32, x.Operands[0], y.Operands[0], context);
        }

        return null;
    }

    private static bool? WithConstant(IrInstruction user, IrInstruction x, long c, SimplifyContext context)
    {
        int width = user.CompareWidth;
        if (OutcomeInRange(user.Condition, width, x, c) is { } outcome)
            return outcome;
        if (Nearer(user.Condition, c) is { } nearer)
        {
            Set(user, nearer.Condition, width, x, context.Constant(nearer.Constant), context);
        }
        else if (width == 64 && x is { Opcode: IrOpcode.ZeroExtend, Width: 32 } && c is >= 0 and <= uint.MaxValue)
        {
            IrInstruction constant = context.Constant(ConstantFolding.Canonical(c, 32));
            Set(user, user.Condition.AsUnsigned(), 32, x.Operands[0], constant, context);
        }
        else if (width == 64 && x is { Opcode: IrOpcode.SignExtend, Width: 32 } && c is >= int.MinValue and <= int.MaxValue
            && user.Condition is not (IrCondition.Test or IrCondition.TestZero))
        {
            Set(user, user.Condition, 32, x.Operands[0], user.Operands[1], context);
        }
        else if ((user.Condition is IrCondition.Equal or IrCondition.NotEqual) && context.HasOneUse(x))
        {
            Equality(user, x, c, context);
        }

        return null;
    }

    /// <summary>x = c, where x is computed for this comparison only.</summary>
    private static void Equality(IrInstruction user, IrInstruction x, long c, SimplifyContext context)
    {
        int width = user.CompareWidth;
        bool isConstant = x.Operands is [_, { Opcode: IrOpcode.Constant }];
        switch (x.Opcode)
        {
            case IrOpcode.Add when isConstant && x.Width == width:
                long difference = ConstantFolding.Canonical(unchecked(c - x.Operands[1].Immediate), width);
                Set(user, user.Condition, width, x.Operands[0], context.Constant(difference), context);
                break;
            case IrOpcode.Xor when isConstant && x.Width == width:
                Set(user, user.Condition, width, x.Operands[0], context.Constant(c ^ x.Operands[1].Immediate), context);
                break;
            case IrOpcode.Subtract or IrOpcode.Xor when c == 0 && x.Width == width:
                Set(user, user.Condition, width, x.Operands[0], x.Operands[1], context);
                break;
            case IrOpcode.And when c == 0 && x.Width == width:
                IrCondition test = user.Condition == IrCondition.Equal ? IrCondition.TestZero : IrCondition.Test;
                Set(user, test, width, x.Operands[0], x.Operands[1], context);
                break;
            case IrOpcode.ByteSwap:
                SwappedEquality(user, x, c, context);
                break;
        }
    }

    /// <summary>Rather the constant with its bytes reversed than the value. Constants that no reversal gives were seen before.</summary>
    private static void SwappedEquality(IrInstruction user, IrInstruction swap, long c, SimplifyContext context)
    {
        IrInstruction value = swap.Operands[0];
        long swapped = ConstantFolding.ByteSwap(swap.Width, c);
        if (swap.Width == 16)
            value = context.Insert(IrOpcode.ZeroExtend, 16, value);
        else if (swap.Width == 64 && user.CompareWidth == 32)
            return;
        int width = swap.Width == 64 ? 64 : 32;
        Set(user, user.Condition, width, value, context.Constant(ConstantFolding.Canonical(swapped, width)), context);
    }

    /// <summary>The outcome for all values that x can have, where its lowest and its highest value agree on it.</summary>
    private static bool? OutcomeInRange(IrCondition condition, int width, IrInstruction x, long c)
    {
        if (condition is IrCondition.Test or IrCondition.TestZero)
            return c == 0 ? condition == IrCondition.TestZero : null;
        if (x.IsNotZero && c == 0 && width == 64 && (condition is IrCondition.Equal or IrCondition.NotEqual))
            return condition == IrCondition.NotEqual;
        if (HighestOf(x, width) is { } highest)
        {
            bool isOutside = ConstantFolding.Compare(IrCondition.UnsignedGreater, width, c, highest);
            if (condition is IrCondition.Equal or IrCondition.NotEqual)
                return isOutside ? condition == IrCondition.NotEqual : null;
            bool atLowest = ConstantFolding.Compare(condition, width, 0, c);
            return atLowest == ConstantFolding.Compare(condition, width, highest, c) ? atLowest : null;
        }

        if (condition is IrCondition.Equal or IrCondition.NotEqual)
            return null;
        bool isUnsigned = condition is IrCondition.UnsignedLess or IrCondition.UnsignedLessOrEqual or IrCondition.UnsignedGreater
            or IrCondition.UnsignedGreaterOrEqual;
        long least = isUnsigned ? 0 : width == 32 ? int.MinValue : long.MinValue;
        long greatest = isUnsigned ? -1 : width == 32 ? int.MaxValue : long.MaxValue;
        bool atLeast = ConstantFolding.Compare(condition, width, least, c);
        return atLeast == ConstantFolding.Compare(condition, width, greatest, c) ? atLeast : null;
    }

    /// <summary>A value that x is never above, if there is one below 2 to the power of width - 1: 0 is the lowest then, signed or not.</summary>
    private static long? HighestOf(IrInstruction x, int width)
    {
        if (x is { Opcode: IrOpcode.UnsignedRemainder, Operands: [_, { Opcode: IrOpcode.Constant, Immediate: > 0 } divisor] } && x.Width == width)
            return divisor.Immediate - 1;
        int bits = ZeroExtendedFrom(x);
        return bits < width ? (long)(ulong.MaxValue >> (64 - bits)) : null;
    }

    /// <summary>How many low bits of the value may be other than zero.</summary>
    private static int ZeroExtendedFrom(IrInstruction value) => value.Opcode switch
    {
        IrOpcode.ZeroExtend or IrOpcode.ByteSwap or IrOpcode.AtomicReadModifyWrite or IrOpcode.AtomicCompareExchange => value.Width,
        IrOpcode.Load when !value.IsSigned => value.Width,
        _ => 64,
    };

    /// <summary>The same condition with a constant that compares cheaper: 0.</summary>
    private static (IrCondition Condition, long Constant)? Nearer(IrCondition condition, long c) => (condition, c) switch
    {
        (IrCondition.UnsignedLess, 1) => (IrCondition.Equal, 0),
        (IrCondition.UnsignedGreaterOrEqual, 1) => (IrCondition.NotEqual, 0),
        (IrCondition.UnsignedLessOrEqual, 0) => (IrCondition.Equal, 0),
        (IrCondition.UnsignedGreater, 0) => (IrCondition.NotEqual, 0),
        (IrCondition.SignedLess, 1) => (IrCondition.SignedLessOrEqual, 0),
        (IrCondition.SignedGreaterOrEqual, 1) => (IrCondition.SignedGreater, 0),
        (IrCondition.SignedLessOrEqual, -1) => (IrCondition.SignedLess, 0),
        (IrCondition.SignedGreater, -1) => (IrCondition.SignedGreaterOrEqual, 0),
        (IrCondition.Test, -1) => (IrCondition.NotEqual, 0),
        (IrCondition.TestZero, -1) => (IrCondition.Equal, 0),
        _ => null,
    };

    private static void Set(
        IrInstruction user, IrCondition condition, int width, IrInstruction left, IrInstruction right, SimplifyContext context)
    {
        user.Condition = condition;
        user.CompareWidth = (byte)width;
        user.Operands[0] = left;
        user.Operands[1] = right;
        context.NoteRewrite();
    }
}
