using System.Collections.Immutable;
using System.Diagnostics;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification.Walk;

/// <summary>
/// Verifies every program of a module by itself, with the global functions that it calls. Expects a module that passed the checks of
/// structure and call graph.
/// </summary>
internal sealed class ModuleWalk
{
    private readonly BpfModule _module;
    private readonly VerifierOptions _options;
    private readonly CodeImage _image;
    private readonly ProgramEffects _effects;
    private readonly VerifierLog? _log;

    public ModuleWalk(BpfModule module, VerifierOptions options)
    {
        _module = module;
        _options = options;
        _image = new CodeImage(module);
        _effects = new ProgramEffects(_image);
        _log = options.Log is null ? null : new VerifierLog(options.Log);
        Facts = new WalkFacts(_image);
    }

    public CodeImage Image => _image;

    /// <summary>What all walks together learned.</summary>
    public WalkFacts Facts { get; }

    /// <summary>One result per program, in the module's order.</summary>
    public ImmutableArray<ProgramVerdict> Run(bool[][] reachable)
    {
        var verdicts = ImmutableArray.CreateBuilder<ProgramVerdict>();
        foreach (BpfFunction function in _module.Functions)
        {
            if (function.Role == BpfFunctionRole.Program)
                verdicts.Add(Verify(function, reachable));
        }

        return verdicts.DrainToImmutable();
    }

    private ProgramVerdict Verify(BpfFunction program, bool[][] reachable)
    {
        long start = Stopwatch.GetTimestamp();
        _log?.Program(program.Name);
        var facts = new WalkFacts(_image);
        ProgramEnvironment environment = ProgramEnvironment.Of(_module, program, _effects, _options);
        int instructions = 0, states = 0;
        WalkError? error = CheckUnreachable(program, reachable) ?? ProgramRequirements.Check(_image, environment);
        error ??= Walk(environment, facts, ref instructions, ref states);
        var verified = new HashSet<int>();
        while (error is null && NextGlobal(facts, verified) is { } function)
            error = Walk(environment with { Function = function }, facts, ref instructions, ref states);
        error ??= StackDepthCheck.Check(_image, program, facts);
        Facts.Merge(facts);
        _log?.Result(error is null ? $"accepted after {instructions} instructions, {states} states" : $"refused: {error.Id}: {error.Message}");
        return new ProgramVerdict(program, error, instructions, states, Stopwatch.GetElapsedTime(start).TotalSeconds);
    }

    private WalkError? Walk(ProgramEnvironment environment, WalkFacts facts, ref int instructions, ref int states)
    {
        var walk = new ProgramWalk(_image, environment, _options, facts, _log);
        walk.Run();
        instructions += walk.Instructions;
        states += walk.States;
        return walk.Error;
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

    /// <summary>The kernel refuses programs with instructions that no path reaches.</summary>
    private WalkError? CheckUnreachable(BpfFunction program, bool[][] reachable)
    {
        foreach (int function in CallReach.From(_image, program.Index))
        {
            int start = _image.Starts[function];
            for (int slot = start; slot < _image.Starts[function + 1]; slot += ControlFlow.SlotsOf(_image.Code[slot]))
            {
                if (reachable[function][slot - start] || _image.Code[slot].Opcode == 0)
                    continue;
                return new WalkError(
                    DiagnosticId.UnreachableInstruction, "no path leads to this instruction, for which the kernel refuses a program",
                    "let the compiler optimise (-O2), which drops such code", slot);
            }
        }

        return null;
    }
}

/// <summary>What verification says of one program.</summary>
internal sealed record ProgramVerdict(BpfFunction Program, WalkError? Error, int Instructions, int States, double Seconds);
