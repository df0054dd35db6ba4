using System.Globalization;
using System.Text;
using BpfPpcc.Btf;

namespace BpfPpcc.Loading;

/// <summary>One step of an access.</summary>
/// <param name="Type">The struct that has the member, the enum that has the enumerator, or the type of the array's elements.</param>
/// <param name="Index">Index of the member, enumerator or element.</param>
/// <param name="Name">Name of the member or enumerator; null for an element.</param>
internal readonly record struct CoreStep(uint Type, int Index, string? Name);

/// <summary>
/// What a CO-RE relocation names (kernel documentation, bpf/llvm_reloc.rst, CO-RE Relocations): a type, an enumerator of it, or a field
/// that is reached from it by members and array elements. Anonymous structs and unions on the way are no steps of their own: the target
/// may have them elsewhere.
/// </summary>
internal sealed class CoreAccess
{
    /// <summary>Numbers in an access string, as Linux and libbpf bound them.</summary>
    public const int MaximumSteps = 64;

    private readonly List<CoreStep> _steps = [];

    public CoreAccess(BtfTypes types, uint root)
    {
        Types = types;
        Root = root;
    }

    public BtfTypes Types { get; }

    /// <summary>The type that the access begins with, as the source names it: possibly a typedef.</summary>
    public uint Root { get; }

    /// <summary>Of a type none. Of a field the first is an element: the access begins at a pointer.</summary>
    public IReadOnlyList<CoreStep> Steps => _steps;

    /// <summary>Of a field: its distance from the start of the root type.</summary>
    public uint BitOffset { get; private set; }

    /// <summary>The access that a relocation record describes; null and a fault ("its ...") if it makes no sense.</summary>
    public static CoreAccess? Parse(BtfTypes types, uint root, string text, CoreSubject subject, out string fault)
    {
        var access = new CoreAccess(types, root);
        if (!TryReadIndices(text, out List<int> indices))
        {
            fault = $"its access string '{text}' is no list of numbers";
            return null;
        }

        bool ok = subject switch
        {
            CoreSubject.Type => indices is [0],
            CoreSubject.Enumerator => indices.Count == 1 && access.TryAddEnumerator(indices[0]),
            CoreSubject.Field => access.TryAddField(indices),
        };
        fault = ok ? "" : $"its access string '{text}' does not fit type '{NameOf(types, root)}'";
        return ok ? access : null;
    }

    /// <summary>Adds a member of the struct <paramref name="type"/>, <paramref name="bitOffset"/> bits behind where the access has come to.</summary>
    public bool TryAddMember(uint type, int index, string name, ulong bitOffset)
    {
        _steps.Add(new CoreStep(type, index, name));
        return TryAdvance(bitOffset);
    }

    /// <summary>Adds an element of an array of <paramref name="type"/>. False if the type has no size.</summary>
    public bool TryAddElement(uint type, int index)
    {
        _steps.Add(new CoreStep(type, index, null));
        return Types.TryGetSize(type, out ulong size) && TryAdvance(8 * (UInt128)size * (uint)index);
    }

    public bool TryAddEnumerator(int index)
    {
        BtfType type = Types.SkipModifiers(Root);
        if (!type.IsEnum || index >= type.Length)
            return false;
        _steps.Add(new CoreStep(type.Id, index, Types.EnumeratorsOf(type)[index].Name));
        return true;
    }

    /// <summary>
    /// Whether the array that the last step leads to may be longer than it says: the last member of a struct, with no elements.
    /// </summary>
    public bool EndsInFlexibleArray(BtfArray array) =>
        array.Count == 0 && _steps[^1] is { Name: not null } last && last.Index == Types[last.Type].Length - 1;

    /// <summary>The type as C writes it: "struct foo", "enum bar", "baz_t".</summary>
    public static string NameOf(BtfTypes types, uint id)
    {
        BtfType type = types[id];
        string name = types.NameOf(id);
        string keyword = type.Kind switch
        {
            BtfKind.STRUCT => "struct ",
            BtfKind.UNION => "union ",
            BtfKind.FWD => type.KindFlag ? "union " : "struct ",
            BtfKind.ENUM or BtfKind.ENUM64 => "enum ",
            BtfKind.VOID or BtfKind.INT or BtfKind.PTR or BtfKind.ARRAY or BtfKind.TYPEDEF or BtfKind.VOLATILE or BtfKind.CONST
                or BtfKind.RESTRICT or BtfKind.FUNC or BtfKind.FUNC_PROTO or BtfKind.VAR or BtfKind.DATASEC or BtfKind.FLOAT
                or BtfKind.DECL_TAG or BtfKind.TYPE_TAG => "",
        };
        return keyword + (name.Length != 0 ? name : "(anonymous)");
    }

    /// <summary>What is named, as C writes it: "field 'mm.pgd' of 'struct task_struct'", "enumerator 'A' of 'enum e'", "type 'struct s'".</summary>
    public string Describe(CoreSubject subject)
    {
        string root = NameOf(Types, Root);
        return subject switch
        {
            CoreSubject.Type => $"type '{root}'",
            CoreSubject.Enumerator => $"enumerator '{_steps[0].Name}' of '{root}'",
            CoreSubject.Field => Path() is { Length: > 0 } path ? $"field '{path}' of '{root}'" : $"type '{root}'",
        };
    }

    private string Path()
    {
        var path = new StringBuilder();
        for (int i = 0; i < _steps.Count; i++)
        {
            if (_steps[i].Name is string name)
                path.Append(path.Length == 0 ? "" : ".").Append(name);
            else if (i > 0 || _steps[i].Index != 0)
                path.Append(CultureInfo.InvariantCulture, $"[{_steps[i].Index}]");
        }

        return path.ToString();
    }

    private bool TryAddField(List<int> indices)
    {
        uint type = Types.SkipModifiers(Root).Id;
        if (!TryAddElement(type, indices[0]))
            return false;
        foreach (int index in indices.Skip(1))
        {
            BtfType container = Types.SkipModifiers(type);
            if (container.IsComposite)
            {
                if (index >= container.Length)
                    return false;
                BtfMember member = Types.MembersOf(container)[index];
                if (member.Name.Length == 0 ? !TryAdvance(member.BitOffset) : !TryAddMember(container.Id, index, member.Name, member.BitOffset))
                    return false;
                type = member.Type;
            }
            else if (container.Kind == BtfKind.ARRAY)
            {
                BtfArray array = Types.ArrayOf(container);
                if (index >= array.Count && !EndsInFlexibleArray(array))
                    return false;
                type = Types.SkipModifiers(array.ElementType).Id;
                if (!TryAddElement(type, index))
                    return false;
            }
            else
            {
                return false;
            }
        }

        return true;
    }

    private bool TryAdvance(UInt128 bits)
    {
        UInt128 offset = BitOffset + bits;
        BitOffset = (uint)offset;
        return offset <= uint.MaxValue;
    }

    private static bool TryReadIndices(string text, out List<int> indices)
    {
        indices = [];
        foreach (Range range in text.AsSpan().Split(':'))
        {
            if (indices.Count == MaximumSteps
                || !int.TryParse(text.AsSpan(range), NumberStyles.None, CultureInfo.InvariantCulture, out int index))
            {
                return false;
            }

            indices.Add(index);
        }

        return true;
    }
}
