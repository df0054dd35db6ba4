namespace BpfPpcc.Verification.Walk;

/// <summary>A resource that must be given back: a socket, a ring buffer record, an iterator, a lock ...</summary>
/// <param name="Id">Of the value that holds it.</param>
/// <param name="Slot">Where it was acquired.</param>
/// <param name="Frame">The callback's frame in which it was acquired, else 0.</param>
/// <param name="IsIrqFlag">The saved state of interrupts, which are disabled until it is restored; the last one saved is restored first.</param>
internal readonly record struct HeldReference(int Id, int Slot, int Frame, bool IsIrqFlag = false);

/// <summary>The spin lock that is held: of which object, and of which lookup of it.</summary>
internal readonly record struct HeldLock(object? Owner, int Id, int Slot);

/// <summary>
/// The state of a path: the call chain with its registers and stacks, and what the program holds. A checkpoint's state is a copy that is
/// never changed; <see cref="Branches"/> says how many paths below it are not at their end.
/// </summary>
internal sealed class VerifierState
{
    private readonly List<FrameState> _frames;

    public VerifierState(FrameState frame)
    {
        _frames = [frame];
        References = [];
    }

    private VerifierState(VerifierState other)
    {
        _frames = new List<FrameState>(other._frames.Count);
        foreach (FrameState frame in other._frames)
            _frames.Add(frame.Clone());
        References = other.References;
        Lock = other.Lock;
        RcuDepth = other.RcuDepth;
        PreemptDepth = other.PreemptDepth;
        MayGotoDepth = other.MayGotoDepth;
        CallbackUnrollDepth = other.CallbackUnrollDepth;
        Parent = other.Parent;
        FirstSlot = other.FirstSlot;
        LastSlot = other.LastSlot;
        DepthFirstDepth = other.DepthFirstDepth;
        LoopEntry = other.LoopEntry;
        IsInSleepable = other.IsInSleepable;
        Branches = other.Branches;
        Jumps = other.Jumps;
    }

    public int FrameCount => _frames.Count;

    public FrameState Frame => _frames[^1];

    /// <summary>Held resources, in the order in which they were acquired.</summary>
    public HeldReference[] References { get; set; }

    public HeldLock? Lock { get; set; }

    public int RcuDepth { get; set; }

    public int PreemptDepth { get; set; }

    /// <summary>The interrupt state that was saved last; 0 while interrupts are as the program found them.</summary>
    public int ActiveIrqId => Array.FindLast(References, static held => held.IsIrqFlag).Id;

    public int MayGotoDepth { get; set; }

    public int CallbackUnrollDepth { get; set; }

    /// <summary>Asynchronous callbacks may sleep or not, whatever the program does.</summary>
    public bool IsInSleepable { get; set; }

    /// <summary>The checkpoint that this path passed last.</summary>
    public VerifierState? Parent { get; set; }

    public int FirstSlot { get; set; }

    public int LastSlot { get; set; }

    public int DepthFirstDepth { get; set; }

    /// <summary>The outermost open loop that this state was found to be part of.</summary>
    public VerifierState? LoopEntry { get; set; }

    public int Branches { get; set; } = 1;

    /// <summary>The jumps since <see cref="Parent"/>, last first, for messages.</summary>
    public JumpTrace? Jumps { get; set; }

    public FrameState FrameAt(int number) => _frames[number];

    public void Push(FrameState frame) => _frames.Add(frame);

    public void Pop() => _frames.RemoveAt(_frames.Count - 1);

    public VerifierState Clone() => new(this);

    /// <summary>Applies <paramref name="change"/> to every register and every spilled register of every frame.</summary>
    public void Rewrite<T>(T argument, Func<RegisterState, T, RegisterState> change)
    {
        foreach (FrameState frame in _frames)
        {
            RegisterState[] registers = frame.Registers;
            for (int i = 0; i < 10; i++)
                registers[i] = change(registers[i], argument);
            for (int i = 0; i < frame.StackLength; i++)
            {
                StackSlot slot = frame[i];
                if (slot.Value is null)
                    continue;
                RegisterState changed = change(slot.Value, argument);
                if (!ReferenceEquals(changed, slot.Value))
                    frame[i] = slot with { Value = changed };
            }
        }
    }

    /// <summary>A new mark for every scalar, so that what is marked from here on is told apart from what was before.</summary>
    public void WrapScalars() => Rewrite(0, static (register, _) => register.IsScalar ? register with { Value = register.Value.Wrap() } : register);
}

/// <summary>A conditional jump on a path.</summary>
internal sealed record JumpTrace(int Slot, bool IsTaken, JumpTrace? Previous);
