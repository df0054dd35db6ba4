using BpfPpcc.Mir;
using BpfPpcc.RegisterAllocation;

namespace BpfPpcc.Emission;

/// <summary>
/// The order in which blocks are written. Traces along the more frequent successor, so that the usual path falls through; where paths
/// join, the trace waits until all paths that are as frequent have been placed, and the next block in reverse postorder starts a new trace.
/// Blocks that do nothing but jump are left out, and branches to them go where they lead. Short blocks that return are repeated in place of
/// jumps to them, and left out if nothing else leads to them.
/// </summary>
internal sealed class BlockLayout
{
    /// <summary>A join with more predecessors than this starts a trace of its own: keeps the search linear.</summary>
    private const int MaxPredecessorsToLookAt = 8;

    private readonly MachineFunction _function;
    private readonly int[] _forward;
    private readonly int[] _reversePostorder;
    private readonly int[] _rank;
    private readonly bool[] _isPlaced;
    private readonly ReturnBlocks _returns;
    private readonly bool _hasFrame;

    private BlockLayout(MachineFunction function, int[] remaining, bool[] needsFrame, bool hasFrame)
    {
        _function = function;
        _hasFrame = hasFrame;
        _returns = new ReturnBlocks(function, remaining);
        bool[] isEmpty = FindEmptyBlocks(function, remaining);
        _forward = ForwardEmptyBlocks(function, isEmpty);
        Region = FrameRegion.Of(function, needsFrame, _returns.FindRepeatable(needsFrame, _forward));
        if (Region.SavePoint >= 0 && isEmpty[Region.SavePoint])
        {
            isEmpty[Region.SavePoint] = false;
            _forward = ForwardEmptyBlocks(function, isEmpty);
        }

        _reversePostorder = ReversePostorder(function);
        _rank = new int[function.Blocks.Count];
        for (int i = 0; i < _reversePostorder.Length; i++)
            _rank[_reversePostorder[i]] = i;
        _isPlaced = new bool[function.Blocks.Count];
    }

    /// <summary>Which blocks run with the frame set up.</summary>
    public FrameRegion Region { get; }

    /// <summary>Blocks in the order of the code.</summary>
    public List<int> Order { get; } = [];

    /// <summary>The block that a branch to <paramref name="block"/> goes to.</summary>
    public int Resolve(int block) => _forward[block];

    /// <summary>The block is nothing but the return, so that without a frame a conditional branch to it is a conditional return.</summary>
    public bool IsOnlyReturn(int block) => _returns.IsPlain(block);

    /// <summary>Without a frame a jump to the block is better the block itself.</summary>
    public bool IsShortReturn(int block) => _returns.IsShort(block);

    public static BlockLayout Of(MachineFunction function, Allocation allocation, FrameLayout frame)
    {
        int[] remaining = CountInstructions(function, allocation);
        var layout = new BlockLayout(function, remaining, FrameNeeds.Find(function, allocation, frame), !frame.IsNothing);
        layout.LeaveOutRepeated();
        layout.Place();
        return layout;
    }

    /// <summary>By block: instructions and edits that are left after allocation, the terminator among them.</summary>
    private static int[] CountInstructions(MachineFunction function, Allocation allocation)
    {
        var remaining = new int[function.Blocks.Count];
        foreach (MachineBlock block in function.Blocks)
        {
            foreach (MachineInstruction instruction in block.Instructions)
            {
                if (instruction.Pseudo != MachinePseudo.Arguments)
                    remaining[block.Index]++;
            }
        }

        foreach ((int block, _) in allocation.Deleted)
            remaining[block]--;
        foreach (AllocationEdit edit in allocation.Edits)
            remaining[edit.Block]++;
        return remaining;
    }

    /// <summary>Blocks of which only the jump at the end is left after allocation.</summary>
    private static bool[] FindEmptyBlocks(MachineFunction function, int[] remaining)
    {
        var isEmpty = new bool[remaining.Length];
        for (int i = 1; i < remaining.Length; i++)
            isEmpty[i] = remaining[i] == 1 && function.Blocks[i].Terminator.Pseudo == MachinePseudo.Jump;
        return isEmpty;
    }

