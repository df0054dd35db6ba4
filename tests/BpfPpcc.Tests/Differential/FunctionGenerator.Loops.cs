using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Differential;

/// <summary>Loops of every make, nested, with early ways out and a second way in. All of them end: their counters are pinned.</summary>
internal sealed partial class FunctionGenerator
{
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
