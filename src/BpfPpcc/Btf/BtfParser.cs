using BpfPpcc.Collections;
using BpfPpcc.Diagnostics;

namespace BpfPpcc.Btf;

/// <summary>
/// Parses a .BTF section (kernel documentation, bpf/btf.rst, 2). Input is hostile: every offset, count and type id is checked here once,
/// and chains of types that are resolved without an end are found, so that <see cref="BtfTypes"/> can be queried without fear.
/// </summary>
public sealed class BtfParser
{
    internal const ushort Magic = 0xeb9f;

    /// <summary>sizeof(struct btf_type).</summary>
    internal const int TypeHeaderSize = 12;

    private const int HeaderSize = 24;

    private readonly ReadOnlyMemory<byte> _section;
    private readonly bool _bigEndian;
    private readonly DiagnosticLocation _location;
    private readonly DiagnosticBag _diagnostics;
    private readonly BtfTypes? _base;
    private ReadOnlyMemory<byte> _types;
    private ReadOnlyMemory<byte> _strings;
    private int[] _offsets = [];

    /// <summary>
    /// Bytes of names that may still follow. Names may overlap; what decoding them costs is to be bounded by the section's size.
    /// </summary>
    private long _nameBudget;

    private BtfParser(ReadOnlyMemory<byte> section, bool bigEndian, BtfTypes? baseTypes, string fileName, DiagnosticBag diagnostics)
    {
        _section = section;
        _base = baseTypes;
        _bigEndian = bigEndian;
        _location = new DiagnosticLocation(fileName, ".BTF");
        _diagnostics = diagnostics;
        _nameBudget = 16L * section.Length + 65536;
    }

    /// <summary>
    /// The types of a .BTF section, which must stay unchanged as long as they are used; null after exactly one BtfMalformed error.
    /// </summary>
    public static BtfTypes? Parse(ReadOnlyMemory<byte> section, bool bigEndian, string fileName, DiagnosticBag diagnostics) =>
        Parse(section, bigEndian, baseTypes: null, fileName, diagnostics);

    /// <summary>
    /// The types of a .BTF section that continues another one, together with those of the other one ("split BTF", as kernel modules have
    /// it): its type ids and string offsets begin where those of <paramref name="baseTypes"/> end.
    /// </summary>
    public static BtfTypes? Parse(
        ReadOnlyMemory<byte> section, bool bigEndian, BtfTypes? baseTypes, string fileName, DiagnosticBag diagnostics)
    {
        var parser = new BtfParser(section, bigEndian, baseTypes, fileName, diagnostics);
        return parser.TryReadHeader() && parser.TryFindTypes() && parser.TryCheckTypes() && parser.TryCheckChains()
            ? new BtfTypes(parser._types, parser._strings, bigEndian, parser._offsets)
            : null;
    }

    /// <summary>Whether a file is a bare .BTF section, and of which byte order.</summary>
    public static bool IsBtf(ReadOnlySpan<byte> file, out bool bigEndian)
    {
        bigEndian = file.StartsWith((ReadOnlySpan<byte>)[Magic >> 8, Magic & 0xff]);
        return bigEndian || file.StartsWith((ReadOnlySpan<byte>)[Magic & 0xff, Magic >> 8]);
    }

    private ByteReader Types => new(_types.Span, _bigEndian);

    private bool TryReadHeader()
    {
        var reader = new ByteReader(_section.Span, _bigEndian);
        if (!reader.TryReadUInt16(0, out ushort magic) || magic != Magic)
            return Fail($"it does not start with the magic number 0x{Magic:x}");
        if (!reader.TryReadByte(2, out byte version) || version != 1)
            return Fail($"its version is {version}, expected 1");
        if (!reader.TryReadUInt32(4, out uint headerLength) || headerLength < HeaderSize || headerLength > reader.Length)
            return Fail($"its header length is {headerLength}, expected {HeaderSize} at least");

        reader.TryReadUInt32(8, out uint typeOffset);
        reader.TryReadUInt32(12, out uint typeLength);
        reader.TryReadUInt32(16, out uint stringOffset);
        reader.TryReadUInt32(20, out uint stringLength);
        if (!TryArea(headerLength + (ulong)typeOffset, typeLength, out _types) || typeOffset % 4 != 0)
            return Fail("its type section does not lie inside of it");
        if (!TryArea(headerLength + (ulong)stringOffset, stringLength, out _strings))
            return Fail("its string section does not lie inside of it");
        ReadOnlySpan<byte> strings = _strings.Span;
        if (_base is null ? strings.IsEmpty || strings[0] != 0 || strings[^1] != 0 : !strings.IsEmpty && strings[^1] != 0)
            return Fail("its string section does not begin and end with a NUL");
        return _base is null || TryContinue(_base);
    }

