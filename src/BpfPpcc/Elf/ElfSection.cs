using static BpfPpcc.Elf.ElfConstants;

namespace BpfPpcc.Elf;

/// <summary>A section with its contents and the relocations that apply to it (System V gABI, chapter 4, Sections).</summary>
public sealed class ElfSection
{
    public required string Name { get; init; }

    /// <summary>sh_type: SHT_PROGBITS, SHT_NOBITS, SHT_NOTE, ...</summary>
    public required uint Type { get; init; }

    /// <summary>sh_flags: SHF_ALLOC, ...</summary>
    public ulong Flags { get; init; }

    /// <summary>sh_addralign: a power of two, or 0, which means the same as 1.</summary>
    public ulong Alignment { get; set; } = 1;

    /// <summary>sh_entsize: size of an entry where the section is a table (SHF_MERGE), else 0.</summary>
    public ulong EntrySize { get; init; }

    /// <summary>sh_link where it names a content section (SHF_LINK_ORDER), else null.</summary>
    public ElfSection? Link { get; set; }

    /// <summary>sh_info, uninterpreted.</summary>
    public uint Info { get; init; }

    /// <summary>The bytes; empty for SHT_NOBITS.</summary>
    public ReadOnlyMemory<byte> Contents { get; set; }

    /// <summary>
    /// For SHT_NOBITS: the size in memory. Of a file that was read, it is whatever the file says: check before allocating.
    /// </summary>
    public ulong NoBitsSize { get; set; }

    /// <summary>Relocations of this section, in file order.</summary>
    public List<ElfRelocation> Relocations { get; } = [];

    /// <summary>Index in the section header table of the file that was read; 0 for a section that was not read.</summary>
    public int Index { get; init; }

    /// <summary>sh_size.</summary>
    public ulong Size => Type == SHT_NOBITS ? NoBitsSize : (ulong)Contents.Length;

    public bool HasFlag(ulong flag) => (Flags & flag) != 0;
}

/// <summary>An entry of a relocation section (System V gABI, chapter 4, Relocation).</summary>
/// <param name="Offset">Byte offset of the relocated field in its section.</param>
/// <param name="Type">Relocation type; the numbers belong to the machine.</param>
/// <param name="Symbol">The symbol, or null for symbol index 0.</param>
/// <param name="Addend">r_addend; 0 if <paramref name="IsImplicit"/>.</param>
/// <param name="IsImplicit">True if it comes from SHT_REL: the addend lies in the relocated field.</param>
public readonly record struct ElfRelocation(ulong Offset, uint Type, ElfSymbol? Symbol, long Addend, bool IsImplicit = false);
