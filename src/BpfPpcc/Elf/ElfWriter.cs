using BpfPpcc.Collections;
using static BpfPpcc.Elf.ElfConstants;

namespace BpfPpcc.Elf;

/// <summary>
/// Writes an <see cref="ElfFile"/> as a relocatable ELF64 file of either byte order (System V gABI, chapter 4). Order of the sections:
/// null, the content sections as listed, each followed by its SHT_RELA section if it has relocations, .symtab, .symtab_shndx where indices need
/// it, .strtab, .shstrtab. The bytes are a function of the file's value alone.
/// </summary>
public sealed class ElfWriter
{
    private readonly ElfFile _file;
    private readonly ByteWriter _writer;
    private readonly ElfStringTable _names = new();
    private readonly ElfStringTable _sectionNames = new();
    private readonly Dictionary<ElfSection, int> _sectionIndices = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<ElfSymbol, int> _symbolIndices = new(ReferenceEqualityComparer.Instance);
    private readonly List<ElfSymbol> _symbols = [];
    private readonly List<SectionHeader> _headers = [new SectionHeader()];
    private int _symbolTable;
    private int _firstGlobal;

    private ElfWriter(ElfFile file)
    {
        _file = file;
        _writer = new ByteWriter(file.IsBigEndian);
    }

    /// <summary>The bytes of <paramref name="file"/>.</summary>
    /// <exception cref="InvalidOperationException">The file refers to a section or symbol that is not part of it.</exception>
    public static byte[] Write(ElfFile file) => new ElfWriter(file).Write();

    private byte[] Write()
    {
        NumberSections();
        NumberSymbols();
        BuildStringTables();

        _writer.WriteZeros(EhdrSize);
        foreach (ElfSection section in _file.Sections)
        {
            WriteContents(section);
            if (section.Relocations.Count != 0)
                WriteRelocations(section);
        }

        WriteSymbolTable();
        WriteStringTable(".strtab", _names.Bytes);
        WriteStringTable(".shstrtab", _sectionNames.Bytes);

        _writer.Align(8);
        int headerOffset = _writer.Length;
        WriteSectionHeaders();
        byte[] bytes = _writer.ToArray();
        FileHeader((ulong)headerOffset).CopyTo(bytes);
        return bytes;
    }

    private void NumberSections()
    {
        int index = 1;
        foreach (ElfSection section in _file.Sections)
        {
            if (!_sectionIndices.TryAdd(section, index))
                throw new InvalidOperationException($"section '{section.Name}' is in the ELF file twice");
            index += section.Relocations.Count != 0 ? 2 : 1;
        }

        _symbolTable = index;
    }

    /// <summary>gABI, chapter 4, Symbol Table: local symbols precede the others; sh_info is the index of the first that is not.</summary>
    private void NumberSymbols()
    {
        AddSymbols(local: true);
        _firstGlobal = _symbols.Count + 1;
        AddSymbols(local: false);
    }

    private void AddSymbols(bool local)
    {
        foreach (ElfSymbol symbol in _file.Symbols)
        {
            if (symbol.IsLocal != local)
                continue;
            _symbols.Add(symbol);
            if (!_symbolIndices.TryAdd(symbol, _symbols.Count))
                throw new InvalidOperationException($"symbol '{symbol.Name}' is in the ELF file twice");
        }
    }

    private void BuildStringTables()
    {
        foreach (ElfSymbol symbol in _symbols)
            _names.Add(symbol.Name);
        foreach (ElfSection section in _file.Sections)
        {
            _sectionNames.Add(section.Name);
            if (section.Relocations.Count != 0)
                _sectionNames.Add(RelocationSectionName(section));
        }

        foreach (string name in (ReadOnlySpan<string>)[".symtab", ".symtab_shndx", ".strtab", ".shstrtab"])
            _sectionNames.Add(name);
        _names.Build();
        _sectionNames.Build();
    }

    private void WriteContents(ElfSection section)
    {
        _writer.Align((int)Math.Max(1, section.Alignment));
        _headers.Add(new SectionHeader
        {
            Name = section.Name,
            Type = section.Type,
            Flags = section.Flags,
            Offset = (ulong)_writer.Length,
            Size = section.Size,
            Link = section.Link is null ? 0 : (uint)IndexOf(section.Link),
            Info = section.Info,
            Alignment = section.Alignment,
            EntrySize = section.EntrySize,
        });
        if (section.Type != SHT_NOBITS)
            _writer.WriteBytes(section.Contents.Span);
    }

    private void WriteRelocations(ElfSection section)
    {
        StartTable(RelocationSectionName(section), SHT_RELA, SHF_INFO_LINK, alignment: 8, RelaSize, _symbolTable, (uint)IndexOf(section));
        foreach (ElfRelocation relocation in section.Relocations)
        {
            if (relocation.IsImplicit)
                throw new InvalidOperationException($"section '{section.Name}' has an implicit addend, which SHT_RELA cannot hold");
            _writer.WriteUInt64(relocation.Offset);
            _writer.WriteUInt64(((ulong)IndexOf(relocation.Symbol) << 32) | relocation.Type);
            _writer.WriteUInt64((ulong)relocation.Addend);
        }

        EndTable();
    }

