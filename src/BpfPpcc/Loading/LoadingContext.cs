using System.Globalization;
using BpfPpcc.Btf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Elf;
using static BpfPpcc.Elf.ElfConstants;

namespace BpfPpcc.Loading;

/// <summary>What the loader takes a section of the input for.</summary>
internal enum SectionKind
{
    /// <summary>Debug information and whatever else has no place in the module.</summary>
    Other,

    /// <summary>Instructions.</summary>
    Code,

    /// <summary>Global variables and constants.</summary>
    Data,

    /// <summary>".maps": definitions that BTF describes.</summary>
    BtfMaps,

    /// <summary>"maps": an array of struct bpf_map_def.</summary>
    LegacyMaps,
}

/// <summary>The input of one load, seen by all its steps: the ELF file, its sections by kind, its symbols by section, its BTF.</summary>
internal sealed class LoadingContext
{
    private readonly string _fileName;
    private readonly DiagnosticBag _diagnostics;
    private readonly Dictionary<ElfSection, SectionKind> _kinds = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<ElfSection, List<ElfSymbol>> _symbols = new(ReferenceEqualityComparer.Instance);

    public LoadingContext(ElfFile file, string fileName, DiagnosticBag diagnostics)
    {
        File = file;
        _fileName = fileName;
        _diagnostics = diagnostics;
        foreach (ElfSection section in file.Sections)
            _kinds.Add(section, Classify(section));
        foreach (ElfSymbol symbol in file.Symbols)
        {
            if (symbol.Section is null)
                continue;
            if (!_symbols.TryGetValue(symbol.Section, out List<ElfSymbol>? symbols))
                _symbols.Add(symbol.Section, symbols = []);
            symbols.Add(symbol);
        }
    }

    public ElfFile File { get; }

    /// <summary>The object is to be linked with others: it may lack programs.</summary>
    public bool IsPart { get; init; }

    public string FileName => _fileName;

    public DiagnosticBag Diagnostics => _diagnostics;

    public BtfTypes? Btf { get; set; }

    public BtfExt? BtfExt { get; set; }

    public SectionKind KindOf(ElfSection section) => _kinds.GetValueOrDefault(section);

    /// <summary>The symbols that are defined in a section, in the order of the symbol table.</summary>
    public IReadOnlyList<ElfSymbol> SymbolsOf(ElfSection section) =>
        _symbols.TryGetValue(section, out List<ElfSymbol>? symbols) ? symbols : [];

    /// <summary>Reports an error and returns false.</summary>
    public bool Fail(DiagnosticId id, string message, string? section = null, string? function = null, int instruction = -1,
        SourcePosition? source = null, string? help = null)
    {
        _diagnostics.Error(id, message, new DiagnosticLocation(_fileName, section, function, instruction, source), help);
        return false;
    }

    /// <summary>
    /// Labels inside functions, which have symbols in objects of old compilers and in hand-written assembly: they name no function and
    /// no variable.
    /// </summary>
    public static bool IsLocalLabel(string name) =>
        name.Length == 0 || name.StartsWith(".L", StringComparison.Ordinal) || name.StartsWith("LBB", StringComparison.Ordinal)
        || name.StartsWith("Ltmp", StringComparison.Ordinal);

    public static string Hex(ulong value) => "0x" + value.ToString("x", CultureInfo.InvariantCulture);

    private static SectionKind Classify(ElfSection section)
    {
        string name = section.Name;
        if (name == ".maps")
            return SectionKind.BtfMaps;
        if (name == "maps" || name.StartsWith("maps/", StringComparison.Ordinal))
            return SectionKind.LegacyMaps;
        if (section.Type is not (SHT_PROGBITS or SHT_NOBITS) || !section.HasFlag(SHF_ALLOC) || section.Size == 0)
            return SectionKind.Other;
        if (section.HasFlag(SHF_EXECINSTR))
            return SectionKind.Code;
        bool isSpecial = name is "license" or "version" or ".eh_frame" || name.StartsWith(".BTF", StringComparison.Ordinal);
        return isSpecial ? SectionKind.Other : SectionKind.Data;
    }
}
