using System.Buffers.Binary;
using System.Text;
using BpfPpcc.Bpf;
using BpfPpcc.Btf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using Xunit;

namespace BpfPpcc.Tests.Loading;

public sealed class CoreRelocationTests(ITestOutputHelper output)
{
    private const string Prologue = """
        #define SEC(n) __attribute__((section(n), used))
        #define core __attribute__((preserve_access_index))

        """;

    /// <summary>By program of Core/program.bpf.c: the offset, immediate or 64-bit immediate of its first instruction; "poison" if it has none.</summary>
    private const string Expected = """
        offset_same 8, offset_wider 16, offset_narrower 24, offset_signed_wider poison, offset_nested 96, offset_array 76, offset_beyond poison,
        offset_pointer 104, offset_deep 112, offset_gone poison, offset_flavor 8, offset_flavor_gone poison, offset_union 0,
        offset_union_nested 4, offset_typedef 12, offset_missing poison, offset_flexible 172, offset_root 7, offset_text 128,
        number_offset 112, number_offset_bits 112, number_offset_long_bits 112, number_size 8, number_size_array 48, number_size_element 16,
        number_size_bits 4, number_exists 1, number_exists_not 0, number_exists_kind 1, number_exists_missing 0, number_exists_beyond 0,
        number_signed 1, number_signed_bits 1, number_unsigned 0, number_left_shift 44, number_left_shift_long 4, number_right_shift 57,
        number_right_shift_long 24, number_right_shift_whole 48, number_target_id_missing 0, number_type_exists 1, number_type_exists_not 0,
        number_type_exists_kind 0, number_type_exists_typedef 1, number_type_size 16, number_type_size_missing 0, number_type_size_typedef 16,
        number_matches 1, number_matches_not 0, number_matches_enum 1, number_matches_enum_not 0, number_enum 70000, number_enum_flavor 7,
        number_enum_gone poison, number_enum_negative 18446744073709551611, number_enum_wide 8070450532247928832, number_enum_exists 1,
        number_enum_exists_not 0, number_enum_exists_missing 0
        """;

    [Fact]
    public void All_kinds_give_the_values_of_the_target()
    {
        BtfTypes target = Types(CompileFile("target.c"));
        BpfModule module = Load(CompileFile("program.bpf.c"), target);
        foreach (string line in Expected.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            string[] words = line.Split(' ');
            Assert.Equal(line, $"{words[0]} {FirstValue(module.Function(words[0]))}");
        }

        Assert.Equal(target.Find("record", BtfKind.STRUCT).ToString(), FirstValue(module.Function("number_target_id")));
        Assert.Equal(module.Btf!.Find("record", BtfKind.STRUCT).ToString(), FirstValue(module.Function("number_local_id")));
        Assert.Equal(8, module.Function("offset_wider").Instructions[0].MemoryBytes);
        Assert.Equal(2, module.Function("offset_narrower").Instructions[0].MemoryBytes);
    }

    [Theory]
    [InlineData("v1")]
    [InlineData("v2")]
    [InlineData("v3")]
    [InlineData("v4")]
    public void All_kinds_give_the_values_of_libbpf(string cpu)
    {
        CoreOracle.Require();
        using var directory = new TemporaryDirectory();
        byte[] target = CompileFile("target.c"), program = CompileFile("program.bpf.c", cpu);
        int sites = CoreOracle.Compare(program, directory.Write("program.o", program), directory.Write("target.o", target), Types(target));
        Assert.True(sites >= 70, $"{sites} sites");
    }

    [Theory]
    [InlineData("samples")]
    [InlineData("verifier")]
    public void Objects_of_the_corpus_give_the_values_of_libbpf(string folder)
    {
        string targetPath = Path.Combine(Objects.CorpusFolder("btf"), "vmlinux-6.12-ppc64le.btf");
        CoreOracle.Require();
        BtfTypes target = Types(File.ReadAllBytes(targetPath));
        int sites = 0, objects = 0;
        foreach (string path in Directory.EnumerateFiles(Objects.CorpusFolder(folder), "*.o", SearchOption.AllDirectories).Order())
        {
            byte[] bytes = File.ReadAllBytes(path);
            if (bytes.AsSpan().IndexOf(".BTF.ext"u8) < 0)
                continue;
            int found = CoreOracle.Compare(bytes, path, targetPath, target);
            sites += found;
            objects += found == 0 ? 0 : 1;
        }

        output.WriteLine($"{folder}: {sites} relocated instructions in {objects} objects are as libbpf makes them");
    }

    [Fact]
    public void Kernel_types_give_the_values_of_libbpf()
    {
        string targetPath = Path.Combine(Objects.CorpusFolder("btf"), "vmlinux-6.12-ppc64le.btf");
        CoreOracle.Require();
        using var directory = new TemporaryDirectory();
        byte[] program = CompileFile("kernel.bpf.c");
        int sites = CoreOracle.Compare(program, directory.Write("kernel.o", program), targetPath, Types(File.ReadAllBytes(targetPath)));
        Assert.True(sites >= 25, $"{sites} sites");
    }

