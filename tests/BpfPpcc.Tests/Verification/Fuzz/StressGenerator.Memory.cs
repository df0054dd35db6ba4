using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Verification.Fuzz;

/// <summary>Packets, map values, the stack, and addresses with a variable part.</summary>
internal sealed partial class StressGenerator
{
    private void Packet()
    {
        if (!_type.HasPacketPointers || !HasContext(out int context))
            return;
        int data = Find(StressKind.Packet);
        if (data < 0 || _random.Chance(25))
        {
            data = FreshSaved();
            bool isMeta = _type.DataMeta >= 0 && _random.Chance(8);
            Emit(
                Slot.Load(4, data, context, isMeta ? _type.DataMeta : _type.Data), data,
                new StressValue(StressKind.Packet, Tag: _nextTag++, Size: isMeta ? 1 : 0));
        }

        bool comparesMeta = _state.Registers[data].Size == 1;
        int end = comparesMeta ? -1 : Find(StressKind.PacketEnd);
        if (end < 0)
        {
            end = Fresh();
            if (end == data)
                return;
            Emit(
                Slot.Load(4, end, context, comparesMeta && _random.Chance(90) ? _type.Data : _type.DataEnd), end,
                comparesMeta ? default : new StressValue(StressKind.PacketEnd));
        }

        if (_state.References.Count == 0)
            PacketCheck(data, end);
        if (_random.Chance(70))
            Access();
    }

    /// <summary>Checks that so many bytes are there, in one of the forms that compilers make of it.</summary>
    private void PacketCheck(int data, int end)
    {
        StressValue value = _state.Registers[data];
        int size = _random.Pick(1, 2, 4, 8, 14, 20, 34);
        int probe = data;
        if (!_random.Chance(10))
        {
            probe = Fresh(0, 6);
            if (probe == data || probe == end)
                return;
            Move(probe, data);
            Emit(Slot.AddImm(probe, size), probe, value with { Offset = value.Offset + size });
        }
        else
        {
            size = 0;
        }

        int slack = 0;
        var inside = new Target();
        switch (_random.Next(Errs(12) ? 12 : 8))
        {
            case 0 or 1:
                Jump(Slot.Jump(2, true, probe, end, 0), Out);
                break;
            case 2:
                Jump(Slot.Jump(10, true, end, probe, 0), Out);
                break;
            case 3:
                Jump(Slot.Jump(11, true, probe, end, 0), inside);
                Jump(Slot.Goto(0), Out);
                Bind(inside);
                break;
            case 4:
                Jump(Slot.Jump(3, true, end, probe, 0), inside);
                Jump(Slot.Goto(0), Out);
                Bind(inside);
                break;
            case 5:
                Jump(Slot.Jump(3, true, probe, end, 0), Out);
                slack = 1;
                break;
            case 6:
                Jump(Slot.Jump(11, true, end, probe, 0), Out);
                slack = 1;
                break;
            case 7:
                Jump(Slot.Jump(10, true, probe, end, 0), inside);
                Jump(Slot.Goto(0), Out);
                Bind(inside);
                slack = 1;
                break;
            case 8:
                // Nothing is known after the wrong way of a check.
                Jump(Slot.Jump(_random.Pick(10, 11), true, probe, end, 0), Out);
                break;
            case 9:
                Jump(Slot.Jump(_random.Pick(2, 3), false, probe, end, 0), Out);
                break;
            case 10:
                Jump(Slot.Jump(_random.Pick(6, 7), true, probe, end, 0), Out);
                break;
            default:
                break;
        }

        int range = value.Offset + size + (_random.Chance(30) ? slack : 0);
        _state.Ranges[value.Tag] = Math.Max(_state.Ranges.GetValueOrDefault(value.Tag), Errs(8) ? range + 1 : range);
    }

    private bool IsWritable(StressValue value) => value.Kind switch
    {
        StressKind.Packet => _type.WritesPacket,
        StressKind.MapValue or StressKind.Memory or StressKind.Stack => true,
        StressKind.None or StressKind.Scalar or StressKind.Context or StressKind.MapValueOrNull or StressKind.PacketEnd or StressKind.MemoryOrNull
            or StressKind.SocketOrNull or StressKind.Socket => false,
    };

    private void Access()
    {
        int size = _random.Pick(1, 2, 4, 8);
        if (!Readable(size, out int pointer, out int offset))
            return;
        StressValue value = _state.Registers[pointer];
        if (_random.Coin() && (IsWritable(value) || Errs()))
        {
            Raw(Store(size, pointer, offset));
            if (value.Kind == StressKind.Stack)
                _state.WriteStack(value.Offset + offset, size, StressValue.Unknown);
        }
        else
        {
            int to = Fresh();
            Emit(Slot.Load(size, to, pointer, offset), to, StressValue.UpTo(size switch { 1 => 255, 2 => 65_535, _ => -1 }));
        }
    }

