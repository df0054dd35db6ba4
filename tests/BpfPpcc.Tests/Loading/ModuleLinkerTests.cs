using BpfPpcc.Bpf;
using BpfPpcc.Btf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using Xunit;
using static BpfPpcc.Loading.BpfReference;

namespace BpfPpcc.Tests.Loading;

/// <summary>Objects of clang, linked: what names come to mean, what is dropped, what is refused and in which words.</summary>
public sealed class ModuleLinkerTests
{
    private const string Prologue = """
        #define SEC(n) __attribute__((section(n), used))
        #define noinline __attribute__((noinline))
        #define weak __attribute__((weak))

        """;

    private const string Program = Prologue + """
        SEC("xdp") int main_program(void *c) { return 0; }

        """;

    [Fact]
    public void Externs_become_what_another_input_defines()
    {
        const string First = Prologue + """
            extern int function(int);
            extern int variable;
            extern int nobody(int);
            int *pointer = &variable;
            SEC("xdp") int prog(void *c) { return function(variable) + *pointer + nobody(1); }
            """;
        const string Second = Prologue + """
            int before = 1;
            int variable = 2;
            static noinline int inner(int x) { asm volatile(""); return x; }
            noinline int function(int x) { return inner(x) + before; }
            """;
        BpfModule module = Link(First, Second);
        Assert.Equal("a.o+b.o", module.SourceName);
        BpfFunction prog = module.Function("prog");
        Assert.Equal(
            ["function", "nobody"],
            prog.References.Values.Select(r => r is FunctionCall call ? module.Functions[call.Function].Name : r is ExternCall ext ? ext.Name : null).OfType<string>().Order());
        BpfDataSection data = Assert.Single(module.DataSections, static section => section.Name == ".data");
        BpfVariable variable = Assert.Single(data.Variables, static variable => variable.Name == "variable");
        Assert.Contains(new DataAddress(data.Index, variable.Offset), prog.References.Values);
        BpfDataRelocation pointer = Assert.Single(data.Relocations);
        Assert.Equal(new DataAddress(data.Index, variable.Offset), pointer.Target);
        Assert.Equal(2, data.Contents[(int)variable.Offset]);
        Assert.Equal(BpfFunctionRole.Subprogram, module.Function("function").Role);
        Assert.Equal(BpfFunctionRole.Program, prog.Role);
        Assert.All(module.Functions, f => Assert.Same(f, module.Functions[f.Index]));
        Assert.All(module.DataSections, s => Assert.Same(s, module.DataSections[s.Index]));
        Assert.NotEmpty(module.Function("function").Lines);
    }

    [Fact]
    public void A_strong_definition_wins_and_the_weak_one_is_dropped()
    {
        const string Weak = Prologue + """
            weak noinline int f(int x) { asm volatile(""); return 1; }
            weak int v = 1;
            SEC("xdp") int prog(void *c) { return f(2) + v; }
            """;
        const string Strong = Prologue + """
            noinline int f(int x) { asm volatile(""); return 2; }
            int v = 2;
            """;
        foreach (string[] sources in (string[][])[[Weak, Strong], [Strong, Weak]])
        {
            BpfModule module = Link(sources);
            Assert.Equal(["f", "prog"], module.Functions.Select(static f => f.Name).Order());
            Assert.Contains(new FunctionCall(module.Function("f").Index), module.Function("prog").References.Values);
            BpfDataSection data = Assert.Single(module.DataSections);
            BpfVariable v = Assert.Single(data.Variables);
            Assert.Equal(2, data.Contents[(int)v.Offset]);
            Assert.Contains(new DataAddress(data.Index, v.Offset), module.Function("prog").References.Values);
            Assert.Equal(2, module.Function("f").Instructions[0].Imm);
        }
    }

