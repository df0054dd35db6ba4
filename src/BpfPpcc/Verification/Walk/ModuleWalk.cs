using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification.Walk;

/// <summary>What verification says of one program.</summary>
/// <param name="Type">The type that it was verified as: its own, or the one that was found where its section names none.</param>
internal sealed record ProgramVerdict(BpfFunction Program, BpfProgramType Type, WalkError? Error, int Instructions, int States, double Seconds);

/// <summary>
/// Verifies every program of a module by itself, with the global functions that it calls. A malformed function makes those programs fail
/// that may run it.
/// </summary>
internal sealed class ModuleWalk
{
    private readonly BpfModule _module;
    private readonly VerifierOptions _options;
    private readonly CodeImage _image;
    private readonly ProgramEffects _effects;
    private readonly VerifierLog? _log;
    private readonly bool[][] _reachable;
    private readonly WalkError?[] _malformed;

    private ModuleWalk(BpfModule module, VerifierOptions options, bool[][] reachable, Diagnostic?[] malformed)
    {
        _module = module;
        _options = options;
        _reachable = reachable;
        _image = new CodeImage(module, [.. malformed.Select(static diagnostic => diagnostic is not null)]);
        _malformed = [.. malformed.Select(ErrorOf)];
        _effects = new ProgramEffects(_image);
        _log = options.Log is null ? null : new VerifierLog(options.Log);
        Facts = new WalkFacts(_image);
    }

    public CodeImage Image => _image;

    /// <summary>What all walks together learned.</summary>
    public WalkFacts Facts { get; }

    /// <summary>One result per program, in the module's order.</summary>
    public ImmutableArray<ProgramVerdict> Verdicts { get; private set; } = [];

    /// <summary>Whether some accepted program runs the function.</summary>
    public bool IsWalked(int function) => Facts.Reached[_image.Starts[function]];

    /// <param name="reachable">Per function which slots its control flow reaches.</param>
    /// <param name="malformed">Per function the first error of its structure, or null.</param>
    public static ModuleWalk Run(BpfModule module, VerifierOptions options, bool[][] reachable, Diagnostic?[] malformed)
    {
        var walk = new ModuleWalk(module, options, reachable, malformed);
        walk.VerifyAll();
        return walk;
    }

    private WalkError? ErrorOf(Diagnostic? diagnostic, int function) => diagnostic is null ? null : new WalkError(
        diagnostic.Id, diagnostic.Message, diagnostic.Help, diagnostic.Location is { Instruction: >= 0 and var slot } ? _image.Starts[function] + slot : -1);

    private void VerifyAll()
    {
        var verdicts = ImmutableArray.CreateBuilder<ProgramVerdict>();
        foreach (BpfFunction function in _module.Functions)
        {
            if (function.Role == BpfFunctionRole.Program)
                verdicts.Add(Verify(function, function.ProgramType));
        }

        ImmutableArray<ProgramVerdict> first = verdicts.DrainToImmutable();
        Verdicts = _options.FindsProgramTypes ? TypeSearch.Improve(first, Verify) : first;
    }

