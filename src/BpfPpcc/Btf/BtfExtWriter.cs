using BpfPpcc.Collections;

namespace BpfPpcc.Btf;

/// <summary>Writes a .BTF.ext section (btf.rst, 4.2): three tables of records, grouped by section in the order in which they come.</summary>
/// <param name="types">Takes the names of the sections; its string section and type ids are those that the records refer to.</param>
public sealed class BtfExtWriter(BtfWriter types)
{
    private const int HeaderSize = 32;

    private readonly Table _functions = new(types, RecordSize: 8);
    private readonly Table _lines = new(types, RecordSize: 16);
    private readonly Table _coreRelocations = new(types, RecordSize: 16);

    public void Add(string section, BtfFuncInfo record) => _functions.Add(section, record.InstructionOffset, record.Type);

    public void Add(string section, BtfLineInfo record) =>
        _lines.Add(section, record.InstructionOffset, record.FileName, record.Line, record.LineColumn);

    public void Add(string section, BtfCoreRelocation record) =>
        _coreRelocations.Add(section, record.InstructionOffset, record.Type, record.Access, record.Kind);

    /// <summary>The section: header (btf.rst, 4.2, struct btf_ext_header), tables.</summary>
    public byte[] ToArray()
    {
        var section = new ByteWriter(types.IsBigEndian);
        section.WriteUInt16(BtfParser.Magic);
        section.WriteByte(1);
        section.WriteByte(0);
        section.WriteUInt32(HeaderSize);
        uint offset = 0;
        Table[] tables = [_functions, _lines, _coreRelocations];
        foreach (Table table in tables)
        {
            section.WriteUInt32(offset);
            section.WriteUInt32(table.Length);
            offset += table.Length;
        }

        foreach (Table table in tables)
            table.Write(section);
        return section.ToArray();
    }

    /// <summary>One table: its record size, and for each section its name, a count and as many records.</summary>
    private sealed record Table(BtfWriter Types, int RecordSize)
    {
        private readonly Dictionary<string, List<uint>> _sections = [];
        private readonly List<string> _order = [];

        public uint Length { get; private set; }

        public void Add(string section, params ReadOnlySpan<uint> words)
        {
            if (!_sections.TryGetValue(section, out List<uint>? records))
            {
                _sections.Add(section, records = []);
                _order.Add(section);
                Types.AddString(section);
                Length += _order.Count == 1 ? 12u : 8;
            }

            records.AddRange(words);
            Length += 4 * (uint)words.Length;
        }

        public void Write(ByteWriter writer)
        {
            if (_order.Count == 0)
                return;
            writer.WriteUInt32((uint)RecordSize);
            foreach (string section in _order)
            {
                List<uint> records = _sections[section];
                writer.WriteUInt32(Types.AddString(section));
                writer.WriteUInt32((uint)(records.Count * 4 / RecordSize));
                foreach (uint word in records)
                    writer.WriteUInt32(word);
            }
        }
    }
}
