using BpfPpcc.Diagnostics;
using BpfPpcc.Tests.Execution;
using BpfPpcc.Tests.Loading;
using Xunit;

namespace BpfPpcc.Tests.EndToEnd;

/// <summary>
/// A program in three files (Link/*.bpf.c), linked here and, as an oracle, by bpftool: both run and print what the C source says.
/// </summary>
public sealed class LinkTests
{
    /// <summary>What host.c prints; the C source worked out by hand.</summary>
    private const string Expected = """
        223 164
        30 1102 44
        1303 6 10 30 500 2
        21

        """;

    private static readonly string Sources = Path.Combine(TestPaths.ProjectRoot, "tests", "BpfPpcc.Tests", "EndToEnd", "Link");

    [Theory]
    [InlineData("v1", 2)]
    [InlineData("v3", 0)]
    [InlineData("v3", 2)]
    [InlineData("v4", 2)]
    public void Three_files_make_one_program(string bpfCpu, int level)
    {
        using var folder = new TemporaryDirectory();
        CompilerInput[] inputs = CompileSources(folder, bpfCpu);
        Assert.Equal(Expected, Run(folder, inputs, level));
    }

    [Theory]
    [InlineData("v3")]
    [InlineData("v4")]
    public void What_bpftool_links_does_the_same(string bpfCpu)
    {
        using var folder = new TemporaryDirectory();
        CompileSources(folder, bpfCpu);
        string linked = folder.File("linked.o");
        Tools.RunChecked(Tools.Require("bpftool"), ["gen", "object", linked, .. Names.Select(name => folder.File(name + ".o"))]);
        Assert.Equal(Expected, Run(folder, [new CompilerInput("linked.o", File.ReadAllBytes(linked))], level: 2));
    }

    [Fact]
    public void The_order_of_the_inputs_decides_only_between_weak_definitions()
    {
        using var folder = new TemporaryDirectory();
        CompilerInput[] inputs = CompileSources(folder, "v3");
        Array.Reverse(inputs);
        string[] lines = Run(folder, inputs, level: 2).Split('\n');
        Assert.Equal("312 253", lines[0]);
        Assert.Equal("1303 6 99 30 500 2", lines[2]);
    }

    [Fact]
    public void Bpftool_reads_the_merged_types()
    {
        using var folder = new TemporaryDirectory();
        byte[] output = Compile(CompileSources(folder, "v3"), level: 2);
        string file = folder.Write("prog.ppc.o", output);
        string types = folder.File("types.btf");
        Tools.RunChecked(Tools.Require("powerpc64le-linux-gnu-objcopy"), ["--dump-section", ".BTF.prog=" + types, file, folder.File("copy.o")]);
        string dump = Tools.RunChecked(Tools.Require("bpftool"), ["btf", "dump", "file", types]);
        string[] lines = dump.Split('\n');
        Assert.Single(lines, static line => line.Contains("STRUCT 'node'", StringComparison.Ordinal));
        Assert.Single(lines, static line => line.Contains("STRUCT 'payload'", StringComparison.Ordinal));
        Assert.Single(lines, static line => line.Contains("INT 'int'", StringComparison.Ordinal));
        Assert.Single(lines, static line => line.Contains("FUNC 'choose'", StringComparison.Ordinal));
        Assert.Single(lines, static line => line.Contains("FUNC 'scale'", StringComparison.Ordinal) && line.Contains("linkage=global", StringComparison.Ordinal));
        Assert.Single(lines, static line => line.Contains("VAR 'counters'", StringComparison.Ordinal) && line.Contains("linkage=global", StringComparison.Ordinal));
        Assert.Single(lines, static line => line.Contains("] VAR 'LICENSE'", StringComparison.Ordinal));
        Assert.Equal(2, lines.Count(static line => line.Contains("] VAR 'calls'", StringComparison.Ordinal)));
        Assert.Single(lines, static line => line.Contains("DATASEC '.data'", StringComparison.Ordinal));
        Assert.DoesNotContain(lines, static line => line.Contains("FWD 'payload'", StringComparison.Ordinal));
    }

    [Fact]
    public void The_same_inputs_give_the_same_bytes()
    {
        using var folder = new TemporaryDirectory();
        CompilerInput[] inputs = CompileSources(folder, "v3");
        Assert.Equal(Compile(inputs, level: 2), Compile(inputs, level: 2));
    }

    private static string[] Names => ["first", "second", "third"];

    private static CompilerInput[] CompileSources(TemporaryDirectory folder, string bpfCpu)
    {
        string clang = Tools.Require("clang");
        var inputs = new List<CompilerInput>();
        foreach (string name in Names)
        {
            string output = folder.File(name + ".o");
            Tools.RunChecked(clang, ["-target", "bpf", "-mcpu=" + bpfCpu, "-O2", "-g", "-c", Path.Combine(Sources, name + ".bpf.c"), "-o", output]);
            inputs.Add(new CompilerInput("some/where/" + name + ".o", File.ReadAllBytes(output)));
        }

        return [.. inputs];
    }

    private static byte[] Compile(CompilerInput[] inputs, int level)
    {
        CompilationResult result = Compiler.Compile(inputs, new CompilerOptions { OptimizationLevel = level, NoVerify = true });
        Assert.True(result.Output is not null, string.Join("\n", result.Diagnostics.Select(static d => d.Message)));
        Assert.DoesNotContain(result.Diagnostics, static diagnostic => diagnostic.Severity == DiagnosticSeverity.Error);
        return result.Output!;
    }

    private static string Run(TemporaryDirectory folder, CompilerInput[] inputs, int level)
    {
        string file = folder.Write("prog.ppc.o", Compile(inputs, level)), host = folder.File("host");
        string header = Path.Combine(TestPaths.ProjectRoot, "src", "BpfPpcc", "Runtime");
        Tools.RunChecked(
            Tools.Require("powerpc64le-linux-gnu-gcc"),
            ["-O2", "-Wall", "-static", "-I" + header, Path.Combine(Sources, "host.c"), file, "-o", host, "-Wl,--fatal-warnings"]);
        return Tools.RunChecked(Tools.Require("qemu-ppc64le"), ["-cpu", "power8", host]);
    }
}
