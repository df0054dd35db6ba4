using BpfPpcc.Bpf;
using BpfPpcc.Tests.Differential;
using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Verification.Fuzz;

/// <summary>
/// Random programs that give the verifier work: packets, maps, the stack, bounded numbers as offsets, loops, calls, resources. A seed gives
/// one program. Most are valid, or would be but for a few mistakes of the kinds that people make: a check that is missing, off by one, of the
/// wrong sign or of a copy; the wrong register; a resource that is not given back. The generator only believes to know what is valid;
/// whether a program is, is for the kernel to say.
/// </summary>
internal sealed partial class StressGenerator
{
    private readonly Prng _random;
    private readonly StressProgramType _type;
    private readonly List<Slot> _slots = [];
    private readonly List<(int Slot, Target Target)> _jumps = [];
    private readonly List<(int Slot, int Subprogram)> _calls = [];
    private readonly List<int> _subprograms = [];
    private readonly Target _out = new();
    private StressState _state = new();
    private int _nextTag = 1;
    private int _mistakes;
    private int _statements;
    private bool _isSubprogram;

    /// <summary>With division, negation and byte swaps, of whose results Linux 6.12 knows nothing.</summary>
    private readonly bool _divides;

    private StressGenerator(Prng random)
    {
        _random = random;
        _type = StressProgramType.All[random.Weighted(StressProgramType.Weights)];
        _divides = random.Chance(20);
        _mistakes = random.Pick(0, 0, 0, 0, 0, 1, 1, 2);
    }

    /// <summary>Programs of nothing but lookups, numbers and what <see cref="LateUse"/> makes, with mistakes in the latter.</summary>
    public static StressProgram GenerateLateUses(ulong seed)
    {
        var random = new Prng(seed * 0x9e6c_63d0_876a_68ad + 7);
        var generator = new StressGenerator(random) { _weights = LateUseWeights, _mistakes = 1 };
        return new StressProgram($"l{seed}", generator._type.Type, generator._type.AttachType, generator.Program(), []);
    }

    private sealed class Target
    {
        public int Position { get; set; } = -1;
    }

    public static StressProgram Generate(ulong seed)
    {
        var random = new Prng(seed * 0x9e6c_63d0_876a_68ad + 5);
        var generator = new StressGenerator(random);
        Slot[] slots = generator.Program();
        if (random.Chance(35))
            slots = StressMutator.Mutate(slots, random);
        return new StressProgram($"s{seed}", generator._type.Type, generator._type.AttachType, slots, generator.Input());
    }

    private Slot[] Program()
    {
        _statements = _random.Pick(4, 8, 12, 20, 35);
        int subprograms = _random.Pick(0, 0, 0, 1, 1, 2);
        _state.Registers[1] = new StressValue(StressKind.Context);
        _state.Registers[10] = new StressValue(StressKind.Stack);
        if (_random.Chance(93))
            Move(6, 1);
        if (_random.Chance(60))
            Emit(Slot.MovImm(0, _random.Pick(0, 1, 2)), 0, StressValue.UpTo(2));
        for (int i = 0; i < subprograms; i++)
            _subprograms.Add(-1);
        while (_statements-- > 0)
            Statement(depth: 0);
        Finish();
        for (int i = 0; i < subprograms; i++)
        {
            // The kernel refuses what nothing calls.
            if (_calls.Exists(call => call.Subprogram == i))
                Subprogram(i);
        }

        foreach ((int slot, Target target) in _jumps)
            _slots[slot] = _slots[slot].WithJumpOffset(target.Position - slot - 1);
        foreach ((int slot, int subprogram) in _calls)
            _slots[slot] = Slot.CallLocal(_subprograms[subprogram] - slot - 1);
        return [.. _slots];
    }

    private void Finish()
    {
        while (_state.References.Count > 0 && !Errs(20))
            Release();
        int limit = ExitLimit();
        bool keeps = _state.Registers[0].IsScalar && (limit < 0 || _state.Registers[0].Max is >= 0 and var max && max <= limit);
        if (!keeps && !Errs(10))
            Raw(Slot.MovImm(0, _random.Pick(0, 1, 1)));
        Raw(Slot.Exit);
        Bind(_out);
        Raw(Slot.MovImm(0, Errs(5) ? 7 : _random.Pick(0, 1)));
        Raw(Slot.Exit);
        // Where nothing jumps to it, the second exit is out of reach, which the kernel refuses.
        if (!_jumps.Any(jump => ReferenceEquals(jump.Target, _out)))
            _slots.RemoveRange(_slots.Count - 2, 2);
    }

    /// <summary>The largest result that the type of program may give; -1 if there is no limit.</summary>
    private int ExitLimit() => _isSubprogram ? -1 : _type.Type switch
    {
        BpfProgramType.CGROUP_SKB => _type.AttachType == 1 ? 3 : 1,
        BpfProgramType.CGROUP_SOCK_ADDR or BpfProgramType.SOCK_OPS or BpfProgramType.SK_LOOKUP => 1,
        _ => -1,
    };

