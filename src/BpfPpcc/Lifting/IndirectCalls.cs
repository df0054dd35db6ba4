using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Ir;
using BpfPpcc.Loading;
using BpfPpcc.Symbols;

namespace BpfPpcc.Lifting;

/// <summary>
/// Decides what a call through a register calls, once optimization has shown what the register holds: a helper's number makes it a call of
/// that helper, a function of the module stays an indirect call, anything else is an error (object-abi.md, Helpers and externs).
/// </summary>
public static class IndirectCalls
{
    private const long HelperNumbers = 65_536;

    /// <summary>True if every call of the module is known now.</summary>
    public static bool Resolve(IrModule module, BpfModule source, DiagnosticBag diagnostics)
    {
        bool areKnown = true;
        foreach (IrFunction function in module.Functions)
        {
            foreach (IrBlock block in function.Blocks)
            {
                foreach (IrInstruction instruction in block.Instructions)
                {
                    if (instruction.Opcode != IrOpcode.CallIndirect || Resolve(instruction, module.Symbols, source))
                        continue;
                    areKnown = false;
                    Report(instruction, source.Functions[function.FunctionIndex], source, diagnostics);
                }
            }
        }

        return areKnown;
    }

    private static bool Resolve(IrInstruction call, SymbolTable symbols, BpfModule source)
    {
        IrInstruction target = call.Operands[0];
        switch (target.Opcode)
        {
            case IrOpcode.SymbolAddress:
                return target.Immediate == 0 && symbols[target.Symbol].Kind == SymbolKind.FunctionPointer;

            // A tail call needs a frame made for it, which is decided when the function is lifted.
            case IrOpcode.Constant when target.Immediate is >= 0 and < HelperNumbers and not BpfHelpers.TailCall:
                int id = (int)target.Immediate;
                call.Opcode = IrOpcode.CallExtern;
                HostHelper? host = source.HostHelpers.GetValueOrDefault(id);
                call.Symbol = symbols.Intern(SymbolKind.ExternFunction, CallSite.HelperName(id, host), id);
                call.Operands = call.Operands[1..(1 + Math.Min(CallSite.ArgumentsOfHelper(id, host), call.Operands.Length - 1))];
                return true;
            default:
                return false;
        }
    }

    private static void Report(IrInstruction call, BpfFunction function, BpfModule source, DiagnosticBag diagnostics) =>
        diagnostics.Error(
            DiagnosticId.IndirectCallUnresolved,
            "What this call through a register calls is not known",
            LiftingContext.Location(source, function, call.Position),
            "It must be the same helper number or the same function of the object on every path");
}
