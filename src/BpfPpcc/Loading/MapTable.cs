using BpfPpcc.Bpf;
using BpfPpcc.Collections;
using BpfPpcc.Diagnostics;
using BpfPpcc.Elf;
using static BpfPpcc.Elf.ElfConstants;
using static BpfPpcc.Loading.LoadingContext;

namespace BpfPpcc.Loading;

/// <summary>A map and the place of its definition.</summary>
/// <param name="ValuesOffset">Byte offset of `.values` in the definition, or -1.</param>
/// <param name="Id">iproute2's id of a map, 0 if it has none.</param>
internal readonly record struct MapPlace(ElfSection Section, ulong Offset, BpfMap Map, long ValuesOffset, uint Id = 0);

/// <summary>Reads the map definitions of an object, of both styles, in the order of their addresses.</summary>
internal sealed class MapTable
{
    private readonly LoadingContext _context;
    private readonly List<MapPlace> _places = [];

    private MapTable(LoadingContext context) => _context = context;

    /// <summary>The maps, without contents from `.values`; null after an error.</summary>
    public static List<MapPlace>? Read(LoadingContext context)
    {
        var table = new MapTable(context);
        foreach (ElfSection section in context.File.Sections)
        {
            bool ok = context.KindOf(section) switch
            {
                SectionKind.BtfMaps => table.TryReadBtfMaps(section),
                SectionKind.LegacyMaps => table.TryReadLegacyMaps(section),
                SectionKind.Other or SectionKind.Code or SectionKind.Data => true,
            };
            if (!ok)
                return null;
        }

        return table._places;
    }

    /// <summary>What is wrong with a map type, or null.</summary>
    public static string? FaultOf(BpfMapType type) => type switch
    {
        BpfMapType.UNSPEC => "has no type",
        > BpfMapType.ARENA => $"has the unknown type {(uint)type}",
        _ => null,
    };

    private bool TryReadBtfMaps(ElfSection section)
    {
        if (section.Size == 0)
            return true;
        if (_context.Btf is null)
        {
            const string Message = "section '.maps' has no type information, which its definitions consist of";
            return _context.Fail(DiagnosticId.MapMalformed, Message, section.Name, help: "compile with -g");
        }

        var reader = new BtfMapReader(_context.Btf);
        foreach (ElfSymbol symbol in DefinitionSymbols(section))
        {
            BpfMap? map = reader.Read(symbol.Name, _places.Count, out long valuesOffset, out string fault);
            if (map is null)
                return Fail(section, symbol.Name, fault);
            _places.Add(new MapPlace(section, symbol.Value, map, valuesOffset));
        }

        return true;
    }

    private bool TryReadLegacyMaps(ElfSection section)
    {
        var legacy = new LegacyMaps();
        var reader = new ByteReader(section.Contents.Span, _context.File.IsBigEndian);
        List<ElfSymbol> symbols = DefinitionSymbols(section);
        for (int i = 0; i < symbols.Count; i++)
        {
            ElfSymbol symbol = symbols[i];
            ulong limit = i + 1 < symbols.Count ? symbols[i + 1].Value : section.Size;
            ulong available = limit - Math.Min(symbol.Value, limit);
            ulong size = symbol.Size == 0 || symbol.Size > available ? available : symbol.Size;
            if (size < LegacyMaps.MinimumSize || !reader.TrySlice(symbol.Value, size, out ReadOnlySpan<byte> definition))
            {
                string has = $"has a definition of {size} bytes at {Hex(symbol.Value)}";
                return Fail(section, symbol.Name, $"{has}, expected {LegacyMaps.MinimumSize} bytes or more inside of the section");
            }

            BpfMap map = legacy.Add(symbol.Name, _places.Count + i, definition, _context.File.IsBigEndian);
            if (FaultOf(map.Type) is string fault)
                return Fail(section, symbol.Name, fault);
        }

        int next = 0;
        foreach ((BpfMap map, uint id) in legacy.Complete())
            _places.Add(new MapPlace(section, symbols[next++].Value, map, ValuesOffset: -1, id));
        if (legacy.NotUnderstood is BpfMap ignored)
            WarnOfIgnoredFields(section, ignored.Name);
        return true;
    }

    /// <summary>Loaders disagree about what follows.</summary>
    private void WarnOfIgnoredFields(ElfSection section, string map)
    {
        string message = $"map '{map}' sets fields behind map_flags, whose meaning depends on the loader; they are ignored";
        var location = new DiagnosticLocation(_context.FileName, section.Name);
        _context.Diagnostics.Warning(DiagnosticId.MapFieldIgnored, message, location, "define the map in section .maps with BTF");
    }

    /// <summary>One symbol for each address, by address.</summary>
    private List<ElfSymbol> DefinitionSymbols(ElfSection section)
    {
        var symbols = new List<ElfSymbol>();
        foreach (ElfSymbol symbol in _context.SymbolsOf(section).OrderBy(static s => s.Value))
        {
            if (symbol.Type is not (STT_OBJECT or STT_NOTYPE) || IsLocalLabel(symbol.Name))
                continue;
            if (symbols.Count == 0 || symbols[^1].Value != symbol.Value)
                symbols.Add(symbol);
        }

        return symbols;
    }

    private bool Fail(ElfSection section, string map, string what) =>
        _context.Fail(DiagnosticId.MapMalformed, $"map '{map}' {what}", section.Name);
}
