using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Differential;

/// <summary>
/// Patterns that are small loops: counts that a processor's count register can take, with early ways out; values that stay narrow; addresses that
/// go forward with a counter. Their bodies use nothing but registers of their own.
/// </summary>
internal sealed partial class FunctionGenerator
{
    private bool Affords(int trips) => _cost + _multiplier * trips * 16 <= _plan.CostLimit;

    /// <summary>A counted loop in a counted loop, with ways out of one or of both.</summary>
    private bool CountedNest()
    {
        int trips = _random.Between(1, 5);
        if (!Affords(trips * 9))
            return false;
        int sum = Take(), bound = Take(), outer = TakeNew(), inner = TakeNew();
        bool is64 = Is64();
        var head = new Label();
        var after = new Label();
        Emit([Slot.AluImm(And, true, bound, 7), Slot.AluImm(MovOp, is64, outer, trips)]);
        Written(outer, inner);
        Emit(Slot.MovImm(inner, 0));
        _multiplier *= trips;
        Bind(head);
        InnerLoop(sum, bound, outer, inner, after);
        if (_random.Coin())
            Emit(Slot.Alu(_random.Pick(Add, Xor), true, sum, _random.Pick(inner, outer)));
        Emit(Slot.AluImm(Add, is64, outer, -1));
        JumpIf(Slot.JumpImm(_random.Pick(0x5, 0x2, 0x6), is64, outer, 0, 0), head);
        _multiplier /= trips;
        Bind(after);
        Release(sum, bound, outer, inner);
        return true;
    }

    private void InnerLoop(int sum, int bound, int outer, int inner, Label after)
    {
        const int Most = 9;
        bool is64 = Is64(), isUp = _random.Coin(), isSigned = _random.Coin();
        var head = new Label();
        var latch = new Label();
        var end = new Label();
        int limit = _random.Between(1, Most), step = _random.Pick(1, 1, 1, 2, 3);
        bool isVariable = _random.Coin();
        if (isUp)
            Emit(Slot.AluImm(MovOp, is64, inner, 0));
        else
            Emit(isVariable ? Slot.Alu(MovOp, is64, inner, _random.Pick(bound, outer)) : Slot.AluImm(MovOp, is64, inner, limit));
        bool isTestedFirst = isUp && _random.Coin();
        if (isUp && isVariable && !isTestedFirst)
            JumpIf(Slot.JumpImm(0x1, is64, bound, 0, 0), end);
        else if (!isUp && isVariable)
            JumpIf(Slot.JumpImm(0x1, is64, inner, 0, 0), end);
        _multiplier *= Most;
        Bind(head);
        if (isTestedFirst)
            JumpIf(isVariable ? Slot.Jump(isSigned ? 0x7 : 0x3, is64, inner, bound, 0) : Slot.JumpImm(isSigned ? 0x7 : 0x3, is64, inner, limit, 0), end);
        for (int i = _random.Between(1, 3); i > 0; i--)
            InnerStep(sum, outer, inner, latch, end, after);
        Bind(latch);
        Emit(Slot.AluImm(Add, is64, inner, isUp ? step : -1));
        if (isTestedFirst)
            JumpTo(head);
        else if (!isUp)
            JumpIf(Slot.JumpImm(_random.Pick(0x5, 0x2, 0x6), is64, inner, 0, 0), head);
        else if (isVariable)
            JumpIf(Slot.Jump(step == 1 ? _random.Pick(0x5, 0xa, 0xc) : isSigned ? 0xc : 0xa, is64, inner, bound, 0), head);
        else
            JumpIf(Slot.JumpImm(step == 1 ? _random.Pick(0x5, 0xa, 0xc) : isSigned ? 0xc : 0xa, is64, inner, limit, 0), head);
        _multiplier /= Most;
        Bind(end);
    }

    private void InnerStep(int sum, int outer, int inner, Label latch, Label end, Label after)
    {
        switch (_random.Next(7))
        {
            case 0:
                Emit([Slot.AluImm(Mul, true, sum, 3), Slot.Add(sum, inner)]);
                break;
            case 1:
                Emit(Slot.Alu(_random.Pick(Add, Sub, Xor), Is64(), sum, _random.Pick(inner, outer)));
                break;
            case 2:
                JumpIf(Slot.JumpImm(0x4, Is64(), sum, 1 << _random.Next(31), 0), _random.Pick(latch, end, after), isChoice: true);
                break;
            case 3:
                JumpIf(Slot.JumpImm(_random.Pick(0x1, 0x5), Is64(), inner, _random.Next(9), 0), _random.Pick(latch, end), isChoice: true);
                break;
            case 4:
                JumpIf(Slot.Jump(_random.Pick(0x1, 0xa), Is64(), inner, outer, 0), _random.Pick(latch, end, after), isChoice: true);
                break;
            default:
                Emit(Slot.AluImm(_random.Pick(Add, Xor, Mul), Is64(), sum, _random.Immediate() | 1));
                break;
        }
    }

