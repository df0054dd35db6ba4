using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Verification.Fuzz;

/// <summary>Calls of helpers: maps, memory with a size, ring buffers, sockets, dynptrs.</summary>
internal sealed partial class StressGenerator
{
    /// <summary>Writes a key to the stack and leaves its address in a register.</summary>
    private void Key(int register, int size)
    {
        int offset = StackOffset(size);
        int number = _random.Chance(40) ? NumberSource() : -1;
        Raw(size == 4 && number >= 0 ? Slot.Store(4, 10, offset, number)
            : size == 4 ? Slot.StoreImm(4, 10, offset, _random.Next(18)) : Slot.StoreImm(8, 10, offset, _random.Pick(0, 32, 64)));
        _state.WriteStack(offset, size, StressValue.Unknown);
        Emit(Slot.Mov(register, 10), register, _state.Registers[10]);
        Emit(Slot.AddImm(register, Errs() ? _random.Pick(-1, 2, -3, -516) : offset), register, new StressValue(StressKind.Stack, Offset: offset));
    }

    private void MapCall()
    {
        int map = _random.Pick(StressMaps.Array, StressMaps.Array, StressMaps.Hash, StressMaps.PerCpuArray, StressMaps.LruHash, StressMaps.Trie);
        if (_type.Type == BpfPpcc.Bpf.BpfProgramType.SYSCALL && map == StressMaps.Trie && !Errs())
            map = StressMaps.Hash;
        if (Errs(4))
            map = _random.Next(9);
        int keySize = map == StressMaps.Trie ? 8 : 4;
        switch (_random.Next(6))
        {
            case 0:
                int value = Find(value => (value.Kind is StressKind.MapValue or StressKind.Memory or StressKind.Packet) && Room(value) >= 64, 6);
                Key(2, keySize);
                if (value >= 0)
                {
                    Move(3, value);
                }
                else
                {
                    Emit(Slot.Mov(3, 10), 3, default);
                    Raw(Slot.AddImm(3, Errs() ? -60 : StackOffset(64)));
                }

                Emit(Slot.MovImm(4, 0), 4, StressValue.UpTo(0));
                LoadMap(1, map);
                Call(2, StressValue.Unknown);
                break;
            case 1 when map is not (StressMaps.Array or StressMaps.PerCpuArray):
                Key(2, keySize);
                LoadMap(1, map);
                Call(3, StressValue.Unknown);
                break;
            default:
                Key(2, keySize);
                LoadMap(1, map);
                Call(1, new StressValue(StressKind.MapValueOrNull, Size: StressMaps.ValueSize, Tag: _nextTag++));
                AfterNullable();
                break;
        }
    }

    /// <summary>r0 has a pointer that may be null: copies, spills, and mostly the check.</summary>
    private void AfterNullable()
    {
        int tag = _state.Registers[0].Tag;
        if (_random.Chance(50))
            Move(FreshSaved(), 0);
        if (_random.Chance(15))
        {
            int offset = StackOffset(8);
            Raw(Slot.Store(8, 10, offset, 0));
            _state.WriteStack(offset, 8, _state.Registers[0]);
        }

        if (Errs(10))
            Raw(Slot.AddImm(0, _random.Pick(0, 1, 8)));
        if (Errs(10))
        {
            _state.SetNonNull(tag);
            return;
        }

        int probe = Find(value => value.IsNullable && value.Tag == tag);
        if (_state.References.Count == 0)
        {
            if (_random.Chance(75))
            {
                Jump(Slot.JumpImm(1, true, probe, 0, 0), Out);
            }
            else
            {
                var found = new Target();
                Jump(Slot.JumpImm(5, true, probe, 0, 0), found);
                Jump(Slot.Goto(0), Out);
                Bind(found);
            }

            _state.SetNonNull(tag);
            return;
        }

        // Something is held: use it where it is there, and go on together.
        var missing = new Target();
        Jump(Slot.JumpImm(1, true, probe, 0, 0), missing);
        StressState before = _state.Copy();
        _state.SetNonNull(tag);
        Access();
        Bind(missing);
        _state.Meet(before);
    }

    private void RingBuffer()
    {
        if (_state.References.Count > 1)
            return;
        int size = _random.Pick(8, 16, 32, 64);
        LoadMap(1, Errs() ? StressMaps.Array : StressMaps.RingBuffer);
        Emit(Slot.MovImm(2, size), 2, StressValue.UpTo(size));
        Emit(Slot.MovImm(3, 0), 3, StressValue.UpTo(0));
        int tag = _nextTag++;
        Call(131, new StressValue(StressKind.MemoryOrNull, Size: size, Tag: tag));
        int holder = FreshSaved();
        Move(holder, 0);
        if (_state.References.Count > 0 || Errs(8))
        {
            var none = new Target();
            Jump(Slot.JumpImm(1, true, 0, 0, 0), none);
            StressState before = _state.Copy();
            _state.SetNonNull(tag);
            Access();
            Submit(holder, tag);
            Bind(none);
            _state.Meet(before);
            return;
        }

        Jump(Slot.JumpImm(1, true, _random.Coin() ? 0 : holder, 0, 0), Out);
        _state.SetNonNull(tag);
        _state.References.Add(tag);
        for (int i = _random.Between(0, 3); i > 0; i--)
        {
            if (_random.Coin())
                Access();
            else
                VariableOffset();
        }

        if (_random.Chance(80))
            Release();
    }

