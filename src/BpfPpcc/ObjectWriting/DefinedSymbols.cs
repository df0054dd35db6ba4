using BpfPpcc.Diagnostics;
using BpfPpcc.Elf;
using BpfPpcc.Emission;
using BpfPpcc.Loading;
using static BpfPpcc.Elf.ElfConstants;

namespace BpfPpcc.ObjectWriting;

/// <summary>
/// The symbols of functions, variables and maps, and of the module. Exported ones are for the host; the object's own code and tables never
/// refer to them.
/// </summary>
internal sealed class DefinedSymbols(BpfModule module, SymbolNames names)
{
    /// <summary>
    /// st_other, bits 5..7: the local entry is two instructions behind the global one (ELFv2 ABI, 3.4.1). The value 0, on the other hand,
    /// promises callers that r2 is kept; for functions that use r2 and are called from this object only nobody looks.
    /// </summary>
    private const byte LocalEntryBehindTwoInstructions = 3 << 5;

    private const string InnerSuffix = ".inner";

    private readonly BpfModule _module = module;
    private readonly SymbolNames _names = names;

    public List<ElfSymbol> Symbols { get; } = [];

    /// <summary>Makes all symbols: global names first, because local ones give way.</summary>
    public void Add(IReadOnlyList<CompiledFunction> functions, TextSection code, MapDescriptors maps, OutputSections sections, string stem)
    {
        foreach (bool isGlobal in (ReadOnlySpan<bool>)[true, false])
        {
            for (int i = 0; i < functions.Count; i++)
            {
                if (IsGlobal(i, functions, code) == isGlobal)
                    AddFunction(functions[i], i, code, isGlobal);
            }

            foreach (BpfDataSection section in _module.DataSections)
                AddVariables(section, sections.InputData[section.Index].Section, isGlobal);
            if (isGlobal)
                AddMapsAndModule(maps, sections, stem);
        }
    }

    private bool IsGlobal(int function, IReadOnlyList<CompiledFunction> functions, TextSection code) =>
        !_module.Functions[functions[function].FunctionIndex].IsStatic && !code.IsBehindThunk(function);

    private void AddFunction(CompiledFunction function, int index, TextSection code, bool isGlobal)
    {
        BpfFunction bpf = _module.Functions[function.FunctionIndex];
        string what = bpf.Role == BpfFunctionRole.Program ? "program" : "function";
        string name = isGlobal ? _names.Global(bpf.Name, what, LocationOf(bpf))
            : code.IsBehindThunk(index) ? _names.Inner(bpf.Name, InnerSuffix)
            : _names.Local(bpf.Name);
        AddFunction(name, bpf, function, index, code, isGlobal);
        foreach (string alias in isGlobal ? bpf.Aliases : [])
            AddFunction(_names.Global(alias, what, LocationOf(bpf)), bpf, function, index, code, isGlobal);
    }

    private void AddFunction(string name, BpfFunction bpf, CompiledFunction function, int index, TextSection code, bool isGlobal)
    {
        byte localEntry = function.LocalEntryOffset != 0 ? LocalEntryBehindTwoInstructions : (byte)0;
        Symbols.Add(new ElfSymbol
        {
            Name = name,
            Type = STT_FUNC,
            Binding = !isGlobal ? STB_LOCAL : bpf.IsWeak ? STB_WEAK : STB_GLOBAL,
            Other = (byte)(localEntry | (isGlobal && bpf.IsHidden ? STV_HIDDEN : STV_DEFAULT)),
            Section = code.Section.Section,
            Value = (ulong)code.StartOf(index),
            Size = (ulong)function.CodeSize,
        });
    }

    private void AddVariables(BpfDataSection section, ElfSection output, bool isGlobal)
    {
        foreach (BpfVariable variable in section.Variables)
        {
            if (variable.IsStatic == isGlobal)
                continue;
            byte binding = variable.IsStatic ? STB_LOCAL : variable.IsWeak ? STB_WEAK : STB_GLOBAL;
            Symbols.Add(new ElfSymbol
            {
                Name = isGlobal
                    ? _names.Global(variable.Name, "variable", new DiagnosticLocation(_module.SourceName, section.Name))
                    : _names.Local(variable.Name),
                Type = STT_OBJECT,
                Binding = binding,
                Other = variable.IsHidden && isGlobal ? STV_HIDDEN : STV_DEFAULT,
                Section = output,
                Value = (ulong)variable.Offset,
                Size = (ulong)variable.Size,
            });
        }
    }

    private void AddMapsAndModule(MapDescriptors maps, OutputSections sections, string stem)
    {
        foreach (BpfMap map in _module.Maps)
        {
            if (maps.IsDefinedHere(map.Index))
            {
                string name = _names.Global(map.Name, "map", new DiagnosticLocation(_module.SourceName));
                AddObject(name, sections.Maps, maps.OffsetOf(map.Index), MapDescriptors.DescriptorSize);
            }
        }

        AddObject(_names.GlobalAsIs("bpfppcc_module_" + stem, "module's record"), sections.Modules, 0, ModuleRecord.RecordSize);
    }

    private void AddObject(string name, SectionBuilder section, long offset, int size) => Symbols.Add(new ElfSymbol
    {
        Name = name,
        Type = STT_OBJECT,
        Binding = STB_GLOBAL,
        Section = section.Section,
        Value = (ulong)offset,
        Size = (ulong)size,
    });

    private DiagnosticLocation LocationOf(BpfFunction function) => new(_module.SourceName, function.SectionName, function.Name);
}
