using System.Globalization;
using BpfPpcc.Ir;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.Symbols;
using Xunit;

namespace BpfPpcc.Tests.Selection;

/// <summary>Random functions do the same before and after selection. BPFPPCC_TEST_SCALE multiplies their number.</summary>
public sealed class RandomFunctionTests
{
    private const int FunctionsPerSeed = 500;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Selected_code_does_what_the_function_does(int seed)
    {
        string? text = Environment.GetEnvironmentVariable("BPFPPCC_TEST_SCALE");
        int scale = int.TryParse(text, CultureInfo.InvariantCulture, out int value) ? value : 1;
        int runs = 0;
        for (int number = 0; number < FunctionsPerSeed * scale; number++)
        {
            int functionSeed = (seed * 1_000_000) + number;
            var random = new Random(functionSeed);
            IrFunction function = RandomFunction.Make(random);

            // Selection may rewrite what it is given.
            MachineFunction selected = SelectionHarness.Select(
                RandomFunction.Make(new Random(functionSeed)), SelectionHarness.Power8 with { Cpu = (Ppc64Cpu)random.Next(3) });
            for (int run = 0; run < 6; run++)
            {
                ulong[] arguments = TestValues.RandomArguments(random);
                ulong count = (ulong)random.Next(40);
                if (SelectionHarness.Compare(function, selected, arguments, random.Next(2) == 0, world => Prepare(world, count)))
                    runs++;
            }
        }

        Assert.True(runs > FunctionsPerSeed * 4, $"{runs} functions ended");
    }

    /// <summary>A prog array of which every other slot is filled, and a count or a pointer to one.</summary>
    private static void Prepare(TestWorld world, ulong count)
    {
        ulong shared = TestWorld.Scratch + 4096;
        world.Write(TestWorld.CountSlot, 8, count > 33 ? shared : count);
        world.Write(shared, 8, count - 5);
        foreach (SymbolId map in (SymbolId[])[SelectionHarness.Jumps, SelectionHarness.ExternJumps])
        {
            ulong address = TestWorld.SymbolAddress(map.Value, 0);
            ulong slots = TestWorld.Scratch + 8192;
            world.Write(address + 16, 4, 8);
            world.Write(address + 96, 8, slots);
            for (ulong i = 0; i < 8; i++)
                world.Write(slots + (i * 8), 8, i % 2 == 0 ? 0 : TestWorld.Scratch + 16384);
        }
    }
}
