using System.Globalization;
using System.Text;
using BpfPpcc.Collections;
using BpfPpcc.Diagnostics;
using static BpfPpcc.Elf.ElfConstants;

namespace BpfPpcc.Elf;

/// <summary>
/// Reads an ELF64 file of either byte order (System V gABI, chapter 4). Input is hostile: every offset, count and index is checked before
/// it is used, nothing throws, and what is allocated is bounded by a small multiple of the input's size. Contents are not copied.
/// </summary>
public sealed class ElfReader
{
    private readonly ReadOnlyMemory<byte> _bytes;
    private readonly string _fileName;
    private readonly DiagnosticBag _diagnostics;
    private bool _bigEndian;
    private SectionHeader[] _headers = [];
    private ElfSection[] _sections = [];
    private ElfSymbol?[] _symbols = [null];
    private int _symbolTable;

    /// <summary>By number: what is wrong with a symbol. Only a relocation that needs it makes it an error, as with libelf.</summary>
    private readonly SortedDictionary<uint, string> _damagedSymbols = [];

    /// <summary>
    /// Characters of names that may still be decoded. Names of a string table may overlap, so that a small file could ask for names of
    /// quadratic size; real files share suffixes, which never makes them several times larger than the file.
    /// </summary>
    private long _nameBudget;

    private ElfReader(ReadOnlyMemory<byte> bytes, string fileName, DiagnosticBag diagnostics)
    {
        _bytes = bytes;
        _fileName = fileName;
        _diagnostics = diagnostics;
        _nameBudget = 16L * bytes.Length + 65536;
    }

    /// <summary>
    /// Reads <paramref name="bytes"/>, which must stay unchanged as long as the result is used. On failure exactly one error is reported:
    /// NotElf, NotElf64, ElfTruncated or ElfMalformed.
    /// </summary>
    /// <param name="fileName">For diagnostics.</param>
    public static bool TryRead(ReadOnlyMemory<byte> bytes, string fileName, DiagnosticBag diagnostics, out ElfFile? file)
    {
        var reader = new ElfReader(bytes, fileName, diagnostics);
        return reader.TryReadFile(out file);
    }

    private ByteReader Reader => new(_bytes.Span, _bigEndian);

    private bool TryReadFile(out ElfFile? file)
    {
        file = null;
        if (!TryReadIdentification())
            return false;

        // The header is complete from here on, so that its fields can be read without a check.
        ByteReader reader = Reader;
        reader.TryReadUInt16(16, out ushort type);
        reader.TryReadUInt16(18, out ushort machine);
        reader.TryReadUInt64(40, out ulong sectionHeaderOffset);
        reader.TryReadUInt32(48, out uint flags);
        if (!TryReadSectionHeaders(sectionHeaderOffset) || !TryMakeSections() || !TryReadSymbols() || !TryReadRelocations())
            return false;

        WarnOfDamagedSymbols();
        file = new ElfFile
        {
            IsBigEndian = _bigEndian,
            Type = type,
            Machine = machine,
            OsAbi = _bytes.Span[7],
            AbiVersion = _bytes.Span[8],
            Flags = flags,
        };
        for (int i = 1; i < _sections.Length; i++)
        {
            if (!IsStructural(i))
                file.Sections.Add(_sections[i]);
        }

        for (int i = 1; i < _symbols.Length; i++)
        {
            if (_symbols[i] is { } symbol)
                file.Symbols.Add(symbol);
        }

        return true;
    }

    private bool TryReadIdentification()
    {
        ReadOnlySpan<byte> bytes = _bytes.Span;
        if (!bytes.StartsWith("\u007fELF"u8))
            return Fail(DiagnosticId.NotElf, bytes.IsEmpty ? "the file is empty" : "not an ELF file: it does not start with 7f 45 4c 46");
        if (bytes.Length > 4 && bytes[4] != ELFCLASS64)
            return Fail(DiagnosticId.NotElf64, $"not a 64-bit ELF file: EI_CLASS is {bytes[4]}, expected {ELFCLASS64}");
        if (bytes.Length < EhdrSize)
            return Fail(DiagnosticId.ElfTruncated, $"the file is cut off in its ELF header: it has {bytes.Length} bytes of {EhdrSize}");
        if (bytes[5] is not (ELFDATA2LSB or ELFDATA2MSB))
            return Fail(DiagnosticId.ElfMalformed, $"EI_DATA is {bytes[5]}, expected {ELFDATA2LSB} or {ELFDATA2MSB}");
        _bigEndian = bytes[5] == ELFDATA2MSB;
        return true;
    }

