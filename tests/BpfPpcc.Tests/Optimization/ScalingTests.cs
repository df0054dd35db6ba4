using System.Text;
using BpfPpcc.Ir;
using BpfPpcc.Tests.Ir;
using Xunit;

namespace BpfPpcc.Tests.Optimization;

/// <summary>Programs as large as the kernel allows go through lifting and all passes: nothing recurses, nothing is quadratic.</summary>
public sealed class ScalingTests
{
    [Fact]
    public void Fifty_thousand_instructions_in_one_block()
    {
        var text = new StringBuilder("r0 = r1\n");
        for (int i = 0; i < 50_000 / 5; i++)
            text.Append("r0 += r2\nw0 ^= w3\nr0 <<= 3\nr0 += 17\nw0 = w0\n");
        Optimize(text.Append("exit\n"));
    }

    [Fact]
    public void Five_thousand_diamonds()
    {
        var text = new StringBuilder("r0 = 0\nr6 = 0\nr7 = 0\nr8 = 0\n");
        for (int i = 0; i < 5_000; i++)
        {
            text.Append($"if r{1 + i % 3} > {i} goto t{i}\nr{6 + i % 3} += 1\ngoto e{i}\n");
            text.Append($"t{i}: r0 += r{6 + i % 3}\n*(u64 *)(r10 - {8 * (1 + i % 60)}) = r0\n");
            text.Append($"e{i}: r0 ^= r7\nr3 = *(u64 *)(r10 - {8 * (1 + i % 60)})\n");
        }

        Optimize(text.Append("exit\n"));
    }

    [Fact]
    public void Ten_thousand_ways_to_one_exit()
    {
        var text = new StringBuilder("r0 = 0\n");
        for (int i = 0; i < 10_000; i++)
            text.Append($"if r1 == {i} goto out\nr0 += r2\n");
        Optimize(text.Append("out: exit\n"));
    }

    [Fact]
    public void Five_hundred_loops_in_each_other()
    {
        const int Depth = 500;
        var text = new StringBuilder("r0 = 0\nr2 = 1\n");
        for (int i = 0; i < Depth; i++)
            text.Append($"l{i}: r0 += r2\nw2 += 1\n");
        for (int i = Depth - 1; i >= 0; i--)
            text.Append($"r3 = r0\nif r3 < {i} goto l{i}\n");
        Optimize(text.Append("exit\n"));
    }

    [Fact]
    public void Two_thousand_array_lookups()
    {
        var text = new StringBuilder(".map m type=ARRAY value=8 entries=100\n.program main\nr6 = 0\n");
        for (int i = 0; i < 2_000; i++)
        {
            text.Append($"*(u32 *)(r10 - 4) = {i}\nr1 = map m\nr2 = r10\nr2 += -4\ncall map_lookup_elem\n");
            text.Append($"if r0 == 0 goto n{i}\nr1 = *(u64 *)(r0 + 0)\nr6 += r1\nn{i}: r6 += 1\n");
        }

        Optimize(text.Append("r0 = r6\nexit\n"));
    }

    [Fact]
    public void Many_calls_of_one_function_and_a_long_chain_of_functions()
    {
        var text = new StringBuilder(".program main\nr6 = r1\nr0 = 0\n");
        for (int i = 0; i < 5_000; i++)
            text.Append("r1 = r0\nr2 = r6\ncall small\n");
        text.Append("call f0\nexit\n.subprogram small static\nr0 = r2\nr0 += r1\nif r0 > 5 goto l\nr0 *= r1\nl:\nexit\n");
        for (int i = 0; i < 6; i++)
            text.Append($".subprogram f{i} static\nr1 = 5\nr2 = 7\ncall small\n{(i < 5 ? $"call f{i + 1}\n" : "")}exit\n");
        Optimize(text);
    }

    [Fact]
    public void Four_times_the_branches_to_lead_past_take_four_times_the_memory()
    {
        AllocatedFor(50);
        Assert.InRange(AllocatedFor(800), 0, 5 * AllocatedFor(200));
    }

    /// <summary>Each branch knows of the one before, and each block's choice is of use in the next.</summary>
    private static long AllocatedFor(int diamonds)
    {
        var text = new StringBuilder("r0 = 1\n");
        for (int i = 0; i < diamonds; i++)
            text.Append($"if r1 > {i} goto t{i}\nr0 += r2\ngoto e{i}\nt{i}: r0 ^= r3\ne{i}: r2 += 1\n");
        IrModule module = IrText.Lift(text.Append("exit\n").ToString());
        long before = GC.GetAllocatedBytesForCurrentThread();
        OptimizedModule.Run(module, level: 2);
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private static void Optimize(StringBuilder text)
    {
        IrModule module = IrText.Lift(text.ToString());
        OptimizedModule.Run(module, level: 2);
    }
}
