using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Differential;

/// <summary>Statements that branch: conditionals, ladders, jumps forward out of anything, loops of every make.</summary>
internal sealed partial class FunctionGenerator
{
    private static ReadOnlySpan<int> JumpCodes => [0x1, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7, 0xa, 0xb, 0xc, 0xd];

    private readonly List<Label> _continues = [];

    private void Bind(Label label)
    {
        _state = ProgramState.Meet(_state, label.State);
        _builder.Bind(label);
    }

    private void Meet(Label label) => label.State = ProgramState.Meet(label.State, State);

    private void JumpTo(Label label)
    {
        Meet(label);
        _cost += _multiplier;
        _builder.EmitJump(_random.Chance(20) ? Slot.GotoLong(0) : Slot.Goto(0), label);
        _state = null;
    }

    private void JumpIf(Slot condition, Label label, bool isChoice = false)
    {
        Meet(label);
        _cost += _multiplier;
        _builder.EmitJump(condition, label, isChoice);
    }

    /// <summary>A conditional jump on something that goes either way.</summary>
    private void JumpSomehow(Label label)
    {
        if (_random.Chance(4) && Array.FindIndex(State.Registers, static v => v.IsPointer) is >= 0 and var pointer)
        {
            JumpIf(Slot.JumpImm(_random.Pick(0x1, 0x5), true, pointer, 0, 0), label, isChoice: true);
            return;
        }

        bool is64 = Is64();
        int code = _random.Pick(JumpCodes);
        int a = Fresh();
        int immediate = _random.Immediate();
        if (_random.Chance(25))
        {
            int near = code == 0x4 && _random.Coin() ? SingleBit(a) : NearTo(a);
            JumpIf(_random.Coin() ? Slot.Jump(code, is64, a, near, 0) : Slot.Jump(code, is64, near, a, 0), label, isChoice: true);
            return;
        }

        if (_random.Chance(55))
        {
            // Small numbers meet often, in all three ways.
            int t = Destination(a);
            int mask = _random.Pick(1, 3, 7, 15);
            Emit([Slot.Mov(t, a), Slot.AluImm(And, Is64(), t, mask)]);
            State.Registers[t] = Value.Scalar;
            int bias = _random.Chance(30) ? mask / 2 + 1 : 0;
            if (bias != 0)
                Emit(Slot.AluImm(Sub, is64, t, bias));
            a = t;
            immediate = _random.Next(mask + 1) - bias;
        }

        if (_random.Coin())
        {
            JumpIf(Slot.JumpImm(code, is64, a, immediate, 0), label, isChoice: true);
            return;
        }

        int b = Scalar();
        if (_random.Chance(40))
        {
            b = Destination(a);
            Emit(Slot.AluImm(MovOp, Is64(), b, immediate));
            State.Registers[b] = Value.Scalar;
        }

        JumpIf(Slot.Jump(code, is64, a, b, 0), label, isChoice: true);
    }

    /// <summary>A number, often one that the input decides.</summary>
    private int Fresh()
    {
        if (_contextRegister < 0 || !_random.Chance(40))
            return Scalar();
        int r = Destination();
        int size = _random.Pick(1, 2, 4, 8);
        Emit(Slot.Load(size, r, _contextRegister, _random.Next(_unit.MemoryLength - 8)));
        State.Registers[r] = Value.Scalar;
        return r;
    }

    /// <summary>A number that differs from another in little: where width and sign of a comparison matter.</summary>
    private int NearTo(int a)
    {
        int b = Destination(a);
        switch (_random.Next(6))
        {
            case 0:
                Emit([Slot.Mov(b, a), Slot.AddImm(b, _random.Pick(-1, 1, 0))]);
                break;
            case 1:
                Emit(Slot.Alu(MovOp, false, b, a));
                break;
            case 2:
                Emit(Slot.Alu(MovOp, true, b, a, _random.Pick(8, 16, 32)));
                break;
            case 3:
                Emit([.. Slot.LoadImmediate64(b, 1UL << _random.Pick(31, 32, 63, _random.Next(64))), Slot.Alu(_random.Pick(Xor, Add), true, b, a)]);
                break;
            case 4:
                Emit([Slot.Mov(b, a), Slot.AluImm(Lsh, true, b, 32)]);
                break;
            default:
                Emit([Slot.Mov(b, a), Slot.AluImm(Neg, Is64(), b, 0)]);
                break;
        }

        State.Registers[b] = Value.Scalar;
        return b;
    }

