using System.Collections.Immutable;
using BpfPpcc.Bpf;

namespace BpfPpcc.Loading;

/// <summary>A map definition. Sizes are bytes; all numbers as in the UAPI's union bpf_attr.</summary>
public sealed record BpfMap
{
    /// <summary>Index in <see cref="BpfModule.Maps"/>.</summary>
    public required int Index { get; init; }

    public required string Name { get; init; }

    public required BpfMapType Type { get; init; }

    /// <summary>Another object defines it: this one only refers to its name.</summary>
    public bool IsExtern { get; init; }

    /// <summary>STB_WEAK: gives way to another definition of the name when objects are linked.</summary>
    public bool IsWeak { get; init; }

    public uint KeySize { get; init; }

    public uint ValueSize { get; init; }

    public uint MaxEntries { get; init; }

    public uint Flags { get; init; }

    public uint Pinning { get; init; }

    public uint NumaNode { get; init; }

    public ulong Extra { get; init; }

    public uint BtfKeyType { get; init; }

    public uint BtfValueType { get; init; }

    /// <summary>Template of a map-in-map, or null. Its <see cref="Index"/> is -1: it is no map of the module.</summary>
    public BpfMap? Inner { get; init; }

    /// <summary>
    /// Initial contents of a prog array (function indices) or map-in-map (map indices) from `.values`; -1 where a slot is empty. It
    /// ends with the last slot that is not.
    /// </summary>
    public ImmutableArray<int> InitialValues { get; init; } = [];
}
