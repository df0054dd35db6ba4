using System.Globalization;
using System.Text;
using BpfPpcc.Diagnostics;
using BpfPpcc.Tests.Execution;
using Xunit;

namespace BpfPpcc.Tests.CommandLine;

/// <summary>
/// docs/diagnostics.md shows what the tool prints for the programs in examples/diagnostics: compiled by clang, refused by the tool, and
/// accepted once corrected. With BPFPPCC_BLESS=1 the outputs are written into the document.
/// </summary>
public sealed class DiagnosticsDocumentTests
{
    private const string Prompt = "$ bpfppcc ";

    private static readonly string Document = Path.Combine(TestPaths.ProjectRoot, "docs", "diagnostics.md");
    private static readonly string Examples = Path.Combine(TestPaths.ProjectRoot, "examples", "diagnostics");
    private static readonly string Command = Path.ChangeExtension(typeof(Compiler).Assembly.Location, null);

    [Fact]
    public void Outputs_are_those_of_the_tool()
    {
        using var folder = new TestFolder();
        foreach (string source in Directory.GetFiles(Examples, "*.bpf.c"))
            Compile(source, folder.File(Path.ChangeExtension(Path.GetFileName(source), ".o")));
        string expected = File.ReadAllText(Document).ReplaceLineEndings("\n");
        string actual = WithOutputs(expected, folder);
        if (Environment.GetEnvironmentVariable("BPFPPCC_BLESS") == "1")
            File.WriteAllText(Document, actual);
        else
            Assert.Equal(expected, actual);
    }

    [Fact]
    public void Every_example_is_in_the_document_and_is_accepted_once_corrected()
    {
        using var folder = new TestFolder();
        string document = File.ReadAllText(Document);
        foreach (string source in Directory.GetFiles(Examples, "*.bpf.c"))
        {
            string name = Path.GetFileName(source);
            Assert.Contains($"../examples/diagnostics/{name}", document, StringComparison.Ordinal);
            string output = folder.File(name + ".o");
            Compile(source, output, "-DFIXED");
            ToolResult result = Tools.Run(Command, ["--verify-only", "--strict=stack", output]);
            Assert.True(result.ExitCode == 0, $"{name}: {result.Error}");
        }
    }

    [Fact]
    public void Every_code_of_the_verifier_is_in_the_table()
    {
        string document = File.ReadAllText(Document);
        foreach (DiagnosticId id in Enum.GetValues<DiagnosticId>().Where(static id => (int)id is >= 2000 and < 3000))
            Assert.Contains(string.Create(CultureInfo.InvariantCulture, $"\n| BPF{(int)id:D4} | "), document, StringComparison.Ordinal);
    }

    /// <summary>The document with what each command prints now.</summary>
    private static string WithOutputs(string document, TestFolder folder)
    {
        var text = new StringBuilder();
        bool isInOutput = false;
        foreach (string line in document.Split('\n'))
        {
            if (line.StartsWith(Prompt, StringComparison.Ordinal))
            {
                text.Append(line).Append('\n').Append(OutputOf(line[Prompt.Length..], folder.Path));
                isInOutput = true;
            }
            else if (!isInOutput || line == "```")
            {
                text.Append(line).Append('\n');
                isInOutput = false;
            }
        }

        return text.ToString(0, text.Length - 1);
    }

    private static string OutputOf(string arguments, string folder)
    {
        ToolResult result = Tools.Run(Command, arguments.Split(' '), workingDirectory: folder);
        Assert.True(result.ExitCode == 1, $"{arguments}: exit code {result.ExitCode}");
        Assert.Equal("", result.Output);
        return result.Error;
    }

    private static void Compile(string source, string output, params string[] flags)
    {
        string[] arguments =
        [
            "-O2", "-g", "-target", "bpf", "-mcpu=v3", "-Wall", "-Werror", "-fdebug-compilation-dir=.", .. SystemHeaders, .. flags,
            "-c", Path.GetFileName(source), "-o", output,
        ];
        if (!File.Exists("/usr/include/bpf/bpf_helpers.h"))
            Tools.Missing("libbpf's headers are not installed");
        Tools.RunChecked(Tools.Require("clang"), arguments, workingDirectory: Path.GetDirectoryName(source));
    }

    /// <summary>Where asm/types.h is.</summary>
    private static string[] SystemHeaders => [.. Directory.GetDirectories("/usr/include", "*-linux-gnu").Select(static folder => "-I" + folder)];

    private sealed class TestFolder : IDisposable
    {
        private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("bpfppcc-diagnostics-");

        public string Path => _folder.FullName;

        public string File(string name) => System.IO.Path.Combine(Path, name);

        public void Dispose() => _folder.Delete(recursive: true);
    }
}
