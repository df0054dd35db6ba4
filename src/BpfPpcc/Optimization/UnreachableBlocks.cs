using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>Removes the blocks that no path from the entry reaches.</summary>
public static class UnreachableBlocks
{
    public static void Run(IrFunction function, IrModule module)
    {
        var isReachable = new bool[function.BlockCount];
        var work = new Stack<IrBlock>();
        int reached = 1;
        isReachable[function.Entry.Id] = true;
        work.Push(function.Entry);
        while (work.TryPop(out IrBlock? block))
        {
            foreach (IrBlock successor in block.Successors)
            {
                if (isReachable[successor.Id])
                    continue;
                isReachable[successor.Id] = true;
                reached++;
                work.Push(successor);
            }
        }

        if (reached == function.Blocks.Count)
            return;
        function.Blocks.RemoveAll(block => !isReachable[block.Id]);
        IrEdges.DropLost(function);
    }
}
