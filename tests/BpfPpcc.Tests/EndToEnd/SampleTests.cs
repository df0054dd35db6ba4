using System.Text;
using BpfPpcc.Diagnostics;
using BpfPpcc.Elf;
using BpfPpcc.Tests.Loading;
using Xunit;

namespace BpfPpcc.Tests.EndToEnd;

/// <summary>Real objects through the whole compiler and a linker: everything undefined gets a stub, and the code disassembles cleanly.</summary>
public sealed class SampleTests(ITestOutputHelper output)
{
    /// <summary>Objects with programs that have no meaning outside of the kernel, with what is said of them.</summary>
    private static readonly Dictionary<string, DiagnosticId> Refused = new()
    {
    };

    [Theory]
    [InlineData("samples")]
    [InlineData("verifier")]
    public void Objects_compile_link_and_disassemble(string folder)
    {
        string root = Objects.CorpusFolder(folder);
        string gcc = Tools.Require("powerpc64le-linux-gnu-gcc"), objdump = Tools.Require("powerpc64le-linux-gnu-objdump");
        using var directory = new TemporaryDirectory();
        int linked = 0, total = 0;
        var raw = new List<string>();
        var failures = new List<string>();
        foreach (string path in Directory.EnumerateFiles(root, "*.o", SearchOption.AllDirectories).Order())
        {
            string name = Path.GetRelativePath(root, path);
            total++;
            CompilationResult result = Compile(path, rawContext: false);
            if (result.Output is null && result.Diagnostics.Any(d => d.Id is DiagnosticId.ContextPointerAmbiguous or DiagnosticId.ContextPointerFieldAccess))
            {
                raw.Add(name);
                result = Compile(path, rawContext: true);
            }

            if (result.Output is null)
            {
                Diagnostic error = result.Diagnostics.First(d => d.Severity == DiagnosticSeverity.Error);
                failures.Add($"{name}: {error.Id}: {error.Location?.Function}: {error.Message}");
                continue;
            }

            if (LinkAndDisassemble(result.Output, directory, gcc, objdump) is string fault)
                failures.Add($"{name}: {fault}");
            else
                linked++;
        }

        output.WriteLine($"{folder}: {linked} of {total} objects compile, link and disassemble");
        output.WriteLine($"with --ctx=raw only: {raw.Count}\n    {string.Join("\n    ", raw)}");
        output.WriteLine($"not: {failures.Count}\n    {string.Join("\n    ", failures)}");
    }

    private static CompilationResult Compile(string path, bool rawContext) =>
        Compiler.Compile(File.ReadAllBytes(path), new CompilerOptions { NoVerify = true, RawContext = rawContext, SymbolPrefix = "bpf_test_" });

    /// <summary>What goes wrong, or null.</summary>
    private static string? LinkAndDisassemble(byte[] bytes, TemporaryDirectory directory, string gcc, string objdump)
    {
        string compiled = directory.Write("object.o", bytes), linked = directory.File("linked");
        Assert.True(ElfReader.TryRead(bytes, "object.o", new DiagnosticBag(), out ElfFile? file));
        var stubs = new StringBuilder("int main(void) { return 0; }\n");
        foreach (ElfSymbol symbol in file!.Symbols)
        {
            if (symbol.IsUndefined && symbol.Name != ".TOC." && symbol.Name.All(c => char.IsAsciiLetterOrDigit(c) || c == '_')
                && symbol.Name is not ("memset" or "memcpy" or "memmove" or "memcmp"))
            {
                stubs.Append(System.Globalization.CultureInfo.InvariantCulture, $"unsigned long {symbol.Name}(void) {{ return 0; }}\n");
            }
        }

        File.WriteAllText(directory.File("stubs.c"), stubs.ToString());
        ToolResult link = Tools.Run(gcc, ["-w", "-fno-builtin", "-static", "-Wl,--fatal-warnings", "-o", linked, directory.File("stubs.c"), compiled]);
        if (link.ExitCode != 0)
            return "link: " + link.Error;
        string text = Tools.RunChecked(objdump, ["-d", "--section=.text", compiled]);
        string? bad = text.Split('\n').FirstOrDefault(line => line.Contains(".long", StringComparison.Ordinal) || line.Contains("(bad)", StringComparison.Ordinal));
        return bad is null ? null : "disassembly: " + bad;
    }
}