    /// <summary>A function of one or two arguments: a pointer that the callers pass, or a number.</summary>
    private void Subprogram(int index)
    {
        _subprograms[index] = _slots.Count;
        _isSubprogram = true;
        _state = new StressState();
        _state.Registers[10] = new StressValue(StressKind.Stack);
        _state.Registers[1] = SubprogramArgument(index);
        _state.Registers[2] = StressValue.UpTo(63);
        _state.Registers[3] = StressValue.Unknown;
        Move(_random.Between(6, 9), _random.Between(1, 2));
        var own = new Target();
        _ownOut = own;
        for (int i = _random.Between(1, 6); i > 0; i--)
            Statement(depth: 1);
        while (_state.References.Count > 0)
            Release();
        if (!_state.Registers[0].IsScalar || _random.Chance(20))
            Raw(Slot.MovImm(0, _random.Between(0, 3)));
        Raw(Slot.Exit);
        if (_jumps.Any(jump => ReferenceEquals(jump.Target, own)))
        {
            Bind(own);
            Raw(Slot.MovImm(0, _random.Pick(0, 1, -1)));
            Raw(Slot.Exit);
        }
    }

    private Target? _ownOut;

    /// <summary>Bit r: register r keeps its value, because a loop needs it in its next round.</summary>
    private int _pinned;

    /// <summary>An address in the frame for that many bytes, from r10.</summary>
    private int StackOffset(int bytes)
    {
        int slots = _isSubprogram ? 12 : _subprograms.Count > 0 ? 36 : StressState.StackSlots;
        int least = (bytes + 7) / 8;
        return -8 * _random.Between(least, Math.Max(slots, least));
    }

    private Target Out => _ownOut ?? _out;

    /// <summary>What the callers of a subprogram pass in r1, so that they and it agree.</summary>
    private static StressValue SubprogramArgument(int index) =>
        new(StressKind.MapValue, Size: StressMaps.ValueSize, Tag: index % 2);

    private byte[] Input()
    {
        int length = _type.RunsOnPacket ? _random.Pick(14, 20, 34, 60, 64, 100)
            : _type.Type is BpfProgramType.RAW_TRACEPOINT or BpfProgramType.SYSCALL ? _random.Pick(64, 96) : 0;
        var bytes = new byte[length];
        for (int i = 0; i < length; i++)
            bytes[i] = (byte)_random.Pick(0, _random.Next(256), _random.Next(256));
        return bytes;
    }

    /// <summary>True if it is time for one of the program's mistakes.</summary>
    private bool Errs(int percent = 6)
    {
        if (_mistakes == 0 || !_random.Chance(percent))
            return false;
        _mistakes--;
        return true;
    }

    private void Raw(Slot slot) => _slots.Add(slot);

    private void Emit(Slot slot, int register, StressValue value)
    {
        _slots.Add(slot);
        _state.Registers[register] = value;
    }

    private void Move(int to, int from) => Emit(Slot.Mov(to, from), to, _state.Registers[from]);

    private void Jump(Slot slot, Target target)
    {
        _jumps.Add((_slots.Count, target));
        _slots.Add(slot);
    }

    private void Bind(Target target) => target.Position = _slots.Count;

    private void LoadMap(int register, int map)
    {
        _slots.AddRange(Slot.LoadImmediate64(register, (ulong)(uint)(StressMaps.FirstNumber + map), StressProgram.MapReference));
        _state.Registers[register] = default;
    }

    /// <summary>A call: r1 to r5 are gone, r0 has the result.</summary>
    private void Call(int helper, StressValue result)
    {
        Raw(Slot.CallHelper(Errs(2) ? _random.Between(1, 211) : helper));
        for (int r = 1; r <= 5; r++)
            _state.Registers[r] = default;
        _state.Registers[0] = result;
    }

    /// <summary>A register that holds such a value, or -1.</summary>
    private int Find(Predicate<StressValue> condition, int from = 0, int to = 10)
    {
        int start = _random.Next(to - from);
        for (int i = 0; i < to - from; i++)
        {
            int register = from + (start + i) % (to - from);
            if (condition(_state.Registers[register]))
                return register;
        }

        return -1;
    }

    private int Find(StressKind kind, int from = 0) => Find(value => value.Kind == kind, from);

    /// <summary>A register to write to: the context and what must be released are kept.</summary>
    private int Fresh(int from = 0, int to = 10)
    {
        for (int attempt = 0; attempt < 12; attempt++)
        {
            int register = from + _random.Next(to - from);
            StressValue value = _state.Registers[register];
            if ((_pinned >> register & 1) == 0 && value.Kind is not (StressKind.Context or StressKind.Memory or StressKind.Socket or StressKind.MemoryOrNull or StressKind.SocketOrNull)
                && (attempt > 5 || value.Kind is StressKind.None or StressKind.Scalar))
            {
                return register;
            }
        }

        return to - 1;
    }

    /// <summary>A register that calls keep.</summary>
    private int FreshSaved() => Fresh(6, 10);

    /// <summary>The value in a register that calls keep.</summary>
    private int Saved(int register)
    {
        if (register >= 6)
            return register;
        int to = FreshSaved();
        Move(to, register);
        return to;
    }

    private bool HasContext(out int register)
    {
        register = Find(StressKind.Context, 6);
        if (register < 0)
            register = Find(StressKind.Context);
        return register >= 0;
    }
}
