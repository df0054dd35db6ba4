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
