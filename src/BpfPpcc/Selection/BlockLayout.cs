using BpfPpcc.Ir;
using BpfPpcc.Mir;

namespace BpfPpcc.Selection;

/// <summary>
/// Which machine blocks an IR function becomes, decided before anything is selected: an IR block becomes one, and a few more for each of
/// its tail calls; an edge from a block with several successors to a block with several predecessors that carries values, or on which a
/// loop's count is set, gets a block of its own.
/// Indices follow the reverse postorder of the IR blocks. All tables are indexed by IR block id, those of edges by twice that plus the
/// index of the target.
/// </summary>
internal sealed class BlockLayout
{
    /// <summary>Loops deeper than this count as no more frequent, so that the numbers stay apart from infinity.</summary>
    private const int DeepestCountedLoop = 8;

    /// <summary>How often a block that ends where nothing ever gets runs, relative to its surroundings.</summary>
    private const float UnreachableFrequency = 0.01f;

    private const int NoBlock = SelectionContext.NoBlock;

    private readonly DominatorTree _dominators;
    private readonly LoopNest _loops;
    private readonly int[] _firstBlocks;
    private readonly int[] _lastBlocks;
    private readonly int[] _splitBlocks;
    private readonly int[] _predecessorIndices;

    public BlockLayout(
        IrFunction function,
        DominatorTree dominators,
        LoopNest loops,
        CountedLoops countedLoops,
        ValueFacts facts,
        IrModule module,
        MachineFunction result)
    {
        IrBlock[] reversePostorder = dominators.ReversePostorder;
        _dominators = dominators;
        _loops = loops;
        _firstBlocks = new int[function.BlockCount];
        _lastBlocks = new int[function.BlockCount];
        _splitBlocks = new int[function.BlockCount * 2];
        _predecessorIndices = new int[function.BlockCount * 2];
        Array.Fill(_splitBlocks, NoBlock);
        NumberPredecessors(reversePostorder);
        foreach (IrBlock block in reversePostorder)
        {
            _firstBlocks[block.Id] = result.Blocks.Count;
            AddBlocks(result, 1 + TailCallBlocks(block, module), FrequencyOf(block));
            _lastBlocks[block.Id] = result.Blocks.Count - 1;
            for (int target = 0; target < block.Successors.Length; target++)
            {
                if (!NeedsSplit(block, block.Successors[target], facts, countedLoops))
                    continue;
                _splitBlocks[block.Id * 2 + target] = result.Blocks.Count;
                AddBlocks(result, 1, Math.Min(FrequencyOf(block), FrequencyOf(block.Successors[target])));
            }
        }
    }

    /// <summary>The machine block that edges to an IR block lead to.</summary>
    public int FirstBlockOf(IrBlock block) => _firstBlocks[block.Id];

    /// <summary>The machine block with an IR block's terminator.</summary>
    public int LastBlockOf(IrBlock block) => _lastBlocks[block.Id];

    /// <summary>The block on the edge to a branch's target; false if the edge leads there directly.</summary>
    public bool TrySplitBlock(IrBlock block, int target, out int split)
    {
        split = _splitBlocks[block.Id * 2 + target];
        return split != NoBlock;
    }

    /// <summary>Which predecessor of its target an edge makes a block, that is which phi operands belong to it.</summary>
    public int PredecessorIndex(IrBlock block, int target) => _predecessorIndices[block.Id * 2 + target];

    /// <summary>
    /// The machine block, outside of all loops, at whose end something can be made for the edge between two blocks, or for one of them: the
    /// last one of what dominates the header of the outermost loop around both. <see cref="SelectionContext.NoBlock"/> outside of loops.
    /// </summary>
    public int HoistBlockOf(IrBlock from, IrBlock to)
    {
        IrBlock block = _loops.Depth(from) <= _loops.Depth(to) ? from : to;
        if (_loops.Depth(block) == 0)
            return SelectionContext.NoBlock;
        while (_loops.Header(block) is { } header)
            block = header;
        return LastBlockOf(_dominators.ImmediateDominator(block)!);
    }

    private static void AddBlocks(MachineFunction result, int count, float frequency)
    {
        for (int i = 0; i < count; i++)
            result.Blocks.Add(new MachineBlock(result.Blocks.Count) { Frequency = frequency });
    }

    private void NumberPredecessors(IrBlock[] reversePostorder)
    {
        foreach (IrBlock block in reversePostorder)
        {
            for (int index = 0; index < block.Predecessors.Count; index++)
            {
                IrBlock predecessor = block.Predecessors[index];
                int target = predecessor.Successors[0] == block ? 0 : 1;
                _predecessorIndices[predecessor.Id * 2 + target] = index;
            }
        }
    }

    /// <summary>How often a block within so many loops runs, relative to the entry.</summary>
    public static float LoopFrequency(int depth) => MathF.Pow(10, Math.Min(depth, DeepestCountedLoop));

    private float FrequencyOf(IrBlock block)
    {
        float frequency = LoopFrequency(_loops.Depth(block));
        return block.Terminator.Opcode == IrOpcode.Unreachable ? frequency * UnreachableFrequency : frequency;
    }

    private static int TailCallBlocks(IrBlock block, IrModule module)
    {
        int count = 0;
        foreach (IrInstruction instruction in block.Instructions)
        {
            if (instruction.Opcode == IrOpcode.TailCall)
                count += TailCallRules.ExtraBlocks(instruction, module);
        }

        return count;
    }

    private static bool NeedsSplit(IrBlock block, IrBlock target, ValueFacts facts, CountedLoops countedLoops) =>
        block.Successors.Length > 1 && target.Predecessors.Count > 1
        && (CarriesValues(target, facts) || countedLoops.ByEntry(block, target) is not null);

    private static bool CarriesValues(IrBlock block, ValueFacts facts)
    {
        foreach (IrInstruction instruction in block.Instructions)
        {
            if (instruction.Opcode != IrOpcode.Phi)
                break;
            if (facts.IsLive(instruction))
                return true;
        }

        return false;
    }
}
