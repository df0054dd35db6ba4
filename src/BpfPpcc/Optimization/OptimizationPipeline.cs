using System.Collections.Immutable;
using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>One pass over one function.</summary>
/// <param name="Name">As --dump and --time-passes name it; a pass that runs twice has one name.</param>
/// <param name="FromLevel">Runs at this optimization level and above.</param>
public sealed record OptimizationPass(string Name, int FromLevel, Action<IrFunction, IrModule> Run);

/// <summary>
/// The passes of the middle end, in the order in which they run: some over every function, then <see cref="Inlining"/> over the module, then
/// the others over every function that is left.
/// </summary>
public static class OptimizationPipeline
{
    public const int HighestLevel = 2;

    public static ImmutableArray<OptimizationPass> PassesBeforeInlining { get; } =
    [
        new("array-map-lookup", 0, ArrayMapLookup.Run),
        new("unreachable-blocks", 1, UnreachableBlocks.Run),
        new("simplify", 1, Simplify.Run),
        new("stack-promotion", 1, StackPromotion.Run),
        new("simplify", 1, Simplify.Run),
        new("control-flow-cleanup", 1, ControlFlowCleanup.Run),
    ];

    public static ImmutableArray<OptimizationPass> PassesBehindInlining { get; } =
    [
        new("global-value-numbering", 2, GlobalValueNumbering.Run),
        new("stack-forwarding", 2, StackForwarding.Run),
        new("phi-narrowing", 2, PhiNarrowing.Run),
        new("induction-variable-sinking", 2, InductionVariableSinking.Run),
        new("loop-unrolling", 2, LoopUnrolling.Run),
        new("bit-facts", 2, BitFacts.Run),
        new("demanded-bits", 2, DemandedBits.Run),
        new("demanded-constants", 2, DemandedConstants.Run),
        new("simplify", 2, Simplify.Run),
        new("global-value-numbering", 2, GlobalValueNumbering.Run),
        new("control-flow-cleanup", 2, ControlFlowCleanup.Run),
        new("dead-code", 1, DeadCode.Run),
        new("jump-threading", 2, JumpThreading.Run),
        new("simplify", 2, Simplify.Run),
        new("control-flow-cleanup", 2, ControlFlowCleanup.Run),
        new("stack-forwarding", 2, StackForwarding.Run),
        new("dead-stack-stores", 2, DeadStackStores.Run),
        new("load-merging", 2, LoadMerging.Run),
        new("if-conversion", 2, IfConversion.Run),
        new("store-merging", 2, StoreMerging.Run),
        new("code-sinking", 2, CodeSinking.Run),
        new("dead-code", 2, DeadCode.Run),
        new("stack-extent", 0, static (function, module) => StackExtent.Update(function, module.Symbols)),
    ];

    /// <summary>Optimizes all functions of a module.</summary>
    /// <param name="level">0 to <see cref="HighestLevel"/>, as the user asks for it.</param>
    /// <param name="beginPass">Is told the name of each pass before it runs.</param>
    /// <param name="endPass">Is told which function a pass has left.</param>
    public static void Run(IrModule module, int level, Action<string> beginPass, Action<IrFunction> endPass)
    {
        RunPasses(PassesBeforeInlining);
        if (level >= Inlining.FromLevel)
        {
            beginPass(Inlining.Name);
            Inlining.Run(module);
            foreach (IrFunction function in module.Functions)
                endPass(function);
        }

        RunPasses(PassesBehindInlining);

        void RunPasses(ImmutableArray<OptimizationPass> passes)
        {
            foreach (IrFunction function in module.Functions)
            {
                int levelOfFunction = LevelFor(function, level);
                foreach (OptimizationPass pass in passes)
                {
                    if (levelOfFunction < pass.FromLevel)
                        continue;
                    beginPass(pass.Name);
                    pass.Run(function, module);
                    endPass(function);
                }
            }
        }
    }

    /// <summary>Each name once, in the order in which it comes up first.</summary>
    public static IEnumerable<string> PassNames() =>
        PassesBeforeInlining.Select(static pass => pass.Name).Append(Inlining.Name).Concat(PassesBehindInlining.Select(static pass => pass.Name)).Distinct();

    /// <summary>
    /// The level at which to optimize a function when the user asks for <paramref name="level"/>. Calls through a register need their
    /// target proved, and whether that works must not depend on an option: functions that have one get all passes.
    /// </summary>
    public static int LevelFor(IrFunction function, int level)
    {
        foreach (IrBlock block in function.Blocks)
        {
            foreach (IrInstruction instruction in block.Instructions)
            {
                if (instruction.Opcode == IrOpcode.CallIndirect)
                    return HighestLevel;
            }
        }

        return level;
    }
}
