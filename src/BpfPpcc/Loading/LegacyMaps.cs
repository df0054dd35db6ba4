using BpfPpcc.Bpf;
using BpfPpcc.Collections;

namespace BpfPpcc.Loading;

/// <summary>
/// Definitions of maps before BTF: an array of structs in section "maps". All begin with struct bpf_map_def (type, key_size, value_size,
/// max_entries, map_flags), and loaders disagree about what follows: those of the Linux samples and of PREVAIL have the inner map's index
/// and a NUMA node, iproute2 (bpf_elf.h) an id, pinning, and an inner map's id and slot. Both began with 28 bytes.
/// </summary>
internal sealed class LegacyMaps
{
    /// <summary>sizeof(struct bpf_map_def) without additions.</summary>
    public const int MinimumSize = 20;

    private const int SamplesSize = 28;
    private const int IprouteSize = 36;
    private const uint HasNumaNode = 1 << 2;
    private const uint PinByName = 1;

    /// <summary>inner_idx of a map that is a template and is put into no slot.</summary>
    private const uint NoSlot = uint.MaxValue;

    private readonly List<Definition> _definitions = [];

    private enum Layout
    {
        Samples,
        Iproute,

        /// <summary>Of a length that no known loader has.</summary>
        Other,
    }

    private readonly record struct Definition(BpfMap Map, uint[] Additions)
    {
        public bool HoldsMaps => Map.Type is BpfMapType.ARRAY_OF_MAPS or BpfMapType.HASH_OF_MAPS;

        public uint Addition(int index) => index < Additions.Length ? Additions[index] : 0;
    }

    /// <summary>A map with additions that cannot be understood, or null.</summary>
    public BpfMap? NotUnderstood { get; private set; }

    public int Count => _definitions.Count;

    /// <summary>Adds the map whose definition is <paramref name="bytes"/>, at least <see cref="MinimumSize"/> of them.</summary>
    public BpfMap Add(string name, int index, ReadOnlySpan<byte> bytes, bool bigEndian)
    {
        var reader = new ByteReader(bytes, bigEndian);
        reader.TryReadUInt32(0, out uint type);
        reader.TryReadUInt32(4, out uint keySize);
        reader.TryReadUInt32(8, out uint valueSize);
        reader.TryReadUInt32(12, out uint maxEntries);
        reader.TryReadUInt32(16, out uint flags);
        var additions = new uint[Math.Min(bytes.Length, IprouteSize + 4) / 4 - MinimumSize / 4];
        for (int i = 0; i < additions.Length; i++)
            reader.TryReadUInt32(MinimumSize + 4 * (ulong)i, out additions[i]);
        var map = new BpfMap
        {
            Index = index,
            Name = name,
            Type = (BpfMapType)type,
            KeySize = keySize,
            ValueSize = valueSize,
            MaxEntries = maxEntries,
            Flags = flags,
        };
        _definitions.Add(new Definition(map, additions));
        return map;
    }

    /// <summary>The maps in order, with what their additions say: pinning, NUMA node, inner map; and iproute2's ids, 0 for none.</summary>
    public IEnumerable<(BpfMap Map, uint Id)> Complete()
    {
        Layout layout = DetermineLayout();
        foreach (Definition definition in _definitions)
        {
            switch (layout)
            {
                case Layout.Samples:
                    bool hasNode = (definition.Map.Flags & HasNumaNode) != 0;
                    BpfMap? inner = definition.HoldsMaps ? TemplateAt(definition.Addition(0), definition) : null;
                    yield return (definition.Map with { Inner = inner, NumaNode = hasNode ? definition.Addition(1) : 0 }, 0);
                    break;
                case Layout.Iproute:
                    yield return (CompleteIproute(definition), definition.Addition(0));
                    break;
                case Layout.Other:
                    if (definition.Additions.AsSpan().ContainsAnyExcept(0u))
                        NotUnderstood ??= definition.Map;
                    yield return (definition.Map, 0);
                    break;
            }
        }
    }

    private BpfMap CompleteIproute(Definition definition)
    {
        BpfMap map = definition.Map with { Pinning = definition.Addition(1) == 0 ? 0 : PinByName };
        uint innerId = definition.Addition(2);
        if (!definition.HoldsMaps || innerId == 0)
            return map;
        var slots = new List<int>();
        foreach (Definition inner in _definitions)
        {
            if (inner.Addition(0) != innerId || inner.HoldsMaps)
                continue;
            map = map with { Inner = map.Inner ?? AsTemplate(inner.Map) };
            uint slot = inner.Addition(3);
            if (map.Type != BpfMapType.ARRAY_OF_MAPS || inner.Addition(2) != 0 || slot == NoSlot || slot >= Math.Min(map.MaxEntries, 1 << 16))
                continue;
            while (slots.Count <= slot)
                slots.Add(-1);
            slots[(int)slot] = inner.Map.Index;
        }

        return map with { InitialValues = [.. slots] };
    }

    /// <summary>
    /// Of the 28 bytes that two loaders gave two meanings, those of the samples are told by a map of maps or a NUMA node: iproute2 took
    /// 36 bytes since it has maps of maps.
    /// </summary>
    private Layout DetermineLayout()
    {
        int longest = 0;
        bool isOfSamples = false;
        foreach (Definition definition in _definitions)
        {
            longest = Math.Max(longest, MinimumSize + 4 * definition.Additions.Length);
            isOfSamples |= definition.HoldsMaps || (definition.Map.Flags & HasNumaNode) != 0;
        }

        return longest switch
        {
            <= SamplesSize => isOfSamples ? Layout.Samples : Layout.Iproute,
            IprouteSize => Layout.Iproute,
            _ => Layout.Other,
        };
    }

    private BpfMap? TemplateAt(uint index, Definition outer) =>
        index < _definitions.Count && _definitions[(int)index].Map != outer.Map ? AsTemplate(_definitions[(int)index].Map) : null;

    private static BpfMap AsTemplate(BpfMap map) => map with { Index = -1 };
}
