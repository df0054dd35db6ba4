using BpfPpcc.Ir;
using BpfPpcc.Optimization;
using BpfPpcc.Tests.Ir;

namespace BpfPpcc.Tests.Optimization;

/// <summary>Runs passes as the pipeline does, with the checker after each.</summary>
internal static class OptimizedModule
{
    /// <summary>All passes of a level.</summary>
    public static void Run(IrModule module, int level) => Run(module, static (_, _) => { }, level);

    /// <summary>All passes of a level; <paramref name="afterPass"/> sees the module after each pass over all its functions.</summary>
    public static void Run(IrModule module, Action<IrModule, OptimizationPass> afterPass, int level = OptimizationPipeline.HighestLevel)
    {
        int[] levels = [.. module.Functions.Select(function => OptimizationPipeline.LevelFor(function, level))];
        foreach (OptimizationPass pass in OptimizationPipeline.Passes)
        {
            for (int i = 0; i < levels.Length; i++)
            {
                if (levels[i] >= pass.FromLevel)
                    pass.Run(module.Functions[i], module);
            }

            IrText.AssertWellFormed(module);
            afterPass(module, pass);
        }
    }
}
