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
    private static readonly Dictionary<string, string> ExplainedSelftests = new()
    {
        ["verifier_search_pruning.o kprobe short_loop1"] = "the loop ends, which finer bounds prove within the kernel's limit of instructions",
        ["iters.o ?raw_tp iter_err_too_permissive2"] = "a lookup with a constant key is not NULL for Linux from 6.14 on; its own expectation is ours",
        ["iters.o ?raw_tp iter_err_too_permissive3"] = "a lookup with a constant key is not NULL for Linux from 6.14 on; its own expectation is ours",
    };

    [Fact]
    public void Agrees_with_the_kernel_on_its_selftests_of_6_12()
    {
        string? folder = Corpus.Find("verifier/selftests-6.12");
        Assert.SkipWhen(folder is null, "no corpus");
        Verdicts verdicts = Run("selftests-6.12", folder!, "kernel_verdict", ExplainedSelftests);
        Assert.Equal("", verdicts.Unexplained);
        Assert.True(verdicts is { AcceptAgreement: > 0.99, RejectAgreement: > 0.99 }, $"{verdicts.AcceptAgreement} {verdicts.RejectAgreement}");
    }

    [Fact]
    public void Agrees_with_the_kernel_on_the_samples()
    {
        string? folder = Corpus.Find("samples");
        Assert.SkipWhen(folder is null, "no corpus");
        Verdicts verdicts = Run("samples", folder!, "kernel_6_18", ReasonsOutsideTheByteCode(Path.Combine(folder!, "expected.tsv")));
        Assert.Equal("", verdicts.Unexplained);
        Assert.True(verdicts is { AcceptAgreement: >= 1, WalkRatio: < 1 }, $"{verdicts.AcceptAgreement} {verdicts.WalkRatio}");
    }

    /// <summary>
    /// Refused programs that the other kernel accepts, so that only a limit or a rule of one version can be the reason, and those with a note
    /// that the kernel was configured without a helper.
    /// </summary>
    private static Dictionary<string, string> ReasonsOutsideTheByteCode(string path)
    {
        string[][] rows = Rows(path);
        int verdict = Array.IndexOf(rows[0], "kernel_6_18"), other = Array.IndexOf(rows[0], "kernel_6_12_ppc64le"), note = Array.IndexOf(rows[0], "note");
        return rows.Skip(1)
            .Where(row => row[verdict] == "REJECT" && (row[other] == "ok" || row[note].StartsWith("config:", StringComparison.Ordinal)))
            .ToDictionary(NameOf, row => row[note]);
    }

    private static string[][] Rows(string path) => [.. File.ReadLines(path).Select(line => line.Split('\t'))];

    private static string NameOf(string[] row) => string.Join(' ', row.Take(3));

    private Verdicts Run(string name, string folder, string verdictColumn, IReadOnlyDictionary<string, string> explained)
    {
        var verdicts = new Verdicts(name, explained);
        BtfTypes? target = Verdicts.TargetBtf();
        string[][] rows = Rows(Path.Combine(folder, "expected.tsv"));
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
                    output.WriteLine($"not found: {NameOf(row)}");
                else
                    verdicts.Add(NameOf(row), row[verdict] == "ACCEPT", row[text], report, Number(row[instructions]));
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
