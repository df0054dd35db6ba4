using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using BpfPpcc.Tests.FileTests;
using BpfPpcc.Verification;
using Xunit;

namespace BpfPpcc.Tests.Verification.Walk;

/// <summary>
/// Programs in C that use the types, objects and functions of a ppc64le kernel: those called ok_... must be accepted, those called bad_...
/// must be refused.
/// </summary>
public sealed class KernelProgramTests
{
    public static TheoryData<string> Files() =>
        [.. Directory.EnumerateFiles(Folder, "*.c").Select(static path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];

    private static string Folder => Path.Combine(FileTest.ProjectFolder(), "Verification", "Walk", "KernelPrograms");

    [Theory]
    [MemberData(nameof(Files))]
    public void Verdict_is_what_the_name_says(string file)
    {
        string? types = Corpus.Find("btf/vmlinux-6.12-ppc64le.btf");
        Assert.SkipWhen(types is null, "no corpus");
        string clang = Tools.Require("clang"), bpftool = Tools.Require("bpftool");
        if (!File.Exists("/usr/include/bpf/bpf_helpers.h"))
            Tools.Missing("libbpf's headers are not installed");
        DirectoryInfo folder = Directory.CreateTempSubdirectory("bpfppcc-kernel-");
        try
        {
            File.WriteAllText(Path.Combine(folder.FullName, "vmlinux.h"), Tools.RunChecked(bpftool, ["btf", "dump", "file", types!, "format", "c"]));
            string compiled = Path.Combine(folder.FullName, "program.o");
            Tools.RunChecked(
                clang,
                ["-O2", "-g", "-target", "bpf", "-mcpu=v3", "-D__TARGET_ARCH_powerpc", "-I" + folder.FullName, "-Wno-all", "-c", Path.Combine(Folder, file), "-o", compiled]);
            Check(compiled);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static void Check(string compiled)
    {
        BpfModule? module = ObjectLoader.Load(File.ReadAllBytes(compiled), compiled, new LoaderOptions { TargetBtf = Verdicts.TargetBtf() }, new DiagnosticBag());
        VerificationReport report = Verifier.Report(module!, new VerifierOptions(), new DiagnosticBag());
        var wrong = new List<string>();
        foreach (ProgramReport program in report.Programs)
        {
            if (program.IsAccepted != program.Name.StartsWith("ok_", StringComparison.Ordinal))
                wrong.Add($"{program.Name}: {program.Verdict} {program.Code} {program.Text}");
        }

        Assert.True(report.Programs.Length > 3 && wrong.Count == 0, string.Join('\n', wrong));
    }
}
