using BpfPpcc.Mir;
using BpfPpcc.Symbols;

namespace BpfPpcc.Selection;

/// <summary>Which functions need r2 to be the TOC pointer (object-abi.md, Entry, exit and tail calls).</summary>
public static class TocUse
{
    /// <summary>
    /// Sets <see cref="MachineFunction.NeedsToc"/> of the functions of one module: of those that refer to something through the TOC, call
    /// what may lie in another module or tail-call, and of those that call one of these (it expects r2 to be right at its local entry).
    /// </summary>
    public static void Propagate(IReadOnlyList<MachineFunction> functions)
    {
        var callers = new Dictionary<SymbolId, List<MachineFunction>>();
        var pending = new Stack<MachineFunction>();
        foreach (MachineFunction function in functions)
        {
            if (Inspect(function, callers))
                Mark(function, pending);
        }

        while (pending.TryPop(out MachineFunction? callee))
        {
            if (!callers.TryGetValue(callee.Symbol, out List<MachineFunction>? callersOfOne))
                continue;
            foreach (MachineFunction caller in callersOfOne)
                Mark(caller, pending);
        }
    }

    private static void Mark(MachineFunction function, Stack<MachineFunction> pending)
    {
        if (function.NeedsToc)
            return;
        function.NeedsToc = true;
        pending.Push(function);
    }

    /// <summary>Notes whom the function calls; true if it has a reason of its own to need the TOC.</summary>
    private static bool Inspect(MachineFunction function, Dictionary<SymbolId, List<MachineFunction>> callers)
    {
        bool needsToc = false;
        foreach (MachineBlock block in function.Blocks)
        {
            foreach (MachineInstruction instruction in block.Instructions)
            {
                needsToc |= UsesToc(instruction);
                if (instruction.Pseudo == MachinePseudo.CallLocal)
                    NoteCaller(function, CalleeOf(instruction), callers);
            }
        }

        return needsToc;
    }

    private static void NoteCaller(MachineFunction caller, SymbolId callee, Dictionary<SymbolId, List<MachineFunction>> callers)
    {
        if (!callers.TryGetValue(callee, out List<MachineFunction>? callersOfOne))
            callers.Add(callee, callersOfOne = []);
        if (callersOfOne.Count == 0 || callersOfOne[^1] != caller)
            callersOfOne.Add(caller);
    }

    private static SymbolId CalleeOf(MachineInstruction call)
    {
        foreach (MachineOperand operand in call.Operands)
        {
            if (operand.Kind == MachineOperandKind.Symbol)
                return operand.Symbol;
        }

        throw new InvalidOperationException("a call without its callee");
    }

    private static bool UsesToc(MachineInstruction instruction) => instruction.Pseudo switch
    {
        MachinePseudo.None => RefersToToc(instruction),
        MachinePseudo.LoadLiteral or MachinePseudo.LoadAddress or MachinePseudo.LoadExternAddress or MachinePseudo.CallExtern or MachinePseudo.CallIndirect
            or MachinePseudo.TailCallJump => true,
        MachinePseudo.LoadImmediate or MachinePseudo.Copy or MachinePseudo.Arguments or MachinePseudo.CallLocal
            or MachinePseudo.AtomicReadModifyWrite or MachinePseudo.AtomicCompareExchange or MachinePseudo.Jump or MachinePseudo.Branch
            or MachinePseudo.SetCount or MachinePseudo.BranchOnCount or MachinePseudo.Return or MachinePseudo.Unreachable => false,
    };

    private static bool RefersToToc(MachineInstruction instruction)
    {
        foreach (MachineOperand operand in instruction.Operands)
        {
            if (operand.Kind == MachineOperandKind.Symbol && operand.Modifier != SymbolModifier.None)
                return true;
        }

        return false;
    }
}
