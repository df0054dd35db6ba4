using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.RegisterAllocation;
using Xunit;

namespace BpfPpcc.Tests.RegisterAllocation;

public sealed class SpillStoresTests
{
    private readonly FunctionBuilder _builder = new();

    [Fact]
    public void Stores_that_nothing_reads_go()
    {
        _builder.Jump(_builder.NewBlock());
        AllocationEdit unread = Store(block: 0, instruction: 0, slot: 0);
        AllocationEdit overwritten = Store(block: 0, instruction: 1, slot: 1);
        AllocationEdit read = Store(block: 0, instruction: 2, slot: 1);
        AllocationEdit load = Load(block: 1, instruction: 0, slot: 1);
        AllocationEdit late = Store(block: 1, instruction: 1, slot: 1);
        Assert.Equal([read, load], SpillStores.DropDead(_builder.Function, [unread, overwritten, read, load, late], slotCount: 2));
    }

    /// <summary>What the end of a loop stores, its start may read.</summary>
    [Fact]
    public void Stores_that_are_read_around_a_loop_stay()
    {
        MachineBlock loop = _builder.Current;
        _builder.Jump(loop);
        AllocationEdit load = Load(block: 0, instruction: 0, slot: 0);
        AllocationEdit store = Store(block: 0, instruction: 1, slot: 0);
        Assert.Equal([load, store], SpillStores.DropDead(_builder.Function, [load, store], slotCount: 1));
    }

    private static AllocationEdit Store(int block, int instruction, int slot) =>
        new(block, instruction, Location.InGpr(new Gpr(4)), Location.InSpillSlot(slot), null);

    private static AllocationEdit Load(int block, int instruction, int slot) =>
        new(block, instruction, Location.InSpillSlot(slot), Location.InGpr(new Gpr(5)), null);
}
