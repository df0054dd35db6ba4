using System.Collections.Immutable;
using BpfPpcc.Btf;

namespace BpfPpcc.Loading;

/// <summary>
/// Finds what an access of the program means in the target: the target's types of the same essential name and kind, and in each the field
/// or enumerator of the same name.
/// </summary>
internal sealed class CoreCandidates(BtfTypes local, BtfTypes target)
{
    private readonly CoreCompatibility _compatibility = new(local, target);
    private readonly Dictionary<uint, List<uint>> _byRoot = [];
    private readonly HashSet<uint> _visited = [];
    private Dictionary<string, List<uint>>? _byEssentialName;

    /// <summary>
    /// The target's types for a root type of the program. The list is kept: where some of several candidates have what was asked for,
    /// the others turn out not to be the type meant, and the caller takes them out.
    /// </summary>
    public List<uint> For(uint root)
    {
        if (_byRoot.TryGetValue(root, out List<uint>? candidates))
            return candidates;
        candidates = [];
        string name = CoreNames.Essential(local.NameOf(root)).ToString();
        foreach (uint id in Index().TryGetValue(name, out List<uint>? ids) ? ids : [])
        {
            if (CoreCompatibility.AreKindsCompatible(local[root], target[id]))
                candidates.Add(id);
        }

        _byRoot.Add(root, candidates);
        return candidates;
    }

    /// <summary>The same access in the type <paramref name="candidate"/> of the target, or null.</summary>
    public CoreAccess? Match(CoreAccess access, uint candidate, CoreRelocationKind kind)
    {
        var found = new CoreAccess(target, candidate);
        bool ok = CoreRelocationKinds.SubjectOf(kind) switch
        {
            CoreSubject.Type => kind == CoreRelocationKind.TYPE_MATCHES
                ? _compatibility.TypesMatch(access.Root, candidate)
                : _compatibility.AreTypesCompatible(access.Root, candidate),
            CoreSubject.Enumerator => TryMatchEnumerator(access.Steps[0].Name!, found),
            CoreSubject.Field => TryMatchField(access, found),
        };
        return ok ? found : null;
    }

    private bool TryMatchEnumerator(string name, CoreAccess found)
    {
        BtfType type = target.SkipModifiers(found.Root);
        ImmutableArray<BtfEnumerator> enumerators = type.IsEnum ? target.EnumeratorsOf(type) : [];
        for (int i = 0; i < enumerators.Length; i++)
        {
            if (CoreNames.AreEssentiallyEqual(name, enumerators[i].Name))
                return found.TryAddEnumerator(i);
        }

        return false;
    }

    private bool TryMatchField(CoreAccess access, CoreAccess found)
    {
        uint type = target.SkipModifiers(found.Root).Id;
        for (int i = 0; i < access.Steps.Count; i++)
        {
            CoreStep step = access.Steps[i];
            if (step.Name is string name)
            {
                uint localType = local.MembersOf(local[step.Type])[step.Index].Type;
                _visited.Clear();
                if (!TryMatchMember(name, localType, ref type, found, bitOffset: 0, depth: 0))
                    return false;
                continue;
            }

            // The root is an element too, but its type is the element's, not an array's.
            if (i > 0)
            {
                BtfType container = target.SkipModifiers(type);
                if (container.Kind != BtfKind.ARRAY)
                    return false;
                BtfArray array = target.ArrayOf(container);
                if (step.Index >= array.Count && !found.EndsInFlexibleArray(array))
                    return false;
                type = target.SkipModifiers(array.ElementType).Id;
            }

            if (!found.TryAddElement(type, step.Index))
                return false;
        }

        return true;
    }

    /// <summary>Looks for a member by name in a struct and, depth first, in its anonymous members.</summary>
    /// <param name="type">The struct; then the member's type.</param>
    private bool TryMatchMember(string name, uint localType, ref uint type, CoreAccess found, ulong bitOffset, int depth)
    {
        BtfType composite = target.SkipModifiers(type);

        // A type that has been searched holds no such member wherever else it is nested; this also ends cycles.
        if (!composite.IsComposite || depth > CoreAccess.MaximumSteps || !_visited.Add(composite.Id))
            return false;
        ImmutableArray<BtfMember> members = target.MembersOf(composite);
        for (int i = 0; i < members.Length; i++)
        {
            BtfMember member = members[i];
            uint memberType = member.Type;
            if (member.Name == name)
            {
                type = memberType;
                return _compatibility.AreFieldsCompatible(localType, memberType)
                    && found.TryAddMember(composite.Id, i, name, bitOffset + member.BitOffset);
            }

            if (member.Name.Length == 0
                && TryMatchMember(name, localType, ref memberType, found, bitOffset + member.BitOffset, depth + 1))
            {
                type = memberType;
                return true;
            }
        }

        return false;
    }

    private Dictionary<string, List<uint>> Index()
    {
        if (_byEssentialName is not null)
            return _byEssentialName;
        _byEssentialName = [];
        Dictionary<string, List<uint>>.AlternateLookup<ReadOnlySpan<char>> lookup = _byEssentialName.GetAlternateLookup<ReadOnlySpan<char>>();
        for (uint id = 1; id < target.Count; id++)
        {
            if (target[id].NameOffset == 0)
                continue;
            ReadOnlySpan<char> name = CoreNames.Essential(target.NameOf(id));
            if (!lookup.TryGetValue(name, out List<uint>? ids))
                lookup[name] = ids = [];
            ids.Add(id);
        }

        return _byEssentialName;
    }
}
