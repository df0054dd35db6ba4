using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;
using BpfPpcc.Btf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Elf;
using BpfPpcc.Tests.Loading;
using Xunit;

namespace BpfPpcc.Tests.Btf;

public sealed class BtfTests
{
    private const string Source = """
        #define SEC(n) __attribute__((section(n), used))
        #define tag(x) __attribute__((btf_type_tag(#x)))
        #define decl(x) __attribute__((btf_decl_tag(#x)))
        typedef unsigned int u32; typedef signed char s8;
        enum e8 { A = -1, B = 5 }; enum big { HUGE = 0x123456789abULL, SMALL = 1 };
        struct forward; union fu;
        struct node { struct node *next; const volatile int x; s8 tag(user) *p; u32 a : 3, b : 29; _Bool flag;
                      struct { int inner; }; enum e8 e; enum big g; };
        union value { float f; double d; int array[3][4]; u32 decl(important) tagged; };
        struct node head decl(global_tag); union value v; struct forward *fw; union fu *fu;
        static int hidden; int *restrict r;
        typedef u32 t1; typedef const t1 t2;
        t2 constant = 4;
        extern int kernel_function(struct node *n, int decl(arg) x, ...) SEC(".ksyms");
        static __attribute__((noinline)) int sub(u32 x) { hidden += x; asm volatile(""); return hidden; }
        SEC("xdp") int prog(struct node *n) { return sub(n->a) + kernel_function(n, 1) + head.x + v.array[1][1] + (fw != 0) + (fu != 0) + *r; }
        char l[] SEC("license") = "GPL";
        """;

    [Theory]
    [InlineData("v1")]
    [InlineData("v4")]
    public void Types_are_the_ones_that_bpftool_shows(string cpu)
    {
        byte[] bytes = Toolchain.CompileBpf(Source, cpu);
        using var directory = new TemporaryDirectory();
        string path = directory.Write("test.o", bytes);
        CompareWithBpftool(Parse(Section(bytes, ".BTF")), path, minimumKinds: 18);
    }

    [Fact]
    public void Types_of_a_kernel_are_the_ones_that_bpftool_shows()
    {
        string path = Path.Combine(Objects.CorpusFolder("btf"), "vmlinux-6.12-ppc64le.btf");
        BtfTypes types = Parse(File.ReadAllBytes(path));
        Assert.True(types.Count > 50_000);
        CompareWithBpftool(types, path, minimumKinds: 14);
        uint id = types.Find("task_struct", BtfKind.STRUCT);
        Assert.Contains(types.MembersOf(types[id]), m => m.Name == "pid");
    }

    [Fact]
    public void Queries_see_through_modifiers_and_arrays()
    {
        BtfTypes types = Parse(Section(Toolchain.CompileBpf(Source), ".BTF"));
        Assert.Equal(BtfKind.INT, types.SkipModifiers(types.Find("t2", BtfKind.TYPEDEF)).Kind);
        Assert.True(types.TryGetSize(types.Find("t2", BtfKind.TYPEDEF), out ulong size));
        Assert.Equal(4ul, size);
        BtfType value = types[types.Find("value", BtfKind.UNION)];
        BtfMember array = Assert.Single(types.MembersOf(value), m => m.Name == "array");
        Assert.True(types.TryGetSize(array.Type, out size));
        Assert.Equal(48ul, size);
        Assert.False(types.TryGetSize(0, out _));
        Assert.False(types.TryGetSize(types.Find("forward", BtfKind.FWD), out _));
        Assert.Equal(0u, types.Find("forward", BtfKind.STRUCT));
        Assert.Empty(types.FindAll("no such name"));

        BtfType function = types[types.Find("sub", BtfKind.FUNC)];
        Assert.Equal(BtfLinkage.STATIC, types.LinkageOf(function));
        Assert.Equal(["x"], types.ParametersOf(types.PrototypeOf(function)).Select(p => p.Name));
        BtfType section = types[types.Find(".ksyms", BtfKind.DATASEC)];
        Assert.Equal(["kernel_function"], types.VariablesOf(section).Select(v => types.NameOf(v.Type)));
        Assert.Equal(BtfLinkage.EXTERN, types.LinkageOf(types[types.VariablesOf(section)[0].Type]));
    }

