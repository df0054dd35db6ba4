using BpfPpcc.Bpf;

namespace BpfPpcc.Verification;

/// <summary>
/// The classes of all registers and of the aligned 8-byte slots of the stack frames that the running function can reach: its own, which
/// comes last, and those of its callers if a pointer into one of them was passed on. Frames are shared between states until written.
/// </summary>
internal sealed class PointerState
{
    private const int SlotBytes = 8;
    private const int SlotCount = PointerClass.FrameBytes / SlotBytes;

    private readonly PointerClass[] _registers = new PointerClass[BpfEncoding.RegisterCount];

    /// <summary>By depth; null while every slot is <see cref="PointerKind.None"/>.</summary>
    private readonly PointerClass[]?[] _frames;

    /// <summary>Bit d: this state alone refers to frame d and may write it.</summary>
    private int _owned;

    /// <summary>The state at a function's entry, with empty registers but r10.</summary>
    /// <param name="callers">Frames of the callers, or empty.</param>
    private PointerState(ReadOnlySpan<PointerClass[]?> callers)
    {
        _frames = new PointerClass[]?[callers.Length + 1];
        callers.CopyTo(_frames);
        _registers[BpfEncoding.FramePointer] = PointerClass.Frame(callers.Length, 0);
    }

    private PointerState(PointerState source)
    {
        source._registers.AsSpan().CopyTo(_registers);
        _frames = source._frames.AsSpan().ToArray();
        source._owned = 0;
    }

    /// <summary>How many frames lie below the function's own.</summary>
    public int Depth => _frames.Length - 1;

    public PointerClass this[int register]
    {
        get => _registers[register];
        set => _registers[register] = value;
    }

    /// <summary>The entry of a function that sees no frame but its own.</summary>
    public static PointerState Entry() => new(ReadOnlySpan<PointerClass[]?>.Empty);

    /// <summary>The entry of a function that this one calls.</summary>
    /// <param name="seesFrames">A pointer to a frame is among its arguments.</param>
    public PointerState EnterCallee(bool seesFrames)
    {
        _owned = 0;
        return new PointerState(seesFrames ? _frames : ReadOnlySpan<PointerClass[]?>.Empty);
    }

    public PointerState Clone() => new(this);

    /// <summary>Takes over what a callee that saw this state's frames left in them.</summary>
    public void LeaveCallee(PointerState exit)
    {
        if (exit.Depth == 0)
            return;
        for (int depth = 0; depth < _frames.Length; depth++)
            _frames[depth] = exit._frames[depth];
        _owned = 0;
        exit._owned = 0;
    }

    /// <summary>At the function's exit: its own frame is gone, and what points to it points nowhere.</summary>
    public void DropOwnFrame()
    {
        if (PointsToOwnFrame(_registers[0]))
            _registers[0] = PointerClass.None;
        for (int depth = 0; depth < Depth; depth++)
        {
            for (int slot = 0; slot < SlotCount && _frames[depth] is { } frame; slot++)
            {
                if (PointsToOwnFrame(frame[slot]))
                    Put(depth, slot, PointerClass.None);
            }
        }
    }

    /// <summary>r1..r5 hold nothing after a call.</summary>
    public void ClobberArguments()
    {
        for (int register = 1; register <= 5; register++)
            _registers[register] = PointerClass.None;
    }

    /// <summary>The class of the 8 bytes at <paramref name="address"/>, which is frame-like.</summary>
    public PointerClass Load(PointerClass address)
    {
        if (address.Kind == PointerKind.Frame)
            return IsSlot(address.Offset) ? _frames[address.Index]?[SlotOf(address.Offset)] ?? PointerClass.None : PointerClass.None;
        PointerClass value = PointerClass.Other;
        foreach (PointerClass[]? frame in FramesOf(address))
        {
            for (int slot = FirstSlot(address); frame is not null && slot < SlotCount; slot++)
                value = PointerClass.Join(value, frame[slot]);
        }

        return value;
    }

    /// <summary>Stores <paramref name="size"/> bytes at <paramref name="address"/>, which is frame-like.</summary>
    public void Store(PointerClass address, int size, PointerClass value)
    {
        if (address.Kind == PointerKind.MaybeFrame)
        {
            if (size == SlotBytes && value.Kind != PointerKind.None)
                StoreSomewhere(address, value);
            return;
        }

        if (size == SlotBytes && IsSlot(address.Offset))
        {
            Put(address.Index, SlotOf(address.Offset), value);
            return;
        }

        // Part of a pointer is overwritten: what remains is none.
        int first = Math.Max(address.Offset, -PointerClass.FrameBytes);
        int last = Math.Min(address.Offset + size - 1, -1);
        for (int slot = SlotOf(first); first <= last && slot <= SlotOf(last); slot++)
            Put(address.Index, slot, PointerClass.None);
    }

