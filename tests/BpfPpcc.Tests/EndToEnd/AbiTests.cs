using BpfPpcc.Diagnostics;
using BpfPpcc.Tests.Execution;
using Xunit;

namespace BpfPpcc.Tests.EndToEnd;

/// <summary>
/// The object ABI as a C host sees it (Abi/abi.bpf.c and Abi/host.c): compiled from what each -mcpu of clang makes, at every level, and in
/// every kind of link. The host checks tables, variables, maps, narrow results, tail calls and their limit, unwinding, and all of that
/// under a storm of signals.
/// </summary>
public sealed class AbiTests
{
    private const string Sysroot = "/usr/powerpc64le-linux-gnu";

    private static readonly string Sources = Path.Combine(TestPaths.ProjectRoot, "tests", "BpfPpcc.Tests", "EndToEnd", "Abi");

    [Theory]
    [InlineData("v1", 0)]
    [InlineData("v1", 2)]
    [InlineData("v2", 1)]
    [InlineData("v3", 0)]
    [InlineData("v3", 1)]
    [InlineData("v3", 2)]
    [InlineData("v4", 0)]
    [InlineData("v4", 2)]
    public void Host_agrees_with_the_object(string bpfCpu, int level)
    {
        using var folder = new Folder();
        Compile(folder, bpfCpu, level);
        Link(folder, "host", "-static");
        Run(folder, "host");
    }

    [Theory]
    [InlineData("", "-static")]
    [InlineData("", "-no-pie -fno-pie")]
    [InlineData("", "-pie -fPIE")]
    [InlineData("", "-static -ffunction-sections -fdata-sections -Wl,--gc-sections")]
    [InlineData("", "-pie -fPIE -Wl,--gc-sections")]
    [InlineData("ld.lld", "-static")]
    [InlineData("ld.lld", "-no-pie -fno-pie")]
    [InlineData("ld.lld", "-pie -fPIE")]
    [InlineData("ld.lld", "-static -ffunction-sections -fdata-sections -Wl,--gc-sections")]
    [InlineData("ld.lld", "-pie -fPIE -Wl,--gc-sections")]
    public void Every_kind_of_link_works(string linker, string options)
    {
        using var folder = new Folder();
        Compile(folder, "v3", 2);
        ReadsClean(folder, "abi.ppc.o");
        Link(folder, "host", [.. Linker(folder, linker), .. options.Split(' ')]);
        ReadsClean(folder, "host");
        Run(folder, "host");
    }

    [Theory]
    [InlineData("")]
    [InlineData("ld.lld")]
    public void A_shared_library_works(string linker)
    {
        using var folder = new Folder();
        Compile(folder, "v3", 2);
        string[] use = Linker(folder, linker);
        string gcc = Tools.Require("powerpc64le-linux-gnu-gcc");
        Tools.RunChecked(gcc, ["-shared", "abi.ppc.o", "-o", "libabi.so", "-Wl,--fatal-warnings,-z,text", .. use], workingDirectory: folder.Path);
        ReadsClean(folder, "libabi.so");
        foreach (string kind in (string[])["-no-pie -fno-pie", "-pie -fPIE", "-pie -fPIE -Wl,-z,now"])
        {
            Link(folder, "host", ["-DSHARED", "-L.", "-labi", "-Wl,-rpath,$ORIGIN", .. use, .. kind.Split(' ')], withObject: false);
            Run(folder, "host");
        }
    }

    [Fact]
    public void Partial_linking_keeps_everything()
    {
        using var folder = new Folder();
        Compile(folder, "v3", 2);
        string ld = Tools.Require("powerpc64le-linux-gnu-ld");
        Tools.RunChecked(ld, ["-r", "abi.ppc.o", "-o", "again.o"], workingDirectory: folder.Path);
        File.Move(folder.File("again.o"), folder.File("abi.ppc.o"), overwrite: true);
        Link(folder, "host", "-pie", "-fPIE");
        Run(folder, "host");
    }

    [Fact]
    public void The_same_input_gives_the_same_bytes()
    {
        using var folder = new Folder();
        Compile(folder, "v3", 2);
        byte[] first = File.ReadAllBytes(folder.File("abi.ppc.o"));
        Compile(folder, "v3", 2);
        Assert.Equal(first, File.ReadAllBytes(folder.File("abi.ppc.o")));
    }

    private static void Compile(Folder folder, string bpfCpu, int level)
    {
        string clang = Tools.Require("clang");
        string headers = "-I/usr/include/" + Tools.RunChecked(Tools.Require("gcc"), ["-print-multiarch"]).Trim();
        string source = Path.Combine(Sources, "abi.bpf.c");
        Tools.RunChecked(clang, ["-target", "bpf", "-mcpu=" + bpfCpu, "-O2", "-g", headers, "-c", source, "-o", folder.File("abi.bpf.o")]);
        var options = new CompilerOptions { InputName = "some/where/abi.bpf.o", OptimizationLevel = level, NoVerify = true, ModuleName = "abi" };
        CompilationResult result = Compiler.Compile(File.ReadAllBytes(folder.File("abi.bpf.o")), options);
        Assert.DoesNotContain(result.Diagnostics, static diagnostic => diagnostic.Severity == DiagnosticSeverity.Error);
        File.WriteAllBytes(folder.File("abi.ppc.o"), result.Output!);
    }

    /// <summary>Options that make gcc use a linker; none for its own.</summary>
    private static string[] Linker(Folder folder, string linker)
    {
        if (linker.Length == 0)
            return [];
        string path = folder.File(linker);
        if (!File.Exists(path))
            File.CreateSymbolicLink(path, Tools.Require(linker));
        return ["-B" + folder.Path, "-fuse-ld=lld"];
    }

    private static void Link(Folder folder, string output, params string[] options) => Link(folder, output, options, withObject: true);

    private static void Link(Folder folder, string output, string[] options, bool withObject)
    {
        string header = Path.Combine(TestPaths.ProjectRoot, "src", "BpfPpcc", "Runtime");
        string[] objects = withObject ? ["abi.ppc.o"] : [];
        Tools.RunChecked(
            Tools.Require("powerpc64le-linux-gnu-gcc"),
            [
                "-O2", "-Wall", "-Wextra", "-Werror", "-fasynchronous-unwind-tables", "-DVERIFIED=0", "-I" + header,
                Path.Combine(Sources, "host.c"), .. objects, "-o", output, "-Wl,--fatal-warnings", .. options,
            ],
            workingDirectory: folder.Path);
    }

    private static void Run(Folder folder, string program)
    {
        ToolResult result = Tools.Run(Tools.Require("qemu-ppc64le"), ["-cpu", "power8", "-L", Sysroot, folder.File(program)], workingDirectory: folder.Path);
        Assert.True(result is { ExitCode: 0, Output: "ok\n" }, result.Output + result.Error);
    }

    private static void ReadsClean(Folder folder, string file)
    {
        ToolResult result = Tools.Run(Tools.Require("powerpc64le-linux-gnu-readelf"), ["-aW", folder.File(file)]);
        Assert.Equal("", result.Error);
        Assert.Equal(0, result.ExitCode);
    }

    private sealed class Folder : IDisposable
    {
        public string Path { get; } = Directory.CreateTempSubdirectory("bpfppcc-abi-").FullName;

        public string File(string name) => System.IO.Path.Combine(Path, name);

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
