using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Differential;

/// <summary>Statements that touch memory: stack, context, variables, map values, through every kind of pointer.</summary>
internal sealed partial class FunctionGenerator
{
    private int Size() => _random.Pick(1, 2, 4, 8, 8, 4);

    private void LoadStatement()
    {
        int size = Size();
        (int b, int offset) = Address(size, isStore: false, isAligned: _unit.IsVerifiable || _random.Chance(55));
        int r = Destination();
        switch (_random.Next(8))
        {
            case 0 or 1 when size < 8:
                Emit(Slot.LoadSigned(size, r, b, offset));
                State.Registers[r] = Value.Scalar;
                break;
            case 2:
                (b, offset) = Address(size, isStore: false, isAligned: true);
                r = Destination();
                Emit(Slot.LoadAcquire(size, r, b, offset));
                State.Registers[r] = Value.Scalar;
                break;
            case 3 when size > 1: // a load that a byte swap follows
                Emit([Slot.Load(size, r, b, offset), _random.Coin() ? Slot.ToBigEndian(r, 8 * size) : Slot.ByteSwap(r, 8 * size)]);
                State.Registers[r] = Value.Scalar;
                break;
            default:
                Emit(Slot.Load(size, r, b, offset));
                State.Registers[r] = Value.Scalar;
                break;
        }
    }

    private void StoreStatement()
    {
        int size = Size();
        bool isRelease = _random.Chance(12);
        (int b, int offset) = Address(size, isStore: true, isAligned: isRelease || _unit.IsVerifiable || _random.Chance(55));
        if (isRelease)
        {
            int released = Scalar(except: b);
            Emit(Slot.StoreRelease(size, b, offset, released));
        }
        else if (_random.Chance(30))
        {
            Emit(Slot.StoreImm(size, b, offset, _random.Immediate()));
        }
        else
        {
            int r = Scalar(except: b);
            if (size > 1 && _random.Chance(10) && IsFree(r))
                Emit(_random.Coin() ? Slot.ToBigEndian(r, 8 * size) : Slot.ByteSwap(r, 8 * size));
            Emit(Slot.Store(size, b, offset, r));
        }

        NoteStore(b, offset, size);
        if (_random.Chance(25)) // and back, in another width
        {
            int narrow = _random.Pick(1, 2, 4, 8);
            if (narrow > size)
                return;
            int r = Destination(b);
            int inside = _unit.IsVerifiable ? narrow * _random.Next(size / narrow) : _random.Next(size - narrow + 1);
            Emit(Slot.Load(narrow, r, b, offset + inside));
            State.Registers[r] = Value.Scalar;
        }
    }

    private void AtomicStatement()
    {
        int size = _random.Pick(4, 8);
        bool isWide = _random.Chance(30);
        (int b, int offset) = Address(isWide ? 8 : size, isStore: true, isAligned: true, isRead: true);
        int operation = _random.Pick(0x00, 0x40, 0x50, 0xa0, 0x01, 0x41, 0x51, 0xa1, 0xe1, 0xf1);
        if (operation == 0xf1)
        {
            if (!IsFree(0) || b == 0)
                return;
            int source = Scalar(except: b);
            if (_random.Coin() || !State.Registers[0].IsScalar)
                Emit(_random.Chance(70) ? Slot.Load(isWide ? 8 : size, 0, b, offset) : Slot.MovImm(0, _random.Immediate()));
            State.Registers[0] = Value.Scalar;
            if (_random.Chance(20) && size == 4)
                Emit([Slot.AluImm(Lsh, true, 0, 32), Slot.AluImm(Arsh, true, 0, 32)]);
            Emit(Slot.Atomic(size, operation, b, offset, source));
            return;
        }

        bool isFetch = (operation & 1) != 0;
        int r = isFetch ? FreeScalar(b) : Scalar(except: b);
        Emit(Slot.Atomic(size, operation, b, offset, r));
    }

