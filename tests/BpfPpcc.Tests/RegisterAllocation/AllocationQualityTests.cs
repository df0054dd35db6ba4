using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.RegisterAllocation;
using Xunit;

namespace BpfPpcc.Tests.RegisterAllocation;

/// <summary>Small functions whose best allocation is known.</summary>
public sealed class AllocationQualityTests
{
    private static readonly TargetDescription Target = new(false, Ppc64Abi.ElfV2, Ppc64Cpu.Power8);

    private readonly FunctionBuilder _builder = new();

    [Fact]
    public void Arguments_in_place_for_a_call_need_no_moves()
    {
        VirtualRegister[] arguments = _builder.Arguments(5);
        VirtualRegister result = _builder.Call(1, arguments);
        _builder.Return(_builder.Call(2, result, _builder.Constant(7)));
        Allocation allocation = Allocate();
        Assert.Empty(allocation.Edits);
        Assert.Empty(allocation.UsedCalleeSaved);
        Assert.Equal(4, allocation.OperandGprs[0][2][0].Number);
    }

    [Fact]
    public void Swapped_arguments_go_through_r0()
    {
        VirtualRegister[] arguments = _builder.Arguments(2);
        _builder.Return(_builder.Call(1, arguments[1], arguments[0]));
        Assert.True(Allocate().Edits.Length <= 3);
    }

    [Fact]
    public void Counted_loop_needs_no_copies()
    {
        VirtualRegister[] arguments = _builder.Arguments(2);
        MachineBlock loop = _builder.NewBlock(10);
        MachineBlock latch = _builder.NewBlock(10);
        MachineBlock exit = _builder.NewBlock();
        _builder.Jump(loop, arguments[1], _builder.Constant(0));
        _builder.Current = loop;
        VirtualRegister index = _builder.Parameter(loop);
        VirtualRegister sum = _builder.Parameter(loop);
        VirtualRegister nextSum = _builder.Add(sum, _builder.Load(_builder.Add(arguments[0], index)));
        VirtualRegister next = _builder.AddImmediate(index, -8);
        _builder.Compare(next, 0);
        _builder.Branch(2, exit, latch);
        _builder.Current = latch;
        _builder.Jump(loop, next, nextSum);
        _builder.Current = exit;
        _builder.Return(nextSum);
        Allocation allocation = Allocate();
        Assert.DoesNotContain(allocation.Edits, static edit => edit.Block is 1 or 2);
        Assert.True(allocation.Edits.Length <= 1);
    }

    /// <summary>x with its own bits inserted: the other use of x reads the register that the tied one is in.</summary>
    [Fact]
    public void A_value_inserted_into_itself_needs_no_copy()
    {
        VirtualRegister value = _builder.Arguments(1)[0];
        _builder.Return(_builder.Insert(value, value));
        Assert.Empty(Allocate().Edits);
    }

    [Fact]
    public void A_value_inserted_into_itself_and_kept_is_copied_once()
    {
        VirtualRegister value = _builder.Arguments(1)[0];
        VirtualRegister inserted = _builder.Insert(value, value);
        _builder.Return(_builder.Add(inserted, value));
        Assert.Single(Allocate().Edits);
    }

    [Fact]
    public void Constants_are_computed_again_rather_than_spilled()
    {
        var constants = new VirtualRegister[40];
        for (int index = 0; index < constants.Length; index++)
        {
            constants[index] = _builder.Constant(index + 1);
        }

        VirtualRegister sum = _builder.Call(1);
        foreach (VirtualRegister constant in constants)
        {
            sum = _builder.Add(sum, constant);
        }

        _builder.Return(sum);
        Allocation allocation = Allocate();
        Assert.Equal(0, allocation.SpillSlotCount);
        Assert.Empty(allocation.UsedCalleeSaved);
        Assert.Equal(40, allocation.Deleted.Length);
    }

    [Fact]
    public void Ten_live_values_of_a_leaf_function_need_no_saved_register()
    {
        List<VirtualRegister> values = [.. _builder.Arguments(5)];
        while (values.Count < 10)
        {
            values.Add(_builder.Load(values[0]));
        }

        VirtualRegister sum = _builder.Add(values[0], values[1]);
        for (int index = 2; index < 10; index++)
        {
            sum = _builder.Add(sum, values[index]);
        }

        _builder.Return(sum);
        Allocation allocation = Allocate();
        Assert.Empty(allocation.UsedCalleeSaved);
        Assert.True(allocation.Edits.Length <= 1, AllocationPrinter.Print(_builder.Function, allocation));
    }

    [Fact]
    public void Value_across_a_call_takes_one_saved_register()
    {
        VirtualRegister value = _builder.Arguments(1)[0];
        VirtualRegister result = _builder.Call(1, value);
        _builder.Return(_builder.Add(result, value));
        Allocation allocation = Allocate();
        Assert.Single(allocation.UsedCalleeSaved);
        Assert.Equal(0, allocation.SpillSlotCount);
        Assert.Single(allocation.Edits);
    }

