using System.Globalization;
using BpfPpcc.Bpf;
using BpfPpcc.Btf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using BpfPpcc.Tests.FileTests;
using BpfPpcc.Verification;
using Xunit;

namespace BpfPpcc.Tests.Verification.Walk;

/// <summary>Objects with the verdicts that a running kernel gave.</summary>
public sealed class ObjectCorpusTests(ITestOutputHelper output)
{
    [Fact]
    public void Agrees_with_the_kernel_on_its_selftests_of_6_12()
    {
        string? folder = Corpus.Find("verifier/selftests-6.12");
        Assert.SkipWhen(folder is null, "no corpus");
        Verdicts verdicts = Run("selftests-6.12", folder!, "kernel_verdict");
        Assert.True(verdicts is { AcceptAgreement: > 0.97, RejectAgreement: > 0.98 }, $"{verdicts.AcceptAgreement} {verdicts.RejectAgreement}");
    }

    [Fact]
    public void Agrees_with_the_kernel_on_the_samples()
    {
        string? folder = Corpus.Find("samples");
        Assert.SkipWhen(folder is null, "no corpus");
        Verdicts verdicts = Run("samples", folder!, "kernel_6_18");
        Assert.True(verdicts is { AcceptAgreement: >= 1, RejectAgreement: > 0.97, WalkRatio: < 1 }, $"{verdicts.AcceptAgreement} {verdicts.RejectAgreement} {verdicts.WalkRatio}");
    }

    private Verdicts Run(string name, string folder, string verdictColumn)
    {
        var verdicts = new Verdicts(name);
        BtfTypes? target = Verdicts.TargetBtf();
        string[][] rows = [.. File.ReadLines(Path.Combine(folder, "expected.tsv")).Select(line => line.Split('\t'))];
        int verdict = Array.IndexOf(rows[0], verdictColumn), type = Array.IndexOf(rows[0], "prog_type");
        int flags = Array.IndexOf(rows[0], "flags");
        int instructions = Array.IndexOf(rows[0], "insns_processed"), text = Math.Max(0, Array.IndexOf(rows[0], "expect_msgs"));
        foreach (IGrouping<string, string[]> group in rows.Skip(1).Where(row => row[verdict] is "ACCEPT" or "REJECT").GroupBy(row => row[0]))
        {
            BpfModule? module = ObjectLoader.Load(
                File.ReadAllBytes(Path.Combine(folder, group.Key)), group.Key, new LoaderOptions { TargetBtf = target }, new DiagnosticBag());
            if (module is null)
            {
                output.WriteLine($"not loaded: {group.Key}");
                continue;
            }

            foreach (string[] row in group)
            {
                ProgramReport? report = Verify(module, row[1], row[2], row[type], flags > 0 && (Number(row[flags]) & 1) != 0);
                if (report is null)
                    output.WriteLine($"not found: {string.Join(' ', row.Take(3))}");
                else
                    verdicts.Add($"{row[0]} {row[1]} {row[2]}", row[verdict] == "ACCEPT", row[text], report, Number(row[instructions]));
            }
        }

        verdicts.Print(output);
        return verdicts;
    }

    private static int Number(string text) => int.TryParse(text, CultureInfo.InvariantCulture, out int number) ? number : 0;

    /// <summary>One program alone, as the type that the kernel was told.</summary>
    private static ProgramReport? Verify(BpfModule module, string section, string name, string type, bool isStrict)
    {
        BpfFunction? program = module.Functions.FirstOrDefault(f => f.SectionName == section && (f.Name == name || name == section));
        if (program is null)
            return null;
        BpfProgramType programType = Enum.TryParse(type, ignoreCase: true, out BpfProgramType known) ? known : program.ProgramType;
        BpfModule alone = SingleProgram.Of(module, program, programType);
        return Verifier.Report(alone, new VerifierOptions { StrictAlignment = isStrict }, new DiagnosticBag()).Programs.First(report => report.Name == program.Name);
    }
}