    private void Submit(int holder, int tag)
    {
        if (_state.Registers[holder].Tag != tag)
            return;
        Move(1, holder);
        if (Errs())
            Raw(Slot.AddImm(1, 8));
        Emit(Slot.MovImm(2, 0), 2, StressValue.UpTo(0));
        Call(_random.Pick(132, 133), default);
        if (Errs())
            return;
        _state.Forget(value => value.Tag == tag && value.Kind is StressKind.Memory or StressKind.MemoryOrNull);
        _state.References.Remove(tag);
    }

    private void Release()
    {
        int tag = _state.References[^1];
        _state.References.RemoveAt(_state.References.Count - 1);
        int memory = Find(value => value.Kind == StressKind.Memory && value.Tag == tag, 6);
        int socket = Find(value => value.Kind == StressKind.Socket && value.Tag == tag, 6);
        if (memory >= 0)
        {
            Submit(memory, tag);
        }
        else if (socket >= 0)
        {
            Move(1, socket);
            Call(86, default);
            _state.Forget(value => value.Tag == tag && value.Kind == StressKind.Socket);
        }
    }

    private void MemoryHelper()
    {
        int helper = _random.Chance(30) || _type.CallsSeparately.Length == 0
            ? _random.Pick(130, 6, 106) : _random.Pick(_type.CallsSeparately);
        int size = _random.Pick(1, 4, 8, 16, 32);
        if (!HasContext(out int context))
            return;
        context = Saved(context);
        switch (helper)
        {
            case 130:
                LoadMap(1, StressMaps.RingBuffer);
                Memory(2, 3, size);
                Emit(Slot.MovImm(4, 0), 4, default);
                break;
            case 25:
                Move(1, context);
                LoadMap(2, StressMaps.PerfEventArray);
                Emit(Slot.MovImm(3, 0), 3, default);
                Memory(4, 5, size);
                break;
            case 6:
                Raw(Slot.StoreImm(8, 10, -8, 0x6425));
                Emit(Slot.Mov(1, 10), 1, default);
                Raw(Slot.AddImm(1, -8));
                Emit(Slot.MovImm(2, Errs() ? 9 : 8), 2, default);
                Emit(Slot.MovImm(3, 1), 3, default);
                break;
            case 106:
                Memory(1, 2, 8);
                Emit(Slot.MovImm(3, 0), 3, default);
                Emit(Slot.Mov(4, 10), 4, default);
                Raw(Slot.AddImm(4, StackOffset(8) + (Errs(20) ? 4 : 0)));
                break;
            case 26 or 9:
                Move(1, context);
                Emit(Slot.MovImm(2, _random.Next(20)), 2, default);
                Memory(3, 4, size);
                Emit(Slot.MovImm(5, 0), 5, default);
                break;
            case 68:
                Move(1, context);
                Emit(Slot.MovImm(2, _random.Next(20)), 2, default);
                Memory(3, 4, size);
                Emit(Slot.MovImm(5, _random.Next(2)), 5, default);
                break;
            case 189 or 190:
                Move(1, context);
                Emit(Slot.MovImm(2, _random.Next(20)), 2, default);
                Memory(3, 4, size);
                break;
            case 16:
                Memory(1, 2, size);
                break;
            case 4 or 113 or 115 or 45 or 148:
                Memory(1, 2, size);
                Emit(Slot.MovImm(3, 0), 3, default);
                break;
            case 67:
                Move(1, context);
                Memory(2, 3, size);
                Emit(Slot.MovImm(4, 0), 4, default);
                break;
            case 28:
                Memory(1, 2, 8);
                Memory(3, 4, 8);
                Emit(Slot.MovImm(5, 0), 5, default);
                break;
            case 51:
                LoadMap(1, StressMaps.DeviceMap);
                Emit(Slot.MovImm(2, 0), 2, default);
                Emit(Slot.MovImm(3, 0), 3, default);
                break;
            case 23:
                Emit(Slot.MovImm(1, 1), 1, default);
                Emit(Slot.MovImm(2, 0), 2, default);
                break;
            case 84:
                return;
            default:
                Move(1, context);
                Emit(Slot.MovImm(2, _random.Next(9)), 2, default);
                Emit(Slot.MovImm(3, 0), 3, default);
                Emit(Slot.MovImm(4, 0), 4, default);
                Emit(Slot.MovImm(5, 0), 5, default);
                break;
        }

        Call(helper, StressValue.Unknown);
        if (helper is 44 or 54 or 65 or 9 or 39 or 38 or 18 or 19 or 10 or 11)
            ForgetPackets();
    }

