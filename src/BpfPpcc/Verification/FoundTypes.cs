using System.Collections.Immutable;
using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using BpfPpcc.Verification.Walk;

namespace BpfPpcc.Verification;

/// <summary>Gives programs the types that verification found for them.</summary>
internal static class FoundTypes
{
    /// <summary>The module itself where nothing changes.</summary>
    public static BpfModule Apply(BpfModule module, ImmutableArray<ProgramVerdict> verdicts, DiagnosticBag diagnostics)
    {
        var found = new Dictionary<int, BpfProgramType>();
        foreach (ProgramVerdict verdict in verdicts)
        {
            if (verdict.Type == verdict.Program.ProgramType)
                continue;
            found.Add(verdict.Program.Index, verdict.Type);
            diagnostics.Warning(
                DiagnosticId.ProgramTypeFound,
                $"the section {verdict.Program.SectionName} does not say what type of program {verdict.Program.Name} is; it is taken as {verdict.Type}",
                SlotLocation.Of(module, verdict.Program), "name the section as libbpf does: SEC(\"xdp\"), SEC(\"tc\"), ...");
        }

        return found.Count == 0 ? module : module with
        {
            Functions = [.. module.Functions.Select(function =>
                found.TryGetValue(function.Index, out BpfProgramType type) ? function with { ProgramType = type } : function)],
        };
    }
}
