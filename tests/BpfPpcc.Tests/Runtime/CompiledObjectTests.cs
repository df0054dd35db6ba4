using BpfPpcc.Diagnostics;
using Xunit;

namespace BpfPpcc.Tests.Runtime;

/// <summary>
/// Compiled objects with the reference runtime (Objects/): two modules in one link that share a map, callbacks from the runtime into compiled
/// code, timers, ring buffers, packets that grow, LD_ABS.
/// </summary>
public sealed class CompiledObjectTests(RuntimeBuild build) : IClassFixture<RuntimeBuild>
{
    [Theory]
    [InlineData("v3", 2)]
    [InlineData("v2", 0)]
    [InlineData("v4", 1)]
    public void Two_objects_and_the_runtime_work_together(string bpfCpu, int level)
    {
        string first = Compile("first", bpfCpu, level, []);
        string second = Compile("second", bpfCpu, level, ["shared"]);
        build.Run(RuntimeTarget.LittleEndian, Path.Combine("Objects", "host.c"), first, second);
    }

    /// <summary>
    /// Results of helpers where documentation is silent or long: the programs of answers.bpf.c ran in Linux 6.12 on ppc64le (Debian's
    /// 6.12.95), which left kernel-6.12.txt. A line is a program's name, its result and the packet into which it wrote its answers.
    /// </summary>
    [Fact]
    public void Helpers_answer_as_a_kernel_did()
    {
        string expected = File.ReadAllText(Path.Combine(RuntimeBuild.Tests, "Objects", "kernel-6.12.txt"));
        string answers = build.Run(RuntimeTarget.LittleEndian, Path.Combine("Objects", "answers.c"), Compile("answers", "v3", 2, []));
        Assert.Equal(Sorted(expected), Sorted(answers));
    }

    private static string[] Sorted(string lines) => [.. lines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal)];

    private string Compile(string name, string bpfCpu, int level, string[] externMaps)
    {
        string headers = "-I/usr/include/" + Tools.RunChecked(Tools.Require("gcc"), ["-print-multiarch"]).Trim();
        string source = Path.Combine(RuntimeBuild.Tests, "Objects", name + ".bpf.c");
        string bpfObject = Path.Combine(build.Folder, name + ".bpf.o");
        Tools.RunChecked(Tools.Require("clang"), ["-target", "bpf", "-mcpu=" + bpfCpu, "-O2", "-g", headers, "-c", source, "-o", bpfObject]);

        var options = new CompilerOptions { OptimizationLevel = level, NoVerify = true, ModuleName = name, ExternMaps = [.. externMaps] };
        CompilationResult result = Compiler.Compile(File.ReadAllBytes(bpfObject), options);
        Diagnostic[] errors = [.. result.Diagnostics.Where(static diagnostic => diagnostic.Severity == DiagnosticSeverity.Error)];
        Assert.True(errors.Length == 0, string.Join('\n', errors.Select(static error => error.Message)));
        string output = Path.Combine(build.Folder, name + ".ppc.o");
        File.WriteAllBytes(output, result.Output!);
        return output;
    }
}