    [Fact]
    public void Without_a_target_the_objects_own_types_are_the_target_and_a_note_says_so()
    {
        var diagnostics = new DiagnosticBag();
        BpfModule module = ObjectLoader.Load(CompileFile("program.bpf.c"), "test.o", diagnostics)!;
        Diagnostic note = Assert.Single(diagnostics.Diagnostics);
        Assert.Equal((DiagnosticId.CoreTargetAssumed, DiagnosticSeverity.Note), (note.Id, note.Severity));
        Assert.Equal("88", FirstValue(module.Function("offset_deep")));
        Assert.Equal("1", FirstValue(module.Function("number_exists_missing")));
        Assert.DoesNotContain(module.Functions, f => f.References.Values.Any(r => r is BpfReference.Poisoned));
    }

    [Fact]
    public void Poison_names_the_field_and_the_type()
    {
        BpfModule module = Load(CompileFile("program.bpf.c"), Types(CompileFile("target.c")));
        Assert.Equal("the target has no field 'gone' of 'struct record'", Poison(module, "offset_gone"));
        Assert.Equal("the target has no field 'nested[3].second' of 'struct record'", Poison(module, "offset_beyond"));
        Assert.Equal("the target has no field 'not_there' of 'struct record___flavor'", Poison(module, "offset_flavor_gone"));
        Assert.Equal("the target has no type 'struct missing'", Poison(module, "offset_missing"));
        Assert.Equal("the target has no enumerator 'YELLOW' of 'enum colour'", Poison(module, "number_enum_gone"));
        Assert.StartsWith("field 'signed_widened' of 'struct record' has 8 bytes in the target and 4", Poison(module, "offset_signed_wider"));
    }

    [Fact]
    public void Poisoned_instructions_are_errors_only_where_the_program_can_reach_them()
    {
        byte[] program = Toolchain.CompileBpf(Prologue + """
            struct s { int there, gone; } core; struct missing { int x; } core;
            #define exists(f) __builtin_preserve_field_info(f, 2)
            SEC("kprobe/f") long guarded(void *c) { struct s *s = c; struct missing *m = c; return exists(s->gone) ? s->gone : exists(m->x) ? m->x + s->there : s->there; }
            """);
        byte[] bad = Toolchain.CompileBpf(Prologue + """
            struct s { int there, gone; } core;
            SEC("kprobe/f") long reached(void *c) { struct s *s = c; return s->there ? s->gone : 0; }
            """);
        byte[] target = Toolchain.CompileBpf(Prologue + "struct s { long first; int there; } *s; SEC(\"x\") int f(void *c) { return s->there; }");
        var options = new CompilerOptions { NoVerify = true, TargetBtf = new NamedFile("t.o", target) };
        CompilationResult result = Compiler.Compile(program, options);
        Assert.True(result.Output is not null, string.Join("\n", result.Diagnostics.Select(d => d.Message)));
        result = Compiler.Compile(bad, options);
        Assert.Null(result.Output);
        Diagnostic error = Assert.Single(result.Diagnostics);
        Assert.Equal(DiagnosticId.CoreRelocationFailed, error.Id);
        Assert.Contains("field 'gone' of 'struct s'", error.Message, StringComparison.Ordinal);
        Assert.Equal("reached", error.Location!.Function);
        Assert.NotNull(error.Location.Source);
    }

