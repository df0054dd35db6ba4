using BpfPpcc.Ir;
using BpfPpcc.Mir;
using BpfPpcc.Selection;
using BpfPpcc.Symbols;
using Xunit;

namespace BpfPpcc.Tests.Selection;

public sealed class TocUseTests
{
    private static MachineFunction Make(SymbolId symbol, Func<IrBuilder, IrInstruction> body, bool reachesTailCall = false)
    {
        IrFunction function = SelectionHarness.NewFunction(IrFunctionKind.Subprogram, reachesTailCall, symbol);
        var builder = new IrBuilder(function);
        builder.Block = builder.AppendBlock();
        builder.Return(body(builder));
        builder.Leaves.Commit();
        return SelectionHarness.Select(function);
    }

    [Fact]
    public void Callers_need_the_toc_if_their_callees_do()
    {
        MachineFunction callee = Make(SelectionHarness.Plain,
            static builder => builder.Load(32, builder.Leaves.SymbolAddress(SelectionHarness.Data, 0), 0));
        MachineFunction caller = Make(SelectionHarness.TailCalling,
            static builder => builder.CallLocal(SelectionHarness.Plain, [builder.Leaves.Argument(0)]));
        MachineFunction callerOfCaller = Make(SymbolId.None,
            static builder => builder.CallLocal(SelectionHarness.TailCalling, [builder.Leaves.Argument(0)]));
        MachineFunction leaf = Make(SymbolId.None, static builder => builder.Leaves.Argument(0));
        TocUse.Propagate([callerOfCaller, caller, leaf, callee]);
        Assert.True(callee.NeedsToc);
        Assert.True(caller.NeedsToc);
        Assert.True(callerOfCaller.NeedsToc);
        Assert.False(leaf.NeedsToc);
    }

    [Fact]
    public void A_call_of_a_leaf_does_not_need_the_toc()
    {
        MachineFunction callee = Make(SelectionHarness.Plain, static builder => builder.Leaves.Argument(0));
        MachineFunction caller = Make(SymbolId.None, static builder => builder.CallLocal(SelectionHarness.Plain, []));
        TocUse.Propagate([caller, callee]);
        Assert.False(caller.NeedsToc);
        Assert.False(callee.NeedsToc);
    }

    [Fact]
    public void Each_way_to_use_it_counts()
    {
        MachineFunction[] functions =
        [
            Make(SymbolId.None, static builder => builder.Leaves.SymbolAddress(SelectionHarness.Counters, 0)),
            Make(SymbolId.None, static builder => builder.Leaves.SymbolAddress(SelectionHarness.Kernel, 0)),
            Make(SymbolId.None, static builder => builder.CallExtern(SelectionHarness.Helper, [])),
            Make(SymbolId.None, static builder => builder.CallIndirect([builder.Leaves.Argument(0)])),
            Make(SymbolId.None, static builder =>
            {
                builder.TailCall(builder.Leaves.Argument(0), builder.Leaves.Argument(1), builder.Leaves.Argument(2));
                return builder.Constant(0);
            }, reachesTailCall: true),
        ];
        TocUse.Propagate(functions);
        Assert.All(functions, static function => Assert.True(function.NeedsToc));
    }
}
