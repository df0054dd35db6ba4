namespace BpfPpcc.Ir;

/// <summary>A phi at the head of a loop that begins with some value and grows by a constant on each way round.</summary>
/// <param name="Phi">Of width 64, in a block with two predecessors.</param>
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
    private readonly record struct Guard(IrCondition Condition, bool IsOfNext, long Constant);

    public static bool TryMatch(IrInstruction phi, out InductionVariable variable)
    {
        variable = default;
        if (phi.Opcode != IrOpcode.Phi || phi.Width != 64 || phi.Operands.Length != 2)
            return false;
        for (int i = 0; i < 2; i++)
        {
            IrInstruction next = phi.Operands[i];
            if (next is not { Opcode: IrOpcode.Add, Width: 64, Operands: [var left, { Opcode: IrOpcode.Constant, Immediate: not 0 } step] }
                || left != phi || phi.Operands[1 - i] == next)
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
            if (from.Terminator.Opcode == IrOpcode.Branch && TryGuard(from.Terminator, to, out Guard guard) && TryBound(guard, out highest))
                return true;
            if (from == Phi.Block || from.Predecessors.Count != 1)
                return false;
            (to, from) = (from, from.Predecessors[0]);
        }

        return false;
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

    /// <summary>What the branch says when it goes to the block.</summary>
    private bool TryGuard(IrInstruction branch, IrBlock to, out Guard guard)
    {
        guard = default;
        if (branch.Operands is not [var left, { Opcode: IrOpcode.Constant } constant])
            return false;
        if (left is { Opcode: IrOpcode.ZeroExtend, Width: 32 })
            left = left.Operands[0];
        if (left != Next && left != Phi)
            return false;
        IrCondition condition = branch.Targets[0] == to ? branch.Condition : Inverse(branch.Condition);
        guard = new Guard(condition, left == Next, constant.Immediate);
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

    private static IrCondition Inverse(IrCondition condition) => condition switch
    {
        IrCondition.None => IrCondition.None,
        IrCondition.Equal => IrCondition.NotEqual,
        IrCondition.NotEqual => IrCondition.Equal,
        IrCondition.UnsignedLess => IrCondition.UnsignedGreaterOrEqual,
        IrCondition.UnsignedLessOrEqual => IrCondition.UnsignedGreater,
        IrCondition.UnsignedGreater => IrCondition.UnsignedLessOrEqual,
        IrCondition.UnsignedGreaterOrEqual => IrCondition.UnsignedLess,
        IrCondition.SignedLess => IrCondition.SignedGreaterOrEqual,
        IrCondition.SignedLessOrEqual => IrCondition.SignedGreater,
        IrCondition.SignedGreater => IrCondition.SignedLessOrEqual,
        IrCondition.SignedGreaterOrEqual => IrCondition.SignedLess,
        IrCondition.Test => IrCondition.TestZero,
        IrCondition.TestZero => IrCondition.Test,
    };
}
