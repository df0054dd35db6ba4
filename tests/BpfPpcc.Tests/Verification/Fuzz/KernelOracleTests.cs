using System.Globalization;
using BpfPpcc.Diagnostics;
using BpfPpcc.Verification;
using Xunit;

namespace BpfPpcc.Tests.Verification.Fuzz;

/// <summary>
/// Our verdicts on random programs against those of a running kernel. BPFPPCC_ORACLE: folder of the kernel oracle; BPFPPCC_ORACLE_COUNT: how
/// many programs; BPFPPCC_SEED: the first seed; BPFPPCC_ORACLE_OUTPUT: where the programs, verdicts and examples go.
/// </summary>
public sealed class KernelOracleTests
{
    [Fact]
    public void Verdicts_are_the_kernels()
    {
        Assert.SkipWhen(KernelOracle.Folder is null, "BPFPPCC_ORACLE is not set");
        string folder = OutputFolder;
        StressProgram[] programs = Programs();
        Dictionary<string, KernelVerdict> verdicts = KernelOracle.Ask(programs, folder);
        var disagreements = new Disagreements(Path.Combine(folder, "examples"));
        foreach (StressProgram program in programs)
        {
            if (verdicts.TryGetValue(program.Name, out KernelVerdict? kernel))
                disagreements.Add(program, kernel, ReportOf(program), () => ReportOf(program, new VerifierOptions { KnowsLittleOfArithmetic = true }));
        }

        string table = disagreements.Table();
        File.WriteAllText(Path.Combine(folder, "table.txt"), table);
        Console.WriteLine(table);
        Assert.True(disagreements.Unsafe == 0, table);
        Assert.True(disagreements.FalseAccepts * 500 <= programs.Length - disagreements.Accepted, table);
        Assert.True(disagreements.FalseRejects * 100 <= disagreements.Accepted, table);
        Assert.True(disagreements.Accepted * 3 >= programs.Length, "too few programs are accepted");
    }

    internal static string OutputFolder => Setting("BPFPPCC_ORACLE_OUTPUT", Path.Combine(Path.GetTempPath(), "bpfppcc-oracle"));

    internal static StressProgram[] Programs()
    {
        ulong seed = ulong.Parse(Setting("BPFPPCC_SEED", "1"), CultureInfo.InvariantCulture);
        int count = int.Parse(Setting("BPFPPCC_ORACLE_COUNT", "2000"), CultureInfo.InvariantCulture);
        return [.. Enumerable.Range(0, count).Select(i => StressGenerator.Generate(seed + (ulong)i))];
    }

    internal static ProgramReport ReportOf(StressProgram program, VerifierOptions? options = null)
    {
        try
        {
            return Verifier.Report(program.Module(), options ?? new VerifierOptions(), new DiagnosticBag()).Programs[0];
        }
        catch (Exception exception) when (exception is not Xunit.Sdk.XunitException)
        {
            return new ProgramReport("", "", program.Name, "", "error", "THROWS", exception.GetType().Name + ": " + exception.Message, "", 0, 0, 0, 0, 0);
        }
    }

    private static string Setting(string name, string otherwise) => Environment.GetEnvironmentVariable(name) ?? otherwise;
}
