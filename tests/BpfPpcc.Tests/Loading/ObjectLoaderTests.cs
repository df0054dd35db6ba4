using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Elf;
using BpfPpcc.Loading;
using Xunit;
using static BpfPpcc.Loading.BpfReference;

namespace BpfPpcc.Tests.Loading;

/// <summary>What clang writes, loaded: every kind of function, map, variable and reference.</summary>
public sealed class ObjectLoaderTests
{
    private const string Prologue = """
        #define SEC(n) __attribute__((section(n), used))
        #define __uint(name, val) int (*name)[val]
        #define __type(name, val) typeof(val) *name
        #define __array(name, val) typeof(val) *name[]
        #define __ulong(name, val) enum { value_##name = val } name
        typedef unsigned char u8; typedef unsigned short u16; typedef unsigned int u32; typedef unsigned long long u64;
        struct xdp_md { u32 data, data_end, data_meta, ingress_ifindex, rx_queue_index, egress_ifindex; };
        static void *(*lookup)(void *, const void *) = (void *)1;
        static long (*tail_call)(void *, void *, u32) = (void *)12;
        static long (*loop)(u32, void *, void *, u64) = (void *)181;

        """;

    private const string Everything = Prologue + """
        struct { __uint(type, 2); __uint(max_entries, 4); __type(key, u32); __type(value, u64); __uint(pinning, 1); } counters SEC(".maps");
        int tc0(struct xdp_md *c);
        struct { __uint(type, 3); __uint(max_entries, 4); __uint(key_size, 4); __array(values, int (void *)); } jumps SEC(".maps") =
            { .values = { [2] = (void *)&tc0 } };
        int global_counter; int init = 7; const volatile int ro = 5; static int st; static int *ptr = &init;
        int arr[10]; __attribute__((visibility("hidden"))) short hidden = 3; __attribute__((weak)) int weak_variable = 4;
        static int cb(u32 i, void *p);
        void *callback_table[2] = { 0, (void *)cb };
        extern int ext_fn(int a, char b) __attribute__((weak)) __attribute__((section(".ksyms")));
        extern const int ext_var __attribute__((section(".ksyms")));
        extern void *undef_fn(void *);
        static __attribute__((noinline)) int cb(u32 i, void *p) { *(u32 *)p += i; asm volatile(""); return 0; }
        static __attribute__((noinline)) int sub(int x) { st += x; asm volatile(""); return x * st; }
        __attribute__((noinline)) short glob(int x, u8 y, void *z) { asm volatile("" :: "r"(z)); return sub(x) + y; }
        SEC("xdp") int prog(struct xdp_md *c)
        {
            u32 k = 0;
            u64 *v = lookup(&counters, &k);
            if (v) ++*v;
            global_counter += sub(init) + ro;
            arr[3]++; hidden++; weak_variable++;
            loop(10, cb, &k, 0);
            if (ext_fn) ext_fn(1, 2);
            undef_fn(c);
            tail_call(c, &jumps, 2);
            return glob(k, 1, callback_table) + ext_var;
        }
        static __attribute__((noinline)) SEC("xdp") int sub2(int x) { asm volatile(""); return x * 3; }
        SEC("xdp") int tc0(struct xdp_md *c) { return sub2(c->data); }
        SEC("?kprobe/do_unlinkat") int probe(void *c) { return 0; }
        char _license[] SEC("license") = "GPL";
        u32 _version SEC("version") = 0x050a00;
        """;

    public static TheoryData<string> Cpus => ["v1", "v2", "v3", "v4"];

    [Theory]
    [MemberData(nameof(Cpus))]
    public void Functions_have_their_roles_and_types(string cpu)
    {
        BpfModule module = Objects.Load(Toolchain.CompileBpf(Everything, cpu));
        IEnumerable<string> functions = module.Functions.Select(f =>
            $"{f.SectionName} {f.Name} {f.Role} {(f.IsStatic ? "static" : "global")} {f.ProgramType} {f.AttachType} {f.AttachTarget}");
        Assert.Equal(
            [
                ".text cb Subprogram static UNSPEC 0 ",
                ".text glob Subprogram global UNSPEC 0 ",
                ".text sub Subprogram static UNSPEC 0 ",
                "?kprobe/do_unlinkat probe Program global KPROBE 0 do_unlinkat",
                "xdp prog Program global XDP 37 ",
                "xdp sub2 Subprogram static UNSPEC 0 ",
                "xdp tc0 Program global XDP 37 ",
            ],
            functions.Order(StringComparer.Ordinal));
        Assert.All(module.Functions, f => Assert.Same(f, module.Functions[f.Index]));
        Assert.All(module.Functions, f => Assert.True(f.Instructions[^1].IsExit));
        Assert.Equal(("GPL", 0x050a00u, false), (module.Licence, module.KernelVersion, module.IsBigEndian));
        Assert.Equal(32, module.Sha256.Length);
        Assert.False(module.RawBtf.IsEmpty || module.RawBtfExt.IsEmpty);
    }