    private bool TryReadSectionHeaders(ulong offset)
    {
        if (offset == 0)
            return true;
        ByteReader reader = Reader;
        reader.TryReadUInt16(58, out ushort entrySize);
        reader.TryReadUInt16(60, out ushort shortCount);
        reader.TryReadUInt16(62, out ushort shortNameIndex);
        if (entrySize != ShdrSize)
            return Fail(DiagnosticId.ElfMalformed, $"e_shentsize is {entrySize}, expected {ShdrSize}");
        if (!reader.TrySlice(offset, ShdrSize, out _))
            return Fail(DiagnosticId.ElfTruncated, $"the section header table at offset {Hex(offset)} {BeyondTheEnd()}");

        // gABI, chapter 4, ELF Header: counts that do not fit stand in the null section's header.
        SectionHeader first = SectionHeader.Read(reader, offset);
        ulong count = shortCount != 0 ? shortCount : first.Size;
        ulong nameIndex = shortNameIndex != SHN_XINDEX ? shortNameIndex : first.Link;
        if (count > (ulong)_bytes.Length / ShdrSize || !reader.TrySlice(offset, count * ShdrSize, out _))
        {
            string table = $"the section header table at offset {Hex(offset)} with {count} entries";
            return Fail(DiagnosticId.ElfTruncated, $"{table} {BeyondTheEnd()}");
        }

        _headers = new SectionHeader[count];
        for (int i = 0; i < _headers.Length; i++)
            _headers[i] = SectionHeader.Read(reader, offset + (ulong)i * ShdrSize);
        return TryNameSections(nameIndex);
    }

    private bool TryNameSections(ulong nameIndex)
    {
        if (_headers.Length == 0 || nameIndex == SHN_UNDEF)
            return true;
        if (nameIndex >= (ulong)_headers.Length)
            return Fail(DiagnosticId.ElfMalformed, $"e_shstrndx is {nameIndex}, but there are {_headers.Length} sections");
        ref SectionHeader table = ref _headers[nameIndex];
        table.IsStructural = true;
        if (table.Type != SHT_STRTAB)
            return Fail(DiagnosticId.ElfMalformed, $"the section name table, section [{nameIndex}], is no string table");
        if (!Reader.TrySlice(table.Offset, table.Size, out ReadOnlySpan<byte> names))
            return Fail(DiagnosticId.ElfTruncated, $"the section name table at offset {Hex(table.Offset)} {BeyondTheEnd()}");
        for (int i = 1; i < _headers.Length; i++)
        {
            if (!TryDecodeName(names, _headers[i].NameOffset, out _headers[i].Name))
                return Fail(DiagnosticId.ElfMalformed, $"the name of section [{i}] does not lie in the section name table");
        }

        return true;
    }

    private bool TryMakeSections()
    {
        _sections = new ElfSection[_headers.Length];
        for (int i = 1; i < _headers.Length; i++)
        {
            ref readonly SectionHeader header = ref _headers[i];
            bool isAllocated = (header.Flags & SHF_ALLOC) != 0;
            if (isAllocated && (header.Alignment & (header.Alignment - 1)) != 0)
                return FailIn(i, DiagnosticId.ElfMalformed, $"has sh_addralign {Hex(header.Alignment)}, which is not a power of two");
            bool hasBytes = header.Type is not (SHT_NULL or SHT_NOBITS);
            if (hasBytes && !Reader.TrySlice(header.Offset, header.Size, out _))
            {
                string range = $"has {Hex(header.Size)} bytes at offset {Hex(header.Offset)} and";
                return FailIn(i, DiagnosticId.ElfTruncated, $"{range} {BeyondTheEnd()}");
            }

            if (header.Type == SHT_SYMTAB)
            {
                if (_symbolTable != 0)
                    return FailIn(i, DiagnosticId.ElfMalformed, "is a second symbol table");
                _symbolTable = i;
            }

            _sections[i] = new ElfSection
            {
                Name = header.Name,
                Type = header.Type,
                Flags = header.Flags,
                Alignment = isAllocated ? header.Alignment : 1,
                EntrySize = header.EntrySize,
                Info = header.Info,
                Index = i,
                Contents = hasBytes ? _bytes.Slice((int)header.Offset, (int)header.Size) : default,
                NoBitsSize = header.Type == SHT_NOBITS ? header.Size : 0,
            };
        }

        for (int i = 1; i < _headers.Length; i++)
        {
            uint link = _headers[i].Link;
            if (link != 0 && link < _headers.Length && !IsStructural((int)link))
                _sections[i].Link = _sections[link];
        }

        return true;
    }

