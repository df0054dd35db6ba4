using System.Buffers.Binary;
using System.Text;
using BpfPpcc.Btf;
using BpfPpcc.Diagnostics;

namespace BpfPpcc.Tests.Verification.Walk;

/// <summary>Makes small BTF sections, for maps whose values have special fields and for prototypes.</summary>
internal sealed class BtfBytes
{
    private readonly List<byte> _types = [];
    private readonly List<byte> _strings = [0];
    private uint _count;

    /// <summary>The id that the next type gets.</summary>
    public uint Next => _count + 1;

    public uint Int(string name, int bytes) => Add(name, 1, 0, (uint)bytes, [(uint)bytes * 8]);

    public uint Pointer(uint target) => Add("", 2, 0, target, []);

    public uint Array(uint element, uint index, uint count) => Add("", 3, 0, 0, [element, index, count]);

    public uint Typedef(string name, uint target) => Add(name, 8, 0, target, []);

    /// <param name="component">Which parameter or member; -1 for the whole.</param>
    public uint DeclTag(string tag, uint target, int component) => Add(tag, 17, 0, target, [(uint)component]);

    public uint TypeTag(string tag, uint target) => Add(tag, 18, 0, target, []);

    public uint Struct(string name, int bytes, params (string Name, uint Type, int Offset)[] members) => Add(
        name, 4, members.Length, (uint)bytes, [.. members.SelectMany(member => new[] { String(member.Name), member.Type, (uint)member.Offset * 8 })]);

    public uint Prototype(uint result, params (string Name, uint Type)[] parameters) =>
        Add("", 13, parameters.Length, result, [.. parameters.SelectMany(parameter => new[] { String(parameter.Name), parameter.Type })]);

    public uint Function(string name, uint prototype, int linkage) => Add(name, 12, linkage, prototype, []);

    public BtfTypes Parse()
    {
        var section = new byte[24 + _types.Count + _strings.Count];
        BinaryPrimitives.WriteUInt16LittleEndian(section, 0xeb9f);
        section[2] = 1;
        BinaryPrimitives.WriteUInt32LittleEndian(section.AsSpan(4), 24);
        BinaryPrimitives.WriteUInt32LittleEndian(section.AsSpan(12), (uint)_types.Count);
        BinaryPrimitives.WriteUInt32LittleEndian(section.AsSpan(16), (uint)_types.Count);
        BinaryPrimitives.WriteUInt32LittleEndian(section.AsSpan(20), (uint)_strings.Count);
        _types.CopyTo(section, 24);
        _strings.CopyTo(section, 24 + _types.Count);
        return BtfParser.Parse(section, bigEndian: false, "test", new DiagnosticBag())!;
    }

    private uint Add(string name, int kind, int length, uint sizeOrType, uint[] data)
    {
        Append(String(name));
        Append((uint)kind << 24 | (uint)length);
        Append(sizeOrType);
        foreach (uint word in data)
            Append(word);
        return ++_count;
    }

    private void Append(uint value)
    {
        Span<byte> bytes = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(bytes, value);
        _types.AddRange(bytes);
    }

    private uint String(string text)
    {
        if (text.Length == 0)
            return 0;
        uint offset = (uint)_strings.Count;
        _strings.AddRange(Encoding.UTF8.GetBytes(text));
        _strings.Add(0);
        return offset;
    }
}
