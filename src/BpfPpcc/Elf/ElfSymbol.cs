using static BpfPpcc.Elf.ElfConstants;

namespace BpfPpcc.Elf;

/// <summary>An entry of the symbol table (System V gABI, chapter 4, Symbol Table).</summary>
public sealed class ElfSymbol
{
    public string Name { get; init; } = "";

    /// <summary>STT_FUNC, ...</summary>
    public byte Type { get; init; }

    /// <summary>STB_LOCAL, ...</summary>
    public byte Binding { get; init; }

    /// <summary>
    /// The whole of st_other: visibility in the low two bits, the rest belongs to the machine (ELFv2: the local entry point).
    /// </summary>
    public byte Other { get; init; }

    /// <summary>The section that defines the symbol; null if it is undefined, absolute or common.</summary>
    public ElfSection? Section { get; init; }

    /// <summary>Where <see cref="Section"/> is null: SHN_UNDEF, SHN_ABS, SHN_COMMON or another reserved index.</summary>
    public ushort ReservedIndex { get; init; } = SHN_UNDEF;

    /// <summary>st_value: in relocatable files the offset in the section (for SHN_COMMON the alignment).</summary>
    public ulong Value { get; set; }

    /// <summary>st_size in bytes, 0 if unknown.</summary>
    public ulong Size { get; set; }

    public bool IsUndefined => Section is null && ReservedIndex == SHN_UNDEF;

    public bool IsLocal => Binding == STB_LOCAL;

    public bool IsWeak => Binding == STB_WEAK;

    /// <summary>STV_DEFAULT, ...</summary>
    public byte Visibility => (byte)(Other & 3);
}
