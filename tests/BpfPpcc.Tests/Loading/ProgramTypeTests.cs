using System.Text;
using System.Text.Json;
using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using Xunit;

namespace BpfPpcc.Tests.Loading;

public sealed class ProgramTypeTests
{
    private const string Source = """
        #define SEC(n) __attribute__((section(n), used))
        extern int outside(int x) SEC(".ksyms");
        struct { int (*type)[1]; int (*max_entries)[8]; int *key; long *value; } table SEC(".maps");
        static void *(*lookup)(void *, const void *) = (void *)1;
        int counter = 3; const char text[] = "abc";
        __attribute__((noinline)) int helper(int x) { asm volatile(""); return x + text[x & 3]; }
        SEC("mystery") int first(int *c) { return helper(*c) + outside(counter); }
        SEC("mystery") int second(void *c) { return lookup(&table, c) != 0; }
        SEC("xdp") int third(void *c) { return 0; }
        char l[] SEC("license") = "GPL";
        """;

    [Fact]
    public void Types_can_be_given_for_one_program_or_for_all_that_have_none()
    {
        var diagnostics = new DiagnosticBag();
        BpfModule module = Load(diagnostics, ("first", "kprobe"), ("third", "tc"), ("", "socket"))!;
        Assert.Empty(diagnostics.Diagnostics);
        Assert.Equal(BpfProgramType.KPROBE, module.Function("first").ProgramType);
        Assert.Equal(BpfProgramType.SOCKET_FILTER, module.Function("second").ProgramType);
        Assert.Equal(BpfProgramType.SCHED_CLS, module.Function("third").ProgramType);
    }

    [Fact]
    public void Unknown_types_give_one_warning()
    {
        var diagnostics = new DiagnosticBag();
        Assert.NotNull(Load(diagnostics));
        Diagnostic warning = Assert.Single(diagnostics.Diagnostics);
        Assert.Equal((DiagnosticId.ProgramTypeUnknown, DiagnosticSeverity.Warning), (warning.Id, warning.Severity));
        Assert.Contains("'first'", warning.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("first", "nonsense")]
    [InlineData("nobody", "xdp")]
    public void Mistakes_in_types_are_errors(string function, string type)
    {
        var diagnostics = new DiagnosticBag();
        Assert.Null(Load(diagnostics, (function, type)));
        Assert.Equal(DiagnosticId.TypeOverrideUnknown, Assert.Single(diagnostics.Diagnostics).Id);
    }

    [Fact]
    public void Listings_show_programs_maps_externs_and_globals()
    {
        byte[] bytes = Toolchain.CompileBpf(Source);
        var options = new CompilerOptions { InputName = "test.o", RawContext = true };
        string text = Encoding.UTF8.GetString(Compiler.List(bytes, options, asJson: false).Output!);
        foreach (string line in new[] { "first  mystery  UNSPEC  0", "third  xdp  XDP  37", "helper  .text  global", "table  HASH  4  8  8  0x0", "outside  function", "counter  .data  4", "text  .rodata  4" })
            Assert.Contains("\n  " + line, text, StringComparison.Ordinal);

        using JsonDocument json = JsonDocument.Parse(Compiler.List(bytes, options, asJson: true).Output);
        JsonElement root = json.RootElement;
        Assert.Equal(["first", "second", "third"], root.GetProperty("programs").EnumerateArray().Select(p => p.GetProperty("name").GetString()!));
        Assert.Equal("XDP", root.GetProperty("programs")[2].GetProperty("type").GetString());
        Assert.Equal(8, root.GetProperty("maps")[0].GetProperty("max_entries").GetInt32());
        Assert.Equal("outside", root.GetProperty("externs")[0].GetProperty("name").GetString());
        Assert.Equal(["counter", "text"], root.GetProperty("globals").EnumerateArray().Select(g => g.GetProperty("name").GetString()!).Order());
        Assert.Equal("GPL", root.GetProperty("licence").GetString());
    }

    private static BpfModule? Load(DiagnosticBag diagnostics, params (string, string)[] types)
    {
        var options = new LoaderOptions { ProgramTypes = [.. types], WarnOfUnknownTypes = true };
        return ObjectLoader.Load(Toolchain.CompileBpf(Source), "test.o", options, diagnostics);
    }
}
