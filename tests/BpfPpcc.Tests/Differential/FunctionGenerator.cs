using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Differential;

/// <summary>What a parameter of a subprogram is.</summary>
/// <param name="Window">0: a scalar; else a pointer to this many readable and writable bytes, aligned to 8.</param>
internal readonly record struct Parameter(int Window, bool IsContext = false);

/// <summary>A finished function, as its callers see it.</summary>
/// <param name="Cost">Instructions that a call runs at most, roughly.</param>
/// <param name="MakesTailCalls">It or what it calls makes tail calls.</param>
/// <param name="ChainStack">Bytes of stack that it and what it calls need, each frame rounded up to 32.</param>
internal sealed record FunctionSignature(int Index, IReadOnlyList<Parameter> Parameters, long Cost, int ChainStack, int Depth, bool MakesTailCalls);

/// <summary>How a function is to be: what it may use, how long it gets, and what it is full of.</summary>
internal sealed record FunctionPlan
{
    public required int Index { get; init; }

    public required string Name { get; init; }

    public required FunctionPlace Place { get; init; }

    public required IReadOnlyList<Parameter> Parameters { get; init; }

    public required int StackSize { get; init; }

    public required int Statements { get; init; }

    public required int MaxSlots { get; init; }

    /// <summary>Instructions that one run may take, roughly.</summary>
    public required long CostLimit { get; init; }

    public required GeneratorStyle Style { get; init; }

    /// <summary>For the last function: it calls the subprograms that no other does.</summary>
    public bool CallsForgotten { get; init; }
}

/// <summary>
/// Generates one function, statement by statement, from the top down. At every point it knows which registers and stack bytes are written
/// on all paths and what each pointer may reach (<see cref="ProgramState"/>), and only emits what is valid then. Pointers are never
/// used as numbers, so that addresses do not show in results. Loops have counters that their bodies leave alone.
/// </summary>
internal sealed partial class FunctionGenerator
{
    private readonly UnitPlan _unit;
    private readonly FunctionPlan _plan;
    private readonly GeneratorStyle _style;
    private readonly Prng _random;
    private readonly FunctionBuilder _builder = new();
    private readonly int[] _pinned = new int[10];
    private readonly int[] _pinnedSlots;
    private readonly int[] _slotOffsets;
    private readonly bool[] _isReserved;
    private readonly List<Label> _pending = [];
    private readonly Label _exit = new();
    private ProgramState? _state;
    private long _multiplier = 1;
    private long _cost;
    private int _deepestCallee;
    private int _calleeStack;
    private int _contextRegister = -1;
    private int _contextSlot = -1;
    private int _written;
    private bool _makesTailCalls;

    private FunctionGenerator(UnitPlan unit, FunctionPlan plan)
    {
        _unit = unit;
        _plan = plan;
        _style = plan.Style;
        _random = unit.Random;
        _isReserved = new bool[plan.StackSize];
        _slotOffsets = ChooseSlots();
        _pinnedSlots = new int[_slotOffsets.Length];
        _state = new ProgramState(plan.StackSize, _slotOffsets.Length);
    }

    /// <summary>Generates a function and tells the unit of it.</summary>
    public static TestFunction Generate(UnitPlan unit, FunctionPlan plan)
    {
        var generator = new FunctionGenerator(unit, plan);
        generator.Begin();
        if (plan.CallsForgotten && unit.Random.Coin())
            generator.CallForgotten();
        generator.Block(plan.Statements, depth: 0);
        if (plan.CallsForgotten)
            generator.CallForgotten();
        generator.End();
        int chain = (Math.Max(plan.StackSize, 1) + 31 & ~31) + generator._calleeStack;
        unit.Signatures.Add(new FunctionSignature(plan.Index, plan.Parameters, generator._cost + 1, chain, generator._deepestCallee + 1, generator._makesTailCalls));
        TestFunction function = generator._builder.Build(plan.Name, plan.Place, out IReadOnlyList<int> choices);
        unit.Choices.Add(choices);
        return function;
    }

    // Some 8-byte slots of the frame hold whole registers, also pointers; the other bytes are for numbers of every width.
    private int[] ChooseSlots()
    {
        int count = Math.Min(_plan.StackSize / 16, _random.Next(5));
        var offsets = new List<int>();
        for (int i = 0; i < count; i++)
        {
            int at = 8 * _random.Next(_plan.StackSize / 8);
            if (_isReserved[at])
                continue;
            _isReserved.AsSpan(at, 8).Fill(true);
            offsets.Add(at);
        }

        return [.. offsets];
    }

    private ProgramState State => _state ?? throw new InvalidOperationException("generates code that is not reached");

    private bool IsReachable => _state is not null;

