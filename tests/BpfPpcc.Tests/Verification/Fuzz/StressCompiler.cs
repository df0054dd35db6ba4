using System.Collections.Immutable;
using BpfPpcc.Diagnostics;
using BpfPpcc.Elf;
using BpfPpcc.Emission;
using BpfPpcc.Ir;
using BpfPpcc.Lifting;
using BpfPpcc.Loading;
using BpfPpcc.Mir;
using BpfPpcc.ObjectWriting;
using BpfPpcc.Optimization;
using BpfPpcc.Ppc64;
using BpfPpcc.RegisterAllocation;
using BpfPpcc.Selection;
using BpfPpcc.Verification;

namespace BpfPpcc.Tests.Verification.Fuzz;

/// <summary>Compiles many random programs into one object, with the maps that they share.</summary>
internal static class StressCompiler
{
    /// <summary>The object, in which each program has its own name.</summary>
    public static byte[] Compile(ImmutableArray<StressProgram> programs)
    {
        var diagnostics = new DiagnosticBag();
        var target = new TargetDescription(IsBigEndian: false, Ppc64Abi.ElfV2, Ppc64Cpu.Power8);
        VerifiedModule verified = Verifier.Verify(Join(programs), new VerifierOptions(), diagnostics) ?? throw Failure(diagnostics);
        IrModule module = Lifter.Lift(verified, diagnostics) ?? throw Failure(diagnostics);
        OptimizationPipeline.Run(module, OptimizationPipeline.HighestLevel, static _ => { }, static _ => { });
        if (!IndirectCalls.Resolve(module, verified.Module, diagnostics))
            throw Failure(diagnostics);
        MachineFunction[] selected = [.. module.Functions.Select(function => InstructionSelector.Select(function, module, target))];
        TocUse.Propagate(selected);
        List<CompiledFunction> compiled = [.. selected.Select(function => CodeEmitter.Emit(function, RegisterAllocator.Allocate(function, target), target)!)];
        ElfFile file = ObjectWriter.Write(verified, compiled, module.Symbols, new ObjectOptions { Stem = "stress", ToolVersion = "", OptionsText = "" }, target, diagnostics) ?? throw Failure(diagnostics);
        return ElfWriter.Write(file);
    }

    private static InvalidOperationException Failure(DiagnosticBag diagnostics) =>
        new(string.Join('\n', diagnostics.Diagnostics.Select(static diagnostic => $"{diagnostic.Id}: {diagnostic.Message} {diagnostic.Location}")));

    private static BpfModule Join(ImmutableArray<StressProgram> programs)
    {
        var functions = ImmutableArray.CreateBuilder<BpfFunction>();
        BpfModule? first = null;
        foreach (StressProgram program in programs)
        {
            BpfModule module = program.Module();
            first ??= module;
            int start = functions.Count;
            foreach (BpfFunction function in module.Functions)
            {
                functions.Add(function with
                {
                    Index = start + function.Index,
                    Name = function.Index == 0 ? program.Name : $"{program.Name}_{function.Name}",
                    References = function.References.ToImmutableDictionary(static pair => pair.Key, pair => Moved(pair.Value, start)),
                });
            }
        }

        return first! with { Functions = functions.ToImmutable() };
    }

    private static BpfReference Moved(BpfReference reference, int start) => reference is BpfReference.FunctionCall call ? new BpfReference.FunctionCall(start + call.Function) : reference;
}
