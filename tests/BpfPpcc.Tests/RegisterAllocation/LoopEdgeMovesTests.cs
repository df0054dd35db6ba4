using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.RegisterAllocation;
using Xunit;

namespace BpfPpcc.Tests.RegisterAllocation;

/// <summary>Moves on the way round a loop: before the branch out of it, unless what they overwrite is read outside.</summary>
public sealed class LoopEdgeMovesTests
{
    private readonly FunctionBuilder _builder = new();

    /// <summary>A count that is still read when the next one is made, so that a move brings the next one round. Block 1 is the loop, 2 the way round.</summary>
    private Allocation Loop(bool returnsOldCount)
    {
        MachineBlock loop = _builder.NewBlock(), round = _builder.NewBlock(), end = _builder.NewBlock();
        loop.Frequency = round.Frequency = 10;
        _builder.Jump(loop, _builder.Constant(0));
        _builder.Current = loop;
        VirtualRegister count = _builder.Parameter(loop);
        VirtualRegister next = _builder.AddImmediate(count, 3);
        _builder.Emit(Ppc64Opcode.Cmpdi, MachineOperand.CrField(0), MachineOperand.Use(count), MachineOperand.Immediate(42));
        _builder.Branch(CrBits.Eq, end, round);
        _builder.Current = round;
        _builder.Jump(loop, next);
        _builder.Current = end;
        _builder.Return(returnsOldCount ? count : next);
        Allocation allocation = RegisterAllocator.Allocate(_builder.Function, new TargetDescription(false, Ppc64Abi.ElfV2, Ppc64Cpu.Power9));
        Assert.Empty(AllocationChecker.Check(_builder.Function, allocation));
        return allocation;
    }

    [Fact]
    public void What_nobody_reads_outside_is_moved_before_the_branch()
    {
        Allocation allocation = Loop(returnsOldCount: false);
        Assert.Contains(allocation.Edits, static edit => edit is { Block: 1, Instruction: 2 });
        Assert.DoesNotContain(allocation.Edits, static edit => edit.Block == 2);
    }

    [Fact]
    public void What_is_read_outside_is_overwritten_on_the_way_round_only()
    {
        Allocation allocation = Loop(returnsOldCount: true);
        Assert.Contains(allocation.Edits, static edit => edit.Block == 2);
        Assert.DoesNotContain(allocation.Edits, static edit => edit.Block == 1);
    }
}
