using System.Collections.Immutable;
using System.Runtime.InteropServices;
using BpfPpcc.Bpf;
using BpfPpcc.Btf;
using BpfPpcc.Diagnostics;

namespace BpfPpcc.Loading;

/// <summary>
/// The types and source lines of linked modules: one .BTF with the types of all inputs, in which externs are what they were resolved to, and one
/// .BTF.ext whose offsets count from the start of all inputs' sections of one name, put one behind the other.
/// </summary>
internal sealed class LinkedTypes
{
    private readonly IReadOnlyList<BpfModule> _modules;
    private readonly LinkSymbols _symbols;
    private readonly LinkLayout _layout;
    private readonly BtfMerger _merger;
    private readonly BtfWriter _writer;
    private readonly HashSet<BtfInputType> _replaced = [];

    /// <summary>The variable of the section "license" or "version" of the first input that has it: the others say the same.</summary>
    private readonly Dictionary<string, BtfInputType> _noted = [];

    private LinkedTypes(IReadOnlyList<BpfModule> modules, LinkSymbols symbols, LinkLayout layout)
    {
        _modules = modules;
        _symbols = symbols;
        _layout = layout;
        _merger = new BtfMerger([.. modules.Select(static module => module.Btf)], modules.Sum(static module => 32L * module.RawBtf.Length + 65536));
        _writer = new BtfWriter(modules[0].IsBigEndian);
    }

    /// <summary>Null if no input has types.</summary>
    public BtfTypes? Btf { get; private set; }

    public ImmutableArray<byte> RawBtf { get; private set; } = [];

    public ImmutableArray<byte> RawBtfExt { get; private set; } = [];

    /// <summary>The types; null after an error.</summary>
    public static LinkedTypes? Merge(IReadOnlyList<BpfModule> modules, LinkSymbols symbols, LinkLayout layout,
        ImmutableArray<BpfDataSection> dataSections, string sourceName, DiagnosticBag diagnostics)
    {
        var types = new LinkedTypes(modules, symbols, layout);
        if (modules.All(static module => module.Btf is null))
            return types;
        for (int input = 0; input < modules.Count; input++)
            types.ReplaceExterns(input);
        types._merger.Write(types._writer, types.MergeSections(dataSections));
        if (modules.Any(static module => !module.RawBtfExt.IsEmpty))
            types.RawBtfExt = ImmutableCollectionsMarshal.AsImmutableArray(types.MergeRecords());
        byte[] section = types._writer.ToArray();
        types.RawBtf = ImmutableCollectionsMarshal.AsImmutableArray(section);
        // What each input may have of names that overlap can be too much for all of them together.
        types.Btf = BtfParser.Parse(section, modules[0].IsBigEndian, sourceName, diagnostics);
        return types.Btf is null ? null : types;
    }

    /// <summary>The id in the result of a type of an input; 0 for 0.</summary>
    public uint IdOf(int input, uint type) => _modules[input].Btf is null ? 0 : _merger.IdOf(new BtfInputType(input, type));

    /// <summary>Declarations of what another input defines, and definitions that gave way, become the definition that counts.</summary>
    private void ReplaceExterns(int input)
    {
        if (_modules[input].Btf is not { } btf)
            return;
        for (uint id = 1; id < btf.Count; id++)
        {
            BtfType type = btf[id];
            if (type.Kind == BtfKind.DATASEC)
                ReplaceRepeatedNotes(input, btf, type);
            if (type.Kind is not (BtfKind.FUNC or BtfKind.VAR) || btf.LinkageOf(type) == BtfLinkage.STATIC)
                continue;
            string name = btf.NameOf(id);
            if (!_symbols.TryFind(name, out LinkSymbol symbol) || type.Kind == BtfKind.FUNC != (symbol.Kind == LinkSymbolKind.Function))
                continue;
            uint definition = LinkAgreement.TypeOf(_modules[symbol.Input].Btf, symbol.Kind, name);
            if (definition == 0 || (symbol.Input == input && definition == id))
                continue;
            Replace(new BtfInputType(input, id), new BtfInputType(symbol.Input, definition));
        }
    }

    private void ReplaceRepeatedNotes(int input, BtfTypes btf, BtfType section)
    {
        string name = btf.NameOf(section.Id);
        if (name is not ("license" or "version"))
            return;
        foreach (BtfSectionVariable variable in btf.VariablesOf(section))
        {
            var type = new BtfInputType(input, variable.Type);
            if (btf[variable.Type].Kind == BtfKind.VAR && !_noted.TryAdd(name, type) && _noted[name].Input != input)
                Replace(type, _noted[name]);
        }
    }

    private void Replace(BtfInputType type, BtfInputType definition)
    {
        _merger.Replace(type, definition);
        _replaced.Add(type);
    }