    private int SingleBit(int except)
    {
        int b = Destination(except);
        Emit(Slot.LoadImmediate64(b, 1UL << _random.Next(64) | 1UL << _random.Between(32, 63)));
        State.Registers[b] = Value.Scalar;
        return b;
    }

    private void Conditional(int depth)
    {
        var otherwise = new Label();
        JumpSomehow(otherwise);
        _unit.Shape.Count("shape: conditional");
        int before = _builder.Count;
        if (_style.HugeBlocks > 0 && _multiplier == 1)
            HugeBody();
        else if (_random.Chance(4) && depth < 3)
            LeaveEarly();
        else
            Block(_random.Between(1, _style.BlockLength), depth + 1);
        if (_builder.Count - before > 8_500)
            _unit.Shape.Count("shape: conditional over more than 8,500 instructions");
        if (_random.Coin())
        {
            Bind(otherwise);
            return;
        }

        var end = new Label();
        if (IsReachable)
            JumpTo(end);
        Bind(otherwise);
        Block(_random.Between(1, _style.BlockLength), depth + 1);
        Bind(end);
    }

    private void LeaveEarly()
    {
        if (_random.Coin())
        {
            JumpTo(_exit);
            return;
        }

        if (!State.Registers[0].IsScalar)
        {
            if (!IsFree(0))
                return;
            MakeScalar(0);
        }

        _unit.Shape.Count("shape: exit in the middle");
        Emit(Slot.Exit);
        _state = null;
    }

    /// <summary>More instructions than a conditional branch of PPC64 reaches over; all of them matter to the result.</summary>
    private void HugeBody()
    {
        int instructions = _style.HugeBlocks;
        for (int start = _builder.Count; _builder.Count - start < instructions;)
        {
            int a = FreeScalar();
            int b = Scalar();
            switch (_random.Next(8))
            {
                case 0:
                    Emit(Slot.AluImm(Mul, true, a, _random.Immediate() | 1));
                    break;
                case 1:
                    Emit(Slot.AluImm(_random.Pick(Add, Xor), true, a, _random.Immediate()));
                    break;
                case 2 when a != b:
                    Emit(Slot.Alu(Sub, true, a, b));
                    break;
                case 3 when a != b:
                    Emit(Slot.Alu(Xor, true, a, b));
                    break;
                case 4:
                    StoreStatement();
                    break;
                case 5:
                    LoadStatement();
                    break;
                default:
                    if (a != b)
                        Emit(Slot.Add(a, b));
                    break;
            }
        }
    }

    /// <summary>A jump out of here to a label further on, in this block or in one around it.</summary>
    private void ForwardJump()
    {
        if (_pending.Count == 0 || _random.Coin())
            _pending.Add(new Label());
        if (_continues.Count > 0 && _random.Chance(20))
        {
            JumpSomehow(_continues[^1]);
            return;
        }

        JumpSomehow(_random.Chance(2) ? _exit : _pending[_random.Next(_pending.Count)]);
        if (_random.Chance(10))
        {
            // An empty jump, and a jump to a jump.
            var here = new Label();
            JumpTo(here);
            Bind(here);
        }
    }

