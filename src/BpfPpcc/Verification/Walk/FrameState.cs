namespace BpfPpcc.Verification.Walk;

/// <summary>Why a frame runs.</summary>
internal enum FrameRole : byte
{
    /// <summary>A program, a global function verified by itself, or a function called directly.</summary>
    Plain,

    /// <summary>A function called by a helper, before that returns.</summary>
    Callback,

    /// <summary>A function that a timer or work queue calls later.</summary>
    AsyncCallback,
}

/// <summary>
/// The registers and the stack of one call. Owned by one state at a time: <see cref="Clone"/> makes a copy, whose values are shared because
/// they are immutable.
/// </summary>
internal sealed class FrameState
{
    public const int StackSlots = 64;

    private StackSlot?[] _stack;

    public FrameState(int function, int number, int callSite)
    {
        Function = function;
        Number = number;
        CallSite = callSite;
        Registers = new RegisterState[11];
        Array.Fill(Registers, RegisterState.NotInit);
        _stack = [];
    }

    private FrameState(FrameState other)
    {
        Function = other.Function;
        Number = other.Number;
        CallSite = other.CallSite;
        Role = other.Role;
        CallbackResult = other.CallbackResult;
        IsOnePass = other.IsOnePass;
        AsyncEntry = other.AsyncEntry;
        CallbackDepth = other.CallbackDepth;
        Registers = (RegisterState[])other.Registers.Clone();
        _stack = other._stack.Length == 0 ? [] : (StackSlot?[])other._stack.Clone();
    }

    /// <summary>Index of the function that runs.</summary>
    public int Function { get; }

    /// <summary>0 for the outermost frame.</summary>
    public int Number { get; }

    /// <summary>Slot of the call instruction in the caller's code, or -1.</summary>
    public int CallSite { get; }

    public FrameRole Role { get; init; }

    /// <summary>Of a callback: the range of results that its caller takes.</summary>
    public (long Min, long Max) CallbackResult { get; init; }

    /// <summary>Of a callback: it returns behind the call, which does not enter it again.</summary>
    public bool IsOnePass { get; init; }

    /// <summary>Distinguishes the entries into asynchronous callbacks.</summary>
    public int AsyncEntry { get; init; }

    /// <summary>How often a callback was entered by the call instruction that runs in this frame.</summary>
    public int CallbackDepth { get; set; }

    public RegisterState[] Registers { get; }

    /// <summary>Slots in use, the highest address first.</summary>
    public int StackLength => _stack.Length;

    /// <summary>Bytes from [r10 - 8 * (index + 1)] on.</summary>
    public StackSlot this[int index]
    {
        get => index < _stack.Length ? _stack[index] ?? StackSlot.Invalid : StackSlot.Invalid;
        set
        {
            if (index >= _stack.Length)
                Array.Resize(ref _stack, index + 1);
            _stack[index] = value;
        }
    }

    public FrameState Clone() => new(this);
}
