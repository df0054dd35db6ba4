using System.Collections.Immutable;

namespace BpfPpcc.Verification.Walk;

/// <summary>
/// Which bytes of its function's frame each instruction accesses: directly, or while it calls. These are no ranges that a path happened to
/// have: each is the extent that was checked to lie inside of the frame, and every execution is covered by a path for which it was checked.
/// </summary>
internal sealed class StackAccesses(int slots)
{
    [Flags]
    private enum Kinds : byte
    {
        None = 0,
        Read = 1,
        Written = 2,

        /// <summary>Anything that the function's frame holds may be accessed.</summary>
        Open = 4,

        /// <summary>Frames of callers are accessed.</summary>
        Callers = 8,
    }

    private readonly short[] _low = new short[slots];
    private readonly short[] _high = new short[slots];
    private readonly Kinds[] _kinds = new Kinds[slots];
    private readonly Dictionary<(int Slot, int Argument), StackAccess> _arguments = [];

    /// <summary>The instruction, or a function that it calls, accesses bytes in [low, high), counted from the frame's top.</summary>
    public void Note(int slot, int low, int high, bool isWritten)
    {
        _low[slot] = (short)Math.Min(_low[slot], low);
        _high[slot] = (short)((_kinds[slot] & (Kinds.Read | Kinds.Written)) == 0 ? high : Math.Max(_high[slot], high));
        _kinds[slot] |= isWritten ? Kinds.Written : Kinds.Read;
    }

    /// <summary>A helper accesses bytes in [low, high) through an argument.</summary>
    public void NoteArgument(int slot, int argument, int low, int high, bool isWritten)
    {
        if (_arguments.TryGetValue((slot, argument), out StackAccess known))
            (low, high, isWritten) = (Math.Min(low, known.Low), Math.Max(high, known.High), isWritten || known.IsWritten);
        _arguments[(slot, argument)] = new StackAccess(low, high, isWritten);
    }

    /// <summary>It is not known what the instruction, or what it calls, accesses.</summary>
    public void NoteOpen(int slot) => _kinds[slot] |= Kinds.Open;

    /// <summary>The instruction, or what it calls, accesses the frame of a function that called its own.</summary>
    public void NoteCallers(int slot) => _kinds[slot] |= Kinds.Callers;

    public bool AccessesCallers(int slot) => (_kinds[slot] & (Kinds.Callers | Kinds.Open)) != 0;

    public void Merge(StackAccesses other)
    {
        foreach (((int slot, int argument), StackAccess access) in other._arguments)
            NoteArgument(slot, argument, access.Low, access.High, access.IsWritten);
        for (int slot = 0; slot < _kinds.Length; slot++)
        {
            Kinds kinds = other._kinds[slot];
            if ((kinds & (Kinds.Read | Kinds.Written)) != 0)
                Note(slot, other._low[slot], other._high[slot], (kinds & Kinds.Written) != 0);
            _kinds[slot] |= kinds;
        }
    }

    /// <summary>All accesses of an instruction that was reached.</summary>
    public ImmutableArray<StackAccess> At(int slot)
    {
        const int MaximumArguments = 5;
        Kinds kinds = _kinds[slot];
        if ((kinds & Kinds.Open) != 0)
            return [new StackAccess(-8 * FrameState.StackSlots, 0, IsWritten: true)];
        var accesses = ImmutableArray.CreateBuilder<StackAccess>();
        if ((kinds & (Kinds.Read | Kinds.Written)) != 0)
            accesses.Add(new StackAccess(_low[slot], _high[slot], (kinds & Kinds.Written) != 0));
        for (int argument = 1; argument <= MaximumArguments && _arguments.Count > 0; argument++)
        {
            if (_arguments.TryGetValue((slot, argument), out StackAccess access))
                accesses.Add(access);
        }

        return accesses.ToImmutable();
    }
}
