using BpfPpcc.Btf;

namespace BpfPpcc.Loading;

/// <summary>What an access is worth under one kind of relocation, in the program's types or in the target's.</summary>
/// <param name="Number">What goes into the instruction.</param>
/// <param name="IsCertain">
/// Compilers and loaders agree on the number, so that the instruction must hold it before the relocation. They need not for bit fields.
/// </param>
/// <param name="Size">For the byte offset of a field: its size, by which a load or store moves; else 0.</param>
/// <param name="Type">For the byte offset of a field: its type; else 0.</param>
internal readonly record struct CoreValue(ulong Number, bool IsCertain, ulong Size = 0, uint Type = 0)
{
    private const ulong MaximumAccess = 8;

    /// <summary>
    /// The value of an access that exists, or of one that does not (null). False if there is none: with a fault if the relocation makes no
    /// sense, without one if what is asked for does not exist.
    /// </summary>
    public static bool TryCompute(CoreRelocationKind kind, CoreAccess? access, out CoreValue value, out string? fault)
    {
        fault = null;
        switch (kind)
        {
            case CoreRelocationKind.FIELD_EXISTS or CoreRelocationKind.TYPE_EXISTS or CoreRelocationKind.TYPE_MATCHES
                or CoreRelocationKind.ENUMVAL_EXISTS:
                value = new CoreValue(access is null ? 0u : 1u, IsCertain: true);
                return true;
            case CoreRelocationKind.TYPE_ID_LOCAL or CoreRelocationKind.TYPE_ID_TARGET:
                value = new CoreValue(access?.Root ?? 0, IsCertain: false);
                return true;
            case CoreRelocationKind.TYPE_SIZE:
                ulong size = 0;
                if (access is not null && !access.Types.TryGetSize(access.Root, out size))
                    fault = "the type has no size";
                value = new CoreValue(size, IsCertain: true);
                return fault is null;
            case CoreRelocationKind.ENUMVAL_VALUE:
                value = default;
                if (access is null)
                    return false;
                CoreStep step = access.Steps[0];
                value = new CoreValue((ulong)access.Types.EnumeratorsOf(access.Types[step.Type])[step.Index].Value, IsCertain: true);
                return true;
            case CoreRelocationKind.FIELD_BYTE_OFFSET or CoreRelocationKind.FIELD_BYTE_SIZE or CoreRelocationKind.FIELD_SIGNED
                or CoreRelocationKind.FIELD_LSHIFT_U64 or CoreRelocationKind.FIELD_RSHIFT_U64:
                value = default;
                return access is not null && (access.Steps[^1].Name is null
                    ? TryElement(kind, access, out value, out fault)
                    : TryMember(kind, access, out value, out fault));
        }

        throw new InvalidOperationException("a relocation kind without a rule");
    }

    /// <summary>The last step is an element of an array, or the root itself.</summary>
    private static bool TryElement(CoreRelocationKind kind, CoreAccess access, out CoreValue value, out string? fault)
    {
        uint type = access.Steps[^1].Type;
        access.Types.TryGetSize(type, out ulong size);
        fault = kind is CoreRelocationKind.FIELD_BYTE_OFFSET or CoreRelocationKind.FIELD_BYTE_SIZE
            ? null
            : "only offset and size can be asked of an array's element";
        value = kind == CoreRelocationKind.FIELD_BYTE_OFFSET
            ? new CoreValue(access.BitOffset / 8, IsCertain: true, size, type)
            : new CoreValue(size, IsCertain: true);
        return fault is null;
    }

    private static bool TryMember(CoreRelocationKind kind, CoreAccess access, out CoreValue value, out string? fault)
    {
        BtfTypes types = access.Types;
        CoreStep step = access.Steps[^1];
        BtfMember member = types.MembersOf(types[step.Type])[step.Index];
        BtfType type = types.SkipModifiers(member.Type);
        value = default;
        fault = null;
        if (!types.TryGetSize(type.Id, out ulong size))
            size = 0;
        ulong bits = 8 * size, offset = access.BitOffset / 8;
        bool isBitField = member.BitFieldSize != 0;
        if (isBitField && !TryPlaceBitField(access.BitOffset, bits = (ulong)member.BitFieldSize, ref size, out offset))
        {
            fault = "no load of 8 bytes or less covers the bit field";
            return false;
        }

        value = kind switch
        {
            CoreRelocationKind.FIELD_BYTE_OFFSET => isBitField
                ? new CoreValue(offset, IsCertain: false)
                : new CoreValue(offset, IsCertain: true, size, type.Id),
            CoreRelocationKind.FIELD_BYTE_SIZE => new CoreValue(size, !isBitField),
            CoreRelocationKind.FIELD_SIGNED => new CoreValue(IsSigned(types, type) ? 1u : 0u, IsCertain: true),
            CoreRelocationKind.FIELD_LSHIFT_U64 => new CoreValue(LeftShift(types.IsBigEndian, access.BitOffset, bits, offset, size), !isBitField),
            CoreRelocationKind.FIELD_RSHIFT_U64 => new CoreValue(unchecked(64 - bits), IsCertain: true),
            CoreRelocationKind.FIELD_EXISTS or CoreRelocationKind.TYPE_ID_LOCAL or CoreRelocationKind.TYPE_ID_TARGET
                or CoreRelocationKind.TYPE_EXISTS or CoreRelocationKind.TYPE_SIZE or CoreRelocationKind.ENUMVAL_EXISTS
                or CoreRelocationKind.ENUMVAL_VALUE or CoreRelocationKind.TYPE_MATCHES =>
                throw new InvalidOperationException("not asked of a field"),
        };
        return true;
    }

    /// <summary>The smallest naturally aligned load that covers the bit field, from the size of its declared type on.</summary>
    private static bool TryPlaceBitField(uint bitOffset, ulong bits, ref ulong size, out ulong offset)
    {
        offset = 0;
        if (size is not (1 or 2 or 4 or 8))
            return false;
        for (; size <= MaximumAccess; size *= 2)
        {
            offset = bitOffset / 8 / size * size;
            if (bitOffset + bits - 8 * offset <= 8 * size)
                return true;
        }

        return false;
    }

    /// <summary>By how much a loaded value is shifted so that the field's highest bit becomes bit 63.</summary>
    private static ulong LeftShift(bool isBigEndian, uint bitOffset, ulong bits, ulong offset, ulong size) => unchecked(isBigEndian
        ? (8 - size) * 8 + (bitOffset - 8 * offset)
        : 64 - (bitOffset + bits - 8 * offset));

    private static bool IsSigned(BtfTypes types, BtfType type) =>
        (type.IsEnum && type.KindFlag) || (type.Kind == BtfKind.INT && (types.IntOf(type).Encoding & BtfIntEncoding.SIGNED) != 0);
}
