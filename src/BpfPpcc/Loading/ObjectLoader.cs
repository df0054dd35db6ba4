using System.Collections.Immutable;
using System.Text;
using BpfPpcc.Btf;
using BpfPpcc.Collections;
using BpfPpcc.Diagnostics;
using BpfPpcc.Elf;
using static BpfPpcc.Elf.ElfConstants;

namespace BpfPpcc.Loading;

/// <summary>
/// Bytes of a BPF ELF object in, <see cref="BpfModule"/> out: functions with everything that they refer to resolved, maps of both
/// styles, data sections, types and source lines. Documents: kernel documentation bpf/llvm_reloc.rst and bpf/btf.rst, libbpf's documentation for section
/// names and map definitions. Nothing that the input says can make it throw.
/// </summary>
public sealed class ObjectLoader
{
    private readonly LoadingContext _context;
    private readonly ReadOnlyMemory<byte> _bytes;

    private readonly LoaderOptions _options;

    private ObjectLoader(LoadingContext context, ReadOnlyMemory<byte> bytes, LoaderOptions options)
    {
        _context = context;
        _bytes = bytes;
        _options = options;
    }

    /// <summary>The module, or null after an error.</summary>
    /// <param name="bytes">The whole file.</param>
    /// <param name="fileName">As the user named it.</param>
    public static BpfModule? Load(ReadOnlyMemory<byte> bytes, string fileName, DiagnosticBag diagnostics) =>
        Load(bytes, fileName, new LoaderOptions(), diagnostics);

    /// <summary>The module, or null after an error.</summary>
    /// <param name="bytes">The whole file.</param>
    /// <param name="fileName">As the user named it.</param>
    public static BpfModule? Load(ReadOnlyMemory<byte> bytes, string fileName, LoaderOptions options, DiagnosticBag diagnostics)
    {
        if (!ElfReader.TryRead(bytes, fileName, diagnostics, out ElfFile? file))
            return null;
        var loader = new ObjectLoader(new LoadingContext(file!, fileName, diagnostics) { IsPart = options.IsPart }, bytes, options);
        return loader.IsBpfObject() && loader.ParseTypes() ? loader.Load() : null;
    }

    private bool IsBpfObject()
    {
        ElfFile file = _context.File;
        // Clang before version 4 wrote no machine number.
        if (file.Machine is not (EM_BPF or EM_NONE))
            return _context.Fail(DiagnosticId.NotBpf, $"not a BPF object: e_machine is {file.Machine}, expected {EM_BPF} (EM_BPF)");
        if (file.Type != ET_REL)
            return _context.Fail(DiagnosticId.NotBpf, $"not a relocatable BPF object: e_type is {file.Type}, expected {ET_REL} (ET_REL)");
        if (file.IsBigEndian)
        {
            const string Message = "big-endian BPF objects are not supported yet by this version";
            return _context.Fail(DiagnosticId.BigEndianInput, Message, help: "compile with -target bpfel");
        }

        // Sections that overlap would be copied more than once; no assembler writes them.
        ulong copied = 0;
        foreach (ElfSection section in file.Sections)
        {
            if (_context.KindOf(section) != SectionKind.Other || section.Name is ".BTF" or ".BTF.ext")
                copied += (ulong)section.Contents.Length;
        }

        return copied <= (ulong)_bytes.Length || _context.Fail(DiagnosticId.ElfMalformed, "sections of the file overlap each other");
    }

    private bool ParseTypes()
    {
        if (_context.File.FindSection(".BTF") is not { Contents.IsEmpty: false } types)
            return true;
        var own = new DiagnosticBag();
        _context.Btf = BtfParser.Parse(types.Contents, _context.File.IsBigEndian, _context.FileName, own);
        foreach (Diagnostic diagnostic in own.Diagnostics)
        {
            _context.Diagnostics.Add(NeedsTypes() ? diagnostic : diagnostic with
            {
                Severity = DiagnosticSeverity.Warning,
                Message = $"{diagnostic.Message}; the object is read without its types and source lines",
            });
        }

        if (_context.Btf is null)
            return !NeedsTypes();
        if (_context.File.FindSection(".BTF.ext") is not { Contents.IsEmpty: false } ext)
            return true;
        ReadOnlySpan<byte> records = ext.Contents.Span;
        _context.BtfExt = BtfExt.Parse(records, _context.File.IsBigEndian, _context.Btf, _context.FileName, _context.Diagnostics);
        return _context.BtfExt is not null;
    }

