using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;

namespace BpfPpcc.Loading;

/// <summary>Decides what programs are: by what the user says, by the section's name, by the company they keep.</summary>
internal static class ProgramTypes
{
    /// <summary>The meaning of each function, nothing for subprograms; null after an error.</summary>
    public static SectionMeaning[]? Decide(LoadingContext context, FunctionTable functions, BpfFunctionRole[] roles, LoaderOptions options)
    {
        if (ReadOverrides(context, functions, options) is not Dictionary<string, SectionMeaning> overrides)
            return null;
        var meanings = new SectionMeaning[roles.Length];
        for (int i = 0; i < meanings.Length; i++)
        {
            if (roles[i] != BpfFunctionRole.Program)
                continue;
            FunctionRange function = functions[i];
            meanings[i] = overrides.TryGetValue(function.Symbol.Name, out SectionMeaning given) ? given : SectionNames.Lookup(function.Section.Name);
            if (meanings[i].ProgramType == BpfProgramType.UNSPEC)
                meanings[i] = overrides.GetValueOrDefault("");
        }

        InferTailCalled(functions, roles, meanings);
        if (options.WarnOfUnknownTypes)
            WarnOfUnknown(context, functions, roles, meanings);
        return meanings;
    }

    private static Dictionary<string, SectionMeaning>? ReadOverrides(LoadingContext context, FunctionTable functions, LoaderOptions options)
    {
        var overrides = new Dictionary<string, SectionMeaning>();
        foreach ((string function, string type) in options.ProgramTypes)
        {
            SectionMeaning meaning = SectionNames.Lookup(type);
            bool isKnown = function.Length == 0;
            for (int i = 0; i < functions.Count && !isKnown; i++)
                isKnown = functions[i].Symbol.Name == function;
            string? fault = meaning.ProgramType == BpfProgramType.UNSPEC ? $"'{type}' is no program type: --type takes a section name of libbpf, such as xdp, tc, kprobe"
                : !isKnown ? $"the object has no function '{function}', which --type names"
                : null;
            if (fault is not null)
            {
                context.Fail(DiagnosticId.TypeOverrideUnknown, fault);
                return null;
            }

            overrides[function] = meaning;
        }

        return overrides;
    }

    /// <summary>
    /// iproute2 names the section of a tail-called program after its place in a prog array ("2/10"). Such programs are of the same type as
    /// those that jump to them.
    /// </summary>
    private static void InferTailCalled(FunctionTable functions, BpfFunctionRole[] roles, SectionMeaning[] meanings)
    {
        BpfProgramType common = BpfProgramType.UNSPEC;
        for (int i = 0; i < roles.Length; i++)
        {
            BpfProgramType type = meanings[i].ProgramType;
            if (type == BpfProgramType.UNSPEC)
                continue;
            if (common != BpfProgramType.UNSPEC && common != type)
                return;
            common = type;
        }

        for (int i = 0; i < roles.Length; i++)
        {
            bool isUnknown = roles[i] == BpfFunctionRole.Program && meanings[i].ProgramType == BpfProgramType.UNSPEC;
            if (isUnknown && ProgramArraySlots.TryParse(functions[i].Section.Name, out _, out _))
                meanings[i] = new SectionMeaning(common, AttachType: 0, Target: null);
        }
    }

    /// <summary>Programs of .text are for hosts of their own, which have no types. One message is enough for an object.</summary>
    private static void WarnOfUnknown(LoadingContext context, FunctionTable functions, BpfFunctionRole[] roles, SectionMeaning[] meanings)
    {
        int first = -1, count = 0;
        for (int i = 0; i < roles.Length; i++)
        {
            bool isUnknown = roles[i] == BpfFunctionRole.Program && meanings[i].ProgramType == BpfProgramType.UNSPEC;
            if (!isUnknown || functions[i].Section.Name == ".text")
                continue;
            first = first < 0 ? i : first;
            count++;
        }

        if (first < 0)
            return;
        (string name, string section) = (functions[first].Symbol.Name, functions[first].Section.Name);
        string others = count == 1 ? "" : $" (and those of {count - 1} more)";
        context.Diagnostics.Warning(
            DiagnosticId.ProgramTypeUnknown,
            $"section '{section}' does not say the type of program '{name}', so that its context is used as it is{others}",
            new DiagnosticLocation(context.FileName, section, name),
            $"say it with --type {name}=TYPE, for instance xdp or tc; if it has none, --ctx=raw silences this");
    }
}
