using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>
/// What branches on the way to a place have decided. A branch whose one target only it leads to says there, and in all that the target
/// dominates, how it went.
/// </summary>
/// <remarks>
/// Of the function as it was when this was made: leading ways past a block changes the graph, but not what holds when a block runs.
/// </remarks>
internal sealed class KnownConditions
{
    /// <summary>Dominators that are looked at: most of what is known comes from near by.</summary>
    private const int MostSteps = 8;

    private readonly DominatorTree _dominators;

    /// <summary>By block: what its only predecessor's branch has decided; the condition None if it has several, or that has none.</summary>
    private readonly KnownCondition[] _atEntry;

    public KnownConditions(IrFunction function, DominatorTree dominators)
    {
        _dominators = dominators;
        _atEntry = new KnownCondition[function.BlockCount];
        foreach (IrBlock block in dominators.ReversePostorder)
        {
            if (block.Predecessors is [var only])
                _atEntry[block.Id] = OnEdge(only, block);
        }
    }

    /// <summary>How a comparison comes out at the end of a block, or on the edge from there to <paramref name="to"/>; null if that is open.</summary>
    public bool? Decide(in KnownCondition asked, IrBlock from, IrBlock? to)
    {
        if (to is not null && Decide(OnEdge(from, to), asked) is { } outcome)
            return outcome;
        IrBlock? block = from;
        for (int step = 0; step < MostSteps && block is not null; step++)
        {
            if (Decide(_atEntry[block.Id], asked) is { } known)
                return known;
            block = _dominators.ImmediateDominator(block);
        }

        return null;
    }

    private static bool? Decide(in KnownCondition known, in KnownCondition asked) =>
        known.Condition == IrCondition.None ? null : ConditionImplication.Decide(known, asked);

    private static KnownCondition OnEdge(IrBlock from, IrBlock to)
    {
        IrInstruction branch = from.Terminator;
        if (branch.Opcode != IrOpcode.Branch || branch.Targets[0] == branch.Targets[1])
            return default;
        IrCondition condition = branch.Targets[0] == to ? branch.Condition : branch.Condition.Negated();
        return new KnownCondition(condition, branch.CompareWidth, branch.Operands[0], branch.Operands[1]);
    }
}
