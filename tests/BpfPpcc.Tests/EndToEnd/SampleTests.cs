using System.Text;
using BpfPpcc.Diagnostics;
using BpfPpcc.Elf;
using BpfPpcc.Tests.Loading;
using Xunit;

namespace BpfPpcc.Tests.EndToEnd;

/// <summary>Real objects through the whole compiler and a linker: everything undefined gets a stub, and the code disassembles cleanly.</summary>
public sealed class SampleTests(ITestOutputHelper output)
{
    /// <summary>
    /// Objects that do not compile: some of their programs are wrong on purpose (Linux refuses them too), or the file itself is damaged.
    /// </summary>
    private static readonly Dictionary<string, DiagnosticId> Refused = new()
    {
        ["invalid/806cc077e56f0ec32236c99055714f63649e7a38"] = DiagnosticId.ElfTruncated,
        ["invalid/af99e766f6ba44fd7f2135c3e325c817224b99a3"] = DiagnosticId.ElfMalformed,
        ["invalid/badsymsize.o"] = DiagnosticId.ElfMalformed,
        ["invalid/c049438cf649269921736e7306231385350dea58"] = DiagnosticId.ElfMalformed,
        ["invalid/invalid-lddw.o"] = DiagnosticId.ReservedFieldUsed,
        ["selftests-6.12/verifier_arena_large.o"] = DiagnosticId.ArenaUnsupported,
        ["selftests-6.12/verifier_basic_stack.o"] = DiagnosticId.StackAboveFrame,
        ["selftests-6.12/verifier_cfg.o"] = DiagnosticId.JumpOutOfRange,
        ["selftests-6.12/verifier_cgroup_storage.o"] = DiagnosticId.ReferenceUnresolved,
        ["selftests-6.12/verifier_loops1.o"] = DiagnosticId.RecursiveCall,
        ["selftests-6.12/verifier_movsx.o"] = DiagnosticId.FramePointerWritten,
        ["selftests-6.12/verifier_uninit.o"] = DiagnosticId.InvalidRegister,
        ["selftests-6.12/verifier_unpriv.o"] = DiagnosticId.FramePointerWritten,
        ["selftests-6.12/verifier_value_or_null.o"] = DiagnosticId.FramePointerWritten,
    };

    /// <summary>Objects with a program that uses a packet pointer field of its context in a way that cannot be redirected, on purpose.</summary>
    private static readonly HashSet<string> RawContextOnly =
        ["invalid/662b334a22904023c13f11008e072076a4f4d215", "selftests-6.12/verifier_ldsx.o", "selftests-6.12/verifier_var_off.o"];

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
        foreach (string path in Directory.EnumerateFiles(root, "*", SearchOption.AllDirectories).Order())
        {
            if (!path.EndsWith(".o", StringComparison.Ordinal) && !path.Contains("invalid", StringComparison.Ordinal))
                continue;
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
                string refusal = $"{name}: {error.Id}: {error.Location?.Function}: {error.Message}";
                output.WriteLine(refusal);
                if (!Refused.TryGetValue(name, out DiagnosticId expected) || expected != error.Id)
                    failures.Add(refusal);
                continue;
            }

            if (LinkAndDisassemble(result.Output, directory, gcc, objdump) is string fault)
                failures.Add($"{name}: {fault}");
            else
                linked++;
        }

        output.WriteLine($"{folder}: {linked} of {total} objects compile, link and disassemble");
        Assert.True(failures.Count == 0, string.Join("\n", failures));
        Assert.All(raw, name => Assert.Contains(name, RawContextOnly));
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