    private void VariableOffset()
    {
        int pointer = Find(value => Room(value) > 0 || value.Kind == StressKind.Packet);
        if (pointer < 0 || _random.Chance(15))
            pointer = 10;
        int number = Find(static value => value.IsScalar && value.Max is >= 0 and <= 255);
        if (number < 0 || number == pointer || _random.Chance(30))
        {
            number = NewNumber(Fresh());
            if (number == pointer || !Errs(8))
                Bound(number, _random.Pick(7, 15, 31, 40, 63));
        }

        if (number != pointer && _state.Registers[pointer].Kind != StressKind.None)
            OffsetAccess(pointer, number);
    }

    /// <summary>An access at a pointer plus a number; of packets after a check.</summary>
    private void OffsetAccess(int pointer, int number)
    {
        StressValue value = _state.Registers[pointer];
        int to = Fresh();
        if (to == pointer || to == number)
            return;
        Move(to, pointer);
        int max = (int)Math.Clamp(_state.Registers[number].Max, 0, 4_096);
        if (value.Kind == StressKind.Stack && value.Offset == 0)
            Emit(Slot.AddImm(to, StackOffset(max + 8)), to, value);
        if (_random.Chance(8) && (value.Kind != StressKind.Stack || Errs()))
            Emit(Slot.Alu(1, true, to, number), to, default);
        else
            Emit(Slot.Add(to, number), to, default);
        int size = value.Kind == StressKind.Stack && !Errs() ? 1 : _random.Pick(1, 1, 2, 4, 8);
        int offset = 0;
        if (value.Kind == StressKind.Packet)
        {
            int end = Find(StressKind.PacketEnd);
            if (end < 0 || _state.References.Count > 0)
                return;
            _state.Registers[to] = new StressValue(StressKind.Packet, Tag: _nextTag++);
            PacketCheck(to, end);
            size = _random.Pick(1, 2);
        }
        else if (value.Kind != StressKind.Stack)
        {
            offset = Math.Max(0, value.Size - value.Offset - max - size - _random.Pick(0, 0, 4));
            if (Errs(12))
                offset += _random.Pick(1, size, -1, 8);
        }

        if (_random.Chance(40) && IsWritable(value))
        {
            Raw(Store(size, to, offset));
            if (value.Kind == StressKind.Stack)
                _state.Stack.AsSpan().Fill(StressValue.Unknown);
        }
        else
        {
            int result = Fresh();
            Emit(Slot.Load(size, result, to, offset), result, StressValue.UpTo(size == 1 ? 255 : -1));
        }
    }

    private int NumberSource() => Find(static value => value.IsScalar);

    private Slot Store(int size, int pointer, int offset)
    {
        int number = _random.Chance(60) ? NumberSource() : -1;
        return number >= 0 ? Slot.Store(size, pointer, offset, number)
            : Slot.StoreImm(size, pointer, offset, _random.Pick(0, 0, 1, _random.Immediate()));
    }

    private void Spill()
    {
        int offset = StackOffset(8);
        int slot = (offset + 512) / 8;
        if (_random.Coin() && Array.Exists(_state.Stack, static value => value.Kind != StressKind.None))
        {
            for (int i = 0; i < StressState.StackSlots && _state.Stack[slot].Kind == StressKind.None; i++)
                slot = (slot + 1) % StressState.StackSlots;
            offset = 8 * slot - 512;
            int to = Fresh();
            if (_state.Stack[slot].IsScalar && _random.Chance(40))
            {
                int size = _random.Pick(1, 2, 4);
                Emit(Slot.Load(size, to, 10, offset + _random.Pick(0, 0, 8 - size)), to, StressValue.UpTo(size switch { 1 => 255, 2 => 65_535, _ => -1 }));
            }
            else
            {
                Emit(Slot.Load(Errs(8) ? 4 : 8, to, 10, offset), to, _state.Stack[slot]);
            }

            return;
        }

        int from = Find(static value => value.Kind != StressKind.None);
        if (from < 0)
            return;
        int width = _state.Registers[from].IsScalar ? _random.Pick(1, 2, 4, 8, 8) : 8;
        if (Errs(8))
            offset += _random.Pick(4, 1, -4);
        Raw(Slot.Store(width, 10, offset, from));
        _state.WriteStack(offset, width, _state.Registers[from]);
        if (_random.Chance(50))
        {
            int to = Fresh();
            Emit(Slot.Load(width, to, 10, offset), to, _state.Registers[from]);
        }
    }