    // A register and an offset at which `size` bytes may be accessed.
    private (int Base, int Offset) Address(int size, bool isStore, bool isAligned, bool isRead = false)
    {
        if (_plan.StackSize >= 16 && _random.Chance(_style.PercentStack))
        {
            int at = StackPlace(size, isStore && !isRead, isAligned);
            if (at >= 0)
                return (10, at - _plan.StackSize);
        }

        int b = PointerWith(size, isStore, isAligned);
        return (b, OffsetFrom(State.Registers[b], size, isAligned));
    }

    private int OffsetFrom(Value pointer, int size, bool isAligned)
    {
        int low = Math.Max(pointer.Low, short.MinValue), high = Math.Min(pointer.High - size, short.MaxValue);
        for (int attempt = 0; attempt < 4; attempt++)
        {
            int offset = _random.Between(low, high);
            if (!isAligned)
                return offset;
            int wrong = ((pointer.Residue + offset) % size + size) % size;
            if (offset - wrong >= low)
                return offset - wrong;
        }

        int first = low;
        while (((pointer.Residue + first) % size + size) % size != 0)
            first++;
        return first;
    }

    private static bool Reaches(Value pointer, int size, bool isStore, bool isAligned)
    {
        if (!pointer.IsPointer || isStore && pointer.IsReadOnly)
            return false;
        int low = Math.Max(pointer.Low, short.MinValue), high = Math.Min(pointer.High, short.MaxValue);
        return high - low >= (isAligned ? 2 * size : size) && (!isAligned || pointer.Alignment >= size);
    }

    /// <summary>A register with a pointer through which such an access is possible.</summary>
    private int PointerWith(int size, bool isStore, bool isAligned)
    {
        int start = _random.Next(10);
        for (int i = 0; i < 10; i++)
        {
            int r = (start + i) % 10;
            if (Reaches(State.Registers[r], size, isStore, isAligned))
                return r;
        }

        int made = Destination();
        MakePointer(made, isStore);
        return made;
    }

    /// <summary>Makes a pointer to 16 bytes or more, aligned to 8.</summary>
    private void MakePointer(int r, bool isStore)
    {
        switch (_random.Next(4))
        {
            case 0 when _contextRegister >= 0:
                Move(r, _contextRegister);
                return;
            case 0 or 1 when _contextSlot >= 0:
                LoadSlot(r, _contextSlot);
                return;
            case 0 or 1 or 2 when TryStackPointer(r):
                return;
            default:
                MakeVariablePointer(r, isStore);
                return;
        }
    }

    private void MakeVariablePointer(int r, bool isStore)
    {
        int variable = _random.Next(_unit.Variables.Count);
        while (isStore && _unit.Variables[variable].IsReadOnly)
            variable = (variable + 1) % _unit.Variables.Count;
        TestVariable target = _unit.Variables[variable];
        int addend = _random.Chance(60) ? 0 : 8 * _random.Next(target.Contents.Length / 8 - 1);
        _builder.EmitReference(Slot.LoadImmediate64(r, 0)[0], SlotReferenceKind.Variable, variable, addend);
        State.Registers[r] = Value.Pointer(target.Contents.Length, target.IsReadOnly).Moved(addend);
    }

    // ---- stack

    private bool IsUsable(int at, int size, bool isInitialised)
    {
        for (int i = at; i < at + size; i++)
        {
            if (_isReserved[i] || isInitialised && !State.IsInitialised[i])
                return false;
        }

        return true;
    }

    /// <summary>Where in the frame such an access is possible, from its lowest address, or -1.</summary>
    private int StackPlace(int size, bool isPlainStore, bool isAligned)
    {
        for (int attempt = 0; attempt < 12; attempt++)
        {
            int at = isAligned ? size * _random.Next(_plan.StackSize / size) : _random.Next(_plan.StackSize - size + 1);
            if (_random.Chance(_style.PercentHot))
                at = 8 * _random.Next(Math.Min(3, _plan.StackSize / 8)) + size * _random.Next(8 / size);
            if (IsUsable(at, size, isInitialised: !isPlainStore))
                return at;
            if (attempt >= 6 && IsUsable(at, size, isInitialised: false))
            {
                InitialiseBytes(at, size);
                return at;
            }
        }

        return -1;
    }