    [Theory]
    [MemberData(nameof(Cpus))]
    public void References_name_what_the_source_names(string cpu)
    {
        BpfModule module = Objects.Load(Toolchain.CompileBpf(Everything, cpu));

        Assert.Equal(["call sub"], References(module, "glob"));
        Assert.Equal(["address .bss+st"], References(module, "sub"));
        Assert.Equal(["call sub2"], References(module, "tc0"));
        Assert.Equal(
            [
                "address .bss+arr", "address .bss+global_counter", "address .data+callback_table", "address .data+hidden", "address .data+init",
                "address .data+weak_variable", "address .rodata+ro", "address cb", "address extern ext_fn weak", "address extern ext_var",
                "address map counters", "address map jumps", "call extern ext_fn weak", "call extern undef_fn", "call glob", "call sub",
            ],
            References(module, "prog"));
        ExternCall ext = module.Function("prog").References.Values.OfType<ExternCall>().First(call => call.Name == "ext_fn");
        Assert.Equal(new BpfScalar(4, true), ext.Prototype!.Result);
        Assert.Equal([new BpfScalar(4, true), new BpfScalar(1, true)], ext.Prototype.Parameters);
    }

    [Theory]
    [MemberData(nameof(Cpus))]
    public void Objects_without_debug_information_load_as_well(string cpu)
    {
        string source = Everything[..Everything.IndexOf("struct { __uint(type, 2)", StringComparison.Ordinal)] + """
            int data = 1;
            static __attribute__((noinline)) int sub(int x) { asm volatile(""); return x * 3; }
            SEC("classifier/in") int prog(struct xdp_md *c) { data++; return sub(data); }
            """;
        BpfModule module = Objects.Load(Toolchain.CompileBpf(source, cpu, "-g0"));
        Assert.Null(module.Btf);
        Assert.Equal(["address .data+data", "call sub"], References(module, "prog"));
        BpfFunction program = module.Function("prog");
        Assert.Equal((BpfProgramType.SCHED_CLS, "in"), (program.ProgramType, program.AttachTarget));
        Assert.Null(program.Prototype);
        Assert.Empty(program.Lines);
        Assert.Equal("", module.Licence);
    }

    [Fact]
    public void Data_sections_have_their_variables_and_addresses()
    {
        BpfModule module = Objects.Load(Toolchain.CompileBpf(Everything));
        BpfDataSection data = Assert.Single(module.DataSections, s => s.Name == ".data");
        BpfDataSection bss = Assert.Single(module.DataSections, s => s.Name == ".bss");
        BpfDataSection rodata = Assert.Single(module.DataSections, s => s.Name == ".rodata");

        Assert.Equal((true, false, false), (rodata.IsReadOnly, data.IsReadOnly, bss.IsReadOnly));
        Assert.Empty(bss.Contents);
        Assert.True(bss.Size >= 48);
        Assert.Equal(data.Size, data.Contents.Length);
        Assert.Equal([5, 0, 0, 0], rodata.Contents);
        BpfVariable init = Assert.Single(data.Variables, v => v.Name == "init");
        Assert.Equal(7, data.Contents[(int)init.Offset]);
        Assert.True(Assert.Single(data.Variables, v => v.Name == "hidden").IsHidden);
        Assert.True(Assert.Single(data.Variables, v => v.Name == "weak_variable").IsWeak);
        Assert.True(Assert.Single(bss.Variables, v => v.Name == "st").IsStatic);
        Assert.Equal(40, Assert.Single(bss.Variables, v => v.Name == "arr").Size);

        BpfVariable table = Assert.Single(data.Variables, v => v.Name == "callback_table");
        BpfDataRelocation relocation = Assert.Single(data.Relocations);
        Assert.Equal((table.Offset + 8, 0L), (relocation.Offset, relocation.Addend));
        Assert.Equal(new FunctionAddress(module.Function("cb").Index), relocation.Target);
    }

