using System.Collections.Immutable;
using System.Text;
using BpfPpcc.Collections;

namespace BpfPpcc.Btf;

/// <summary>
/// The types of a .BTF section, by id (kernel documentation, bpf/btf.rst, 2). <see cref="BtfParser"/> has checked every offset, count and
/// type id, so that no query fails on a malformed section; contents are decoded when they are asked for, because a kernel's BTF has
/// hundreds of thousands of types of which few are looked at.
/// </summary>
public sealed class BtfTypes
{
    /// <summary>
    /// Longest chain of modifiers, arrays and variables that the parser lets pass; the Linux kernel has 32 for the whole resolution.
    /// </summary>
    internal const int MaximumDepth = 64;

    private readonly ReadOnlyMemory<byte> _types;
    private readonly ReadOnlyMemory<byte> _strings;
    private readonly bool _bigEndian;
    private readonly int[] _offsets;
    private readonly Lazy<Dictionary<string, List<uint>>> _byName;

    /// <param name="types">The type section.</param>
    /// <param name="strings">The string section, which ends with a NUL.</param>
    /// <param name="offsets">By type id: offset in <paramref name="types"/>; [0] stands for void.</param>
    internal BtfTypes(ReadOnlyMemory<byte> types, ReadOnlyMemory<byte> strings, bool bigEndian, int[] offsets)
    {
        _types = types;
        _strings = strings;
        _bigEndian = bigEndian;
        _offsets = offsets;
        _byName = new Lazy<Dictionary<string, List<uint>>>(IndexNames);
    }

    public bool IsBigEndian => _bigEndian;

    internal ReadOnlyMemory<byte> RawTypes => _types;

    internal ReadOnlyMemory<byte> RawStrings => _strings;

    internal ReadOnlySpan<int> Offsets => _offsets;

    /// <summary>Number of types with void: ids are 0 .. Count - 1.</summary>
    public int Count => _offsets.Length;

    /// <summary>The type of an id below <see cref="Count"/>.</summary>
    public BtfType this[uint id]
    {
        get
        {
            if (id == 0)
                return default;
            uint offset = (uint)_offsets[id];
            uint info = UInt32(offset + 4);
            var kind = (BtfKind)((info >> 24) & 0x1f);
            return new BtfType(id, kind, UInt32(offset), (int)(info & 0xffff), KindFlag: info >> 31 != 0, SizeOrType: UInt32(offset + 8));
        }
    }

    /// <summary>The type's name, "" if it has none.</summary>
    public string NameOf(uint id) => String(this[id].NameOffset);

    /// <summary>The string at an offset of the string section; null if the offset lies outside of it.</summary>
    public string? TryGetString(uint offset) => offset < _strings.Length ? String(offset) : null;

    /// <summary>The first type with this name and kind, or 0.</summary>
    public uint Find(string name, BtfKind kind)
    {
        foreach (uint id in FindAll(name))
        {
            if (this[id].Kind == kind)
                return id;
        }

        return 0;
    }

    /// <summary>All types with this name, by ascending id.</summary>
    public IReadOnlyList<uint> FindAll(string name) => _byName.Value.TryGetValue(name, out List<uint>? ids) ? ids : [];

    /// <summary>The type behind all typedefs, qualifiers and type tags.</summary>
    public BtfType SkipModifiers(uint id)
    {
        BtfType type = this[id];
        while (type.IsModifier)
            type = this[type.SizeOrType];
        return type;
    }

    /// <summary>
    /// The size of a value of the type in bytes; false for types without one (void, functions, FWD) and for sizes beyond 64 bits.
    /// </summary>
    public bool TryGetSize(uint id, out ulong size)
    {
        size = 0;
        UInt128 count = 1;
        while (true)
        {
            BtfType type = this[id];
            switch (type.Kind)
            {
                case BtfKind.INT or BtfKind.STRUCT or BtfKind.UNION or BtfKind.ENUM or BtfKind.FLOAT or BtfKind.DATASEC or BtfKind.ENUM64:
                    return TryMultiply(count, type.SizeOrType, out size);
                case BtfKind.PTR:
                    return TryMultiply(count, 8, out size);
                case BtfKind.ARRAY:
                    BtfArray array = ArrayOf(type);
                    count *= array.Count;
                    if (count > ulong.MaxValue)
                        return false;
                    id = array.ElementType;
                    break;
                case BtfKind.TYPEDEF or BtfKind.VOLATILE or BtfKind.CONST or BtfKind.RESTRICT or BtfKind.TYPE_TAG or BtfKind.VAR:
                    id = type.SizeOrType;
                    break;
                case BtfKind.VOID or BtfKind.FWD or BtfKind.FUNC or BtfKind.FUNC_PROTO or BtfKind.DECL_TAG:
                    return false;
            }
        }
    }

    /// <summary>Of an ARRAY.</summary>
    public BtfArray ArrayOf(BtfType type)
    {
        uint data = DataOf(type, BtfKind.ARRAY);
        return new BtfArray(UInt32(data), UInt32(data + 4), UInt32(data + 8));
    }

    /// <summary>Of an INT.</summary>
    public BtfInt IntOf(BtfType type)
    {
        uint value = UInt32(DataOf(type, BtfKind.INT));
        return new BtfInt((BtfIntEncoding)((value >> 24) & 0xf), (int)((value >> 16) & 0xff), (int)(value & 0xff));
    }

