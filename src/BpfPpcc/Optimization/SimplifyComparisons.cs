using System.Diagnostics.CodeAnalysis;
using System.Numerics;
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
        else if (TryCountedOn(user, x, c, out IrInstruction? next, out long constant))
        {
            Set(user, user.Condition, width, next, context.Constant(constant), context);
        }
        else if ((user.Condition is IrCondition.Equal or IrCondition.NotEqual) && context.HasOneUse(x))
        {
            Equality(user, x, c, context);
        }

        return null;
    }

    /// <summary>
    /// At the end of a loop's block what was counted is compared rather after the step than before: nothing needs the old count any more.
    /// </summary>
    private static bool TryCountedOn(IrInstruction user, IrInstruction x, long c, [NotNullWhen(true)] out IrInstruction? next, out long constant)
    {
        next = null;
        constant = 0;
        if (user.Opcode != IrOpcode.Branch || user.Condition is not (IrCondition.Equal or IrCondition.NotEqual) || x.Opcode != IrOpcode.Phi
            || x.Width < user.CompareWidth
            || !TryCounted(x, out InductionVariable variable) || variable.Next.Block != user.Block)
        {
            return false;
        }

        next = variable.Next;
        constant = ConstantFolding.Canonical(unchecked(c + variable.Step), user.CompareWidth);
        return (c is >= short.MinValue and <= short.MaxValue) && (constant is >= short.MinValue and <= short.MaxValue);
    }

    private static bool TryCounted(IrInstruction phi, out InductionVariable variable) =>
        InductionVariable.TryMatch(phi, out variable) || InductionVariable.TryMatchWord(phi, out variable);

    private static bool IsCounted(IrInstruction phi, IrInstruction next) => TryCounted(phi, out InductionVariable variable) && variable.Next == next;

    /// <summary>x = c, where x is computed for this comparison only.</summary>
    private static void Equality(IrInstruction user, IrInstruction x, long c, SimplifyContext context)
    {
        int width = user.CompareWidth;
        bool isConstant = x.Operands is [_, { Opcode: IrOpcode.Constant }];
        switch (x.Opcode)
        {
            case IrOpcode.Add when isConstant && x.Width == width && !IsCounted(x.Operands[0], x):
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
            case IrOpcode.UnsignedRemainder when isConstant && c == 0 && x.Width == 32 && width == 32:
                Divisibility(user, x.Operands[0], (uint)x.Operands[1].Immediate, context);
                break;
        }
    }

    /// <summary>
    /// n % d = 0 without a quotient (Granlund and Montgomery, Division by Invariant Integers using Multiplication, section 9): with d = 2^k * o,
    /// o odd, n times the inverse of o modulo 2^32 is n / o if o divides n and more than (2^32 - 1) / o if not; rotated right by k, what
    /// 2^k does not divide gets larger than all that it divides.
    /// </summary>
    private static void Divisibility(IrInstruction user, IrInstruction n, uint d, SimplifyContext context)
    {
        if (d < 3 || BitOperations.IsPow2(d))
            return;
        int k = BitOperations.TrailingZeroCount(d);
        IrInstruction product = context.Insert(IrOpcode.Multiply, 32, n, context.Constant((int)Inverse(d >> k)));
        if (k != 0)
            product = context.Insert(IrOpcode.RotateLeft, 32, product, context.Constant(32 - k));
        IrCondition condition = user.Condition == IrCondition.Equal ? IrCondition.UnsignedLessOrEqual : IrCondition.UnsignedGreater;
        Set(user, condition, 32, product, context.Constant((int)(uint.MaxValue / d)), context);
    }

    /// <summary>Of an odd number, modulo 2^32: each step doubles how many low bits are right, of which there are three to begin with.</summary>
    private static uint Inverse(uint odd)
    {
        uint inverse = odd;
        for (int bits = 3; bits < 32; bits *= 2)
            inverse *= 2 - (odd * inverse);
        return inverse;
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
        ulong bound = UnsignedBound.Of(x, width);
        return bound <= ulong.MaxValue >> (65 - width) ? (long)bound : null;
    }

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