    private void Ladder(int depth)
    {
        int cases = _random.Between(3, 8);
        int from = Fresh();
        int t = Destination(from);
        Emit([Slot.Mov(t, from), Slot.AluImm(And, Is64(), t, 7)]);
        State.Registers[t] = Value.Scalar;
        _unit.Shape.Count("shape: ladder");
        var end = new Label();
        Label[] labels = [.. Enumerable.Range(0, cases).Select(static _ => new Label())];
        bool is64 = Is64();
        int step = _random.Pick(1, 1, 2);
        for (int i = 0; i < cases; i++)
            JumpIf(Slot.JumpImm(_random.Chance(90) ? 0x1 : 0x3, is64, t, i * step, 0), labels[i]);
        Block(_random.Between(0, 2), depth + 1);
        foreach (Label label in labels)
        {
            if (IsReachable && _random.Chance(80))
                JumpTo(end);
            Bind(label);
            Block(_random.Between(1, 3), depth + 1);
        }

        Bind(end);
    }

    // ---- loops

    private enum LoopKind
    {
        CountDown,
        CountUp,
        CountInMemory,
        ShiftOut,
        MayGoto,
        Walk,
    }

    private void Loop(int depth)
    {
        int free = _pinned.Count(static p => p == 0);
        int most = (int)Math.Min(_style.LongestLoop, (_plan.CostLimit - _cost) / (_multiplier * 12));
        if (free < 5 || most < 2)
        {
            Conditional(depth);
            return;
        }

        var kind = (LoopKind)_random.Next(6);
        if (kind == LoopKind.CountInMemory && _slotOffsets.Length == 0)
            kind = LoopKind.CountDown;
        int trips = _random.Between(1, Math.Min(most, _random.Pick(4, 10, 40)));
        PinPointers();
        switch (kind)
        {
            case LoopKind.CountDown:
                CountDown(depth, trips);
                break;
            case LoopKind.CountUp:
                CountUp(depth, trips);
                break;
            case LoopKind.CountInMemory:
                CountInMemory(depth, trips);
                break;
            case LoopKind.ShiftOut:
                ShiftOut(depth, trips);
                break;
            case LoopKind.MayGoto:
                MayGotoLoop(depth, trips);
                break;
            case LoopKind.Walk:
                Walk(trips);
                break;
        }

        _unit.Shape.Count($"shape: loop, {kind}{(depth > 0 ? ", nested" : "")}");
        UnpinPointers();
    }

    private readonly Stack<(List<int> Registers, List<int> Slots)> _loopPins = [];

    /// <summary>Pointers that live through a loop stay as they are in it; the others are forgotten.</summary>
    private void PinPointers()
    {
        var registers = new List<int>();
        var slots = new List<int>();
        for (int r = 0; r < 10; r++)
        {
            if (!State.Registers[r].IsPointer)
                continue;
            if (_pinned[r] > 0 || _random.Chance(60) && _pinned.Count(static p => p == 0) > 5)
            {
                registers.Add(r);
                _pinned[r]++;
            }
            else
            {
                State.Registers[r] = Value.Unknown;
            }
        }

        for (int i = 0; i < _slotOffsets.Length; i++)
        {
            if (State.Slots[i].Kind == ValueKind.Unknown)
                continue;
            slots.Add(i);
            _pinnedSlots[i]++;
        }

        _loopPins.Push((registers, slots));
    }

    private void UnpinPointers()
    {
        (List<int> registers, List<int> slots) = _loopPins.Pop();
        foreach (int r in registers)
            _pinned[r]--;
        foreach (int slot in slots)
            _pinnedSlots[slot]--;
    }

    /// <summary>The loop's body; where it ends, every number that was there at its head is one again.</summary>
    private void Body(int depth, Label breakTo, Label? end = null)
    {
        ProgramState head = State.Clone();
        end ??= new Label();
        _continues.Add(end);
        if (_random.Chance(30))
            JumpSomehow(breakTo);
        Block(_random.Between(1, _style.BlockLength), depth + 1);
        if (IsReachable && _random.Chance(20))
            JumpSomehow(breakTo);
        _continues.RemoveAt(_continues.Count - 1);
        Bind(end);
        if (!IsReachable)
        {
            // No iteration comes to its end: what follows is for the latch only, and the state at the head is right for it.
            _state = head.Clone();
        }

        for (int r = 0; r < 10; r++)
        {
            if (head.Registers[r].IsScalar && !State.Registers[r].IsScalar)
                MakeScalar(r);
        }
    }

