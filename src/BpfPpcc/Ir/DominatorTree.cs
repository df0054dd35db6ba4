namespace BpfPpcc.Ir;

/// <summary>
/// Orders and dominators of the reachable blocks of a function. A snapshot: an edit of the control flow graph makes it stale.
/// </summary>
/// <remarks>
/// Dominators by the semi-NCA algorithm (Georgiadis, Linear-Time Algorithms for Dominators and Related Problems, 2005, 2.4). The simpler
/// iteration over intersecting chains is quadratic when thousands of branches lead to one exit, which BPF programs do.
/// </remarks>
public sealed class DominatorTree
{
    private readonly DepthFirstWalk _walk;
    private readonly int[] _dominator;
    private readonly int[] _treeNumber;
    private readonly int[] _treeLast;

    public DominatorTree(IrFunction function)
    {
        _walk = new DepthFirstWalk(function);
        _dominator = FindDominators();
        _treeNumber = new int[function.BlockCount];
        _treeLast = new int[function.BlockCount];
        Preorder = NumberTree();
    }

    /// <summary>Reachable blocks, each before its successors except along back edges.</summary>
    public IrBlock[] ReversePostorder => _walk.ReversePostorder;

    /// <summary>Reachable blocks in preorder of the tree: every block's subtree is one run of it.</summary>
    public IrBlock[] Preorder { get; }

    public bool IsReachable(IrBlock block) => _walk.Number[block.Id] != DepthFirstWalk.Unreachable;

    /// <summary>The closest block that is on every path to <paramref name="block"/>; null for the entry.</summary>
    public IrBlock? ImmediateDominator(IrBlock block)
    {
        int number = _walk.Number[block.Id];
        return number == 0 ? null : _walk.Preorder[_dominator[number]];
    }

    /// <summary>Every path to <paramref name="b"/> goes through <paramref name="a"/>, as a block itself does. Both are reachable.</summary>
    public bool Dominates(IrBlock a, IrBlock b) => _treeNumber[a.Id] <= _treeNumber[b.Id] && _treeNumber[b.Id] <= _treeLast[a.Id];

    private int[] FindDominators()
    {
        int count = _walk.Count;
        int[] parent = _walk.Parent;
        var semi = new int[count];
        var label = new int[count];
        var ancestor = new int[count];
        for (int i = 0; i < count; i++)
        {
            semi[i] = i;
            label[i] = i;
            ancestor[i] = parent[i];
        }

        var path = new Stack<int>();
        for (int i = count - 1; i > 0; i--)
        {
            foreach (IrBlock predecessor in _walk.Preorder[i].Predecessors)
            {
                int number = _walk.Number[predecessor.Id];
                if (number != DepthFirstWalk.Unreachable)
                    semi[i] = Math.Min(semi[i], semi[Evaluate(number, i)]);
            }
        }

        var dominator = new int[count];
        for (int i = 1; i < count; i++)
        {
            dominator[i] = parent[i];
            while (dominator[i] > semi[i])
                dominator[i] = dominator[dominator[i]];
        }

        return dominator;

        // The vertex of least semidominator on the walk from v up to, not including, the first vertex numbered `linked` or less.
        int Evaluate(int v, int linked)
        {
            if (v <= linked)
                return v;
            int top = v;
            while (ancestor[top] > linked)
            {
                path.Push(top);
                top = ancestor[top];
            }

            while (path.TryPop(out int below))
            {
                int above = ancestor[below];
                if (semi[label[above]] < semi[label[below]])
                    label[below] = label[above];
                ancestor[below] = ancestor[top];
            }

            return label[v];
        }
    }

    /// <summary>Children stand in reverse postorder behind their parent; a dominator comes before what it dominates in that order.</summary>
    private IrBlock[] NumberTree()
    {
        var size = new int[_walk.Count];
        for (int i = size.Length - 1; i >= 0; i--)
        {
            int number = _walk.Number[ReversePostorder[i].Id];
            size[number]++;
            if (number > 0)
                size[_dominator[number]] += size[number];
        }

        var preorder = new IrBlock[_walk.Count];
        var free = new int[_walk.Count];
        foreach (IrBlock block in ReversePostorder)
        {
            int number = _walk.Number[block.Id];
            int place = number > 0 ? free[_dominator[number]] : 0;
            if (number > 0)
                free[_dominator[number]] += size[number];
            free[number] = place + 1;
            preorder[place] = block;
            _treeNumber[block.Id] = place;
            _treeLast[block.Id] = place + size[number] - 1;
        }

        return preorder;
    }
}
