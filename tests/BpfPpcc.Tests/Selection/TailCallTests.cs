using BpfPpcc.Ir;
using BpfPpcc.Mir;
using BpfPpcc.Symbols;
using Xunit;

namespace BpfPpcc.Tests.Selection;

public sealed class TailCallTests
{
    private const ulong Shared = TestWorld.Scratch + 4096;

    private static IrFunction TailCall(Func<IrBuilder, IrInstruction> index, SymbolId map) => SelectionHarness.Build(
        builder =>
        {
            builder.TailCall(builder.Leaves.Argument(0), builder.Leaves.SymbolAddress(map, 0), index(builder));
            builder.Return(builder.Constant(77));
        },
        reachesTailCall: true);

    private static void Prepare(TestWorld world, ulong slot, ulong shared)
    {
        world.Write(TestWorld.CountSlot, 8, slot);
        world.Write(Shared, 8, shared);
        foreach (SymbolId map in (SymbolId[])[SelectionHarness.Jumps, SelectionHarness.ExternJumps])
        {
            ulong address = TestWorld.SymbolAddress(map.Value, 0);
            world.Write(address + 16, 4, 8);
            world.Write(address + 96, 8, Shared + 64);
            for (ulong i = 0; i < 8; i++)
                world.Write(Shared + 64 + (i * 8), 8, i == 3 ? 0 : Shared + 1024);
        }
    }

    [Fact]
    public void All_checks_are_made_whatever_holds_the_count()
    {
        foreach (SymbolId map in (SymbolId[])[SelectionHarness.Jumps, SelectionHarness.ExternJumps])
        {
            IrFunction function = TailCall(static builder => builder.Leaves.Argument(1), map);
            MachineFunction selected = SelectionHarness.Select(function);
            ulong[] indices = [0, 1, 2, 3, 4, 7, 8, 9, 0xffffffff, 0xffffffff_00000000, 0xffffffff_00000003, 0xffffffff_00000008];
            foreach (ulong index in indices)
            {
                foreach (ulong count in (ulong[])[0, 1, 31, 32, 33])
                {
                    SelectionHarness.Compare(function, selected, [5, index, 0, 0, 0], prepare: world => Prepare(world, count, 99));
                    SelectionHarness.Compare(function, selected, [5, index, 0, 0, 0], prepare: world => Prepare(world, Shared, count));
                }
            }
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(7)]
    [InlineData(8)]
    [InlineData(-1)]
    [InlineData(0x1_0000_0007)]
    public void A_constant_index_is_checked_while_compiling(long index)
    {
        foreach (SymbolId map in (SymbolId[])[SelectionHarness.Jumps, SelectionHarness.ExternJumps])
        {
            IrFunction function = TailCall(builder => builder.Constant(index), map);
            MachineFunction selected = SelectionHarness.Select(function);
            SelectionHarness.Compare(function, selected, [5, 0, 0, 0, 0], prepare: static world => Prepare(world, 12, 99));
            SelectionHarness.Compare(function, selected, [5, 0, 0, 0, 0], prepare: static world => Prepare(world, 33, 99));
            if (map == SelectionHarness.Jumps)
                Assert.Equal((uint)index < 8 ? 4 : 1, selected.Blocks.Count);
        }
    }

    [Fact]
    public void The_checks_stand_in_the_order_of_the_abi()
    {
        string text = SelectionHarness.Print(TailCall(static builder => builder.Leaves.Argument(1), SelectionHarness.Jumps));
        Assert.Equal(ShapeText.Renumber(
            """
            b0:
                arguments %v0:r3, %v1:r4
                cmplwi cr0, %v1, 8
                branch cr0.lt clear, b4, b1
            b1:
                addi %v2, r1, tail-call-count
                ld %v3, tail-call-count(r1)
                cmpldi cr0, %v3, 33
                isel %v4, %v3, %v2, cr0.gt
                ld %v5, 0(%v4)
                cmpldi cr0, %v5, 33
                branch cr0.lt clear, b4, b2
            b2:
                addis %v6, r2, jumps+96@toc@ha
                ld %v7, jumps+96@toc@l(%v6)
                rldic %v8, %v1, 3, 29
                ldx %v9, %v7, %v8
                cmpdi cr0, %v9, 0
                branch cr0.eq set, b4, b3
            b3:
                ld %v10, 56(%v9)
                addi %v11, %v5, 1
                std %v11, 0(%v4)
                tail-call-jump %v10:r12, %v0:r3
            b4:
                load-immediate %v12, 77
                return %v12:r3

            """), ShapeText.Renumber(text));
    }

    [Theory]
    [InlineData(IrFunctionKind.Program, TailCallRole.Owner)]
    [InlineData(IrFunctionKind.Thunk, TailCallRole.Owner)]
    [InlineData(IrFunctionKind.Subprogram, TailCallRole.Receiver)]
    public void A_subprogram_that_tail_calls_gets_the_count(IrFunctionKind kind, TailCallRole role)
    {
        IrFunction function = SelectionHarness.Build(
            static builder => builder.Return(builder.CallLocal(SelectionHarness.TailCalling, [builder.Leaves.Argument(0)])),
            kind,
            reachesTailCall: true);
        MachineFunction selected = SelectionHarness.Select(function);
        Assert.Equal(role, selected.TailCallRole);
        foreach ((ulong slot, string place) in ((ulong, string)[])[(0, "7fff00001080"), (33, "7fff00001080"), (Shared, "2000001000")])
        {
            var world = new TestWorld(isBigEndian: false);
            world.Write(TestWorld.CountSlot, 8, slot);
            MirInterpreter.Run(selected, world, [1, 2, 3, 4, 5]);
            Assert.Equal([$"count at {place}", $"call symbol{SelectionHarness.TailCalling.Value}(1)"], world.Events);
        }
    }

    [Fact]
    public void A_function_without_tail_calls_has_no_role() => Assert.Equal(TailCallRole.None,
        SelectionHarness.Select(SelectionHarness.Build(static builder => builder.Return(builder.Constant(0)))).TailCallRole);
}