    [Fact]
    public void Types_that_differ_under_one_name_are_ambiguous()
    {
        byte[] program = Toolchain.CompileBpf(Prologue + """
            struct s { int a; } core; SEC("kprobe/f") long prog(void *c) { struct s *s = c; return s->a; }
            """);
        byte[] target = Toolchain.CompileBpf(Prologue + """
            struct s { int a; } *s; struct s___2 { long x; int a; } *t; SEC("x") int f(void *c) { return s->a + t->a; }
            """);
        var diagnostics = new DiagnosticBag();
        Assert.Null(ObjectLoader.Load(program, "test.o", new LoaderOptions { TargetBtf = Types(target) }, diagnostics));
        Diagnostic error = Assert.Single(diagnostics.Diagnostics);
        Assert.Equal(DiagnosticId.CoreRelocationAmbiguous, error.Id);
        Assert.Contains("field 'a' of 'struct s'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Split_types_continue_those_of_their_base()
    {
        var diagnostics = new DiagnosticBag();
        BtfTypes first = Types(Toolchain.CompileBpf(Prologue + "struct s { long x; int a; } *s; SEC(\"x\") int f(void *c) { return s->a; }"));
        BtfTypes both = TargetTypes.Read(Split(first, "late"), "split.btf", first, diagnostics)!;
        Assert.Empty(diagnostics.Diagnostics);
        Assert.Equal(first.Count + 1, both.Count);
        uint late = both.Find("late", BtfKind.STRUCT);
        Assert.Equal((uint)first.Count, late);
        BtfMember member = Assert.Single(both.MembersOf(both[late]));
        Assert.Equal(("late", both.Find("s", BtfKind.STRUCT)), (member.Name, member.Type));

        BpfModule module = Load(Toolchain.CompileBpf(Prologue + """
            struct s { int a; } core; struct late { struct s late; } core;
            SEC("kprobe/f") long prog(void *c) { struct late *l = c; return l->late.a; }
            """), both);
        Assert.Equal("8", FirstValue(module.Function("prog")));
    }

    [Fact]
    public void Files_without_types_are_refused()
    {
        var diagnostics = new DiagnosticBag();
        Assert.Null(TargetTypes.Read("text"u8.ToArray(), "a", null, diagnostics));
        Assert.Null(TargetTypes.Read(Toolchain.CompileBpf("int f(void *c) { return 0; }", "v3", "-g0"), "b", null, diagnostics));
        Assert.Equal([DiagnosticId.NotElf, DiagnosticId.TargetTypesMissing], diagnostics.Diagnostics.Select(d => d.Id));
    }

    [Fact]
    public void Damaged_types_and_targets_never_throw()
    {
        var random = new Random(5);
        byte[] program = CompileFile("program.bpf.c"), target = CompileFile("target.c");
        for (int round = 0; round < 1500; round++)
        {
            byte[] damagedProgram = Damage(program, random, round % 2 == 0), damagedTarget = Damage(target, random, round % 2 == 1);
            var diagnostics = new DiagnosticBag();
            if (TargetTypes.Read(damagedTarget, "t", null, diagnostics) is BtfTypes types)
                ObjectLoader.Load(damagedProgram, "p", new LoaderOptions { TargetBtf = types }, diagnostics);
        }
    }

    /// <summary>Split BTF with one struct of the given name whose only member, of the same name, is the base's struct s.</summary>
    private static byte[] Split(BtfTypes first, string name)
    {
        byte[] text = [.. Encoding.UTF8.GetBytes(name), 0];
        uint nameOffset = (uint)StringsLength(first);
        uint[] words = [0x0001eb9f, 24, 0, 24, 24, (uint)text.Length, nameOffset, (uint)BtfKind.STRUCT << 24 | 1, 16, nameOffset, first.Find("s", BtfKind.STRUCT), 0];
        var bytes = new byte[4 * words.Length];
        for (int i = 0; i < words.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4 * i), words[i]);
        return [.. bytes, .. text];
    }

    private static int StringsLength(BtfTypes types)
    {
        int length = 0;
        while (types.TryGetString((uint)length) is string text)
            length += Encoding.UTF8.GetByteCount(text) + 1;
        return length;
    }

    private static byte[] Damage(byte[] original, Random random, bool isDamaged)
    {
        byte[] bytes = (byte[])original.Clone();
        for (int change = isDamaged ? random.Next(1, 6) : 0; change > 0; change--)
            bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
        return bytes;
    }

    private static string Poison(BpfModule module, string function) =>
        Assert.IsType<BpfReference.Poisoned>(module.Function(function).References[0]).Reason;

    private static string FirstValue(BpfFunction function)
    {
        BpfInstruction first = function.Instructions[0];
        return function.References.GetValueOrDefault(0) is BpfReference.Poisoned ? "poison"
            : first.IsLoadImmediate64 ? first.LoadImmediate64Value(function.Instructions[1]).ToString(System.Globalization.CultureInfo.InvariantCulture)
            : (first.Class == BpfClass.LDX ? first.Offset : first.Imm).ToString(System.Globalization.CultureInfo.InvariantCulture);
    }

    private static BpfModule Load(byte[] bytes, BtfTypes target)
    {
        var diagnostics = new DiagnosticBag();
        BpfModule? module = ObjectLoader.Load(bytes, "test.o", new LoaderOptions { TargetBtf = target }, diagnostics);
        Assert.True(module is not null, string.Join("\n", diagnostics.Diagnostics.Select(d => d.Message)));
        Assert.Empty(diagnostics.Diagnostics);
        return module;
    }

    private static BtfTypes Types(byte[] file)
    {
        var diagnostics = new DiagnosticBag();
        BtfTypes? types = TargetTypes.Read(file, "target", null, diagnostics);
        Assert.True(types is not null, string.Join("\n", diagnostics.Diagnostics.Select(d => d.Message)));
        return types;
    }

    private static byte[] CompileFile(string name, string cpu = "v4")
    {
        string root = Objects.ProjectRoot ?? throw new InvalidOperationException("the tests run without their sources");
        return Toolchain.CompileBpf(File.ReadAllText(Path.Combine(root, "tests/BpfPpcc.Tests/Loading/Core", name)), cpu);
    }
}
