using System.Diagnostics.CodeAnalysis;
using BpfPpcc.Ir;

namespace BpfPpcc.Selection;

/// <summary>
/// What a loop's exit compares: a phi to which every iteration adds <paramref name="Step"/>, modulo 2 to the power of
/// <paramref name="Width"/>, plus a constant, with a limit. The loop goes on while <paramref name="Condition"/> holds.
/// </summary>
/// <param name="Initial">What the phi is when the loop is entered.</param>
/// <param name="Offset">What is added to the phi for the comparison.</param>
/// <param name="Step">Not 0.</param>
/// <param name="Condition">Value to the left, limit to the right.</param>
/// <param name="Limit">Constant.</param>
/// <param name="Width">Of the comparison, 32 or 64.</param>
internal readonly record struct ExitComparison(
    IrInstruction Initial, long Offset, long Step, IrCondition Condition, long Limit, int Width)
{
    /// <summary>What a branch of a loop compares with a constant, if that is such a phi.</summary>
    /// <param name="header">Header with two predecessors.</param>
    /// <param name="entering">Index of the predecessor outside.</param>
    /// <param name="repeating">Index of the predecessor in the loop.</param>
    /// <param name="branch">Runs once in every iteration.</param>
    /// <param name="continueTarget">Which of its targets stays in the loop.</param>
    /// <param name="comparison">The result.</param>
    public static bool TryMatch(
        ValueFacts facts,
        IrBlock header,
        int entering,
        int repeating,
        IrInstruction branch,
        int continueTarget,
        out ExitComparison comparison)
    {
        comparison = default;
        IrCondition condition = continueTarget == 0 ? branch.Condition : branch.Condition.Negated();
        int width = branch.CompareWidth;
        if (!ValueFacts.TryConstant(branch.Operands[1], out long limit))
            return false;

        // Of something below 2^32 the low half says as much, unless it is compared as signed or with more.
        IrInstruction compared = branch.Operands[0];
        if (width == 64 && facts.Bits(compared) <= 32 && limit == (uint)limit && !condition.IsSigned())
            width = 32;
        (IrInstruction phi, long offset) = SplitConstant(compared, width);
        if (phi.Opcode != IrOpcode.Phi || phi.Block != header || phi.Width < width)
            return false;
        (IrInstruction stepped, long step) = SplitConstant(phi.Operands[repeating], width);
        comparison = new ExitComparison(phi.Operands[entering], offset, step, condition, limit, width);
        return stepped == phi && step != 0;
    }

    /// <summary>
    /// How often the exit runs until the condition fails, where the initial value is a constant and nothing wraps on the way.
    /// </summary>
    public bool TryConstantCount(out long count)
    {
        count = 0;
        if (!ValueFacts.TryConstant(Initial, out long initial))
            return false;
        bool isSigned = Condition.IsSigned();
        Int128 lowest = isSigned ? -((Int128)1 << (Width - 1)) : 0;
        Int128 highest = lowest + ((Int128)1 << Width) - 1;
        Int128 first = Interpret(unchecked(initial + Offset), isSigned);
        Int128 limit = Interpret(Limit, isSigned);
        if (Condition == IrCondition.NotEqual)
            return TryCountToEquality(first, limit, out count);
        Int128 steps = Condition switch
        {
            IrCondition.UnsignedLess or IrCondition.SignedLess => StepsUp(first, limit),
            IrCondition.UnsignedLessOrEqual or IrCondition.SignedLessOrEqual => StepsUp(first, limit + 1),
            IrCondition.UnsignedGreater or IrCondition.SignedGreater => StepsDown(first, limit),
            IrCondition.UnsignedGreaterOrEqual or IrCondition.SignedGreaterOrEqual => StepsDown(first, limit - 1),
            IrCondition.None or IrCondition.Equal or IrCondition.NotEqual or IrCondition.Test or IrCondition.TestZero => -1,
        };
        Int128 last = first + (steps * Step);
        if (steps < 0 || last < lowest || last > highest)
            return false;
        count = (long)(steps + 1);
        return true;
    }

    /// <summary>Wherever the value begins, it meets the limit when it has gone the distance, which it may do around the end of the numbers.</summary>
    private bool TryCountToEquality(Int128 first, Int128 limit, out long count)
    {
        Int128 numbers = (Int128)1 << Width;
        Int128 distance = Step < 0 ? first - limit : limit - first;
        if (distance < 0)
            distance += numbers;
        Int128 step = Int128.Abs(Step);
        count = (long)((distance / step) + 1);
        return distance % step == 0 && distance / step < long.MaxValue;
    }

    /// <summary>
    /// The count where it is a value: something counted down to 0 by ones. In 64 bits a count of 0 is right too, as both go on 2 to the
    /// power of 64 times.
    /// </summary>
    public bool TryVariableCount([NotNullWhen(true)] out IrInstruction? count)
    {
        count = Initial;
        return Width == 64 && Offset == -1 && Step == -1 && Limit == 0 && Condition == IrCondition.NotEqual
            && !ValueFacts.TryConstant(Initial, out _);
    }

    /// <summary>How many steps from <paramref name="first"/> to the limit or above it; -1 if they lead away from it.</summary>
    private Int128 StepsUp(Int128 first, Int128 limit) => Step < 0 ? -1 : first >= limit ? 0 : (limit - first + Step - 1) / Step;

    /// <summary>How many steps from <paramref name="first"/> to the limit or below it; -1 if they lead away from it.</summary>
    private Int128 StepsDown(Int128 first, Int128 limit) => Step > 0 ? -1 : first <= limit ? 0 : (first - limit - Step - 1) / -(Int128)Step;

    private Int128 Interpret(long value, bool isSigned) =>
        Width == 32 ? (isSigned ? (int)value : (uint)value) : (isSigned ? value : (ulong)value);

    /// <summary>A value plus a constant; only their low <paramref name="width"/> bits matter.</summary>
    private static (IrInstruction Value, long Constant) SplitConstant(IrInstruction value, int width)
    {
        long constant = 0;
        while (true)
        {
            if (value.Opcode is IrOpcode.ZeroExtend or IrOpcode.SignExtend && value.Width >= width)
            {
                value = value.Operands[0];
                continue;
            }

            if (value.Opcode is not (IrOpcode.Add or IrOpcode.Subtract) || value.Width < width)
                break;
            int index = value.Opcode == IrOpcode.Add ? ValueFacts.ImmediateOperand(value) : 1;
            if (index < 0 || !ValueFacts.TryConstant(value.Operands[index], out long term))
                break;
            constant = unchecked(value.Opcode == IrOpcode.Add ? constant + term : constant - term);
            value = value.Operands[1 - index];
        }

        return (value, ArithmeticRules.Truncate(constant, width));
    }
}