    [Fact]
    public void Values_of_different_times_share_one_saved_register()
    {
        VirtualRegister value = _builder.Arguments(1)[0];
        for (int index = 0; index < 6; index++)
        {
            value = _builder.Add(_builder.Call(1, value), value);
        }

        _builder.Return(value);
        Assert.Single(Allocate().UsedCalleeSaved);
    }

    [Fact]
    public void Value_for_a_cold_call_is_not_worth_a_saved_register()
    {
        VirtualRegister value = _builder.Arguments(1)[0];
        MachineBlock cold = _builder.NewBlock(0.01f);
        MachineBlock hot = _builder.NewBlock();
        MachineBlock join = _builder.NewBlock();
        _builder.Compare(value, 0);
        _builder.Branch(0, cold, hot);
        _builder.Current = cold;
        VirtualRegister result = _builder.Call(1, value);
        _builder.Jump(join, _builder.Add(result, value));
        _builder.Current = hot;
        _builder.Jump(join, _builder.AddImmediate(value, 1));
        _builder.Current = join;
        _builder.Return(_builder.Parameter(join));
        Allocation allocation = Allocate();
        Assert.Empty(allocation.UsedCalleeSaved);
        Assert.DoesNotContain(allocation.Edits, static edit => edit.Block >= 2);
    }

    [Fact]
    public void Tied_operand_that_dies_shares_the_register()
    {
        VirtualRegister[] arguments = _builder.Arguments(2);
        _builder.Return(_builder.Insert(arguments[1], arguments[0]));
        Assert.Empty(Allocate().Edits);
    }

    [Fact]
    public void Tied_operand_that_lives_on_is_copied_once()
    {
        VirtualRegister[] arguments = _builder.Arguments(2);
        VirtualRegister inserted = _builder.Insert(arguments[1], arguments[0]);
        _builder.Store(inserted, arguments[0]);
        _builder.Return(arguments[1]);
        Assert.Equal(2, Allocate().Edits.Length);
    }

    [Fact]
    public void Copies_vanish()
    {
        VirtualRegister value = _builder.Arguments(1)[0];
        _builder.Return(_builder.Copy(_builder.Copy(value)));
        Allocation allocation = Allocate();
        Assert.Empty(allocation.Edits);
        Assert.Equal(2, allocation.Deleted.Length);
    }

    [Fact]
    public void Values_of_a_hot_loop_stay_in_registers_under_pressure()
    {
        VirtualRegister address = _builder.Arguments(1)[0];
        var values = new VirtualRegister[40];
        for (int index = 0; index < values.Length; index++)
        {
            values[index] = _builder.Load(address);
        }

        MachineBlock loop = _builder.NewBlock(10);
        MachineBlock latch = _builder.NewBlock(10);
        MachineBlock exit = _builder.NewBlock();
        _builder.Jump(loop, values[0]);
        _builder.Current = loop;
        VirtualRegister sum = _builder.Parameter(loop);
        VirtualRegister next = sum;
        for (int index = 1; index < 12; index++)
        {
            next = _builder.Add(next, values[index]);
        }

        _builder.Compare(next, 0);
        _builder.Branch(2, exit, latch);
        _builder.Current = latch;
        _builder.Jump(loop, next);
        _builder.Current = exit;
        foreach (VirtualRegister value in values)
        {
            next = _builder.Add(next, value);
        }

        _builder.Return(next);
        Allocation allocation = Allocate();
        Assert.True(allocation.SpillSlotCount > 0);
        Assert.DoesNotContain(allocation.Edits, static edit => edit.Block is 1 or 2);
    }

    [Fact]
    public void Rotated_spilled_parameters_are_moved_through_a_slot()
    {
        VirtualRegister address = _builder.Arguments(1)[0];
        var initial = new VirtualRegister[50];
        for (int index = 0; index < initial.Length; index++)
        {
            initial[index] = _builder.Load(address);
        }

        MachineBlock loop = _builder.NewBlock(10);
        MachineBlock latch = _builder.NewBlock(10);
        MachineBlock exit = _builder.NewBlock();
        _builder.Jump(loop, initial);
        _builder.Current = loop;
        VirtualRegister[] parameters = Array.ConvertAll(initial, _ => _builder.Parameter(loop));
        _builder.Compare(_builder.Call(1), 0);
        _builder.Branch(2, exit, latch);
        _builder.Current = latch;
        _builder.Jump(loop, [.. parameters[1..], parameters[0]]);
        _builder.Current = exit;
        VirtualRegister sum = parameters[0];
        foreach (VirtualRegister parameter in parameters)
        {
            sum = _builder.Add(sum, parameter);
        }

        _builder.Return(sum);
        Assert.True(Allocate().SpillSlotCount > 30);
    }

    /// <summary>Allocates and proves the result.</summary>
    private Allocation Allocate()
    {
        Allocation allocation = RegisterAllocator.Allocate(_builder.Function, Target);
        TestContext.Current.TestOutputHelper?.WriteLine(AllocationPrinter.Print(_builder.Function, allocation));
        Assert.Empty(AllocationChecker.Check(_builder.Function, allocation));
        Assert.Equal(MachineInterpreter.Run(_builder.Function, null, 1), MachineInterpreter.Run(_builder.Function, allocation, 1));
        return allocation;
    }
}
