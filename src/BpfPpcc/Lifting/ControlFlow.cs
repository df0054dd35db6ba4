using BpfPpcc.Bpf;
using BpfPpcc.Loading;
using BpfPpcc.Verification;

namespace BpfPpcc.Lifting;

/// <summary>A run of reachable slots that is entered at its first slot and left behind its last.</summary>
/// <param name="First">First slot.</param>
/// <param name="End">The slot behind the last.</param>
/// <param name="Taken">Index of the block that the last slot jumps to, or -1.</param>
/// <param name="Next">
/// Index of the block that execution falls into, or -1. Never the same as <paramref name="Taken"/>. Where both are -1 and there is no exit, what
/// stands last never returns.
/// </param>
internal readonly record struct BpfBlock(int First, int End, int Taken, int Next);

/// <summary>The basic blocks of a BPF function, in the order of their slots; slots that no path reaches are in none.</summary>
internal sealed class ControlFlow
{
    private const int None = -1;

    private ControlFlow(BpfBlock[] blocks)
    {
        Blocks = blocks;
        EdgesInto = new int[blocks.Length];
        foreach (BpfBlock block in blocks)
        {
            if (block.Taken != None)
                EdgesInto[block.Taken]++;
            if (block.Next != None)
                EdgesInto[block.Next]++;
        }
    }

    public BpfBlock[] Blocks { get; }

    /// <summary>By block: how many others lead to it.</summary>
    public int[] EdgesInto { get; }

    public static ControlFlow Of(BpfFunction function, ProgramFacts facts)
    {
        bool[] isLeader = FindLeaders(function, facts);
        var blockAt = new int[isLeader.Length];
        int count = 0;
        for (int slot = 0; slot < isLeader.Length; slot++)
            blockAt[slot] = isLeader[slot] ? count++ : None;

        var blocks = new BpfBlock[count];
        for (int first = 0; first < isLeader.Length; first++)
        {
            if (isLeader[first])
                blocks[blockAt[first]] = Block(function, facts, first, isLeader, blockAt);
        }

        return new ControlFlow(blocks);
    }

    /// <summary>Slots that one instruction takes.</summary>
    public static int Length(BpfInstruction instruction) => instruction.IsLoadImmediate64 ? 2 : 1;

    /// <summary>Goes, perhaps under a condition, somewhere else than to the next slot.</summary>
    public static bool IsJump(BpfInstruction instruction) =>
        instruction.IsJumpClass && !instruction.IsCall && !instruction.IsCallIndirect && !instruction.IsExit;

    private static bool IsUnconditional(BpfInstruction instruction) =>
        instruction.IsExit || (instruction.IsJumpClass && instruction.JumpCode == BpfJumpCode.JA);

    private static bool[] FindLeaders(BpfFunction function, ProgramFacts facts)
    {
        // One more than there are slots: the slot behind a jump at the very end.
        var isLeader = new bool[function.Instructions.Length + 1];
        isLeader[0] = true;
        for (int slot = 0; slot < function.Instructions.Length; slot++)
        {
            BpfInstruction instruction = function.Instructions[slot];
            if (!facts.IsReachable[slot] || !(IsJump(instruction) || instruction.IsExit))
                continue;
            isLeader[slot + 1] = true;
            if (!instruction.IsExit)
                isLeader[slot + 1 + instruction.JumpOffset] = true;
        }

        for (int slot = 0; slot < isLeader.Length; slot++)
            isLeader[slot] &= slot < function.Instructions.Length && facts.IsReachable[slot];
        return isLeader;
    }

    private static BpfBlock Block(BpfFunction function, ProgramFacts facts, int first, bool[] isLeader, int[] blockAt)
    {
        int slot = first;
        while (true)
        {
            BpfInstruction instruction = function.Instructions[slot];
            int end = slot + Length(instruction);
            bool isJump = IsJump(instruction);
            if (!isJump && !instruction.IsExit && !isLeader[end] && facts.IsReachable[end])
            {
                slot = end;
                continue;
            }

            bool isDecided = facts.DecidedJumps.TryGetValue(slot, out bool isTaken);
            int taken = isJump && (isTaken || !isDecided) ? blockAt[end + instruction.JumpOffset] : None;
            int next = IsUnconditional(instruction) || (isDecided && isTaken) ? None : blockAt[end];
            // A conditional jump to the next slot decides nothing.
            return new BpfBlock(first, end, taken == next ? None : taken, next);
        }
    }

    /// <summary>Blocks, each before its successors except along back edges.</summary>
    public int[] ReversePostorder()
    {
        var order = new int[Blocks.Length];
        int free = order.Length;
        var isSeen = new bool[Blocks.Length];
        var stack = new Stack<(int Block, int Edge)>();
        isSeen[0] = true;
        stack.Push((0, 0));
        while (stack.TryPop(out (int Block, int Edge) top))
        {
            if (top.Edge == 2)
            {
                order[--free] = top.Block;
                continue;
            }

            stack.Push((top.Block, top.Edge + 1));
            int successor = top.Edge == 0 ? Blocks[top.Block].Taken : Blocks[top.Block].Next;
            if (successor == None || isSeen[successor])
                continue;
            isSeen[successor] = true;
            stack.Push((successor, 0));
        }

        return order[free..];
    }
}
