using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;
using BpfPpcc.Bpf;
using BpfPpcc.Btf;
using BpfPpcc.Loading;
using BpfPpcc.Tests.Assembler;

namespace BpfPpcc.Tests.Verification.Walk;

/// <summary>A program of the Linux 6.1 verifier selftests, with the verdict of a running kernel.</summary>
internal sealed record Selftest61(string Name, BpfModule Module, bool IsAccepted, string KernelError, bool IsStrict, int Instructions)
{
    /// <summary>All of them that have byte code and call no kernel functions.</summary>
    public static IEnumerable<Selftest61> Load(string path, BtfTypes? target)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
        JsonElement maps = document.RootElement.GetProperty("meta").GetProperty("maps");
        foreach (JsonElement test in document.RootElement.GetProperty("tests").EnumerateArray())
        {
            if (test.GetProperty("kernel_6_18").ValueKind != JsonValueKind.Object || test.GetProperty("insns").ValueKind != JsonValueKind.String)
                continue;
            JsonElement kernel = test.GetProperty("kernel_6_18");
            yield return new Selftest61(
                test.GetProperty("name").GetString()!, ModuleOf(test, maps, target), kernel.GetProperty("verdict").GetString() == "ACCEPT",
                kernel.GetProperty("error").GetString() ?? "", test.GetProperty("strict_alignment").GetBoolean(),
                kernel.GetProperty("insns_processed") is { ValueKind: JsonValueKind.Number } count ? count.GetInt32() : 0);
        }
    }

    private static BpfModule ModuleOf(JsonElement test, JsonElement definitions, BtfTypes? target)
    {
        (BtfTypes btf, Dictionary<string, uint> values) = ValueTypes();
        byte[] code = Convert.FromHexString(test.GetProperty("insns").GetString()!);
        var maps = new List<BpfMap>();
        var sections = new List<BpfDataSection>();
        var references = new Dictionary<int, BpfReference>();
        foreach (JsonProperty fixup in test.GetProperty("fixups").EnumerateObject())
        {
            BpfMap map = MapOf(fixup.Name, definitions.GetProperty(fixup.Name), maps.Count, values);
            maps.Add(map);
            foreach (JsonElement slot in fixup.Value.EnumerateArray())
                references[slot.GetInt32()] = ReferenceTo(map, sections, code.AsSpan(slot.GetInt32() * 8, 16));
        }

        foreach (JsonElement kfunc in test.GetProperty("kfuncs").EnumerateArray())
            references[kfunc[1].GetInt32()] = new BpfReference.ExternCall(kfunc[0].GetString()!, null);
        JsonElement attach = test.GetProperty("attach_btf_func");
        return BytecodeModule.FromBytes(
            code, (BpfProgramType)test.GetProperty("prog_type").GetUInt32(), references, [.. maps], [.. sections], btf, target,
            test.GetProperty("expected_attach_type").GetInt32(), attach.ValueKind == JsonValueKind.String ? attach.GetString() : null,
            test.GetProperty("sleepable").GetBoolean());
    }

    /// <summary>Direct access to the value of a map is what data sections are.</summary>
    private static BpfReference ReferenceTo(BpfMap map, List<BpfDataSection> sections, ReadOnlySpan<byte> load)
    {
        const int MapValue = 2;
        if (load[1] >> 4 != MapValue)
            return new BpfReference.MapAddress(map.Index);
        sections.Add(new BpfDataSection
        {
            Index = sections.Count,
            Name = map.Name,
            IsReadOnly = (map.Flags & (1 << 7)) != 0,
            Size = map.ValueSize,
            Alignment = 8,
            Contents = [],
            Variables = [],
            Relocations = [],
        });
        int offset = BitConverter.ToInt32(load[12..]);
        return new BpfReference.DataAddress(sections.Count - 1, offset);
    }

    private static BpfMap MapOf(string name, JsonElement definition, int index, Dictionary<string, uint> values)
    {
        string flags = definition.TryGetProperty("flags", out JsonElement text) ? text.GetString()! : "";
        return new BpfMap
        {
            Index = index,
            Name = name,
            Type = Enum.Parse<BpfMapType>(definition.GetProperty("type").GetString()!),
            KeySize = Number(definition, "key"),
            ValueSize = Number(definition, "value"),
            MaxEntries = Number(definition, "max"),
            Flags = (flags.Contains("RDONLY_PROG", StringComparison.Ordinal) ? 1u << 7 : 0) | (flags.Contains("WRONLY_PROG", StringComparison.Ordinal) ? 1u << 8 : 0),
            BtfValueType = values.GetValueOrDefault(name),
            Inner = definition.TryGetProperty("inner", out JsonElement inner) ? MapOf(name, inner, -1, values) : null,
        };
    }

    private static uint Number(JsonElement definition, string name) =>
        definition.TryGetProperty(name, out JsonElement value) ? uint.Parse(value.ToString(), CultureInfo.InvariantCulture) : 0;

    /// <summary>The value types that test_verifier.c gives its maps.</summary>
    private static (BtfTypes, Dictionary<string, uint>) ValueTypes()
    {
        var btf = new BtfBytes();
        uint integer = btf.Int("int", 4);
        uint wide = btf.Int("unsigned long", 8);
        uint spinLock = btf.Struct("bpf_spin_lock", 4, ("val", integer, 0));
        uint withLock = btf.Struct("val", 8, ("cnt", integer, 0), ("l", spinLock, 4));
        uint timer = btf.Struct("bpf_timer", 16, ("a", wide, 0), ("b", wide, 8));
        uint withTimer = btf.Struct("timer", 16, ("t", timer, 0));
        uint kernelType = btf.Struct("prog_test_ref_kfunc", 0);
        uint member = btf.Struct("prog_test_member", 0);
        uint unreferenced = btf.Pointer(btf.TypeTag("kptr_untrusted", kernelType));
        uint referenced = btf.Pointer(btf.TypeTag("kptr", kernelType));
        uint referencedMember = btf.Pointer(btf.TypeTag("kptr", member));
        uint withKptrs = btf.Struct("btf_ptr", 24, ("ptr", unreferenced, 0), ("ref", referenced, 8), ("mem", referencedMember, 16));
        return (btf.Parse(), new Dictionary<string, uint>
        {
            ["map_spin_lock"] = withLock,
            ["sk_storage_map"] = withLock,
            ["map_timer"] = withTimer,
            ["map_kptr"] = withKptrs,
        });
    }
}
