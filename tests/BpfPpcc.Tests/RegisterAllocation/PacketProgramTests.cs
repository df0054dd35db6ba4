using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.RegisterAllocation;
using Xunit;

namespace BpfPpcc.Tests.RegisterAllocation;

/// <summary>The shape of a packet program: bounds checks that leave early, a map lookup, a counter.</summary>
public sealed class PacketProgramTests
{
    private static readonly TargetDescription Target = new(false, Ppc64Abi.ElfV2, Ppc64Cpu.Power8);

    [Fact]
    public void Parser_with_one_lookup_saves_no_more_than_what_lives_across_it()
    {
        var builder = new FunctionBuilder("packet");
        VirtualRegister context = builder.Arguments(1)[0];
        MachineBlock parse = builder.NewBlock();
        MachineBlock tooShort = builder.NewBlock(0.1f);
        MachineBlock lookup = builder.NewBlock();
        MachineBlock other = builder.NewBlock(0.1f);
        MachineBlock found = builder.NewBlock();
        MachineBlock missing = builder.NewBlock(0.1f);
        MachineBlock exit = builder.NewBlock();

        VirtualRegister data = builder.Load(context);
        VirtualRegister end = builder.Load(context);
        CompareRegisters(builder, builder.AddImmediate(data, 34), end);
        builder.Branch(1, tooShort, parse);

        builder.Current = tooShort;
        builder.Jump(exit, builder.Constant(1));

        builder.Current = parse;
        VirtualRegister protocol = builder.Load(data);
        builder.Compare(protocol, 8);
        builder.Branch(2, lookup, other);

        builder.Current = other;
        builder.Jump(exit, builder.Constant(2));

        builder.Current = lookup;
        VirtualRegister length = builder.Binary(Ppc64Opcode.Subf, data, end);
        VirtualRegister key = builder.FrameAddress(-8);
        builder.Store(protocol, key);
        VirtualRegister value = builder.Call(1, builder.Address(5), key);
        builder.Compare(value, 0);
        builder.Branch(2, missing, found);

        builder.Current = missing;
        builder.Jump(exit, builder.Constant(3));

        builder.Current = found;
        builder.Store(builder.Add(builder.Load(value), length), value);
        builder.Jump(exit, builder.Constant(2));

        builder.Current = exit;
        builder.Return(builder.Parameter(exit));

        Allocation allocation = RegisterAllocator.Allocate(builder.Function, Target);
        string text = AllocationPrinter.Print(builder.Function, allocation);
        TestContext.Current.TestOutputHelper?.WriteLine(text);
        Assert.Empty(AllocationChecker.Check(builder.Function, allocation));
        Assert.True(allocation.UsedCalleeSaved.Length + allocation.SpillSlotCount == 1, text);
        Assert.True(allocation.Edits.Length <= 2, text);
    }

    private static void CompareRegisters(FunctionBuilder builder, VirtualRegister a, VirtualRegister b) =>
        builder.Emit(Ppc64Opcode.Cmpld, MachineOperand.CrField(0), MachineOperand.Use(a), MachineOperand.Use(b));
}
