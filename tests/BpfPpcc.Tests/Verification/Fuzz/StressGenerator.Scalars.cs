using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Verification.Fuzz;

/// <summary>Numbers: where they come from, what is done with them, and how they are bounded.</summary>
internal sealed partial class StressGenerator
{
    private void Number() => NewNumber(Fresh());

    private int NumberRegister()
    {
        int register = Find(static value => value.IsScalar);
        return register >= 0 && _random.Chance(80) ? register : NewNumber(Fresh());
    }

    private int NewNumber(int register)
    {
        switch (_random.Next(8))
        {
            case 0:
                int value = _random.Immediate();
                Emit(Slot.AluImm(0xb, _random.Coin(), register, value), register, StressValue.UpTo(value >= 0 ? value : -1));
                break;
            case 1:
                _slots.AddRange(Slot.LoadImmediate64(register, _random.Value64()));
                _state.Registers[register] = StressValue.Unknown;
                break;
            case 2 when _state.References.Count == 0 || _random.Coin():
                Call(_random.Pick(StressProgramType.Common), StressValue.Unknown);
                if (register != 0)
                    Move(register, 0);
                break;
            case 3 or 4 when HasContext(out int context):
                (int offset, int size) = _random.Pick(_type.Fields);
                if (Errs())
                    (offset, size) = (offset + _random.Pick(-1, 1, 2, 4), _random.Pick(1, 2, 4, 8));
                else if (size == 4 && _type.IsBuffer && _random.Chance(15))
                    size = _random.Pick(1, 2);
                Emit(Slot.Load(size, register, context, offset), register, StressValue.UpTo(size switch { 1 => 255, 2 => 65_535, _ => -1 }));
                break;
            default:
                LoadSomewhere(register);
                break;
        }

        return register;
    }

    private void LoadSomewhere(int register)
    {
        int size = _random.Pick(1, 1, 2, 4, 8);
        if (Readable(size, out int pointer, out int offset))
        {
            bool isSigned = size < 8 && _random.Chance(20);
            long max = isSigned ? -1 : size switch { 1 => 255, 2 => 65_535, _ => -1 };
            Emit(isSigned ? Slot.LoadSigned(size, register, pointer, offset) : Slot.Load(size, register, pointer, offset), register, StressValue.UpTo(max));
        }
        else
        {
            Emit(Slot.MovImm(register, _random.Between(0, 100)), register, StressValue.UpTo(100));
        }
    }

    /// <summary>A pointer with that many bytes behind it, and where.</summary>
    private bool Readable(int size, out int pointer, out int offset)
    {
        pointer = Find(value => Room(value) >= size);
        offset = 0;
        if (pointer < 0)
            return false;
        StressValue value = _state.Registers[pointer];
        int room = Room(value);
        offset = value.Kind == StressKind.Stack ? StackOffset(size) - value.Offset : _random.Between(0, room - size);
        if (_random.Chance(70) && value.Kind != StressKind.Stack)
            offset = offset / size * size;
        if (Errs())
            offset = value.Kind == StressKind.Stack ? _random.Pick(-value.Offset, -value.Offset - 520) : _random.Pick(room - size + 1, -1, room, 1 << 14);
        return true;
    }

    /// <summary>Bytes that can be read from the register on.</summary>
    private int Room(StressValue value) => value.Kind switch
    {
        StressKind.MapValue or StressKind.Memory => value.Size - value.Offset,
        StressKind.Packet => _state.Ranges.GetValueOrDefault(value.Tag) - value.Offset,
        StressKind.Stack => 512,
        StressKind.None or StressKind.Scalar or StressKind.Context or StressKind.MapValueOrNull or StressKind.PacketEnd or StressKind.MemoryOrNull
            or StressKind.SocketOrNull or StressKind.Socket => 0,
    };

    private void Arithmetic()
    {
        int register = NumberRegister();
        bool is64 = _random.Chance(60);
        int operation = _random.Pick(0x0, 0x1, 0x2, 0x4, 0x5, 0x6, 0x7, 0xa, 0xb, 0xc, 0x0, 0x5);
        if (_divides && _random.Chance(30))
            operation = _random.Pick(0x3, 0x9, 0x8, 0xd);
        StressValue result = StressValue.Unknown;
        int other = _random.Chance(45) ? Find(static value => value.IsScalar) : -1;
        switch (operation)
        {
            case 0x8:
                Emit(Slot.AluImm(0x8, is64, register, 0), register, result);
                return;
            case 0xd:
                int width = _random.Pick(16, 32, 64);
                Emit(_random.Next(3) switch { 0 => Slot.ToLittleEndian(register, width), 1 => Slot.ToBigEndian(register, width), _ => Slot.ByteSwap(register, width) },
                    register, StressValue.UpTo(width == 16 ? 65_535 : -1));
                return;
            case 0xb when other >= 0:
                int extension = _random.Chance(40) ? is64 ? _random.Pick(8, 16, 32) : _random.Pick(8, 16) : 0;
                Emit(Slot.Alu(0xb, is64, register, other, extension), register, extension == 0 && is64 ? _state.Registers[other] : result);
                return;
        }

        int isSigned = operation is 0x3 or 0x9 && _random.Chance(40) ? 1 : 0;
        if (other >= 0)
        {
            Emit(Slot.Alu(operation, is64, register, other, isSigned), register, result);
            return;
        }

        int immediate = _random.Chance(60) ? _random.Between(1, 40) : _random.Immediate();
        if (operation is 0x6 or 0x7 or 0xc && !Errs())
            immediate &= is64 ? 63 : 31;
        if (operation is 0x3 or 0x9 && immediate == 0 && !Errs())
            immediate = 3;
        if (operation == 0x5 && immediate >= 0)
            result = StressValue.UpTo(immediate);
        if (operation == 0x9 && immediate > 0 && isSigned == 0)
            result = StressValue.UpTo(immediate - 1);
        Emit(Slot.AluImm(operation, is64, register, immediate, isSigned), register, result);
    }

