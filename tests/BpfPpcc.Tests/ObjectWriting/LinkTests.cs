using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using BpfPpcc.Elf;
using Xunit;

namespace BpfPpcc.Tests.ObjectWriting;

/// <summary>The example object and its host, linked in every way and run under qemu.</summary>
public sealed class LinkTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("bpfppcc").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("bfd")]
    [InlineData("lld")]
    public void Example_runs_in_every_kind_of_link(string linker)
    {
        Prepare();
        Link(linker, "static", ["-static"]);
        Link(linker, "no-pie", ["-no-pie"]);
        Link(linker, "pie", ["-pie"]);
        Link(linker, "static-gc", ["-static", "-Wl,--gc-sections"]);
        Link(linker, "pie-gc", ["-pie", "-Wl,--gc-sections", "-Wl,-z,start-stop-gc"]);
        Link(linker, "pie-text", ["-pie", "-Wl,-z,text", "-Wl,-z,now"]);

        Compile(linker, ["-shared", "-Wl,-z,text", "example.o", "-o", "libexample.so"]);
        Compile(linker, ["-pie", "host.o", "-L.", "-lexample", "-Wl,-rpath," + _folder, "-o", "shared"]);
        Run("shared", ["shared"]);
        Compile(linker, ["-no-pie", "host.o", "-L.", "-lexample", "-Wl,-rpath," + _folder, "-Wl,-z,now", "-o", "shared-no-pie"]);
        Run("shared-no-pie", ["shared"]);

        Compile(linker, ["-r", "-nostdlib", "example.o", "-o", "again.o"]);
        File.Move(InFolder("again.o"), InFolder("example.o"), overwrite: true);
        Link(linker, "relinked", ["-pie"]);
    }

    /// <summary>The unwind tables hold at every instruction, not only at calls.</summary>
    [Fact]
    public void Gdb_finds_main_and_its_registers_from_every_instruction()
    {
        string gdb = Tools.Require("gdb-multiarch");
        Prepare();
        Compile("bfd", ["-static", "host.o", "example.o", "-o", "static"]);
        var start = new ProcessStartInfo(Tools.Require("qemu-ppc64le"), ["-cpu", "power8", "-g", InFolder("socket"), InFolder("static")])
        {
            RedirectStandardOutput = true,
        };
        using Process qemu = Process.Start(start)!;
        try
        {
            while (!File.Exists(InFolder("socket")) && !qemu.HasExited)
                Thread.Sleep(10);
            string setSocket = $"python socket_path = '{InFolder("socket")}'";
            ToolResult result = Tools.Run(
                gdb, ["-batch", "-nx", "-ex", setSocket, "-ex", $"source {TestFiles.Here("unwind.py")}", InFolder("static")]);
            Match summary = Regex.Match(result.Output, @"instructions (\d+) failures (\d+)");
            Assert.True(summary.Success && summary.Groups[2].Value == "0", result.Output + result.Error);
            Assert.InRange(int.Parse(summary.Groups[1].Value, CultureInfo.InvariantCulture), 200, 1000);
        }
        finally
        {
            if (!qemu.HasExited)
                qemu.Kill();
        }
    }

    private void Prepare()
    {
        File.WriteAllBytes(InFolder("example.o"), ElfWriter.Write(ExampleObject.Build().Write()));
        Check("example.o");
        Tools.RunChecked(
            Compiler,
            [
                "-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-fasynchronous-unwind-tables", "-c", TestFiles.Here("host.c"),
                "-I", Path.GetDirectoryName(TestFiles.Header)!, "-o", InFolder("host.o"),
            ]);
    }

    private static string Compiler => Tools.Require("powerpc64le-linux-gnu-gcc");

    private string InFolder(string name) => Path.Combine(_folder, name);

    private void Link(string linker, string name, string[] options)
    {
        Compile(linker, [.. options, "host.o", "example.o", "-o", name]);
        Run(name, []);
    }

    private void Compile(string linker, string[] arguments)
    {
        if (linker == "lld" && !File.Exists(InFolder("ld.lld")))
            File.CreateSymbolicLink(InFolder("ld.lld"), Tools.Require("ld.lld"));
        string[] choice = linker == "lld" ? ["-fuse-ld=lld", "-B" + _folder] : [];
        ToolResult result = Tools.Run(Compiler, [.. choice, "-Wl,--fatal-warnings", .. arguments], workingDirectory: _folder);
        Assert.True((result.ExitCode, result.Error) == (0, ""), $"{linker} {string.Join(' ', arguments)}: {result.Error}");
        Check(arguments[^1]);
    }

    /// <summary>readelf has nothing to complain about.</summary>
    private void Check(string name)
    {
        ToolResult result = Tools.Run(Tools.Require("powerpc64le-linux-gnu-readelf"), ["-aW", InFolder(name)]);
        Assert.True((result.ExitCode, result.Error) == (0, ""), $"readelf {name}: {result.Error}");
    }

    private void Run(string name, string[] arguments)
    {
        string library = Tools.RunChecked(Compiler, ["-print-file-name=libc.so.6"]).Trim();
        string root = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(library)!, ".."));
        ToolResult result = Tools.Run(Tools.Require("qemu-ppc64le"), ["-cpu", "power8", "-L", root, InFolder(name), .. arguments]);
        Assert.True(result.ExitCode == 0, $"{name}: exit code {result.ExitCode}\n{result.Output}{result.Error}");
    }
}
