namespace BpfPpcc.Ir;

/// <summary>
/// The natural loops of a function: for every block the innermost loop's header and the depth. Cycles without a dominating header
/// (irreducible control flow) are no loops here.
/// </summary>
public sealed class LoopNest
{
    private readonly IrBlock?[] _header;
    private readonly int[] _depth;

    public LoopNest(IrFunction function, DominatorTree dominators)
    {
        _header = new IrBlock?[function.BlockCount];
        _depth = new int[function.BlockCount];
        FindLoops(function, dominators);
        foreach (IrBlock block in dominators.ReversePostorder)
        {
            if (_header[block.Id] is { } outer)
                _depth[block.Id] = _depth[outer.Id];
            if (IsHeader(block, dominators))
                _depth[block.Id]++;
        }
    }

    /// <summary>How many loops the block lies in; 0 outside of all.</summary>
    public int Depth(IrBlock block) => _depth[block.Id];

    /// <summary>The header of the innermost loop around the block, for a header that of the next loop outwards; null if there is none.</summary>
    public IrBlock? Header(IrBlock block) => _header[block.Id];

    private static bool IsHeader(IrBlock block, DominatorTree dominators)
    {
        foreach (IrBlock predecessor in block.Predecessors)
        {
            if (dominators.IsReachable(predecessor) && dominators.Dominates(block, predecessor))
                return true;
        }

        return false;
    }

    /// <summary>Inner loops come before outer ones, and a loop that is found is one vertex afterwards: every block is met once.</summary>
    private void FindLoops(IrFunction function, DominatorTree dominators)
    {
        var collapsedInto = new IrBlock?[function.BlockCount];
        var body = new Stack<IrBlock>();
        for (int i = dominators.ReversePostorder.Length - 1; i >= 0; i--)
        {
            IrBlock header = dominators.ReversePostorder[i];
            foreach (IrBlock predecessor in header.Predecessors)
            {
                if (dominators.IsReachable(predecessor) && dominators.Dominates(header, predecessor))
                    body.Push(predecessor);
            }

            while (body.TryPop(out IrBlock? block))
            {
                block = Representative(collapsedInto, block);
                if (block == header)
                    continue;
                _header[block.Id] = header;
                collapsedInto[block.Id] = header;
                foreach (IrBlock predecessor in block.Predecessors)
                {
                    if (dominators.IsReachable(predecessor))
                        body.Push(predecessor);
                }
            }
        }
    }

    private static IrBlock Representative(IrBlock?[] collapsedInto, IrBlock block)
    {
        IrBlock end = block;
        while (collapsedInto[end.Id] is { } outer)
            end = outer;
        while (block != end)
        {
            IrBlock next = collapsedInto[block.Id]!;
            collapsedInto[block.Id] = end;
            block = next;
        }

        return end;
    }
}
