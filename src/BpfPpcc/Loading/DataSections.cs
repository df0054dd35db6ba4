using System.Collections.Immutable;
using System.Runtime.InteropServices;
using BpfPpcc.Collections;
using BpfPpcc.Diagnostics;
using BpfPpcc.Elf;
using static BpfPpcc.Elf.ElfConstants;
using static BpfPpcc.Loading.LoadingContext;
using static BpfPpcc.Loading.RelocationTypes;

namespace BpfPpcc.Loading;

/// <summary>Builds the module's data sections and fills in what maps hold from `.values`: both are data with addresses in it.</summary>
internal sealed class DataSections(LoadingContext context, ReferenceResolver resolver)
{
    private const ulong MaximumAlignment = 1 << 16;

    /// <summary>The data sections of the object, in file order; their places in the list are their indices.</summary>
    public static List<ElfSection> Find(LoadingContext context) =>
        [.. context.File.Sections.Where(section => context.KindOf(section) == SectionKind.Data)];

    /// <summary>The section, or null after an error.</summary>
    public BpfDataSection? Build(ElfSection section, int index)
    {
        if (section.Size > int.MaxValue)
            return Fail(section, $"has {Hex(section.Size)} bytes, more than the {Hex(int.MaxValue)} that are supported");
        if (section.Alignment > MaximumAlignment)
            return Fail(section, $"has alignment {Hex(section.Alignment)}, more than the {Hex(MaximumAlignment)} that are supported");
        if (!TryVariables(section, out ImmutableArray<BpfVariable> variables))
            return null;
        if (!TryRelocations(section, out ImmutableArray<BpfDataRelocation> relocations))
            return null;
        return new BpfDataSection
        {
            Index = index,
            Name = section.Name,
            IsReadOnly = !section.HasFlag(SHF_WRITE),
            Size = (long)section.Size,
            Alignment = (long)Math.Max(1, section.Alignment),
            Contents = ImmutableCollectionsMarshal.AsImmutableArray(section.Contents.ToArray()),
            Variables = variables,
            Relocations = relocations,
        };
    }

    /// <summary>
    /// What the maps of one .maps section hold at first, by map index: the relocations that lie in the `.values` of its definitions.
    /// False after an error.
    /// </summary>
    public bool TryReadInitialValues(ElfSection section, IReadOnlyList<MapPlace> maps, Dictionary<int, List<int>> values)
    {
        MapPlace[] places = [.. maps.Where(map => map.Section == section).OrderBy(static map => map.Offset)];
        foreach (ElfRelocation relocation in section.Relocations.OrderBy(static relocation => relocation.Offset))
        {
            if (relocation.Type == R_BPF_NONE)
                continue;
            MapPlace map = PlaceAt(places, relocation.Offset);
            if (!TryResolve(section, relocation, out BpfReference reference, out _))
                return false;
            long distance = map.Map is null || map.ValuesOffset < 0 ? -1 : (long)(relocation.Offset - map.Offset) - map.ValuesOffset;
            if (distance < 0 || distance % 8 != 0)
                return FailMap(section, $"has an address at {Hex(relocation.Offset)}, which is not in the values of a map");
            int element = reference switch
            {
                BpfReference.FunctionAddress function when map.Map!.Inner is null => function.Function,
                BpfReference.MapAddress inner when map.Map!.Inner is not null => inner.Map,
                _ => -1,
            };
            if (element < 0)
                return FailMap(section, $"has a value for map '{map.Map!.Name}' that is not what the map holds");

            if (!values.TryGetValue(map.Map!.Index, out List<int>? elements))
                values.Add(map.Map.Index, elements = []);
            while (elements.Count <= distance / 8)
                elements.Add(-1);
            elements[(int)(distance / 8)] = element;
        }

        return true;
    }

    private bool TryVariables(ElfSection section, out ImmutableArray<BpfVariable> variables)
    {
        variables = [];
        ImmutableArray<BpfVariable>.Builder builder = ImmutableArray.CreateBuilder<BpfVariable>();
        foreach (ElfSymbol symbol in context.SymbolsOf(section).OrderBy(static symbol => symbol.Value))
        {
            if (symbol.Type is not (STT_OBJECT or STT_NOTYPE) || IsLocalLabel(symbol.Name))
                continue;
            if (symbol.Value > section.Size || symbol.Size > section.Size - symbol.Value)
                return Fail(section, $"has a variable '{symbol.Name}' that does not lie inside of it") is not null;
            bool isHidden = symbol.Visibility is STV_HIDDEN or STV_INTERNAL;
            builder.Add(new BpfVariable(symbol.Name, (long)symbol.Value, (long)symbol.Size, symbol.IsLocal, symbol.IsWeak, isHidden));
        }

        variables = builder.DrainToImmutable();
        return true;
    }

    private bool TryRelocations(ElfSection section, out ImmutableArray<BpfDataRelocation> relocations)
    {
        relocations = [];
        ImmutableArray<BpfDataRelocation>.Builder builder = ImmutableArray.CreateBuilder<BpfDataRelocation>();
        foreach (ElfRelocation relocation in section.Relocations.OrderBy(static relocation => relocation.Offset))
        {
            if (relocation.Type == R_BPF_NONE)
                continue;
            if (!TryResolve(section, relocation, out BpfReference reference, out long addend))
                return false;
            builder.Add(new BpfDataRelocation((long)relocation.Offset, reference, addend));
        }

        relocations = builder.DrainToImmutable();
        return true;
    }

    private bool TryResolve(ElfSection section, ElfRelocation relocation, out BpfReference reference, out long addend)
    {
        reference = null!;
        addend = 0;
        string where = $"section '{section.Name}' has a relocation at {Hex(relocation.Offset)}";
        if (relocation.Type is not (R_BPF_64_ABS64 or R_BPF_64_64))
        {
            string message = $"{where} of type {relocation.Type}; data can only hold whole 64-bit addresses";
            return context.Fail(DiagnosticId.RelocationUnsupported, message, section.Name);
        }

        var contents = new ByteReader(section.Contents.Span, context.File.IsBigEndian);
        if (!contents.TryReadUInt64(relocation.Offset, out ulong inPlace))
            return context.Fail(DiagnosticId.RelocationMalformed, $"{where}, where no 64-bit word of its contents is", section.Name);
        long given = relocation.IsImplicit ? (long)inPlace : relocation.Addend;
        if (resolver.TryResolveAddress(relocation.Symbol, given, out reference, out addend, out Fault fault))
            return true;
        return context.Fail(fault.Id, $"{where}: {fault.Message}", section.Name, help: fault.Help);
    }

    private static MapPlace PlaceAt(MapPlace[] places, ulong offset)
    {
        int low = 0, high = places.Length;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (places[middle].Offset <= offset)
                low = middle + 1;
            else
                high = middle;
        }

        return low == 0 ? default : places[low - 1];
    }

    private BpfDataSection? Fail(ElfSection section, string what)
    {
        context.Fail(DiagnosticId.ElfMalformed, $"section '{section.Name}' {what}", section.Name);
        return null;
    }

    private bool FailMap(ElfSection section, string what) =>
        context.Fail(DiagnosticId.MapMalformed, $"section '{section.Name}' {what}", section.Name);
}
