using System.Collections.Immutable;
using BpfPpcc.Diagnostics;

namespace BpfPpcc.Loading;

/// <summary>
/// Where the parts of all inputs come to lie in the result: functions and maps one after another without those that gave way, and data sections
/// of one name joined, each part at a multiple of 8 at least, so that offsets keep their alignment.
/// </summary>
internal sealed class LinkLayout
{
    private const long PartAlignment = 8;

    private readonly IReadOnlyList<BpfModule> _modules;
    private readonly LinkSymbols _symbols;
    private readonly List<MergedSection> _sections = [];

    /// <summary>By input and index: index in the result, or -1 for what gave way.</summary>
    private readonly int[][] _functions;

    private readonly int[][] _maps;

    /// <summary>By input and index.</summary>
    private readonly (int Section, long Base)[][] _data;

    /// <summary>By input and index of the section: its variables that gave way.</summary>
    private readonly Dictionary<(int Input, int Section), List<LinkSymbol>> _losingVariables = [];

    private LinkLayout(IReadOnlyList<BpfModule> modules, LinkSymbols symbols)
    {
        _modules = modules;
        _symbols = symbols;
        _functions = [.. modules.Select(static module => new int[module.Functions.Length])];
        _maps = [.. modules.Select(static module => new int[module.Maps.Length])];
        _data = [.. modules.Select(static module => new (int, long)[module.DataSections.Length])];
        foreach (LinkSymbol loser in symbols.Losers.Keys)
        {
            if (loser.Kind != LinkSymbolKind.Variable)
                continue;
            if (!_losingVariables.TryGetValue((loser.Input, loser.Index), out List<LinkSymbol>? variables))
                _losingVariables.Add((loser.Input, loser.Index), variables = []);
            variables.Add(loser);
        }
    }

    /// <summary>The layout; null after errors.</summary>
    public static LinkLayout? Create(IReadOnlyList<BpfModule> modules, LinkSymbols symbols, DiagnosticBag diagnostics)
    {
        var layout = new LinkLayout(modules, symbols);
        layout.NumberFunctionsAndMaps();
        return layout.TryPlaceSections(diagnostics) ? layout : null;
    }

    /// <summary>The index in the result of a function, or of the one that it gave way to.</summary>
    public int FunctionOf(int input, int function)
    {
        LinkSymbol winner = _symbols.WinnerOf(new LinkSymbol(input, LinkSymbolKind.Function, function));
        return _functions[winner.Input][winner.Index];
    }

    /// <summary>The index in the result of a map, or of the one that it gave way to.</summary>
    public int MapOf(int input, int map)
    {
        LinkSymbol winner = _symbols.WinnerOf(new LinkSymbol(input, LinkSymbolKind.Map, map));
        return _maps[winner.Input][winner.Index];
    }

    public bool IsDropped(int input, LinkSymbolKind kind, int index) => _symbols.Losers.ContainsKey(new LinkSymbol(input, kind, index));

    /// <summary>The section of the result that a section became part of, and where the part begins.</summary>
    public (int Section, long Base) PartOf(int input, int section) => _data[input][section];

    /// <summary>What a byte of a data section is in the result: itself, or the same byte of the variable that its own gave way to.</summary>
    public BpfReference.DataAddress DataOf(int input, int section, long offset)
    {
        if (_losingVariables.TryGetValue((input, section), out List<LinkSymbol>? losers))
        {
            foreach (LinkSymbol loser in losers)
            {
                BpfVariable variable = VariableOf(loser);
                if (offset >= variable.Offset && offset - variable.Offset < Math.Max(1, variable.Size))
                    return DataOf(_symbols.WinnerOf(loser), offset - variable.Offset);
            }
        }

        (int merged, long start) = _data[input][section];
        return new BpfReference.DataAddress(merged, start + offset);
    }

    /// <summary>What an undefined name is in the result, if another input defines it; else null.</summary>
    public BpfReference? Resolve(string name, bool isCall)
    {
        if (!_symbols.TryFind(name, out LinkSymbol symbol))
            return null;
        switch (symbol.Kind)
        {
            case LinkSymbolKind.Function:
                int function = _functions[symbol.Input][symbol.Index];
                return isCall ? new BpfReference.FunctionCall(function) : new BpfReference.FunctionAddress(function);
            case LinkSymbolKind.Map:
                return new BpfReference.MapAddress(_maps[symbol.Input][symbol.Index]);
            case LinkSymbolKind.Variable:
                return DataOf(symbol, 0);
        }

        throw new InvalidOperationException("a symbol kind without a rule");
    }

    /// <summary>The data sections of the result, with variables and relocations of all parts.</summary>
    /// <param name="relink">Turns a reference of an input into one of the result.</param>
    public ImmutableArray<BpfDataSection> BuildSections(Func<int, BpfReference, BpfReference> relink)
    {
        ImmutableArray<BpfDataSection>.Builder built = ImmutableArray.CreateBuilder<BpfDataSection>(_sections.Count);
        foreach (MergedSection section in _sections)
            built.Add(Build(section, built.Count, relink));
        return built.MoveToImmutable();
    }

