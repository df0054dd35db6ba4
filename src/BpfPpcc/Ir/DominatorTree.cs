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
    private const int Unreachable = -1;

    private readonly IrBlock[] _depthFirst;
    private readonly int[] _depthFirstNumber;
    private readonly int[] _parent;
    private readonly int[] _dominator;
    private readonly int[] _treeNumber;
    private readonly int[] _treeLast;

    public DominatorTree(IrFunction function)
    {
        _depthFirst = new IrBlock[function.BlockCount];
        _parent = new int[function.BlockCount];
        _depthFirstNumber = new int[function.BlockCount];
        Array.Fill(_depthFirstNumber, Unreachable);
        var reversePostorder = new IrBlock[function.BlockCount];
        int count = WalkDepthFirst(function, reversePostorder);
        ReversePostorder = reversePostorder[^count..];
        _dominator = FindDominators(count);
        _treeNumber = new int[function.BlockCount];
        _treeLast = new int[function.BlockCount];
        Preorder = NumberTree(count);
    }

    /// <summary>Reachable blocks, each before its successors except along back edges.</summary>
    public IrBlock[] ReversePostorder { get; }

    /// <summary>Reachable blocks in preorder of the tree: every block's subtree is one run of it.</summary>
    public IrBlock[] Preorder { get; }

    public bool IsReachable(IrBlock block) => _depthFirstNumber[block.Id] != Unreachable;

    /// <summary>The closest block that is on every path to <paramref name="block"/>; null for the entry.</summary>
    public IrBlock? ImmediateDominator(IrBlock block)
    {
        int number = _depthFirstNumber[block.Id];
        return number == 0 ? null : _depthFirst[_dominator[number]];
    }

    /// <summary>Every path to <paramref name="b"/> goes through <paramref name="a"/> (a block dominates itself). Both are reachable.</summary>
    public bool Dominates(IrBlock a, IrBlock b) => _treeNumber[a.Id] <= _treeNumber[b.Id] && _treeNumber[b.Id] <= _treeLast[a.Id];

    private int WalkDepthFirst(IrFunction function, IrBlock[] reversePostorder)
    {
        var stack = new Stack<(IrBlock Block, int Next)>();
        int count = 0;
        int free = reversePostorder.Length;
        Visit(function.Entry, 0);
        while (stack.TryPop(out (IrBlock Block, int Next) top))
        {
            ReadOnlySpan<IrBlock> successors = top.Block.Successors;
            if (top.Next == successors.Length)
            {
                reversePostorder[--free] = top.Block;
                continue;
            }

            stack.Push((top.Block, top.Next + 1));
            // The last target first: the order then follows the fall-through side of branches.
            IrBlock successor = successors[successors.Length - 1 - top.Next];
            if (_depthFirstNumber[successor.Id] == Unreachable)
                Visit(successor, _depthFirstNumber[top.Block.Id]);
        }

        return count;

        void Visit(IrBlock block, int parent)
        {
            _depthFirstNumber[block.Id] = count;
            _depthFirst[count] = block;
            _parent[count] = parent;
            count++;
            stack.Push((block, 0));
        }
    }

    private int[] FindDominators(int count)
    {
        var semi = new int[count];
        var label = new int[count];
        var ancestor = new int[count];
        for (int i = 0; i < count; i++)
        {
            semi[i] = i;
            label[i] = i;
            ancestor[i] = _parent[i];
        }

        var path = new Stack<int>();
        for (int i = count - 1; i > 0; i--)
        {
            foreach (IrBlock predecessor in _depthFirst[i].Predecessors)
            {
                int number = _depthFirstNumber[predecessor.Id];
                if (number != Unreachable)
                    semi[i] = Math.Min(semi[i], semi[Evaluate(number, i)]);
            }
        }

        var dominator = new int[count];
        for (int i = 1; i < count; i++)
        {
            dominator[i] = _parent[i];
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

    private IrBlock[] NumberTree(int count)
    {
        var firstChild = new int[count];
        var nextSibling = new int[count];
        Array.Fill(firstChild, -1);
        for (int i = ReversePostorder.Length - 1; i > 0; i--)
        {
            int number = _depthFirstNumber[ReversePostorder[i].Id];
            int parent = _dominator[number];
            nextSibling[number] = firstChild[parent];
            firstChild[parent] = number;
        }

        var preorder = new IrBlock[count];
        var isOpen = new bool[count];
        var stack = new Stack<int>();
        int next = 0;
        stack.Push(0);
        while (stack.TryPeek(out int number))
        {
            IrBlock block = _depthFirst[number];
            if (!isOpen[number])
            {
                isOpen[number] = true;
                _treeNumber[block.Id] = next;
                preorder[next++] = block;
            }

            int child = firstChild[number];
            if (child >= 0)
            {
                firstChild[number] = nextSibling[child];
                stack.Push(child);
            }
            else
            {
                _treeLast[block.Id] = next - 1;
                stack.Pop();
            }
        }

        return preorder;
    }
}
