using System.Collections.Concurrent;
using System.Globalization;
using BpfPpcc.Tests.Execution;
using Xunit;

namespace BpfPpcc.Tests.Differential;

/// <summary>
/// Random programs through the compiler, against the interpreter; a third of them through the verifier first. BPFPPCC_SEED: the first seed; BPFPPCC_DIFF_COUNT: how many programs;
/// BPFPPCC_DIFF_LEVELS: optimization levels ("0 2"); BPFPPCC_DIFF_OUTPUT: the folder for failing programs, shrunk, as cases.
/// </summary>
public sealed class DifferentialTests
{
    // What a link costs is shared by the programs of a batch; a short run is to use all cores all the same.
    private const int ShortRun = 20_000, BatchOfShortRun = 200, BatchOfLongRun = 500;

    // Counting what programs do takes a tenth of the time, and a long run needs no count of all.
    private const int BatchesOfLongRunPerCount = 4;
    private const int ReportedDifferences = 3;

    private static readonly VerifyingCompiler Compiler = new();
    private static readonly DifferentialTester Tester = new(Compiler.Compile);

    [Fact]
    public void Compiled_code_does_what_the_interpreter_says()
    {
        TestHost.Require();
        ulong seed = ulong.Parse(Setting("BPFPPCC_SEED", "1"), CultureInfo.InvariantCulture);
        int count = int.Parse(Setting("BPFPPCC_DIFF_COUNT", "2000"), CultureInfo.InvariantCulture);
        int[] levels = [.. Setting("BPFPPCC_DIFF_LEVELS", "0 2").Split(' ').Select(static l => int.Parse(l, CultureInfo.InvariantCulture))];

        var coverage = new Coverage();
        var differences = new List<Difference>();
        int done = 0;
        int batchSize = count < ShortRun ? BatchOfShortRun : BatchOfLongRun;
        Parallel.ForEach(
            Partitioner.Create(Enumerable.Range(0, (count + batchSize - 1) / batchSize), EnumerablePartitionerOptions.NoBuffering),
            new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount },
            (batch, state) =>
            {
                Coverage? own = count < ShortRun || batch % BatchesOfLongRunPerCount == 0 ? new Coverage() : null;
                int size = Math.Min(batchSize, count - batch * batchSize);
                IReadOnlyList<Difference> found = Tester.TestSeeds(seed + (ulong)(batch * batchSize), size, levels, own);
                lock (differences)
                {
                    if (own is not null)
                        coverage.Add(own);
                    differences.AddRange(found);
                    foreach (Difference difference in found)
                        Console.WriteLine(OneLine(difference));
                    done += size;
                    if (done / 10_000 != (done - size) / 10_000)
                        Console.WriteLine($"{done} of {count} programs, {differences.Count} differences");
                    if (differences.Count > 50)
                        state.Stop();
                }
            });

        string report = coverage.Report();
        Console.WriteLine($"programs {done}, seeds from {seed}, levels {string.Join(' ', levels)}, differences {differences.Count}\n{report}"
            + $"{Compiler.Verified} of {Compiler.Compiled} compiled as verified code; refused:\n{string.Join('\n', Compiler.Refusals())}");
        if (differences.Count > 0)
            Assert.Fail(Explain(differences));
        if (count >= 2_000)
        {
            Assert.Empty(RequiredCoverage.Missing(coverage));
            Assert.True(Compiler.Verified > Compiler.Compiled / 10, $"only {Compiler.Verified} of {Compiler.Compiled} were accepted by the verifier");
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void Compiled_code_is_right_at_the_edges(int level)
    {
        TestHost.Require();
        IReadOnlyList<Difference> differences = Tester.Test([.. EdgeCases.All().Select(static c => c.Unit)], level);
        Assert.Empty(differences.Select(static d => $"{d.Unit.Name}: {d.Description}"));
    }

    private static string Explain(List<Difference> differences)
    {
        var lines = new List<string> { $"{differences.Count} differences" };
        lines.AddRange(differences.Select(OneLine));
        foreach (Difference difference in differences.DistinctBy(static d => d.Unit.Name).Take(ReportedDifferences))
        {
            Difference shrunk = new Shrinker(Tester).Shrink(difference);
            lines.Add($"{DifferenceReport.Write(shrunk)}\n{DifferenceReport.Text(shrunk)}");
        }

        return string.Join('\n', lines);
    }

    private static string OneLine(Difference difference) =>
        $"{difference.Unit.Name}, input {difference.Input}, -O{difference.OptimizationLevel}: {difference.Description.Split('\n')[0]}";

    private static string Setting(string name, string otherwise) => Environment.GetEnvironmentVariable(name) is { Length: > 0 } given ? given : otherwise;
}
