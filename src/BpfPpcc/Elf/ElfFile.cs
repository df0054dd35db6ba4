using static BpfPpcc.Elf.ElfConstants;

namespace BpfPpcc.Elf;

/// <summary>
/// An ELF64 file as its sections and symbols (System V gABI, chapters 4 and 5). <see cref="ElfReader"/> makes one from bytes; a producer
/// fills one in and hands it to <see cref="ElfWriter"/>.
/// What only serves the encoding is not kept: the null section and null symbol, the symbol table and its string table, the section name
/// table, and relocation sections, whose entries hang on the section they relocate. References are object references, not indices.
/// </summary>
public sealed class ElfFile
{
    public required bool IsBigEndian { get; init; }

    /// <summary>e_type: ET_REL, ...</summary>
    public ushort Type { get; init; } = ET_REL;

    /// <summary>e_machine: EM_PPC64, EM_BPF, ...</summary>
    public required ushort Machine { get; init; }

    /// <summary>EI_OSABI.</summary>
    public byte OsAbi { get; init; } = ELFOSABI_NONE;

    /// <summary>EI_ABIVERSION.</summary>
    public byte AbiVersion { get; init; }

    /// <summary>e_flags.</summary>
    public uint Flags { get; init; }

    /// <summary>Content sections in file order. Names need not be unique.</summary>
    public List<ElfSection> Sections { get; } = [];

    /// <summary>
    /// Symbols in any order (the writer moves locals to the front, as the gABI wants, and otherwise keeps the order). Names need not be
    /// unique.
    /// </summary>
    public List<ElfSymbol> Symbols { get; } = [];

    /// <summary>Adds <paramref name="section"/> and returns it.</summary>
    public ElfSection Add(ElfSection section)
    {
        Sections.Add(section);
        return section;
    }

    /// <summary>Adds <paramref name="symbol"/> and returns it.</summary>
    public ElfSymbol Add(ElfSymbol symbol)
    {
        Symbols.Add(symbol);
        return symbol;
    }

    /// <summary>Adds the section symbol (STT_SECTION, STB_LOCAL) of <paramref name="section"/> and returns it.</summary>
    public ElfSymbol AddSectionSymbol(ElfSection section) =>
        Add(new ElfSymbol { Type = STT_SECTION, Binding = STB_LOCAL, Section = section });

    /// <summary>The first section of this name, or null.</summary>
    public ElfSection? FindSection(string name)
    {
        foreach (ElfSection section in Sections)
        {
            if (section.Name == name)
                return section;
        }

        return null;
    }
}
