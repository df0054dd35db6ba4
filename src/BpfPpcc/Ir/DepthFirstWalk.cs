namespace BpfPpcc.Ir;

/// <summary>A depth-first walk over the blocks of a function from its entry. A snapshot: an edit of the control flow graph makes it stale.</summary>
internal sealed class DepthFirstWalk
{
    public const int Unreachable = -1;

    public DepthFirstWalk(IrFunction function)
    {
        int most = function.Blocks.Count;
        Number = new int[function.BlockCount];
        Array.Fill(Number, Unreachable);
        Preorder = new IrBlock[most];
        Parent = new int[most];

        // Blocks are on the walk or left, so that the stack at the start of the array and the order from its end on never meet.
        var order = new IrBlock[most];
        var next = new int[most];
        int count = 0;
        int depth = 0;
        int free = most;
        Enter(function.Entry, 0);
        while (depth > 0)
        {
            IrBlock block = order[depth - 1];
            ReadOnlySpan<IrBlock> successors = block.Successors;
            if (next[depth - 1] == successors.Length)
            {
                depth--;
                order[--free] = block;
                continue;
            }

            // The last target first: the order then follows the fall-through side of branches.
            IrBlock successor = successors[successors.Length - ++next[depth - 1]];
            if (Number[successor.Id] == Unreachable)
                Enter(successor, Number[block.Id]);
        }

        Count = count;
        ReversePostorder = free == 0 ? order : order[free..];

        void Enter(IrBlock block, int parent)
        {
            Number[block.Id] = count;
            Preorder[count] = block;
            Parent[count++] = parent;
            order[depth] = block;
            next[depth++] = 0;
        }
    }

    /// <summary>How many blocks are reachable.</summary>
    public int Count { get; }

    /// <summary>Reachable blocks, each before its successors except along back edges.</summary>
    public IrBlock[] ReversePostorder { get; }

    /// <summary>Reachable blocks in the order in which the walk came to them.</summary>
    public IrBlock[] Preorder { get; }

    /// <summary>By block: its place in <see cref="Preorder"/>, or <see cref="Unreachable"/>.</summary>
    public int[] Number { get; }

    /// <summary>By place in <see cref="Preorder"/>: that of the block from which the walk came.</summary>
    public int[] Parent { get; }
}
