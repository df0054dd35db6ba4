using BpfPpcc.Ir;
using BpfPpcc.Mir;

namespace BpfPpcc.Selection;

/// <summary>
/// Which machine blocks an IR function becomes, decided before anything is selected: an IR block becomes one, and a few more for each of its
/// tail calls; an edge from a block with several successors to a block with several predecessors that carries values gets a block of its own.
/// Indices follow the reverse postorder of the IR blocks.
/// </summary>
internal sealed class BlockLayout
{
    /// <summary>Loops deeper than this count as no more frequent, so that the numbers stay apart from infinity.</summary>
    private const int DeepestCountedLoop = 8;

    /// <summary>How often a block that ends where nothing ever gets runs, relative to its surroundings.</summary>
    private const float UnreachableFrequency = 0.01f;

    private readonly ControlFlow _flow;
    private readonly ValueFacts _facts;
    private readonly int[] _firstBlocks;
    private readonly int[] _lastBlocks;
    private readonly int[] _splitBlocks;

    public BlockLayout(ControlFlow flow, ValueFacts facts, IrModule module, MachineFunction result)
    {
        _flow = flow;
        _facts = facts;
        _firstBlocks = new int[flow.Order.Length];
        _lastBlocks = new int[flow.Order.Length];
        _splitBlocks = new int[flow.Order.Length * 2];
        Array.Fill(_splitBlocks, -1);
        foreach (IrBlock block in flow.Order)
        {
            int position = flow.PositionOf(block);
            float frequency = FrequencyOf(block);
            _firstBlocks[position] = result.Blocks.Count;
            AddBlocks(result, 1 + TailCallBlocks(block, module), frequency);
            _lastBlocks[position] = result.Blocks.Count - 1;
            if (IsJump(block))
                continue;
            for (int target = 0; target < block.Successors.Length; target++)
            {
                if (!CarriesValues(block.Successors[target]) || block.Successors[target].Predecessors.Count == 1)
                    continue;
                _splitBlocks[position * 2 + target] = result.Blocks.Count;
                AddBlocks(result, 1, Math.Min(frequency, FrequencyOf(block.Successors[target])));
            }
        }
    }

    /// <summary>The machine block that edges to an IR block lead to.</summary>
    public int FirstBlockOf(IrBlock block) => _firstBlocks[_flow.PositionOf(block)];

    /// <summary>The machine block with an IR block's terminator.</summary>
    public int LastBlockOf(IrBlock block) => _lastBlocks[_flow.PositionOf(block)];

    /// <summary>The block on the edge to a branch's target, or -1 if the edge leads there directly.</summary>
    public int SplitBlockOf(IrBlock block, int target) => _splitBlocks[_flow.PositionOf(block) * 2 + target];

    /// <summary>The terminator has one successor: it is a jump, or a branch whose ways do not differ.</summary>
    public bool IsJump(IrBlock block)
    {
        IrInstruction terminator = block.Terminator;
        if (terminator.Opcode != IrOpcode.Branch)
            return terminator.Opcode == IrOpcode.Jump;
        return terminator.Targets[0] == terminator.Targets[1] && HasEqualArguments(block, terminator.Targets[0]);
    }

    /// <summary>Index among a target's predecessors of an edge; of two edges from one block the first in the list is that to Targets[0].</summary>
    public static int PredecessorIndex(IrBlock block, int target)
    {
        IrBlock successor = block.Successors[target];
        int index = successor.Predecessors.IndexOf(block);
        return target == 1 && block.Successors[0] == successor ? successor.Predecessors.IndexOf(block, index + 1) : index;
    }

    private static void AddBlocks(MachineFunction result, int count, float frequency)
    {
        for (int i = 0; i < count; i++)
            result.Blocks.Add(new MachineBlock(result.Blocks.Count) { Frequency = frequency });
    }

    private float FrequencyOf(IrBlock block)
    {
        float frequency = MathF.Pow(10, Math.Min(_flow.LoopDepthOf(block), DeepestCountedLoop));
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

    private bool CarriesValues(IrBlock block)
    {
        foreach (IrInstruction instruction in block.Instructions)
        {
            if (instruction.Opcode != IrOpcode.Phi)
                break;
            if (_facts.IsLive(instruction))
                return true;
        }

        return false;
    }

    private bool HasEqualArguments(IrBlock block, IrBlock target)
    {
        int first = PredecessorIndex(block, 0);
        int second = PredecessorIndex(block, 1);
        foreach (IrInstruction instruction in target.Instructions)
        {
            if (instruction.Opcode != IrOpcode.Phi)
                break;
            if (_facts.IsLive(instruction) && instruction.Operands[first] != instruction.Operands[second])
                return false;
        }

        return true;
    }
}
