using System.Text.Json;
using BpfPpcc.CommandLine;
using Xunit;
using Toolchain = BpfPpcc.Tests.Loading.Toolchain;

namespace BpfPpcc.Tests.CommandLine;

/// <summary>Verification as the command offers it: alone, with a report, a log and limits, for programs of Linux and of other hosts.</summary>
public sealed class VerifyOptionTests : IDisposable
{
    private const string Programs =
        """
        #define SEC(name) __attribute__((section(name), used))
        struct xdp_md { unsigned data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex; };
        SEC("xdp") int good(struct xdp_md *ctx) { return ctx->rx_queue_index == 3; }
        SEC("xdp") int bad(struct xdp_md *ctx) { return *(unsigned char *)(long)ctx->data; }
        SEC("xdp") int worse(struct xdp_md *ctx) { return ((int (*)(void))(void *)26)(); }
        SEC("xdp") int last(struct xdp_md *ctx)
        {
            unsigned sum = 0, rounds = ctx->rx_queue_index & 127;
            for (unsigned i = 0; i < rounds; i++)
                sum = sum * 3 + (sum >> 2) + ctx->rx_queue_index;
            return sum;
        }
        char _license[] SEC("license") = "GPL";
        """;

    private const string HostPrograms =
        """
        struct packet { unsigned length; unsigned char data[60]; };
        static long (*host_lookup)(const void *key, unsigned length) = (void *)1000;
        static void *(*host_table)(struct packet *packet) = (void *)1;
        int good(struct packet *p)
        {
            unsigned char key[8];
            __builtin_memcpy(key, p->data, 8);
            unsigned char *row = host_table(p);
            return row ? row[31] + host_lookup(key, 8) : 0;
        }
        int far(struct packet *p) { return p->data[61]; }
        int wide(struct packet *p) { unsigned char *row = host_table(p); return row ? row[32] : 0; }
        int size(struct packet *p) { return host_lookup(p, 65); }
        """;

    private const string Declarations =
        """
        // The helpers of this host.
        static long (*host_lookup)(const void *key __size(length), unsigned length) = (void *)1000;
        void *host_table(struct packet *packet __ctx) __size(32) = 1;
        """;

    private static readonly string Command = Path.ChangeExtension(typeof(Compiler).Assembly.Location, null);

