using BpfPpcc.Diagnostics;
using BpfPpcc.Dwarf;
using BpfPpcc.Elf;
using BpfPpcc.Emission;
using BpfPpcc.Loading;
using BpfPpcc.Ppc64;
using BpfPpcc.Symbols;
using BpfPpcc.Verification;
using static BpfPpcc.Elf.ElfConstants;

namespace BpfPpcc.ObjectWriting;

/// <summary>
/// Puts the output object together: compiled functions, the module's data and maps come in, an ELF64 relocatable file leaves. What it
/// promises to hosts and linkers is written in object-abi.md. The result depends on the arguments alone: no time, no paths, no host.
/// </summary>
public sealed class ObjectWriter
{
    private readonly VerifiedModule _verified;
    private readonly BpfModule _module;
    private readonly IReadOnlyList<CompiledFunction> _functions;
    private readonly SymbolTable _symbolTable;
    private readonly ObjectOptions _options;
    private readonly TargetDescription _target;
    private readonly DiagnosticBag _diagnostics;
    private readonly OutputSections _sections;
    private readonly UndefinedSymbols _undefined;

    private ObjectWriter(
        VerifiedModule module,
        IReadOnlyList<CompiledFunction> functions,
        SymbolTable symbols,
        ObjectOptions options,
        TargetDescription target,
        DiagnosticBag diagnostics)
    {
        _verified = module;
        _module = module.Module;
        _functions = functions;
        _symbolTable = symbols;
        _options = options;
        _target = target;
        _diagnostics = diagnostics;
        _sections = new OutputSections(_module.DataSections, target);
        _undefined = new UndefinedSymbols(_module);
    }

    /// <summary>The output object, or null if errors were reported.</summary>
    /// <param name="functions">In the order of the BPF functions, a thunk behind its callee; every program has one.</param>
    /// <param name="symbols">What the functions' relocations refer to.</param>
    public static ElfFile? Write(
        VerifiedModule module,
        IReadOnlyList<CompiledFunction> functions,
        SymbolTable symbols,
        ObjectOptions options,
        TargetDescription target,
        DiagnosticBag diagnostics) =>
        new ObjectWriter(module, functions, symbols, options, target, diagnostics).Write();

    private ElfFile? Write()
    {
        var strings = new StringPool(_sections.Strings);
        var code = new TextSection(_functions, _sections.Text);
        var programs = new ProgramDescriptors(_module, _sections, strings);
        var maps = new MapDescriptors(_module, _sections, strings, _diagnostics);
        var resolver = new SymbolResolver(_symbolTable, _sections, code, maps, _undefined, _options);

        code.Write(_module.SourceName, _diagnostics);
        new CodeRelocations(code, _sections, resolver, _undefined, _target).Write(_functions);
        WriteInputData(resolver);
        programs.Write(_functions, code);
        maps.Write(programs, _undefined);
        new ModuleRecord(_verified, _functions, _symbolTable, _sections, strings, _options, _target).Write(programs.Count, maps.Count, _undefined);
        WriteUnwindTable(code);
        WriteBtf();
        List<ElfSymbol> defined = DefineSymbols(code, maps);
        return _diagnostics.HasErrors ? null : MakeFile(defined);
    }

    private void WriteInputData(SymbolResolver resolver)
    {
        foreach (BpfDataSection section in _module.DataSections)
        {
            SectionBuilder output = _sections.InputData[section.Index];
            if (output.Section.Type == SHT_NOBITS)
                output.Reserve(section.Size);
            else
                output.Bytes.WriteBytes(section.Contents.AsSpan());
            foreach (BpfDataRelocation relocation in section.Relocations)
            {
                (ElfSymbol symbol, long addend) = resolver.Resolve(relocation.Target);
                output.RelocateAddress(relocation.Offset, symbol, addend + relocation.Addend);
            }
        }
    }

    private void WriteUnwindTable(TextSection code)
    {
        if (_functions.Count == 0)
            return;
        var writer = new EhFrameWriter(_target.IsBigEndian);
        foreach (CompiledFunction function in _functions)
        {
            writer.BeginFunction(function.CodeSize);
            foreach (CfiInstruction row in function.Cfi)
                WriteUnwindRow(writer, row);
            writer.EndFunction();
        }

        SectionBuilder section = _sections.EhFrame;
        section.Bytes.WriteBytes(writer.Contents);
        for (int i = 0; i < _functions.Count; i++)
            section.Relocate(writer.InitialLocations[i], Ppc64Relocation.R_PPC64_REL32, code.Section.Symbol, code.StartOf(i));
    }

    private static void WriteUnwindRow(EhFrameWriter writer, CfiInstruction row)
    {
        switch (row.Kind)
        {
            case CfiKind.DefineCfaOffset:
                writer.DefineCfaOffset(row.CodeOffset, row.Value);
                break;
            case CfiKind.Offset:
                writer.Offset(row.CodeOffset, row.Register, row.Value);
                break;
            case CfiKind.Restore:
                writer.Restore(row.CodeOffset, row.Register);
                break;
            case CfiKind.RememberState:
                writer.RememberState(row.CodeOffset);
                break;
            case CfiKind.RestoreState:
                writer.RestoreState(row.CodeOffset);
                break;
        }
    }

    private void WriteBtf()
    {
        if (_options.StripBtf)
            return;
        _sections.Btf.Bytes.WriteBytes(_module.RawBtf.AsSpan());
        _sections.BtfExt.Bytes.WriteBytes(_module.RawBtfExt.AsSpan());
    }

    private List<ElfSymbol> DefineSymbols(TextSection code, MapDescriptors maps)
    {
        var names = new SymbolNames(_options, _diagnostics);
        var defined = new DefinedSymbols(_module, names);
        names.Reserve(_undefined);
        defined.Add(_functions, code, maps, _sections, _options.Stem);
        names.ReportUnusedRenames(_options);
        return defined.Symbols;
    }

    private ElfFile MakeFile(List<ElfSymbol> defined)
    {
        var file = new ElfFile
        {
            IsBigEndian = _target.IsBigEndian,
            Machine = EM_PPC64,
            OsAbi = ELFOSABI_GNU,
            Flags = AbiFlags(_target.Abi),
        };
        var referredTo = new HashSet<ElfSymbol>(ReferenceEqualityComparer.Instance);
        foreach (SectionBuilder section in _sections.All)
        {
            foreach (ElfRelocation relocation in section.Section.Relocations)
                referredTo.Add(relocation.Symbol!);
        }

        foreach (SectionBuilder section in _sections.All)
        {
            bool isReferredTo = referredTo.Contains(section.Symbol);
            if (section.Length == 0 && !isReferredTo && section != _sections.Text && section != _sections.StackNote)
                continue;
            section.Finish();
            file.Add(section.Section);
            if (isReferredTo)
                file.Add(section.Symbol);
        }

        file.Symbols.AddRange(defined);
        file.Symbols.AddRange(_undefined.Symbols);
        return file;
    }

    /// <summary>e_flags, EF_PPC64_ABI (ELFv2 ABI, 3.1).</summary>
    private static uint AbiFlags(Ppc64Abi abi) => abi switch
    {
        Ppc64Abi.ElfV1 => 1,
        Ppc64Abi.ElfV2 => 2,
    };
}