    private ProgramVerdict Verify(BpfFunction program, BpfProgramType type)
    {
        long start = Stopwatch.GetTimestamp();
        _log?.Program(program.Name, type);
        var facts = new WalkFacts(_image);
        ProgramEnvironment environment = ProgramEnvironment.Of(_module, program, type, _effects, _options);
        int instructions = 0, states = 0;
        BpfFunction? exceptionCallback = null;
        SortedSet<int> functions = CallReach.From(_image, program.Index);
        WalkError? error = FindMalformed(functions) ?? CheckUnreachable(functions) ?? ProgramRequirements.Check(_image, environment, functions);
        error ??= ExceptionCallbacks.Find(_module, program, out exceptionCallback);
        environment = environment with { ExceptionCallback = exceptionCallback };
        error ??= Walk(environment, facts, ref instructions, ref states);
        if (error is null && exceptionCallback is not null)
            error = Walk(environment with { Function = exceptionCallback }, facts, ref instructions, ref states);
        var verified = new HashSet<int>();
        while (error is null && NextGlobal(facts, verified) is { } function)
            error = Walk(environment with { Function = function }, facts, ref instructions, ref states);
        error ??= StackDepthCheck.Check(_image, program, facts);
        if (error is null)
            Facts.Merge(facts);
        _log?.Result(string.Create(
            CultureInfo.InvariantCulture,
            $"{(error is null ? "accepted" : $"refused: {error.Message} [BPF{(int)error.Id:0000}]")}\nprocessed {instructions} insns (limit {_options.Budget}) total_states {states}"));
        return new ProgramVerdict(program, type, error, instructions, states, Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    private WalkError? Walk(ProgramEnvironment environment, WalkFacts facts, ref int instructions, ref int states)
    {
        var walk = new ProgramWalk(_image, environment, _options, facts, _log);
        walk.Run();
        instructions += walk.Instructions;
        states += walk.States;
        return walk.Error is { Id: DiagnosticId.VerifierBudgetExceeded } && IsProvedByInduction(environment, facts, ref instructions, ref states)
            ? null
            : walk.Error;
    }

    /// <summary>A loop with more rounds than can be walked may still be proved. What the first walk found of the code stays true.</summary>
    private bool IsProvedByInduction(ProgramEnvironment environment, WalkFacts facts, ref int instructions, ref int states)
    {
        var walk = new ProgramWalk(_image, environment, _options, facts, _log);
        if (_options.DisablesPruning || !walk.TryProveLoopsByInduction())
            return false;
        walk.Run();
        instructions += walk.Instructions;
        states += walk.States;
        return walk.Error is null;
    }

    private BpfFunction? NextGlobal(WalkFacts facts, HashSet<int> verified)
    {
        foreach (int function in facts.CalledGlobals)
        {
            if (verified.Add(function))
                return _module.Functions[function];
        }

        return null;
    }

    private WalkError? FindMalformed(SortedSet<int> functions)
    {
        foreach (int function in functions)
        {
            if (_malformed[function] is { } error)
                return error;
        }

        return null;
    }

    /// <summary>The kernel refuses programs with instructions that no path reaches.</summary>
    private WalkError? CheckUnreachable(SortedSet<int> functions)
    {
        foreach (int function in functions)
        {
            int start = _image.Starts[function];
            for (int slot = start; slot < _image.Starts[function + 1]; slot += ControlFlow.SlotsOf(_image.Code[slot]))
            {
                if (_reachable[function][slot - start])
                    continue;
                return new WalkError(
                    DiagnosticId.UnreachableInstruction, "no path leads to this instruction, for which the kernel refuses a program",
                    "let the compiler optimise (-O2), which drops such code", slot);
            }
        }

        return null;
    }
}

/// <summary>
/// Old objects name their sections as they please ("from-netdev", "2/7"), and their loaders knew the type. Where a section's name says
/// nothing and the program is not accepted without a type, the type is found by trying: first one that suits all such programs of the
/// object, because they are loaded alike, else one for each.
/// </summary>
internal static class TypeSearch
{
    private static readonly BpfProgramType[] Candidates =
    [
        BpfProgramType.SCHED_CLS, BpfProgramType.XDP, BpfProgramType.SOCKET_FILTER, BpfProgramType.KPROBE, BpfProgramType.SOCK_OPS,
        BpfProgramType.CGROUP_SOCK, BpfProgramType.CGROUP_SOCK_ADDR, BpfProgramType.CGROUP_SKB, BpfProgramType.LWT_XMIT, BpfProgramType.SK_SKB,
        BpfProgramType.TRACEPOINT, BpfProgramType.PERF_EVENT, BpfProgramType.SK_MSG, BpfProgramType.RAW_TRACEPOINT,
    ];

    public static ImmutableArray<ProgramVerdict> Improve(
        ImmutableArray<ProgramVerdict> verdicts, Func<BpfFunction, BpfProgramType, ProgramVerdict> verify)
    {
        int[] open = [.. Enumerable.Range(0, verdicts.Length).Where(i => IsOpen(verdicts[i]))];
        if (open.Length == 0)
            return verdicts;
        var found = new ProgramVerdict?[verdicts.Length];
        foreach (BpfProgramType type in Candidates)
        {
            var attempt = new ProgramVerdict?[verdicts.Length];
            bool suitsAll = true;
            foreach (int i in open)
            {
                ProgramVerdict verdict = verify(verdicts[i].Program, type);
                if (verdict.Error is null)
                    attempt[i] = verdict;
                else
                    suitsAll = false;
            }

            foreach (int i in open)
                found[i] = suitsAll ? attempt[i] : found[i] ?? attempt[i];
            if (suitsAll)
                break;
        }

        return [.. verdicts.Select((verdict, i) => found[i] ?? verdict)];
    }

    private static bool IsOpen(ProgramVerdict verdict) =>
        verdict.Error is { Id: >= DiagnosticId.VerifierBudgetExceeded } && verdict.Program.ProgramType == BpfProgramType.UNSPEC && verdict.Program.SectionName != ".text";
}
