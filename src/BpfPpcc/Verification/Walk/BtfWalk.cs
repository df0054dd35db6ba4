using BpfPpcc.Btf;

namespace BpfPpcc.Verification.Walk;

/// <summary>What lies at an offset of a kernel struct.</summary>
internal enum BtfAccessKind : byte
{
    /// <summary>Outside of the struct, or across the bounds of a member.</summary>
    Invalid,
    Scalar,
    Pointer,
}

/// <param name="TypeId">Of a pointer: the struct that it points to.</param>
/// <param name="Flags">Of a pointer: what the kernel's type tags say of it.</param>
/// <param name="Struct">Name of the struct whose member this is.</param>
internal readonly record struct BtfAccess(BtfAccessKind Kind, uint TypeId = 0, PointerFlags Flags = PointerFlags.None, string Struct = "", string Member = "");

/// <summary>Members of kernel structs by offset.</summary>
internal static class BtfWalk
{
    private const int MaximumDepth = 16;

    /// <summary>The member that an access of <paramref name="size"/> bytes at <paramref name="offset"/> of a struct reads.</summary>
    public static BtfAccess Find(BtfTypes btf, uint type, long offset, int size)
    {
        BtfType current = btf.SkipModifiers(type);
        string owner = "";
        PointerFlags flags = PointerFlags.None;
        for (int depth = 0; depth < MaximumDepth; depth++)
        {
            if (current.Kind == BtfKind.UNION && depth == 0 || !current.IsComposite)
                return default;
            if (current.Kind == BtfKind.STRUCT && btf.NameOf(current.Id) is { Length: > 0 } name)
                owner = name;

            // Which member of a union is meant is not known; a pointer in one with other members may be none.
            if (current.Kind == BtfKind.UNION && current.Length != 1)
                flags |= PointerFlags.Untrusted;
            if (offset < 0 || (offset + size > current.SizeOrType && !HasFlexibleEnd(btf, current, offset)))
                return default;
            if (FindMember(btf, current, offset, size) is not { } member)
                return new BtfAccess(BtfAccessKind.Invalid);
            long rest = offset - member.BitOffset / 8;
            BtfType inner = btf.SkipModifiers(member.Type);
            while (inner.Kind == BtfKind.ARRAY)
            {
                BtfArray array = btf.ArrayOf(inner);
                inner = btf.SkipModifiers(array.ElementType);
                if (!btf.TryGetSize(array.ElementType, out ulong element) || element == 0)
                    return new BtfAccess(BtfAccessKind.Scalar);
                rest %= (long)element;
            }

            if (inner.Kind is BtfKind.STRUCT or BtfKind.UNION)
            {
                if (inner.Kind == BtfKind.STRUCT && rest == 0 && size == inner.SizeOrType && inner.SizeOrType <= 8 && inner.Length == 0)
                    return new BtfAccess(BtfAccessKind.Scalar);
                (current, offset) = (inner, rest);
                continue;
            }

            if (inner.Kind == BtfKind.PTR)
                return PointerMember(btf, owner, member, inner, rest, size, flags);
            return new BtfAccess(BtfAccessKind.Scalar, Struct: owner, Member: member.Name);
        }

        return default;
    }

    /// <summary>Whether a struct is, or has at its beginning, one of a name.</summary>
    public static bool BeginsWith(BtfTypes btf, uint type, string name) => StructAt(btf, type, 0, name);

    /// <summary>Whether a struct of a name lies at an offset of a struct.</summary>
    public static bool StructAt(BtfTypes btf, uint type, long offset, string name)
    {
        BtfType current = btf.SkipModifiers(type);
        for (int depth = 0; depth < MaximumDepth && current.Kind == BtfKind.STRUCT; depth++)
        {
            if (offset == 0 && Matches(btf.NameOf(current.Id), name))
                return true;
            if (FindMember(btf, current, offset, 1) is not { } member)
                return false;
            offset -= member.BitOffset / 8;
            current = btf.SkipModifiers(member.Type);
        }

        return false;
    }

    /// <summary>A name with a CO-RE flavour stands for the name without.</summary>
    private static bool Matches(string found, string wanted) =>
        found == wanted || (found.StartsWith(wanted, StringComparison.Ordinal) && found.AsSpan(wanted.Length).StartsWith("___", StringComparison.Ordinal));

    /// <summary>The kernel type that a pointer leads to and what its tags say.</summary>
    public static (uint TypeId, PointerFlags Flags)? StructPointer(BtfTypes btf, BtfType pointer)
    {
        PointerFlags flags = PointerFlags.None;
        BtfType target = btf[pointer.SizeOrType];
        while (target.IsModifier)
        {
            if (target.Kind == BtfKind.TYPE_TAG)
            {
                flags |= btf.NameOf(target.Id) switch
                {
                    "user" => PointerFlags.User,
                    "percpu" => PointerFlags.PerCpu,
                    "rcu" => PointerFlags.Rcu,
                    _ => PointerFlags.None,
                };
            }

            target = btf[target.SizeOrType];
        }

        return target.Kind == BtfKind.STRUCT ? (target.Id, flags) : null;
    }

    private static BtfAccess PointerMember(BtfTypes btf, string owner, BtfMember member, BtfType pointer, long rest, int size, PointerFlags flags)
    {
        if (rest != 0 || size != 8)
            return new BtfAccess(rest + size <= 8 ? BtfAccessKind.Scalar : BtfAccessKind.Invalid);
        return StructPointer(btf, pointer) is { } found
            ? new BtfAccess(BtfAccessKind.Pointer, found.TypeId, found.Flags | flags, owner, member.Name)
            : new BtfAccess(BtfAccessKind.Scalar);
    }

    private static bool HasFlexibleEnd(BtfTypes btf, BtfType type, long offset)
    {
        if (type.Length == 0)
            return false;
        BtfMember last = btf.MembersOf(type)[^1];
        BtfType array = btf.SkipModifiers(last.Type);
        return array.Kind == BtfKind.ARRAY && btf.ArrayOf(array).Count == 0 && offset >= last.BitOffset / 8;
    }

    private static BtfMember? FindMember(BtfTypes btf, BtfType type, long offset, int size)
    {
        BtfMember? found = null;
        foreach (BtfMember member in btf.MembersOf(type))
        {
            long start = member.BitOffset / 8;
            if (member.BitFieldSize != 0)
            {
                long end = (member.BitOffset + member.BitFieldSize + 7) / 8;
                if (offset + size > start && offset < end)
                    return member;
                continue;
            }

            if (!btf.TryGetSize(member.Type, out ulong length))
                continue;
            if (length == 0 && btf.SkipModifiers(member.Type).Kind == BtfKind.ARRAY && offset >= start)
                found = member;
            bool isCovered = offset + size <= start + (long)length;
            if (offset >= start && offset < start + (long)length && (isCovered || type.Kind == BtfKind.STRUCT))
                return isCovered ? member : null;
        }

        return found;
    }
}
