using BpfPpcc.Bpf;
using BpfPpcc.Verification.Domain;

namespace BpfPpcc.Verification.Walk;

/// <summary>
/// A loop of which the form of the code shows that it ends: one stretch of code, entered at its first instruction and left or repeated by its
/// last, which compares a counter with a constant, and without another jump backwards in it or around it. Every round adds the step to the
/// counter, once, and nothing else writes it.
/// <code>
///   header: ...                         header: ...
///           counter += step                     counter += step
///           ...                                 ...
///           if counter &lt; bound goto header      if counter >= bound goto out
///                                               goto header
/// </code>
/// </summary>
/// <param name="Header">First slot of the loop.</param>
/// <param name="Comparison">The conditional jump that decides.</param>
/// <param name="Jump">The jump back: the same, or an unconditional one behind it.</param>
/// <param name="Counter">The register that counts.</param>
/// <param name="Step">What a round adds: more than 0, or -1.</param>
/// <param name="Bound">What the jump compares with, not negative.</param>
/// <param name="Condition">Of going on.</param>
/// <param name="IsWord">The counter is 32 bits wide.</param>
internal sealed record CountedLoop(
    int Header, int Comparison, int Jump, int Counter, long Step, long Bound, BpfJumpCode Condition, bool IsWord)
{
    private const long MostRounds = 1L << 32;

    /// <summary>All that a function has, by header.</summary>
    public static Dictionary<int, CountedLoop> Find(CodeImage image, int function)
    {
        var loops = new Dictionary<int, CountedLoop>();
        int start = image.Starts[function], end = image.Starts[function + 1];
        for (int slot = start; slot < end; slot += ControlFlow.SlotsOf(image.Code[slot]))
        {
            if (TryMatch(image, start, end, slot) is { } loop)
                loops[loop.Header] = loop;
        }

        return loops;
    }

    /// <summary>True if a path came to the header by the loop's own jump.</summary>
    public bool IsRepeated(JumpTrace? last) => last is not null && last.Slot == Comparison && last.IsTaken == (Comparison == Jump);

    /// <summary>
    /// The comparison fails after at most 2^32 rounds if the counter is such when the loop is entered: it meets the bound and does not pass it
    /// by.
    /// </summary>
    public bool EndsFrom(in ScalarBounds counter)
    {
        if (IsWord && (counter.UMax > uint.MaxValue || counter.SMin < 0))
            return false;
        ulong bound = (ulong)Bound;
        return Condition switch
        {
            BpfJumpCode.JNE when Step == 1 => counter.UMax < bound,
            BpfJumpCode.JNE when Step > 1 => counter.IsConstant && counter.UMax < bound && (bound - counter.UMax) % (ulong)Step == 0,
            BpfJumpCode.JNE or BpfJumpCode.JGT => counter.UMin > bound && counter.UMax <= MostRounds,
            BpfJumpCode.JLT or BpfJumpCode.JLE => true,
            BpfJumpCode.JSLT or BpfJumpCode.JSLE => counter.SMin >= int.MinValue,
            _ => false,
        };
    }

    private static CountedLoop? TryMatch(CodeImage image, int start, int end, int jump)
    {
        if (!ControlFlow.IsJump(image.Code[jump]) || (int)ControlFlow.Target(image.Code[jump], jump) is var header && header >= jump)
            return null;
        int at = ControlFlow.IsUnconditionalJump(image.Code[jump]) ? jump - 1 : jump;
        BpfInstruction comparison = image.Code[at];
        bool isComparison = ControlFlow.IsJump(comparison) && !ControlFlow.IsUnconditionalJump(comparison) && comparison.Source == BpfSource.K;
        if (!isComparison || comparison.Imm < 0 || (at != jump && ControlFlow.Target(comparison, at) <= jump))
            return null;
        if (FindStep(image, header, at, comparison.Dst) is not (>= 0 and var step))
            return null;
        BpfInstruction addition = image.Code[step];
        bool isWord = addition.Class == BpfClass.ALU;
        BpfJumpCode condition = at == jump ? comparison.JumpCode : Negated(comparison.JumpCode);
        if ((!isWord && comparison.Class == BpfClass.JMP32) || !IsCounting(condition, addition.Imm, comparison.Imm))
            return null;
        var loop = new CountedLoop(header, at, jump, comparison.Dst, addition.Imm, comparison.Imm, condition, isWord);
        return IsOneStretch(image, start, end, loop, step) ? loop : null;
    }

    /// <summary>JA, which is no condition, where there is none.</summary>
    private static BpfJumpCode Negated(BpfJumpCode condition) => condition switch
    {
        BpfJumpCode.JEQ => BpfJumpCode.JNE,
        BpfJumpCode.JNE => BpfJumpCode.JEQ,
        BpfJumpCode.JGT => BpfJumpCode.JLE,
        BpfJumpCode.JGE => BpfJumpCode.JLT,
        BpfJumpCode.JLT => BpfJumpCode.JGE,
        BpfJumpCode.JLE => BpfJumpCode.JGT,
        BpfJumpCode.JSGT => BpfJumpCode.JSLE,
        BpfJumpCode.JSGE => BpfJumpCode.JSLT,
        BpfJumpCode.JSLT => BpfJumpCode.JSGE,
        BpfJumpCode.JSLE => BpfJumpCode.JSGT,
        BpfJumpCode.JA or BpfJumpCode.JSET or BpfJumpCode.CALL or BpfJumpCode.EXIT or BpfJumpCode.JCOND => BpfJumpCode.JA,
    };

    /// <summary>The slot of the only instruction that writes the counter, if that adds a constant; else -1.</summary>
    private static int FindStep(CodeImage image, int header, int comparison, int counter)
    {
        int found = -1;
        for (int slot = header; slot < comparison; slot += ControlFlow.SlotsOf(image.Code[slot]))
        {
            BpfInstruction instruction = image.Code[slot];
            bool clobbers = instruction.IsCall || instruction is { Class: BpfClass.LD, IsLoadImmediate64: false };
            bool exchanges = instruction.IsAtomic && instruction.Imm == BpfAtomic.CMPXCHG;
            if ((clobbers && counter <= 5) || (exchanges && counter == 0))
                return -1;
            if (instruction.WrittenRegister != counter)
                continue;
            bool isAddition = instruction is { Class: BpfClass.ALU or BpfClass.ALU64, AluCode: BpfAluCode.ADD, Source: BpfSource.K };
            if (found >= 0 || !isAddition)
                return -1;
            found = slot;
        }

        return found;
    }

    /// <summary>The step leads towards the bound, and no sum of the two leaves the numbers of 31 bits.</summary>
    private static bool IsCounting(BpfJumpCode condition, int step, int bound) => condition switch
    {
        BpfJumpCode.JNE => step == -1 || (step > 0 && (long)step + bound <= int.MaxValue),
        BpfJumpCode.JGT => step == -1,
        BpfJumpCode.JLT or BpfJumpCode.JLE or BpfJumpCode.JSLT or BpfJumpCode.JSLE => step > 0 && (long)step + bound <= int.MaxValue,
        _ => false,
    };

    /// <summary>Every round starts at the header, runs the step once and ends at the jump; nothing goes around the loop as a whole.</summary>
    private static bool IsOneStretch(CodeImage image, int start, int end, CountedLoop loop, int step)
    {
        for (int slot = start; slot < end; slot += ControlFlow.SlotsOf(image.Code[slot]))
        {
            if (slot == loop.Comparison || slot == loop.Jump || !ControlFlow.IsJump(image.Code[slot]))
                continue;
            int target = (int)ControlFlow.Target(image.Code[slot], slot);
            bool isInside = slot >= loop.Header && slot < loop.Jump;
            bool isFaulty = isInside
                ? target <= slot || (slot < step && target > step && target <= loop.Jump) || (target > loop.Comparison && target <= loop.Jump)
                : (target > loop.Header && target <= loop.Jump) || (slot > loop.Jump && target <= loop.Header);
            if (isFaulty)
                return false;
        }

        return true;
    }
}