    private readonly string _folder = Directory.CreateTempSubdirectory("bpfppcc-verify-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Options_are_read()
    {
        CommandLineArguments arguments = Parse(
            "a.o", "--verify-only", "--report=r.json", "--verify-budget", "500", "--verify-log=log", "--strict=stack,alignment", "--ctx-size=64", "--helpers", "h.h");
        Assert.True(arguments.VerifyOnly);
        Assert.Equal(("r.json", 500, "log", 64, "h.h"), (arguments.Report, arguments.VerifyBudget, arguments.VerifyLog, arguments.ContextSize, arguments.Helpers));
        Assert.Equal((true, true), (arguments.StrictStack, arguments.StrictAlignment));
        CommandLineArguments defaults = Parse("a.o", "--verify-log");
        Assert.Equal((false, null, null, CommandLineArguments.StandardError), (defaults.VerifyOnly, defaults.VerifyBudget, defaults.ContextSize, defaults.VerifyLog));
    }

    [Theory]
    [InlineData("--report=x a.o", "--report goes with --verify-only")]
    [InlineData("--verify-only --no-verify a.o", "exclude each other")]
    [InlineData("--verify-only -o x a.o", "takes neither -o nor -S")]
    [InlineData("--verify-only --list a.o", "exclude each other")]
    [InlineData("--verify-budget=0 a.o", "it takes a number from 1")]
    [InlineData("--verify-budget=many a.o", "'many' is no value of --verify-budget")]
    [InlineData("--ctx-size=-1 a.o", "'-1' is no value of --ctx-size")]
    [InlineData("--strict=all a.o", "'all' is no value of --strict")]
    public void Nonsense_is_a_usage_error(string arguments, string message)
    {
        var request = Assert.IsType<CommandLineRequest.UsageError>(new CommandLineParser([]).Parse(arguments.Split(' ')));
        Assert.Contains(message, request.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_report_has_every_program_of_every_object_in_input_order()
    {
        string programs = Object("programs.o", Programs), damaged = Path.Combine(_folder, "damaged.o"), missing = Path.Combine(_folder, "missing.o");
        File.WriteAllText(damaged, "no object");
        ToolResult result = Tools.Run(Command, ["--verify-only", "--report=-", damaged, programs, missing, programs]);
        Assert.Equal(1, result.ExitCode);
        using JsonDocument report = JsonDocument.Parse(result.Output);
        JsonElement[] rows = [.. report.RootElement.GetProperty("programs").EnumerateArray()];
        Assert.Equal(
            [
                (damaged, "", "error"), (programs, "good", "accept"), (programs, "bad", "reject"), (programs, "worse", "reject"), (programs, "last", "accept"),
                (missing, "", "error"), (programs, "good", "accept"), (programs, "bad", "reject"), (programs, "worse", "reject"), (programs, "last", "accept"),
            ],
            rows.Select(static row => (Text(row, "object"), Text(row, "name"), Text(row, "verdict"))));
        Assert.Equal(("xdp", "XDP", "BPF2010", 4), (Text(rows[2], "section"), Text(rows[2], "type"), Text(rows[2], "code"), rows[2].GetProperty("line").GetInt32()));
        Assert.Contains("end of the packet", Text(rows[2], "text"), StringComparison.Ordinal);
        Assert.EndsWith("test.c", Text(rows[2], "file"), StringComparison.Ordinal);
        Assert.True(rows[4].GetProperty("insns_walked").GetInt32() > 400);
        Assert.Equal(
            ["object", "section", "name", "type", "verdict", "code", "text", "file", "line", "column", "insns_walked", "states", "seconds"],
            rows[0].EnumerateObject().Select(static property => property.Name));
    }

    [Fact]
    public void All_programs_that_are_refused_are_told_and_nothing_is_written()
    {
        string programs = Object("programs.o", Programs), output = Path.Combine(_folder, "out.o"), report = Path.Combine(_folder, "report.json");
        ToolResult result = Tools.Run(Command, [programs, "-o", output]);
        Assert.Equal((1, false), (result.ExitCode, File.Exists(output)));
        Assert.Equal(2, result.Error.Split('\n').Count(static line => line.Contains(": error: ", StringComparison.Ordinal)));
        Assert.Equal(1, Tools.Run(Command, ["--verify-only", "--report", report, programs]).ExitCode);
        Assert.Contains("\"verdict\": \"accept\"", File.ReadAllText(report), StringComparison.Ordinal);
    }

    [Fact]
    public void The_budget_ends_a_walk_and_the_log_shows_it()
    {
        string programs = Object("programs.o", Programs.Replace("*(unsigned char *)(long)ctx->data", "1", StringComparison.Ordinal)
            .Replace("((int (*)(void))(void *)26)()", "2", StringComparison.Ordinal));
        Assert.Equal(0, Tools.Run(Command, ["--verify-only", programs]).ExitCode);
        string log = Path.Combine(_folder, "log");
        ToolResult result = Tools.Run(Command, ["--verify-only", "--verify-budget=200", "--verify-log=" + log, programs]);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("[BPF2000]", result.Error, StringComparison.Ordinal);
        string text = File.ReadAllText(log);
        Assert.Contains("R1=ctx() R10=fp0", text, StringComparison.Ordinal);
        Assert.Contains("; SEC(\"xdp\") int good", text, StringComparison.Ordinal);
        Assert.Contains("processed 201 insns (limit 200)", text, StringComparison.Ordinal);
        Assert.Contains("R1=ctx() R10=fp0", Tools.Run(Command, ["--verify-only", "--verify-log", programs]).Error, StringComparison.Ordinal);
        Assert.Contains("R1=ctx() R10=fp0", Tools.Run(Command, ["--verify-only", "--verify-log=-", programs]).Output, StringComparison.Ordinal);
        Assert.Equal(1, Tools.Run(Command, ["--verify-only", "--verify-log=/no/such/folder/log", programs]).ExitCode);
    }

    [Fact]
    public void Programs_of_other_hosts_are_verified_against_their_prototypes_and_helpers()
    {
        string programs = Object("host.o", HostPrograms), declarations = Path.Combine(_folder, "host.h");
        File.WriteAllText(declarations, Declarations);
        ToolResult result = Tools.Run(Command, ["--verify-only", "--report=-", "--helpers=" + declarations, programs]);
        using JsonDocument report = JsonDocument.Parse(result.Output);
        Assert.Equal(
            [("good", "accept", ""), ("far", "reject", "BPF2012"), ("wide", "reject", "BPF2012"), ("size", "reject", "BPF2012")],
            report.RootElement.GetProperty("programs").EnumerateArray().Select(static row => (Text(row, "name"), Text(row, "verdict"), Text(row, "code"))));
        ToolResult undeclared = Tools.Run(Command, ["--verify-only", programs]);
        Assert.Contains("--helpers=FILE", undeclared.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_size_of_the_context_can_be_given()
    {
        string programs = Object("context.o", "int f(void *ctx) { return ((unsigned char *)ctx)[63]; }");
        Assert.Equal(0, Tools.Run(Command, ["--verify-only", "--ctx-size=64", programs]).ExitCode);
        ToolResult small = Tools.Run(Command, ["--verify-only", "--ctx-size=63", programs]);
        Assert.Equal(1, small.ExitCode);
        Assert.Contains("of the context, which has 63 bytes", small.Error, StringComparison.Ordinal);
        Assert.Contains("--ctx-size", Tools.Run(Command, ["--verify-only", programs]).Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Helpers_of_the_host_are_called_by_their_names()
    {
        string programs = Object("host.o", HostPrograms), declarations = Path.Combine(_folder, "host.h"), output = Path.Combine(_folder, "out.s");
        File.WriteAllText(declarations, Declarations);
        ToolResult result = Tools.Run(Command, ["--no-verify", "-S", "--helpers=" + declarations, programs, "-o", output]);
        Assert.True(result.ExitCode == 0, result.Error);
        string text = File.ReadAllText(output);
        Assert.Contains("bl bpf_helper_host_lookup", text, StringComparison.Ordinal);
        Assert.Contains("bl bpf_helper_host_table", text, StringComparison.Ordinal);
        Assert.DoesNotContain("bpf_helper_map_lookup_elem", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_mistake_in_the_declarations_is_shown_where_it_is()
    {
        string programs = Object("host.o", HostPrograms), declarations = Path.Combine(_folder, "host.h");
        File.WriteAllText(declarations, "// comment\nlong f(int a,\n       void *b) = 3;\n");
        ToolResult result = Tools.Run(Command, ["--verify-only", "--helpers=" + declarations, programs, "--report=-"]);
        Assert.Equal(1, result.ExitCode);
        Assert.StartsWith(declarations + ":3:8: error: ", result.Error, StringComparison.Ordinal);
        Assert.Contains("\"verdict\": \"error\"", result.Output, StringComparison.Ordinal);
    }

    private string Object(string name, string source)
    {
        Toolchain.SkipWithout("clang");
        string path = Path.Combine(_folder, name);
        File.WriteAllBytes(path, Toolchain.CompileBpf(source));
        return path;
    }

    private static string Text(JsonElement row, string property) => row.GetProperty(property).GetString()!;

    private static CommandLineArguments Parse(params string[] args) =>
        Assert.IsType<CommandLineRequest.Compile>(new CommandLineParser([]).Parse(args)).Arguments;
}
