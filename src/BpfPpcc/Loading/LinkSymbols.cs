using BpfPpcc.Diagnostics;

namespace BpfPpcc.Loading;

/// <summary>What a global name of an input stands for.</summary>
internal enum LinkSymbolKind
{
    Function,
    Map,
    Variable,
}

/// <summary>One definition of a global name.</summary>
/// <param name="Input">Which input.</param>
/// <param name="Index">Index of the function or map, or of the variable's section.</param>
/// <param name="Variable">Place in the section's list of variables; 0 for others.</param>
internal readonly record struct LinkSymbol(int Input, LinkSymbolKind Kind, int Index, int Variable = 0);

/// <summary>
/// The global names of all inputs and the definition that each stands for: the strong one, or the first of several weak ones. Hidden
/// names are global here, because linking makes one object of all.
/// </summary>
internal sealed class LinkSymbols
{
    private readonly IReadOnlyList<BpfModule> _modules;
    private readonly DiagnosticBag _diagnostics;
    private readonly Dictionary<string, LinkSymbol> _winners = [];
    private readonly Dictionary<LinkSymbol, string> _losers = [];
    private bool _ok = true;

    private LinkSymbols(IReadOnlyList<BpfModule> modules, DiagnosticBag diagnostics)
    {
        _modules = modules;
        _diagnostics = diagnostics;
    }

    /// <summary>Definitions that gave way, and their names.</summary>
    public IReadOnlyDictionary<LinkSymbol, string> Losers => _losers;

    /// <summary>The names; null after errors.</summary>
    public static LinkSymbols? Collect(IReadOnlyList<BpfModule> modules, DiagnosticBag diagnostics)
    {
        var symbols = new LinkSymbols(modules, diagnostics);
        for (int input = 0; input < modules.Count; input++)
            symbols.AddAll(modules[input], input);
        return symbols._ok ? symbols : null;
    }

    public bool TryFind(string name, out LinkSymbol symbol) => _winners.TryGetValue(name, out symbol);

    /// <summary>What stands for this definition: itself, or the one that it gave way to.</summary>
    public LinkSymbol WinnerOf(LinkSymbol symbol) => _losers.TryGetValue(symbol, out string? name) ? _winners[name] : symbol;

    /// <summary>Where a definition is, for messages: "a.o, section 'xdp', a.c:12".</summary>
    public string PlaceOf(LinkSymbol symbol)
    {
        DiagnosticLocation location = LocationOf(symbol);
        string place = location.File ?? "";
        if (location.Section is not null)
            place += $", section '{location.Section}'";
        return location.Source is { } source ? $"{place}, {source.File}:{source.Line}" : place;
    }

    public DiagnosticLocation LocationOf(LinkSymbol symbol)
    {
        BpfModule module = _modules[symbol.Input];
        switch (symbol.Kind)
        {
            case LinkSymbolKind.Function:
                BpfFunction function = module.Functions[symbol.Index];
                return new DiagnosticLocation(module.SourceName, function.SectionName, function.Name, Source: function.PositionOf(0));
            case LinkSymbolKind.Map:
                return new DiagnosticLocation(module.SourceName);
            case LinkSymbolKind.Variable:
                return new DiagnosticLocation(module.SourceName, module.DataSections[symbol.Index].Name);
        }

        throw new InvalidOperationException("a symbol kind without a rule");
    }

    private void AddAll(BpfModule module, int input)
    {
        foreach (BpfFunction function in module.Functions)
        {
            if (!function.IsStatic)
                Add(function.Name, new LinkSymbol(input, LinkSymbolKind.Function, function.Index));
        }

        foreach (BpfMap map in module.Maps)
        {
            if (!map.IsExtern)
                Add(map.Name, new LinkSymbol(input, LinkSymbolKind.Map, map.Index));
        }

        foreach (BpfDataSection section in module.DataSections)
        {
            for (int i = 0; i < section.Variables.Length; i++)
            {
                if (!section.Variables[i].IsStatic)
                    Add(section.Variables[i].Name, new LinkSymbol(input, LinkSymbolKind.Variable, section.Index, i));
            }
        }
    }

    private void Add(string name, LinkSymbol symbol)
    {
        if (_winners.TryAdd(name, symbol))
            return;
        LinkSymbol other = _winners[name];
        if (other.Kind != symbol.Kind || (!IsWeak(other) && !IsWeak(symbol)))
        {
            string what = other.Kind == symbol.Kind ? "" : $", as a {Word(symbol.Kind)} here and as a {Word(other.Kind)} there";
            _diagnostics.Error(DiagnosticId.LinkDefinedTwice, $"'{name}' is defined twice{what}; the other definition is in {PlaceOf(other)}",
                LocationOf(symbol), "make one of them static, extern or weak");
            _ok = false;
        }
        else if (IsWeak(other) && !IsWeak(symbol))
        {
            _losers.Add(other, name);
            _winners[name] = symbol;
        }
        else
        {
            _losers.Add(symbol, name);
        }
    }

    private bool IsWeak(LinkSymbol symbol) => symbol.Kind switch
    {
        LinkSymbolKind.Function => _modules[symbol.Input].Functions[symbol.Index].IsWeak,
        LinkSymbolKind.Map => _modules[symbol.Input].Maps[symbol.Index].IsWeak,
        LinkSymbolKind.Variable => _modules[symbol.Input].DataSections[symbol.Index].Variables[symbol.Variable].IsWeak,
    };

    public static string Word(LinkSymbolKind kind) => kind switch
    {
        LinkSymbolKind.Function => "function",
        LinkSymbolKind.Map => "map",
        LinkSymbolKind.Variable => "variable",
    };
}
