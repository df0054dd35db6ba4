using BpfPpcc.Bpf;

namespace BpfPpcc.Verification;

/// <summary>
/// Where control goes from an instruction, by slot index, within one function: calls return, so they fall through like any other
/// instruction. Targets may lie outside of the function before the structure check has passed.
/// </summary>
internal static class ControlFlow
{
    /// <summary>Whether the instruction can be followed by the one behind it.</summary>
    public static bool FallsThrough(BpfInstruction instruction) => !instruction.IsExit && !IsUnconditionalJump(instruction);

    /// <summary>Whether the instruction is a jump, conditional or not; CALL and EXIT are none.</summary>
    public static bool IsJump(BpfInstruction instruction) =>
        instruction.IsJumpClass && !instruction.IsExit && !instruction.IsCall;

    public static bool IsUnconditionalJump(BpfInstruction instruction) => instruction.IsJumpClass && instruction.JumpCode == BpfJumpCode.JA;

    /// <summary>The slot that a jump at <paramref name="slot"/> leads to; 64 bits because gotol's offset has 32 of its own.</summary>
    public static long Target(BpfInstruction jump, int slot) => slot + 1L + jump.JumpOffset;

    /// <summary>1, or 2 for LD_IMM64.</summary>
    public static int SlotsOf(BpfInstruction instruction) => instruction.IsLoadImmediate64 ? 2 : 1;

    /// <summary>
    /// The slots that some path from slot 0 executes; the second slot of LD_IMM64 is not one of them. Edges that leave the function are
    /// not followed.
    /// </summary>
    public static bool[] FindReachable(ReadOnlySpan<BpfInstruction> code)
    {
        bool[] reachable = new bool[code.Length];
        var pending = new Stack<int>();
        if (code.Length != 0)
            pending.Push(0);
        while (pending.TryPop(out int slot))
        {
            while (slot < code.Length && !reachable[slot])
            {
                reachable[slot] = true;
                BpfInstruction instruction = code[slot];
                if (IsJump(instruction) && Target(instruction, slot) is >= 0 and long target && target < code.Length && !reachable[target])
                    pending.Push((int)target);
                if (!FallsThrough(instruction))
                    break;
                slot += SlotsOf(instruction);
            }
        }

        return reachable;
    }
}