    /// <summary>Some part of the object cannot be understood without types; elsewhere they are a help, and damaged ones are passed over as libbpf does.</summary>
    private bool NeedsTypes() => _context.File.Sections.Any(static section =>
        section.Name is ".maps" or ".ksyms" or ".kconfig" || section.Name.StartsWith(".struct_ops", StringComparison.Ordinal));

    private BpfModule? Load()
    {
        List<CodeSection>? code = CodeSection.ReadAll(_context);
        FunctionTable? functions = code is null ? null : FunctionTable.Find(_context, code);
        List<MapPlace>? maps = functions is null ? null : MapTable.Read(_context);
        if (functions is null || maps is null)
            return null;

        List<ElfSection> dataSections = DataSections.Find(_context);
        var configuration = new KernelConfigurationSection(_context, _options);
        if (!configuration.TryFill())
            return null;
        var resolver = new ReferenceResolver(_context, functions, maps, dataSections, configuration);
        var data = new DataSections(_context, resolver);
        if (!TryFillMaps(maps, data, functions, out ImmutableArray<BpfMap> filledMaps)
            || !TryBuildDataSections(dataSections, data, configuration, out ImmutableArray<BpfDataSection> builtSections)
            || !TryBuildFunctions(code!, functions, resolver, builtSections, out ImmutableArray<BpfFunction> builtFunctions))
        {
            return null;
        }

        if (!_options.IsPart && !builtFunctions.Any(static function => function.Role == BpfFunctionRole.Program))
        {
            const string Message = "the object has no BPF program: all its functions are static";
            _context.Fail(DiagnosticId.NoPrograms, Message, help: "make one of them global");
            return null;
        }

        return new BpfModule
        {
            SourceName = _context.FileName,
            Sha256 = Collections.Sha256.HashData(_bytes.Span),
            IsBigEndian = _context.File.IsBigEndian,
            Licence = Licence(),
            KernelVersion = KernelVersion(),
            Functions = builtFunctions,
            Maps = filledMaps,
            DataSections = builtSections,
            Btf = _context.Btf,
            TargetBtf = _options.TargetBtf,
            RawBtf = _context.Btf is null ? [] : RawContents(".BTF"),
            RawBtfExt = _context.Btf is null ? [] : RawContents(".BTF.ext"),
        };
    }

    private bool TryFillMaps(List<MapPlace> places, DataSections data, FunctionTable functions, out ImmutableArray<BpfMap> maps)
    {
        maps = [];
        var values = new Dictionary<int, List<int>>();
        foreach (ElfSection section in _context.File.Sections)
        {
            bool holdsMaps = _context.KindOf(section) is SectionKind.BtfMaps or SectionKind.LegacyMaps;
            if (holdsMaps && !data.TryReadInitialValues(section, places, values))
                return false;
        }

        if (!ProgramArraySlots.TryFill(_context, places, functions, values))
            return false;
        ImmutableArray<BpfMap>.Builder builder = ImmutableArray.CreateBuilder<BpfMap>(places.Count);
        foreach (MapPlace place in places)
        {
            bool isFilled = values.TryGetValue(place.Map.Index, out List<int>? elements);
            builder.Add(isFilled ? place.Map with { InitialValues = [.. elements!] } : place.Map);
        }

        maps = builder.MoveToImmutable();
        return TryMarkExternMaps(ref maps);
    }

    private bool TryMarkExternMaps(ref ImmutableArray<BpfMap> maps)
    {
        foreach (string name in _options.ExternMaps)
        {
            BpfMap? map = maps.FirstOrDefault(map => map.Name == name);
            if (map is null)
                return _context.Fail(DiagnosticId.ExternMapUnknown, $"the object has no map '{name}', which --extern-map names");
            maps = maps.SetItem(map.Index, map with { IsExtern = true, InitialValues = [] });
        }

        return true;
    }