    private void WriteSymbolTable()
    {
        bool needsExtendedIndices = _symbolTable > SHN_LORESERVE;
        int stringTable = _symbolTable + (needsExtendedIndices ? 2 : 1);
        StartTable(".symtab", SHT_SYMTAB, flags: 0, alignment: 8, SymSize, stringTable, (uint)_firstGlobal);
        _writer.WriteZeros(SymSize);
        foreach (ElfSymbol symbol in _symbols)
        {
            int index = symbol.Section is null ? symbol.ReservedIndex : IndexOf(symbol.Section);
            _writer.WriteUInt32(_names.OffsetOf(symbol.Name));
            _writer.WriteByte((byte)((symbol.Binding << 4) | symbol.Type));
            _writer.WriteByte(symbol.Other);
            _writer.WriteUInt16(NeedsExtendedIndex(symbol) ? SHN_XINDEX : (ushort)index);
            _writer.WriteUInt64(symbol.Value);
            _writer.WriteUInt64(symbol.Size);
        }

        EndTable();
        if (!needsExtendedIndices)
            return;
        StartTable(".symtab_shndx", SHT_SYMTAB_SHNDX, flags: 0, alignment: 4, entrySize: 4, _symbolTable, info: 0);
        _writer.WriteUInt32(0);
        foreach (ElfSymbol symbol in _symbols)
            _writer.WriteUInt32(NeedsExtendedIndex(symbol) ? (uint)IndexOf(symbol.Section!) : 0);
        EndTable();
    }

    private bool NeedsExtendedIndex(ElfSymbol symbol) => symbol.Section is not null && IndexOf(symbol.Section) >= SHN_LORESERVE;

    private void WriteStringTable(string name, byte[] strings)
    {
        StartTable(name, SHT_STRTAB, flags: 0, alignment: 1, entrySize: 0, link: 0, info: 0);
        _writer.WriteBytes(strings);
        EndTable();
    }

    private void StartTable(string name, uint type, ulong flags, int alignment, int entrySize, int link, uint info)
    {
        _writer.Align(alignment);
        _headers.Add(new SectionHeader
        {
            Name = name,
            Type = type,
            Flags = flags,
            Offset = (ulong)_writer.Length,
            Link = (uint)link,
            Info = info,
            Alignment = (ulong)alignment,
            EntrySize = (ulong)entrySize,
        });
    }

    private void EndTable() => _headers[^1] = _headers[^1] with { Size = (ulong)_writer.Length - _headers[^1].Offset };

    private void WriteSectionHeaders()
    {
        // gABI, chapter 4, ELF Header: counts that do not fit stand in the null section's header.
        int nameTable = _headers.Count - 1;
        _headers[0] = new SectionHeader
        {
            Size = _headers.Count >= SHN_LORESERVE ? (ulong)_headers.Count : 0,
            Link = nameTable >= SHN_LORESERVE ? (uint)nameTable : 0,
        };
        foreach (SectionHeader header in _headers)
        {
            _writer.WriteUInt32(_sectionNames.OffsetOf(header.Name ?? ""));
            _writer.WriteUInt32(header.Type);
            _writer.WriteUInt64(header.Flags);
            _writer.WriteUInt64(0);
            _writer.WriteUInt64(header.Offset);
            _writer.WriteUInt64(header.Size);
            _writer.WriteUInt32(header.Link);
            _writer.WriteUInt32(header.Info);
            _writer.WriteUInt64(header.Alignment);
            _writer.WriteUInt64(header.EntrySize);
        }
    }

    private ReadOnlySpan<byte> FileHeader(ulong sectionHeaderOffset)
    {
        int nameTable = _headers.Count - 1;
        var header = new ByteWriter(_file.IsBigEndian);
        header.WriteBytes("\u007fELF"u8);
        header.WriteByte(ELFCLASS64);
        header.WriteByte(_file.IsBigEndian ? ELFDATA2MSB : ELFDATA2LSB);
        header.WriteByte(EV_CURRENT);
        header.WriteByte(_file.OsAbi);
        header.WriteByte(_file.AbiVersion);
        header.WriteZeros(7);
        header.WriteUInt16(_file.Type);
        header.WriteUInt16(_file.Machine);
        header.WriteUInt32(EV_CURRENT);
        header.WriteUInt64(0);
        header.WriteUInt64(0);
        header.WriteUInt64(sectionHeaderOffset);
        header.WriteUInt32(_file.Flags);
        header.WriteUInt16(EhdrSize);
        header.WriteUInt16(0);
        header.WriteUInt16(0);
        header.WriteUInt16(ShdrSize);
        header.WriteUInt16(_headers.Count < SHN_LORESERVE ? (ushort)_headers.Count : (ushort)0);
        header.WriteUInt16(nameTable < SHN_LORESERVE ? (ushort)nameTable : SHN_XINDEX);
        return header.Written;
    }

    private int IndexOf(ElfSection section) => _sectionIndices.TryGetValue(section, out int index)
        ? index
        : throw new InvalidOperationException($"section '{section.Name}' is referred to, but not in the ELF file");

    private int IndexOf(ElfSymbol? symbol) => symbol is null ? 0
        : _symbolIndices.TryGetValue(symbol, out int index) ? index
        : throw new InvalidOperationException($"symbol '{symbol.Name}' is referred to, but not in the ELF file");

    private static string RelocationSectionName(ElfSection section) => ".rela" + section.Name;

    /// <summary>Elf64_Shdr without sh_addr, which is 0 in relocatable files.</summary>
    private readonly record struct SectionHeader(
        string? Name, uint Type, ulong Flags, ulong Offset, ulong Size, uint Link, uint Info, ulong Alignment, ulong EntrySize);
}