    [Fact]
    public void An_extern_map_is_the_map_that_another_input_defines()
    {
        const string Body = "struct { int (*type)[2]; int (*max_entries)[4]; unsigned *key; long *value; } m SEC(\".maps\")";
        const string Use = "\nstatic void *(*lookup)(void *, const void *) = (void *)1; SEC(\"xdp\") int NAME(void *c) { int k = 0; return lookup(&m, &k) != 0; }";
        string first = Prologue + Body + ";" + Use.Replace("NAME", "p1", StringComparison.Ordinal);
        string second = Prologue + "extern " + Body.Replace("SEC(\".maps\")", "__attribute__((section(\".maps\")))", StringComparison.Ordinal) + ";" + Use.Replace("NAME", "p2", StringComparison.Ordinal);
        BpfModule module = Link(second, first);
        BpfMap map = Assert.Single(module.Maps);
        Assert.Contains(new MapAddress(0), module.Function("p1").References.Values);
        Assert.Contains(new MapAddress(0), module.Function("p2").References.Values);
        Assert.Equal("long", module.Btf!.NameOf(map.BtfValueType));
        Assert.Equal("unsigned int", module.Btf.NameOf(map.BtfKeyType));

        Assert.Contains("max_entries", Refuse(second.Replace("[4]", "[5]", StringComparison.Ordinal), first).Message, StringComparison.Ordinal);
        Assert.Contains("'m' is defined twice", Refuse(first, first.Replace("p1", "p3", StringComparison.Ordinal)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Licences_and_versions_agree_or_are_absent()
    {
        const string Gpl = "char L[] SEC(\"license\") = \"GPL\";";
        Assert.Equal("GPL", Link(Program, Prologue + Gpl).Licence);
        Assert.Equal("GPL", Link(Program + Gpl, Prologue + Gpl).Licence);
        Diagnostic refused = Refuse(Program + Gpl, Prologue + "char L[] SEC(\"license\") = \"MIT\";");
        Assert.Equal(DiagnosticId.LinkInputsDiffer, refused.Id);
        Assert.Contains("its licence is 'MIT', but that of a.o is 'GPL'", refused.Message, StringComparison.Ordinal);
        Assert.Equal("b.o", refused.Location!.File);
    }

    [Theory]
    [InlineData("int f(int x) { return x; }", "int f(int x) { return x + 1; }", DiagnosticId.LinkDefinedTwice, "'f' is defined twice; the other definition is in a.o, section '.text'")]
    [InlineData("int v = 1;", "int v = 2;", DiagnosticId.LinkDefinedTwice, "'v' is defined twice; the other definition is in a.o, section '.data'")]
    [InlineData("int v = 1;", "weak int v(int x) { return x; }", DiagnosticId.LinkDefinedTwice, "as a function here and as a variable there")]
    [InlineData("int f(int x) { return x; }", "extern int f(long); int g(int x) { return f(x); }", DiagnosticId.LinkTypesDiffer, "'f' is declared with another type")]
    [InlineData("int f(int x) { return x; }", "extern int f(int, int); int g(int x) { return f(x, x); }", DiagnosticId.LinkTypesDiffer, "'f' is declared with another type")]
    [InlineData("long v = 1;", "extern int v; int g(int x) { return v; }", DiagnosticId.LinkTypesDiffer, "in a.o, section '.data'")]
    [InlineData("struct s { int a; } v = { 1 };", "extern struct s { long a; } v; int g(int x) { return v.a; }", DiagnosticId.LinkTypesDiffer, "'v' is declared")]
    [InlineData("int v = 1;", "extern int v(int); int g(int x) { return v(x); }", DiagnosticId.LinkTypesDiffer, "it is a variable in a.o")]
    [InlineData("weak int f(int x) { return x; }", "int f(long x) { return x; }", DiagnosticId.LinkTypesDiffer, "'f' is declared with another type")]
    public void Conflicts_name_both_places(string first, string second, DiagnosticId id, string message)
    {
        Diagnostic diagnostic = Refuse(Program + first, Prologue + second);
        Assert.Equal(id, diagnostic.Id);
        Assert.Contains(message, diagnostic.Message, StringComparison.Ordinal);
        Assert.Contains(diagnostic.Location!.File, (string[])["a.o", "b.o"]);
        Assert.Contains(diagnostic.Location.File == "a.o" ? "b.o" : "a.o", diagnostic.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("int f(const int x) { return x; }", "typedef int number; extern number f(number); int g(int x) { return f(x); }")]
    [InlineData("int v[4] = { 1 };", "extern int v[]; int g(int x) { return v[1]; }")]
    [InlineData("struct s { int a; }; int f(struct s *p) { return p->a; }", "struct s; extern int f(struct s *); int g(struct s *p) { return f(p); }")]
    [InlineData("static int v = 1; int h(int x) { v += x; return v; }", "int v = 5; int g(int x) { return v; }")]
    public void Declarations_agree_as_C_has_it(string first, string second)
    {
        BpfModule module = Link(Program + first, Prologue + second);
        Assert.NotNull(module.Btf);
    }

    [Fact]
    public void Objects_without_programs_do_not_link()
    {
        Diagnostic diagnostic = Refuse(Prologue + "int v = 1;", Prologue + "int w = 1;");
        Assert.Equal(DiagnosticId.NoPrograms, diagnostic.Id);
    }

    [Fact]
    public void Objects_without_types_link_as_well()
    {
        const string First = Prologue + "extern int f(int); extern int v; SEC(\"xdp\") int prog(void *c) { return f(v); }";
        const string Second = Prologue + "int v = 3; noinline int f(int x) { asm volatile(\"\"); return x; }";
        BpfModule module = Link([Load("a.o", First, "-g0"), Load("b.o", Second, "-g0")]);
        Assert.Null(module.Btf);
        Assert.Contains(new FunctionCall(module.Function("f").Index), module.Function("prog").References.Values);

        BpfModule half = Link([Load("a.o", First), Load("b.o", Second, "-g0")]);
        Assert.NotNull(half.Btf);
        Assert.Contains(new FunctionCall(half.Function("f").Index), half.Function("prog").References.Values);
    }

    [Fact]
    public void Records_of_both_inputs_point_at_their_functions()
    {
        const string First = Prologue + "weak noinline int f(int x) { asm volatile(\"\"); return x; } SEC(\"xdp\") int p1(void *c) { return f(1); }";
        const string Second = Prologue + "noinline int f(int x) { asm volatile(\"\"); return x + 1; } SEC(\"xdp\") int p2(void *c) { return f(2); }";
        BpfModule module = Link(First, Second);
        var diagnostics = new DiagnosticBag();
        BtfExt ext = BtfExt.Parse(module.RawBtfExt.AsSpan(), bigEndian: false, module.Btf!, "linked", diagnostics)!;
        Assert.Equal(["p1", "p2"], ext.Functions["xdp"].Select(record => module.Btf!.NameOf(record.Type)));
        int p1Size = module.Function("p1").Instructions.Length * BpfInstruction.Size;
        Assert.Equal([0u, (uint)p1Size], ext.Functions["xdp"].Select(static record => record.InstructionOffset));
        Assert.Equal(["f", "f"], ext.Functions[".text"].Select(record => module.Btf!.NameOf(record.Type)));
        Assert.Single(module.Btf!.FindAll("f"));
        Assert.All(ext.Lines["xdp"], record => Assert.EndsWith("test.c", module.Btf!.TryGetString(record.FileName), StringComparison.Ordinal));
    }

    [Fact]
    public void Extern_maps_of_the_command_line_are_maps_of_the_result()
    {
        const string Map = "struct { int (*type)[2]; int (*max_entries)[4]; unsigned *key; long *value; } m SEC(\".maps\");";
        BpfModule[] modules = [Load("a.o", Program), Load("b.o", Prologue + Map)];
        var diagnostics = new DiagnosticBag();
        Assert.True(ModuleLinker.Link(modules, ["m"], diagnostics)!.Map("m").IsExtern);
        Assert.Null(ModuleLinker.Link(modules, ["n"], diagnostics));
        Assert.Equal(DiagnosticId.ExternMapUnknown, Assert.Single(diagnostics.Diagnostics).Id);
    }

    [Fact]
    public void Whatever_loads_links_or_is_refused()
    {
        const string First = Prologue + "struct n { struct n *next; struct o *o; int v[3]; }; extern int f(struct n *); extern int v; weak int w = 1; int *p = &v;"
            + "struct { int (*type)[2]; int (*max_entries)[4]; unsigned *key; long *value; } m SEC(\".maps\");"
            + "SEC(\"xdp\") int prog(struct n *c) { return f(c) + v + w + (long)&m; } char L[] SEC(\"license\") = \"GPL\";";
        const string Second = Prologue + "struct o { int x; }; struct n { struct n *next; struct o *o; int v[3]; }; int v = 2; weak int w = 5; extern int *p;"
            + "static noinline int g(int x) { asm volatile(\"\"); return x; } noinline int f(struct n *n) { return g(n->v[1]) + *p + w + n->o->x; } char L[] SEC(\"license\") = \"GPL\";";
        byte[][] originals = [Toolchain.CompileBpf(First), Toolchain.CompileBpf(Second)];
        var random = new Random(1);
        int linked = 0, refused = 0;
        for (int round = 0; round < 3000; round++)
        {
            var modules = new List<BpfModule>();
            var diagnostics = new DiagnosticBag();
            foreach (byte[] original in originals)
            {
                byte[] mutated = [.. original];
                for (int i = random.Next(4); i > 0; i--)
                    mutated[random.Next(mutated.Length)] = (byte)(random.Next(2) == 0 ? random.Next(256) : random.Next(16));
                if (ObjectLoader.Load(mutated, "m.o", new LoaderOptions { IsPart = true }, diagnostics) is { } module)
                    modules.Add(module);
            }

            if (modules.Count != 2)
                continue;
            var errors = new DiagnosticBag();
            bool ok = ModuleLinker.Link(modules, errors) is not null;
            Assert.Equal(ok, !errors.HasErrors);
            linked += ok ? 1 : 0;
            refused += ok ? 0 : 1;
        }

        Assert.True(linked > 100 && refused > 0, $"{linked} linked, {refused} refused");
    }

    private static BpfModule Link(params string[] sources) => Link(LoadAll(sources));

    private static BpfModule Link(BpfModule[] modules)
    {
        var diagnostics = new DiagnosticBag();
        BpfModule? module = ModuleLinker.Link(modules, diagnostics);
        Assert.True(module is not null, string.Join("\n", diagnostics.Diagnostics.Select(static d => d.Message)));
        Assert.Empty(diagnostics.Diagnostics);
        return module;
    }

    private static Diagnostic Refuse(params string[] sources)
    {
        var diagnostics = new DiagnosticBag();
        Assert.Null(ModuleLinker.Link(LoadAll(sources), diagnostics));
        return diagnostics.Diagnostics[0];
    }

    private static BpfModule[] LoadAll(string[] sources) => [.. sources.Select(static (source, i) => Load((char)('a' + i) + ".o", source))];

    private static BpfModule Load(string name, string source, params string[] flags)
    {
        var diagnostics = new DiagnosticBag();
        BpfModule? module = ObjectLoader.Load(Toolchain.CompileBpf(source, "v3", flags), name, new LoaderOptions { IsPart = true }, diagnostics);
        Assert.True(module is not null, string.Join("\n", diagnostics.Diagnostics.Select(static d => d.Message)));
        return module;
    }
}
