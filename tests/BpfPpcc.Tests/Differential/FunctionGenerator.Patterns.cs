using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Differential;

/// <summary>Statements that give one part of the optimizer, of selection or of the register allocator what it is made for.</summary>
internal sealed partial class FunctionGenerator
{
    /// <summary>What such a statement is; the coverage that a run must reach names them all.</summary>
    internal enum Pattern
    {
        StackArray,
        Overlaps,
        ValuesAcrossCalls,
        RecordForm,
        Select,
        ValueOrDefault,
        RepeatedLookup,
        Flag,
        SameEnds,
        CountedNest,
        NarrowLoop,
        Streams,
        MapCopy,
        NarrowDivision,
        MultiplyAdd,
        FieldMask,
        ExtendedLoad,
        WordMix,
        LoneShift,
        MovingAddress,
        Divisible,
        ChosenByBit,
    }

    private void PatternStatement()
    {
        var pattern = (Pattern)_random.Next(Enum.GetValues<Pattern>().Length);
        if (_pinned.Count(static p => p == 0) >= 6 && TryPattern(pattern))
            _unit.Shape.Count($"pattern: {pattern}");
        else
            Arithmetic();
    }

    private bool TryPattern(Pattern pattern) => pattern switch
    {
        Pattern.StackArray => StackArray(),
        Pattern.Overlaps => Overlaps(),
        Pattern.ValuesAcrossCalls => ValuesAcrossCalls(),
        Pattern.RecordForm => RecordForm(),
        Pattern.Select => Select(),
        Pattern.ValueOrDefault => ValueOrDefault(),
        Pattern.RepeatedLookup => RepeatedLookup(),
        Pattern.Flag => Flag(),
        Pattern.SameEnds => SameEnds(),
        Pattern.CountedNest => CountedNest(),
        Pattern.NarrowLoop => NarrowLoop(),
        Pattern.Streams => Streams(),
        Pattern.MapCopy => MapCopy(),
        Pattern.NarrowDivision => NarrowDivision(),
        Pattern.MultiplyAdd => MultiplyAdd(),
        Pattern.FieldMask => FieldMask(),
        Pattern.ExtendedLoad => ExtendedLoad(),
        Pattern.WordMix => WordMix(),
        Pattern.LoneShift => LoneShift(),
        Pattern.MovingAddress => MovingAddress(),
        Pattern.Divisible => Divisible(),
        Pattern.ChosenByBit => ChosenByBit(),
    };

    /// <summary>A number that the rest of the statement may change, and that nothing else takes until <see cref="Release"/>.</summary>
    private int Take(int except = -1)
    {
        int r = FreeScalar(except);
        _pinned[r]++;
        return r;
    }

    /// <summary>A register that is a number from now on.</summary>
    private int TakeNew(int except = -1)
    {
        int r = Destination(except);
        State.Registers[r] = Value.Unknown;
        _pinned[r]++;
        return r;
    }

    private void Release(params ReadOnlySpan<int> registers)
    {
        foreach (int r in registers)
            _pinned[r]--;
    }

    private void Written(params ReadOnlySpan<int> registers)
    {
        foreach (int r in registers)
            State.Registers[r] = Value.Scalar;
    }

    /// <summary>Where in the frame so many bytes may be written, from a multiple of 8 on; all of them are initialised then. -1: nowhere.</summary>
    private int StackRange(int length)
    {
        for (int attempt = 0; attempt < 10 && _plan.StackSize >= length; attempt++)
        {
            int at = 8 * _random.Next((_plan.StackSize - length) / 8 + 1);
            if (!IsUsable(at, length, isInitialised: false))
                continue;
            for (int i = at; i < at + length; i += 8)
            {
                if (!IsUsable(i, 8, isInitialised: true))
                    InitialiseBytes(i, 8);
            }

            return at;
        }

        return -1;
    }

