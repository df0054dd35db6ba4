namespace BpfPpcc.Mir;

/// <summary>
/// The part of a function that runs with its frame set up. Blocks that need the frame come in; a save point leaves, at whose start the
/// frame is set up, once, and everything that can be reached from there, which has the frame until it returns. What comes before, and
/// the early exits, run without.
/// </summary>
/// <remarks>
/// The save point is the lowest block that dominates all blocks that need the frame, lies in no loop, and from which nothing can be
/// reached that is reached without the frame as well, unless that can be written twice. Every condition that fails moves it up the
/// dominator tree, and nothing moves it down, so that the work is linear.
/// </remarks>
internal sealed class FrameRegion
{
    private const int None = -1;

    private readonly MachineFunction _function;
    private readonly bool[] _isRepeatable;
    private readonly bool[] _isReached;
    private readonly Stack<int> _work = new();
    private MirDominators? _dominators;

    private FrameRegion(MachineFunction function, bool[] isRepeatable)
    {
        _function = function;
        _isRepeatable = isRepeatable;
        _isReached = new bool[function.Blocks.Count];
    }

    /// <summary>The block at whose start the frame is set up, or -1 if nothing needs it.</summary>
    public int SavePoint { get; private set; } = None;

    /// <summary>The region of a function.</summary>
    /// <param name="needsFrame">By block: it must have a frame.</param>
    /// <param name="isRepeatable">By block: it ends the function, needs no frame, and can be written for paths with and without.</param>
    public static FrameRegion Of(MachineFunction function, bool[] needsFrame, bool[] isRepeatable)
    {
        var region = new FrameRegion(function, isRepeatable);
        for (int block = 0; block < needsFrame.Length; block++)
        {
            if (!needsFrame[block])
                continue;
            region.Cover(block);
            region.Reach();
        }

        return region;
    }

    /// <summary>The block has the frame. Of a repeatable block the one on paths with the frame is meant, if there are such.</summary>
    public bool Contains(int block) => _isReached[block];

    /// <summary>Every path to the block has the frame set up.</summary>
    public bool IsBelow(int block) => _isReached[block] && Dominators.Dominates(SavePoint, block);

    /// <summary>
    /// The region as far as it can be known before registers are allocated: the blocks that call need a frame, and a return is what stands in its block.
    /// </summary>
    public static FrameRegion OfCalls(MachineFunction function)
    {
        var needsFrame = new bool[function.Blocks.Count];
        var remaining = new int[function.Blocks.Count];
        var forward = new int[function.Blocks.Count];
        foreach (MachineBlock block in function.Blocks)
        {
            needsFrame[block.Index] = block.Instructions.Exists(static instruction => instruction.ClobbersVolatile);
            remaining[block.Index] = block.Instructions.Count;
            forward[block.Index] = block.Index;
        }

        return Of(function, needsFrame, new ReturnBlocks(function, remaining).FindRepeatable(needsFrame, forward));
    }

    private MirDominators Dominators => _dominators ??= new MirDominators(_function);

    private void Cover(int block)
    {
        if (SavePoint == None)
            MoveTo(block);
        else if (SavePoint != 0 && !Dominators.Dominates(SavePoint, block))
            MoveUp(block);
    }

    /// <summary>To where the save point dominates the block as well. What has been reached from it before would be in a loop.</summary>
    private void MoveUp(int block)
    {
        int point = SavePoint;
        while (_isReached[point] || !Dominators.Dominates(point, block))
            point = Dominators.ImmediateDominator(point);
        MoveTo(point);
    }

    private void MoveTo(int point)
    {
        SavePoint = point;
        _isReached[point] = true;
        _work.Push(point);
    }

    private void Reach()
    {
        while (_work.TryPop(out int block))
        {
            foreach (MachineEdge edge in _function.Blocks[block].Successors)
            {
                int target = edge.Target;
                if (target == SavePoint)
                    MoveUp(target);
                if (_isReached[target])
                    continue;
                _isReached[target] = true;
                _work.Push(target);
                if (!_isRepeatable[target])
                    Cover(target);
            }
        }
    }
}
