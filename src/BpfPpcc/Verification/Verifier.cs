using System.Collections.Immutable;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using BpfPpcc.Verification.Facts;
using BpfPpcc.Verification.Walk;

namespace BpfPpcc.Verification;

/// <summary>
/// A loaded module in, a module that later stages may trust out: every instruction is one that exists, control flow stays inside its
/// function, calls have targets and do not recurse, it is known which loads read packet pointers of the context, and (unless the user
/// declined) every program was proved to access only memory that is its own and to come to an end.
/// </summary>
public static class Verifier
{
    /// <summary>
    /// Returns null after at least one error was reported to <paramref name="diagnostics"/>. What is wrong with one program does not keep
    /// the others from being looked at.
    /// </summary>
    public static VerifiedModule? Verify(BpfModule module, VerifierOptions options, DiagnosticBag diagnostics)
    {
        bool walks = !options.NoVerify && !options.SkipsWalk;
        Diagnostic?[] malformed = CheckStructure(module, options, diagnostics, checksMeaning: !walks, out bool[][] reachable);
        bool isSound = Array.TrueForAll(malformed, static error => error is null);
        ModuleWalk? walk = null;
        if (!walks)
        {
            if (!isSound || !PoisonCheck.Check(module, reachable, diagnostics))
                return null;
        }
        else
        {
            walk = ModuleWalk.Run(module, options, reachable, malformed);
            if (!ReportVerdicts(module, walk, malformed, diagnostics) || !isSound || !CheckUncalled(module, walk, options, reachable, diagnostics)
                || !DeadCode.CheckCompilable(module, walk, diagnostics))
                return null;
            module = DeadCode.Neutralise(module, walk);
            module = FoundTypes.Apply(module, walk.Verdicts, diagnostics);
        }

        ImmutableDictionary<int, int>[]? contextLoads = options.RawContext
            ? new ImmutableDictionary<int, int>[module.Functions.Length]
            : PointerClasses.FindContextLoads(module, reachable, diagnostics);
        return contextLoads is null ? null : new VerifiedModule(module, isVerified: walk is not null, Facts(module, reachable, contextLoads, walk))
        {
            HasConstantData = walk is not null && options.HasConstantData,
        };
    }

    /// <summary>
    /// Verifies without compiling: one record per program, in input order. All errors go to <paramref name="diagnostics"/> as well. A
    /// malformed function is held against the programs that may run it.
    /// </summary>
    public static VerificationReport Report(BpfModule module, VerifierOptions options, DiagnosticBag diagnostics)
    {
        Diagnostic?[] malformed = CheckStructure(module, options, diagnostics, checksMeaning: false, out bool[][] reachable);
        ModuleWalk walk = ModuleWalk.Run(module, options, reachable, malformed);
        if (ReportVerdicts(module, walk, malformed, diagnostics))
            FoundTypes.Apply(module, walk.Verdicts, diagnostics);
        return VerificationReport.Of(module, walk.Image, walk.Verdicts);
    }

    /// <summary>The first error of each function's own form and of its place in the call graph, or null. All errors are reported.</summary>
    private static Diagnostic?[] CheckStructure(
        BpfModule module, VerifierOptions options, DiagnosticBag diagnostics, bool checksMeaning, out bool[][] reachable)
    {
        reachable = new bool[module.Functions.Length][];
        var malformed = new Diagnostic?[module.Functions.Length];
        foreach (BpfFunction function in module.Functions)
        {
            var own = new DiagnosticBag();
            StructureChecker.CheckFunction(module, function, options, reachable, own, checksMeaning);
            malformed[function.Index] = own.FirstError;
            diagnostics.AddRange(own);
        }

        var calls = new DiagnosticBag();
        CallGraph.Check(module, malformed, calls);
        foreach (Diagnostic diagnostic in calls.Diagnostics)
        {
            foreach (BpfFunction function in module.Functions)
            {
                if (function.Name == diagnostic.Location?.Function && function.SectionName == diagnostic.Location.Section)
                    malformed[function.Index] ??= diagnostic;
            }
        }

        diagnostics.AddRange(calls);
        return malformed;
    }

    /// <summary>
    /// True if all programs were accepted. A mistake in a function that several programs share is reported once, and one of its form was
    /// reported before.
    /// </summary>
    private static bool ReportVerdicts(BpfModule module, ModuleWalk walk, Diagnostic?[] malformed, DiagnosticBag diagnostics)
    {
        bool isAccepted = true;
        var reported = new HashSet<(DiagnosticId, int)>();
        foreach (ProgramVerdict verdict in walk.Verdicts)
        {
            if (verdict.Error is not { } error)
                continue;
            isAccepted = false;
            if (IsKnown(error, malformed) || (error.Slot >= 0 && !reported.Add((error.Id, error.Slot))))
                continue;
            diagnostics.Add(new Diagnostic(error.Id, DiagnosticSeverity.Error, error.Message, LocationOf(module, walk.Image, verdict, error), error.Help)
            {
                Notes = [.. error.Notes.Select(note => new DiagnosticNote(note.Message, LocationOf(module, walk.Image, note.Slot)))],
            });
        }

        return isAccepted;
    }

    private static bool IsKnown(WalkError error, Diagnostic?[] malformed) =>
        Array.Exists(malformed, diagnostic => diagnostic is not null && diagnostic.Id == error.Id && ReferenceEquals(diagnostic.Message, error.Message));

    /// <summary>Functions that no program runs were not walked; all that can be said of them is said of their form.</summary>
    private static bool CheckUncalled(BpfModule module, ModuleWalk walk, VerifierOptions options, bool[][] reachable, DiagnosticBag diagnostics)
    {
        bool isSound = true;
        foreach (BpfFunction function in module.Functions)
        {
            if (!walk.IsWalked(function.Index))
                isSound &= StructureChecker.CheckFunction(module, function, options, reachable, diagnostics, checksMeaning: true);
        }

        return isSound;
    }

    internal static DiagnosticLocation LocationOf(BpfModule module, CodeImage image, ProgramVerdict verdict, WalkError error) => error.Slot < 0
        ? SlotLocation.Of(module, verdict.Program)
        : LocationOf(module, image, error.Slot);

    private static DiagnosticLocation LocationOf(BpfModule module, CodeImage image, int slot) =>
        SlotLocation.Of(module, image.FunctionAt(slot), image.LocalSlot(slot));

    private static ImmutableArray<ProgramFacts> Facts(
        BpfModule module, bool[][] reachable, ImmutableDictionary<int, int>?[] contextLoads, ModuleWalk? walk)
    {
        var facts = ImmutableArray.CreateBuilder<ProgramFacts>(reachable.Length);
        for (int i = 0; i < reachable.Length; i++)
        {
            var known = new ProgramFacts
            {
                IsReachable = ImmutableArray.Create(reachable[i]),
                ContextLoads = contextLoads[i] ?? ImmutableDictionary<int, int>.Empty,
            };
            facts.Add(walk is null ? known : ProvedFacts.Add(known, walk, module.Functions[i]));
        }

        return facts.MoveToImmutable();
    }
}
