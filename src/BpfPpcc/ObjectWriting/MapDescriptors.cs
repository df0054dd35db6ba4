using System.Collections.Immutable;
using BpfPpcc.Bpf;
using BpfPpcc.Collections;
using BpfPpcc.Diagnostics;
using BpfPpcc.Elf;
using BpfPpcc.Loading;

namespace BpfPpcc.ObjectWriting;

/// <summary>
/// The section bpf_maps: one struct bpfppcc_map per map of this object, in input order, and the storage that ARRAY maps and prog arrays bring
/// along (object-abi.md, Maps).
/// </summary>
internal sealed class MapDescriptors
{
    /// <summary>sizeof(struct bpfppcc_map).</summary>
    public const int DescriptorSize = MapDescriptorPlacement.DescriptorSize;

    /// <summary>Offset of the pointer to the elements of an ARRAY.</summary>
    public const int ValuesOffset = 88;

    private const int SlotSize = 8;

    /// <summary>More than the TOC reaches would not link.</summary>
    private const long MaxSlotBytes = 1 << 30;

    private const uint HasOwnStorage = 1;
    private const uint IsReadInline = 2;

    private readonly BpfModule _module;
    private readonly OutputSections _sections;
    private readonly StringPool _strings;
    private readonly DiagnosticBag _diagnostics;
    private readonly ImmutableArray<bool> _hasStorage;

    /// <summary>By <see cref="BpfMap.Index"/>: number of the descriptor, or -1 for a map of another object.</summary>
    private readonly ImmutableArray<int> _descriptors;

    public MapDescriptors(BpfModule module, OutputSections sections, StringPool strings, DiagnosticBag diagnostics)
    {
        _module = module;
        _sections = sections;
        _strings = strings;
        _diagnostics = diagnostics;
        _hasStorage = ArrayStorage.Find(module.Maps);
        _descriptors = MapDescriptorPlacement.Number(module.Maps);
        foreach (int descriptor in _descriptors)
            Count = Math.Max(Count, descriptor + 1);
    }

    /// <summary>Number of descriptors.</summary>
    public int Count { get; private set; }

    /// <summary>False for a map that another object defines.</summary>
    public bool IsDefinedHere(int map) => _descriptors[map] >= 0;

    /// <summary>Offset of a map's descriptor in bpf_maps.</summary>
    public long OffsetOf(int map) => (long)_descriptors[map] * DescriptorSize;

    public (ElfSymbol Symbol, long Addend) AddressOf(int map, UndefinedSymbols undefined) => IsDefinedHere(map)
        ? (_sections.Maps.Symbol, OffsetOf(map))
        : (undefined.Get(_module.Maps[map].Name), 0);

    /// <param name="programs">For the slots of prog arrays.</param>
    public void Write(ProgramDescriptors programs, UndefinedSymbols undefined)
    {
        foreach (BpfMap map in _module.Maps)
        {
            if (!IsDefinedHere(map.Index))
                continue;
            var contents = new Contents(
                Inner: map.Inner is { } inner ? WriteTemplate(map, inner) : null,
                Init: HoldsMaps(map) && !map.InitialValues.IsEmpty ? WriteInitialMaps(map, undefined) : null,
                Values: _hasStorage[map.Index] ? _sections.Storage.Reserve(ArrayStorage.Size(map)) : null,
                Progs: map.Type == BpfMapType.PROG_ARRAY ? WriteSlots(map, programs) : null);
            WriteDescriptor(_sections.Maps, map, map.Name, contents);
        }
    }

    /// <summary>The map that the elements of a map-in-map are like; it is no map of the module and stands in no table.</summary>
    private Place WriteTemplate(BpfMap outer, BpfMap inner)
    {
        string name = inner.Name.Length != 0 ? inner.Name : outer.Name + ".inner";
        SectionBuilder section = _sections.InitialStorage;
        section.Bytes.Align(8);
        Place place = section.Next;
        WriteDescriptor(section, inner, name, new Contents(null, null, null, null));
        return place;
    }