    [Fact]
    public void Strings_and_pointers_between_variables_are_resolved()
    {
        BpfModule module = Objects.Load(Toolchain.CompileBpf(Prologue + """
            static const char *const names[] = { "alpha", "beta" };
            int numbers[4] SEC(".data.numbers") = { 1, 2, 3, 4 };
            int *third = &numbers[2];
            extern int elsewhere;
            int *outside = &elsewhere;
            static void (*trace)(const char *, u32) = (void *)6;
            SEC("xdp") int prog(struct xdp_md *c) { trace("hello", 6); return *third + *outside + (int)(long)names[c->data & 1]; }
            """));
        BpfDataSection numbers = Assert.Single(module.DataSections, s => s.Name == ".data.numbers");
        BpfDataSection data = Assert.Single(module.DataSections, s => s.Name == ".data");
        BpfVariable third = Assert.Single(data.Variables, v => v.Name == "third");
        BpfVariable outside = Assert.Single(data.Variables, v => v.Name == "outside");
        Assert.Equal(new DataAddress(numbers.Index, 8), Assert.Single(data.Relocations, r => r.Offset == third.Offset).Target);
        Assert.Equal(new ExternAddress("elsewhere"), Assert.Single(data.Relocations, r => r.Offset == outside.Offset).Target);

        BpfDataSection strings = Assert.Single(module.DataSections, s => s.Name.StartsWith(".rodata.str", StringComparison.Ordinal));
        bool IsString(BpfReference reference) => reference is DataAddress address && address.Section == strings.Index;
        BpfDataSection table = Assert.Single(module.DataSections, s => s.Relocations.Any(r => IsString(r.Target)));
        IEnumerable<string> texts = table.Relocations.Select(r => Text(strings, ((DataAddress)r.Target).Offset));
        Assert.Equal(["alpha", "beta"], texts);
        Assert.Contains("hello", module.Function("prog").References.Values.OfType<DataAddress>()
            .Where(d => d.Section == strings.Index).Select(d => Text(strings, d.Offset)));
    }

    [Fact]
    public void Lines_and_prototypes_come_from_the_debug_information()
    {
        BpfModule module = Objects.Load(Toolchain.CompileBpf(Everything));
        BpfFunction program = module.Function("prog");
        Assert.Equal(new BpfScalar(4, true), program.Prototype!.Result);
        Assert.Equal([new BpfScalar(8, false, "xdp_md")], program.Prototype.Parameters);
        BpfPrototype prototype = module.Function("glob").Prototype!;
        Assert.Equal(new BpfScalar(2, true), prototype.Result);
        Assert.Equal([new BpfScalar(4, true), new BpfScalar(1, false), new BpfScalar(8, false)], prototype.Parameters);

        Assert.Equal(program.Lines.Select(l => l.Slot).Order().Distinct(), program.Lines.Select(l => l.Slot));
        int call = program.References.First(r => r.Value is ExternCall { Name: "undef_fn" }).Key;
        SourcePosition position = program.PositionOf(call)!;
        Assert.Equal("    undef_fn(c);", position.Text);
        Assert.EndsWith("test.c", position.File, StringComparison.Ordinal);
        Assert.Equal("undef_fn(c);", Everything.Split('\n')[position.Line - 1].Trim());
        Assert.True(position.Column > 0);
    }

