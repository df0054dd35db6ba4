using BpfPpcc.Collections;

namespace BpfPpcc.Btf;

/// <summary>
/// Writes a .BTF section (kernel documentation, bpf/btf.rst, 2): types one after another, strings each once. What is added in the same
/// order gives the same bytes.
/// </summary>
public sealed class BtfWriter
{
    private const int HeaderSize = 24;

    private readonly bool _bigEndian;
    private readonly ByteWriter _types;
    private readonly ByteWriter _strings;
    private readonly Dictionary<string, uint> _offsets = new() { [""] = 0 };

    public BtfWriter(bool bigEndian)
    {
        _bigEndian = bigEndian;
        _types = new ByteWriter(bigEndian);
        _strings = new ByteWriter(bigEndian);
        _strings.WriteByte(0);
    }

    public bool IsBigEndian => _bigEndian;

    /// <summary>Offset of a string in the string section.</summary>
    public uint AddString(string text)
    {
        if (_offsets.TryGetValue(text, out uint offset))
            return offset;
        offset = (uint)_strings.Length;
        _strings.WriteCString(text);
        _offsets.Add(text, offset);
        return offset;
    }

    /// <summary>Begins the next type with its common part, struct btf_type (btf.rst, 2.2); <see cref="AddWord"/> gives what follows.</summary>
    public void AddType(BtfKind kind, uint name, int length, bool kindFlag, uint sizeOrType)
    {
        _types.WriteUInt32(name);
        _types.WriteUInt32((uint)length & 0xffff | (uint)kind << 24 | (kindFlag ? 1u << 31 : 0));
        _types.WriteUInt32(sizeOrType);
    }

    public void AddWord(uint word) => _types.WriteUInt32(word);

    /// <summary>The section: header (btf.rst, 2), types, strings.</summary>
    public byte[] ToArray()
    {
        var section = new ByteWriter(_bigEndian);
        section.WriteUInt16(BtfParser.Magic);
        section.WriteByte(1);
        section.WriteByte(0);
        section.WriteUInt32(HeaderSize);
        section.WriteUInt32(0);
        section.WriteUInt32((uint)_types.Length);
        section.WriteUInt32((uint)_types.Length);
        section.WriteUInt32((uint)_strings.Length);
        section.WriteBytes(_types.Written);
        section.WriteBytes(_strings.Written);
        return section.ToArray();
    }
}
