namespace BpfPpcc.Verification.Walk;

/// <summary>A checkpoint that later paths are compared with.</summary>
internal sealed class ExploredState(VerifierState state)
{
    public VerifierState State { get; } = state;

    public int Hits { get; set; }

    public int Misses { get; set; }
}

/// <summary>Open loops: which checkpoint is the outermost entry of the loop that a state is part of.</summary>
internal static class OpenLoops
{
    /// <summary>
    /// The outermost loop entry of <paramref name="state"/>, or null. Follows and shortens the chain of entries, of which every one was
    /// found on a path through the one before.
    /// </summary>
    public static VerifierState? EntryOf(VerifierState state)
    {
        VerifierState? entry = state.LoopEntry;
        if (entry is null)
            return null;
        while (entry.LoopEntry is { } outer && !ReferenceEquals(outer, entry))
            entry = outer;
        state.LoopEntry = entry;
        return entry;
    }

    /// <summary>Notes that <paramref name="entry"/> was met again from <paramref name="current"/>.</summary>
    public static void Update(VerifierState current, VerifierState entry)
    {
        VerifierState currentEntry = EntryOf(current) ?? current;
        VerifierState header = EntryOf(entry) ?? entry;
        // A header that is closed is no loop of this path; of two open ones the outer one counts.
        if (header.Branches > 0 && header.DepthFirstDepth <= currentEntry.DepthFirstDepth)
            current.LoopEntry = header;
    }

    /// <summary>One path below the checkpoint came to its end; closes those above that have no other.</summary>
    public static void EndPath(VerifierState? state)
    {
        while (state is not null)
        {
            if (--state.Branches != 0)
                return;
            if (state.Parent is not null && state.LoopEntry is not null)
                Update(state.Parent, state.LoopEntry);
            state = state.Parent;
        }
    }
}
