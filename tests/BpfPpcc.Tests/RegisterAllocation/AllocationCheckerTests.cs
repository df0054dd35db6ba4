using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.RegisterAllocation;
using Xunit;

namespace BpfPpcc.Tests.RegisterAllocation;

/// <summary>Damages right allocations. Whatever changes what the code computes must be reported.</summary>
public sealed class AllocationCheckerTests
{
    private static readonly TargetDescription Target = new(false, Ppc64Abi.ElfV2, Ppc64Cpu.Power8);

    [Fact]
    public void Damage_that_shows_when_running_is_always_reported()
    {
        int shown = 0;
        int reported = 0;
        int damaged = 0;
        for (int seed = 0; seed < 400; seed++)
        {
            MachineFunction function = RandomFunctions.Create(seed);
            Allocation allocation = RegisterAllocator.Allocate(function, Target);
            var expected = new ulong[] { MachineInterpreter.Run(function, null, 1), MachineInterpreter.Run(function, null, 2) };
            var random = new Random(seed);
            for (int count = 0; count < 20; count++)
            {
                Allocation? broken = Damage(function, allocation, random, out string what);
                if (broken is null)
                {
                    continue;
                }

                damaged++;
                bool isReported = AllocationChecker.Check(function, broken).Count > 0;
                bool isShown = MachineInterpreter.Run(function, broken, 1) != expected[0] || MachineInterpreter.Run(function, broken, 2) != expected[1];
                reported += isReported ? 1 : 0;
                shown += isShown ? 1 : 0;
                Assert.True(isReported || !isShown, $"{function.Name}: {what} changes the result but is not reported");
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{damaged} damaged, {shown} give another result, {reported} reported");
        Assert.True(shown > damaged / 4);
    }

    [Fact]
    public void Wrong_register_is_reported()
    {
        (MachineFunction function, Allocation allocation) = Sample();
        allocation.OperandGprs[0][1][1] = new Gpr(9);
        AssertReports(function, allocation, "v0 is not in r9 where operand 1 reads it");
    }

    [Fact]
    public void Register_that_is_not_saved_is_reported()
    {
        (MachineFunction function, Allocation allocation) = Sample();
        allocation.OperandGprs[0][1][0] = new Gpr(20);
        AssertReports(function, allocation, "operand 0 writes r20, which is not allocatable or not listed as saved");
    }

    [Fact]
    public void Shared_early_def_is_reported()
    {
        (MachineFunction function, Allocation allocation) = Sample();
        allocation.OperandGprs[0][2][1] = allocation.OperandGprs[0][2][2];
        AssertReports(function, allocation, "operands 1 and 2 share");
    }

    [Fact]
    public void Fixed_operand_elsewhere_is_reported()
    {
        (MachineFunction function, Allocation allocation) = Sample();
        allocation.OperandGprs[0][4][0] = new Gpr(5);
        AssertReports(function, allocation, "instead of its fixed register");
    }

    [Fact]
    public void Tied_operand_elsewhere_is_reported()
    {
        (MachineFunction function, Allocation allocation) = Sample();
        allocation.OperandGprs[0][3][0] = new Gpr(12);
        AssertReports(function, allocation, "not the register of the operand that it is tied to");
    }

    [Fact]
    public void Deleted_instruction_with_uses_is_reported()
    {
        (MachineFunction function, Allocation allocation) = Sample();
        AssertReports(function, With(allocation, deleted: [(0, 1)]), "a deleted instruction is neither copy nor rematerialisable");
    }

    [Fact]
    public void Edits_out_of_order_are_reported()
    {
        (MachineFunction function, Allocation allocation) = Sample();
        Location r9 = Location.InGpr(new Gpr(9));
        AllocationEdit[] edits = [new(0, 2, r9, r9, null), new(0, 1, r9, r9, null)];
        AssertReports(function, With(allocation, edits: edits), "edits are not sorted");
    }

    [Fact]
    public void Value_of_an_earlier_iteration_is_reported()
    {
        var builder = new FunctionBuilder();
        VirtualRegister start = builder.Arguments(1)[0];
        MachineBlock loop = builder.NewBlock(10);
        MachineBlock latch = builder.NewBlock(10);
        MachineBlock exit = builder.NewBlock();
        builder.Jump(loop, start);
        builder.Current = loop;
        VirtualRegister value = builder.Parameter(loop);
        VirtualRegister next = builder.AddImmediate(value, 1);
        builder.Compare(next, 9);
        builder.Branch(0, latch, exit);
        builder.Current = latch;
        builder.Jump(loop, next);
        builder.Current = exit;
        builder.Return(next);
        Allocation allocation = RegisterAllocator.Allocate(builder.Function, Target);
        Assert.Empty(AllocationChecker.Check(builder.Function, allocation));

        // The parameter stays where it was in the first iteration.
        allocation.OperandGprs[1][0][0] = new Gpr(12);
        allocation.OperandGprs[1][1][1] = new Gpr(12);
        AssertReports(builder.Function, allocation, "v1 is not in r3");
    }

    private static void AssertReports(MachineFunction function, Allocation allocation, string text) =>
        Assert.Contains(AllocationChecker.Check(function, allocation), violation => violation.Text.Contains(text, StringComparison.Ordinal));

    /// <summary>Arguments, Add, AtomicReadModifyWrite, Rlwimi, Return.</summary>
    private static (MachineFunction Function, Allocation Allocation) Sample()
    {
        var builder = new FunctionBuilder();
        VirtualRegister[] arguments = builder.Arguments(2);
        VirtualRegister sum = builder.Add(arguments[0], arguments[1]);
        VirtualRegister old = builder.AtomicAdd(arguments[0], sum);
        builder.Return(builder.Insert(old, sum));
        Allocation allocation = RegisterAllocator.Allocate(builder.Function, Target);
        Assert.Empty(AllocationChecker.Check(builder.Function, allocation));
        return (builder.Function, allocation);
    }

    private static Allocation? Damage(MachineFunction function, Allocation allocation, Random random, out string what)
    {
        AllocationEdit[] edits = allocation.Edits;
        int kind = random.Next(7);
        int at = edits.Length == 0 ? 0 : random.Next(edits.Length);
        what = $"damage {kind} at edit {at}";
        switch (kind)
        {
            case 0:
                return ChangeOperand(function, allocation, random);
            case 1 when edits.Length > 0:
                return With(allocation, edits: [.. edits[..at], .. edits[(at + 1)..]]);
            case 2 when at + 1 < edits.Length && edits[at].Block == edits[at + 1].Block && edits[at].Instruction == edits[at + 1].Instruction:
                var swapped = (AllocationEdit[])edits.Clone();
                (swapped[at], swapped[at + 1]) = (swapped[at + 1], swapped[at]);
                return With(allocation, edits: swapped);
            case 3 when edits.Length > 0:
                var redirected = (AllocationEdit[])edits.Clone();
                redirected[at] = edits[at] with { To = edits[random.Next(edits.Length)].To };
                return With(allocation, edits: redirected);
            case 4 when edits.Length > 0:
                var misread = (AllocationEdit[])edits.Clone();
                AllocationEdit other = edits[random.Next(edits.Length)];
                misread[at] = edits[at] with { From = other.From, Rematerialize = other.Rematerialize };
                return With(allocation, edits: misread);
            case 5 when allocation.UsedCalleeSaved.Length > 0:
                return With(allocation, saved: allocation.UsedCalleeSaved[1..]);
            case 6 when allocation.SpillSlotCount > 1:
                return With(allocation, edits: Array.ConvertAll(edits, edit => edit with { From = MergeSlots(edit.From), To = MergeSlots(edit.To) }));
            default:
                return null;
        }
    }

    private static Location MergeSlots(Location location) => !location.IsGpr && location.SpillSlot == 1 ? Location.InSpillSlot(0) : location;

    private static Allocation? ChangeOperand(MachineFunction function, Allocation allocation, Random random)
    {
        int block = random.Next(function.Blocks.Count);
        int instruction = random.Next(function.Blocks[block].Instructions.Count);
        MachineOperand[] operands = function.Blocks[block].Instructions[instruction].Operands;
        int operand = operands.Length == 0 ? 0 : random.Next(operands.Length);
        if (operands.Length == 0 || operands[operand].Kind != MachineOperandKind.VirtualRegister)
        {
            return null;
        }

        Gpr[][][] gprs = Array.ConvertAll(allocation.OperandGprs, list => Array.ConvertAll(list, row => (Gpr[])row.Clone()));
        gprs[block][instruction][operand] = new Gpr((byte)(3 + random.Next(10)));
        return With(allocation, gprs);
    }

    private static Allocation With(
        Allocation allocation, Gpr[][][]? gprs = null, AllocationEdit[]? edits = null, (int, int)[]? deleted = null, Gpr[]? saved = null) => new()
        {
            OperandGprs = gprs ?? allocation.OperandGprs,
            Edits = edits ?? allocation.Edits,
            Deleted = deleted ?? allocation.Deleted,
            SpillSlotCount = allocation.SpillSlotCount,
            UsedCalleeSaved = saved ?? allocation.UsedCalleeSaved,
        };
}