    [Fact]
    public void Line_and_function_records_are_read()
    {
        byte[] bytes = Toolchain.CompileBpf(Source);
        BtfTypes types = Parse(Section(bytes, ".BTF"));
        BtfExt ext = ParseExt(Section(bytes, ".BTF.ext"), types)!;
        Assert.Equal("prog", types.NameOf(Assert.Single(ext.Functions["xdp"]).Type));
        Assert.Equal("sub", types.NameOf(Assert.Single(ext.Functions[".text"]).Type));
        BtfLineInfo first = ext.Lines["xdp"][0];
        Assert.Equal(0u, first.InstructionOffset);
        Assert.Equal(Source.Split('\n')[first.LineNumber - 1], types.TryGetString(first.Line));
        Assert.Empty(ext.CoreRelocations);
    }

    [Fact]
    public void Core_relocations_are_read()
    {
        byte[] bytes = Toolchain.CompileBpf("""
            struct s { int a; long b; } __attribute__((preserve_access_index));
            __attribute__((section("xdp"))) int prog(struct s *s) { return s->b; }
            """);
        BtfTypes types = Parse(Section(bytes, ".BTF"));
        BtfCoreRelocation relocation = Assert.Single(ParseExt(Section(bytes, ".BTF.ext"), types)!.CoreRelocations["xdp"]);
        Assert.Equal(("s", "0:1", 0u), (types.NameOf(relocation.Type), types.TryGetString(relocation.Access), relocation.Kind));
    }

    [Fact]
    public void Both_byte_orders_give_the_same_types()
    {
        byte[] little = Section(Toolchain.CompileBpf(Source), ".BTF");
        byte[] big = Section(Toolchain.CompileBpf(Source, "v3", "-target", "bpfeb"), ".BTF");
        BtfTypes a = Parse(little), b = Parse(big, bigEndian: true);
        Assert.Equal(Enumerable.Range(0, a.Count).Select(id => a[(uint)id]), Enumerable.Range(0, b.Count).Select(id => b[(uint)id]));
        Assert.Equal(Enumerable.Range(0, a.Count).Select(id => a.NameOf((uint)id)), Enumerable.Range(0, b.Count).Select(id => b.NameOf((uint)id)));
    }

    [Theory]
    [InlineData("a cycle of typedefs", new uint[] { 1u, 8u << 24, 2, 1, 8u << 24, 1 })]
    [InlineData("an array of itself", new uint[] { 0u, 3u << 24, 0, 1, 0, 2 })]
    [InlineData("a reference beyond the end", new uint[] { 0u, 2u << 24, 9 })]
    [InlineData("an unknown kind", new uint[] { 0u, 20u << 24, 0 })]
    [InlineData("a name beyond the end", new uint[] { 99u, 7u << 24, 0 })]
    [InlineData("a function without a prototype", new uint[] { 1u, 12u << 24, 0 })]
    [InlineData("a member that is cut off", new uint[] { 0u, 4u << 24 | 2, 4, 1, 0, 0 })]
    [InlineData("a header that is cut off", new uint[] { 0u, 2u << 24 })]
    public void Malformed_types_are_one_diagnostic(string what, uint[] words)
    {
        var diagnostics = new DiagnosticBag();
        Assert.Null(BtfParser.Parse(Encode(words), bigEndian: false, "x.o", diagnostics));
        Assert.True(Assert.Single(diagnostics.Diagnostics).Id == DiagnosticId.BtfMalformed, what);
    }

    [Fact]
    public void Long_chains_are_refused_and_pointer_cycles_are_not()
    {
        uint[] Typedefs(int count) => [.. Enumerable.Range(1, count).SelectMany(i => (uint[])[1, 8u << 24, i == count ? 0 : (uint)i + 1])];
        var diagnostics = new DiagnosticBag();
        Assert.NotNull(BtfParser.Parse(Encode(Typedefs(30)), bigEndian: false, "x.o", diagnostics));
        Assert.Null(BtfParser.Parse(Encode(Typedefs(70)), bigEndian: false, "x.o", diagnostics));
        Assert.NotNull(BtfParser.Parse(Encode([0, 2u << 24, 1]), bigEndian: false, "x.o", diagnostics));
    }

