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

    /// <summary>
    /// The interpreter faults on whatever is not valid; it runs each program at two different sets of addresses, so that an address in
    /// a result shows; and a run of the size of the differential test reaches every class that must be covered.
    /// </summary>
    [Fact]
    public void Programs_are_valid_independent_of_addresses_and_cover_everything()
    {
        const int Count = 2_000;
        var sizes = new List<int>();
        var coverage = new Coverage();
        var failures = new List<string>();
        for (ulong seed = 1; seed <= Count; seed++)
        {
            TestUnit unit = ProgramGenerator.Generate(seed, coverage);
            sizes.Add(unit.SlotCount);
            try
            {
                var interpreter = new UnitInterpreter(unit);
                foreach (TestInput input in unit.Inputs)
                {
                    TestOutcome here = interpreter.Run(input, coverage);
                    if (!here.Agrees(interpreter.Run(input, slide: 0x0765_4320)))
                        failures.Add($"seed {seed}: an address leaks into the result");
                }

                interpreter.CountSlots(coverage);
            }
            catch (BpfFaultException fault)
            {
                failures.Add($"seed {seed}: {fault.Message}");
            }
        }

        sizes.Sort();
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"slots: median {sizes[Count / 2]}, mean {sizes.Average():f0}, 90% {sizes[Count * 9 / 10]}, largest {sizes[^1]}\n{coverage.Report()}");
        Assert.Empty(failures);
        Assert.Empty(RequiredCoverage.Missing(coverage));
        Assert.True(sizes[Count / 2] >= 30);
    }

    private static string Text(TestUnit unit) => string.Join('\n', unit.Functions.Select(static f => string.Join(' ', f.Slots)));
}
