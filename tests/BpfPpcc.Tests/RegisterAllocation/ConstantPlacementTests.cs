using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.RegisterAllocation;
using Xunit;

namespace BpfPpcc.Tests.RegisterAllocation;

/// <summary>Where constants of edges end up: before the branch, or nowhere, because a register holds them already.</summary>
public sealed class ConstantPlacementTests
{
    private const int Equal = CrBits.Eq;

    private readonly FunctionBuilder _builder = new();

    /// <summary>A call's result v is compared with <paramref name="with"/>; the result is the constant, or what <paramref name="other"/> makes of v.</summary>
    private Allocation Diamond(long with, long constant, Func<VirtualRegister, VirtualRegister> other, bool isWord = false)
    {
        MachineBlock equal = _builder.NewBlock(), different = _builder.NewBlock(), end = _builder.NewBlock();
        VirtualRegister value = _builder.Call(1);
        _builder.Emit(isWord ? Ppc64Opcode.Cmpwi : Ppc64Opcode.Cmpdi, MachineOperand.CrField(0), MachineOperand.Use(value), MachineOperand.Immediate(with));
        _builder.Branch(Equal, equal, different);
        _builder.Current = equal;
        _builder.Jump(end, _builder.Constant(constant));
        _builder.Current = different;
        _builder.Jump(end, other(value));
        _builder.Current = end;
        _builder.Return(_builder.Parameter(end));
        Allocation allocation = RegisterAllocator.Allocate(_builder.Function, new TargetDescription(false, Ppc64Abi.ElfV2, Ppc64Cpu.Power9));
        Assert.Empty(AllocationChecker.Check(_builder.Function, allocation));
        return allocation;
    }

    [Fact]
    public void A_constant_is_set_before_the_branch_where_the_other_path_sets_the_register_too()
    {
        Allocation allocation = Diamond(with: 1, constant: 7, _ => _builder.Constant(8));
        Assert.Equal([(1, 0)], allocation.Deleted);
        AllocationEdit moved = Assert.Single(allocation.Edits);
        Assert.Equal((0, 2), (moved.Block, moved.Instruction));
        Assert.Equal(7, moved.Rematerialize!.Operands[1].Value);
    }

    [Fact]
    public void A_constant_stays_where_the_other_path_reads_the_register_first()
    {
        Allocation allocation = Diamond(with: 1, constant: 7, value => _builder.AddImmediate(value, 1));
        Assert.Empty(allocation.Deleted);
        Assert.Empty(allocation.Edits);
    }

    [Fact]
    public void A_constant_of_two_instructions_stays()
    {
        Allocation allocation = Diamond(with: 1, constant: 0x12345, _ => _builder.Constant(0x23456));
        Assert.Empty(allocation.Deleted);
        Assert.Empty(allocation.Edits);
    }

    [Fact]
    public void What_was_found_to_be_0_is_not_set_to_0()
    {
        Allocation allocation = Diamond(with: 0, constant: 0, value => _builder.Load(value));
        Assert.Equal([(1, 0)], allocation.Deleted);
        Assert.Empty(allocation.Edits);
    }

    /// <summary>The upper half may be anything.</summary>
    [Fact]
    public void What_was_compared_by_its_lower_half_is_set_to_0()
    {
        Allocation allocation = Diamond(with: 0, constant: 0, value => _builder.Load(value), isWord: true);
        Assert.Empty(allocation.Deleted);
    }

    [Fact]
    public void What_was_compared_with_something_else_is_set_to_0()
    {
        Allocation allocation = Diamond(with: 1, constant: 0, value => _builder.Load(value));
        Assert.Empty(allocation.Deleted);
    }

    [Fact]
    public void The_checker_refuses_a_0_that_nothing_has_found()
    {
        Allocation allocation = Diamond(with: 1, constant: 0, value => _builder.Load(value));
        var wrong = new Allocation
        {
            OperandGprs = allocation.OperandGprs,
            Edits = allocation.Edits,
            Deleted = [(1, 0)],
            SpillSlotCount = allocation.SpillSlotCount,
            UsedCalleeSaved = allocation.UsedCalleeSaved,
        };
        Assert.NotEmpty(AllocationChecker.Check(_builder.Function, wrong));
    }
}
