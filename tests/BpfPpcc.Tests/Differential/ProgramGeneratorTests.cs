using BpfPpcc.Tests.Execution;
using Xunit;

namespace BpfPpcc.Tests.Differential;

public sealed class ProgramGeneratorTests
{
    [Fact]
    public void A_seed_always_gives_the_same_program()
    {
        for (ulong seed = 0; seed < 50; seed++)
            Assert.Equal(Text(ProgramGenerator.Generate(seed)), Text(ProgramGenerator.Generate(seed)));
    }

    [Fact]
    public void Programs_are_valid_and_independent_of_addresses()
    {
        var sizes = new List<int>();
        var coverage = new Coverage();
        var failures = new List<string>();
        for (ulong seed = 0; seed < 3_000; seed++)
        {
            TestUnit unit = ProgramGenerator.Generate(seed, coverage);
            sizes.Add(unit.SlotCount);
            try
            {
                var interpreter = new UnitInterpreter(unit);
                foreach (TestInput input in unit.Inputs)
                {
                    TestOutcome here = interpreter.Run(input, coverage);
                    TestOutcome there = interpreter.Run(input, slide: 0x0765_4320);
                    if (!here.Agrees(there))
                        failures.Add($"seed {seed}: an address leaks into the result");
                }
            }
            catch (BpfFaultException fault)
            {
                failures.Add($"seed {seed}: {fault.Message}");
            }
        }

        sizes.Sort();
        TestContext.Current.TestOutputHelper?.WriteLine($"median {sizes[sizes.Count / 2]} slots, largest {sizes[^1]}\n{coverage.Report()}");
        Assert.Empty(failures);
        Assert.True(sizes[sizes.Count / 2] >= 30);
    }

    private static string Text(TestUnit unit) => string.Join('\n', unit.Functions.Select(static f => string.Join(' ', f.Slots)));
}