    private void InitialiseBytes(int at, int size)
    {
        for (int end = at + size; at < end;)
        {
            int width = 8;
            while (at % width != 0 && !_random.Chance(4) || width > end - at)
                width /= 2;
            if (width > 1 && _random.Chance(8))
                width /= 2;
            int offset = at - _plan.StackSize;
            if (_random.Chance(40))
                Emit(Slot.StoreImm(width, 10, offset, _random.Immediate()));
            else
                Emit(Slot.Store(width, 10, offset, Scalar()));
            State.IsInitialised.AsSpan(at, width).Fill(true);
            at += width;
        }
    }

    private void NoteStore(int b, int offset, int size)
    {
        if (b == 10)
            State.IsInitialised.AsSpan(_plan.StackSize + offset, size).Fill(true);
    }

    /// <summary>A pointer to a stretch of the frame; all of it is written then.</summary>
    private bool TryStackPointer(int r, int least = 16)
    {
        for (int attempt = 0; attempt < 10 && _plan.StackSize >= least && !_style.KeepsStackPrivate; attempt++)
        {
            int length = Math.Min(8 * _random.Between(least / 8, 8), _plan.StackSize / 8 * 8);
            int at = 8 * _random.Next((_plan.StackSize - length) / 8 + 1);
            if (length < least || !IsUsable(at, length, isInitialised: false))
                continue;
            for (int i = at; i < at + length; i += 8)
            {
                if (!IsUsable(i, 8, isInitialised: true))
                    InitialiseBytes(i, 8);
            }

            int inside = _random.Chance(70) ? 0 : 8 * _random.Next(length / 8);
            Emit([Slot.Mov(r, 10), Slot.AddImm(r, at + inside - _plan.StackSize)]);
            State.Registers[r] = Value.Pointer(length).Moved(inside);
            return true;
        }

        return false;
    }

    // ---- pointers

    private void PointerStatement()
    {
        int r = Destination();
        int from = _random.Chance(60) ? Array.FindIndex(State.Registers, static v => v.IsPointer && v.High - v.Low >= 24) : -1;
        if (from < 0)
        {
            MakePointer(r, isStore: false);
            return;
        }

        Value pointer = State.Registers[from];
        switch (_random.Next(4))
        {
            case 0:
                Move(r, from);
                break;
            case 1:
                MoveByConstant(r, from, pointer);
                break;
            default:
                MoveByVariable(r, from, pointer);
                break;
        }
    }

    private void MoveByConstant(int r, int from, Value pointer)
    {
        int by = _random.Pick(_random.Between(0, 16), 8, -8, _random.Between(-64, 64), 30_000, -30_000, 4);
        if (pointer.Low - by < short.MinValue || pointer.High - by > short.MaxValue)
            return;
        Move(r, from);
        Emit(_random.Chance(70) ? Slot.AddImm(r, by) : Slot.AluImm(Sub, true, r, -by));
        State.Registers[r] = pointer.Moved(by);
    }

    /// <summary>pointer + (number masked), the number scaled in some way.</summary>
    private void MoveByVariable(int r, int from, Value pointer)
    {
        int room = pointer.High - pointer.Low - 8;
        int shift = _random.Pick(0, 0, 1, 2, 3);
        int mask = 1;
        while ((mask * 2 + 1) << shift <= room)
            mask = mask * 2 + 1;
        if (mask << shift > room)
            return;
        int index = FreeScalar(r, from);
        if (index == r || index == from)
            return;
        Emit(Slot.AluImm(And, _random.Chance(70), index, mask));
        if (shift > 0)
            Emit(_random.Coin() ? Slot.AluImm(Lsh, true, index, shift) : Slot.AluImm(Mul, true, index, 1 << shift));
        if (_random.Chance(25))
        {
            // From the far end, by subtraction.
            Move(r, from);
            Emit([Slot.AddImm(r, mask << shift), Slot.Alu(Sub, true, r, index)]);
        }
        else if (r == from || _random.Coin())
        {
            Move(r, from);
            Emit(Slot.Add(r, index));
        }
        else
        {
            Emit([Slot.Mov(r, index), Slot.Add(r, from)]);
        }

        State.Registers[r] = pointer.MovedByUpTo(mask << shift, 1 << shift);
    }

