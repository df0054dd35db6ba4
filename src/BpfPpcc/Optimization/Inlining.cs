using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>
/// Puts the code of subprograms in place of calls: of small ones always, of larger ones if there is only one call and it is the function's last
/// use. clang does so with static functions before it makes byte code; what is left was kept apart for the verifier's sake, or is a global
/// function that programs call as well. Functions whose calls are all gone go too, if C cannot call them.
/// </summary>
/// <remarks>
/// A pass over the module: callees come before their callers, so that what is put in place has its own calls expanded. Calls of functions that
/// make tail calls stay, because a tail call ends the subprogram and not its caller. So do those of functions with calls through a register:
/// what these call must not depend on the optimization level.
/// </remarks>
public static class Inlining
{
    public const string Name = "inlining";

    public const int FromLevel = 2;

    /// <summary>Instructions of a function that replaces every call of it: about what the call and two entries and exits cost.</summary>
    private const int SmallSize = 16;

    /// <summary>Instructions of a caller: one that grows beyond costs more in registers and compile time than calls do.</summary>
    private const int LargestCaller = 5_000;

    /// <summary>Bytes of BPF stack of a caller. Linux allows 512 for a chain of calls.</summary>
    private const int LargestStack = 1_024;

    public static void Run(IrModule module)
    {
        var graph = new IrCallGraph(module);
        if (!graph.IsEmpty)
            new ModuleInlining(module, graph).Run();
    }

    /// <summary>Instructions that become code: no leaves, phis and jumps.</summary>
    private static int SizeOf(IrFunction function)
    {
        int size = 0;
        foreach (IrBlock block in function.Blocks)
        {
            foreach (IrInstruction instruction in block.Instructions)
            {
                if (!IrRules.IsLeaf(instruction.Opcode) && instruction.Opcode is not (IrOpcode.Phi or IrOpcode.Jump or IrOpcode.Return))
                    size++;
            }
        }

        return size;
    }

    private static bool CanInline(IrFunction function)
    {
        bool returns = false;
        foreach (IrBlock block in function.Blocks)
        {
            returns |= block.Terminator.Opcode == IrOpcode.Return;
            foreach (IrInstruction instruction in block.Instructions)
            {
                if (instruction.Opcode == IrOpcode.CallIndirect)
                    return false;
            }
        }

        return returns && !function.ReachesTailCall;
    }

    private sealed class ModuleInlining(IrModule module, IrCallGraph graph)
    {
        /// <summary>By function that is done: its size, if it may be inlined.</summary>
        private readonly Dictionary<IrFunction, int> _sizes = [];

        /// <summary>Callees in the order in which they were inlined.</summary>
        private readonly List<IrFunction> _inlined = [];

        public void Run()
        {
            foreach (IrFunction function in graph.CalleesFirst())
            {
                InlineCallsIn(function);
                if (graph.CallsOf(function) == 0 || !CanInline(function))
                    continue;
                StackExtent.Update(function, module.Symbols);
                _sizes.Add(function, SizeOf(function));
            }

            DropUncalled();
        }

        private void InlineCallsIn(IrFunction function)
        {
            if (graph.CallsIn(function).Count == 0)
                return;
            StackExtent.Update(function, module.Symbols);
            var expansion = new CallExpansion(function);
            int size = SizeOf(function);
            foreach (IrInstruction call in graph.CallsIn(function))
            {
                IrFunction callee = graph.CalleeOf(call);
                if (!_sizes.TryGetValue(callee, out int calleeSize) || !IsWorthIt(callee, calleeSize) || !KeepsFacts(function, callee)
                    || size + calleeSize > LargestCaller || expansion.StackSize + callee.StackSize > LargestStack)
                    continue;
                size += calleeSize;
                expansion.Add(call, callee);
                _inlined.Add(callee);
            }

            if (expansion.IsEmpty)
                return;
            expansion.Run();
            Simplify.Run(function, module);
            StackPromotion.Run(function, module);
            Simplify.Run(function, module);
            ControlFlowCleanup.Run(function, module);
            graph.Update(function);
        }

        private bool IsWorthIt(IrFunction callee, int size) => size <= SmallSize || (graph.CallsOf(callee) == 1 && !callee.IsCallableFromC);

        /// <summary>What verification says of accesses to the caller's stack it says of none in a callee that others may enter.</summary>
        private static bool KeepsFacts(IrFunction caller, IrFunction callee) =>
            !caller.KnowsStackAccesses || callee.KnowsStackAccesses || callee.StackSize == 0;

        private void DropUncalled()
        {
            var dropped = new HashSet<IrFunction>();

            // Callers were noted after their callees: backwards, the calls of those that went do not count.
            for (int i = _inlined.Count - 1; i >= 0; i--)
            {
                if (!_inlined[i].IsCallableFromC && graph.CallsOf(_inlined[i]) == 0 && dropped.Add(_inlined[i]))
                    graph.Forget(_inlined[i]);
            }

            if (dropped.Count > 0)
                module.Functions = module.Functions.RemoveAll(dropped.Contains);
        }
    }
}
