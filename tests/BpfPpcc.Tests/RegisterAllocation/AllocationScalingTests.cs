using System.Diagnostics;
using System.Globalization;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.RegisterAllocation;
using Xunit;

namespace BpfPpcc.Tests.RegisterAllocation;

/// <summary>Large functions end, and are right. Times are printed, not judged.</summary>
public sealed class AllocationScalingTests
{
    private static readonly TargetDescription Target = new(false, Ppc64Abi.ElfV2, Ppc64Cpu.Power8);

    [Theory]
    [InlineData(12_500)]
    [InlineData(25_000)]
    [InlineData(50_000)]
    public void Straight_code(int size)
    {
        // The seeds choose little and much pressure, with and without calls.
        for (int seed = 0; seed < 4; seed++)
        {
            Measure(RandomFunctions.CreateStraight(seed, size));
        }
    }

    [Theory]
    [InlineData(10_000)]
    [InlineData(50_000)]
    public void Chain_of_tied_operands(int size)
    {
        var builder = new FunctionBuilder("tied");
        VirtualRegister[] arguments = builder.Arguments(2);
        VirtualRegister value = arguments[0];
        for (int index = 0; index < size; index++)
        {
            value = builder.Insert(arguments[1], value);
        }

        builder.Return(value);
        Measure(builder.Function);
    }

    [Theory]
    [InlineData(2_500)]
    [InlineData(10_000)]
    public void Chain_of_diamonds_with_calls(int diamonds)
    {
        var builder = new FunctionBuilder("diamonds");
        List<VirtualRegister> values = [.. builder.Arguments(5)];
        while (values.Count < 40)
        {
            values.Add(builder.Load(values[0]));
        }

        VirtualRegister current = values[0];
        for (int index = 0; index < diamonds; index++)
        {
            MachineBlock left = builder.NewBlock();
            MachineBlock right = builder.NewBlock();
            MachineBlock join = builder.NewBlock();
            builder.Compare(current, index);
            builder.Branch(0, left, right);
            builder.Current = left;
            builder.Jump(join, builder.Add(current, values[index % 40]));
            builder.Current = right;
            builder.Jump(join, index % 5 == 0 ? builder.Call(1, current) : builder.AddImmediate(current, 1));
            builder.Current = join;
            current = builder.Parameter(join);
        }

        foreach (VirtualRegister value in values)
        {
            current = builder.Add(current, value);
        }

        builder.Return(current);
        Measure(builder.Function);
    }

    private static void Measure(MachineFunction function)
    {
        var watch = Stopwatch.StartNew();
        Allocation allocation = RegisterAllocator.Allocate(function, Target);
        double allocating = watch.Elapsed.TotalMilliseconds;
        watch.Restart();
        Assert.Empty(AllocationChecker.Check(function, allocation));
        var figures = new AllocationFigures();
        figures.Count(function, allocation);
        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{function.Name}: {allocating:F0} ms, checked in {watch.Elapsed.TotalMilliseconds:F0} ms; {figures}"));
    }
}
