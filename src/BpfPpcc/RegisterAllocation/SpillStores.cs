using BpfPpcc.Mir;

namespace BpfPpcc.RegisterAllocation;

/// <summary>
/// Stores to spill slots that nothing reads any more: where all loads of a value turned out to be needless, the store of it is, too.
/// Backward data flow over the edits; a store to a slot that is not read before it is written again, on any way, goes.
/// </summary>
internal static class SpillStores
{
    /// <summary>The edits that are left, in order.</summary>
    /// <param name="function">Says where blocks lead.</param>
    /// <param name="edits">Sorted by block, then instruction.</param>
    /// <param name="slotCount">Slots have smaller numbers.</param>
    public static AllocationEdit[] DropDead(MachineFunction function, AllocationEdit[] edits, int slotCount)
    {
        if (slotCount == 0)
            return edits;
        var live = new ulong[function.Blocks.Count][];
        var firstEdit = new int[function.Blocks.Count + 1];
        foreach (AllocationEdit edit in edits)
            firstEdit[edit.Block + 1]++;
        for (int block = 0; block < function.Blocks.Count; block++)
        {
            firstEdit[block + 1] += firstEdit[block];
            live[block] = new ulong[(slotCount + 63) / 64];
        }

        var isNeeded = new bool[edits.Length];
        bool changed = true;
        while (changed)
        {
            changed = false;
            for (int block = function.Blocks.Count - 1; block >= 0; block--)
                changed |= Walk(function.Blocks[block], edits, firstEdit, live, isNeeded);
        }

        return Needed(edits, isNeeded);
    }

    /// <summary>Goes over a block backwards; true if more slots are live at its start than before.</summary>
    private static bool Walk(MachineBlock block, AllocationEdit[] edits, int[] firstEdit, ulong[][] live, bool[] isNeeded)
    {
        var current = new ulong[live[block.Index].Length];
        foreach (MachineEdge edge in block.Successors)
        {
            for (int word = 0; word < current.Length; word++)
                current[word] |= live[edge.Target][word];
        }

        for (int i = firstEdit[block.Index + 1] - 1; i >= firstEdit[block.Index]; i--)
        {
            AllocationEdit edit = edits[i];
            isNeeded[i] = edit.To.IsGpr || (current[edit.To.SpillSlot >> 6] >> (edit.To.SpillSlot & 63) & 1) != 0;
            if (!edit.To.IsGpr)
                current[edit.To.SpillSlot >> 6] &= ~(1UL << (edit.To.SpillSlot & 63));
            else if (edit.Rematerialize is null && !edit.From.IsGpr)
                current[edit.From.SpillSlot >> 6] |= 1UL << (edit.From.SpillSlot & 63);
        }

        bool hasChanged = !current.AsSpan().SequenceEqual(live[block.Index]);
        live[block.Index] = current;
        return hasChanged;
    }

    private static AllocationEdit[] Needed(AllocationEdit[] edits, bool[] isNeeded)
    {
        var needed = new List<AllocationEdit>(edits.Length);
        for (int i = 0; i < edits.Length; i++)
        {
            if (isNeeded[i])
                needed.Add(edits[i]);
        }

        return [.. needed];
    }
}