    /// <summary>Puts the base's types and strings in front, so that ids and offsets count from its beginning.</summary>
    private bool TryContinue(BtfTypes baseTypes)
    {
        if (baseTypes.IsBigEndian != _bigEndian)
            return Fail("its byte order is not that of the types that it continues");
        if ((long)baseTypes.RawTypes.Length + _types.Length > int.MaxValue || (long)baseTypes.RawStrings.Length + _strings.Length > int.MaxValue)
            return Fail("it is too large together with the types that it continues");
        _types = (byte[])[.. baseTypes.RawTypes.Span, .. _types.Span];
        _strings = (byte[])[.. baseTypes.RawStrings.Span, .. _strings.Span];
        return true;
    }

    /// <summary>The first id that the section itself defines.</summary>
    private int FirstId => _base?.Count ?? 1;

    private bool TryArea(ulong offset, uint length, out ReadOnlyMemory<byte> area)
    {
        bool ok = new ByteReader(_section.Span, _bigEndian).TrySlice(offset, length, out _);
        area = ok ? _section.Slice((int)offset, (int)length) : default;
        return ok;
    }

    /// <summary>Finds where each type begins; the length of a type depends on its kind and vlen.</summary>
    private bool TryFindTypes()
    {
        ByteReader reader = Types;
        var offsets = new List<int>(_types.Length / 20 + 1);
        offsets.AddRange(_base is null ? [0] : _base.Offsets);
        ulong at = (ulong)(_base?.RawTypes.Length ?? 0);
        while (at < (ulong)_types.Length)
        {
            if (!reader.TryReadUInt32(at + 4, out uint info))
                return FailAt(offsets.Count, "is cut off");
            var kind = (BtfKind)((info >> 24) & 0x1f);
            if (kind is BtfKind.VOID or > BtfKind.ENUM64)
                return FailAt(offsets.Count, $"has the unknown kind {(int)kind}");
            offsets.Add((int)at);
            at += TypeHeaderSize + DataLength(kind, info & 0xffff);
        }

        if (at != (ulong)_types.Length)
            return FailAt(offsets.Count - 1, "is cut off");
        _offsets = [.. offsets];
        return true;
    }

    private static ulong DataLength(BtfKind kind, uint length) => kind switch
    {
        BtfKind.INT or BtfKind.VAR or BtfKind.DECL_TAG => 4,
        BtfKind.ARRAY => 12,
        BtfKind.STRUCT or BtfKind.UNION or BtfKind.DATASEC or BtfKind.ENUM64 => 12 * length,
        BtfKind.ENUM or BtfKind.FUNC_PROTO => 8 * length,
        BtfKind.VOID or BtfKind.PTR or BtfKind.FWD or BtfKind.TYPEDEF or BtfKind.VOLATILE or BtfKind.CONST or BtfKind.RESTRICT
            or BtfKind.FUNC or BtfKind.FLOAT or BtfKind.TYPE_TAG => 0,
    };

    private bool TryCheckTypes()
    {
        for (int id = FirstId; id < _offsets.Length; id++)
        {
            uint at = (uint)_offsets[id];
            uint info = UInt32(at + 4);
            if (!TryCheckName(id, UInt32(at)) || !TryCheckType(id, (BtfKind)((info >> 24) & 0x1f), info & 0xffff, at))
                return false;
        }

        return true;
    }

    private bool TryCheckName(int id, uint nameOffset)
    {
        if (!new ByteReader(_strings.Span, _bigEndian).TryReadCString(nameOffset, out ReadOnlySpan<byte> name))
            return FailAt(id, "has a name, its own or one in it, outside of the string section");
        _nameBudget -= name.Length;
        return _nameBudget >= 0 || FailAt(id, "has a name, its own or one in it, that overlaps others without measure");
    }

