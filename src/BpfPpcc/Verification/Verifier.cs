using System.Collections.Immutable;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using BpfPpcc.Verification.Walk;

namespace BpfPpcc.Verification;

/// <summary>
/// A loaded module in, a module that later stages may trust out: every instruction is one that exists, control flow stays inside its
/// function, calls have targets and do not recurse, it is known which loads read packet pointers of the context, and (unless the user
/// declined) every program was proved to access only memory that is its own and to come to an end.
/// </summary>
public static class Verifier
{
    /// <summary>Returns null after at least one error was reported to <paramref name="diagnostics"/>.</summary>
    public static VerifiedModule? Verify(BpfModule module, VerifierOptions options, DiagnosticBag diagnostics)
    {
        bool[][] reachable = new bool[module.Functions.Length][];
        if (!StructureChecker.Check(module, options, reachable, diagnostics) || !CallGraph.Check(module, diagnostics))
            return null;
        ModuleWalk? walk = options.NoVerify ? null : new ModuleWalk(module, options);
        if (walk is not null && !ReportVerdicts(module, walk.Image, walk.Run(reachable), diagnostics))
            return null;

        ImmutableDictionary<int, int>[]? contextLoads = options.RawContext
            ? new ImmutableDictionary<int, int>[module.Functions.Length]
            : PointerClasses.FindContextLoads(module, reachable, diagnostics);
        return contextLoads is null ? null : new VerifiedModule(module, isVerified: walk is not null, Facts(module, reachable, contextLoads, walk));
    }

    /// <summary>Verifies without compiling: one record per program, in input order. Errors go to <paramref name="diagnostics"/> as well.</summary>
    public static VerificationReport Report(BpfModule module, VerifierOptions options, DiagnosticBag diagnostics)
    {
        bool[][] reachable = new bool[module.Functions.Length][];
        if (!StructureChecker.Check(module, options, reachable, diagnostics) || !CallGraph.Check(module, diagnostics))
            return VerificationReport.Refused(module, diagnostics);
        var walk = new ModuleWalk(module, options);
        ImmutableArray<ProgramVerdict> verdicts = walk.Run(reachable);
        ReportVerdicts(module, walk.Image, verdicts, diagnostics);
        return VerificationReport.Of(module, walk.Image, verdicts);
    }

    /// <summary>True if all programs were accepted. A mistake in a function that several programs share is reported once.</summary>
    private static bool ReportVerdicts(BpfModule module, CodeImage image, ImmutableArray<ProgramVerdict> verdicts, DiagnosticBag diagnostics)
    {
        bool isAccepted = true;
        var reported = new HashSet<(DiagnosticId, int)>();
        foreach (ProgramVerdict verdict in verdicts)
        {
            if (verdict.Error is not { } error)
                continue;
            isAccepted = false;
            if (error.Slot < 0 || reported.Add((error.Id, error.Slot)))
                diagnostics.Error(error.Id, error.Message, LocationOf(module, image, verdict, error), error.Help);
        }

        return isAccepted;
    }

    internal static DiagnosticLocation LocationOf(BpfModule module, CodeImage image, ProgramVerdict verdict, WalkError error) => error.Slot < 0
        ? SlotLocation.Of(module, verdict.Program)
        : SlotLocation.Of(module, image.FunctionAt(error.Slot), image.LocalSlot(error.Slot));

    private static ImmutableArray<ProgramFacts> Facts(
        BpfModule module, bool[][] reachable, ImmutableDictionary<int, int>?[] contextLoads, ModuleWalk? walk)
    {
        var facts = ImmutableArray.CreateBuilder<ProgramFacts>(reachable.Length);
        for (int i = 0; i < reachable.Length; i++)
        {
            facts.Add(new ProgramFacts
            {
                IsReachable = ImmutableArray.Create(reachable[i]),
                ContextLoads = contextLoads[i] ?? ImmutableDictionary<int, int>.Empty,
                ProbeLoads = walk is null ? [] : ProbeLoads(walk, module.Functions[i]),
            });
        }

        return facts.MoveToImmutable();
    }

    private static ImmutableHashSet<int> ProbeLoads(ModuleWalk walk, BpfFunction function)
    {
        var slots = ImmutableHashSet.CreateBuilder<int>();
        int start = walk.Image.Starts[function.Index];
        for (int slot = 0; slot < function.Instructions.Length; slot++)
        {
            if (walk.Facts.MayFault[start + slot])
                slots.Add(slot);
        }

        return slots.ToImmutable();
    }
}