    /// <summary>Memory of that size and the size, constant or bounded.</summary>
    private void Memory(int pointer, int length, int size)
    {
        int source = Find(value => value.Kind is StressKind.MapValue or StressKind.Memory or StressKind.Packet && Room(value) >= size, 6);
        if (source >= 0 && _random.Chance(50))
        {
            Move(pointer, source);
        }
        else
        {
            int offset = StackOffset(size);
            if (_random.Chance(60))
                Raw(Slot.StoreImm(8, 10, offset, 0));
            Emit(Slot.Mov(pointer, 10), pointer, default);
            Raw(Slot.AddImm(pointer, Errs() ? -size + 1 : offset));
            for (int i = 0; i < size; i += 8)
                _state.WriteStack(offset + i, 8, StressValue.Unknown);
        }

        int number = _random.Chance(30) ? Find(value => value.IsScalar && value.Max >= 0 && value.Max <= size, 6) : -1;
        if (number >= 0)
            Move(length, number);
        else
            Emit(Slot.MovImm(length, Errs() ? _random.Pick(size + 1, 0, -1, 4096) : size), length, StressValue.UpTo(size));
    }

    private void Socket()
    {
        if (!_type.CallsSeparately.Contains(84) || _state.References.Count > 0 || !HasContext(out int context))
            return;
        context = Saved(context);
        Raw(Slot.StoreImm(8, 10, -16, 0));
        Raw(Slot.StoreImm(8, 10, -8, 0));
        _state.WriteStack(-16, 8, StressValue.Unknown);
        _state.WriteStack(-8, 8, StressValue.Unknown);
        Move(1, context);
        Emit(Slot.Mov(2, 10), 2, default);
        Raw(Slot.AddImm(2, -16));
        Emit(Slot.MovImm(3, 12), 3, default);
        Emit(Slot.MovImm(4, -1), 4, default);
        Emit(Slot.MovImm(5, 0), 5, default);
        int tag = _nextTag++;
        Call(84, new StressValue(StressKind.SocketOrNull, Tag: tag));
        int holder = FreshSaved();
        Move(holder, 0);
        if (!Errs())
            Jump(Slot.JumpImm(1, true, 0, 0, 0), Out);
        _state.SetNonNull(tag);
        _state.References.Add(tag);
        int to = Fresh(0, 6);
        if (to != holder)
            Emit(Slot.Load(4, to, holder, Errs(15) ? _random.Pick(2, 80, 100, 6) : _random.Pick(0, 4, 8, 12, 16)), to, StressValue.Unknown);
        if (_random.Chance(90) || !Errs(50))
            Release();
        if (Errs(15))
            Raw(Slot.Load(4, 0, holder, 4));
    }

    /// <summary>A dynptr in the ring buffer: reserved, used, given back.</summary>
    private void Dynptr()
    {
        if (_state.References.Count > 0 || _isSubprogram)
            return;
        int offset = StackOffset(16);
        LoadMap(1, StressMaps.RingBuffer);
        Emit(Slot.MovImm(2, 16), 2, default);
        Emit(Slot.MovImm(3, 0), 3, default);
        DynptrAddress(4, offset);
        Call(198, StressValue.Unknown);
        _state.WriteStack(offset, 8, default);
        _state.WriteStack(offset + 8, 8, default);
        if (_random.Coin())
        {
            DynptrAddress(1, offset);
            Emit(Slot.MovImm(2, 0), 2, default);
            Emit(Slot.MovImm(3, Errs() ? 32 : 8), 3, default);
            int tag = _nextTag++;
            Call(203, new StressValue(StressKind.MemoryOrNull, Size: 8, Tag: tag));
            var none = new Target();
            Jump(Slot.JumpImm(1, true, 0, 0, 0), none);
            Raw(Slot.StoreImm(8, 0, Errs() ? 1 : 0, 7));
            Bind(none);
            _state.Registers[0] = default;
        }

        if (Errs(15))
            Raw(Slot.StoreImm(8, 10, offset, 0));
        if (Errs(10))
            return;
        DynptrAddress(1, offset);
        Emit(Slot.MovImm(2, 0), 2, default);
        Call(_random.Pick(199, 200), default);
        _state.WriteStack(offset, 8, StressValue.Unknown);
        _state.WriteStack(offset + 8, 8, StressValue.Unknown);
    }

    private void DynptrAddress(int register, int offset)
    {
        Emit(Slot.Mov(register, 10), register, default);
        Raw(Slot.AddImm(register, Errs(4) ? offset + _random.Pick(8, -8, 4) : offset));
    }
}
