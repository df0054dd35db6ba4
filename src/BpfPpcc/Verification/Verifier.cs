using System.Collections.Immutable;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification;

/// <summary>
/// A loaded module in, a module that later stages may trust in form out: every instruction is one that exists, control flow stays inside
/// its function, calls have targets and do not recurse, and it is known which loads read packet pointers of the context. Whether programs
/// are memory-safe and terminate is not examined, so <see cref="VerifiedModule.IsVerified"/> is false.
/// </summary>
public static class Verifier
{
    /// <summary>Returns null after at least one error was reported to <paramref name="diagnostics"/>.</summary>
    public static VerifiedModule? Verify(BpfModule module, VerifierOptions options, DiagnosticBag diagnostics)
    {
        bool[][] reachable = new bool[module.Functions.Length][];
        if (!StructureChecker.Check(module, options, reachable, diagnostics) || !CallGraph.Check(module, diagnostics)
            || !PoisonCheck.Check(module, reachable, diagnostics))
        {
            return null;
        }

        ImmutableDictionary<int, int>[]? contextLoads = options.RawContext
            ? new ImmutableDictionary<int, int>[module.Functions.Length]
            : PointerClasses.FindContextLoads(module, reachable, diagnostics);
        if (contextLoads is null)
            return null;

        if (!options.NoVerify)
            WarnUnverified(module, diagnostics);
        return new VerifiedModule(module, isVerified: false, Facts(reachable, contextLoads));
    }

    private static ImmutableArray<ProgramFacts> Facts(bool[][] reachable, ImmutableDictionary<int, int>?[] contextLoads)
    {
        var facts = ImmutableArray.CreateBuilder<ProgramFacts>(reachable.Length);
        for (int i = 0; i < reachable.Length; i++)
        {
            facts.Add(new ProgramFacts
            {
                IsReachable = ImmutableArray.Create(reachable[i]),
                ContextLoads = contextLoads[i] ?? ImmutableDictionary<int, int>.Empty,
            });
        }

        return facts.MoveToImmutable();
    }

    private static void WarnUnverified(BpfModule module, DiagnosticBag diagnostics) => diagnostics.Warning(
        DiagnosticId.Unverified,
        "the programs are not verified: only their structure was checked, so they may read or write any memory and may never end",
        new DiagnosticLocation(module.SourceName),
        "run them on input and in processes that you trust only; --no-verify silences this warning");
}
