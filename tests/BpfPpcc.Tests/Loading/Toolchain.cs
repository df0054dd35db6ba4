using Xunit;

namespace BpfPpcc.Tests.Loading;

/// <summary>Runs the external tools that the tests of ELF, BTF and loading take as oracles; a test whose tool is missing is skipped.</summary>
internal static class Toolchain
{
    /// <summary>Standard output and standard error of a tool that must exit with 0.</summary>
    public static string Run(string tool, params string[] arguments)
    {
        ToolResult result = Tools.Run(Tools.Require(tool), arguments);
        string output = result.Output + result.Error;
        Assert.True(result.ExitCode == 0, $"{tool} {string.Join(' ', arguments)}: exit {result.ExitCode}\n{output}");
        return output;
    }

    public static void SkipWithout(string tool) => Tools.Require(tool);

    public static bool Has(string tool) => Tools.Find(tool) is not null;

    /// <summary>A BPF object from C source, compiled by clang.</summary>
    public static byte[] CompileBpf(string source, string cpu = "v3", params string[] flags)
    {
        using var directory = new TemporaryDirectory();
        string input = directory.File("test.c"), output = directory.File("test.o");
        File.WriteAllText(input, source);
        Run("clang-19", ["-target", "bpf", "-mcpu=" + cpu, "-O2", "-g", "-fdebug-compilation-dir=.", .. flags, "-c", input, "-o", output]);
        return File.ReadAllBytes(output);
    }
}

/// <summary>A directory that goes away with the test.</summary>
internal sealed class TemporaryDirectory : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("bpfppcc-test-");

    public string File(string name) => Path.Combine(_directory.FullName, name);

    public string Write(string name, byte[] bytes)
    {
        string path = File(name);
        System.IO.File.WriteAllBytes(path, bytes);
        return path;
    }

    public void Dispose() => _directory.Delete(recursive: true);
}
