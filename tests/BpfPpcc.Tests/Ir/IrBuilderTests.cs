using BpfPpcc.Ir;
using BpfPpcc.Symbols;
using Xunit;

namespace BpfPpcc.Tests.Ir;

public sealed class IrBuilderTests
{
    [Fact]
    public void Refuses_what_the_form_does_not_allow()
    {
        var builder = new IrBuilder(IrTestFunction.New());
        Assert.Throws<InvalidOperationException>(() => builder.Return(builder.Constant(0)));
        builder.Block = builder.AppendBlock();
        IrInstruction narrow = builder.Binary(IrOpcode.Add, 32, builder.Constant(1), builder.Constant(2));
        Assert.Throws<InvalidOperationException>(() => builder.Binary(IrOpcode.Add, 64, narrow, narrow));
        Assert.Throws<InvalidOperationException>(() => builder.Load(32, narrow, 0));
        Assert.Throws<InvalidOperationException>(() => builder.ZeroExtend(64, narrow));
        Assert.Throws<InvalidOperationException>(() => builder.Binary(IrOpcode.Load, 64, narrow, narrow));
    }

    [Fact]
    public void Equal_leaves_are_one_and_stand_at_the_head_of_the_entry()
    {
        IrFunction function = IrTestFunction.New();
        var builder = new IrBuilder(function);
        builder.Block = builder.AppendBlock();
        Assert.Same(builder.Constant(5), builder.Constant(5));
        Assert.NotSame(builder.Constant(5), builder.Leaves.StackAddress(5));
        builder.Return(builder.Constant(5));
        builder.Leaves.Commit();
        Assert.Empty(IrChecker.Check(function));
        Assert.Same(builder.Constant(5), new IrLeaves(function).Constant(5));
        Assert.Equal([IrOpcode.Constant, IrOpcode.StackAddress, IrOpcode.Return], function.Entry.Instructions.Select(static i => i.Opcode));
    }

    [Fact]
    public void Prints_every_form()
    {
        var symbols = new SymbolTable();
        SymbolId data = symbols.Intern(SymbolKind.DataSection, ".bss", 0);
        SymbolId helper = symbols.Intern(SymbolKind.ExternFunction, "helper", 3);
        SymbolId code = symbols.Intern(SymbolKind.FunctionCode, "callee", 1);
        IrFunction function = IrTestFunction.New();
        var builder = new IrBuilder(function);
        (IrBlock first, IrBlock second, IrBlock third) = (builder.AppendBlock(), builder.AppendBlock(), builder.AppendBlock());
        builder.Block = first;
        IrInstruction argument = builder.Leaves.Argument(1);
        IrInstruction narrow = builder.Binary(IrOpcode.RotateLeft, 32, argument, builder.Constant(-3));
        IrInstruction wide = builder.SignExtend(32, narrow);
        builder.Binary(IrOpcode.MultiplyHighSigned, 64, wide, builder.Leaves.SymbolAddress(data, 8));
        builder.Binary(IrOpcode.MultiplyHighUnsigned, 64, wide, builder.Leaves.Undefined());
        builder.Select(IrCondition.SignedLess, 32, 64, narrow, narrow, wide, argument);
        builder.Load(16, builder.Leaves.StackAddress(-16), 4, isSigned: true);
        builder.Store(8, builder.Leaves.StackAddress(0), -1, narrow, isOrdered: true);
        builder.AtomicReadModifyWrite(IrAtomic.Exchange, 64, argument, 0, wide, isOrdered: true);
        builder.AtomicCompareExchange(32, argument, 0, wide, narrow);
        builder.CallExtern(helper, [wide, argument]);
        builder.CallLocal(code, []);
        builder.CallIndirect([argument, wide]);
        builder.TailCall(argument, wide, wide);
        builder.Branch(IrCondition.TestZero, 32, narrow, builder.Constant(1), second, third);
        builder.Block = second;
        builder.Jump(third);
        builder.Block = third;
        builder.Phi(32, [narrow, argument]);
        builder.Unreachable();
        builder.Leaves.Commit();
        Assert.Empty(IrChecker.Check(function));
        Assert.Equal("""
            program f stack=0 callable-from-c
            b0:
                v2 = rotl.32 arg1, -3
                v3 = sext.32 v2
                v5 = smulh.64 v3, @.bss + 8
                v7 = umulh.64 v3, undefined
                v8 = select.64 slt.32 v2, v2, v3, arg1
                v10 = load.s16 [stack - 16 + 4]
                store.8.ordered [stack - 1], v2
                v13 = atomic.xchg.64.ordered [arg1], v3
                v14 = atomic.cmpxchg.32.ordered [arg1], v3, v2
                v15 = call extern helper(v3, arg1)
                v16 = call local callee()
                v17 = call indirect [arg1](v3)
                tailcall arg1, v3, v3
                branch testz.32 v2, 1 -> b1, b2
            b1: <- b0
                jump -> b2
            b2: <- b0, b1
                v22 = phi.32 v2 (b0), arg1 (b1)
                unreachable

            """.ReplaceLineEndings("\n"), IrPrinter.Print(function, symbols));
    }
}
