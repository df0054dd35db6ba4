using BpfPpcc.Mir;
using BpfPpcc.RegisterAllocation;
using BpfPpcc.Tests.RegisterAllocation;
using Xunit;

namespace BpfPpcc.Tests.Mir;

/// <summary>Save points of random functions, against a walk of all paths with and without the frame.</summary>
public sealed class FrameRegionTests
{
    [Fact]
    public void Frame_is_set_up_once_before_everything_that_needs_it()
    {
        int late = 0;
        for (int seed = 0; seed < 2000; seed++)
        {
            MachineFunction function = RandomFunctions.Create(seed);
            if (seed % 2 != 0)
                EarlyExits.Separate(function);
            bool[] needsFrame = [.. function.Blocks.Select(FrameRegion.Calls)];
            bool[] isRepeatable = [.. function.Blocks.Select(
                block => block.Terminator.Pseudo == MachinePseudo.Return && block.Instructions.Count < 3 && !needsFrame[block.Index])];
            FrameRegion region = FrameRegion.Of(function, needsFrame, isRepeatable);
            Check(function, needsFrame, isRepeatable, region);
            late += region.SavePoint > 0 ? 1 : 0;
        }

        Assert.InRange(late, 50, 2000);
    }

    [Fact]
    public void Functions_that_need_no_frame_have_no_save_point()
    {
        var builder = new FunctionBuilder();
        builder.Return(builder.Constant(1));
        FrameRegion region = FrameRegion.OfCalls(builder.Function);
        Assert.Equal(-1, region.SavePoint);
        Assert.False(region.Contains(0));
    }

    /// <summary>A constant return that a path with and a path without a call branch to is written twice.</summary>
    [Fact]
    public void Shared_short_return_is_copied_and_the_save_point_gets_one_way_in()
    {
        var builder = new FunctionBuilder();
        VirtualRegister[] arguments = builder.Arguments(2);
        MachineBlock second = builder.NewBlock();
        MachineBlock third = builder.NewBlock();
        MachineBlock calls = builder.NewBlock();
        MachineBlock rest = builder.NewBlock();
        MachineBlock exit = builder.NewBlock();
        builder.Compare(arguments[0], 0);
        builder.Branch(2, exit, second);
        builder.Current = second;
        builder.Compare(arguments[0], 1);
        builder.Branch(2, calls, third);
        builder.Current = third;
        builder.Compare(arguments[0], 2);
        builder.Branch(2, calls, exit);
        builder.Current = calls;
        VirtualRegister result = builder.Call(1, arguments[0]);
        builder.Compare(result, 0);
        builder.Branch(2, exit, rest);
        builder.Current = rest;
        builder.Return(builder.Add(result, arguments[1]));
        builder.Current = exit;
        builder.Return(builder.Constant(0));
        Assert.Equal(0, FrameRegion.OfCalls(builder.Function).SavePoint);

        EarlyExits.Separate(builder.Function);
        Assert.Empty(MirChecker.Check(builder.Function));
        FrameRegion region = FrameRegion.OfCalls(builder.Function);
        Assert.Equal(calls.Index, region.SavePoint);
        Assert.Single(calls.Predecessors);
        Assert.Equal([calls.Index], exit.Predecessors);
        Assert.Equal(8, builder.Function.Blocks.Count);
    }

    /// <summary>Every pair of a block and whether the frame is set up that paths come to.</summary>
    private static void Check(MachineFunction function, bool[] needsFrame, bool[] isRepeatable, FrameRegion region)
    {
        var seen = new HashSet<(int Block, bool HasFrame)>();
        var work = new Stack<(int Block, bool HasFrame)>();
        work.Push((0, false));
        while (work.TryPop(out (int Block, bool HasFrame) at))
        {
            if (!seen.Add(at))
                continue;
            Assert.False(at.HasFrame && at.Block == region.SavePoint, $"{function.Name}: the frame is set up twice");
            bool hasFrame = at.HasFrame || at.Block == region.SavePoint;
            Assert.True(hasFrame || !needsFrame[at.Block], $"{function.Name}: block {at.Block} has no frame");
            Assert.True(hasFrame == region.Contains(at.Block) || isRepeatable[at.Block], $"{function.Name}: block {at.Block}");
            foreach (MachineEdge edge in function.Blocks[at.Block].Successors)
                work.Push((edge.Target, hasFrame));
        }

        foreach (MachineBlock block in function.Blocks)
        {
            bool isAlways = !seen.Contains((block.Index, false)) || block.Index == region.SavePoint;
            Assert.Equal(region.SavePoint >= 0 && isAlways, region.IsBelow(block.Index));
        }
    }
}