    /// <summary>An array in the frame, indexed by a bounded number and read and written beside that at fixed places in any width.</summary>
    private bool StackArray()
    {
        int shift = _random.Next(4), width = 1 << shift, entries = _random.Pick(2, 4, 8);
        int length = width * entries + 7 & ~7;
        int at = _style.KeepsStackPrivate ? -1 : StackRange(length);
        if (at < 0)
            return false;
        int value = Take(), index = Take(), pointer = TakeNew();
        int offset = at - _plan.StackSize;
        bool isDisplaced = _random.Coin();
        Emit(Slot.AluImm(And, _random.Coin(), index, entries - 1));
        if (shift > 0)
            Emit(Slot.AluImm(Lsh, true, index, shift));
        Emit(Slot.Mov(pointer, 10));
        if (!isDisplaced)
            Emit(Slot.AddImm(pointer, offset));
        Emit(Slot.Add(pointer, index));
        for (int i = _random.Between(2, 5); i > 0; i--)
        {
            int displacement = isDisplaced ? offset : 0;
            if (_random.Coin())
                Emit(_random.Coin() ? Slot.Store(width, pointer, displacement, value) : Slot.Load(width, value, pointer, displacement));
            else
                FixedAccess(at, length, value);
        }

        Release(value, index, pointer);
        return true;
    }

    private void FixedAccess(int at, int length, int value)
    {
        int size = _random.Pick(1, 2, 4, 8);
        int place = _unit.IsVerifiable || _random.Coin() ? size * _random.Next(length / size) : _random.Next(length - size + 1);
        int offset = at + place - _plan.StackSize;
        switch (_random.Next(5))
        {
            case 0:
                Emit(Slot.StoreImm(size, 10, offset, _random.Immediate()));
                break;
            case 1:
                Emit(Slot.Store(size, 10, offset, value));
                break;
            case 2 when size < 8:
                Emit(Slot.LoadSigned(size, value, 10, offset));
                break;
            default:
                int read = Destination(value);
                Emit([Slot.Load(size, read, 10, offset), Slot.Alu(_random.Pick(Add, Xor), true, value, read)]);
                Written(read);
                break;
        }
    }

    /// <summary>Stores and loads of every width over the same few bytes.</summary>
    private bool Overlaps()
    {
        int length = _random.Pick(8, 16, 16, 24);
        int at = StackRange(length);
        if (at < 0)
            return false;
        int value = Take();
        for (int i = _random.Between(4, 10); i > 0; i--)
            FixedAccess(at, length, value);
        Release(value);
        return true;
    }

    /// <summary>More values than there are registers live through calls.</summary>
    private bool ValuesAcrossCalls()
    {
        if (!CanCall() || _plan.StackSize < 48)
            return false;
        int value = Take();
        var places = new List<(int Offset, int Size)>();
        for (int i = Math.Min(_plan.StackSize / 8, _random.Between(4, 20)); i > 0; i--)
        {
            int size = _random.Pick(8, 8, 4);
            int at = 8 * _random.Next(_plan.StackSize / 8);
            if (!IsUsable(at, 8, isInitialised: false) || places.Exists(p => p.Offset == at - _plan.StackSize))
                continue;
            places.Add((at - _plan.StackSize, size));
            if (_random.Chance(30))
                Emit(Slot.Alu(Xor, Is64(), value, Scalar()));
            Emit([Slot.AluImm(_random.Pick(Add, Mul, Xor), Is64(), value, _random.Immediate() | 1), Slot.Store(size, 10, places[^1].Offset, value)]);
            NoteStore(10, places[^1].Offset, size);
        }

        Release(value);
        for (int i = _random.Between(1, 3); i > 0; i--)
        {
            if (_unit.Signatures.Count > 0 && _random.Coin())
                CallSubprogram(_unit.Signatures[_random.Next(_unit.Signatures.Count)]);
            else
                CallHelper();
        }

        int sum = Take(), read = TakeNew();
        foreach ((int offset, int size) in places)
            Emit([Slot.Load(size, read, 10, offset), Slot.AluImm(Mul, true, sum, 7), Slot.Alu(_random.Pick(Add, Xor, Sub), true, sum, read)]);
        if (places.Count > 0)
            Written(read);
        Release(sum, read);
        return true;
    }