    private void CountDown(int depth, int trips)
    {
        int counter = Counter();
        bool is64 = Is64();
        if (_random.Coin())
        {
            int most = 1;
            while (most * 2 + 1 < trips)
                most = most * 2 + 1;
            Emit([Slot.Mov(counter, Scalar()), Slot.AluImm(And, is64, counter, most), Slot.AluImm(_random.Pick(Add, Or), is64, counter, 1)]);
            trips = most + 1;
        }
        else
        {
            Emit(Slot.AluImm(MovOp, is64, counter, trips));
        }

        State.Registers[counter] = Value.Scalar;
        _pinned[counter]++;
        var head = new Label();
        var after = new Label();
        var end = new Label();
        if (_random.Chance(10))
        {
            // A second way in, to the latch: such a loop has no head.
            JumpSomehow(end);
            _unit.Shape.Count("shape: loop, irreducible");
        }

        _multiplier *= trips;
        Bind(head);
        Body(depth, after, end);
        Emit(_random.Coin() ? Slot.AluImm(Add, is64, counter, -1) : Slot.AluImm(Sub, is64, counter, 1));
        int t = counter;
        JumpIf(_random.Next(4) switch
        {
            0 => Slot.JumpImm(0x6, is64, t, 0, 0),
            1 => Slot.JumpImm(0x7, is64, t, 1, 0),
            2 => Slot.JumpImm(0x2, is64, t, 0, 0),
            _ => Slot.JumpImm(0x5, is64, t, 0, 0),
        }, head);
        _multiplier /= trips;
        Bind(after);
        _pinned[counter]--;
    }

    private void CountUp(int depth, int trips)
    {
        int counter = Counter();
        bool is64 = Is64();
        int step = _random.Pick(1, 1, 2, 3, 7);
        int start = _random.Pick(0, 0, 1, -3, int.MinValue, -trips * step);
        if (!is64 && start < 0)
            start = 0;
        Emit(Slot.AluImm(MovOp, is64, counter, start));
        State.Registers[counter] = Value.Scalar;
        _pinned[counter]++;
        int bound = start + trips * step;
        int limit = -1;
        if (_random.Coin() && _pinned.Count(static p => p == 0) > 5)
        {
            limit = Counter();
            Emit(Slot.MovImm(limit, bound));
            State.Registers[limit] = Value.Scalar;
            _pinned[limit]++;
        }

        var head = new Label();
        var after = new Label();
        _multiplier *= trips + 1;
        Bind(head);
        bool isSigned = start < 0 || _random.Coin();
        int leave = isSigned ? 0x7 : 0x3;
        JumpIf(limit >= 0 ? Slot.Jump(leave, is64, counter, limit, 0) : Slot.JumpImm(leave, is64, counter, bound, 0), after);
        Body(depth, after);
        Emit(Slot.AluImm(Add, is64, counter, step));
        JumpTo(head);
        _multiplier /= trips + 1;
        Bind(after);
        _pinned[counter]--;
        if (limit >= 0)
            _pinned[limit]--;
    }

    private void CountInMemory(int depth, int trips)
    {
        int slot = _random.Next(_slotOffsets.Length);
        if (_pinnedSlots[slot] > 0)
        {
            CountDown(depth, trips);
            return;
        }

        int at = _slotOffsets[slot] - _plan.StackSize;
        Emit(Slot.StoreImm(8, 10, at, trips));
        State.Slots[slot] = Value.Scalar;
        _pinnedSlots[slot]++;
        var head = new Label();
        var after = new Label();
        _multiplier *= trips;
        Bind(head);
        Body(depth, after);
        int t = Destination();
        Emit([Slot.Load(8, t, 10, at), Slot.AddImm(t, -1), Slot.Store(8, 10, at, t)]);
        State.Registers[t] = Value.Scalar;
        JumpIf(Slot.JumpImm(0x5, true, t, 0, 0), head);
        _multiplier /= trips;
        Bind(after);
        _pinnedSlots[slot]--;
    }