    // ---- slots: spilled registers

    private void StoreSlot(int slot, int r)
    {
        Emit(Slot.Store(8, 10, _slotOffsets[slot] - _plan.StackSize, r));
        State.Slots[slot] = State.Registers[r];
    }

    private void LoadSlot(int r, int slot)
    {
        Emit(Slot.Load(8, r, 10, _slotOffsets[slot] - _plan.StackSize));
        State.Registers[r] = State.Slots[slot];
    }

    private void SlotStatement()
    {
        if (_slotOffsets.Length == 0)
        {
            StoreStatement();
            return;
        }

        int slot = _random.Next(_slotOffsets.Length);
        if (State.Slots[slot].Kind != ValueKind.Unknown && (_pinnedSlots[slot] > 0 || _random.Chance(60)))
        {
            LoadSlot(Destination(), slot);
            return;
        }

        if (_pinnedSlots[slot] > 0)
            return;
        int r = Array.FindIndex(State.Registers, static v => v.IsPointer);
        StoreSlot(slot, r >= 0 && _random.Chance(60) ? r : Scalar());
    }

    /// <summary>Copies bytes from here to there, in pieces of several widths.</summary>
    private void CopyStatement()
    {
        if (_random.Coin())
        {
            GatherStatement();
            return;
        }

        int length = _random.Pick(8, 12, 16);
        int from = PointerWith(length, isStore: false, isAligned: false);
        _pinned[from]++;
        int to = PointerWith(length, isStore: true, isAligned: false);
        _pinned[to]++;
        int source = OffsetFrom(State.Registers[from], length, isAligned: false), target = OffsetFrom(State.Registers[to], length, isAligned: false);
        int r = Destination(from, to);
        for (int done = 0; done < length;)
        {
            int width = Math.Min(_random.Pick(1, 2, 4, 8, 8, 4), length - done);
            width = width switch { 3 => 2, 5 or 6 or 7 => 4, _ => width };
            Emit([Slot.Load(width, r, from, source + done), Slot.Store(width, to, target + done, r)]);
            done += width;
        }

        State.Registers[r] = Value.Scalar;
        _pinned[from]--;
        _pinned[to]--;
    }

    /// <summary>Puts neighbouring narrow values together, in either byte order; stores may come between.</summary>
    private void GatherStatement()
    {
        int width = _random.Pick(1, 1, 2, 4);
        int parts = Math.Min(_random.Pick(2, 4, 8), 8 / width);
        bool isReversed = _random.Coin(), isStored = _random.Chance(35), is64 = parts * width == 8 || _random.Coin();
        (int b, int offset) = Address(parts * width, isStored, isAligned: _unit.IsVerifiable || _random.Coin(), isRead: true);
        int stored = Scalar(except: b);
        int sum = Destination(b, stored);
        Emit(Slot.MovImm(sum, 0));
        State.Registers[sum] = Value.Scalar;
        _pinned[sum]++;
        int part = Destination(b, stored);
        for (int i = 0; i < parts; i++)
        {
            Emit(Slot.Load(width, part, b, offset + width * (isReversed ? parts - 1 - i : i)));
            if (isStored && _random.Coin())
                Emit(Slot.Store(_random.Pick(1, width), b, offset + width * _random.Next(parts), stored));
            if (i > 0)
                Emit(Slot.AluImm(Lsh, is64, part, 8 * width * i));
            Emit(Slot.Alu(Or, is64, sum, part));
        }

        State.Registers[part] = Value.Scalar;
        _pinned[sum]--;
    }
}
