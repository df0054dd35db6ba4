using BpfPpcc.Tests.Execution;
using Xunit;

namespace BpfPpcc.Tests.CommandLine;

/// <summary>The command as a build script sees it: exit codes, one clear message, and output files that are whole or untouched.</summary>
public sealed class CommandTests : IDisposable
{
    private static readonly string Tiny = Path.Combine(TestPaths.ProjectRoot, "examples", "tiny", "tiny.bpf.o");
    private static readonly string Command = Path.ChangeExtension(typeof(Compiler).Assembly.Location, null);

    private readonly string _folder = Directory.CreateTempSubdirectory("bpfppcc-command-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("", "no input file")]
    [InlineData("--frobnicate", "unknown option '--frobnicate'")]
    [InlineData("-x prog.o", "unknown option '-x'")]
    [InlineData("- -", "standard input can be read once only")]
    [InlineData("-O3 a.o", "'3' is no value of -O")]
    [InlineData("-mcpu=power7 a.o", "'power7' is no value of -mcpu")]
    [InlineData("--ctx=linux a.o", "'linux' is no value of --ctx")]
    [InlineData("a.o -o", "-o")]
    [InlineData("--dump=nothing a.o", "unknown pass 'nothing'")]
    [InlineData("--rename-symbol=a a.o", "--rename-symbol takes OLD=NEW")]
    public void Usage_errors_exit_with_2(string arguments, string message)
    {
        ToolResult result = Run(arguments);
        Assert.Equal(2, result.ExitCode);
        Assert.StartsWith("bpfppcc: error: ", result.Error, StringComparison.Ordinal);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
        Assert.Single(result.Error.Split('\n'), static line => line.Contains("error:", StringComparison.Ordinal));
        Assert.Equal("", result.Output);
    }

    [Fact]
    public void Bad_files_exit_with_1_and_leave_the_output_as_it_was()
    {
        byte[] good = File.ReadAllBytes(Tiny);
        (string Name, byte[] Contents, string Message)[] inputs =
        [
            ("empty.o", [], "empty"),
            ("text.o", "int main;"u8.ToArray(), "not an ELF file"),
            ("cut.o", good[..(good.Length / 2)], "end of the file"),
            ("header.o", good[..40], "cut off"),
            ("x86.o", [.. good[..18], 62, 0, .. good[20..]], "not a BPF object"),
            ("narrow.o", [.. good[..4], 1, .. good[5..]], "not a 64-bit ELF file"),
        ];
        string output = Path.Combine(_folder, "out.o");
        File.WriteAllText(output, "precious");
        foreach ((string name, byte[] contents, string message) in inputs)
        {
            string input = Path.Combine(_folder, name);
            File.WriteAllBytes(input, contents);
            ToolResult result = Run("--no-verify", input, "-o", output);
            Assert.True(result.ExitCode == 1, $"{name}: exit {result.ExitCode}\n{result.Error}");
            Assert.Contains(message, result.Error, StringComparison.Ordinal);
            Assert.StartsWith(input + ": error: ", result.Error, StringComparison.Ordinal);
            Assert.Single(result.Error.Split('\n'), static line => line.Contains("error:", StringComparison.Ordinal));
            Assert.Equal("precious", File.ReadAllText(output));
        }

        Assert.Equal(1, Run(Path.Combine(_folder, "missing.o"), "-o", output).ExitCode);
        Assert.Equal(1, Run(_folder, "-o", output).ExitCode);
        Assert.Equal(1, Run("--no-verify", Tiny, "-o", Path.Combine(_folder, "no", "such", "folder.o")).ExitCode);
        Assert.Equal("precious", File.ReadAllText(output));
        Assert.Empty(Directory.GetFiles(_folder, "*.tmp"));
    }

    [Fact]
    public void Output_goes_beside_the_input_unless_told_otherwise()
    {
        string input = Path.Combine(_folder, "filter.bpf.o");
        File.Copy(Tiny, input);
        Assert.Equal(0, Run("--no-verify", input).ExitCode);
        Assert.True(File.Exists(Path.Combine(_folder, "filter.bpf.ppc.o")));
        Assert.Equal(0, Run("--no-verify", "-S", input).ExitCode);
        Assert.Contains("only_ip:", File.ReadAllText(Path.Combine(_folder, "filter.bpf.ppc.s")), StringComparison.Ordinal);
        ToolResult text = Run("--no-verify", "-S", input, "-o", "-");
        Assert.Equal(File.ReadAllText(Path.Combine(_folder, "filter.bpf.ppc.s")), text.Output);
        Assert.Equal(0, Run("--no-verify", input, "-o", "/dev/null").ExitCode);
    }

    [Fact]
    public void The_last_of_a_repeated_option_counts()
    {
        string first = Path.Combine(_folder, "first.o"), last = Path.Combine(_folder, "last.o");
        Assert.Equal(0, Run("--no-verify", "-O0", "-O2", "-S", "-S", "-o", first, Tiny, "-o", last).ExitCode);
        Assert.False(File.Exists(first));
        Assert.True(File.Exists(last));
    }

    [Fact]
    public void Names_behind_a_double_dash_are_files()
    {
        File.Copy(Tiny, Path.Combine(_folder, "-odd.o"));
        ToolResult result = Tools.Run(Command, ["--no-verify", "--", "-odd.o"], workingDirectory: _folder);
        Assert.True(result.ExitCode == 0, result.Error);
        Assert.True(File.Exists(Path.Combine(_folder, "-odd.ppc.o")));
    }

    [Fact]
    public void Without_no_verify_and_a_proof_there_is_one_warning_at_most()
    {
        ToolResult result = Run(Tiny, "-o", Path.Combine(_folder, "tiny.o"));
        Assert.Equal(0, result.ExitCode);
        Assert.True(result.Error.Split('\n').Count(static line => line.Contains("warning:", StringComparison.Ordinal)) <= 1, result.Error);
        Assert.Equal("", Run("--no-verify", Tiny, "-o", Path.Combine(_folder, "tiny.o")).Error);
    }

    [Fact]
    public void Dumps_show_every_form_of_one_function()
    {
        ToolResult result = Run("--no-verify", "--dump=all", "--dump-function=only_ip", "--time-passes", Tiny, "-o", Path.Combine(_folder, "tiny.o"));
        Assert.Equal(0, result.ExitCode);
        foreach (string pass in Pipeline.PassNames.Except(["object"]))
            Assert.Contains($"== {pass}: only_ip\n", result.Output, StringComparison.Ordinal);
        Assert.Contains("total", result.Error, StringComparison.Ordinal);
        Assert.Equal("", Run("--no-verify", "--dump=all", "--dump-function=nobody", Tiny, "-o", Path.Combine(_folder, "tiny.o")).Output);
    }

    [Fact]
    public void The_runtime_is_written_without_an_input()
    {
        string folder = Path.Combine(_folder, "runtime");
        Assert.Equal(0, Run("--emit-runtime", folder).ExitCode);
        Assert.True(File.Exists(Path.Combine(folder, "bpfppcc.h")));
        Assert.Equal(2, Run("--emit-runtime", folder, Tiny).ExitCode);
        Assert.Equal(1, Run("--emit-runtime", Tiny).ExitCode);
    }

    [Fact]
    public void Help_and_version_go_to_standard_output()
    {
        ToolResult help = Run("--help");
        Assert.Equal((0, ""), (help.ExitCode, help.Error));
        foreach (string option in (string[])["-o", "-mcpu", "-O", "-S", "--no-verify", "--ctx", "--symbol-prefix", "--rename-symbol", "--dump", "--dump-function", "--time-passes", "--version"])
            Assert.Contains(option, help.Output, StringComparison.Ordinal);
        Assert.Equal($"bpfppcc {Compiler.Version}\n", Run("--version").Output);
        Assert.Equal(Compiler.Version, typeof(Compiler).Assembly.GetName().Version!.ToString(3));
    }

    [Fact]
    public void Every_option_stands_in_the_readme()
    {
        string readme = File.ReadAllText(Path.Combine(TestPaths.ProjectRoot, "README.md"));
        string[] options =
        [
            .. Run("--help").Output.Split('\n').Where(static line => line.StartsWith("  -", StringComparison.Ordinal))
                .Select(static line => line.Trim().Split([' ', ',', '<'])[0]),
        ];
        Assert.True(options.Length > 20);
        foreach (string option in options)
            Assert.True(readme.Contains("| `" + option, StringComparison.Ordinal) || readme.Contains(", `" + option, StringComparison.Ordinal), option);
    }

    private static ToolResult Run(string arguments) => Run(arguments.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    private static ToolResult Run(params string[] arguments) => Tools.Run(Command, arguments);
}
