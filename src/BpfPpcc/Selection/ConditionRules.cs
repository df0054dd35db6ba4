using BpfPpcc.Ir;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using static BpfPpcc.Mir.MachineOperand;
using static BpfPpcc.Ppc64.Ppc64Opcode;

namespace BpfPpcc.Selection;

/// <summary>A bit of CR0 and which state of it means that a condition holds.</summary>
internal readonly record struct ConditionOutcome(int Bit, bool IsSet);

/// <summary>
/// Comparisons, for Branch and Select. All set CR0 right before it is read, so no CR field is live across a rule. The record forms compare
/// 64 bits with zero: a 32-bit Test uses them only where the result's upper half is zero (Power ISA book I, 2.3.1).
/// </summary>
internal static class ConditionRules
{
    /// <summary>What is compared.</summary>
    private readonly record struct Comparison(IrCondition Condition, IrInstruction Left, IrInstruction Right, int Width);

    /// <summary>
    /// True for a comparison that gives again what CR0 holds; otherwise notes what an instruction leaves there. To be asked in the order of
    /// a block's instructions.
    /// </summary>
    /// <remarks>extsw. compares what it extends with zero.</remarks>
    /// <param name="instruction">The instruction.</param>
    /// <param name="comparison">The comparison whose outcome CR0 holds, or null.</param>
    public static bool IsRepeated(SelectionContext context, MachineInstruction instruction, ref MachineInstruction? comparison)
    {
        if (context.IsOnlyTest(instruction))
        {
            if (comparison is not null && comparison.Pseudo == MachinePseudo.None && comparison.Opcode == instruction.Opcode
                && comparison.Operands.AsSpan(1).SequenceEqual(instruction.Operands.AsSpan(1)))
            {
                return true;
            }

            comparison = instruction;
            return false;
        }

        if (instruction.Pseudo == MachinePseudo.None && instruction.Operands.Length == 3
            && instruction.Operands[0].Kind == MachineOperandKind.CrField)
        {
            if (comparison is not null && comparison.Opcode == instruction.Opcode
                && comparison.Operands.AsSpan().SequenceEqual(instruction.Operands))
            {
                return true;
            }

            comparison = instruction;
        }
        else if (instruction is { Pseudo: MachinePseudo.None, Opcode: ExtswRc })
        {
            comparison = new(Cmpwi, instruction.Position, CrField(0), Use(instruction.Operands[0].Register), Immediate(0));
        }
        else if (ZeroTest.ChangesCr0(instruction))
        {
            comparison = null;
        }

        return false;
    }

    /// <summary>y if a bit is set, else 0, from an and of y with a negated bit: one instruction less.</summary>
    /// <param name="value">The and.</param>
    /// <param name="negated">Index of its operand that is the negated bit.</param>
    /// <returns>False if that is no better, and nothing was emitted.</returns>
    public static bool TrySelectMasked(SelectionContext context, IrInstruction value, int negated, VirtualRegister result)
    {
        IrInstruction negation = value.Operands[negated];
        if (negation.Opcode != IrOpcode.Negate || negation.Width != value.Width || !context.IsOnlyUse(negation)
            || negation.Operands[0] is not { Opcode: IrOpcode.And, Operands: [var bits, { Opcode: IrOpcode.Constant, Immediate: 1 }] } bit
            || context.IsWanted(bit))
        {
            return false;
        }

        IrInstruction other = value.Operands[1 - negated];
        if (ValueFacts.TryConstant(other, out long constant) && (!context.IsInLoop || Ppc64Fields.FitsUI16(constant)))
            return false;
        MachineOperand chosen = ValueFacts.TryConstant(other, out constant)
            ? context.UseImmediate(ArithmeticRules.Truncate(constant, value.Width))
            : context.Use(other);
        ulong mask = 1;
        if (bits.Opcode == IrOpcode.ShiftRightLogical && !context.IsWanted(bits) && ValueFacts.TryConstant(bits.Operands[1], out long count))
        {
            mask <<= (int)count & (bits.Width - 1);
            bits = bits.Operands[0];
        }

        // A rule is emitted in the order of the code.
        TestImmediate(context, new Comparison(IrCondition.Test, bits, bits, mask > uint.MaxValue ? 64 : 32), mask);
        context.Emit(Isel, Def(result), Zero, chosen, CrBit(CrBits.Eq));
        return true;
    }

    public static void SelectSelect(SelectionContext context, IrInstruction value, VirtualRegister result)
    {
        ConditionOutcome outcome = EmitComparison(context, value);
        IrInstruction ifSet = value.Operands[outcome.IsSet ? 2 : 3];
        IrInstruction ifClear = value.Operands[outcome.IsSet ? 3 : 2];
        context.Emit(Isel, Def(result), context.UseOrZero(ifSet), context.Use(ifClear), CrBit(outcome.Bit));
    }

