using System.Numerics;
using BpfPpcc.Ir;
using BpfPpcc.Loading;
using BpfPpcc.Symbols;

namespace BpfPpcc.Lifting;

/// <summary>
/// The function that C enters where BPF callers must not see what C sees: it forwards the arguments to the code, extends the result and
/// owns the tail-call count that the code shares. A thunk; for a program that BPF code also calls, the program.
/// </summary>
internal static class CFront
{
    public static IrFunction Make(LiftingContext context, BpfFunction function)
    {
        var front = new IrFunction
        {
            Name = function.Name,
            FunctionIndex = function.Index,
            Kind = function.Role == BpfFunctionRole.Program ? IrFunctionKind.Program : IrFunctionKind.Thunk,
            Symbol = SymbolId.None,
            IsCallableFromC = true,
            ReachesTailCall = context.CallGraph.ReachesTailCall[function.Index],
            IsBigEndian = context.Module.IsBigEndian,
        };
        var builder = new IrBuilder(front);
        builder.Block = builder.AppendBlock();
        IrInstruction[] arguments = Arguments(builder, context.ArgumentRegisters[function.Index]);
        IrInstruction result = builder.CallLocal(context.Forms[function.Index].Code, arguments);
        builder.Return(ExtendResult(builder, function, result));
        builder.Leaves.Commit();
        return front;
    }

    /// <summary>r0 as the C prototype wants it: narrower results are extended to the register (object-abi.md, Programs).</summary>
    public static IrInstruction ExtendResult(IrBuilder builder, BpfFunction function, IrInstruction result) =>
        LiftingContext.NarrowResult(function) is { } narrow ? Extend(builder, narrow, result) : result;

    /// <summary>The value extended to the register as its C type says.</summary>
    public static IrInstruction Extend(IrBuilder builder, BpfScalar type, IrInstruction value) => type switch
    {
        { Bytes: >= 8 } => value,
        { IsSigned: true } => builder.SignExtend(8 * type.Bytes, value),
        _ => builder.ZeroExtend(8 * type.Bytes, value),
    };

    private static IrInstruction[] Arguments(IrBuilder builder, int registers)
    {
        var arguments = new IrInstruction[Count(registers)];
        for (int i = 0; i < arguments.Length; i++)
            arguments[i] = (registers >> (i + 1) & 1) != 0 ? builder.Leaves.Argument(i) : builder.Leaves.Undefined();
        return arguments;
    }

    /// <summary>N if rN is the last of the registers, one bit each by number.</summary>
    public static int Count(int registers) => Math.Max(0, BitOperations.Log2((uint)registers | 1));
}
