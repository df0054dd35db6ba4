using BpfPpcc.Bpf;

namespace BpfPpcc.Verification.Domain;

/// <summary>What is known of a conditional jump before it is executed.</summary>
internal enum BranchOutcome : byte
{
    Unknown,
    Always,
    Never,
}

/// <summary>
/// Conditional jumps on two scalars: whether one is taken, and what follows for the operands on either side. JMP32 compares the low halves,
/// and what follows is said of the low halves; closing the bounds carries it further only as far as the upper halves are known.
/// JA, CALL, EXIT and JCOND compare nothing and are not among the conditions.
/// </summary>
internal static class ScalarBranch
{
    /// <summary>Both operands are needed for an outcome other than Unknown.</summary>
    public static BranchOutcome Outcome(BpfJumpCode code, bool is32, in ScalarBounds a, in ScalarBounds b)
    {
        if (is32)
            return Outcome(code, a.Half, b.Half);
        BranchOutcome outcome = Outcome(code, a.Full, b.Full);
        bool isEquality = code is BpfJumpCode.JEQ or BpfJumpCode.JNE;
        return isEquality && outcome == BranchOutcome.Unknown && AreDisjoint(a.Half, b.Half) ? UnlessEqual(code) : outcome;
    }

    /// <summary>
    /// Cuts both operands down to the values with which the jump is taken, or not taken. False if there are none: that side is dead, and
    /// both operands are empty.
    /// </summary>
    public static bool Refine(BpfJumpCode code, bool is32, bool taken, ref ScalarBounds a, ref ScalarBounds b)
    {
        WordBounds wordA = is32 ? a.Half : a.Full;
        WordBounds wordB = is32 ? b.Half : b.Full;
        bool isPossible = code switch
        {
            BpfJumpCode.JEQ => RefineEquality(taken, ref wordA, ref wordB),
            BpfJumpCode.JNE => RefineEquality(!taken, ref wordA, ref wordB),
            BpfJumpCode.JGT => taken ? RefineBelow(ref wordB, ref wordA, 1) : RefineBelow(ref wordA, ref wordB, 0),
            BpfJumpCode.JGE => taken ? RefineBelow(ref wordB, ref wordA, 0) : RefineBelow(ref wordA, ref wordB, 1),
            BpfJumpCode.JLT => taken ? RefineBelow(ref wordA, ref wordB, 1) : RefineBelow(ref wordB, ref wordA, 0),
            BpfJumpCode.JLE => taken ? RefineBelow(ref wordA, ref wordB, 0) : RefineBelow(ref wordB, ref wordA, 1),
            BpfJumpCode.JSGT => taken ? RefineLess(ref wordB, ref wordA, 1) : RefineLess(ref wordA, ref wordB, 0),
            BpfJumpCode.JSGE => taken ? RefineLess(ref wordB, ref wordA, 0) : RefineLess(ref wordA, ref wordB, 1),
            BpfJumpCode.JSLT => taken ? RefineLess(ref wordA, ref wordB, 1) : RefineLess(ref wordB, ref wordA, 0),
            BpfJumpCode.JSLE => taken ? RefineLess(ref wordA, ref wordB, 0) : RefineLess(ref wordB, ref wordA, 1),
            BpfJumpCode.JSET => taken ? RefineCommonBit(ref wordA, ref wordB) : RefineNoCommonBit(ref wordA, ref wordB),
            BpfJumpCode.JA or BpfJumpCode.CALL or BpfJumpCode.EXIT or BpfJumpCode.JCOND =>
                throw new InvalidOperationException($"{code} is not a comparison"),
        };
        if (isPossible)
        {
            bool areEqual = !is32 && code == (taken ? BpfJumpCode.JEQ : BpfJumpCode.JNE);
            WordBounds halfA = a.Half, halfB = b.Half;
            if (areEqual)
                halfA = halfB = WordBounds.Meet(halfA, halfB);
            a = is32 ? ScalarBounds.Close(a.Full, wordA) : ScalarBounds.Close(wordA, halfA);
            b = is32 ? ScalarBounds.Close(b.Full, wordB) : ScalarBounds.Close(wordB, halfB);
        }

        if (isPossible && !a.IsEmpty && !b.IsEmpty)
            return true;
        a = b = ScalarBounds.Empty;
        return false;
    }

    private static BranchOutcome Outcome(BpfJumpCode code, in WordBounds a, in WordBounds b) => code switch
    {
        BpfJumpCode.JEQ or BpfJumpCode.JNE => Equality(code, a, b),
        BpfJumpCode.JGT => Decide(a.UMin > b.UMax, a.UMax <= b.UMin),
        BpfJumpCode.JGE => Decide(a.UMin >= b.UMax, a.UMax < b.UMin),
        BpfJumpCode.JLT => Decide(a.UMax < b.UMin, a.UMin >= b.UMax),
        BpfJumpCode.JLE => Decide(a.UMax <= b.UMin, a.UMin > b.UMax),
        BpfJumpCode.JSGT => Decide(a.SMin > b.SMax, a.SMax <= b.SMin),
        BpfJumpCode.JSGE => Decide(a.SMin >= b.SMax, a.SMax < b.SMin),
        BpfJumpCode.JSLT => Decide(a.SMax < b.SMin, a.SMin >= b.SMax),
        BpfJumpCode.JSLE => Decide(a.SMax <= b.SMin, a.SMin > b.SMax),
        BpfJumpCode.JSET => Decide((a.Known.Value & b.Known.Value) != 0, (a.Known.Max & b.Known.Max) == 0),
        BpfJumpCode.JA or BpfJumpCode.CALL or BpfJumpCode.EXIT or BpfJumpCode.JCOND =>
            throw new InvalidOperationException($"{code} is not a comparison"),
    };