    private bool TryReadSymbols()
    {
        if (_symbolTable == 0)
            return true;
        ref readonly SectionHeader table = ref _headers[_symbolTable];
        if (table.EntrySize != SymSize || table.Size % SymSize != 0)
            return FailIn(_symbolTable, DiagnosticId.ElfMalformed, $"is no table of {SymSize}-byte symbols");
        if (table.Link == 0 || table.Link >= _headers.Length || _headers[table.Link].Type != SHT_STRTAB)
            return FailIn(_symbolTable, DiagnosticId.ElfMalformed, $"has sh_link {table.Link}, which is no string table");
        _headers[table.Link].IsStructural = true;
        ReadOnlySpan<byte> names = _sections[table.Link].Contents.Span;
        var entries = new ByteReader(_sections[_symbolTable].Contents.Span, _bigEndian);
        var extendedIndices = new ByteReader(ExtendedIndices(), _bigEndian);

        _symbols = new ElfSymbol?[Math.Max(1, (int)(table.Size / SymSize))];
        for (int i = 1; i < _symbols.Length; i++)
        {
            ulong at = (ulong)i * SymSize;
            entries.TryReadUInt32(at, out uint nameOffset);
            entries.TryReadByte(at + 4, out byte info);
            entries.TryReadByte(at + 5, out byte other);
            entries.TryReadUInt16(at + 6, out ushort shortIndex);
            entries.TryReadUInt64(at + 8, out ulong value);
            entries.TryReadUInt64(at + 16, out ulong size);
            bool isReserved = shortIndex is >= SHN_LORESERVE and not SHN_XINDEX;
            uint index = shortIndex;
            string? fault = null;
            bool isNamed = TryDecodeName(names, nameOffset, out string name);
            if (_nameBudget < 0)
                return FailIn(_symbolTable, DiagnosticId.ElfMalformed, "has symbols whose names overlap so much that they would fill the memory");
            if (!isNamed)
                fault = "whose name does not lie in the string table";
            else if (shortIndex == SHN_XINDEX && !extendedIndices.TryReadUInt32((ulong)i * 4, out index))
                fault = "with SHN_XINDEX, but no SHT_SYMTAB_SHNDX";
            else if (!isReserved && index >= _headers.Length)
                fault = $"in section {index}, but there are {_headers.Length} sections";
            if (fault is not null)
            {
                _damagedSymbols.Add((uint)i, fault);
                continue;
            }

            _symbols[i] = new ElfSymbol
            {
                Name = name,
                Type = (byte)(info & 15),
                Binding = (byte)(info >> 4),
                Other = other,
                Section = isReserved || index == SHN_UNDEF ? null : _sections[index],
                ReservedIndex = isReserved ? shortIndex : SHN_UNDEF,
                Value = value,
                Size = size,
            };
        }

        return true;
    }

    private void WarnOfDamagedSymbols()
    {
        if (_damagedSymbols.Count == 0)
            return;
        (uint first, string fault) = _damagedSymbols.First();
        string others = _damagedSymbols.Count == 1 ? "" : $", and {_damagedSymbols.Count - 1} more damaged symbols";
        string name = _headers[_symbolTable].Name;
        _diagnostics.Warning(
            DiagnosticId.ElfMalformed, $"section [{_symbolTable}] '{name}' has a symbol [{first}] {fault}{others}; no code or data needs what is damaged, so it is left out",
            new DiagnosticLocation(_fileName, name));
    }

    private ReadOnlySpan<byte> ExtendedIndices()
    {
        for (int i = 1; i < _headers.Length; i++)
        {
            if (_headers[i].Type == SHT_SYMTAB_SHNDX && _headers[i].Link == _symbolTable)
                return _sections[i].Contents.Span;
        }

        return default;
    }

    private bool TryReadRelocations()
    {
        // Relocation sections may overlap, but only a file that is made up has more relocations than bytes for them.
        ulong total = 0;
        for (int i = 1; i < _headers.Length; i++)
        {
            if (!IsRelocationOfSection(i))
                continue;
            total += _headers[i].Size;
            if (total > (ulong)_bytes.Length)
                return FailIn(i, DiagnosticId.ElfMalformed, "overlaps other relocation sections");
            if (!TryReadRelocations(i))
                return false;
        }

        return true;
    }

    private bool TryReadRelocations(int index)
    {
        ref readonly SectionHeader header = ref _headers[index];
        bool isRela = header.Type == SHT_RELA;
        int entrySize = isRela ? RelaSize : RelSize;
        if (header.EntrySize != (ulong)entrySize || header.Size % (ulong)entrySize != 0)
            return FailIn(index, DiagnosticId.ElfMalformed, $"is no table of {entrySize}-byte relocations");
        if (header.Info >= _headers.Length || IsStructural((int)header.Info))
            return FailIn(index, DiagnosticId.ElfMalformed, $"has sh_info {header.Info}, which is no section that can be relocated");
        if (header.Link != _symbolTable)
            return FailIn(index, DiagnosticId.ElfMalformed, $"has sh_link {header.Link}, but the symbol table is section {_symbolTable}");

        ElfSection target = _sections[header.Info];
        int before = target.Relocations.Count;
        if (ReadRelocations(target, new ByteReader(_sections[index].Contents.Span, _bigEndian), isRela) is not { } fault)
            return true;
        if ((target.Flags & SHF_ALLOC) != 0)
            return FailIn(index, DiagnosticId.ElfMalformed, $"has a relocation {fault}");
        target.Relocations.RemoveRange(before, target.Relocations.Count - before);
        _diagnostics.Warning(
            DiagnosticId.ElfMalformed, $"section [{index}] '{header.Name}' has a relocation {fault}; it is left out, as programs do not need it",
            new DiagnosticLocation(_fileName, header.Name));
        return true;
    }

