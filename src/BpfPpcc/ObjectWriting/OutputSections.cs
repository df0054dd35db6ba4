using System.Collections.Immutable;
using BpfPpcc.Dwarf;
using BpfPpcc.Loading;
using BpfPpcc.Ppc64;
using static BpfPpcc.Elf.ElfConstants;

namespace BpfPpcc.ObjectWriting;

/// <summary>
/// The sections of the output, in their order. What the compiler adds to the input's data has sections of its own, of the same families, so
/// that offsets in the input's sections stay what they were. Tables are writable, because they hold addresses that a dynamic loader fills
/// in, and retained, because nothing refers to them (object-abi.md, Discovery).
/// </summary>
internal sealed class OutputSections
{
    private const ulong Data = SHF_ALLOC | SHF_WRITE;
    private const ulong Table = Data | SHF_GNU_RETAIN;

    public OutputSections(ImmutableArray<BpfDataSection> dataSections, TargetDescription target)
    {
        bool bigEndian = target.IsBigEndian;
        Text = new SectionBuilder(".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, TextSection.FunctionAlignment, bigEndian);
        InputData = [.. dataSections.Select(section => MakeInputData(section, bigEndian))];
        Strings = new SectionBuilder(".rodata.bpfppcc", SHT_PROGBITS, SHF_ALLOC, alignment: 1, bigEndian);
        Storage = new SectionBuilder(".bss.bpfppcc", SHT_NOBITS, Data, alignment: 8, bigEndian);
        InitialStorage = new SectionBuilder(".data.bpfppcc", SHT_PROGBITS, Data, alignment: 8, bigEndian);
        Constants = new SectionBuilder(".data.rel.ro", SHT_PROGBITS, Data, alignment: 8, bigEndian);
        Toc = new SectionBuilder(".toc", SHT_PROGBITS, Data, alignment: 8, bigEndian);
        Programs = new SectionBuilder("bpf_progs", SHT_PROGBITS, Table, alignment: 8, bigEndian);
        Maps = new SectionBuilder("bpf_maps", SHT_PROGBITS, Table, alignment: 8, bigEndian);
        Modules = new SectionBuilder("bpf_modules", SHT_PROGBITS, Table, alignment: 8, bigEndian);
        EhFrame = new SectionBuilder(".eh_frame", SHT_PROGBITS, SHF_ALLOC, EhFrameWriter.Alignment, bigEndian);
        Note = new SectionBuilder(".note.bpfppcc", SHT_NOTE, SHF_ALLOC, alignment: 4, bigEndian);
        Btf = new SectionBuilder(".BTF", SHT_PROGBITS, flags: 0, alignment: 4, bigEndian);
        BtfExt = new SectionBuilder(".BTF.ext", SHT_PROGBITS, flags: 0, alignment: 4, bigEndian);
        StackNote = new SectionBuilder(".note.GNU-stack", SHT_PROGBITS, flags: 0, alignment: 1, bigEndian);
    }

    public SectionBuilder Text { get; }

    /// <summary>By <see cref="BpfDataSection.Index"/>.</summary>
    public ImmutableArray<SectionBuilder> InputData { get; }

    /// <summary>Names and other texts of the tables.</summary>
    public SectionBuilder Strings { get; }

    /// <summary>Elements of ARRAY maps and slots of prog arrays.</summary>
    public SectionBuilder Storage { get; }

    /// <summary>Slots of prog arrays with initial values.</summary>
    public SectionBuilder InitialStorage { get; }

    /// <summary>Constant once the program is loaded: the helper table, initial values of maps in maps.</summary>
    public SectionBuilder Constants { get; }

    /// <summary>Addresses of externs.</summary>
    public SectionBuilder Toc { get; }

    public SectionBuilder Programs { get; }

    public SectionBuilder Maps { get; }

    public SectionBuilder Modules { get; }

    public SectionBuilder EhFrame { get; }

    public SectionBuilder Note { get; }

    public SectionBuilder Btf { get; }

    public SectionBuilder BtfExt { get; }

    public SectionBuilder StackNote { get; }

    /// <summary>All of them, in the order of the output.</summary>
    public IEnumerable<SectionBuilder> All =>
    [
        Text, .. InputData, Strings, Storage, InitialStorage, Constants, Toc, Programs, Maps, Modules, EhFrame, Note, Btf, BtfExt, StackNote,
    ];

    /// <summary>
    /// Constants with addresses in them belong where the dynamic loader may still write when it has loaded the program. Sections start at
    /// multiples of 8, as BPF code finds them in the kernel, where they are values of maps: DS-form instructions that refer to a symbol
    /// need its address to be a multiple of 4.
    /// </summary>
    private static SectionBuilder MakeInputData(BpfDataSection section, bool bigEndian)
    {
        bool isConstant = section.IsReadOnly && section.Relocations.IsEmpty;
        bool holdsAddresses = section.IsReadOnly && !section.Relocations.IsEmpty;
        string name = holdsAddresses ? ".data.rel.ro." + section.Name.TrimStart('.') : section.Name;
        uint type = section.Contents.IsEmpty ? SHT_NOBITS : SHT_PROGBITS;
        return new SectionBuilder(name, type, isConstant ? SHF_ALLOC : Data, (int)Math.Max(8, section.Alignment), bigEndian);
    }
}
