using System.Collections.Immutable;
using BpfPpcc.Bpf;
using BpfPpcc.Elf;

namespace BpfPpcc.Loading;

/// <summary>What is known of a function before its role.</summary>
internal readonly record struct FunctionParts(
    ImmutableArray<BpfInstruction> Instructions, IReadOnlyDictionary<int, BpfReference> References, ImmutableArray<BpfLineInfo> Lines);

/// <summary>
/// Decides which functions are programs. As for libbpf, functions of .text are subprograms if another section has functions, and
/// programs if .text is all there is. In a section of programs the global functions are programs and the static ones subprograms; if it has static ones
/// only, those that nothing refers to are programs.
/// </summary>
internal static class FunctionRoles
{
    /// <summary>The role of each function.</summary>
    public static BpfFunctionRole[] Decide(
        FunctionTable functions, IReadOnlyList<FunctionParts> parts, ImmutableArray<BpfDataSection> dataSections)
    {
        bool hasOtherSections = false;
        var sectionsWithGlobals = new HashSet<ElfSection>(ReferenceEqualityComparer.Instance);
        for (int i = 0; i < functions.Count; i++)
        {
            hasOtherSections |= functions[i].Section.Name != ".text";
            if (!functions[i].Symbol.IsLocal)
                sectionsWithGlobals.Add(functions[i].Section);
        }

        bool[] isReferredTo = FindReferredTo(functions.Count, parts, dataSections);
        var roles = new BpfFunctionRole[functions.Count];
        for (int i = 0; i < roles.Length; i++)
        {
            FunctionRange function = functions[i];
            bool holdsPrograms = function.Section.Name != ".text" || !hasOtherSections;
            bool isEntry = sectionsWithGlobals.Contains(function.Section) ? !function.Symbol.IsLocal : !isReferredTo[i];
            roles[i] = holdsPrograms && isEntry ? BpfFunctionRole.Program : BpfFunctionRole.Subprogram;
        }

        return roles;
    }

    /// <summary>Functions that are called or whose address is taken. Being in a prog array makes no subprogram.</summary>
    private static bool[] FindReferredTo(int count, IReadOnlyList<FunctionParts> parts, ImmutableArray<BpfDataSection> dataSections)
    {
        var isReferredTo = new bool[count];
        foreach (FunctionParts function in parts)
        {
            foreach (BpfReference reference in function.References.Values)
                Mark(reference, isReferredTo);
        }

        foreach (BpfDataSection section in dataSections)
        {
            foreach (BpfDataRelocation relocation in section.Relocations)
                Mark(relocation.Target, isReferredTo);
        }

        return isReferredTo;
    }

    private static void Mark(BpfReference reference, bool[] isReferredTo)
    {
        if (reference is BpfReference.FunctionCall call)
            isReferredTo[call.Function] = true;
        else if (reference is BpfReference.FunctionAddress address)
            isReferredTo[address.Function] = true;
    }
}
