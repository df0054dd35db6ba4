using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>Removes the blocks that no path from the entry reaches.</summary>
public static class UnreachableBlocks
{
    public static void Run(IrFunction function, IrModule module) => Walk(function);

    /// <summary>The same; gives the walk that found the others, which are all that is left.</summary>
    internal static DepthFirstWalk Walk(IrFunction function)
    {
        var walk = new DepthFirstWalk(function);
        if (walk.Count == function.Blocks.Count)
            return walk;
        function.Blocks.RemoveAll(block => walk.Number[block.Id] == DepthFirstWalk.Unreachable);
        IrEdges.DropLost(function);
        return walk;
    }
}