    /// <summary>Emits the comparison of a Branch or Select.</summary>
    public static ConditionOutcome EmitComparison(SelectionContext context, IrInstruction value)
    {
        Comparison comparison = Normalize(context, value);
        EmitComparison(context, comparison);
        return Outcome(comparison.Condition);
    }

    private static ConditionOutcome Outcome(IrCondition condition) => condition switch
    {
        IrCondition.Equal or IrCondition.TestZero => new(CrBits.Eq, true),
        IrCondition.NotEqual or IrCondition.Test => new(CrBits.Eq, false),
        IrCondition.UnsignedLess or IrCondition.SignedLess => new(CrBits.Lt, true),
        IrCondition.UnsignedGreaterOrEqual or IrCondition.SignedGreaterOrEqual => new(CrBits.Lt, false),
        IrCondition.UnsignedGreater or IrCondition.SignedGreater => new(CrBits.Gt, true),
        IrCondition.UnsignedLessOrEqual or IrCondition.SignedLessOrEqual => new(CrBits.Gt, false),
        IrCondition.None => throw new InvalidOperationException("a comparison without a condition"),
    };

    /// <summary>
    /// A constant to the right, bits tested rather than computed and compared with zero, 32 bits where both sides have no more.
    /// </summary>
    private static Comparison Normalize(SelectionContext context, IrInstruction value)
    {
        var comparison = ConstantToTheRight(new(value.Condition, value.Operands[0], value.Operands[1], value.CompareWidth));
        if (IsTestOfAnd(context, comparison))
        {
            IrCondition condition = comparison.Condition == IrCondition.Equal ? IrCondition.TestZero : IrCondition.Test;
            comparison = new(condition, comparison.Left.Operands[0], comparison.Left.Operands[1], comparison.Width);
            return ConstantToTheRight(comparison);
        }

        if (!IsTest(comparison.Condition) && comparison.Width == 64
            && HasWordBits(context, comparison.Left) && HasWordBits(context, comparison.Right))
        {
            comparison = comparison with { Condition = comparison.Condition.AsUnsigned(), Width = 32 };
        }

        return comparison;
    }

    private static Comparison ConstantToTheRight(Comparison comparison)
    {
        if (!IsConstant(comparison.Left) || IsConstant(comparison.Right))
            return comparison;
        return comparison with { Condition = comparison.Condition.Mirrored(), Left = comparison.Right, Right = comparison.Left };
    }

    private static bool IsConstant(IrInstruction value) => ValueFacts.TryConstant(value, out _);

    private static bool IsTest(IrCondition condition) => condition is IrCondition.Test or IrCondition.TestZero;

    /// <summary>An and of registers of the same width, or of more, which is compared with zero.</summary>
    private static bool IsTestOfAnd(SelectionContext context, Comparison comparison) =>
        comparison.Condition is IrCondition.Equal or IrCondition.NotEqual
        && comparison.Left.Opcode == IrOpcode.And && comparison.Left.Width >= comparison.Width && IsBestTested(context, comparison.Left)
        && ValueFacts.TryConstant(comparison.Right, out long constant)
        && ArithmeticRules.Truncate(constant, comparison.Width) == 0;

    /// <summary>
    /// Nobody else wants the and, or others that are seen later may: then the test takes the place of a comparison, if it is no longer.
    /// </summary>
    private static bool IsBestTested(SelectionContext context, IrInstruction and) => context.IsOnlyUse(and)
        || (!context.IsWanted(and) && ValueFacts.TryConstant(and.Operands[1], out long mask) && mask is > 0 and <= ushort.MaxValue);

    /// <summary>A byte or halfword that is compared with zero and is in no register of its own.</summary>
    private static bool IsTestOfExtension(SelectionContext context, Comparison comparison, long constant) =>
        comparison.Condition is IrCondition.Equal or IrCondition.NotEqual && constant == 0
        && comparison.Left is { Opcode: IrOpcode.ZeroExtend, Width: 8 or 16 } && !context.IsWanted(comparison.Left)
        && context.Facts.Resolve(comparison.Left) == comparison.Left;

    private static bool HasWordBits(SelectionContext context, IrInstruction value) =>
        ValueFacts.TryConstant(value, out long constant) ? constant == (uint)constant : context.Facts.Bits(value) <= 32;

