using System.Collections.Immutable;
using BpfPpcc.Bpf;
using BpfPpcc.Collections;
using BpfPpcc.Diagnostics;

namespace BpfPpcc.Loading;

/// <summary>
/// Links several modules into one, as libbpf's static linker does with objects ("bpftool gen object"): undefined names become what
/// another input defines, a weak definition gives way to a strong one, data sections of one name are joined, types are merged. What no
/// input defines stays undefined.
/// </summary>
public sealed class ModuleLinker
{
    private readonly IReadOnlyList<BpfModule> _modules;
    private readonly LinkLayout _layout;

    private ModuleLinker(IReadOnlyList<BpfModule> modules, LinkLayout layout)
    {
        _modules = modules;
        _layout = layout;
    }

    /// <summary>The module that all of <paramref name="modules"/> make, or null after errors.</summary>
    /// <param name="modules">At least one, loaded with <see cref="LoaderOptions.IsPart"/>; everything keeps their order.</param>
    public static BpfModule? Link(IReadOnlyList<BpfModule> modules, DiagnosticBag diagnostics) => Link(modules, externMaps: [], diagnostics);

    /// <summary>The module that all of <paramref name="modules"/> make, or null after errors.</summary>
    /// <param name="modules">At least one, loaded with <see cref="LoaderOptions.IsPart"/>; everything keeps their order.</param>
    /// <param name="externMaps">Maps of the result that an object outside of it defines (--extern-map).</param>
    public static BpfModule? Link(IReadOnlyList<BpfModule> modules, ImmutableArray<string> externMaps, DiagnosticBag diagnostics)
    {
        if (!LinkAgreement.TryAgreeOnLicence(modules, diagnostics, out string licence, out uint version)
            || LinkSymbols.Collect(modules, diagnostics) is not { } symbols
            || !new LinkAgreement(modules, symbols, diagnostics).Check()
            || LinkLayout.Create(modules, symbols, diagnostics) is not { } layout)
        {
            return null;
        }

        var linker = new ModuleLinker(modules, layout);
        ImmutableArray<BpfFunction> functions = linker.LinkFunctions();
        string sourceName = string.Join('+', modules.Select(static module => BaseNameOf(module.SourceName)));
        if (!functions.Any(static function => function.Role == BpfFunctionRole.Program))
        {
            const string Message = "the objects have no BPF program: all their functions are static";
            diagnostics.Error(DiagnosticId.NoPrograms, Message, new DiagnosticLocation(sourceName), "make one of them global");
            return null;
        }

        ImmutableArray<BpfDataSection> dataSections = layout.BuildSections(linker.Relink);
        if (LinkedTypes.Merge(modules, symbols, layout, dataSections, sourceName, diagnostics) is not { } types)
            return null;
        ImmutableArray<BpfMap> maps = linker.LinkMaps(types);
        return TryMarkExternMaps(ref maps, externMaps, sourceName, diagnostics) ? modules[0] with
        {
            SourceName = sourceName,
            Sha256 = HashOf(modules),
            Licence = licence,
            KernelVersion = version,
            Functions = functions,
            Maps = maps,
            DataSections = dataSections,
            Btf = types.Btf,
            RawBtf = types.RawBtf,
            RawBtfExt = types.RawBtfExt,
        }
        : null;
    }

    private ImmutableArray<BpfFunction> LinkFunctions()
    {
        ImmutableArray<BpfFunction>.Builder functions = ImmutableArray.CreateBuilder<BpfFunction>();
        for (int input = 0; input < _modules.Count; input++)
        {
            foreach (BpfFunction function in _modules[input].Functions)
            {
                if (!_layout.IsDropped(input, LinkSymbolKind.Function, function.Index))
                    functions.Add(function with { Index = functions.Count, References = Relink(input, function.References) });
            }
        }

        // An object that has .text only was loaded as one of programs; with programs in other inputs it holds subprograms.
        if (functions.Any(static function => function.SectionName != ".text"))
        {
            for (int i = 0; i < functions.Count; i++)
            {
                if (functions[i] is { SectionName: ".text", Role: BpfFunctionRole.Program })
                    functions[i] = AsSubprogram(functions[i]);
            }
        }

        return functions.DrainToImmutable();
    }

