using System.Collections.Immutable;
using BpfPpcc.Ir;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.Selection;
using BpfPpcc.Symbols;
using Xunit;

namespace BpfPpcc.Tests.Selection;

/// <summary>Maps that are reached from a register with the address of one of them.</summary>
public sealed class MapBaseTests
{
    private static readonly ImmutableDictionary<SymbolId, long> s_near =
        ImmutableDictionary<SymbolId, long>.Empty.Add(SelectionHarness.Counters, 256).Add(SelectionHarness.Jumps, 128);

    private static readonly ImmutableDictionary<SymbolId, long> s_far =
        ImmutableDictionary<SymbolId, long>.Empty.Add(SelectionHarness.Counters, 0).Add(SelectionHarness.Jumps, 40960);

    [Fact]
    public void Many_references_share_one_address()
    {
        MachineFunction selected = Select(BlocksWithCalls(4), s_near);
        Assert.Equal(1, Count(selected, static instruction => instruction.Pseudo == MachinePseudo.LoadAddress));
        Assert.Equal(4, Count(selected, static instruction => IsAddition(instruction, -128)));
    }

    [Fact]
    public void Few_references_have_addresses_of_their_own()
    {
        MachineFunction selected = Select(BlocksWithCalls(2), s_near);
        Assert.Equal(4, Count(selected, static instruction => instruction.Pseudo == MachinePseudo.LoadAddress));
    }

    [Fact]
    public void What_is_out_of_reach_has_an_address_of_its_own()
    {
        MachineFunction selected = Select(BlocksWithCalls(4), s_far);
        Assert.Equal(1 + 4, Count(selected, static instruction => instruction.Pseudo == MachinePseudo.LoadAddress));
    }

    [Fact]
    public void Maps_of_unknown_places_have_addresses_of_their_own()
    {
        MachineFunction selected = Select(BlocksWithCalls(4), ImmutableDictionary<SymbolId, long>.Empty);
        Assert.Equal(8, Count(selected, static instruction => instruction.Pseudo == MachinePseudo.LoadAddress));
    }

    [Fact]
    public void A_field_of_a_descriptor_is_a_displacement()
    {
        MachineFunction selected = Select(BlocksWithCalls(4, static builder =>
            builder.Load(64, builder.Leaves.SymbolAddress(SelectionHarness.Jumps, 0), 88)), s_near);
        Assert.Equal(1, Count(selected, static instruction => instruction.Pseudo == MachinePseudo.LoadAddress));
        Assert.Equal(4, Count(selected, static instruction => instruction.Pseudo == MachinePseudo.None
            && instruction.Opcode == Ppc64Opcode.Ld && instruction.Operands[1] == MachineOperand.Immediate(88 - 128)));
    }

    /// <summary>The register is set where it holds for all: here before the loop, and not in it.</summary>
    [Fact]
    public void The_register_is_set_outside_of_loops()
    {
        IrFunction function = SelectionHarness.NewFunction();
        var builder = new IrBuilder(function);
        IrBlock entry = builder.AppendBlock();
        IrBlock[] body = [builder.AppendBlock(), builder.AppendBlock(), builder.AppendBlock()];
        IrBlock end = builder.AppendBlock();
        builder.Block = entry;
        builder.Jump(body[0]);
        for (int i = 0; i < body.Length; i++)
        {
            builder.Block = body[i];
            IrInstruction result = CallBoth(builder);
            builder.Branch(IrCondition.Equal, 64, result, builder.Constant(i), end, body[(i + 1) % body.Length]);
        }

        builder.Block = end;
        builder.Return(builder.Constant(0));
        builder.Leaves.Commit();
        MachineFunction selected = Select(function, s_near);
        Assert.Contains(selected.Blocks[0].Instructions, static instruction => instruction.Pseudo == MachinePseudo.LoadAddress);
        Assert.Equal(1, Count(selected, static instruction => instruction.Pseudo == MachinePseudo.LoadAddress));
    }

    /// <summary>A tail call takes its block apart: the register is set in the first part, where the call needs it.</summary>
    [Fact]
    public void The_register_is_set_before_a_tail_call_of_its_block()
    {
        MachineFunction selected = Select(BlocksWithCalls(4, static builder =>
        {
            builder.TailCall(builder.Constant(0), builder.Leaves.SymbolAddress(SelectionHarness.Jumps, 0), builder.Constant(1));
            return builder.Leaves.SymbolAddress(SelectionHarness.Counters, 0);
        }, reachesTailCall: true), s_near);
        Assert.Equal(1, Count(selected, static instruction => instruction.Pseudo == MachinePseudo.LoadAddress));
        Assert.Contains(selected.Blocks[0].Instructions, static instruction => instruction.Pseudo == MachinePseudo.LoadAddress);
    }

    private static IrFunction BlocksWithCalls(int count, Func<IrBuilder, IrInstruction>? also = null, bool reachesTailCall = false)
    {
        IrFunction function = SelectionHarness.NewFunction(reachesTailCall: reachesTailCall);
        var builder = new IrBuilder(function);
        IrBlock block = builder.AppendBlock();
        for (int i = 0; i < count; i++)
        {
            builder.Block = block;
            IrInstruction result = also is null ? CallBoth(builder) : builder.Binary(IrOpcode.Add, 64, CallBoth(builder), also(builder));
            block = builder.AppendBlock();
            IrBlock end = builder.AppendBlock();
            builder.Branch(IrCondition.Equal, 64, result, builder.Constant(i), end, block);
            builder.Block = end;
            builder.Return(result);
        }

        builder.Block = block;
        builder.Return(builder.Constant(0));
        builder.Leaves.Commit();
        return function;
    }

    private static IrInstruction CallBoth(IrBuilder builder)
    {
        builder.CallExtern(SelectionHarness.Helper, [builder.Leaves.SymbolAddress(SelectionHarness.Counters, 0)]);
        return builder.CallExtern(SelectionHarness.Helper, [builder.Leaves.SymbolAddress(SelectionHarness.Jumps, 0)]);
    }

    private static MachineFunction Select(IrFunction function, ImmutableDictionary<SymbolId, long> offsets)
    {
        var module = new IrModule
        {
            Functions = [],
            Symbols = SelectionHarness.Symbols,
            ArrayMaps = ImmutableDictionary<SymbolId, IrArrayMap>.Empty,
            MapOffsets = offsets,
            FunctionsBySymbol = ImmutableDictionary<SymbolId, IrFunction>.Empty,
        };
        MachineFunction selected = InstructionSelector.Select(function, module, SelectionHarness.Power9);
        Assert.Empty(MirChecker.Check(selected));
        return selected;
    }

    private static bool IsAddition(MachineInstruction instruction, long immediate) => instruction.Pseudo == MachinePseudo.None
        && instruction.Opcode == Ppc64Opcode.Addi && instruction.Operands[2] == MachineOperand.Immediate(immediate);

    private static int Count(MachineFunction function, Func<MachineInstruction, bool> predicate) =>
        function.Blocks.Sum(block => block.Instructions.Count(predicate));
}