    private static BranchOutcome Decide(bool always, bool never) =>
        always ? BranchOutcome.Always : never ? BranchOutcome.Never : BranchOutcome.Unknown;

    private static BranchOutcome Equality(BpfJumpCode code, in WordBounds a, in WordBounds b)
    {
        if (a.IsConstant && b.IsConstant && a.UMin == b.UMin)
            return code == BpfJumpCode.JEQ ? BranchOutcome.Always : BranchOutcome.Never;
        return AreDisjoint(a, b) ? UnlessEqual(code) : BranchOutcome.Unknown;
    }

    private static BranchOutcome UnlessEqual(BpfJumpCode code) => code == BpfJumpCode.JEQ ? BranchOutcome.Never : BranchOutcome.Always;

    private static bool AreDisjoint(in WordBounds a, in WordBounds b) => WordBounds.Meet(a, b).IsEmpty;

    private static bool RefineEquality(bool areEqual, ref WordBounds a, ref WordBounds b)
    {
        if (areEqual)
        {
            a = b = WordBounds.Meet(a, b);
            return !a.IsEmpty;
        }

        if (a.IsConstant && b.IsConstant)
            return a.UMin != b.UMin;
        if (b.IsConstant)
            a = Without(a, b);
        else if (a.IsConstant)
            b = Without(b, a);
        return true;
    }

    /// <summary>A constant that is an end of a range moves that end.</summary>
    private static WordBounds Without(in WordBounds a, in WordBounds constant) => a with
    {
        UMin = a.UMin == constant.UMin ? a.UMin + 1 : a.UMin,
        UMax = a.UMax == constant.UMin ? a.UMax - 1 : a.UMax,
        SMin = a.SMin == constant.SMin ? a.SMin + 1 : a.SMin,
        SMax = a.SMax == constant.SMin ? a.SMax - 1 : a.SMax,
    };

    /// <summary>lower + distance (0 or 1) &lt;= upper, unsigned.</summary>
    private static bool RefineBelow(ref WordBounds lower, ref WordBounds upper, ulong distance)
    {
        if (upper.UMax < distance || lower.UMin > upper.UMax - distance)
            return false;
        lower = lower with { UMax = Math.Min(lower.UMax, upper.UMax - distance) };
        upper = upper with { UMin = Math.Max(upper.UMin, lower.UMin + distance) };
        return true;
    }

    /// <summary>lower + distance (0 or 1) &lt;= upper, signed.</summary>
    private static bool RefineLess(ref WordBounds lower, ref WordBounds upper, long distance)
    {
        if (distance != 0 ? lower.SMin >= upper.SMax : lower.SMin > upper.SMax)
            return false;
        lower = lower with { SMax = Math.Min(lower.SMax, upper.SMax - distance) };
        upper = upper with { SMin = Math.Max(upper.SMin, lower.SMin + distance) };
        return true;
    }

    /// <summary>
    /// Some bit is set in both: neither value is below the lowest such bit, and if only one can be, both have it.
    /// </summary>
    private static bool RefineCommonBit(ref WordBounds a, ref WordBounds b)
    {
        ulong common = a.Known.Max & b.Known.Max;
        if (common == 0)
            return false;
        ulong lowest = common & unchecked(0 - common);
        Tnum bit = common == lowest ? new Tnum(lowest, a.Mask & ~lowest) : Tnum.UnknownOf(a.Bits);
        a = Above(a, bit, lowest);
        b = Above(b, bit, lowest);
        return !a.IsEmpty && !b.IsEmpty;
    }

    private static WordBounds Above(in WordBounds a, Tnum bit, ulong least) =>
        Tnum.TryIntersect(a.Known, bit, out Tnum known) ? a with { Known = known, UMin = Math.Max(a.UMin, least) } : default;

    /// <summary>No bit is set in both: where one operand has a one, the other has a zero.</summary>
    private static bool RefineNoCommonBit(ref WordBounds a, ref WordBounds b)
    {
        if ((a.Known.Value & b.Known.Value) != 0)
            return false;
        (ulong onesOfA, ulong onesOfB) = (a.Known.Value, b.Known.Value);
        a = a with { Known = new Tnum(a.Known.Value, a.Known.Mask & ~onesOfB) };
        b = b with { Known = new Tnum(b.Known.Value, b.Known.Mask & ~onesOfA) };
        return true;
    }
}