    /// <summary>Joins into every slot that <paramref name="target"/> may mean the class that the source has at the same distance.</summary>
    public void CopySomewhere(PointerClass target, PointerClass source)
    {
        for (int distance = 0; distance < PointerClass.FrameBytes; distance += SlotBytes)
        {
            PointerClass value = source.IsFrameLike ? Load(source.Plus(distance)) : PointerClass.None;
            PointerClass place = target.Plus(distance);
            if (value.Kind == PointerKind.None)
                continue;
            if (place.Kind == PointerKind.MaybeFrame)
                StoreSomewhere(place, value);
            else if (IsSlot(place.Offset))
                JoinSlot(place.Index, SlotOf(place.Offset), value);
        }
    }

    /// <summary>Joins <paramref name="other"/>, a state of the same depth, into this one; true if that changed anything.</summary>
    public bool JoinWith(PointerState other)
    {
        bool changed = false;
        for (int register = 0; register < _registers.Length; register++)
        {
            PointerClass joined = PointerClass.Join(_registers[register], other._registers[register]);
            changed |= joined != _registers[register];
            _registers[register] = joined;
        }

        return JoinFramesWith(other) || changed;
    }

    /// <summary>The same for the frames only.</summary>
    public bool JoinFramesWith(PointerState other)
    {
        bool changed = false;
        for (int depth = 0; depth < Math.Min(_frames.Length, other._frames.Length); depth++)
        {
            PointerClass[]? theirs = other._frames[depth];
            if (theirs is null || ReferenceEquals(theirs, _frames[depth]))
                continue;
            for (int slot = 0; slot < SlotCount; slot++)
                changed |= JoinSlot(depth, slot, theirs[slot]);
        }

        return changed;
    }

    /// <summary>Whether every class is the same.</summary>
    public bool SameAs(PointerState other)
    {
        if (_frames.Length != other._frames.Length || !_registers.AsSpan().SequenceEqual(other._registers))
            return false;
        for (int depth = 0; depth < _frames.Length; depth++)
        {
            if (!SameFrame(_frames[depth], other._frames[depth]))
                return false;
        }

        return true;
    }

    private bool PointsToOwnFrame(PointerClass value) => value.IsFrameLike && value.Index == Depth;

    private static bool SameFrame(PointerClass[]? a, PointerClass[]? b)
    {
        if (ReferenceEquals(a, b))
            return true;
        for (int slot = 0; slot < SlotCount; slot++)
        {
            if ((a is null ? PointerClass.None : a[slot]) != (b is null ? PointerClass.None : b[slot]))
                return false;
        }

        return true;
    }

    private void StoreSomewhere(PointerClass address, PointerClass value)
    {
        int firstDepth = address.Index < 0 ? 0 : address.Index;
        int lastDepth = address.Index < 0 ? Depth : address.Index;
        for (int depth = firstDepth; depth <= lastDepth; depth++)
        {
            for (int slot = FirstSlot(address); slot < SlotCount; slot++)
                JoinSlot(depth, slot, value);
        }
    }

    private ReadOnlySpan<PointerClass[]?> FramesOf(PointerClass address) =>
        address.Index < 0 ? _frames : _frames.AsSpan(address.Index, 1);

    private bool JoinSlot(int depth, int slot, PointerClass value)
    {
        PointerClass old = _frames[depth] is { } frame ? frame[slot] : PointerClass.None;
        PointerClass joined = PointerClass.Join(old, value);
        if (joined == old)
            return false;
        Put(depth, slot, joined);
        return true;
    }

    private void Put(int depth, int slot, PointerClass value)
    {
        PointerClass[]? frame = _frames[depth];
        if ((frame is null ? PointerClass.None : frame[slot]) == value)
            return;
        if ((_owned >> depth & 1) == 0)
        {
            frame = frame is null ? new PointerClass[SlotCount] : frame.AsSpan().ToArray();
            _frames[depth] = frame;
            _owned |= 1 << depth;
        }

        frame![slot] = value;
    }

    private static bool IsSlot(int offset) => offset is >= -PointerClass.FrameBytes and <= -SlotBytes && offset % SlotBytes == 0;

    private static int SlotOf(int offset) => (offset + PointerClass.FrameBytes) / SlotBytes;

    private static int FirstSlot(PointerClass address) => SlotOf(Math.Clamp(address.Offset, -PointerClass.FrameBytes, 0));
}