    private bool TryCheckType(int id, BtfKind kind, uint length, uint at)
    {
        uint data = at + TypeHeaderSize;
        switch (kind)
        {
            case BtfKind.PTR or BtfKind.TYPEDEF or BtfKind.VOLATILE or BtfKind.CONST or BtfKind.RESTRICT or BtfKind.TYPE_TAG
                or BtfKind.VAR or BtfKind.DECL_TAG or BtfKind.FUNC_PROTO:
                if (!TryCheckReference(id, UInt32(at + 8)))
                    return false;
                break;
            case BtfKind.FUNC:
                if (!TryCheckReference(id, UInt32(at + 8)))
                    return false;
                if (KindOf(UInt32(at + 8)) != BtfKind.FUNC_PROTO)
                    return FailAt(id, "is a function without a prototype");
                break;
            case BtfKind.ARRAY:
                if (!TryCheckReference(id, UInt32(data)) || !TryCheckReference(id, UInt32(data + 4)))
                    return false;
                break;
            case BtfKind.VOID or BtfKind.INT or BtfKind.STRUCT or BtfKind.UNION or BtfKind.ENUM or BtfKind.FWD or BtfKind.DATASEC
                or BtfKind.FLOAT or BtfKind.ENUM64:
                break;
        }

        return kind switch
        {
            BtfKind.STRUCT or BtfKind.UNION => TryCheckElements(id, data, length, stride: 12, name: 0, type: 4),
            BtfKind.FUNC_PROTO => TryCheckElements(id, data, length, stride: 8, name: 0, type: 4),
            BtfKind.DATASEC => TryCheckElements(id, data, length, stride: 12, name: -1, type: 0),
            BtfKind.ENUM => TryCheckElements(id, data, length, stride: 8, name: 0, type: -1),
            BtfKind.ENUM64 => TryCheckElements(id, data, length, stride: 12, name: 0, type: -1),
            BtfKind.VOID or BtfKind.INT or BtfKind.PTR or BtfKind.ARRAY or BtfKind.FWD or BtfKind.TYPEDEF or BtfKind.VOLATILE
                or BtfKind.CONST or BtfKind.RESTRICT or BtfKind.FUNC or BtfKind.VAR or BtfKind.FLOAT or BtfKind.DECL_TAG
                or BtfKind.TYPE_TAG => true,
        };
    }

    /// <summary>
    /// Checks names and type ids of <paramref name="count"/> elements; they stand at these offsets in each, or not at all (-1).
    /// </summary>
    private bool TryCheckElements(int id, uint data, uint count, uint stride, int name, int type)
    {
        for (uint i = 0; i < count; i++, data += stride)
        {
            if (name >= 0 && !TryCheckName(id, UInt32(data + (uint)name)))
                return false;
            if (type >= 0 && !TryCheckReference(id, UInt32(data + (uint)type)))
                return false;
        }

        return true;
    }

    private bool TryCheckReference(int id, uint target) =>
        target < _offsets.Length || FailAt(id, $"refers to type {target}, but there are {_offsets.Length}");

    /// <summary>
    /// Modifiers, variables and arrays have one successor, and sizes are found by following it: such a chain must come to an end.
    /// Chains through pointers may be cycles, which every list in C makes.
    /// </summary>
    private bool TryCheckChains()
    {
        for (int id = FirstId; id < _offsets.Length; id++)
        {
            uint next = (uint)id;
            for (int depth = 0; TryFollow(ref next); depth++)
            {
                if (depth == BtfTypes.MaximumDepth)
                    return FailAt(id, $"is a chain of more than {BtfTypes.MaximumDepth} types, or has no end");
            }
        }

        return true;
    }

    private bool TryFollow(ref uint id)
    {
        switch (KindOf(id))
        {
            case BtfKind.TYPEDEF or BtfKind.VOLATILE or BtfKind.CONST or BtfKind.RESTRICT or BtfKind.TYPE_TAG or BtfKind.VAR:
                id = UInt32((uint)_offsets[id] + 8);
                return true;
            case BtfKind.ARRAY:
                id = UInt32((uint)_offsets[id] + TypeHeaderSize);
                return true;
            case BtfKind.VOID or BtfKind.INT or BtfKind.PTR or BtfKind.STRUCT or BtfKind.UNION or BtfKind.ENUM or BtfKind.FWD
                or BtfKind.FUNC or BtfKind.FUNC_PROTO or BtfKind.DATASEC or BtfKind.FLOAT or BtfKind.DECL_TAG or BtfKind.ENUM64:
                return false;
        }

        return false;
    }

    private BtfKind KindOf(uint id) => id == 0 ? BtfKind.VOID : (BtfKind)((UInt32((uint)_offsets[id] + 4) >> 24) & 0x1f);

    private uint UInt32(uint offset)
    {
        Types.TryReadUInt32(offset, out uint value);
        return value;
    }

    private bool FailAt(int id, string what) => Fail($"type {id} {what}");

    private bool Fail(string what)
    {
        _diagnostics.Error(DiagnosticId.BtfMalformed, $"the section .BTF is malformed: {what}", _location);
        return false;
    }
}
