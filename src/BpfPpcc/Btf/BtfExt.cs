using System.Collections.Immutable;
using BpfPpcc.Collections;
using BpfPpcc.Diagnostics;

namespace BpfPpcc.Btf;

/// <summary>Prototype of the function that begins at a byte offset of a section (btf.rst, 4.2, struct bpf_func_info).</summary>
/// <param name="InstructionOffset">In bytes from the start of the section.</param>
/// <param name="Type">Id of a FUNC.</param>
public readonly record struct BtfFuncInfo(uint InstructionOffset, uint Type);

/// <summary>Source position of the instructions from a byte offset on (btf.rst, 4.2, struct bpf_line_info).</summary>
/// <param name="InstructionOffset">In bytes from the start of the section.</param>
/// <param name="FileName">Offset of the file's name in the string section of .BTF.</param>
/// <param name="Line">Offset of the text of the line in the string section of .BTF.</param>
/// <param name="LineColumn">Line number in the high 22 bits, column in the low 10.</param>
public readonly record struct BtfLineInfo(uint InstructionOffset, uint FileName, uint Line, uint LineColumn)
{
    public int LineNumber => (int)(LineColumn >> 10);

    public int ColumnNumber => (int)(LineColumn & 0x3ff);
}

/// <summary>A CO-RE relocation (kernel documentation, bpf/llvm_reloc.rst, CO-RE Relocations, struct bpf_core_relo).</summary>
/// <param name="InstructionOffset">In bytes from the start of the section.</param>
/// <param name="Type">Id of the root type.</param>
/// <param name="Access">Offset of the access string ("0:1:2") in the string section of .BTF.</param>
/// <param name="Kind">enum bpf_core_relo_kind.</param>
public readonly record struct BtfCoreRelocation(uint InstructionOffset, uint Type, uint Access, uint Kind);

/// <summary>
/// The records of a .BTF.ext section, by name of the section that they describe (btf.rst, 4.2). Type ids and string offsets
/// have been checked against the .BTF section.
/// </summary>
public sealed class BtfExt
{
    private const int HeaderSize = 24;
    private const int HeaderSizeWithCoreRelocations = 32;

    private BtfExt(
        ImmutableDictionary<string, ImmutableArray<BtfFuncInfo>> functions,
        ImmutableDictionary<string, ImmutableArray<BtfLineInfo>> lines,
        ImmutableDictionary<string, ImmutableArray<BtfCoreRelocation>> coreRelocations)
    {
        Functions = functions;
        Lines = lines;
        CoreRelocations = coreRelocations;
    }

    /// <summary>By section name, by ascending instruction offset.</summary>
    public ImmutableDictionary<string, ImmutableArray<BtfFuncInfo>> Functions { get; }

    /// <summary>By section name, by ascending instruction offset.</summary>
    public ImmutableDictionary<string, ImmutableArray<BtfLineInfo>> Lines { get; }

    /// <summary>By section name, by ascending instruction offset.</summary>
    public ImmutableDictionary<string, ImmutableArray<BtfCoreRelocation>> CoreRelocations { get; }

    /// <summary>The records of a .BTF.ext section; null after exactly one BtfMalformed error.</summary>
    /// <param name="types">Those of the .BTF section of the same file.</param>
    public static BtfExt? Parse(ReadOnlySpan<byte> section, bool bigEndian, BtfTypes types, string fileName, DiagnosticBag diagnostics)
    {
        var reader = new ByteReader(section, bigEndian);
        string? fault = Parse(reader, types, out BtfExt? ext);
        if (fault is null)
            return ext;
        string message = $"the section .BTF.ext is malformed: {fault}";
        diagnostics.Error(DiagnosticId.BtfMalformed, message, new DiagnosticLocation(fileName, ".BTF.ext"));
        return null;
    }

