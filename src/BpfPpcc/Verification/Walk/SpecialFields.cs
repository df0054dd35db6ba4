using System.Collections.Immutable;
using BpfPpcc.Btf;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification.Walk;

/// <summary>Fields of map values and allocated objects that only helpers may touch; Linux's enum btf_field_type.</summary>
internal enum SpecialFieldKind : byte
{
    SpinLock,
    ResilientSpinLock,
    Timer,
    Workqueue,

    /// <summary>A pointer to a kernel object that a program may store (__kptr_untrusted).</summary>
    KptrUntrusted,

    /// <summary>A pointer that owns its object (__kptr).</summary>
    Kptr,
    KptrPerCpu,
    UserPointer,
    ListHead,
    ListNode,
    TreeRoot,
    TreeNode,
    RefCount,
}

/// <param name="TypeId">Of kptrs: the object's type. Of list heads and tree roots: the type of the objects in them.</param>
/// <param name="NodeOffset">Of list heads and tree roots: where in these objects their node is.</param>
internal readonly record struct SpecialField(SpecialFieldKind Kind, int Offset, int Size, uint TypeId = 0, int NodeOffset = 0)
{
    public bool IsKptr => Kind is SpecialFieldKind.KptrUntrusted or SpecialFieldKind.Kptr or SpecialFieldKind.KptrPerCpu or SpecialFieldKind.UserPointer;
}

/// <summary>The special fields of a type, by ascending offset (kernel documentation, bpf/graph_ds_impl.rst and bpf/kfuncs.rst).</summary>
internal sealed class SpecialFields
{
    private const int MaximumDepth = 8;
    private const int MaximumFields = 64;

    public static readonly SpecialFields None = new([]);

    private SpecialFields(ImmutableArray<SpecialField> all)
    {
        All = all;
    }

    public ImmutableArray<SpecialField> All { get; }

    /// <summary>Offset of the one spin lock, or -1.</summary>
    public int SpinLockOffset => Find(SpecialFieldKind.SpinLock)?.Offset ?? -1;

    /// <summary>The fields of a struct, data section or other type; none without BTF.</summary>
    public static SpecialFields Of(BtfTypes? btf, uint type)
    {
        if (btf is null || type == 0 || type >= btf.Count)
            return None;
        var fields = new List<SpecialField>();
        Collect(btf, type, 0, fields, 0, isInArray: false);
        fields.Sort(static (a, b) => a.Offset.CompareTo(b.Offset));
        return fields.Count == 0 ? None : new SpecialFields([.. fields]);
    }

    /// <summary>
    /// The fields of the variables of a data section. Compilers write their offsets into the symbol table only, and leave them 0 in BTF.
    /// </summary>
    public static SpecialFields Of(BtfTypes? btf, uint type, BpfDataSection section)
    {
        if (btf is null || type == 0)
            return None;
        var fields = new List<SpecialField>();
        foreach (BtfSectionVariable member in btf.VariablesOf(btf[type]))
        {
            BtfType variable = btf[member.Type];
            if (variable.Kind != BtfKind.VAR)
                continue;
            string name = btf.NameOf(variable.Id);
            long offset = section.Variables.FirstOrDefault(candidate => candidate.Name == name)?.Offset ?? member.Offset;
            int before = fields.Count;
            Collect(btf, variable.SizeOrType, (int)offset, fields, 0, isInArray: false);
            if (fields.Count == before + 1 && fields[before].Kind is SpecialFieldKind.ListHead or SpecialFieldKind.TreeRoot)
                fields[before] = WithContents(btf, variable.Id, static component => component == -1, fields[before]);
        }

        fields.Sort(static (a, b) => a.Offset.CompareTo(b.Offset));
        return fields.Count == 0 ? None : new SpecialFields([.. fields]);
    }

    public SpecialField? Find(SpecialFieldKind kind)
    {
        foreach (SpecialField field in All)
        {
            if (field.Kind == kind)
                return field;
        }

        return null;
    }

    public SpecialField? At(long offset)
    {
        foreach (SpecialField field in All)
        {
            if (field.Offset == offset)
                return field;
        }

        return null;
    }

    /// <summary>The first field that some byte of [<paramref name="start"/>, <paramref name="end"/>) belongs to, or null.</summary>
    public SpecialField? Touched(long start, long end)
    {
        foreach (SpecialField field in All)
        {
            if (start < field.Offset + field.Size && field.Offset < end)
                return field;
        }

        return null;
    }