    [Fact]
    public void Random_changes_never_throw_and_leave_only_types_that_can_be_queried()
    {
        byte[] bytes = Toolchain.CompileBpf(Source);
        byte[] btf = Section(bytes, ".BTF"), ext = Section(bytes, ".BTF.ext");
        BtfTypes good = Parse(btf);
        var random = new Random(3);
        int survivors = 0;
        for (int round = 0; round < 5000; round++)
        {
            BtfTypes? types = BtfParser.Parse(Damage(btf, random), bigEndian: false, "x.o", new DiagnosticBag());
            if (types is not null)
            {
                survivors++;
                for (uint id = 0; id < types.Count; id++)
                    Print(types, id);
            }

            var diagnostics = new DiagnosticBag();
            BtfExt? records = BtfExt.Parse(Damage(ext, random), bigEndian: false, good, "x.o", diagnostics);
            Assert.Equal(records is null ? 1 : 0, diagnostics.Diagnostics.Count);
        }

        Assert.True(survivors > 500);
    }

    private static byte[] Damage(byte[] original, Random random)
    {
        byte[] bytes = (byte[])original.Clone();
        for (int change = random.Next(1, 4); change > 0; change--)
            bytes[random.Next(bytes.Length)] = random.Next(3) switch { 0 => 0, 1 => 255, _ => (byte)random.Next(256) };
        return random.Next(3) == 0 ? bytes[..random.Next(bytes.Length)] : bytes;
    }

    /// <summary>bpftool numbers the types as we do; its JSON names kind, name, size, type id, vlen and the parts.</summary>
    private static void CompareWithBpftool(BtfTypes types, string path, int minimumKinds)
    {
        using JsonDocument document = JsonDocument.Parse(Toolchain.Run("bpftool", "-j", "btf", "dump", "file", path, "format", "raw"));
        var kinds = new HashSet<BtfKind>();
        int count = 1;
        foreach (JsonElement expected in document.RootElement.GetProperty("types").EnumerateArray())
        {
            uint id = expected.GetProperty("id").GetUInt32();
            kinds.Add(types[id].Kind);
            count++;
            Assert.Equal(Print(expected), Print(types, id));
        }

        Assert.Equal(count, types.Count);
        Assert.True(kinds.Count >= minimumKinds, string.Join(' ', kinds));
    }

    private static string Print(JsonElement type)
    {
        // bpftool sign-extends the enumerators of unsigned enums too.
        bool is32 = type.GetProperty("kind").ValueEquals("ENUM");
        string Value(JsonElement value) => is32 && value.ValueKind == JsonValueKind.Number && value.TryGetUInt64(out ulong wide)
            ? ((uint)wide).ToString(CultureInfo.InvariantCulture)
            : value.ToString();

        string name = type.GetProperty("name").GetString()!;
        string text = $"{type.GetProperty("kind").GetString()} {(name == "(anon)" ? "" : name)}";
        string[] numbers = ["size", "bits_offset", "nr_bits", "type_id", "index_type_id", "nr_elems", "ret_type_id", "component_idx"];
        foreach (string property in numbers)
        {
            if (type.TryGetProperty(property, out JsonElement value))
                text += $" {property}={value}";
        }

        if (type.TryGetProperty("encoding", out JsonElement encoding))
            text += $" {encoding.GetString()!.Replace("(none)", "None", StringComparison.Ordinal)}";
        if (type.TryGetProperty("linkage", out JsonElement linkage))
            text += $" {linkage.GetString()!.ToUpperInvariant()}";
        if (type.TryGetProperty("fwd_kind", out JsonElement forward))
            text += $" {forward.GetString()}";
        foreach (string list in (string[])["members", "values", "params", "vars"])
        {
            if (!type.TryGetProperty(list, out JsonElement elements))
                continue;
            foreach (JsonElement element in elements.EnumerateArray())
            {
                IEnumerable<JsonProperty> parts = element.EnumerateObject().Where(p => list != "vars" || p.Name != "name");
                text += $" [{string.Join(' ', parts.Select(p => Value(p.Value)))}]";
            }
        }

        return text.Replace("(anon)", "", StringComparison.Ordinal);
    }

