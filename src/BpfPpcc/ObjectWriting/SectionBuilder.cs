using BpfPpcc.Collections;
using BpfPpcc.Elf;
using BpfPpcc.Ppc64;
using static BpfPpcc.Elf.ElfConstants;

namespace BpfPpcc.ObjectWriting;

/// <summary>A byte of a section of the output.</summary>
internal readonly record struct Place(SectionBuilder Section, long Offset);

/// <summary>
/// A section of the output while it is written. It can be referred to before its contents exist, always by its section symbol: own data is
/// never addressed by exported names (object-abi.md, Own data is addressed by section).
/// </summary>
internal sealed class SectionBuilder
{
    public SectionBuilder(string name, uint type, ulong flags, int alignment, bool bigEndian)
    {
        Bytes = new ByteWriter(bigEndian);
        Section = new ElfSection { Name = name, Type = type, Flags = flags, Alignment = (ulong)alignment };
        Symbol = new ElfSymbol { Type = STT_SECTION, Binding = STB_LOCAL, Section = Section };
    }

    public ElfSection Section { get; }

    /// <summary>The section symbol.</summary>
    public ElfSymbol Symbol { get; }

    /// <summary>The contents so far; not for SHT_NOBITS.</summary>
    public ByteWriter Bytes { get; }

    private bool IsNoBits => Section.Type == SHT_NOBITS;

    /// <summary>Bytes so far.</summary>
    public long Length => IsNoBits ? (long)Section.NoBitsSize : Bytes.Length;

    /// <summary>Where the next byte goes.</summary>
    public Place Next => new(this, Length);

    /// <summary>Appends zeros, aligned to 8 bytes, and says where they are.</summary>
    public Place Reserve(long size)
    {
        if (IsNoBits)
        {
            Section.NoBitsSize = (Section.NoBitsSize + 7) & ~7UL;
            Place place = Next;
            Section.NoBitsSize += (ulong)size;
            return place;
        }

        Bytes.Align(8);
        Place start = Next;
        Bytes.WriteZeros((int)size);
        return start;
    }

    /// <summary>Appends eight bytes that will hold the address of <paramref name="target"/>.</summary>
    public void WriteAddress(Place target) => WriteAddress(target.Section.Symbol, target.Offset);

    /// <summary>Appends eight bytes that will hold the address of <paramref name="symbol"/> plus <paramref name="addend"/>.</summary>
    public void WriteAddress(ElfSymbol symbol, long addend)
    {
        RelocateAddress(Bytes.Length, symbol, addend);
        Bytes.WriteUInt64(0);
    }

    /// <summary>Appends an address, or 0 if there is none.</summary>
    public void WriteAddressOrNull(Place? target)
    {
        if (target is { } place)
            WriteAddress(place);
        else
            Bytes.WriteUInt64(0);
    }

    /// <summary>The eight bytes at <paramref name="offset"/> will hold an address.</summary>
    public void RelocateAddress(long offset, ElfSymbol symbol, long addend) => Relocate(offset, Ppc64Relocation.R_PPC64_ADDR64, symbol, addend);

    public void Relocate(long offset, Ppc64Relocation type, ElfSymbol symbol, long addend) =>
        Section.Relocations.Add(new ElfRelocation((ulong)offset, (uint)type, symbol, addend));

    /// <summary>Ends writing.</summary>
    public void Finish()
    {
        if (!IsNoBits)
            Section.Contents = Bytes.ToArray();
    }
}
