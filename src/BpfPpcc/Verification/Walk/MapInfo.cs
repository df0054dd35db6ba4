using BpfPpcc.Bpf;
using BpfPpcc.Btf;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification.Walk;

/// <summary>A map or section of global variables, with the special fields of its values.</summary>
internal sealed class MapInfo
{
    public required string Name { get; init; }

    public required BpfMapType Type { get; init; }

    public required uint KeySize { get; init; }

    public required uint ValueSize { get; init; }

    public required uint MaxEntries { get; init; }

    public required uint Flags { get; init; }

    /// <summary>Whether programs may not write to the values: BPF_F_RDONLY_PROG, read-only sections.</summary>
    public required bool IsReadOnly { get; init; }

    /// <summary>BPF_F_WRONLY_PROG.</summary>
    public required bool IsWriteOnly { get; init; }

    /// <summary>The section of global variables that stands behind a MapInfo of type ARRAY, or null.</summary>
    public BpfDataSection? Section { get; init; }

    public MapInfo? Inner { get; init; }

    public BtfTypes? Btf { get; init; }

    public uint ValueType { get; init; }

    public uint KeyType { get; init; }

    public required SpecialFields Fields { get; init; }

    /// <summary>A map of the object or the template of one.</summary>
    public static MapInfo Of(BpfModule module, BpfMap map)
    {
        const uint ReadOnlyForPrograms = 1 << 7;
        const uint WriteOnlyForPrograms = 1 << 8;
        return new MapInfo
        {
            Name = map.Name,
            Type = map.Type,
            KeySize = map.KeySize,
            ValueSize = map.ValueSize,
            MaxEntries = map.MaxEntries,
            Flags = map.Flags,
            IsReadOnly = (map.Flags & ReadOnlyForPrograms) != 0,
            IsWriteOnly = (map.Flags & WriteOnlyForPrograms) != 0,
            Inner = map.Inner is null ? null : Of(module, map.Inner),
            Btf = module.Btf,
            ValueType = map.BtfValueType,
            KeyType = map.BtfKeyType,
            Fields = SpecialFields.Of(module.Btf, map.BtfValueType),
        };
    }

    public static MapInfo Of(BpfModule module, BpfDataSection section)
    {
        uint type = module.Btf?.Find(section.Name, BtfKind.DATASEC) ?? 0;
        return new MapInfo
        {
            Name = section.Name,
            Type = BpfMapType.ARRAY,
            KeySize = 4,
            ValueSize = (uint)section.Size,
            MaxEntries = 1,
            Flags = 0,
            IsReadOnly = section.IsReadOnly,
            IsWriteOnly = false,
            Section = section,
            Btf = module.Btf,
            ValueType = type,
            Fields = SpecialFields.Of(module.Btf, type, section),
        };
    }
}
