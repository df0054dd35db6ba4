using System.Collections.Immutable;

namespace BpfPpcc.Verification.Walk;

/// <summary>
/// What calls do to stack memory through their arguments. These are no ranges that a path happened to have: each is the extent that was checked
/// to lie inside of the stack, and every execution is covered by a path for which it was checked.
/// </summary>
internal sealed class CallAccesses(int slots)
{
    private enum Knowledge : byte
    {
        /// <summary>No path came by.</summary>
        None,

        /// <summary>The call accesses what is noted, and keeps no address.</summary>
        Complete,

        /// <summary>It may do more.</summary>
        Open,
    }

    private readonly Knowledge[] _knowledge = new Knowledge[slots];
    private readonly Dictionary<(int Slot, int Register), ArgumentAccess> _accesses = [];

    /// <summary>A call accesses at most so many bytes from the address in a register on.</summary>
    public void Note(int slot, int register, long bytes, bool isWritten)
    {
        _accesses.TryGetValue((slot, register), out ArgumentAccess known);
        _accesses[(slot, register)] = new ArgumentAccess(register, Math.Max(known.Bytes, (int)bytes), known.IsWritten || isWritten);
    }

    /// <summary>All arguments of a call were looked at.</summary>
    /// <param name="isComplete">It accesses nothing but what was noted, and keeps no address.</param>
    public void Close(int slot, bool isComplete)
    {
        Knowledge found = isComplete ? Knowledge.Complete : Knowledge.Open;
        if (_knowledge[slot] < found)
            _knowledge[slot] = found;
    }

    public void Merge(CallAccesses other)
    {
        foreach (((int slot, int register), ArgumentAccess access) in other._accesses)
            Note(slot, register, access.Bytes, access.IsWritten);
        for (int slot = 0; slot < _knowledge.Length; slot++)
        {
            if (_knowledge[slot] < other._knowledge[slot])
                _knowledge[slot] = other._knowledge[slot];
        }
    }

    /// <summary>All accesses of the call to the stack, or null if they are not known.</summary>
    public ImmutableArray<ArgumentAccess>? At(int slot)
    {
        const int MaximumArguments = 5;
        if (_knowledge[slot] != Knowledge.Complete)
            return null;
        var accesses = ImmutableArray.CreateBuilder<ArgumentAccess>();
        for (int register = 1; register <= MaximumArguments; register++)
        {
            if (_accesses.TryGetValue((slot, register), out ArgumentAccess access))
                accesses.Add(access);
        }

        return accesses.ToImmutable();
    }
}