    private void Emit(Slot slot)
    {
        if (_state is null)
            throw new InvalidOperationException("generates code that is not reached");
        _builder.Emit(slot);
        _cost += _multiplier;
        if ((slot.Opcode & 7) is 1 or 4 or 7)
            _written = slot.Dst;
        else if ((slot.Opcode & 0xe7) == 0xc3 && (slot.Imm & 1) != 0)
            _written = slot.Imm == 0xf1 ? 0 : slot.Src;
    }

    private void Emit(ReadOnlySpan<Slot> slots)
    {
        foreach (Slot slot in slots)
            Emit(slot);
    }

    private void Begin()
    {
        for (int i = 0; i < _plan.Parameters.Count; i++)
        {
            Parameter parameter = _plan.Parameters[i];
            State.Registers[i + 1] = parameter.Window == 0 ? Value.Scalar : Value.Pointer(parameter.Window) with { IsContext = parameter.IsContext };
        }

        // The context stays at hand: in a register that calls preserve, or in a stack slot.
        for (int i = 0; i < _plan.Parameters.Count; i++)
        {
            if (!_plan.Parameters[i].IsContext)
                continue;
            if (_slotOffsets.Length > 0 && _random.Chance(25))
            {
                _contextSlot = 0;
                StoreSlot(0, i + 1);
                _pinnedSlots[0]++;
            }
            else
            {
                _contextRegister = _random.Chance(60) ? 6 : _random.Between(7, 9);
                Move(_contextRegister, i + 1);
                _pinned[_contextRegister]++;
            }
        }

        if (_random.Chance(25))
            EarlyExits();
        if (_unit.IsChain && _unit.Signatures.Count > 0)
            CallSubprogram(_unit.Signatures[^1]);
        if (_style.FillsRegisters)
        {
            for (int r = 0; r <= 9; r++)
            {
                if (State.Registers[r].Kind == ValueKind.Unknown && _pinned[r] == 0)
                    MakeScalar(r);
            }
        }

        if (_style.FillsStack)
        {
            for (int at = 0; at < _plan.StackSize; at += 8)
            {
                if (!_isReserved[at])
                    InitialiseBytes(at, 8);
            }
        }
    }

    /// <summary>Statements, one after the other; jumps of theirs, and of blocks inside, may go to labels between them.</summary>
    private void Block(int statements, int depth)
    {
        int first = _pending.Count;
        for (int i = 0; i < statements && _builder.Count < _plan.MaxSlots; i++)
        {
            if (_pending.Count > first && (!IsReachable || _random.Chance(60)))
                BindPending(_random.Between(first, _pending.Count - 1));
            if (!IsReachable)
                break;
            Statement(depth);
            if (IsReachable && State.Registers[_written].IsScalar && _random.Chance(_style.PercentSunk))
                Sink(_written);
        }

        while (_pending.Count > first)
            BindPending(_pending.Count - 1);
    }

    private void BindPending(int index)
    {
        Label label = _pending[index];
        _pending.RemoveAt(index);
        Bind(label);
    }

    private void Statement(int depth)
    {
        switch (_random.Weighted(_style.Weights))
        {
            case 0:
                Arithmetic();
                break;
            case 1:
                Constant();
                break;
            case 2:
                LoadStatement();
                break;
            case 3:
                StoreStatement();
                break;
            case 4:
                AtomicStatement();
                break;
            case 5:
                PointerStatement();
                break;
            case 6:
                SlotStatement();
                break;
            case 7:
                Idiom();
                break;
            case 8 when depth < 4:
                Conditional(depth);
                break;
            case 9 when depth < 3:
                Loop(depth);
                break;
            case 10:
                CallStatement();
                break;
            case 11:
                ForwardJump();
                break;
            case 12 when depth < 3:
                Ladder(depth);
                break;
            case 13:
                CopyStatement();
                break;
            case 14:
                PatternStatement();
                break;
            default:
                Arithmetic();
                break;
        }
    }

    /// <summary>Subprograms that nothing has called yet are called.</summary>
    private void CallForgotten()
    {
        foreach (FunctionSignature signature in _unit.Signatures)
        {
            if (IsReachable && !_unit.Called.Contains(signature.Index) && CanCall())
                CallSubprogram(signature);
        }
    }

    /// <summary>What the function computed goes into r0 and, of a program, into the context.</summary>
    private void End()
    {
        Bind(_exit);
        if (!IsReachable)
            return;
        if (!State.Registers[0].IsScalar)
        {
            int from = Array.FindIndex(State.Registers, static v => v.IsScalar);
            if (from >= 0)
                Move(0, from);
            else
                MakeScalar(0);
        }

        for (int r = 1; r <= 9; r++)
        {
            if (State.Registers[r].IsScalar)
                Fold(r);
        }

        FoldStack();
        if (_random.Chance(10))
            Emit(Slot.Alu(0xb, false, 0, 0));
        Emit(Slot.Exit);
        _state = null;
    }