    private void NumberFunctionsAndMaps()
    {
        int function = 0, map = 0;
        for (int input = 0; input < _modules.Count; input++)
        {
            for (int i = 0; i < _functions[input].Length; i++)
                _functions[input][i] = IsDropped(input, LinkSymbolKind.Function, i) ? -1 : function++;
            for (int i = 0; i < _maps[input].Length; i++)
                _maps[input][i] = IsDropped(input, LinkSymbolKind.Map, i) ? -1 : map++;
        }
    }

    private bool TryPlaceSections(DiagnosticBag diagnostics)
    {
        var byName = new Dictionary<string, int>();
        for (int input = 0; input < _modules.Count; input++)
        {
            foreach (BpfDataSection section in _modules[input].DataSections)
            {
                // Sections of one name in one object stay apart, as they are where only one object is compiled.
                if (!byName.TryGetValue(section.Name, out int merged) || _sections[merged].Parts[^1].Input == input)
                {
                    merged = _sections.Count;
                    byName.TryAdd(section.Name, merged);
                    _sections.Add(new MergedSection(section));
                }

                if (!TryAddPart(_sections[merged], merged, input, section, diagnostics))
                    return false;
            }
        }

        return true;
    }

    private bool TryAddPart(MergedSection merged, int index, int input, BpfDataSection section, DiagnosticBag diagnostics)
    {
        if (merged.First.IsReadOnly != section.IsReadOnly)
        {
            string first = _modules[merged.Parts[0].Input].SourceName;
            string message = $"section '{section.Name}' is {(section.IsReadOnly ? "read-only" : "writable")} here, but not in {first}";
            diagnostics.Error(DiagnosticId.LinkInputsDiffer, message, new DiagnosticLocation(_modules[input].SourceName, section.Name));
            return false;
        }

        long alignment = Math.Max(PartAlignment, section.Alignment);
        long start = (merged.Size + alignment - 1) & -alignment;
        if (start + section.Size > int.MaxValue)
        {
            string message = $"section '{section.Name}' of all inputs together has more bytes than are supported";
            diagnostics.Error(DiagnosticId.ElfMalformed, message, new DiagnosticLocation(_modules[input].SourceName, section.Name));
            return false;
        }

        _data[input][section.Index] = (index, start);
        merged.Add(input, section, start);
        return true;
    }

    private BpfDataSection Build(MergedSection merged, int index, Func<int, BpfReference, BpfReference> relink)
    {
        byte[] contents = merged.HasContents ? new byte[merged.Size] : [];
        var variables = new List<BpfVariable>();
        var relocations = new List<BpfDataRelocation>();
        foreach ((int input, BpfDataSection section, long start) in merged.Parts)
        {
            section.Contents.AsSpan().CopyTo(contents.AsSpan(merged.HasContents ? (int)start : 0));
            for (int i = 0; i < section.Variables.Length; i++)
            {
                BpfVariable variable = section.Variables[i];
                if (!_symbols.Losers.ContainsKey(new LinkSymbol(input, LinkSymbolKind.Variable, section.Index, i)))
                    variables.Add(variable with { Offset = start + variable.Offset });
            }

            foreach (BpfDataRelocation relocation in section.Relocations)
                relocations.Add(relocation with { Offset = start + relocation.Offset, Target = relink(input, relocation.Target) });
        }

        return merged.First with
        {
            Index = index,
            Size = merged.Size,
            Alignment = merged.Alignment,
            Contents = [.. contents],
            Variables = [.. variables],
            Relocations = [.. relocations],
        };
    }

    private BpfReference.DataAddress DataOf(LinkSymbol variable, long distance)
    {
        (int merged, long start) = _data[variable.Input][variable.Index];
        return new BpfReference.DataAddress(merged, start + VariableOf(variable).Offset + distance);
    }

    private BpfVariable VariableOf(LinkSymbol symbol) => _modules[symbol.Input].DataSections[symbol.Index].Variables[symbol.Variable];

    /// <summary>A data section of the result while its parts are collected.</summary>
    private sealed class MergedSection(BpfDataSection first)
    {
        public BpfDataSection First { get; } = first;

        public List<(int Input, BpfDataSection Section, long Start)> Parts { get; } = [];

        public long Size { get; private set; }

        public long Alignment { get; private set; } = 1;

        public bool HasContents { get; private set; }

        public void Add(int input, BpfDataSection section, long start)
        {
            Parts.Add((input, section, start));
            Size = start + section.Size;
            Alignment = Math.Max(Alignment, section.Alignment);
            HasContents |= !section.Contents.IsEmpty;
        }
    }
}
