using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.RegisterAllocation;
using Xunit;

namespace BpfPpcc.Tests.RegisterAllocation;

public sealed class SpillStoresTests
{
    [Fact]
    public void Stores_that_nothing_reads_go()
    {
        var function = new MachineFunction
        {
            Name = "f",
            FunctionIndex = 0,
            Symbol = BpfPpcc.Symbols.SymbolId.None,
            IsCallableFromC = true,
            IsProgram = false,
            TailCallRole = TailCallRole.None,
            BpfStackSize = 0,
            NeedsToc = false,
        };
        for (int i = 0; i < 2; i++)
            function.Blocks.Add(new MachineBlock(i));
        function.Blocks[0].Successors.Add(new MachineEdge(1, []));
        function.Blocks[1].Predecessors.Add(0);
        AllocationEdit unread = Store(block: 0, instruction: 0, slot: 0);
        AllocationEdit overwritten = Store(block: 0, instruction: 1, slot: 1);
        AllocationEdit read = Store(block: 0, instruction: 2, slot: 1);
        AllocationEdit load = new(1, 0, Location.InSpillSlot(1), Location.InGpr(new Gpr(5)), null);
        AllocationEdit late = Store(block: 1, instruction: 1, slot: 1);
        Assert.Equal([read, load], SpillStores.DropDead(function, [unread, overwritten, read, load, late], slotCount: 2));
    }

    /// <summary>What the end of a loop stores, its start may read.</summary>
    [Fact]
    public void Stores_that_are_read_around_a_loop_stay()
    {
        var function = new MachineFunction
        {
            Name = "f",
            FunctionIndex = 0,
            Symbol = BpfPpcc.Symbols.SymbolId.None,
            IsCallableFromC = true,
            IsProgram = false,
            TailCallRole = TailCallRole.None,
            BpfStackSize = 0,
            NeedsToc = false,
        };
        function.Blocks.Add(new MachineBlock(0));
        function.Blocks[0].Successors.Add(new MachineEdge(0, []));
        AllocationEdit load = new(0, 0, Location.InSpillSlot(0), Location.InGpr(new Gpr(5)), null);
        AllocationEdit store = Store(block: 0, instruction: 1, slot: 0);
        Assert.Equal([load, store], SpillStores.DropDead(function, [load, store], slotCount: 1));
    }

    private static AllocationEdit Store(int block, int instruction, int slot) =>
        new(block, instruction, Location.InGpr(new Gpr(4)), Location.InSpillSlot(slot), null);
}
