using System.Collections.Immutable;
using BpfPpcc.Btf;

namespace BpfPpcc.Loading;

/// <summary>
/// When a type of the program and a type of the target count as the same, in the three ways that CO-RE knows: loosely for fields, by kind
/// for bpf_core_type_exists, by shape for bpf_core_type_matches. The rules are those of Linux and libbpf (relo_core.c documents them).
/// </summary>
internal sealed class CoreCompatibility(BtfTypes local, BtfTypes target)
{
    /// <summary>Nesting that is followed; a deeper type is compatible with none.</summary>
    private const int MaximumDepth = 32;

    /// <summary>
    /// Pairs of types that one question may look at. Types of hostile input can branch at every level; what real types need is far less.
    /// </summary>
    private const int MaximumSteps = 1 << 18;

    private int _steps;

    /// <summary>Same kind, or both enums of whichever width.</summary>
    public static bool AreKindsCompatible(BtfType a, BtfType b) => a.Kind == b.Kind || (a.IsEnum && b.IsEnum);

    /// <summary>Whether a field of one type may be accessed as if it were of the other.</summary>
    public bool AreFieldsCompatible(uint localId, uint targetId)
    {
        while (true)
        {
            BtfType a = local.SkipModifiers(localId), b = target.SkipModifiers(targetId);
            if (a.IsComposite && b.IsComposite)
                return true;
            if (!AreKindsCompatible(a, b))
                return false;
            switch (a.Kind)
            {
                case BtfKind.PTR or BtfKind.FLOAT:
                    return true;
                case BtfKind.FWD or BtfKind.ENUM or BtfKind.ENUM64:
                    string aName = local.NameOf(a.Id), bName = target.NameOf(b.Id);
                    return aName.Length == 0 || bName.Length == 0 || CoreNames.AreEssentiallyEqual(aName, bName);
                case BtfKind.INT:
                    return AreWholeIntegers(a, b);
                case BtfKind.ARRAY:
                    localId = local.ArrayOf(a).ElementType;
                    targetId = target.ArrayOf(b).ElementType;
                    break;
                case BtfKind.VOID or BtfKind.STRUCT or BtfKind.UNION or BtfKind.TYPEDEF or BtfKind.VOLATILE or BtfKind.CONST
                    or BtfKind.RESTRICT or BtfKind.FUNC or BtfKind.FUNC_PROTO or BtfKind.VAR or BtfKind.DATASEC or BtfKind.DECL_TAG
                    or BtfKind.TYPE_TAG:
                    return false;
            }
        }
    }

    /// <summary>Whether types of the same essential name are of the same kind, down to what pointers and arrays are made of.</summary>
    public bool AreTypesCompatible(uint localId, uint targetId)
    {
        _steps = 0;
        return AreKindsCompatible(local[localId], target[targetId]) && AreTypesCompatible(localId, targetId, MaximumDepth);
    }

    /// <summary>Whether everything that the program's type has is in the target's type, by name and shape.</summary>
    public bool TypesMatch(uint localId, uint targetId)
    {
        _steps = 0;
        return TypesMatch(localId, targetId, isBehindPointer: false, MaximumDepth);
    }

    private bool AreTypesCompatible(uint localId, uint targetId, int depth)
    {
        for (; depth > 0; depth--)
        {
            BtfType a = local.SkipModifiers(localId), b = target.SkipModifiers(targetId);
            if (!AreKindsCompatible(a, b) || ++_steps > MaximumSteps)
                return false;
            switch (a.Kind)
            {
                case BtfKind.VOID or BtfKind.STRUCT or BtfKind.UNION or BtfKind.ENUM or BtfKind.ENUM64 or BtfKind.FWD:
                    return true;
                case BtfKind.INT:
                    return AreWholeIntegers(a, b);
                case BtfKind.PTR:
                    (localId, targetId) = (a.SizeOrType, b.SizeOrType);
                    break;
                case BtfKind.ARRAY:
                    (localId, targetId) = (local.ArrayOf(a).ElementType, target.ArrayOf(b).ElementType);
                    break;
                case BtfKind.FUNC_PROTO:
                    if (a.Length != b.Length)
                        return false;
                    ImmutableArray<BtfParameter> aParameters = local.ParametersOf(a), bParameters = target.ParametersOf(b);
                    for (int i = 0; i < a.Length; i++)
                    {
                        if (!AreTypesCompatible(aParameters[i].Type, bParameters[i].Type, depth - 1))
                            return false;
                    }

                    (localId, targetId) = (a.SizeOrType, b.SizeOrType);
                    break;
                case BtfKind.TYPEDEF or BtfKind.VOLATILE or BtfKind.CONST or BtfKind.RESTRICT or BtfKind.FUNC or BtfKind.VAR
                    or BtfKind.DATASEC or BtfKind.FLOAT or BtfKind.DECL_TAG or BtfKind.TYPE_TAG:
                    return false;
            }
        }

        return false;
    }