    private static string? Parse(ByteReader reader, BtfTypes types, out BtfExt? ext)
    {
        ext = null;
        if (!reader.TryReadUInt16(0, out ushort magic) || magic != BtfParser.Magic)
            return $"it does not start with the magic number 0x{BtfParser.Magic:x}";
        if (!reader.TryReadByte(2, out byte version) || version != 1)
            return $"its version is {version}, expected 1";
        if (!reader.TryReadUInt32(4, out uint headerLength) || headerLength < HeaderSize || headerLength > reader.Length)
            return $"its header length is {headerLength}, expected {HeaderSize} at least";

        var functions = new Table("func_info", RecordSize: 8);
        var lines = new Table("line_info", RecordSize: 16);
        var coreRelocations = new Table("core_relo", RecordSize: 16);
        string? fault = functions.Read(reader, headerLength, headerField: 8, types)
            ?? lines.Read(reader, headerLength, headerField: 16, types)
            ?? (headerLength >= HeaderSizeWithCoreRelocations ? coreRelocations.Read(reader, headerLength, headerField: 24, types) : null);
        if (fault is not null)
            return fault;

        foreach ((string section, List<Record> records) in functions.Sections)
        {
            foreach (Record record in records)
            {
                if (record.A >= types.Count || types[record.A].Kind != BtfKind.FUNC)
                    return $"func_info of section '{section}' refers to type {record.A}, which is no function";
            }
        }

        foreach ((string section, List<Record> records) in coreRelocations.Sections)
        {
            foreach (Record record in records)
            {
                if (record.A >= types.Count || types.TryGetString(record.B) is null)
                    return $"core_relo of section '{section}' refers to a type or string that is not in .BTF";
            }
        }

        ext = new BtfExt(
            functions.ToImmutable(static r => new BtfFuncInfo(r.Offset, r.A)),
            lines.ToImmutable(static r => new BtfLineInfo(r.Offset, r.A, r.B, r.C)),
            coreRelocations.ToImmutable(static r => new BtfCoreRelocation(r.Offset, r.A, r.B, r.C)));
        return null;
    }

    /// <summary>The first words of a record of any of the three tables.</summary>
    private readonly record struct Record(uint Offset, uint A, uint B, uint C);

    /// <summary>One of the three tables: a record size, and for each section its name, a count and as many records.</summary>
    private sealed record Table(string Name, uint RecordSize)
    {
        public Dictionary<string, List<Record>> Sections { get; } = [];

        /// <summary>Reads the table whose offset and length stand at <paramref name="headerField"/>. Null, or what is wrong.</summary>
        public string? Read(ByteReader reader, uint headerLength, ulong headerField, BtfTypes types)
        {
            reader.TryReadUInt32(headerField, out uint offset);
            reader.TryReadUInt32(headerField + 4, out uint length);
            if (length == 0)
                return null;
            if (!reader.TrySlice(headerLength + (ulong)offset, length, out ReadOnlySpan<byte> area))
                return $"{Name} does not lie inside of it";
            var table = new ByteReader(area, reader.IsBigEndian);
            long nameBudget = 16L * area.Length + 65536;
            if (!table.TryReadUInt32(0, out uint size) || size < RecordSize || size % 4 != 0)
                return $"{Name} has records of {size} bytes, expected {RecordSize} at least";

            for (ulong at = 4; at < (ulong)area.Length;)
            {
                if (!table.TryReadUInt32(at, out uint nameOffset) || !table.TryReadUInt32(at + 4, out uint count))
                    return $"{Name} is cut off";
                at += 8;
                if (!table.TrySlice(at, (ulong)count * size, out _))
                    return $"{Name} is cut off: {count} records of {size} bytes do not lie inside of it";
                if (types.TryGetString(nameOffset) is not string section)
                    return $"{Name} has a section name outside of the string section";
                nameBudget -= section.Length;
                if (nameBudget < 0)
                    return $"{Name} has section names that overlap without measure";
                if (!Sections.TryGetValue(section, out List<Record>? records))
                    Sections.Add(section, records = []);
                records.EnsureCapacity(records.Count + (int)count);
                for (uint i = 0; i < count; i++, at += size)
                    records.Add(ReadRecord(table, at));
            }

            return null;
        }

        public ImmutableDictionary<string, ImmutableArray<T>> ToImmutable<T>(Func<Record, T> convert)
        {
            var sections = ImmutableDictionary.CreateBuilder<string, ImmutableArray<T>>();
            foreach ((string section, List<Record> records) in Sections)
            {
                ImmutableArray<T>.Builder converted = ImmutableArray.CreateBuilder<T>(records.Count);
                foreach (Record record in InOrder(records))
                    converted.Add(convert(record));
                sections.Add(section, converted.MoveToImmutable());
            }

            return sections.ToImmutable();
        }

        /// <summary>By offset, as compilers write them; of records at one offset the later one counts and stays behind the other.</summary>
        private static List<Record> InOrder(List<Record> records)
        {
            for (int i = 1; i < records.Count; i++)
            {
                if (records[i - 1].Offset > records[i].Offset)
                    return [.. records.OrderBy(static record => record.Offset)];
            }

            return records;
        }

        private Record ReadRecord(ByteReader table, ulong at)
        {
            uint c = 0;
            table.TryReadUInt32(at, out uint offset);
            table.TryReadUInt32(at + 4, out uint a);
            table.TryReadUInt32(at + 8, out uint b);
            if (RecordSize == 16)
                table.TryReadUInt32(at + 12, out c);
            return new Record(offset, a, b, c);
        }
    }
}