    private static void Collect(BtfTypes btf, uint id, int offset, List<SpecialField> fields, int depth, bool isInArray)
    {
        if (depth > MaximumDepth || fields.Count > MaximumFields)
            return;
        BtfType type = btf.SkipModifiers(id);
        switch (type.Kind)
        {
            case BtfKind.STRUCT:
                if (KindOf(btf.NameOf(type.Id)) is { } kind)
                {
                    fields.Add(new SpecialField(kind, offset, (int)type.SizeOrType));
                    break;
                }

                foreach (BtfMember member in btf.MembersOf(type))
                    CollectMember(btf, type, member, offset + (int)(member.BitOffset / 8), fields, depth, isInArray);
                break;
            case BtfKind.ARRAY:
                BtfArray array = btf.ArrayOf(type);
                if (!btf.TryGetSize(array.ElementType, out ulong size) || size > 1 << 20)
                    break;
                for (uint i = 0; i < array.Count && i < MaximumFields && fields.Count <= MaximumFields; i++)
                {
                    int before = fields.Count;
                    Collect(btf, array.ElementType, offset + (int)(i * size), fields, depth + 1, isInArray: true);
                    if (fields.Count == before)
                        break;
                }

                break;
            case BtfKind.PTR:
                if (KptrOf(btf, type) is { } kptr)
                    fields.Add(kptr with { Offset = offset });
                break;
            case BtfKind.VOID or BtfKind.INT or BtfKind.UNION or BtfKind.ENUM or BtfKind.FWD or BtfKind.TYPEDEF or BtfKind.VOLATILE
                or BtfKind.CONST or BtfKind.RESTRICT or BtfKind.FUNC or BtfKind.FUNC_PROTO or BtfKind.VAR or BtfKind.FLOAT
                or BtfKind.DECL_TAG or BtfKind.TYPE_TAG or BtfKind.ENUM64 or BtfKind.DATASEC:
                break;
        }
    }

    private static void CollectMember(
        BtfTypes btf, BtfType parent, BtfMember member, int offset, List<SpecialField> fields, int depth, bool isInArray)
    {
        int before = fields.Count;
        Collect(btf, member.Type, offset, fields, depth + 1, isInArray);
        if (fields.Count != before + 1 || fields[before].Kind is not (SpecialFieldKind.ListHead or SpecialFieldKind.TreeRoot))
            return;
        ImmutableArray<BtfMember> members = btf.MembersOf(parent);
        fields[before] = WithContents(
            btf, parent.Id, component => component >= 0 && component < members.Length && members[component] == member, fields[before]);
    }

    /// <summary>What a list or tree contains is said by a tag on its member or variable: "contains:STRUCT:MEMBER".</summary>
    private static SpecialField WithContents(BtfTypes btf, uint tagged, Func<int, bool> isTagged, SpecialField field)
    {
        const string Prefix = "contains:";
        for (uint id = 1; id < btf.Count; id++)
        {
            BtfType tag = btf[id];
            if (tag.Kind != BtfKind.DECL_TAG || tag.SizeOrType != tagged || !isTagged(btf.ComponentOf(tag)))
                continue;
            string[] parts = btf.NameOf(id).Split(':');
            if (!btf.NameOf(id).StartsWith(Prefix, StringComparison.Ordinal) || parts.Length != 3)
                continue;
            uint contained = btf.Find(parts[1], BtfKind.STRUCT);
            if (contained == 0)
                continue;
            foreach (BtfMember inner in btf.MembersOf(btf[contained]))
            {
                if (inner.Name == parts[2])
                    return field with { TypeId = contained, NodeOffset = (int)(inner.BitOffset / 8) };
            }
        }

        return field;
    }

    private static SpecialFieldKind? KindOf(string name) => name switch
    {
        "bpf_spin_lock" => SpecialFieldKind.SpinLock,
        "bpf_res_spin_lock" => SpecialFieldKind.ResilientSpinLock,
        "bpf_timer" => SpecialFieldKind.Timer,
        "bpf_wq" => SpecialFieldKind.Workqueue,
        "bpf_list_head" => SpecialFieldKind.ListHead,
        "bpf_list_node" => SpecialFieldKind.ListNode,
        "bpf_rb_root" => SpecialFieldKind.TreeRoot,
        "bpf_rb_node" => SpecialFieldKind.TreeNode,
        "bpf_refcount" => SpecialFieldKind.RefCount,
        _ => null,
    };

    private static SpecialField? KptrOf(BtfTypes btf, BtfType pointer)
    {
        BtfType target = btf[pointer.SizeOrType];
        while (target.IsModifier && target.Kind != BtfKind.TYPE_TAG)
            target = btf[target.SizeOrType];
        if (target.Kind != BtfKind.TYPE_TAG)
            return null;
        SpecialFieldKind? kind = btf.NameOf(target.Id) switch
        {
            "kptr_untrusted" => SpecialFieldKind.KptrUntrusted,
            "kptr" => SpecialFieldKind.Kptr,
            "percpu_kptr" => SpecialFieldKind.KptrPerCpu,
            "uptr" => SpecialFieldKind.UserPointer,
            _ => null,
        };
        return kind is { } known ? new SpecialField(known, 0, 8, btf.SkipModifiers(target.SizeOrType).Id) : null;
    }
}
