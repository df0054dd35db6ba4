namespace BpfPpcc.Tests.Differential;

/// <summary>What a program looks up when it calls a helper: registers r1 to r5 in, r0 out.</summary>
public delegate ulong HelperCall(int id, ReadOnlySpan<ulong> arguments);

/// <summary>LD_ABS and LD_IND: the packet's bytes at an offset in network byte order, or null where the packet has none.</summary>
public delegate ulong? PacketLoad(uint offset, int size);

/// <summary>What a prog array holds.</summary>
/// <param name="MaxEntries">Its size.</param>
/// <param name="EntryOf">By index below the size: the slot at which the program starts, or -1 where the array's slot is empty.</param>
public sealed record ProgramArray(uint MaxEntries, Func<uint, int> EntryOf);

/// <summary>
/// The tests' own BPF machine. In come raw 8-byte instruction slots, out comes r0 and what the program did to memory; ruled by RFC 9669, and for
/// tail calls, may_goto, load-acquire, store-release and callx by Linux. It shares nothing with the compiler: neither its decoding nor
/// its arithmetic, since an error in a shared piece would hide itself. What no valid program does is a <see cref="BpfFaultException"/>:
/// access outside of memory, reading a register or stack byte that was not written, running too long.
/// </summary>
public sealed partial class ReferenceInterpreter
{
    public const int StackSize = 512;
    public const int MaxTailCalls = 33;
    public const int TailCallHelper = 12;
    public const uint MayGotoBudget = 8_388_608;

    /// <summary>Addresses of functions: this plus 8 for each slot in front of it.</summary>
    public ulong CodeAddress { get; init; } = 0xc0de_0000_0000_0000;

    private const int MaxDepth = 8;
    private const int ObservedVisits = 8;

    private readonly Decoded[] _code;
    private readonly bool _isBigEndian;
    private readonly InterpreterMemory _memory;
    private readonly ulong[] _r = new ulong[11];
    private readonly bool[] _known = new bool[11];
    private readonly List<Frame> _frames = [];
    private readonly byte[] _visits;
    private int _tailCalls;
    private int _current;

    public ReferenceInterpreter(ReadOnlySpan<byte> code, InterpreterMemory memory, bool isBigEndian = false)
        : this(new InterpretedCode(code, isBigEndian), memory)
    {
    }

    public ReferenceInterpreter(InterpretedCode code, InterpreterMemory memory)
    {
        _memory = memory;
        _isBigEndian = code.IsBigEndian;
        _code = code.Slots;
        Executed = new bool[_code.Length];
        _visits = new byte[_code.Length];
    }

    public long StepLimit { get; init; } = 50_000_000;

    public HelperCall? Helper { get; init; }

    /// <summary>How many of r1 to r5 a helper reads; they must have been written.</summary>
    public Func<int, int>? HelperArity { get; init; }

    public PacketLoad? Packet { get; init; }

    /// <summary>The prog array at an address, or null.</summary>
    public Func<ulong, ProgramArray?>? ProgramArrayAt { get; init; }

    public Coverage? Coverage { get; init; }

    /// <summary>Called with the slot before each instruction.</summary>
    public Action<int>? BeforeStep { get; init; }

    /// <summary>The value of a register, or null if nothing was written to it.</summary>
    public ulong? RegisterOrNull(int register) => _known[register] ? _r[register] : null;

    /// <summary>Frames of the calls that run, the outermost first.</summary>
    public IEnumerable<MemoryRegion> Stacks => _frames.Select(static frame => frame.Stack);

    /// <summary>By slot: whether it ever ran.</summary>
    public bool[] Executed { get; }

    public long Steps { get; private set; }

    public int DeepestCall { get; private set; }

    /// <summary>Runs from a slot until the program's own exit and returns r0.</summary>
    /// <param name="arguments">r1 and on, at most five.</param>
    public ulong Run(int entry, params ReadOnlySpan<ulong> arguments)
    {
        _frames.Clear();
        _tailCalls = 0;
        Array.Clear(_known);
        Array.Clear(_r);
        for (int i = 0; i < arguments.Length; i++)
            Write(i + 1, arguments[i]);
        PushFrame(returnSlot: -1, depth: 1);
        int slot = entry;
        try
        {
            while (slot >= 0)
                slot = Step(slot);
        }
        catch (BpfFaultException fault)
        {
            if (fault.Slot < 0)
                fault.Slot = _current;
            throw;
        }

        return _r[0];
    }

    private int Step(int slot)
    {
        _current = slot;
        if ((uint)slot >= (uint)_code.Length)
            throw new BpfFaultException("runs off the program");
        if (++Steps > StepLimit)
            throw new BpfFaultException("runs too long");
        Executed[slot] = true;
        BeforeStep?.Invoke(slot);
        if (_visits[slot] < ObservedVisits)
            _visits[slot]++;
        ref readonly Decoded i = ref _code[slot];
        switch (i.Opcode & 7)
        {
            case 0:
                return LoadImmediateOrPacket(slot, in i);
            case 1:
                LoadRegister(in i);
                return slot + 1;
            case 2:
                StoreImmediate(in i);
                return slot + 1;
            case 3:
                if (i.Opcode >> 5 == 6)
                    Atomic(in i);
                else
                    StoreRegister(in i);
                return slot + 1;
            case 4:
                Alu32(in i);
                return slot + 1;
            case 5:
                return Jump64(slot, in i);
            case 6:
                return Jump32(slot, in i);
            default:
                Alu64(in i);
                return slot + 1;
        }
    }

