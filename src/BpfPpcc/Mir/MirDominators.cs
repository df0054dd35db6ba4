namespace BpfPpcc.Mir;

/// <summary>Dominators of a machine function's blocks.</summary>
/// <remarks>Cooper, Harvey, Kennedy, "A Simple, Fast Dominance Algorithm".</remarks>
internal sealed class MirDominators
{
    private const int Unknown = -1;

    private readonly int[] _order;
    private readonly int[] _positions;
    private readonly int[] _dominators;

    /// <summary>By position: its place in a preorder walk of the dominator tree, and how many blocks lie below it there, with itself.</summary>
    private readonly int[] _preorder;
    private readonly int[] _size;

    public MirDominators(MachineFunction function)
    {
        _positions = new int[function.Blocks.Count];
        Array.Fill(_positions, Unknown);
        _order = ReversePostorder(function);
        for (int i = 0; i < _order.Length; i++)
            _positions[_order[i]] = i;
        _dominators = new int[_order.Length];
        Array.Fill(_dominators, Unknown);
        _dominators[0] = 0;
        while (Improve(function))
        {
        }

        _size = new int[_order.Length];
        _preorder = new int[_order.Length];
        NumberTree();
    }

    /// <summary>Every path to block <paramref name="b"/> goes through block <paramref name="a"/>.</summary>
    public bool Dominates(int a, int b)
    {
        int above = _positions[a];
        return (uint)(_preorder[_positions[b]] - _preorder[above]) < (uint)_size[above];
    }

    /// <summary>The last block before <paramref name="block"/> through which every path to it goes; the entry for the entry.</summary>
    public int ImmediateDominator(int block) => _order[_dominators[_positions[block]]];

    /// <summary>Dominators stand before what they dominate in reverse postorder, so that one walk each way does it.</summary>
    private void NumberTree()
    {
        Array.Fill(_size, 1);
        for (int position = _order.Length - 1; position > 0; position--)
            _size[_dominators[position]] += _size[position];
        var next = new int[_order.Length];
        next[0] = 1;
        for (int position = 1; position < _order.Length; position++)
        {
            int dominator = _dominators[position];
            _preorder[position] = next[dominator];
            next[dominator] += _size[position];
            next[position] = _preorder[position] + 1;
        }
    }

    private static int[] ReversePostorder(MachineFunction function)
    {
        var isVisited = new bool[function.Blocks.Count];
        var postorder = new List<int>();
        var path = new Stack<(int Block, int Next)>();
        isVisited[0] = true;
        path.Push((0, 0));
        while (path.TryPop(out (int Block, int Next) top))
        {
            List<MachineEdge> successors = function.Blocks[top.Block].Successors;
            if (top.Next == successors.Count)
            {
                postorder.Add(top.Block);
                continue;
            }

            path.Push((top.Block, top.Next + 1));
            int target = successors[top.Next].Target;
            if (isVisited[target])
                continue;
            isVisited[target] = true;
            path.Push((target, 0));
        }

        postorder.Reverse();
        return [.. postorder];
    }

    /// <summary>One round over all blocks; true if it changed something.</summary>
    private bool Improve(MachineFunction function)
    {
        bool isChanged = false;
        for (int position = 1; position < _order.Length; position++)
        {
            int dominator = Unknown;
            foreach (int predecessor in function.Blocks[_order[position]].Predecessors)
            {
                int other = _positions[predecessor];
                if (other != Unknown && _dominators[other] != Unknown)
                    dominator = dominator == Unknown ? other : Common(dominator, other);
            }

            isChanged |= _dominators[position] != dominator;
            _dominators[position] = dominator;
        }

        return isChanged;
    }

    private int Common(int left, int right)
    {
        while (left != right)
        {
            if (left > right)
                left = _dominators[left];
            else
                right = _dominators[right];
        }

        return left;
    }
}
