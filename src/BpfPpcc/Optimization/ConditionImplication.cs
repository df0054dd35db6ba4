using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>What holds: <paramref name="Condition"/>, between two values of which the low <paramref name="Width"/> bits count.</summary>
internal readonly record struct KnownCondition(IrCondition Condition, int Width, IrInstruction Left, IrInstruction Right);

/// <summary>
/// What one condition says about another. Between the same two values conditions are sets of outcomes (less, equal, greater); against
/// constants they are sets of values, each of which is one run of numbers around the circle of all that a width has.
/// </summary>
internal static class ConditionImplication
{
    private const int Less = 1;
    private const int Equal = 2;
    private const int Greater = 4;

    /// <summary>A run of numbers: <paramref name="First"/> and the <paramref name="More"/> behind it, modulo 2 to the power of the width.</summary>
    private readonly record struct Run(ulong First, ulong More);

    /// <summary>Whether <paramref name="asked"/> holds where <paramref name="known"/> does; null if it may or may not.</summary>
    public static bool? Decide(in KnownCondition known, in KnownCondition asked)
    {
        if (known.Left != asked.Left)
            return known.Right == asked.Left ? Decide(Mirror(known), asked, isMirrored: true) : null;
        return Decide(known, asked, isMirrored: false);
    }

    private static KnownCondition Mirror(in KnownCondition known) =>
        known with { Condition = known.Condition.Mirrored(), Left = known.Right, Right = known.Left };

    private static bool? Decide(in KnownCondition known, in KnownCondition asked, bool isMirrored)
    {
        if (known.Left != asked.Left || (isMirrored && known.Right != asked.Right))
            return null;
        if (known.Right.Opcode == IrOpcode.Constant && asked.Right.Opcode == IrOpcode.Constant)
            return DecideOfConstants(known, asked);
        return known.Right == asked.Right && known.Width == asked.Width ? DecideOfOutcomes(known.Condition, asked.Condition) : null;
    }

    private static bool? DecideOfConstants(in KnownCondition known, in KnownCondition asked)
    {
        if (known.Condition == IrCondition.Equal && asked.Width <= known.Width)
            return ConstantFolding.Compare(asked.Condition, asked.Width, known.Right.Immediate, asked.Right.Immediate);
        if (known.Width != asked.Width)
            return null;
        if (IsTest(known.Condition) || IsTest(asked.Condition))
            return known.Right == asked.Right ? DecideOfOutcomes(known.Condition, asked.Condition) : null;
        if (!TryRun(known, out Run held))
            return null;
        if (!TryRun(asked, out Run wanted))
            return false;
        if (IsWithin(held, wanted, asked.Width))
            return true;
        bool canFail = TryRun(asked with { Condition = asked.Condition.Negated() }, out Run unwanted);
        return canFail && IsWithin(held, unwanted, asked.Width) ? false : null;
    }

    private static bool? DecideOfOutcomes(IrCondition known, IrCondition asked)
    {
        if (known == asked)
            return true;
        if (known == asked.Negated())
            return false;
        if (IsTest(known) || IsTest(asked) || (known.IsSigned() != asked.IsSigned() && !IsEquality(known) && !IsEquality(asked)))
            return null;
        int held = Outcomes(known);
        int wanted = Outcomes(asked);
        return (held & ~wanted) == 0 ? true : (held & wanted) == 0 ? false : null;
    }

    private static bool IsTest(IrCondition condition) => condition is IrCondition.Test or IrCondition.TestZero;

    private static bool IsEquality(IrCondition condition) => condition is IrCondition.Equal or IrCondition.NotEqual;

    private static int Outcomes(IrCondition condition) => condition switch
    {
        IrCondition.Equal => Equal,
        IrCondition.NotEqual => Less | Greater,
        IrCondition.UnsignedLess or IrCondition.SignedLess => Less,
        IrCondition.UnsignedLessOrEqual or IrCondition.SignedLessOrEqual => Less | Equal,
        IrCondition.UnsignedGreater or IrCondition.SignedGreater => Greater,
        IrCondition.UnsignedGreaterOrEqual or IrCondition.SignedGreaterOrEqual => Greater | Equal,
        IrCondition.None or IrCondition.Test or IrCondition.TestZero =>
            throw new InvalidOperationException($"{condition} does not order its values"),
    };

    /// <summary>The numbers for which the condition holds; false if there is none.</summary>
    private static bool TryRun(in KnownCondition condition, out Run run)
    {
        ulong mask = Mask(condition.Width);
        ulong constant = (ulong)condition.Right.Immediate & mask;
        ulong lowest = condition.Condition.IsSigned() ? 1UL << (condition.Width - 1) : 0;
        ulong highest = unchecked(lowest - 1) & mask;
        (ulong first, ulong last, bool isEmpty) = condition.Condition switch
        {
            IrCondition.Equal => (constant, constant, false),
            IrCondition.NotEqual => (constant + 1, constant - 1, false),
            IrCondition.UnsignedLess or IrCondition.SignedLess => (lowest, constant - 1, constant == lowest),
            IrCondition.UnsignedLessOrEqual or IrCondition.SignedLessOrEqual => (lowest, constant, false),
            IrCondition.UnsignedGreater or IrCondition.SignedGreater => (constant + 1, highest, constant == highest),
            IrCondition.UnsignedGreaterOrEqual or IrCondition.SignedGreaterOrEqual => (constant, highest, false),
            IrCondition.None or IrCondition.Test or IrCondition.TestZero =>
                throw new InvalidOperationException($"{condition.Condition} does not order its values"),
        };
        run = new Run(first & mask, unchecked(last - first) & mask);
        return !isEmpty;
    }

    private static bool IsWithin(Run inner, Run outer, int width)
    {
        ulong distance = unchecked(inner.First - outer.First) & Mask(width);
        return distance <= outer.More && inner.More <= outer.More - distance;
    }

    private static ulong Mask(int width) => ulong.MaxValue >> (64 - width);
}
