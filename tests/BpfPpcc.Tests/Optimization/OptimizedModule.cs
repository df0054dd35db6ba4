using BpfPpcc.Ir;
using BpfPpcc.Optimization;
using BpfPpcc.Tests.Ir;

namespace BpfPpcc.Tests.Optimization;

/// <summary>Runs passes as the pipeline does, with the checker after each.</summary>
internal static class OptimizedModule
{
    /// <summary>All passes of a level.</summary>
    public static void Run(IrModule module, int level) => Run(module, static (_, _) => { }, level);

    /// <summary>All passes of a level; <paramref name="afterPass"/> sees the module after each pass over all its functions, and its name.</summary>
    public static void Run(IrModule module, Action<IrModule, string> afterPass, int level = OptimizationPipeline.HighestLevel)
    {
        RunPasses(OptimizationPipeline.PassesBeforeInlining);
        if (level >= Inlining.FromLevel)
        {
            Inlining.Run(module);
            Check(Inlining.Name);
        }

        RunPasses(OptimizationPipeline.PassesBehindInlining);

        void RunPasses(IEnumerable<OptimizationPass> passes)
        {
            int[] levels = [.. module.Functions.Select(function => OptimizationPipeline.LevelFor(function, level))];
            foreach (OptimizationPass pass in passes)
            {
                for (int i = 0; i < levels.Length; i++)
                {
                    if (levels[i] >= pass.FromLevel)
                        pass.Run(module.Functions[i], module);
                }

                Check(pass.Name);
            }
        }

        void Check(string pass)
        {
            IrText.AssertWellFormed(module);
            afterPass(module, pass);
        }
    }

    /// <summary>One pass over all functions.</summary>
    public static void RunPass(IrModule module, string name)
    {
        if (name == Inlining.Name)
        {
            Inlining.Run(module);
            return;
        }

        OptimizationPass pass = OptimizationPipeline.PassesBeforeInlining.Concat(OptimizationPipeline.PassesBehindInlining).First(pass => pass.Name == name);
        foreach (IrFunction function in module.Functions)
            pass.Run(function, module);
    }
}