    private void BoundNumber() => Bound(NumberRegister(), _random.Pick(7, 15, 31, 56, 60, 63, 100, 255));

    /// <summary>Makes a number not larger than that, by arithmetic or by a check.</summary>
    private void Bound(int register, int max)
    {
        // Where a resource is held nothing may jump out.
        bool checks = _state.References.Count == 0 && _random.Chance(70);
        int limit = Errs(10) ? max + _random.Pick(1, 1, 8, -1, 200) : max;
        if (!checks)
        {
            int mask = limit + 1 & ~1;
            mask = mask <= 1 ? 1 : (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)mask + 1) / 2 - 1;
            switch (_random.Next(4))
            {
                case 0 when _divides:
                    Emit(Slot.AluImm(0x9, _random.Coin(), register, limit + 1), register, StressValue.UpTo(limit));
                    break;
                case 1:
                    int bits = 64 - System.Numerics.BitOperations.Log2((uint)limit + 1);
                    Emit(Slot.AluImm(0x7, true, register, bits), register, StressValue.UpTo(limit));
                    break;
                default:
                    Emit(Slot.AluImm(0x5, _random.Coin(), register, mask), register, StressValue.UpTo(limit));
                    break;
            }

            return;
        }

        bool is64 = !Errs(8);
        if (!is64 || _random.Chance(25))
        {
            if (is64)
                Raw(Slot.Alu(0xb, false, register, register));
            is64 = false;
        }

        switch (_random.Next(6))
        {
            case 0:
                Jump(Slot.JumpImm(2, is64, register, limit, 0), Out);
                break;
            case 1:
                Jump(Slot.JumpImm(3, is64, register, limit + 1, 0), Out);
                break;
            case 2 when Find(static value => value.Kind == StressKind.None, 0) is >= 0 and var spare && spare != register:
                Emit(Slot.MovImm(spare, limit), spare, StressValue.UpTo(limit));
                Jump(_random.Coin() ? Slot.Jump(2, is64, register, spare, 0) : Slot.Jump(10, is64, spare, register, 0), Out);
                break;
            case 3:
                if (!Errs(25))
                    Jump(Slot.JumpImm(12, is64, register, 0, 0), Out);
                Jump(Slot.JumpImm(6, is64, register, limit, 0), Out);
                break;
            case 4:
                var inside = new Target();
                Jump(Slot.JumpImm(_random.Pick(11, 11, 10), is64, register, limit, 0), inside);
                Jump(Slot.Goto(0), Out);
                Bind(inside);
                break;
            default:
                Jump(Slot.JumpImm(4, is64, register, ~(int)(System.Numerics.BitOperations.RoundUpToPowerOf2((uint)limit + 2) / 2 - 1), 0), Out);
                break;
        }

        _state.Registers[register] = StressValue.UpTo(limit);
    }

    /// <summary>A number, a copy of it, perhaps plus something, a check of one of both, and an access by the other.</summary>
    private void LinkedCopies()
    {
        int first = NumberRegister();
        int second = Fresh();
        if (second == first)
            return;
        bool is64 = !Errs(15);
        if (!is64)
            Emit(Slot.Alu(0xb, false, second, first), second, StressValue.Unknown);
        else
            Move(second, first);
        int difference = _random.Chance(40) ? _random.Between(-8, 8) : 0;
        if (difference != 0)
            Emit(Slot.AddImm(_random.Coin() ? second : first, difference), second, StressValue.Unknown);
        if (_random.Chance(25))
        {
            int slot = StackOffset(8);
            Raw(Slot.Store(8, 10, slot, second));
            _state.WriteStack(slot, 8, StressValue.Unknown);
            if (_random.Coin())
                Raw(Slot.Load(8, second, 10, slot));
        }

        int max = _random.Pick(15, 31, 40);
        Bound(first, max);
        if (_random.Chance(30))
            Jump(Slot.JumpImm(_random.Pick(2, 3, 6, 7), _random.Coin(), _random.Coin() ? first : second, _random.Between(0, 60), 0), Out);
        _state.Registers[second] = StressValue.UpTo(max + 8);
        if (Find(StressKind.MapValue) is >= 0 and var pointer && pointer != second && pointer != first)
            OffsetAccess(pointer, second);
    }
}
