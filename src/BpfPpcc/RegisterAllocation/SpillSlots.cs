namespace BpfPpcc.RegisterAllocation;

/// <summary>
/// Gives slots to groups of registers that were joined (and so are never live together). Groups whose lives do not overlap, from their
/// first point to their last, share a slot: the colouring of intervals from left to right is optimal.
/// </summary>
internal static class SpillSlots
{
    /// <summary>Returns the slot of each register that needs one, and -1 for others.</summary>
    public static int[] Assign(Liveness liveness, bool[] needsSlot, int[] groups, out int slotCount)
    {
        var from = new int[groups.Length];
        var to = new int[groups.Length];
        Array.Fill(from, int.MaxValue);
        var used = new List<int>();
        for (int register = 0; register < groups.Length; register++)
        {
            LiveRange[] ranges = liveness.Ranges[register];
            if (!needsSlot[register] || ranges.Length == 0)
            {
                continue;
            }

            int group = groups[register];
            if (from[group] == int.MaxValue)
            {
                used.Add(group);
            }

            from[group] = Math.Min(from[group], ranges[0].From);
            to[group] = Math.Max(to[group], ranges[^1].To);
        }

        int[] slotOfGroup = Color(used, from, to, out slotCount);
        var slots = new int[groups.Length];
        for (int register = 0; register < slots.Length; register++)
        {
            slots[register] = needsSlot[register] ? slotOfGroup[groups[register]] : -1;
        }

        return slots;
    }

    private static int[] Color(List<int> used, int[] from, int[] to, out int slotCount)
    {
        used.Sort((a, b) => from[a] != from[b] ? from[a].CompareTo(from[b]) : a.CompareTo(b));
        var slot = new int[from.Length];
        var active = new PriorityQueue<int, (int To, int Slot)>();
        var free = new PriorityQueue<int, int>();
        slotCount = 0;
        foreach (int group in used)
        {
            while (active.TryPeek(out int freed, out (int To, int Slot) end) && end.To <= from[group])
            {
                active.Dequeue();
                free.Enqueue(freed, freed);
            }

            slot[group] = free.TryDequeue(out int reused, out _) ? reused : slotCount++;
            active.Enqueue(slot[group], (to[group], slot[group]));
        }

        return slot;
    }

    /// <summary>Renumbers the slots so that those which no edit names any more take no room; returns how many are left.</summary>
    public static int Compact(AllocationEdit[] edits, int slotCount)
    {
        var numbers = new int[slotCount];
        Array.Fill(numbers, -1);
        int used = 0;
        foreach (ref AllocationEdit edit in edits.AsSpan())
        {
            if (edit.Rematerialize is null && !edit.From.IsGpr)
            {
                edit = edit with { From = Renumber(edit.From) };
            }

            if (!edit.To.IsGpr)
            {
                edit = edit with { To = Renumber(edit.To) };
            }
        }

        return used;

        Location Renumber(Location slot)
        {
            ref int number = ref numbers[slot.SpillSlot];
            if (number < 0)
            {
                number = used++;
            }

            return Location.InSpillSlot(number);
        }
    }
}
