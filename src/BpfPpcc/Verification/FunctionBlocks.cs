using BpfPpcc.Bpf;

namespace BpfPpcc.Verification;

/// <summary>The basic blocks of a function's reachable code, numbered by ascending slot; block 0 is the entry.</summary>
internal sealed class FunctionBlocks
{
    private readonly List<int> _starts = [];
    private readonly List<int> _ends = [];
    private readonly List<int[]> _successors = [];

    private FunctionBlocks()
    {
    }

    public int Count => _starts.Count;

    public int StartOf(int block) => _starts[block];

    /// <summary>The slot behind the block's last instruction.</summary>
    public int EndOf(int block) => _ends[block];

    public int[] SuccessorsOf(int block) => _successors[block];

    /// <summary>Expects code that passed the structure check.</summary>
    public static FunctionBlocks Of(ReadOnlySpan<BpfInstruction> code, bool[] reachable)
    {
        bool[] isLeader = FindLeaders(code, reachable);
        int[] blockAt = new int[code.Length];
        var blocks = new FunctionBlocks();
        for (int slot = 0; slot < code.Length; slot++)
        {
            if (isLeader[slot])
                blocks._starts.Add(slot);
            blockAt[slot] = blocks._starts.Count - 1;
        }

        foreach (int start in blocks._starts)
            blocks.Close(code, isLeader, blockAt, start);
        return blocks;
    }

    private static bool[] FindLeaders(ReadOnlySpan<BpfInstruction> code, bool[] reachable)
    {
        bool[] isLeader = new bool[code.Length];
        isLeader[0] = true;
        for (int slot = 0; slot < code.Length; slot++)
        {
            if (!reachable[slot] || !ControlFlow.IsJump(code[slot]))
                continue;
            isLeader[ControlFlow.Target(code[slot], slot)] = true;
            if (ControlFlow.FallsThrough(code[slot]))
                isLeader[slot + 1] = true;
        }

        return isLeader;
    }

    private void Close(ReadOnlySpan<BpfInstruction> code, bool[] isLeader, int[] blockAt, int start)
    {
        int last = start;
        int end = start + ControlFlow.SlotsOf(code[start]);
        while (ControlFlow.FallsThrough(code[last]) && !isLeader[end])
        {
            last = end;
            end += ControlFlow.SlotsOf(code[last]);
        }

        _ends.Add(end);
        int fallThrough = ControlFlow.FallsThrough(code[last]) ? blockAt[end] : -1;
        int target = ControlFlow.IsJump(code[last]) ? blockAt[ControlFlow.Target(code[last], last)] : -1;
        _successors.Add((fallThrough, target) switch
        {
            (-1, -1) => [],
            (-1, _) => [target],
            (_, -1) => [fallThrough],
            _ => [fallThrough, target],
        });
    }
}
