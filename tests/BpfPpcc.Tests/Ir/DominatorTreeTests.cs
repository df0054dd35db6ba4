using BpfPpcc.Ir;
using Xunit;

namespace BpfPpcc.Tests.Ir;

public sealed class DominatorTreeTests
{
    [Fact]
    public void Dominators_are_those_that_removing_a_block_shows()
    {
        var random = new Random(7);
        for (int round = 0; round < 400; round++)
        {
            IrFunction function = RandomGraph(random, 2 + random.Next(14));
            var dominators = new DominatorTree(function);
            bool[] reachable = Reach(function, null);
            foreach (IrBlock a in function.Blocks)
            {
                Assert.Equal(reachable[a.Id], dominators.IsReachable(a));
                if (!reachable[a.Id])
                    continue;
                bool[] without = Reach(function, a);
                foreach (IrBlock b in function.Blocks.Where(block => reachable[block.Id]))
                    Assert.Equal(a == b || !without[b.Id], dominators.Dominates(a, b));
            }
        }
    }

    [Fact]
    public void Orders_hold_what_they_promise()
    {
        var random = new Random(8);
        for (int round = 0; round < 200; round++)
        {
            IrFunction function = RandomGraph(random, 2 + random.Next(14));
            var dominators = new DominatorTree(function);
            Assert.Equal(dominators.ReversePostorder.Order(ById()), dominators.Preorder.Order(ById()));
            Assert.Equal(function.Entry, dominators.ReversePostorder[0]);
            Assert.Null(dominators.ImmediateDominator(function.Entry));
            foreach (IrBlock block in dominators.Preorder.Skip(1))
            {
                IrBlock parent = dominators.ImmediateDominator(block)!;
                Assert.True(parent != block && dominators.Dominates(parent, block));
                Assert.True(Array.IndexOf(dominators.Preorder, parent) < Array.IndexOf(dominators.Preorder, block));
                Assert.True(Array.IndexOf(dominators.ReversePostorder, parent) < Array.IndexOf(dominators.ReversePostorder, block));
            }
        }
    }

    [Fact]
    public void Loops_nest()
    {
        // 0 -> 1 (outer header) -> 2 (inner header) -> 3 -> 2 | 4; 4 -> 1 | 5
        IrFunction function = IrTestFunction.Graph([1], [2], [3], [2, 4], [1, 5], []);
        var loops = new LoopNest(function, new DominatorTree(function));
        Assert.Equal([0, 1, 2, 2, 1, 0], function.Blocks.Select(loops.Depth));
        Assert.Equal([null, null, 1, 2, 1, null], function.Blocks.Select(block => loops.Header(block)?.Id));
    }

    [Fact]
    public void Loops_with_one_header_are_one()
    {
        IrFunction function = IrTestFunction.Graph([1], [2, 3], [1, 4], [1], []);
        var loops = new LoopNest(function, new DominatorTree(function));
        Assert.Equal([0, 1, 1, 1, 0], function.Blocks.Select(loops.Depth));
    }

    private static Comparer<IrBlock> ById() => Comparer<IrBlock>.Create(static (a, b) => a.Id - b.Id);

    private static IrFunction RandomGraph(Random random, int count)
    {
        var targets = new int[count][];
        for (int i = 0; i < count; i++)
        {
            int first = random.Next(1, count);
            int second = random.Next(1, count);
            targets[i] = random.Next(6) == 0 ? [] : first == second ? [first] : [first, second];
        }

        return IrTestFunction.Graph(targets);
    }

    private static bool[] Reach(IrFunction function, IrBlock? without)
    {
        var reached = new bool[function.BlockCount];
        var work = new Stack<IrBlock>();
        work.Push(function.Entry);
        while (work.TryPop(out IrBlock? block))
        {
            if (block == without || reached[block.Id])
                continue;
            reached[block.Id] = true;
            foreach (IrBlock successor in block.Successors)
                work.Push(successor);
        }

        return reached;
    }
}
