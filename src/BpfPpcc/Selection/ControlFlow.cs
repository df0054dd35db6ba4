using BpfPpcc.Ir;

namespace BpfPpcc.Selection;

/// <summary>
/// The reachable blocks of a function in reverse postorder and how many loops each is in. Of two targets of a branch the second follows
/// the branch where the order leaves a choice: it becomes the fall-through. Loops are natural loops (a header that dominates its latches);
/// cycles with several entries count as none.
/// </summary>
internal sealed class ControlFlow
{
    private readonly int[] _positions;
    private readonly int[] _immediateDominators;
    private readonly int[] _loopDepths;

    public ControlFlow(IrFunction function)
    {
        _positions = new int[function.BlockCount];
        Array.Fill(_positions, -1);
        Order = ReversePostorder(function);
        for (int position = 0; position < Order.Length; position++)
            _positions[Order[position].Id] = position;
        _immediateDominators = ImmediateDominators();
        _loopDepths = LoopDepths();
    }

    public IrBlock[] Order { get; }

    /// <summary>Index in <see cref="Order"/>, or -1 for what is unreachable.</summary>
    public int PositionOf(IrBlock block) => _positions[block.Id];

    public int LoopDepthOf(IrBlock block) => _loopDepths[_positions[block.Id]];

    private static IrBlock[] ReversePostorder(IrFunction function)
    {
        var visited = new bool[function.BlockCount];
        var postorder = new List<IrBlock>(function.BlockCount);
        var path = new Stack<(IrBlock Block, int NextTarget)>();
        visited[function.Entry.Id] = true;
        path.Push((function.Entry, 0));
        while (path.TryPop(out (IrBlock Block, int NextTarget) top))
        {
            if (top.NextTarget == top.Block.Successors.Length)
            {
                postorder.Add(top.Block);
                continue;
            }

            path.Push((top.Block, top.NextTarget + 1));
            IrBlock target = top.Block.Successors[top.NextTarget];
            if (!visited[target.Id])
            {
                visited[target.Id] = true;
                path.Push((target, 0));
            }
        }

        postorder.Reverse();
        return [.. postorder];
    }

    /// <summary>Cooper, Harvey, Kennedy, "A Simple, Fast Dominance Algorithm": in reverse postorder until nothing changes.</summary>
    private int[] ImmediateDominators()
    {
        var dominators = new int[Order.Length];
        Array.Fill(dominators, -1);
        dominators[0] = 0;
        bool changed = true;
        while (changed)
        {
            changed = false;
            for (int position = 1; position < Order.Length; position++)
            {
                int dominator = -1;
                foreach (IrBlock predecessor in Order[position].Predecessors)
                {
                    int other = _positions[predecessor.Id];
                    if (other >= 0 && dominators[other] >= 0)
                        dominator = dominator < 0 ? other : CommonDominator(dominators, dominator, other);
                }

                changed |= dominators[position] != dominator;
                dominators[position] = dominator;
            }
        }

        return dominators;
    }

    private static int CommonDominator(int[] dominators, int left, int right)
    {
        while (left != right)
        {
            if (left > right)
                left = dominators[left];
            else
                right = dominators[right];
        }

        return left;
    }

    private bool Dominates(int dominator, int position)
    {
        while (position > dominator)
            position = _immediateDominators[position];
        return position == dominator;
    }

    private int[] LoopDepths()
    {
        var depths = new int[Order.Length];
        var lastLoop = new int[Order.Length];
        Array.Fill(lastLoop, -1);
        var pending = new Stack<int>();
        for (int header = 0; header < Order.Length; header++)
        {
            foreach (IrBlock predecessor in Order[header].Predecessors)
            {
                int latch = _positions[predecessor.Id];
                if (latch >= header && Dominates(header, latch))
                    pending.Push(latch);
            }

            if (pending.Count == 0)
                continue;
            lastLoop[header] = header;
            depths[header]++;
            while (pending.TryPop(out int member))
            {
                if (lastLoop[member] == header)
                    continue;
                lastLoop[member] = header;
                depths[member]++;
                foreach (IrBlock predecessor in Order[member].Predecessors)
                {
                    if (_positions[predecessor.Id] >= 0)
                        pending.Push(_positions[predecessor.Id]);
                }
            }
        }

        return depths;
    }
}
