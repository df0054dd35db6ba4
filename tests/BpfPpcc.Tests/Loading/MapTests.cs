using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using Xunit;

namespace BpfPpcc.Tests.Loading;

public sealed class MapTests
{
    private const string Prologue = """
        #define SEC(n) __attribute__((section(n), used))
        #define __uint(name, val) int (*name)[val]
        #define __type(name, val) typeof(val) *name
        #define __array(name, val) typeof(val) *name[]
        #define __ulong(name, val) enum { value_##name = val } name
        typedef unsigned int u32; typedef unsigned long long u64;
        SEC("xdp") int first(void *c) { return 1; }
        SEC("xdp") int second(void *c) { return 2; }

        """;

    [Fact]
    public void Every_attribute_is_read()
    {
        BpfModule module = Objects.Load(Toolchain.CompileBpf(Prologue + """
            struct key { u32 a; char b[5]; }; typedef const struct key key_type;
            struct {
                __uint(type, 1); __uint(max_entries, 1000); __uint(map_flags, 1 | 4); __uint(numa_node, 2); __uint(pinning, 1);
                __type(key, key_type); __type(value, u64[3]); __ulong(map_extra, 0x1234567890);
            } by_type SEC(".maps");
            struct { __uint(type, 5); __uint(key_size, 12); __uint(value_size, 20); __uint(max_entries, 7); } by_size SEC(".maps");
            static struct { __uint(type, 27); __uint(max_entries, 4096); } ring SEC(".maps");
            """));
        Assert.Equal(["by_type", "by_size", "ring"], module.Maps.Select(m => m.Name));
        Assert.Equal([0, 1, 2], module.Maps.Select(m => m.Index));
        BpfMap map = module.Map("by_type");
        Assert.Equal((BpfMapType.HASH, 12u, 24u, 1000u, 5u), (map.Type, map.KeySize, map.ValueSize, map.MaxEntries, map.Flags));
        Assert.Equal((2u, 1u, 0x1234567890ul), (map.NumaNode, map.Pinning, map.Extra));
        Assert.Equal("key_type", module.Btf!.NameOf(map.BtfKeyType));
        Assert.True(module.Btf.TryGetSize(map.BtfValueType, out ulong size));
        Assert.Equal(24ul, size);
        map = module.Map("by_size");
        Assert.Equal((BpfMapType.PERCPU_HASH, 12u, 20u, 7u), (map.Type, map.KeySize, map.ValueSize, map.MaxEntries));
        Assert.Equal((BpfMapType.RINGBUF, 4096u), (module.Map("ring").Type, module.Map("ring").MaxEntries));
    }

    [Fact]
    public void Maps_of_programs_and_of_maps_have_their_initial_values()
    {
        BpfModule module = Objects.Load(Toolchain.CompileBpf(Prologue + """
            struct inner { __uint(type, 2); __uint(max_entries, 3); __type(key, u32); __type(value, u64); };
            typedef struct inner inner_type;
            inner_type in_a SEC(".maps"), in_b SEC(".maps");
            struct { __uint(type, 12); __uint(max_entries, 5); __type(key, u32); __array(values, inner_type); } named SEC(".maps") =
                { .values = { [1] = &in_b, [3] = &in_a } };
            struct {
                __uint(type, 13); __uint(max_entries, 5); __type(key, u32);
                __array(values, struct { __uint(type, 1); __uint(max_entries, 9); __type(key, u64); __type(value, u32); });
            } anonymous SEC(".maps");
            struct { __uint(type, 3); __uint(max_entries, 6); __type(key, u32); __array(values, int (void *)); } programs SEC(".maps") =
                { .values = { (void *)first, 0, (void *)second } };
            """));
        BpfMap named = module.Map("named");
        Assert.Equal([-1, module.Map("in_b").Index, -1, module.Map("in_a").Index], named.InitialValues);
        Assert.Equal((4u, 4u), (named.KeySize, named.ValueSize));
        Assert.Equal((-1, BpfMapType.ARRAY, 4u, 8u, 3u), Shape(named.Inner!));
        BpfMap anonymous = module.Map("anonymous");
        Assert.Equal((-1, BpfMapType.HASH, 8u, 4u, 9u), Shape(anonymous.Inner!));
        Assert.Empty(anonymous.InitialValues);
        Assert.Equal(BpfMapType.HASH_OF_MAPS, anonymous.Type);
        BpfMap programs = module.Map("programs");
        Assert.Equal([module.Function("first").Index, -1, module.Function("second").Index], programs.InitialValues);
        Assert.Null(programs.Inner);
        Assert.Equal(4u, programs.ValueSize);

        static (int, BpfMapType, uint, uint, uint) Shape(BpfMap map) => (map.Index, map.Type, map.KeySize, map.ValueSize, map.MaxEntries);
    }