    /// <summary>Runs until a number has been shifted out.</summary>
    private void ShiftOut(int depth, int trips)
    {
        int counter = Counter();
        int bits = Math.Min(trips, 16);
        bool is64 = Is64();
        Emit([Slot.Mov(counter, Scalar()), Slot.AluImm(And, is64, counter, (1 << bits) - 1)]);
        State.Registers[counter] = Value.Scalar;
        _pinned[counter]++;
        var head = new Label();
        var after = new Label();
        _multiplier *= bits + 1;
        Bind(head);
        JumpIf(Slot.JumpImm(0x1, is64, counter, 0, 0), after);
        Body(depth, after);
        Emit(Slot.AluImm(Rsh, is64, counter, 1));
        JumpTo(head);
        _multiplier /= bits + 1;
        Bind(after);
        _pinned[counter]--;
    }

    private void MayGotoLoop(int depth, int trips)
    {
        int counter = Counter();
        Emit(Slot.MovImm(counter, trips));
        State.Registers[counter] = Value.Scalar;
        _pinned[counter]++;
        var head = new Label();
        var after = new Label();
        _multiplier *= trips;
        Bind(head);
        JumpIf(Slot.MayGoto(0), after);
        Body(depth, after);
        Emit(Slot.AddImm(counter, -1));
        JumpIf(Slot.JumpImm(0x5, true, counter, 0, 0), head);
        _multiplier /= trips;
        Bind(after);
        _pinned[counter]--;
    }

    /// <summary>A pointer walks over memory: a checksum, or each element changed.</summary>
    private void Walk(int trips)
    {
        int size = _random.Pick(1, 2, 4, 8);
        int from = PointerWith(8, isStore: true, isAligned: false);
        Value pointer = State.Registers[from];
        int low = Math.Max(pointer.Low, short.MinValue);
        trips = Math.Min(trips, (pointer.High - low) / size);
        if (trips <= 0 || _pinned.Count(static p => p == 0) < 5)
            return;
        int p = Destination(from);
        Emit([Slot.Mov(p, from), Slot.AddImm(p, low)]);
        State.Registers[p] = Value.Unknown;
        _pinned[p]++;
        int sum = FreeScalar(p, from);
        _pinned[sum]++;
        int counter = Counter();
        int t = Destination(counter);
        Emit(Slot.MovImm(counter, trips));
        State.Registers[counter] = Value.Scalar;
        State.Registers[t] = Value.Unknown;
        if (t == from)
        {
            _pinned[p]--;
            _pinned[sum]--;
            return;
        }

        var head = new Label();
        _multiplier *= trips;
        Bind(head);
        Emit([_random.Chance(30) && size < 8 ? Slot.LoadSigned(size, t, p, 0) : Slot.Load(size, t, p, 0), Slot.Alu(_random.Pick(Add, Xor), Is64(), sum, t)]);
        if (_random.Chance(40))
            Emit([Slot.AluImm(Add, true, t, 3), Slot.Store(size, p, 0, t)]);
        Emit([Slot.AddImm(p, size), Slot.AddImm(counter, -1)]);
        JumpIf(Slot.JumpImm(0x5, true, counter, 0, 0), head);
        _multiplier /= trips;
        _pinned[p]--;
        _pinned[sum]--;
        State.Registers[p] = Value.Unknown;
        State.Registers[t] = Value.Scalar;
    }

    /// <summary>A register for a loop to count in; one that calls preserve in most cases, so that the body may call.</summary>
    private int Counter()
    {
        for (int attempt = 0; attempt < 20; attempt++)
        {
            int r = _random.Chance(75) ? _random.Between(6, 9) : _random.Between(0, 5);
            if (IsFree(r))
                return r;
        }

        return Destination();
    }
}