    private static bool TryBuildDataSections(List<ElfSection> sections, DataSections data, KernelConfigurationSection configuration,
        out ImmutableArray<BpfDataSection> built)
    {
        built = [];
        ImmutableArray<BpfDataSection>.Builder builder = ImmutableArray.CreateBuilder<BpfDataSection>(sections.Count);
        for (int i = 0; i < sections.Count; i++)
        {
            if (data.Build(sections[i], i) is not BpfDataSection section)
                return false;
            builder.Add(section);
        }

        if (!configuration.IsEmpty)
            builder.Add(configuration.Build(sections.Count));
        built = builder.DrainToImmutable();
        return true;
    }

    private bool TryBuildFunctions(List<CodeSection> code, FunctionTable functions, ReferenceResolver resolver,
        ImmutableArray<BpfDataSection> dataSections, out ImmutableArray<BpfFunction> built)
    {
        built = [];
        var debug = new DebugInformation(_context);
        if (!_options.IsListing && !new CoreRelocator(_context, _options.TargetBtf, debug).TryApply(code, functions))
            return false;
        var instructions = new InstructionReferences(_context, resolver);
        var parts = new List<FunctionParts>(functions.Count);
        bool ok = true;
        foreach (CodeSection section in code)
        {
            Range range = functions.FunctionsOf(section.Section);
            for (int i = range.Start.Value; i < range.End.Value; i++)
            {
                FunctionRange function = functions[i];
                ImmutableArray<BpfLineInfo> lines = debug.LinesOf(function);
                ok &= instructions.TryResolve(section, function, lines, out IReadOnlyDictionary<int, BpfReference> references);
                parts.Add(new FunctionParts([.. section.Instructions[function.Start..function.End]], references, lines));
            }
        }

        if (!ok)
            return false;
        BpfFunctionRole[] roles = FunctionRoles.Decide(functions, parts, dataSections);
        if (ProgramTypes.Decide(_context, functions, roles, _options) is not SectionMeaning[] meanings)
            return false;
        ImmutableArray<BpfFunction>.Builder builder = ImmutableArray.CreateBuilder<BpfFunction>(functions.Count);
        for (int i = 0; i < functions.Count; i++)
            builder.Add(Build(functions[i], i, roles[i], meanings[i], parts[i], debug));
        built = builder.MoveToImmutable();
        return true;
    }

    private static BpfFunction Build(
        FunctionRange range, int index, BpfFunctionRole role, SectionMeaning meaning, FunctionParts parts, DebugInformation debug)
    {
        return new BpfFunction
        {
            Index = index,
            Name = range.Symbol.Name,
            SectionName = range.Section.Name,
            Role = role,
            IsStatic = range.Symbol.IsLocal,
            IsWeak = range.Symbol.IsWeak,
            IsHidden = range.Symbol.Visibility is STV_HIDDEN or STV_INTERNAL,
            Aliases = range.Aliases,
            ProgramType = meaning.ProgramType,
            AttachType = meaning.AttachType,
            AttachTarget = meaning.Target,
            Instructions = parts.Instructions,
            References = parts.References,
            Lines = parts.Lines,
            Prototype = debug.PrototypeOf(range),
        };
    }

    private string Licence()
    {
        ReadOnlySpan<byte> contents = _context.File.FindSection("license") is ElfSection section ? section.Contents.Span : default;
        int end = contents.IndexOf((byte)0);
        return Encoding.UTF8.GetString(end < 0 ? contents : contents[..end]);
    }

    private uint KernelVersion()
    {
        ReadOnlySpan<byte> contents = _context.File.FindSection("version") is ElfSection section ? section.Contents.Span : default;
        new ByteReader(contents, _context.File.IsBigEndian).TryReadUInt32(0, out uint version);
        return version;
    }

    private ImmutableArray<byte> RawContents(string section) =>
        _context.File.FindSection(section) is ElfSection found ? [.. found.Contents.Span] : [];
}