    private void StackBytes()
    {
        for (int i = _random.Between(1, 4); i > 0; i--)
        {
            int size = _random.Pick(1, 2, 4, 8);
            int offset = StackOffset(8) + _random.Next(8 / size) * size;
            Raw(Store(size, 10, offset));
            _state.WriteStack(offset, size, StressValue.Unknown);
        }
    }

    private void PointerArithmetic()
    {
        int pointer = Find(static value => value.Kind is StressKind.MapValue or StressKind.Packet or StressKind.Stack or StressKind.Memory, 0);
        if (pointer < 0 || _random.Chance(15))
            pointer = 10;
        int to = Fresh();
        if (to == pointer)
            return;
        StressValue value = _state.Registers[pointer];
        Move(to, pointer);
        switch (_random.Next(8))
        {
            case 0 when Find(StressKind.PacketEnd) is >= 0 and var end && value.Kind == StressKind.Packet && end != to:
                Emit(Slot.Alu(1, true, to, end), to, StressValue.Unknown);
                break;
            case 1 when Errs(50):
                Emit(Slot.AluImm(_random.Pick(2, 4, 5, 6, 10, 0), _random.Coin(), to, _random.Between(0, 8)), to, default);
                break;
            case 2:
                // A pointer compared with null or another pointer tells nothing, and is allowed.
                var next = new Target();
                Jump(_random.Coin() ? Slot.JumpImm(_random.Pick(1, 5), true, to, 0, 0) : Slot.Jump(_random.Pick(1, 5), true, to, pointer, 0), next);
                Bind(next);
                break;
            case 3 when value.Kind is StressKind.MapValue or StressKind.Packet && Find(static value => value.IsScalar && value.Max is >= 0 and < 64) is >= 0 and var number:
                Emit(Slot.Add(to, number), to, default);
                break;
            default:
                int step = value.Kind == StressKind.Stack ? value.Offset == 0 ? StackOffset(8) : 0 : _random.Between(0, 16);
                Emit(Slot.AddImm(to, step), to, value with { Offset = value.Offset + step });
                break;
        }
    }

    private void ContextStore()
    {
        if (!HasContext(out int context) || (_type.WritableFields.Length == 0 && !Errs(30)))
            return;
        (int offset, int size) = _random.Pick(_type.WritableFields.Length == 0 || Errs() ? _type.Fields : _type.WritableFields);
        if (Errs())
            offset += _random.Pick(1, 2, 4);
        Raw(Store(size, context, offset));
    }

    private void PacketLoad()
    {
        if (!_type.IsBuffer || _state.Registers[6].Kind != StressKind.Context || (_state.References.Count > 0 && !Errs()))
            return;
        int size = _random.Pick(1, 2, 4);
        if (_random.Coin())
            Raw(Slot.LoadAbsolute(size, _random.Next(60)));
        else
            Raw(Slot.LoadIndirect(size, NumberSource() is >= 0 and var source && source != 6 ? source : 7, _random.Next(30)));
        for (int r = 1; r <= 5; r++)
            _state.Registers[r] = default;
        _state.Registers[0] = StressValue.Unknown;
    }

    private void AtomicAccess()
    {
        int size = _random.Pick(4, 8);
        int pointer = Find(value => value.Kind is StressKind.MapValue or StressKind.Memory && Room(value) >= 8 && value.Offset % 8 == 0);
        int offset = pointer >= 0 ? _random.Between(0, Room(_state.Registers[pointer]) / 8 - 1) * 8 : 0;
        if (pointer < 0 || _random.Chance(20))
        {
            pointer = 10;
            offset = StackOffset(8);
            Raw(Slot.StoreImm(8, 10, offset, 1));
            _state.WriteStack(offset, 8, StressValue.Unknown);
        }

        if (Errs(15))
            offset += _random.Pick(1, 2, 4, -64);
        int source = NumberSource();
        int operation = _random.Pick(0x00, 0x01, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1);
        if (source < 0 || source == pointer || (operation == 0xf1 && (!_state.Registers[0].IsScalar || pointer == 0)))
            return;
        Raw(Slot.Atomic(size, operation, pointer, offset, source));
        if (operation == 0xf1)
            _state.Registers[0] = StressValue.Unknown;
        else if ((operation & 1) != 0)
            _state.Registers[source] = StressValue.Unknown;
    }

    private void ForgetPackets() => _state.Forget(static value => value.Kind is StressKind.Packet or StressKind.PacketEnd);
}
