using System.Collections.Immutable;
using BpfPpcc.Bpf;
using BpfPpcc.Loading;
using BpfPpcc.Verification.Walk;

namespace BpfPpcc.Verification.Facts;

/// <summary>
/// What the walks of all programs together prove of one function, for the code generator. They followed every path or compared it with one
/// that covers it, so that what none of them reached is never executed, and a jump whose operands decided its way on every path always goes
/// that way (Linux removes such code for the same reason). That holds only for functions that nobody can enter but as they were walked.
/// </summary>
internal static class ProvedFacts
{
    /// <param name="known">What the control flow alone says.</param>
    /// <param name="walk">Of a module whose programs were all accepted.</param>
    public static ProgramFacts Add(ProgramFacts known, ModuleWalk walk, BpfFunction function)
    {
        int start = walk.Image.Starts[function.Index];
        if (!walk.Facts.Reached[start])
            return known;
        var reachable = ImmutableArray.CreateBuilder<bool>(function.Instructions.Length);
        var decided = ImmutableDictionary.CreateBuilder<int, bool>();
        var probes = ImmutableHashSet.CreateBuilder<int>();
        var stack = ImmutableDictionary.CreateBuilder<int, ImmutableArray<StackAccess>>();
        var callers = ImmutableHashSet.CreateBuilder<int>();
        for (int slot = 0; slot < function.Instructions.Length; slot++)
        {
            if (walk.Facts.Stack.AccessesCallers(start + slot))
                callers.Add(slot);
            reachable.Add(known.IsReachable[slot] && walk.Facts.Reached[start + slot]);
            if (walk.Facts.MayFault[start + slot])
                probes.Add(slot);
            if (walk.Facts.Stack.At(start + slot) is { IsEmpty: false } accesses)
                stack.Add(slot, accesses);
            bool isTaken = walk.Facts.Taken[start + slot];
            if (IsComparison(function.Instructions[slot]) && isTaken != walk.Facts.NotTaken[start + slot])
                decided.Add(slot, isTaken);
        }

        bool isClosed = IsClosed(walk.Image.Module, function);
        var proved = new ProgramFacts
        {
            IsReachable = isClosed ? reachable.MoveToImmutable() : known.IsReachable,
            DecidedJumps = isClosed ? decided.ToImmutable() : known.DecidedJumps,
            ContextLoads = known.ContextLoads,
            ProbeLoads = probes.ToImmutable(),
            StackAccesses = isClosed ? stack.ToImmutable() : null,
            CallerAccesses = isClosed && function.IsStatic && !GlobalFunctions.IsGlobal(walk.Image.Module, function) ? callers.ToImmutable() : null,
            StackDepth = isClosed ? walk.Facts.StackDepth[function.Index] : ProgramFacts.LargestStack,
        };
        return isClosed ? ValueFacts.Add(proved, walk.Image.Module, function) : proved;
    }

    /// <summary>
    /// Whether all ways into the function were walked: the host calls programs, and functions of which a prototype says what they take; the
    /// others must be static, and their addresses known to helpers only, which the walk follows.
    /// </summary>
    private static bool IsClosed(BpfModule module, BpfFunction function) =>
        function.Role == BpfFunctionRole.Program || GlobalFunctions.IsGlobal(module, function)
        || (function.IsStatic && !IsInData(module, function.Index));

    private static bool IsInData(BpfModule module, int function)
    {
        foreach (BpfDataSection section in module.DataSections)
        {
            foreach (BpfDataRelocation relocation in section.Relocations)
            {
                if (relocation.Target is BpfReference.FunctionAddress address && address.Function == function)
                    return true;
            }
        }

        return false;
    }

    /// <summary>A conditional jump on values: not may_goto, which counts.</summary>
    private static bool IsComparison(BpfInstruction instruction) =>
        Verification.ControlFlow.IsJump(instruction) && instruction.JumpCode is not (BpfJumpCode.JA or BpfJumpCode.JCOND);
}