    private void Fold(int r)
    {
        switch (_random.Next(4))
        {
            case 0:
                Emit([Slot.AluImm(0x2, true, 0, _random.Pick(31, 33, 1_000_003, -5)), Slot.Add(0, r)]);
                break;
            case 1:
                Emit(Slot.Alu(0xa, true, 0, r));
                break;
            default:
                Emit([Slot.AluImm(0x2, true, 0, 5), Slot.Alu(0xa, true, 0, r)]);
                break;
        }
    }

    private void FoldStack()
    {
        int keep = _style.FillsStack ? 100 : 50;
        for (int at = 0; at + 8 <= _plan.StackSize; at += 8)
        {
            if (!_isReserved[at] && State.IsInitialised.AsSpan(at, 8).IndexOf(false) < 0 && _random.Chance(keep))
            {
                Emit(Slot.Load(8, 1, 10, at - _plan.StackSize));
                State.Registers[1] = Value.Scalar;
                Fold(1);
            }
        }
    }

    /// <summary>What was just computed becomes part of the result, before something overwrites it.</summary>
    private void Sink(int r)
    {
        int to = Array.FindIndex(State.Registers, v => v.IsPointer && !v.IsReadOnly && v.Low <= 0 && v.High >= 8);
        switch (_random.Next(5))
        {
            case 0 or 1 when to >= 0:
                Emit(Slot.Store(8, to, 8 * _random.Next(State.Registers[to].High / 8), r));
                break;
            case 2:
                int t = Destination(r);
                _builder.EmitReference(Slot.LoadImmediate64(t, 0)[0], SlotReferenceKind.Variable, UnitPlan.Log, 8 * _random.Next(UnitPlan.LogWords));
                State.Registers[t] = Value.Unknown;
                Emit(_random.Coin() ? Slot.Atomic(8, 0x00, t, 0, r) : Slot.Store(8, t, 0, r));
                break;
            default:
                int sum = FreeScalar(r);
                Emit([Slot.AluImm(Mul, true, sum, _random.Pick(3, 5, -7, 31, 1_000_003)), _random.Coin() ? Slot.Add(sum, r) : Slot.Alu(Xor, true, sum, r)]);
                break;
        }
    }

    // ---- registers

    private bool IsFree(int r) => _pinned[r] == 0;

    /// <summary>A register to write to.</summary>
    private int Destination(int except = -1, int except2 = -1)
    {
        for (int attempt = 0; attempt < 1_000; attempt++)
        {
            int r = _random.Next(10);
            if (!IsFree(r) || r == except || r == except2)
                continue;
            if (attempt < 8 && (_style.Registers >> r & 1) == 0)
                continue;
            if (attempt < 20 && State.Registers[r].IsPointer && !_random.Chance(15))
                continue;
            Rescue(r, except, except2);
            return r;
        }

        throw new InvalidOperationException("no register is free");
    }

    /// <summary>A number that is about to be overwritten goes into another first in part of the cases: what it was shall matter to the result.</summary>
    private void Rescue(int r, int except, int except2)
    {
        if (!State.Registers[r].IsScalar || !_random.Chance(45))
            return;
        int start = _random.Next(10);
        for (int i = 0; i < 10; i++)
        {
            int to = (start + i) % 10;
            if (to == r || to == except || to == except2 || !IsFree(to) || !State.Registers[to].IsScalar)
                continue;
            Emit(Slot.Alu(_random.Pick(Add, Xor, Sub), true, to, r));
            return;
        }
    }

    /// <summary>A register that holds a number; makes one if there is none.</summary>
    private int Scalar(int except = -1)
    {
        int start = _random.Next(10);
        for (int i = 0; i < 10; i++)
        {
            int r = (start + i * 3) % 10;
            if (State.Registers[r].IsScalar && r != except)
                return r;
        }

        int made = Destination(except);
        MakeScalar(made);
        return made;
    }

    /// <summary>A register that holds a number and may be changed.</summary>
    private int FreeScalar(int except = -1, int except2 = -1)
    {
        int start = _random.Next(10);
        for (int i = 0; i < 10; i++)
        {
            int r = (start + i * 7) % 10;
            if (State.Registers[r].IsScalar && IsFree(r) && r != except && r != except2)
                return r;
        }

        int made = Destination(except, except2);
        MakeScalar(made);
        return made;
    }

    private void MakeScalar(int r)
    {
        int context = _random.Chance(60) ? Array.FindIndex(State.Registers, static v => v is { IsContext: true, IsPointer: true }) : -1;
        if (context >= 0 && State.Registers[context].High >= 8)
            Emit(Slot.Load(8, r, context, _random.Next(State.Registers[context].High - 7)));
        else
            EmitConstant(r);
        State.Registers[r] = Value.Scalar;
    }

    private void Move(int to, int from)
    {
        Emit(Slot.Mov(to, from));
        State.Registers[to] = State.Registers[from];
    }
}