    /// <summary>What is wrong with one of them, or null.</summary>
    private string? ReadRelocations(ElfSection target, ByteReader entries, bool isRela)
    {
        int entrySize = isRela ? RelaSize : RelSize;
        target.Relocations.EnsureCapacity(target.Relocations.Count + entries.Length / entrySize);
        for (ulong at = 0; at < (ulong)entries.Length; at += (ulong)entrySize)
        {
            ulong addend = 0;
            entries.TryReadUInt64(at, out ulong offset);
            entries.TryReadUInt64(at + 8, out ulong info);
            if (isRela)
                entries.TryReadUInt64(at + 16, out addend);
            uint symbol = (uint)(info >> 32);
            if (symbol >= _symbols.Length)
                return $"at {Hex(offset)} with symbol {symbol}, but there are {_symbols.Length} symbols";
            if (_damagedSymbols.TryGetValue(symbol, out string? fault))
                return $"at {Hex(offset)} with the symbol [{symbol}] {fault}";
            if (offset >= target.Size)
                return $"at {Hex(offset)}, beyond the end of section '{target.Name}'";
            target.Relocations.Add(new ElfRelocation(offset, (uint)info, _symbols[symbol], (long)addend, IsImplicit: !isRela));
        }

        return null;
    }

    /// <summary>True for the sections that serve the encoding only, see <see cref="ElfFile"/>.</summary>
    private bool IsStructural(int index) =>
        index == 0 || _headers[index].IsStructural || IsRelocationOfSection(index)
        || _headers[index].Type is SHT_NULL or SHT_SYMTAB or SHT_SYMTAB_SHNDX;

    /// <summary>Relocations of executables (sh_info 0, or allocated) are contents like others.</summary>
    private bool IsRelocationOfSection(int index) =>
        _headers[index].Type is SHT_REL or SHT_RELA && _headers[index].Info != 0 && (_headers[index].Flags & SHF_ALLOC) == 0;

    private bool TryDecodeName(ReadOnlySpan<byte> table, uint offset, out string name)
    {
        name = "";
        if (offset == 0)
            return true;
        if (!new ByteReader(table, _bigEndian).TryReadCString(offset, out ReadOnlySpan<byte> bytes))
            return false;
        _nameBudget -= bytes.Length;
        if (_nameBudget < 0)
            return false;
        name = Encoding.UTF8.GetString(bytes);
        return true;
    }

    private bool Fail(DiagnosticId id, string message)
    {
        _diagnostics.Error(id, message, new DiagnosticLocation(_fileName));
        return false;
    }

    private bool FailIn(int section, DiagnosticId id, string what)
    {
        string name = _headers[section].Name;
        _diagnostics.Error(id, $"section [{section}] '{name}' {what}", new DiagnosticLocation(_fileName, name));
        return false;
    }

    private string BeyondTheEnd() => $"runs beyond the end of the file, which has {Hex((ulong)_bytes.Length)} bytes";

    private static string Hex(ulong value) => "0x" + value.ToString("x", CultureInfo.InvariantCulture);

    /// <summary>Elf64_Shdr without sh_addr.</summary>
    private struct SectionHeader
    {
        public string Name;
        public uint NameOffset;
        public uint Type;
        public ulong Flags;
        public ulong Offset;
        public ulong Size;
        public uint Link;
        public uint Info;
        public ulong Alignment;
        public ulong EntrySize;
        public bool IsStructural;

        /// <summary>The header at <paramref name="offset"/>, which lies inside the file.</summary>
        public static SectionHeader Read(ByteReader reader, ulong offset)
        {
            var header = new SectionHeader { Name = "" };
            reader.TryReadUInt32(offset, out header.NameOffset);
            reader.TryReadUInt32(offset + 4, out header.Type);
            reader.TryReadUInt64(offset + 8, out header.Flags);
            reader.TryReadUInt64(offset + 24, out header.Offset);
            reader.TryReadUInt64(offset + 32, out header.Size);
            reader.TryReadUInt32(offset + 40, out header.Link);
            reader.TryReadUInt32(offset + 44, out header.Info);
            reader.TryReadUInt64(offset + 48, out header.Alignment);
            reader.TryReadUInt64(offset + 56, out header.EntrySize);
            return header;
        }
    }
}