    private static BpfFunction AsSubprogram(BpfFunction function) => function with
    {
        Role = BpfFunctionRole.Subprogram,
        ProgramType = BpfProgramType.UNSPEC,
        AttachType = 0,
        AttachTarget = null,
    };

    private Dictionary<int, BpfReference> Relink(int input, IReadOnlyDictionary<int, BpfReference> references)
    {
        var relinked = new Dictionary<int, BpfReference>(references.Count);
        foreach ((int slot, BpfReference reference) in references)
            relinked.Add(slot, Relink(input, reference));
        return relinked;
    }

    private BpfReference Relink(int input, BpfReference reference) => reference switch
    {
        BpfReference.MapAddress map => new BpfReference.MapAddress(_layout.MapOf(input, map.Map)),
        BpfReference.DataAddress data => _layout.DataOf(input, data.Section, data.Offset),
        BpfReference.FunctionAddress function => new BpfReference.FunctionAddress(_layout.FunctionOf(input, function.Function)),
        BpfReference.FunctionCall call => new BpfReference.FunctionCall(_layout.FunctionOf(input, call.Function)),
        BpfReference.ExternCall call => _layout.Resolve(call.Name, isCall: true) ?? reference,
        BpfReference.ExternAddress address => _layout.Resolve(address.Name, isCall: false) ?? reference,
        BpfReference.Poisoned => reference,
        _ => throw new InvalidOperationException($"unknown reference {reference}"),
    };

    private ImmutableArray<BpfMap> LinkMaps(LinkedTypes types)
    {
        ImmutableArray<BpfMap>.Builder maps = ImmutableArray.CreateBuilder<BpfMap>();
        for (int input = 0; input < _modules.Count; input++)
        {
            foreach (BpfMap map in _modules[input].Maps)
            {
                if (!_layout.IsDropped(input, LinkSymbolKind.Map, map.Index))
                    maps.Add(Relink(input, map, types) with { Index = maps.Count });
            }
        }

        return maps.DrainToImmutable();
    }

    private BpfMap Relink(int input, BpfMap map, LinkedTypes types) => map with
    {
        BtfKeyType = types.IdOf(input, map.BtfKeyType),
        BtfValueType = types.IdOf(input, map.BtfValueType),
        Inner = map.Inner is { } inner ? Relink(input, inner, types) : null,
        InitialValues =
        [
            .. map.InitialValues.Select(value => value < 0 ? value : map.Inner is null ? _layout.FunctionOf(input, value) : _layout.MapOf(input, value)),
        ],
    };

    private static bool TryMarkExternMaps(ref ImmutableArray<BpfMap> maps, ImmutableArray<string> names, string sourceName, DiagnosticBag diagnostics)
    {
        foreach (string name in names)
        {
            if (maps.FirstOrDefault(map => map.Name == name) is not { } map)
            {
                string message = $"the objects have no map '{name}', which --extern-map names";
                diagnostics.Error(DiagnosticId.ExternMapUnknown, message, new DiagnosticLocation(sourceName));
                return false;
            }

            maps = maps.SetItem(map.Index, map with { IsExtern = true, InitialValues = [] });
        }

        return true;
    }

    /// <summary>SHA-256 of the hashes of all inputs, one behind the other.</summary>
    private static ImmutableArray<byte> HashOf(IReadOnlyList<BpfModule> modules)
    {
        byte[] hashes = [.. modules.SelectMany(static module => module.Sha256)];
        return Sha256.HashData(hashes);
    }

    private static string BaseNameOf(string path) => path[(path.LastIndexOfAny(['/', '\\']) + 1)..];
}
