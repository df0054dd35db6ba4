using BpfPpcc.Btf;
using BpfPpcc.Diagnostics;

namespace BpfPpcc.Loading;

/// <summary>
/// Checks that the inputs of a link fit each other: licence and version, and for every name that one input declares and another defines,
/// or that two define, the types that BTF gives.
/// </summary>
internal sealed class LinkAgreement(IReadOnlyList<BpfModule> modules, LinkSymbols symbols, DiagnosticBag diagnostics)
{
    private bool _ok = true;

    /// <summary>The licence of the result: all inputs that have one have the same.</summary>
    public static bool TryAgreeOnLicence(IReadOnlyList<BpfModule> modules, DiagnosticBag diagnostics, out string licence, out uint version)
    {
        BpfModule? licensed = modules.FirstOrDefault(static module => module.Licence.Length != 0);
        BpfModule? versioned = modules.FirstOrDefault(static module => module.KernelVersion != 0);
        licence = licensed?.Licence ?? "";
        version = versioned?.KernelVersion ?? 0;
        bool ok = true;
        foreach (BpfModule module in modules)
        {
            if (module.IsBigEndian != modules[0].IsBigEndian)
                ok = Differ(module, $"its byte order is not that of {modules[0].SourceName}", null, diagnostics);
            if (module.Licence.Length != 0 && module.Licence != licence)
                ok = Differ(module, $"its licence is '{module.Licence}', but that of {licensed!.SourceName} is '{licence}'", "license", diagnostics);
            if (module.KernelVersion != 0 && module.KernelVersion != version)
                ok = Differ(module, $"its version is 0x{module.KernelVersion:x}, but that of {versioned!.SourceName} is 0x{version:x}", "version", diagnostics);
        }

        return ok;
    }

    /// <summary>False after errors.</summary>
    public bool Check()
    {
        for (int input = 0; input < modules.Count; input++)
        {
            CheckReferences(input);
            if (modules[input].Btf is { } btf)
                CheckExterns(input, btf);
        }

        foreach ((LinkSymbol loser, string name) in symbols.Losers.OrderBy(static pair => pair.Key.Input))
            CheckDefinitions(loser, name);
        return _ok;
    }

    /// <summary>The FUNC or VAR that describes a definition, or 0.</summary>
    public static uint TypeOf(BtfTypes? btf, LinkSymbolKind kind, string name)
    {
        BtfKind wanted = kind == LinkSymbolKind.Function ? BtfKind.FUNC : BtfKind.VAR;
        foreach (uint id in btf?.FindAll(name) ?? [])
        {
            if (btf![id].Kind == wanted && btf.LinkageOf(btf[id]) == BtfLinkage.GLOBAL)
                return id;
        }

        return 0;
    }

    /// <summary>A call needs a function, whatever the types say.</summary>
    private void CheckReferences(int input)
    {
        foreach (BpfFunction function in modules[input].Functions)
        {
            foreach ((int slot, BpfReference reference) in function.References)
            {
                if (reference is not BpfReference.ExternCall call || !symbols.TryFind(call.Name, out LinkSymbol symbol) || symbol.Kind == LinkSymbolKind.Function)
                    continue;
                var location = new DiagnosticLocation(
                    modules[input].SourceName, function.SectionName, function.Name, slot, function.PositionOf(slot));
                Differ($"'{call.Name}' is called, but it is a {LinkSymbols.Word(symbol.Kind)} in {symbols.PlaceOf(symbol)}", location);
            }
        }
    }

    private void CheckExterns(int input, BtfTypes btf)
    {
        for (uint id = 1; id < btf.Count; id++)
        {
            BtfType type = btf[id];
            if (type.Kind is not (BtfKind.FUNC or BtfKind.VAR) || btf.LinkageOf(type) != BtfLinkage.EXTERN)
                continue;
            string name = btf.NameOf(id);
            if (!symbols.TryFind(name, out LinkSymbol symbol))
                continue;
            var location = new DiagnosticLocation(modules[input].SourceName);
            if (type.Kind == BtfKind.FUNC != (symbol.Kind == LinkSymbolKind.Function))
                Differ($"'{name}' is declared as a {(type.Kind == BtfKind.FUNC ? "function" : "variable")}, but it is a {LinkSymbols.Word(symbol.Kind)} in {symbols.PlaceOf(symbol)}", location);
            else if (symbol.Kind == LinkSymbolKind.Map)
                CheckExternMap(btf, name, symbol, location);
            else
                CheckTypes(btf, id, symbol, name, location);
        }
    }

    private void CheckExternMap(BtfTypes btf, string name, LinkSymbol symbol, DiagnosticLocation location)
    {
        BpfMap? declared = new BtfMapReader(btf).Read(name, index: 0, out _, out string fault);
        if (declared is null)
            Differ($"'{name}' is declared as an extern variable, but it is a map in {symbols.PlaceOf(symbol)}, and the declaration {fault}", location);
        else if (DifferenceOf(declared, modules[symbol.Input].Maps[symbol.Index]) is { } difference)
            Differ($"map '{name}' is declared with another {difference} than its definition in {symbols.PlaceOf(symbol)} has", location);
    }

    private void CheckDefinitions(LinkSymbol loser, string name)
    {
        LinkSymbol winner = symbols.WinnerOf(loser);
        DiagnosticLocation location = symbols.LocationOf(loser);
        if (loser.Kind == LinkSymbolKind.Map)
        {
            if (DifferenceOf(modules[loser.Input].Maps[loser.Index], modules[winner.Input].Maps[winner.Index]) is { } difference)
                Differ($"map '{name}' is defined with another {difference} than in {symbols.PlaceOf(winner)}", location);
            return;
        }

        if (modules[loser.Input].Btf is { } btf && TypeOf(btf, loser.Kind, name) is not 0 and uint id)
            CheckTypes(btf, id, winner, name, location);
    }

    private void CheckTypes(BtfTypes btf, uint id, LinkSymbol symbol, string name, DiagnosticLocation location)
    {
        BtfTypes? others = modules[symbol.Input].Btf;
        uint other = TypeOf(others, symbol.Kind, name);
        if (other != 0 && !BtfAgreement.Agree(btf, id, others!, other))
            Differ($"{LinkSymbols.Word(symbol.Kind)} '{name}' is declared with another type than its definition in {symbols.PlaceOf(symbol)} has", location);
    }

    private static string? DifferenceOf(BpfMap map, BpfMap other) =>
        map.Type != other.Type ? "type"
        : map.KeySize != other.KeySize ? "key size"
        : map.ValueSize != other.ValueSize ? "value size"
        : map.MaxEntries != other.MaxEntries ? "max_entries"
        : map.Flags != other.Flags ? "map_flags"
        : map.Pinning != other.Pinning ? "pinning"
        : map.NumaNode != other.NumaNode ? "numa_node"
        : map.Extra != other.Extra ? "map_extra"
        : map.Inner is { } inner && other.Inner is { } otherInner ? DifferenceOf(inner, otherInner) is { } difference ? "inner map's " + difference : null
        : map.Inner is not null || other.Inner is not null ? "inner map"
        : null;

    private void Differ(string message, DiagnosticLocation location)
    {
        diagnostics.Error(DiagnosticId.LinkTypesDiffer, message, location, "let both objects include one header with the declaration");
        _ok = false;
    }

    private static bool Differ(BpfModule module, string what, string? section, DiagnosticBag diagnostics)
    {
        diagnostics.Error(DiagnosticId.LinkInputsDiffer, $"the inputs do not fit each other: {what}", new DiagnosticLocation(module.SourceName, section));
        return false;
    }
}