    /// <summary>A value goes round a loop in 32 bits, or in fewer, and is looked at in 64 behind it.</summary>
    private bool NarrowLoop()
    {
        int trips = _random.Between(2, 9);
        if (!Affords(trips))
            return false;
        int word = Take(), other = Take(), counter = TakeNew();
        if (_random.Coin())
            Emit(_random.Coin() ? Slot.Alu(MovOp, false, word, word) : Slot.Alu(MovOp, _random.Coin(), word, word, _random.Pick(8, 16)));
        Emit(Slot.AluImm(MovOp, _random.Coin(), counter, trips));
        Written(counter);
        var head = new Label();
        var after = new Label();
        _multiplier *= trips;
        Bind(head);
        for (int i = _random.Between(1, 4); i > 0; i--)
        {
            Emit(_random.Next(7) switch
            {
                0 => Slot.AluImm(_random.Pick(Add, Sub, Mul, Xor, And, Or), false, word, _random.Immediate()),
                1 => Slot.AluImm(_random.Pick(Lsh, Rsh, Arsh), false, word, _random.Next(32)),
                2 => Slot.Alu(_random.Pick(Add, Sub, Mul, Xor), false, word, other),
                3 => Slot.Alu(MovOp, _random.Coin(), word, word, _random.Pick(8, 16)),
                4 => Slot.AluImm(And, true, word, _random.Pick(0xff, 0xffff, int.MaxValue, -1)),
                5 => Slot.Alu(_random.Pick(Add, Xor), _random.Coin(), other, word),
                _ => Slot.AluImm(Neg, false, word, 0),
            });
        }

        if (_random.Chance(40))
            JumpIf(Slot.JumpImm(_random.Pick(0x6, 0xc, 0x2, 0x1), _random.Coin(), word, _random.Pick(0, -1, 1, 255), 0), after);
        Emit(Slot.AluImm(Add, true, counter, -1));
        JumpIf(Slot.JumpImm(0x5, _random.Coin(), counter, 0, 0), head);
        _multiplier /= trips;
        Bind(after);
        Emit(_random.Next(4) switch
        {
            0 => Slot.Alu(MovOp, true, word, word, _random.Pick(8, 16, 32)),
            1 => Slot.AluImm(_random.Pick(Rsh, Arsh), true, word, _random.Between(1, 40)),
            2 => Slot.Alu(Add, true, other, word),
            _ => Slot.Alu(MovOp, false, other, word),
        });
        Release(word, other, counter);
        return true;
    }

    /// <summary>Addresses made anew from a counter in every round, at several displacements, read and written.</summary>
    private bool Streams()
    {
        int shift = _random.Next(4), size = 1 << shift;
        int from = PointerWith(24, isStore: true, isAligned: false);
        Value pointer = State.Registers[from];
        int low = Math.Max(pointer.Low, short.MinValue);
        if (pointer.Alignment < size)
            return false;
        low += (size - ((pointer.Residue + low) % size + size) % size) % size;
        int room = (Math.Min(pointer.High, short.MaxValue) - low) / size;
        int ahead = _random.Next(3), trips = Math.Min(_random.Between(2, 10), room - ahead);
        if (trips < 1 || !Affords(trips) || _pinned[from] == 0 && _pinned.Count(static p => p == 0) < 7)
            return false;
        _pinned[from]++;
        int sum = Take(), index = TakeNew(), address = TakeNew(), value = TakeNew();
        Emit(Slot.AluImm(MovOp, _random.Coin(), index, 0));
        Written(index);
        var head = new Label();
        _multiplier *= trips;
        Bind(head);
        Emit(Slot.Mov(address, index));
        if (shift > 0)
            Emit(_random.Coin() ? Slot.AluImm(Lsh, true, address, shift) : Slot.AluImm(Mul, true, address, size));
        Emit(Slot.Add(address, from));
        for (int i = _random.Between(1, 4); i > 0; i--)
        {
            int place = low + size * _random.Next(ahead + 1);
            if (_random.Chance(35))
                Emit(Slot.Store(size, address, place, sum));
            else
                Emit([Slot.Load(size, value, address, place), Slot.Alu(_random.Pick(Add, Xor), Is64(), sum, value)]);
        }

        if (_random.Chance(30))
            Emit(Slot.Alu(Add, true, sum, index));
        Emit(Slot.AluImm(Add, _random.Coin(), index, 1));
        JumpIf(Slot.JumpImm(_random.Pick(0xa, 0xc, 0x5), _random.Coin(), index, trips, 0), head);
        _multiplier /= trips;
        Release(from, sum, index, address, value);
        return true;
    }
}