    /// <summary>One DATASEC for each name, in the order of the inputs.</summary>
    private List<BtfMergedSection> MergeSections(ImmutableArray<BpfDataSection> dataSections)
    {
        var order = new List<string>();
        var byName = new Dictionary<string, List<BtfPlacedVariable>>();
        for (int input = 0; input < _modules.Count; input++)
        {
            BtfTypes? btf = _modules[input].Btf;
            for (uint id = 1; id < (btf?.Count ?? 0); id++)
            {
                if (btf![id].Kind != BtfKind.DATASEC)
                    continue;
                string name = btf.NameOf(id);
                if (!byName.TryGetValue(name, out List<BtfPlacedVariable>? variables))
                {
                    byName.Add(name, variables = []);
                    order.Add(name);
                }

                AddVariables(input, btf, id, name, variables);
            }
        }

        var sections = new List<BtfMergedSection>();
        foreach (string name in order)
        {
            List<BtfPlacedVariable> variables = byName[name];
            if (variables.Count == 0)
                continue;
            BpfDataSection? data = dataSections.FirstOrDefault(section => section.Name == name);
            sections.Add(data is not null
                ? new BtfMergedSection(name, (uint)data.Size, [.. variables.OrderBy(static variable => variable.Offset)])
                : PlaceInARow(name, variables));
        }

        return sections;
    }

    private void AddVariables(int input, BtfTypes btf, uint section, string name, List<BtfPlacedVariable> placed)
    {
        BpfDataSection? data = _modules[input].DataSections.FirstOrDefault(data => data.Name == name);
        long start = data is null ? 0 : _layout.PartOf(input, data.Index).Base;
        Dictionary<string, BpfVariable> symbols = [];
        foreach (BpfVariable variable in data?.Variables ?? [])
            symbols.TryAdd(variable.Name, variable);
        foreach (BtfSectionVariable variable in btf.VariablesOf(btf[section]))
        {
            var type = new BtfInputType(input, variable.Type);
            if (variable.Type == 0 || _replaced.Contains(type))
                continue;
            // Compilers leave offsets to the relocations of .BTF; the symbols say the same.
            bool hasSymbol = symbols.TryGetValue(btf.NameOf(variable.Type), out BpfVariable? symbol);
            long offset = hasSymbol ? symbol!.Offset : variable.Offset;
            placed.Add(new BtfPlacedVariable(type, (uint)(start + offset), variable.Size != 0 || !hasSymbol ? variable.Size : (uint)symbol!.Size));
        }
    }

    /// <summary>For sections that the result does not have (.maps, license, .ksyms): any offsets do that do not overlap.</summary>
    private static BtfMergedSection PlaceInARow(string name, List<BtfPlacedVariable> variables)
    {
        uint end = 0;
        var placed = new List<BtfPlacedVariable>();
        foreach (BtfPlacedVariable variable in variables)
        {
            uint start = (end + 7) & ~7u;
            placed.Add(variable with { Offset = start });
            end = start + variable.Size;
        }

        return new BtfMergedSection(name, end, placed);
    }

    private byte[] MergeRecords()
    {
        var writer = new BtfExtWriter(_writer);
        var lengths = new Dictionary<string, uint>();
        for (int input = 0; input < _modules.Count; input++)
        {
            BpfModule module = _modules[input];
            if (module.Btf is not null && !module.RawBtfExt.IsEmpty)
                AddRecords(input, module.Btf, lengths, writer);
            foreach (BpfFunction function in module.Functions)
                lengths[function.SectionName] = lengths.GetValueOrDefault(function.SectionName) + (uint)(function.Instructions.Length * BpfInstruction.Size);
        }

        return writer.ToArray();
    }

    private void AddRecords(int input, BtfTypes btf, Dictionary<string, uint> lengths, BtfExtWriter writer)
    {
        BpfModule module = _modules[input];
        BtfExt ext = BtfExt.Parse(module.RawBtfExt.AsSpan(), module.IsBigEndian, btf, module.SourceName, new DiagnosticBag())
            ?? throw new InvalidOperationException("a module's .BTF.ext is malformed");
        foreach (string section in ext.Functions.Keys.Concat(ext.Lines.Keys).Concat(ext.CoreRelocations.Keys).Distinct().Order(StringComparer.Ordinal))
        {
            uint start = lengths.GetValueOrDefault(section);
            foreach (BtfFuncInfo record in ext.Functions.GetValueOrDefault(section, []))
                writer.Add(section, new BtfFuncInfo(start + record.InstructionOffset, IdOf(input, record.Type)));
            foreach (BtfLineInfo record in ext.Lines.GetValueOrDefault(section, []))
            {
                writer.Add(section, record with
                {
                    InstructionOffset = start + record.InstructionOffset,
                    FileName = _merger.StringOf(_writer, input, record.FileName),
                    Line = _merger.StringOf(_writer, input, record.Line),
                });
            }

            foreach (BtfCoreRelocation record in ext.CoreRelocations.GetValueOrDefault(section, []))
            {
                writer.Add(section, record with
                {
                    InstructionOffset = start + record.InstructionOffset,
                    Type = IdOf(input, record.Type),
                    Access = _merger.StringOf(_writer, input, record.Access),
                });
            }
        }
    }
}