    /// <summary>Of a STRUCT or UNION.</summary>
    public ImmutableArray<BtfMember> MembersOf(BtfType type)
    {
        uint data = DataOf(type, type.Kind == BtfKind.UNION ? BtfKind.UNION : BtfKind.STRUCT);
        ImmutableArray<BtfMember>.Builder members = ImmutableArray.CreateBuilder<BtfMember>(type.Length);
        for (int i = 0; i < type.Length; i++, data += 12)
        {
            uint offset = UInt32(data + 8);
            members.Add(type.KindFlag
                ? new BtfMember(String(UInt32(data)), UInt32(data + 4), offset & 0xffffff, (int)(offset >> 24))
                : new BtfMember(String(UInt32(data)), UInt32(data + 4), offset, BitFieldSizeOf(UInt32(data + 4))));
        }

        return members.MoveToImmutable();
    }

    /// <summary>Of an ENUM or ENUM64.</summary>
    public ImmutableArray<BtfEnumerator> EnumeratorsOf(BtfType type)
    {
        bool is64 = type.Kind == BtfKind.ENUM64;
        uint data = DataOf(type, is64 ? BtfKind.ENUM64 : BtfKind.ENUM);
        ImmutableArray<BtfEnumerator>.Builder enumerators = ImmutableArray.CreateBuilder<BtfEnumerator>(type.Length);
        for (int i = 0; i < type.Length; i++, data += is64 ? 12u : 8u)
        {
            uint low = UInt32(data + 4);
            long value = is64 ? (long)(low | (ulong)UInt32(data + 8) << 32) : type.KindFlag ? (int)low : low;
            enumerators.Add(new BtfEnumerator(String(UInt32(data)), value));
        }

        return enumerators.MoveToImmutable();
    }

    /// <summary>Of a FUNC_PROTO; the type that it returns is its SizeOrType.</summary>
    public ImmutableArray<BtfParameter> ParametersOf(BtfType type)
    {
        uint data = DataOf(type, BtfKind.FUNC_PROTO);
        ImmutableArray<BtfParameter>.Builder parameters = ImmutableArray.CreateBuilder<BtfParameter>(type.Length);
        for (int i = 0; i < type.Length; i++, data += 8)
            parameters.Add(new BtfParameter(String(UInt32(data)), UInt32(data + 4)));
        return parameters.MoveToImmutable();
    }

    /// <summary>The FUNC_PROTO of a FUNC.</summary>
    public BtfType PrototypeOf(BtfType function)
    {
        DataOf(function, BtfKind.FUNC);
        return this[function.SizeOrType];
    }

    /// <summary>The VARs and FUNCs of a DATASEC.</summary>
    public ImmutableArray<BtfSectionVariable> VariablesOf(BtfType type)
    {
        uint data = DataOf(type, BtfKind.DATASEC);
        ImmutableArray<BtfSectionVariable>.Builder variables = ImmutableArray.CreateBuilder<BtfSectionVariable>(type.Length);
        for (int i = 0; i < type.Length; i++, data += 12)
            variables.Add(new BtfSectionVariable(UInt32(data), UInt32(data + 4), UInt32(data + 8)));
        return variables.MoveToImmutable();
    }

    /// <summary>Of a VAR or FUNC.</summary>
    public BtfLinkage LinkageOf(BtfType type) =>
        type.Kind == BtfKind.FUNC ? (BtfLinkage)type.Length : (BtfLinkage)UInt32(DataOf(type, BtfKind.VAR));

    /// <summary>Of a DECL_TAG: the member or parameter it stands on, -1 for the whole (btf.rst, 2.2.17).</summary>
    public int ComponentOf(BtfType type) => (int)UInt32(DataOf(type, BtfKind.DECL_TAG));

    /// <summary>Without kind_flag a bit field's width is that of its integer, if that is narrower than its bytes.</summary>
    private int BitFieldSizeOf(uint member)
    {
        BtfType type = SkipModifiers(member);
        if (type.Kind != BtfKind.INT)
            return 0;
        BtfInt integer = IntOf(type);
        return integer.Bits != type.SizeOrType * 8 ? integer.Bits : 0;
    }

    private uint DataOf(BtfType type, BtfKind kind) => type.Kind == kind
        ? (uint)_offsets[type.Id] + BtfParser.TypeHeaderSize
        : throw new InvalidOperationException($"BTF type {type.Id} is a {type.Kind}, not a {kind}");

    private Dictionary<string, List<uint>> IndexNames()
    {
        var index = new Dictionary<string, List<uint>>();
        for (uint id = 1; id < Count; id++)
        {
            string name = NameOf(id);
            if (name.Length == 0)
                continue;
            if (!index.TryGetValue(name, out List<uint>? ids))
                index.Add(name, ids = []);
            ids.Add(id);
        }

        return index;
    }

    private string String(uint offset)
    {
        new ByteReader(_strings.Span, _bigEndian).TryReadCString(offset, out ReadOnlySpan<byte> bytes);
        return Encoding.UTF8.GetString(bytes);
    }

    private uint UInt32(uint offset)
    {
        new ByteReader(_types.Span, _bigEndian).TryReadUInt32(offset, out uint value);
        return value;
    }

    private static bool TryMultiply(UInt128 count, uint size, out ulong product)
    {
        UInt128 wide = count * size;
        product = (ulong)wide;
        return wide <= ulong.MaxValue;
    }
}