    private static string Print(BtfTypes types, uint id)
    {
        BtfType type = types[id];
        string head = $"{type.Kind} {types.NameOf(id)}";
        types.SkipModifiers(id);
        types.TryGetSize(id, out _);
        switch (type.Kind)
        {
            case BtfKind.VOID:
                return head;
            case BtfKind.INT:
                BtfInt integer = types.IntOf(type);
                return $"{head} size={type.SizeOrType} bits_offset={integer.BitOffset} nr_bits={integer.Bits} {integer.Encoding}";
            case BtfKind.PTR or BtfKind.TYPEDEF or BtfKind.VOLATILE or BtfKind.CONST or BtfKind.RESTRICT or BtfKind.TYPE_TAG:
                return $"{head} type_id={type.SizeOrType}";
            case BtfKind.ARRAY:
                BtfArray array = types.ArrayOf(type);
                return $"{head} type_id={array.ElementType} index_type_id={array.IndexType} nr_elems={array.Count}";
            case BtfKind.STRUCT or BtfKind.UNION:
                IEnumerable<string> members = types.MembersOf(type).Select(m => type.KindFlag && m.BitFieldSize != 0
                    ? $" [{m.Name} {m.Type} {m.BitOffset} {m.BitFieldSize}]"
                    : $" [{m.Name} {m.Type} {m.BitOffset}]");
                return $"{head} size={type.SizeOrType}{string.Concat(members)}";
            case BtfKind.ENUM or BtfKind.ENUM64:
                IEnumerable<string> values = types.EnumeratorsOf(type).Select(e => type.KindFlag
                    ? string.Create(CultureInfo.InvariantCulture, $" [{e.Name} {e.Value}]")
                    : $" [{e.Name} {(ulong)e.Value}]");
                return $"{head} size={type.SizeOrType} {(type.KindFlag ? "SIGNED" : "UNSIGNED")}{string.Concat(values)}";
            case BtfKind.FWD:
                return $"{head} {(type.KindFlag ? "union" : "struct")}";
            case BtfKind.FUNC:
                return $"{head} type_id={type.SizeOrType} {types.LinkageOf(type)}";
            case BtfKind.FUNC_PROTO:
                return $"{head} ret_type_id={type.SizeOrType}{string.Concat(types.ParametersOf(type).Select(p => $" [{p.Name} {p.Type}]"))}";
            case BtfKind.VAR:
                return $"{head} type_id={type.SizeOrType} {types.LinkageOf(type)}";
            case BtfKind.DATASEC:
                return $"{head} size={type.SizeOrType}{string.Concat(types.VariablesOf(type).Select(v => $" [{v.Type} {v.Offset} {v.Size}]"))}";
            case BtfKind.FLOAT:
                return $"{head} size={type.SizeOrType}";
            case BtfKind.DECL_TAG:
                return string.Create(CultureInfo.InvariantCulture, $"{head} type_id={type.SizeOrType} component_idx={types.ComponentOf(type)}");
        }

        throw new InvalidOperationException("a new kind of type");
    }

    private static BtfTypes Parse(byte[] section, bool bigEndian = false)
    {
        var diagnostics = new DiagnosticBag();
        BtfTypes? types = BtfParser.Parse(section, bigEndian, "test.o", diagnostics);
        Assert.True(types is not null, string.Join("\n", diagnostics.Diagnostics));
        return types;
    }

    private static BtfExt? ParseExt(byte[] section, BtfTypes types) => BtfExt.Parse(section, bigEndian: false, types, "test.o", new DiagnosticBag());

    private static byte[] Section(byte[] bytes, string name)
    {
        Assert.True(ElfReader.TryRead(bytes, "test.o", new DiagnosticBag(), out ElfFile? file));
        return file!.FindSection(name)!.Contents.ToArray();
    }

    /// <summary>A .BTF section of these type words and the strings "" and "x".</summary>
    private static byte[] Encode(uint[] types)
    {
        var bytes = new byte[24 + 4 * types.Length + 3];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, 0x0001eb9f);
        uint[] header = [24, 0, (uint)(4 * types.Length), (uint)(4 * types.Length), 3];
        for (int i = 0; i < header.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4 + 4 * i), header[i]);
        for (int i = 0; i < types.Length; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(24 + 4 * i), types[i]);
        bytes[^2] = (byte)'x';
        return bytes;
    }
}
