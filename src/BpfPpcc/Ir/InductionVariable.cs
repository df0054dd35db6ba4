namespace BpfPpcc.Ir;

/// <summary>A phi at the head of a loop that begins with some value and grows by a constant on each way round.</summary>
/// <param name="Phi">In a block with two predecessors.</param>
/// <param name="Start">The value on the way into the loop.</param>
/// <param name="Next">The sum of the phi and the step: the value on the way round.</param>
/// <param name="Step">Not 0.</param>
/// <param name="Latch">The predecessor of the phi's block on the way round.</param>
public readonly record struct InductionVariable(IrInstruction Phi, IrInstruction Start, IrInstruction Next, long Step, IrBlock Latch)
{
    /// <summary>Blocks looked at on the way from the latch backwards, for branches that decide whether the loop goes on.</summary>
    private const int LongestChain = 16;

    /// <summary>Starts, steps and limits below this cannot overflow 32 bits together.</summary>
    private const long Small = 1 << 30;

    /// <summary>What holds on the way round: condition, between the phi or its successor and a constant.</summary>
    /// <param name="IsExtended">What is compared is the low half, zero-extended.</param>
    private readonly record struct Guard(IrCondition Condition, bool IsOfNext, long Constant, bool IsExtended);

    public static bool TryMatch(IrInstruction phi, out InductionVariable variable) => TryMatch(phi, 64, out variable);

    /// <summary>The same of a phi of width 32, of which the low halves of all values are meant.</summary>
    public static bool TryMatchWord(IrInstruction phi, out InductionVariable variable) => TryMatch(phi, 32, out variable);

    private static bool TryMatch(IrInstruction phi, int width, out InductionVariable variable)
    {
        variable = default;
        if (phi.Opcode != IrOpcode.Phi || phi.Width != width || phi.Operands.Length != 2)
            return false;
        for (int i = 0; i < 2; i++)
        {
            IrInstruction next = phi.Operands[i];
            if (next is not { Opcode: IrOpcode.Add, Operands: [var left, { Opcode: IrOpcode.Constant, Immediate: not 0 } step] }
                || next.Width != width || left != phi || phi.Operands[1 - i] == next)
            {
                continue;
            }

            variable = new InductionVariable(phi, phi.Operands[1 - i], next, step.Immediate, phi.Block!.Predecessors[i]);
            return true;
        }

        return false;
    }

    /// <summary>
    /// The highest value that the phi takes, if it starts at a small constant, counts upwards, and a comparison that every way round passes
    /// ends it before it can get around: then the values are Start, Start + Step, ... up to this, without overflow.
    /// </summary>
    public bool TryHighest(out long highest)
    {
        highest = 0;
        if (Start.Opcode != IrOpcode.Constant || Start.Immediate is < 0 or >= Small || Step is < 0 or >= Small)
            return false;
        IrBlock to = Phi.Block!;
        IrBlock from = Latch;
        for (int length = 0; length < LongestChain; length++)
        {
            if (EndsWithBranch(from) && TryGuard(from.Terminator, to, out Guard guard) && TryBound(guard, out highest))
                return true;
            if (from == Phi.Block || from.Predecessors.Count != 1)
                return false;
            (to, from) = (from, from.Predecessors[0]);
        }

        return false;
    }

    /// <summary>
    /// The lowest and the highest value that the phi takes, both small and not negative, if it counts up from a constant or down from
    /// anything small to where a comparison that every way round passes ends it.
    /// </summary>
    public bool TryRange(out long lowest, out long highest) => TryRange(0, out lowest, out highest);

    /// <param name="depth">Of the search that <see cref="UnsignedBound"/> is in.</param>
    internal bool TryRange(int depth, out long lowest, out long highest)
    {
        lowest = 0;
        if (Step > 0)
        {
            lowest = Start.Immediate;
            return TryHighest(out highest);
        }

        ulong most = UnsignedBound.OfStart(Start, Phi.Width, depth);
        highest = (long)Math.Min(most, Small);
        return most < Small && Step > -Small && TryLowest(UnsignedBound.LeastOfStart(Start, depth), out lowest);
    }

    /// <summary>How often the way round is taken at most, if the range of the phi is known.</summary>
    public bool TryMostRounds(out long rounds)
    {
        rounds = 0;
        if (!TryRange(out long lowest, out long highest))
            return false;
        rounds = (highest - lowest) / (Step < 0 ? -Step : Step);
        return true;
    }

    /// <summary>The lowest value of a phi that counts downwards from below 2 to the power of 30, where it is not negative.</summary>
    private bool TryLowest(long leastStart, out long lowest)
    {
        lowest = 0;
        IrBlock to = Phi.Block!;
        IrBlock from = Latch;
        for (int length = 0; length < LongestChain; length++)
        {
            if (EndsWithBranch(from) && TryGuard(from.Terminator, to, out Guard guard)
                && TryLowest(guard, leastStart, out lowest))
            {
                return true;
            }

            if (from == Phi.Block || from.Predecessors.Count != 1)
                return false;
            (to, from) = (from, from.Predecessors[0]);
        }

        return false;
    }

    /// <remarks>
    /// As long as the guard holds the phi and its successor are above its limit. The first successor that breaks it is above -(2 to the
    /// power of 30): to signed comparisons of 32 and of 64 bits it is below the limit. To unsigned ones it is so only if it is not negative.
    /// </remarks>
    private bool TryLowest(Guard guard, long leastStart, out long lowest)
    {
        lowest = 0;
        long limit = guard.Constant;
        if (limit < (guard.IsExtended ? 0 : -1) || limit >= Small)
            return false;
        bool seesSign = !guard.IsExtended && (guard.Condition is IrCondition.SignedGreater or IrCondition.SignedGreaterOrEqual);
        long least;
        switch (guard.Condition)
        {
            case IrCondition.SignedGreater:
            case IrCondition.UnsignedGreater when limit >= 0:
                least = limit + 1;
                break;
            case IrCondition.SignedGreaterOrEqual:
            case IrCondition.UnsignedGreaterOrEqual when limit > 0:
                least = limit;
                break;
            case IrCondition.NotEqual when Start.Opcode == IrOpcode.Constant && Start.Immediate > limit && (Start.Immediate - limit) % Step == 0:
                // Met exactly, so that nothing below it is ever compared.
                seesSign = true;
                least = limit - Step;
                break;
            default:
                return false;
        }

        if (!seesSign && (least + Step < 0 || (guard.IsOfNext && leastStart + Step < 0)))
            return false;
        long lowestPassed = guard.IsOfNext ? least : least + Step;
        lowest = Math.Min(lowestPassed, leastStart);
        return lowest >= 0;
    }

    /// <summary>
    /// How often the loop's body is entered if only <paramref name="test"/>, a branch that every way round passes, ends the loop: it compares
    /// the successor with a constant that the count meets exactly.
    /// </summary>
    public bool TryTripCount(IrInstruction test, IrBlock stay, out long count)
    {
        count = 0;
        if (Start.Opcode != IrOpcode.Constant || Start.Immediate is < 0 or >= Small || Step is < 0 or >= Small
            || !TryGuard(test, stay, out Guard guard) || !guard.IsOfNext)
        {
            return false;
        }

        switch (guard.Condition)
        {
            case IrCondition.NotEqual when guard.Constant > Start.Immediate && guard.Constant < Small
                && (guard.Constant - Start.Immediate) % Step == 0:
                count = (guard.Constant - Start.Immediate) / Step;
                return true;
            case IrCondition.UnsignedLess or IrCondition.SignedLess when guard.Constant > Start.Immediate && guard.Constant < Small:
                count = (guard.Constant - Start.Immediate + Step - 1) / Step;
                return true;
            default:
                return false;
        }
    }

    /// <summary>False of a block that a pass is just filling.</summary>
    private static bool EndsWithBranch(IrBlock block) => block.Instructions is [.., { Opcode: IrOpcode.Branch }];

    /// <summary>What the branch says when it goes to the block.</summary>
    private bool TryGuard(IrInstruction branch, IrBlock to, out Guard guard)
    {
        guard = default;
        if (branch.Operands is not [var left, { Opcode: IrOpcode.Constant } constant])
            return false;
        bool isExtended = left is { Opcode: IrOpcode.ZeroExtend, Width: 32 };
        if (isExtended)
            left = left.Operands[0];
        if (left != Next && left != Phi)
            return false;
        IrCondition condition = branch.Targets[0] == to ? branch.Condition : branch.Condition.Negated();
        guard = new Guard(condition, left == Next, constant.Immediate, isExtended && branch.CompareWidth == 64);
        return true;
    }

    /// <remarks>
    /// Phi and successor grow by less than 2 to the power of 30 from a start below that, so the first successor that breaks the guard is below
    /// 2 to the power of 31: up to there comparisons of 32 bits, of 64, signed and unsigned are the same.
    /// </remarks>
    private bool TryBound(Guard guard, out long highest)
    {
        highest = 0;
        long limit = guard.Constant;
        if (limit <= Start.Immediate || limit >= Small)
            return false;
        long behind = guard.IsOfNext ? 0 : Step;
        switch (guard.Condition)
        {
            case IrCondition.NotEqual when (limit - Start.Immediate) % Step == 0:
                highest = limit - Step + behind;
                return true;
            case IrCondition.UnsignedLess or IrCondition.SignedLess:
                highest = limit - 1 + behind;
                return true;
            case IrCondition.UnsignedLessOrEqual or IrCondition.SignedLessOrEqual:
                highest = limit + behind;
                return true;
            default:
                return false;
        }
    }
}