    private bool TypesMatch(uint localId, uint targetId, bool isBehindPointer, int depth)
    {
        for (; depth > 0; depth--)
        {
            BtfType a = local.SkipModifiers(localId), b = target.SkipModifiers(targetId);
            if (!CoreNames.AreEssentiallyEqual(local.NameOf(a.Id), target.NameOf(b.Id)) || ++_steps > MaximumSteps)
                return false;
            switch (a.Kind)
            {
                case BtfKind.VOID:
                    return b.Kind == BtfKind.VOID;
                case BtfKind.FWD:
                    return b.Kind == BtfKind.FWD ? a.KindFlag == b.KindFlag
                        : isBehindPointer && b.Kind == (a.KindFlag ? BtfKind.UNION : BtfKind.STRUCT);
                case BtfKind.ENUM or BtfKind.ENUM64:
                    return b.IsEnum && EnumsMatch(a, b);
                case BtfKind.STRUCT or BtfKind.UNION:
                    if (isBehindPointer)
                        return b.Kind == a.Kind || (b.Kind == BtfKind.FWD && b.KindFlag == (a.Kind == BtfKind.UNION));
                    return a.Kind == b.Kind && CompositesMatch(a, b, depth);
                case BtfKind.INT:
                    return b.Kind == BtfKind.INT && a.SizeOrType == b.SizeOrType && IsSigned(local, a) == IsSigned(target, b);
                case BtfKind.PTR:
                    if (b.Kind != BtfKind.PTR)
                        return false;
                    isBehindPointer = true;
                    (localId, targetId) = (a.SizeOrType, b.SizeOrType);
                    break;
                case BtfKind.ARRAY:
                    if (b.Kind != BtfKind.ARRAY || local.ArrayOf(a).Count != target.ArrayOf(b).Count)
                        return false;
                    (localId, targetId) = (local.ArrayOf(a).ElementType, target.ArrayOf(b).ElementType);
                    break;
                case BtfKind.FUNC_PROTO:
                    if (b.Kind != BtfKind.FUNC_PROTO || a.Length != b.Length)
                        return false;
                    ImmutableArray<BtfParameter> aParameters = local.ParametersOf(a), bParameters = target.ParametersOf(b);
                    for (int i = 0; i < a.Length; i++)
                    {
                        if (!TypesMatch(aParameters[i].Type, bParameters[i].Type, isBehindPointer, depth - 1))
                            return false;
                    }

                    (localId, targetId) = (a.SizeOrType, b.SizeOrType);
                    break;
                case BtfKind.TYPEDEF or BtfKind.VOLATILE or BtfKind.CONST or BtfKind.RESTRICT or BtfKind.FUNC or BtfKind.VAR
                    or BtfKind.DATASEC or BtfKind.FLOAT or BtfKind.DECL_TAG or BtfKind.TYPE_TAG:
                    return false;
            }
        }

        return false;
    }

    /// <summary>Each member has one of its name in the target whose type matches.</summary>
    private bool CompositesMatch(BtfType a, BtfType b, int depth)
    {
        if (a.Length > b.Length)
            return false;
        ImmutableArray<BtfMember> targetMembers = target.MembersOf(b);
        foreach (BtfMember member in local.MembersOf(a))
        {
            bool isMatched = false;
            foreach (BtfMember candidate in targetMembers)
            {
                if (++_steps > MaximumSteps)
                    return false;
                isMatched = CoreNames.AreEssentiallyEqual(member.Name, candidate.Name)
                    && TypesMatch(member.Type, candidate.Type, isBehindPointer: false, depth - 1);
                if (isMatched)
                    break;
            }

            if (!isMatched)
                return false;
        }

        return true;
    }

    private bool EnumsMatch(BtfType a, BtfType b)
    {
        if (a.SizeOrType != b.SizeOrType || a.Length > b.Length)
            return false;
        var names = new HashSet<string>();
        foreach (BtfEnumerator enumerator in target.EnumeratorsOf(b))
            names.Add(CoreNames.Essential(enumerator.Name).ToString());
        foreach (BtfEnumerator enumerator in local.EnumeratorsOf(a))
        {
            if (!names.Contains(CoreNames.Essential(enumerator.Name).ToString()))
                return false;
        }

        return true;
    }

    /// <summary>Integers that are bit fields of their own kind, as BTF first had them, are compatible with none; all others are.</summary>
    private bool AreWholeIntegers(BtfType a, BtfType b) => local.IntOf(a).BitOffset == 0 && target.IntOf(b).BitOffset == 0;

    private static bool IsSigned(BtfTypes types, BtfType integer) => (types.IntOf(integer).Encoding & BtfIntEncoding.SIGNED) != 0;
}