    // Counting costs more than running: of each slot only the first visits are looked at.
    private Coverage? Observed => _visits[_current] < ObservedVisits ? Coverage : null;

    private ulong Read(int register)
    {
        if (register > 10)
            throw new BpfFaultException($"register r{register}");
        if (!_known[register])
            throw new BpfFaultException($"reads r{register}, which was not written");
        return _r[register];
    }

    private void Write(int register, ulong value)
    {
        if (register > 9)
            throw new BpfFaultException($"writes r{register}");
        _r[register] = value;
        _known[register] = true;
    }

    private void Forget(int register)
    {
        _known[register] = false;
        _r[register] = 0xbad0_bad0_bad0_bad0;
    }

    /// <summary>What a call saves and a return restores.</summary>
    private sealed class Frame
    {
        public required MemoryRegion Stack { get; init; }

        /// <summary>Where the caller goes on, -1 for the host.</summary>
        public required int ReturnSlot { get; init; }

        /// <summary>Static depth: 1 for a program, also for one that a tail call entered.</summary>
        public required int Depth { get; init; }

        public ulong[] SavedRegisters { get; } = new ulong[5];

        public bool[] SavedKnown { get; } = new bool[5];

        public uint MayGoto { get; set; } = MayGotoBudget;
    }

    private void PushFrame(int returnSlot, int depth)
    {
        if (depth > MaxDepth)
            throw new BpfFaultException("calls nest too deep");
        var frame = new Frame { Stack = _memory.AddStack(StackSize), ReturnSlot = returnSlot, Depth = depth };
        Array.Copy(_r, 6, frame.SavedRegisters, 0, 5);
        Array.Copy(_known, 6, frame.SavedKnown, 0, 5);
        _frames.Add(frame);
        for (int r = 6; r <= 9; r++)
            Forget(r);
        Forget(0);
        _r[10] = frame.Stack.Address + StackSize;
        _known[10] = true;
        DeepestCall = Math.Max(DeepestCall, depth);
    }

    private int PopFrame()
    {
        Frame frame = _frames[^1];
        _frames.RemoveAt(_frames.Count - 1);
        _memory.RemoveLast();
        Read(0);
        Array.Copy(frame.SavedRegisters, 0, _r, 6, 5);
        Array.Copy(frame.SavedKnown, 0, _known, 6, 5);
        for (int r = 1; r <= 5; r++)
            Forget(r);
        return frame.ReturnSlot;
    }

    private int LocalCall(int target, int returnSlot)
    {
        NoteEscapes("subprogram");
        Observed?.Count("call: subprogram");
        PushFrame(returnSlot, _frames[^1].Depth + 1);
        return target;
    }

    private int HelperOrTailCall(int id, int slot)
    {
        if (id == TailCallHelper)
            return TailCall(slot);
        if (Helper is null)
            throw new BpfFaultException($"helper {id}");
        NoteEscapes("helper");
        Observed?.Count("call: helper");
        for (int r = 1; r <= (HelperArity?.Invoke(id) ?? 0); r++)
            Read(r);
        ulong result = Helper(id, _r.AsSpan(1, 5));
        for (int r = 1; r <= 5; r++)
            Forget(r);
        Write(0, result);
        return slot + 1;
    }

    private int TailCall(int slot)
    {
        ulong context = Read(1);
        ProgramArray array = ProgramArrayAt?.Invoke(Read(2)) ?? throw new BpfFaultException("r2 is no prog array");
        uint index = (uint)Read(3);
        string where = _frames[^1].Depth > 1 ? "subprogram" : "program";
        int target = -1;
        if (index >= array.MaxEntries)
            Coverage?.Count($"tail call: from {where}, index out of range");
        else if (_tailCalls >= MaxTailCalls)
            Coverage?.Count($"tail call: from {where}, limit reached");
        else if ((target = array.EntryOf(index)) < 0)
            Coverage?.Count($"tail call: from {where}, empty slot");
        for (int r = 0; r <= 5; r++)
            Forget(r);
        if (target < 0)
            return slot + 1;

        Coverage?.Count($"tail call: from {where}, taken");
        _tailCalls++;
        Frame old = _frames[^1];
        _memory.RemoveLast();
        _frames.RemoveAt(_frames.Count - 1);
        PushFrame(old.ReturnSlot, depth: 1);
        Frame replaced = _frames[^1];
        Array.Copy(old.SavedRegisters, replaced.SavedRegisters, 5);
        Array.Copy(old.SavedKnown, replaced.SavedKnown, 5);
        Write(1, context);
        return target;
    }

    private void NoteEscapes(string to)
    {
        if (Observed is null)
            return;
        for (int r = 1; r <= 5; r++)
        {
            if (_known[r] && _memory.RegionOf(_r[r]) is { IsStack: true })
                Observed.Count($"memory: stack address escapes to a {to}");
        }
    }
}