    private Place WriteInitialMaps(BpfMap map, UndefinedSymbols undefined)
    {
        SectionBuilder section = _sections.Constants;
        section.Bytes.Align(8);
        Place start = section.Next;
        foreach (int value in map.InitialValues)
        {
            if (value < 0)
            {
                section.Bytes.WriteUInt64(0);
                continue;
            }

            (ElfSymbol symbol, long addend) = AddressOf(value, undefined);
            section.WriteAddress(symbol, addend);
        }

        return start;
    }

    private Place WriteSlots(BpfMap map, ProgramDescriptors programs)
    {
        // The C standard has no objects without bytes, and progs is never NULL.
        long size = Math.Max(1, (long)map.MaxEntries) * SlotSize;
        if (size > MaxSlotBytes)
        {
            string message = $"the prog array '{map.Name}' has {map.MaxEntries} slots, which is more than an object can hold";
            _diagnostics.Error(DiagnosticId.MapTooLarge, message, new DiagnosticLocation(_module.SourceName));
            size = SlotSize;
        }

        if (map.InitialValues.IsEmpty)
            return _sections.Storage.Reserve(size);
        Place slots = _sections.InitialStorage.Reserve(size);
        for (int i = 0; i < map.InitialValues.Length && !_diagnostics.HasErrors; i++)
        {
            int function = map.InitialValues[i];
            if (function >= 0)
                FillSlot(map, new Place(slots.Section, slots.Offset + (long)i * SlotSize), i, function, programs);
        }

        return slots;
    }

    private void FillSlot(BpfMap map, Place slot, int index, int function, ProgramDescriptors programs)
    {
        if (index < map.MaxEntries && programs.TryFind(function, out Place descriptor))
        {
            slot.Section.RelocateAddress(slot.Offset, descriptor.Section.Symbol, descriptor.Offset);
            return;
        }

        string reason = index < map.MaxEntries ? "is no program" : "would be beyond max_entries";
        _diagnostics.Error(
            DiagnosticId.InitialValueInvalid,
            $"'{_module.Functions[function].Name}', the initial value of slot {index} of the prog array '{map.Name}', {reason}",
            new DiagnosticLocation(_module.SourceName));
    }

    private void WriteDescriptor(SectionBuilder section, BpfMap map, string name, Contents contents)
    {
        ByteWriter bytes = section.Bytes;
        uint flags = (contents.Values is null ? 0 : HasOwnStorage | IsReadInline) | (contents.Progs is null ? 0 : HasOwnStorage);
        bytes.WriteUInt32(DescriptorSize);
        bytes.WriteUInt32((uint)map.Type);
        bytes.WriteUInt32(map.KeySize);
        bytes.WriteUInt32(map.ValueSize);
        bytes.WriteUInt32(map.MaxEntries);
        bytes.WriteUInt32(map.Flags);
        bytes.WriteUInt32(map.Pinning);
        bytes.WriteUInt32(map.NumaNode);
        bytes.WriteUInt64(map.Extra);
        section.WriteAddress(_strings.Add(name));
        section.WriteAddressOrNull(contents.Inner);
        section.WriteAddressOrNull(contents.Init);
        bytes.WriteUInt32(contents.Init is null ? 0 : (uint)map.InitialValues.Length);
        bytes.WriteUInt32(map.BtfKeyType);
        bytes.WriteUInt32(map.BtfValueType);
        bytes.WriteUInt32(flags);
        bytes.WriteUInt64(0);
        section.WriteAddressOrNull(contents.Values);
        section.WriteAddressOrNull(contents.Progs);
        section.WriteAddress(ModuleRecord.PlaceIn(_sections));
        bytes.WriteZeros(16);
    }

    private static bool HoldsMaps(BpfMap map) => map.Type is BpfMapType.ARRAY_OF_MAPS or BpfMapType.HASH_OF_MAPS;

    /// <summary>Where a descriptor points.</summary>
    private readonly record struct Contents(Place? Inner, Place? Init, Place? Values, Place? Progs);
}