    [Theory]
    [InlineData("maps")]
    [InlineData("maps/one")]
    public void Legacy_definitions_are_read(string section)
    {
        BpfModule module = Objects.Load(Toolchain.CompileBpf(Prologue + $$"""
            struct bpf_map_def { u32 type, key_size, value_size, max_entries, map_flags; };
            struct bpf_map_def SEC("{{section}}") one = { 1, 4, 8, 100, 1 };
            struct bpf_map_def SEC("{{section}}") two = { 2, 4, 16, 5 };
            static void *(*lookup)(void *, const void *) = (void *)1;
            SEC("xdp") int prog(void *c) { return lookup(&two, c) != 0; }
            """));
        Assert.Equal(
            [("one", BpfMapType.HASH, 4u, 8u, 100u, 1u), ("two", BpfMapType.ARRAY, 4u, 16u, 5u, 0u)],
            module.Maps.Select(m => (m.Name, m.Type, m.KeySize, m.ValueSize, m.MaxEntries, m.Flags)));
        Assert.Equal(new BpfReference.MapAddress(1), Assert.Single(module.Function("prog").References.Values));
    }

    [Fact]
    public void Definitions_of_iproute2_have_ids_pinning_and_inner_maps_and_fill_program_arrays()
    {
        BpfModule module = Objects.Load(Toolchain.CompileBpf("""
            #define SEC(n) __attribute__((section(n), used))
            typedef unsigned int u32;
            struct bpf_elf_map { u32 type, size_key, size_value, max_elem, flags, id, pinning, inner_id, inner_idx; };
            struct bpf_elf_map SEC("maps") one = { 1, 4, 8, 100, 0, .pinning = 2 };
            struct bpf_elf_map SEC("maps") jumps = { 3, 4, 4, 5, 0, .id = 7 };
            struct bpf_elf_map SEC("maps") outer = { 12, 4, 4, 9, 0, .id = 8, .inner_id = 9 };
            struct bpf_elf_map SEC("maps") inner = { 2, 4, 16, 5, 0, .id = 9, .inner_idx = 3 };
            struct bpf_elf_map SEC("maps") template = { 2, 4, 16, 6, 0, .id = 9, .inner_idx = -1 };
            SEC("classifier") int prog(void *c) { return 0; }
            SEC("7/2") int second(void *c) { return 2; }
            SEC("0x7/0x4") int fourth(void *c) { return 4; }
            """));
        Assert.Equal(1u, module.Map("one").Pinning);
        Assert.Equal(
            [-1, -1, module.Function("second").Index, -1, module.Function("fourth").Index], module.Map("jumps").InitialValues);
        Assert.Equal((2u, 16u, -1), ((uint)module.Map("outer").Inner!.Type, module.Map("outer").Inner!.ValueSize, module.Map("outer").Inner!.Index));
        Assert.Equal([-1, -1, -1, module.Map("inner").Index], module.Map("outer").InitialValues);
        Assert.Equal(BpfProgramType.SCHED_CLS, module.Function("second").ProgramType);
    }

    [Fact]
    public void Definitions_of_the_Linux_samples_have_inner_maps_and_nodes()
    {
        BpfModule module = Objects.Load(Toolchain.CompileBpf(Prologue + """
            struct bpf_map_def { u32 type, key_size, value_size, max_entries, map_flags, inner_map_idx, numa_node; };
            struct bpf_map_def SEC("maps") numa = { 1, 4, 8, 100, 4, .numa_node = 1 };
            struct bpf_map_def SEC("maps") outer = { 12, 4, 4, 9, 0, .inner_map_idx = 0 };
            SEC("xdp") int prog(void *c) { return 0; }
            """));
        Assert.Equal(1u, module.Map("numa").NumaNode);
        Assert.Equal(module.Map("numa") with { Index = -1, NumaNode = 0 }, module.Map("outer").Inner);
    }

    [Fact]
    public void Definitions_of_unknown_length_are_read_as_far_as_all_loaders_agree()
    {
        byte[] bytes = Toolchain.CompileBpf(Prologue + """
            struct long_map { u32 type, key_size, value_size, max_entries, map_flags, more[7]; };
            struct long_map SEC("maps") one = { 1, 4, 8, 100, 0, { 1, 2, 3 } };
            SEC("xdp") int prog(void *c) { return 0; }
            """);
        var diagnostics = new DiagnosticBag();
        BpfModule module = ObjectLoader.Load(bytes, "test.o", diagnostics)!;
        Assert.Equal((4u, 8u, 100u), (module.Map("one").KeySize, module.Map("one").ValueSize, module.Map("one").MaxEntries));
        Diagnostic diagnostic = Assert.Single(diagnostics.Diagnostics);
        Assert.Equal((DiagnosticId.MapFieldIgnored, DiagnosticSeverity.Warning), (diagnostic.Id, diagnostic.Severity));
    }

    [Fact]
    public void Short_legacy_definitions_are_refused()
    {
        Diagnostic diagnostic = Objects.Refuse(Toolchain.CompileBpf(Prologue + """
            struct old { u32 type, key_size, value_size, max_entries; };
            struct old SEC("maps") one = { 1, 4, 8, 100 };
            """));
        Assert.Equal(DiagnosticId.MapMalformed, diagnostic.Id);
        Assert.Contains("'one'", diagnostic.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Definitions_in_maps_without_type_information_are_refused()
    {
        Diagnostic diagnostic = Objects.Refuse(Toolchain.CompileBpf(Prologue + """
            struct { __uint(type, 2); } m SEC(".maps");
            """, "v3", "-g0"));
        Assert.Equal((DiagnosticId.MapMalformed, "compile with -g"), (diagnostic.Id, diagnostic.Help));
    }
}