    /// <summary>A number or what a map holds under a key that may be out of range: nothing may be loaded then.</summary>
    private bool ValueOrDefault()
    {
        if (_unit.ArrayMap < 0 || _plan.StackSize < 16 || !CanCall())
            return false;
        TestMap map = _unit.Maps[_unit.ArrayMap];
        CallLookup(map);
        int result = Destination(0);
        int size = Math.Min(_random.Pick(1, 2, 4, 8), map.ValueSize & -map.ValueSize);
        var end = new Label();
        Emit(Slot.MovImm(result, _random.Pick(0, 1, -1, _random.Immediate())));
        Written(result);
        JumpIf(Slot.JumpImm(0x1, true, 0, 0, 0), end);
        Emit(Slot.Load(size, result, 0, size * _random.Next(map.ValueSize / size)));
        if (_random.Chance(30))
            Emit(Slot.AluImm(_random.Pick(Add, And, Xor), Is64(), result, _random.Immediate()));
        State.Registers[0] = Value.Unknown;
        Bind(end);
        State.Registers[0] = Value.Unknown;
        return true;
    }

    private void CallLookup(TestMap map)
    {
        SetKeyArgument(2, map.MaxEntries);
        SetMapArgument(1, _unit.ArrayMap);
        Emit(Slot.CallHelper(1));
        ReleaseArguments(2);
        AfterCall();
        State.Registers[0] = Value.Unknown;
    }

    /// <summary>Two lookups, tests for null again where the answer is known and where it is not.</summary>
    private bool RepeatedLookup()
    {
        if (_unit.ArrayMap < 0 || _plan.StackSize < 32 || !CanCall() || _pinned[6] > 0 && _pinned[7] > 0)
            return false;
        TestMap map = _unit.Maps[_unit.ArrayMap];
        int kept = _pinned[6] > 0 ? 7 : 6;
        int size = Math.Min(_random.Pick(1, 2, 4, 8), map.ValueSize & -map.ValueSize);
        var missing = new Label();
        CallLookup(map);
        Emit(Slot.Mov(kept, 0));
        State.Registers[kept] = Value.Unknown;
        _pinned[kept]++;
        bool isTested = _random.Coin();
        if (isTested)
            JumpIf(Slot.JumpImm(0x1, true, kept, 0, 0), missing);
        CallLookup(map);
        JumpIf(Slot.JumpImm(0x1, true, 0, 0, 0), missing);
        if (!isTested || _random.Coin())
            JumpIf(Slot.JumpImm(0x1, true, kept, 0, 0), missing);
        int value = Take(except: 0);
        int place = size * _random.Next(map.ValueSize / size), other = size * _random.Next(map.ValueSize / size);
        int read = TakeNew(except: 0);
        Emit([Slot.Load(size, read, kept, place), Slot.Store(size, 0, other, value), Slot.Alu(Add, true, value, read), Slot.Load(size, read, kept, place)]);
        Emit(Slot.Alu(Xor, true, value, read));
        Written(read);
        Release(value, read);
        Bind(missing);
        _pinned[kept]--;
        State.Registers[kept] = Value.Unknown;
        State.Registers[0] = Value.Unknown;
        return true;
    }

    /// <summary>The bytes of a map's value go to the frame or come from there, in pieces of several widths.</summary>
    private bool MapCopy()
    {
        if (_unit.ArrayMap < 0 || !CanCall())
            return false;
        TestMap map = _unit.Maps[_unit.ArrayMap];
        int length = Math.Min(map.ValueSize, 32) & ~3;
        int at = StackRange(length + 7 & ~7);
        if (at < 0)
            return false;
        CallLookup(map);
        var missing = new Label();
        JumpIf(Slot.JumpImm(0x1, true, 0, 0, 0), missing);
        int piece = TakeNew(except: 0);
        bool isToMap = _random.Coin();
        for (int done = 0; done < length;)
        {
            int width = _random.Pick(1, 2, 4, 8, 8, 4);
            while (done % width != 0 || width > length - done)
                width /= 2;
            int offset = at + done - _plan.StackSize;
            Emit(isToMap
                ? [Slot.Load(width, piece, 10, offset), Slot.Store(width, 0, done, piece)]
                : [Slot.Load(width, piece, 0, done), Slot.Store(width, 10, offset, piece)]);
            done += width;
        }

        Written(piece);
        Release(piece);
        Bind(missing);
        State.Registers[0] = Value.Unknown;
        return true;
    }
}
