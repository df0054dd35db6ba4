using System.Globalization;
using System.Text;
using BpfPpcc.Collections;
using BpfPpcc.Emission;
using BpfPpcc.Loading;
using BpfPpcc.Ppc64;
using BpfPpcc.Symbols;
using BpfPpcc.Verification;

namespace BpfPpcc.ObjectWriting;

/// <summary>
/// What the object says of itself: the module's record in bpf_modules, the table of the helpers that it calls, and .note.bpfppcc for tools
/// that look at files (object-abi.md, Discovery).
/// </summary>
internal sealed class ModuleRecord
{
    public const uint AbiVersion = 1;

    /// <summary>sizeof(struct bpfppcc_module).</summary>
    public const int RecordSize = 160;

    private const uint IsBigEndian = 1;
    private const uint IsVerified = 2;
    private const string NoteOwner = "bpfppcc";
    private const uint NoteType = 1;

    private readonly VerifiedModule _module;
    private readonly OutputSections _sections;
    private readonly StringPool _strings;
    private readonly ObjectOptions _options;
    private readonly TargetDescription _target;
    private readonly List<Symbol> _helpers;

    public ModuleRecord(
        VerifiedModule module,
        IReadOnlyList<CompiledFunction> functions,
        SymbolTable symbols,
        OutputSections sections,
        StringPool strings,
        ObjectOptions options,
        TargetDescription target)
    {
        _module = module;
        _sections = sections;
        _strings = strings;
        _options = options;
        _target = target;
        _helpers = HelpersUsed(functions, symbols);
    }

    /// <summary>The module's record, to which the other tables point.</summary>
    public static Place PlaceIn(OutputSections sections) => new(sections.Modules, 0);

    public void Write(int programCount, int mapCount, UndefinedSymbols undefined)
    {
        Place helpers = WriteHelpers();
        WriteRecord(programCount, mapCount, helpers, undefined);
        WriteNote();
    }

    /// <summary>Helpers with a number that the code refers to, by number.</summary>
    private static List<Symbol> HelpersUsed(IReadOnlyList<CompiledFunction> functions, SymbolTable symbols)
    {
        var isUsed = new bool[symbols.Symbols.Count];
        foreach (CompiledFunction function in functions)
        {
            foreach (CodeRelocation relocation in function.Relocations)
            {
                if (!relocation.Symbol.IsNone)
                    isUsed[relocation.Symbol.Value] = true;
            }
        }

        var helpers = new List<Symbol>();
        for (int i = 0; i < isUsed.Length; i++)
        {
            if (isUsed[i] && symbols.Symbols[i] is { Kind: SymbolKind.ExternFunction, Index: >= 0 } helper)
                helpers.Add(helper);
        }

        helpers.Sort(static (a, b) => a.Index.CompareTo(b.Index));
        return helpers;
    }

    private Place WriteHelpers()
    {
        SectionBuilder section = _sections.Constants;
        section.Bytes.Align(8);
        Place start = section.Next;
        foreach (Symbol helper in _helpers)
        {
            section.Bytes.WriteUInt32((uint)helper.Index);
            section.Bytes.WriteUInt32(0);
            section.WriteAddress(_strings.Add(HelperNames.Bare(helper)));
        }

        return start;
    }

    private void WriteRecord(int programCount, int mapCount, Place helpers, UndefinedSymbols undefined)
    {
        BpfModule module = _module.Module;
        SectionBuilder section = _sections.Modules;
        ByteWriter bytes = section.Bytes;
        bytes.WriteUInt32(RecordSize);
        bytes.WriteUInt32(AbiVersion);
        bytes.WriteUInt32((_target.IsBigEndian ? IsBigEndian : 0) | (_module.IsVerified ? IsVerified : 0));
        bytes.WriteUInt32(module.KernelVersion);
        section.WriteAddress(_strings.Add("bpfppcc " + _options.ToolVersion));
        section.WriteAddress(_strings.Add(FileNameOf(module.SourceName)));
        section.WriteAddress(_strings.Add(module.Licence));
        section.WriteAddress(_strings.Add(CpuName(_target.Cpu)));
        section.WriteAddress(_strings.Add(_options.OptionsText));
        bytes.WriteBytes(module.Sha256.AsSpan());
        section.WriteAddress(undefined.TocBase, 0);
        WriteTable(programCount, new Place(_sections.Programs, 0));
        WriteTable(mapCount, new Place(_sections.Maps, 0));
        WriteTable(_helpers.Count, helpers);
        bytes.WriteZeros(16);
    }

    private void WriteTable(int count, Place start)
    {
        _sections.Modules.WriteAddressOrNull(count != 0 ? start : null);
        _sections.Modules.Bytes.WriteUInt64((ulong)count);
    }

    /// <summary>ELF gABI, chapter 5, Note Section: owner and description are padded to four bytes.</summary>
    private void WriteNote()
    {
        var description = new ByteWriter(_target.IsBigEndian);
        description.WriteUInt32(AbiVersion);
        description.WriteCString("tool=bpfppcc " + _options.ToolVersion);
        description.WriteCString("sha256=" + Convert.ToHexStringLower(_module.Module.Sha256.AsSpan()));
        description.WriteCString("options=" + _options.OptionsText);
        description.WriteCString("verify=" + (_module.IsVerified ? "on" : "off"));
        if (_options.VerifierLimits.Length != 0)
            description.WriteCString("verify-limits=" + _options.VerifierLimits);
        description.WriteCString("helpers=" + HelperList());

        ByteWriter bytes = _sections.Note.Bytes;
        bytes.WriteUInt32((uint)NoteOwner.Length + 1);
        bytes.WriteUInt32((uint)description.Length);
        bytes.WriteUInt32(NoteType);
        bytes.WriteCString(NoteOwner);
        bytes.Align(4);
        bytes.WriteBytes(description.Written);
        bytes.Align(4);
    }

    private string HelperList()
    {
        var list = new StringBuilder();
        foreach (Symbol helper in _helpers)
        {
            if (list.Length != 0)
                list.Append(',');
            list.Append(helper.Index.ToString(CultureInfo.InvariantCulture));
        }

        return list.ToString();
    }

    /// <summary>Without folders, which say more of the machine than of the object.</summary>
    private static string FileNameOf(string path) => path[(path.LastIndexOfAny(['/', '\\']) + 1)..];

    private static string CpuName(Ppc64Cpu cpu) => cpu switch
    {
        Ppc64Cpu.Power8 => "power8",
        Ppc64Cpu.Power9 => "power9",
        Ppc64Cpu.Power10 => "power10",
    };
}