    private static int[] ForwardEmptyBlocks(MachineFunction function, bool[] isEmpty)
    {
        var forward = new int[isEmpty.Length];
        Array.Fill(forward, -1);
        var path = new List<int>();
        for (int start = 0; start < forward.Length; start++)
        {
            int block = start;
            while (forward[block] < 0 && isEmpty[block])
            {
                // A cycle of empty blocks is an endless loop: one of them stays.
                forward[block] = block;
                path.Add(block);
                block = function.Blocks[block].Successors[0].Target;
            }

            if (forward[block] < 0)
                forward[block] = block;
            foreach (int passed in path)
                forward[passed] = forward[block];
            path.Clear();
        }

        return forward;
    }

    /// <summary>The least frequent successors are visited first, so that the most frequent one comes right behind its block.</summary>
    private static int[] ReversePostorder(MachineFunction function)
    {
        List<MachineBlock> blocks = function.Blocks;
        var order = new int[blocks.Count];
        int position = blocks.Count;
        var isVisited = new bool[blocks.Count];
        var stack = new Stack<(int Block, int Next)>();
        stack.Push((0, 0));
        isVisited[0] = true;
        while (stack.TryPop(out (int Block, int Next) top))
        {
            MachineBlock block = blocks[top.Block];
            if (top.Next == block.Successors.Count)
            {
                order[--position] = top.Block;
                continue;
            }

            stack.Push((top.Block, top.Next + 1));
            int successor = SuccessorByFrequency(blocks, block, top.Next);
            if (!isVisited[successor])
            {
                isVisited[successor] = true;
                stack.Push((successor, 0));
            }
        }

        return order[position..];
    }

    /// <summary>Successor number <paramref name="index"/>, the less frequent of two first; of equals the one branched to if the condition holds.</summary>
    private static int SuccessorByFrequency(List<MachineBlock> blocks, MachineBlock block, int index)
    {
        bool isSwapped = block.Successors.Count == 2
            && blocks[block.Successors[0].Target].Frequency > blocks[block.Successors[1].Target].Frequency;
        return block.Successors[isSwapped ? 1 - index : index].Target;
    }

    /// <summary>Return blocks that only jumps lead to, or conditional returns, are not needed in a place of their own.</summary>
    private void LeaveOutRepeated()
    {
        var isNeeded = new bool[_forward.Length];
        isNeeded[0] = true;
        foreach (MachineBlock block in _function.Blocks)
        {
            foreach (MachineEdge edge in block.Successors)
                isNeeded[_forward[edge.Target]] |= !IsRepeatedIn(block, _forward[edge.Target]);
        }

        for (int block = 0; block < isNeeded.Length; block++)
            _isPlaced[block] = !isNeeded[block] && _returns.IsShort(block);
    }

    /// <summary>The block does not lead to the return <paramref name="target"/>, but returns itself.</summary>
    private bool IsRepeatedIn(MachineBlock block, int target)
    {
        bool hasPlainReturn = !_hasFrame || !Region.Contains(block.Index);
        return hasPlainReturn && (block.Successors.Count == 1 ? _returns.IsShort(target) : _returns.IsPlain(target));
    }

    private void Place()
    {
        foreach (int start in _reversePostorder)
        {
            int block = start;
            while (block >= 0 && !_isPlaced[block] && _forward[block] == block)
            {
                _isPlaced[block] = true;
                Order.Add(block);
                block = NextInTrace(block);
            }
        }
    }

    private int NextInTrace(int block)
    {
        int best = -1;
        foreach (MachineEdge edge in _function.Blocks[block].Successors)
        {
            int target = _forward[edge.Target];
            if (_isPlaced[target] || !MayFollow(block, target))
                continue;
            if (best < 0 || FrequencyOf(target) >= FrequencyOf(best))
                best = target;
        }

        return best;
    }

    /// <summary>False while another path to the join <paramref name="target"/> that is at least as frequent has not been placed.</summary>
    private bool MayFollow(int block, int target)
    {
        List<int> predecessors = _function.Blocks[target].Predecessors;
        if (predecessors.Count > MaxPredecessorsToLookAt)
            return false;
        foreach (int predecessor in predecessors)
        {
            bool isForward = _rank[predecessor] < _rank[target];
            if (isForward && !_isPlaced[predecessor] && _forward[predecessor] == predecessor && FrequencyOf(predecessor) >= FrequencyOf(block)
                && !IsRepeatedIn(_function.Blocks[predecessor], target))
                return false;
        }

        return true;
    }

    private float FrequencyOf(int block) => _function.Blocks[block].Frequency;
}