    private static void EmitComparison(SelectionContext context, Comparison comparison)
    {
        bool isConstant = ValueFacts.TryConstant(comparison.Right, out long constant);
        if (IsTest(comparison.Condition))
        {
            if (isConstant)
                TestImmediate(context, comparison, comparison.Width == 32 ? (uint)constant : (ulong)constant);
            else
                TestRegisters(context, comparison);
        }
        else if (isConstant && IsTestOfExtension(context, comparison, constant))
        {
            ulong mask = ulong.MaxValue >> (64 - comparison.Left.Width);
            TestImmediate(context, comparison with { Left = comparison.Left.Operands[0], Width = 32 }, mask);
        }
        else if (isConstant)
        {
            CompareImmediate(context, comparison, constant);
        }
        else
        {
            MachineOperand left = UseLeft(context, comparison);
            context.Emit(RegisterOpcode(comparison), CrField(0), left, context.UseLow(comparison.Right, comparison.Width));
        }
    }

    private static MachineOperand UseLeft(SelectionContext context, Comparison comparison) =>
        context.UseLow(comparison.Left, comparison.Width);

    private static Ppc64Opcode RegisterOpcode(Comparison comparison) => comparison.Condition.IsSigned()
        ? (comparison.Width == 32 ? Cmpw : Cmpd)
        : (comparison.Width == 32 ? Cmplw : Cmpld);

    private static void CompareImmediate(SelectionContext context, Comparison comparison, long constant)
    {
        bool isWord = comparison.Width == 32;
        bool isEquality = comparison.Condition is IrCondition.Equal or IrCondition.NotEqual;
        long signed = ArithmeticRules.Truncate(constant, comparison.Width);
        ulong unsigned = isWord ? (uint)constant : (ulong)constant;
        MachineOperand left = UseLeft(context, comparison);
        if ((isEquality || comparison.Condition.IsSigned()) && Ppc64Fields.FitsSI16(signed))
        {
            context.Emit(isWord ? Cmpwi : Cmpdi, CrField(0), left, Immediate(signed));
        }
        else if (!comparison.Condition.IsSigned() && unsigned <= ushort.MaxValue)
        {
            context.Emit(isWord ? Cmplwi : Cmpldi, CrField(0), left, Immediate((long)unsigned));
        }
        else if (isEquality && unsigned <= uint.MaxValue)
        {
            // With the upper halfword taken out by an exclusive or, the lower one remains to be compared.
            VirtualRegister difference = context.Compute(Xoris, left, Immediate((long)(unsigned >> 16)));
            context.Emit(isWord ? Cmplwi : Cmpldi, CrField(0), Use(difference), Immediate((long)(unsigned & 0xffff)));
        }
        else
        {
            context.Emit(RegisterOpcode(comparison), CrField(0), left, context.UseImmediate(signed));
        }
    }

    private static void TestImmediate(SelectionContext context, Comparison comparison, ulong mask)
    {
        MachineOperand left = UseLeft(context, comparison);
        MachineOperand unused = context.UnusedResult();
        if (Ppc64Fields.FitsUI16((long)mask))
        {
            context.Emit(AndiRc, unused, left, Immediate((long)mask));
        }
        else if (Ppc64Fields.FitsShiftedUI16((long)mask))
        {
            context.Emit(AndisRc, unused, left, Immediate((long)(mask >> 16)));
        }
        else if (RotateMask.TryRun(mask, out int begin, out int end))
        {
            context.Emit(RldiclRc, unused, left, Immediate((end + 1) & 63), Immediate(63 - end + begin));
        }
        else
        {
            // Of a 32-bit mask with its highest bit set no form in a register is as cheap as the sign-extended one.
            long constant = ArithmeticRules.Truncate((long)mask, comparison.Width);
            TestRegisters(context, comparison.Width, left, context.UseImmediate(constant), isClean: (ulong)constant == mask);
        }
    }

    private static void TestRegisters(SelectionContext context, Comparison comparison)
    {
        // Whether the and is clean depends on what is in the registers: extensions are not skipped.
        bool isClean = context.Facts.Bits(comparison.Left) <= 32 || context.Facts.Bits(comparison.Right) <= 32;
        TestRegisters(context, comparison.Width, context.Use(comparison.Left), context.Use(comparison.Right), isClean);
    }

    private static void TestRegisters(SelectionContext context, int width, MachineOperand left, MachineOperand right, bool isClean)
    {
        if (width == 64 || isClean)
        {
            context.Emit(AndRc, context.UnusedResult(), left, right);
            return;
        }

        MachineOperand and = Def(context.NewRegister());
        context.Emit(And, and, left, right);
        context.Emit(Cmplwi, CrField(0), Use(and.Register), Immediate(0));
    }
}