    [Fact]
    public void Global_functions_of_text_are_programs_if_there_is_nothing_else()
    {
        BpfModule module = Objects.Load(Toolchain.CompileBpf("""
            static __attribute__((noinline)) int sub(int x) { asm volatile(""); return x * 3; }
            int first(void *c) { return sub(1); }
            int second(void *c) { return sub(2); }
            """));
        Assert.Equal(
            ["first Program UNSPEC", "second Program UNSPEC", "sub Subprogram UNSPEC"],
            module.Functions.Select(f => $"{f.Name} {f.Role} {f.ProgramType}").Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_static_function_that_is_alone_in_its_section_is_a_program()
    {
        BpfModule module = Objects.Load(Toolchain.CompileBpf(Prologue + """
            SEC("xdp") static int only(struct xdp_md *c) { return 1; }
            """));
        Assert.Equal(BpfFunctionRole.Program, module.Function("only").Role);
    }

    [Fact]
    public void Functions_without_symbols_begin_where_calls_go()
    {
        BpfModule module = Objects.Load(Toolchain.CompileBpf("""
            __attribute__((naked)) int first(void *c)
            {
                asm volatile("call 1\n exit\n r0 = 7\n .byte 0x85,0x10,0,0,1,0,0,0\n exit\n r0 = 8\n exit" ::: "r0");
            }
            """.Replace("call 1", ".byte 0x85,0x10,0,0,1,0,0,0", StringComparison.Ordinal)));
        Assert.Equal(["first", "first.2", "first.5"], module.Functions.Select(f => f.Name));
        Assert.Equal([2, 3, 2], module.Functions.Select(f => f.Instructions.Length).ToArray()[..3]);
        Assert.Equal(new FunctionCall(1), module.Functions[0].References[0]);
        Assert.Equal(new FunctionCall(2), module.Functions[1].References[1]);
        Assert.Equal(BpfFunctionRole.Subprogram, module.Functions[1].Role);
    }

    [Fact]
    public void Instructions_are_the_ones_that_objdump_shows()
    {
        byte[] bytes = Toolchain.CompileBpf(Everything, "v4");
        using var directory = new TemporaryDirectory();
        string text = Toolchain.Run("llvm-objdump-19", "-d", "--no-print-imm-hex", directory.Write("test.o", bytes));
        BpfModule module = Objects.Load(bytes);
        foreach (BpfFunction function in module.Functions)
        {
            int start = text.IndexOf($"<{function.Name}>:", StringComparison.Ordinal);
            int end = text.IndexOf("\n\n", start, StringComparison.Ordinal);
            IEnumerable<byte> expected = text[start..(end < 0 ? text.Length : end)].Split('\n').Skip(1)
                .Where(line => line.Contains('\t'))
                .SelectMany(line => Convert.FromHexString(line.Split('\t')[1].Replace(" ", "", StringComparison.Ordinal)));
            Assert.Equal(expected, function.Instructions.SelectMany(Encode));
        }
    }

    [Fact]
    public void Explicit_addends_mean_the_same_as_implicit_ones()
    {
        byte[] bytes = Toolchain.CompileBpf(Everything);
        BpfModule rel = Objects.Load(bytes), rela = Objects.Load(WithExplicitAddends(bytes));
        Assert.Equal(rel.Functions.Select(f => f.Name), rela.Functions.Select(f => f.Name));
        Assert.All(rel.Functions, f => Assert.Equal(References(rel, f.Name), References(rela, f.Name)));
        Assert.Equal(rel.DataSections.SelectMany(s => s.Relocations), rela.DataSections.SelectMany(s => s.Relocations));
        Assert.Equal(rel.Maps.SelectMany(m => m.InitialValues), rela.Maps.SelectMany(m => m.InitialValues));
    }

    [Fact]
    public void Big_endian_and_foreign_objects_are_refused()
    {
        byte[] bytes = Toolchain.CompileBpf("int f(void *c) { return 0; }");
        bytes[18] = 62;
        Assert.Equal(DiagnosticId.NotBpf, Objects.Refuse(bytes).Id);
        bytes = Toolchain.CompileBpf("int f(void *c) { return 0; }", "v3", "-target", "bpfeb");
        Assert.Equal(DiagnosticId.BigEndianInput, Objects.Refuse(bytes).Id);
        Assert.Equal(DiagnosticId.NoPrograms, Objects.Refuse(Toolchain.CompileBpf("int x = 1;")).Id);
    }

    [Theory]
    [InlineData(DiagnosticId.ConfigurationMissing, "CONFIG_HZ",
        """extern int CONFIG_HZ __attribute__((section(".kconfig"))); SEC("xdp") int f(void *c) { return CONFIG_HZ; }""")]
    [InlineData(DiagnosticId.MapMalformed, "unknown attribute 'colour'",
        """struct { __uint(type, 2); __uint(colour, 4); } m SEC(".maps"); SEC("xdp") int f(void *c) { return lookup(&m, c) != 0; }""")]
    [InlineData(DiagnosticId.MapMalformed, "two key sizes",
        """struct { __uint(type, 2); __uint(key_size, 8); __type(key, u32); } m SEC(".maps"); SEC("xdp") int f(void *c) { return lookup(&m, c) != 0; }""")]
    [InlineData(DiagnosticId.MapMalformed, "has no type",
        """struct { __uint(key_size, 8); } m SEC(".maps"); SEC("xdp") int f(void *c) { return lookup(&m, c) != 0; }""")]
    [InlineData(DiagnosticId.RelocationMalformed, "no map begins at 0x10",
        """struct { __uint(type, 2); } m SEC(".maps"); void *p = (void *)&m + 16; SEC("xdp") int f(void *c) { return p != 0; }""")]
    [InlineData(DiagnosticId.RelocationMalformed, "section 'license'",
        """char l[] SEC("license") = "GPL"; SEC("xdp") int f(void *c) { return l[*(int *)c]; }""")]
    public void Faults_of_the_source_are_named(DiagnosticId id, string text, string source)
    {
        Diagnostic diagnostic = Objects.Refuse(Toolchain.CompileBpf(Prologue + source));
        Assert.Equal(id, diagnostic.Id);
        Assert.Contains(text, diagnostic.Message, StringComparison.Ordinal);
        Assert.Equal("test.o", diagnostic.Location!.File);
        if (diagnostic.Location.Function is not null)
            Assert.Contains("int f(void *c)", diagnostic.Location.Source!.Text, StringComparison.Ordinal);
    }

    /// <summary>As clang before version 4 wrote objects: SHT_RELA, and R_BPF_NONE for everything.</summary>
    [Fact]
    public void Relocations_without_a_type_mean_what_their_instruction_needs()
    {
        const string Source = """
            struct { __uint(type, 2); __uint(max_entries, 1); __type(key, u32); __type(value, u64); } m SEC(".maps");
            static __attribute__((noinline)) int g(void *c) { return *(int *)c; }
            SEC("xdp") int f(void *c) { u32 key = 0; return lookup(&m, &key) ? g(c) : 0; }
            """;
        byte[] bytes = Toolchain.CompileBpf(Prologue + Source);
        BpfModule typed = Objects.Load(bytes), untyped = Objects.Load(WithExplicitAddends(bytes, dropsTypes: true));
        Assert.NotEmpty(References(typed, "f"));
        Assert.Equal(References(typed, "f"), References(untyped, "f"));
    }

    /// <summary>The same object with SHT_RELA in place of SHT_REL: what stood in the relocated fields is moved to the addends.</summary>
    private static byte[] WithExplicitAddends(byte[] bytes, bool dropsTypes = false)
    {
        Assert.True(ElfReader.TryRead(bytes, "test.o", new DiagnosticBag(), out ElfFile? file));
        foreach (ElfSection section in file!.Sections)
        {
            byte[] contents = section.Contents.ToArray();
            for (int i = 0; i < section.Relocations.Count; i++)
            {
                ElfRelocation relocation = section.Relocations[i];
                Span<byte> place = contents.AsSpan((int)relocation.Offset);
                long addend = relocation.Type switch
                {
                    RelocationTypes.R_BPF_64_64 => BitConverter.ToInt32(place[4..]),
                    RelocationTypes.R_BPF_64_32 => 8 * (BitConverter.ToInt32(place[4..]) + 1),
                    RelocationTypes.R_BPF_64_ABS64 => BitConverter.ToInt64(place),
                    _ => BitConverter.ToInt32(place),
                };
                if (relocation.Type is RelocationTypes.R_BPF_64_64 or RelocationTypes.R_BPF_64_32)
                    place.Slice(4, 4).Clear();
                else if (relocation.Type == RelocationTypes.R_BPF_64_ABS64)
                    place[..8].Clear();
                bool isOfCode = (section.Flags & ElfConstants.SHF_EXECINSTR) != 0;
                uint type = dropsTypes && isOfCode ? RelocationTypes.R_BPF_NONE : relocation.Type;
                section.Relocations[i] = relocation with { Type = type, Addend = addend, IsImplicit = false };
            }

            section.Contents = contents;
        }

        return ElfWriter.Write(file);
    }

    private static IEnumerable<string> References(BpfModule module, string function) =>
        module.Function(function).References.Values.Select(reference => reference switch
        {
            MapAddress map => $"address map {module.Maps[map.Map].Name}",
            DataAddress data => $"address {module.DataSections[data.Section].Name}+{VariableAt(module.DataSections[data.Section], data.Offset)}",
            FunctionAddress address => $"address {module.Functions[address.Function].Name}",
            FunctionCall call => $"call {module.Functions[call.Function].Name}",
            ExternCall call => $"call extern {call.Name}{(call.IsWeak ? " weak" : "")}",
            ExternAddress address => $"address extern {address.Name}{(address.IsWeak ? " weak" : "")}",
            _ => throw new InvalidOperationException("a new kind of reference"),
        }).Distinct().Order(StringComparer.Ordinal);

    private static string VariableAt(BpfDataSection section, long offset) =>
        section.Variables.FirstOrDefault(v => offset >= v.Offset && offset < v.Offset + v.Size)?.Name ?? "?";

    private static string Text(BpfDataSection section, long offset)
    {
        ReadOnlySpan<byte> bytes = section.Contents.AsSpan()[(int)offset..];
        return System.Text.Encoding.UTF8.GetString(bytes[..bytes.IndexOf((byte)0)]);
    }

    private static byte[] Encode(BpfInstruction i) =>
        [i.Opcode, (byte)(i.Dst | i.Src << 4), .. BitConverter.GetBytes(i.Offset), .. BitConverter.GetBytes(i.Imm)];
}
