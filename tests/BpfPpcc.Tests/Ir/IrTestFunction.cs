using BpfPpcc.Ir;
using BpfPpcc.Symbols;

namespace BpfPpcc.Tests.Ir;

/// <summary>Small functions made by hand, for tests of the form itself.</summary>
internal static class IrTestFunction
{
    public static IrFunction New() => new()
    {
        Name = "f",
        FunctionIndex = 0,
        Kind = IrFunctionKind.Program,
        Symbol = SymbolId.None,
        IsCallableFromC = true,
        ReachesTailCall = false,
        IsBigEndian = false,
    };

    /// <summary>Blocks without code but for the terminators, from a list of edges: block i has at most two targets.</summary>
    public static IrFunction Graph(params int[][] targets)
    {
        IrFunction function = New();
        var builder = new IrBuilder(function);
        IrBlock[] blocks = [.. targets.Select(_ => builder.AppendBlock())];
        for (int i = 0; i < blocks.Length; i++)
        {
            builder.Block = blocks[i];
            switch (targets[i])
            {
                case []:
                    builder.Return(builder.Constant(i));
                    break;
                case [int only]:
                    builder.Jump(blocks[only]);
                    break;
                case [int first, int second]:
                    IrInstruction argument = builder.Leaves.Argument(0);
                    builder.Branch(IrCondition.Equal, 64, argument, builder.Constant(i), blocks[first], blocks[second]);
                    break;
            }
        }

        builder.Leaves.Commit();
        return function;
    }
}
