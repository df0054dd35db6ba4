namespace BpfPpcc.Verification.Walk;

/// <summary>
/// What a walk learned of the code that holds on every path: which instructions are reached, which way jumps go, which kind of memory an
/// access goes to. Value ranges are not among it: a path that was cut short may carry others.
/// </summary>
internal sealed class WalkFacts(CodeImage image)
{
    public bool[] Reached { get; } = new bool[image.Code.Length];

    public bool[] Taken { get; } = new bool[image.Code.Length];

    public bool[] NotTaken { get; } = new bool[image.Code.Length];

    /// <summary>By slot: what the access goes to; NotInit where there was none yet.</summary>
    public RegisterKind[] PointerKinds { get; } = new RegisterKind[image.Code.Length];

    /// <summary>Loads that Linux lets fault, because their pointer is not known to be valid.</summary>
    public bool[] MayFault { get; } = new bool[image.Code.Length];

    /// <summary>What is accessed of the stack, by slot of the function whose frame it is.</summary>
    public StackAccesses Stack { get; } = new(image.Code.Length);

    /// <summary>Bytes of stack, by function.</summary>
    public int[] StackDepth { get; } = new int[image.Module.Functions.Length];

    /// <summary>Global functions that are called and need a walk of their own.</summary>
    public SortedSet<int> CalledGlobals { get; } = [];

    /// <summary>Functions that run as callbacks of timers and work queues.</summary>
    public SortedSet<int> AsyncCallbacks { get; } = [];

    /// <summary>Adds what another walk learned.</summary>
    public void Merge(WalkFacts other)
    {
        for (int slot = 0; slot < Reached.Length; slot++)
        {
            Reached[slot] |= other.Reached[slot];
            Taken[slot] |= other.Taken[slot];
            NotTaken[slot] |= other.NotTaken[slot];
            MayFault[slot] |= other.MayFault[slot];
        }

        Stack.Merge(other.Stack);
        for (int function = 0; function < StackDepth.Length; function++)
            StackDepth[function] = Math.Max(StackDepth[function], other.StackDepth[function]);
    }

    /// <summary>
    /// An access of <paramref name="address"/>. Linux guards those of kernel objects that it does not know to be alive, and of its own
    /// objects that may be gone (convert_ctx_accesses).
    /// </summary>
    public void Note(int slot, RegisterState address) =>
        MayFault[slot] |= address.Kind == RegisterKind.BtfObject
            && ((address.Flags & (PointerFlags.Allocated | PointerFlags.Trusted | PointerFlags.Rcu)) == 0 || address.Has(PointerFlags.Untrusted));
}
