using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.RegisterAllocation;
using Xunit;

namespace BpfPpcc.Tests.RegisterAllocation;

/// <summary>Many random functions: the checker proves each allocation, and running it gives what the function gives on virtual registers.</summary>
public sealed class RandomAllocationTests
{
    private static readonly TargetDescription Target = new(false, Ppc64Abi.ElfV2, Ppc64Cpu.Power8);

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Random_functions_are_allocated_correctly(int batch)
    {
        var figures = new AllocationFigures();
        for (int seed = batch * 1000; seed < (batch + 1) * 1000; seed++)
        {
            MachineFunction function = RandomFunctions.Create(seed);
            if (seed % 2 != 0)
            {
                EarlyExits.Separate(function);
                Assert.Empty(MirChecker.Check(function));
            }

            Allocation allocation = RegisterAllocator.Allocate(function, Target);
            Verify(function, allocation);
            figures.Count(function, allocation);
        }

        TestContext.Current.TestOutputHelper?.WriteLine(figures.ToString());
    }

    [Fact]
    public void Large_functions_are_allocated_correctly()
    {
        for (int seed = 0; seed < 30; seed++)
        {
            MachineFunction function = RandomFunctions.Create(seed + 50_000, 3000);
            Verify(function, RegisterAllocator.Allocate(function, Target));
            function = RandomFunctions.CreateStraight(seed, 2000);
            Verify(function, RegisterAllocator.Allocate(function, Target));
        }
    }

    [Fact]
    public void Two_runs_give_the_same_text()
    {
        for (int seed = 0; seed < 50; seed++)
        {
            MachineFunction function = RandomFunctions.Create(seed);
            string first = AllocationPrinter.Print(function, RegisterAllocator.Allocate(function, Target));
            string second = AllocationPrinter.Print(function, RegisterAllocator.Allocate(RandomFunctions.Create(seed), Target));
            Assert.Equal(first, second);
        }
    }

    private static void Verify(MachineFunction function, Allocation allocation)
    {
        IReadOnlyList<AllocationViolation> violations = AllocationChecker.Check(function, allocation);
        Assert.True(violations.Count == 0, violations.Count == 0 ? "" : $"{function.Name}: {violations[0]}\n{AllocationPrinter.Print(function, allocation)}");
        int[] slots = [.. allocation.Edits.Where(static edit => !edit.To.IsGpr).Select(static edit => edit.To.SpillSlot).Distinct()];
        Assert.Equal(allocation.SpillSlotCount, slots.Length);
        for (ulong input = 1; input <= 2; input++)
        {
            Assert.True(MachineInterpreter.Run(function, null, input) == MachineInterpreter.Run(function, allocation, input), function.Name);
        }
    }
}
