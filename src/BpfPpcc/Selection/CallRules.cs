using BpfPpcc.Ir;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using static BpfPpcc.Mir.MachineOperand;
using static BpfPpcc.Ppc64.Ppc64Opcode;

namespace BpfPpcc.Selection;

/// <summary>
/// Calls: BPF's r1..r5 are r3..r7 and r0 is r3 (object-abi.md, Programs), so arguments and result only ask for their registers. A
/// subprogram that can reach a tail call gets the address of the count in r8.
/// </summary>
internal static class CallRules
{
    /// <summary>
    /// Tail calls that may follow one another (object-abi.md, Entry, exit and tail calls); a count slot with more holds a pointer.
    /// </summary>
    public const int MaximumTailCalls = 33;

    public static void Select(SelectionContext context, IrInstruction call)
    {
        var operands = new List<MachineOperand>(8);
        VirtualRegister? extended = null;
        if (context.IsWanted(call))
        {
            VirtualRegister result = context.ResultOf(call);
            if (context.Facts.UseCount(call) > 1 && context.Facts.IsOnlyLowWanted(call) && context.IsComparedWithZeroNext(result))
            {
                extended = result;
                result = context.NewRegister();
            }

            operands.Add(Def(result, (sbyte)Gpr.R3.Number));
        }

        if (call.Opcode == IrOpcode.CallIndirect)
            operands.Add(Use(context.ArgumentRegister(call.Operands[0]), (sbyte)12));
        else
            operands.Add(Address(call.Symbol, 0));
        AddArguments(context, call, operands);
        if (call.Opcode == IrOpcode.CallLocal && RoleOf(context.Module.FunctionsBySymbol[call.Symbol]) == TailCallRole.Receiver)
        {
            VirtualRegister countAddress = context.NewRegister();
            EmitCountAddress(context, countAddress);
            operands.Add(Use(countAddress, (sbyte)Gpr.R8.Number));
        }

        context.Emit(PseudoOf(call), [.. operands]);
        // A result that is looked at and kept: to extend it both moves and compares it.
        if (extended is { } register)
            context.Emit(ExtswRc, Def(register), Use(operands[0].Register));
    }

    public static TailCallRole RoleOf(IrFunction function)
    {
        if (!function.ReachesTailCall)
            return TailCallRole.None;
        return function.Kind switch
        {
            IrFunctionKind.Program or IrFunctionKind.Thunk => TailCallRole.Owner,
            IrFunctionKind.Subprogram => TailCallRole.Receiver,
        };
    }

    /// <summary>
    /// The address of the count that this function shares: its own slot if that holds a count, what the slot holds if that is a pointer,
    /// which it may in a subprogram and in every program that a subprogram's tail call entered.
    /// </summary>
    public static void EmitCountAddress(SelectionContext context, VirtualRegister address)
    {
        MachineOperand slot = Frame(FrameArea.TailCallCount, 0);
        VirtualRegister ownAddress = context.Compute(Addi, Physical(Gpr.R1), slot);
        VirtualRegister content = context.Compute(Ld, slot, Physical(Gpr.R1));
        context.Emit(Cmpldi, CrField(0), Use(content), Immediate(MaximumTailCalls));
        context.Emit(Isel, Def(address), Use(content), Use(ownAddress), CrBit(CrBits.Gt));
    }

    /// <summary>What was never written is passed as it happens to be in the register: no operand.</summary>
    private static void AddArguments(SelectionContext context, IrInstruction call, List<MachineOperand> operands)
    {
        int first = call.Opcode == IrOpcode.CallIndirect ? 1 : 0;
        for (int i = first; i < call.Operands.Length; i++)
        {
            if (call.Operands[i].Opcode != IrOpcode.Undefined)
                operands.Add(Use(context.ArgumentRegister(call.Operands[i]), (sbyte)(Gpr.R3.Number + i - first)));
        }
    }

    private static MachinePseudo PseudoOf(IrInstruction call) => call.Opcode switch
    {
        IrOpcode.CallExtern => MachinePseudo.CallExtern,
        IrOpcode.CallLocal => MachinePseudo.CallLocal,
        IrOpcode.CallIndirect => MachinePseudo.CallIndirect,
        _ => throw new InvalidOperationException("not a call"),
    };
}
