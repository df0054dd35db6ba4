using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Differential;

/// <summary>Patterns of counts, and of what is decided by a single bit or a remainder.</summary>
internal sealed partial class FunctionGenerator
{
    /// <summary>An address in the frame that a loop moves up or down while it counts something else, from and to anywhere, in either direction.</summary>
    private bool MovingAddress()
    {
        int width = _random.Pick(1, 2, 4, 8), trips = _random.Between(2, 8);
        int length = width * trips + 7 & ~7;
        if (_style.KeepsStackPrivate || !Affords(trips))
            return false;
        int at = StackRange(length);
        if (at < 0)
            return false;
        int value = Take(), pointer = TakeNew(), counter = TakeNew();
        bool isUp = _random.Coin(), isDisplaced = _random.Coin();
        int first = at - _plan.StackSize + (isUp ? 0 : width * (trips - 1));
        Emit(Slot.Mov(pointer, 10));
        if (!isDisplaced)
            Emit(Slot.AddImm(pointer, first));
        int displacement = isDisplaced ? first : 0;
        if (_random.Coin())
            FixedAccess(at, length, value);

        int step = _random.Pick(1, 1, 1, 2, 3) * _random.Pick(1, -1);
        int start = _random.Next(4) + (step < 0 ? -step * trips : 0);
        var head = new Label();
        var after = new Label();
        bool isBounded = _random.Chance(25) && trips == 8;
        Emit(isBounded ? [Slot.Mov(counter, value), Slot.AluImm(And, _random.Coin(), counter, 7)] : [Slot.AluImm(MovOp, _random.Coin(), counter, start)]);
        Written(counter);
        _multiplier *= trips;
        Bind(head);
        if (isBounded)
            JumpIf(Slot.JumpImm(_random.Pick(0xd, 0x1), _random.Coin(), counter, 0, 0), after);
        Emit(_random.Coin() ? Slot.Store(width, pointer, displacement, value) : Slot.Load(width, value, pointer, displacement));

        // The way out at the head sees the registers as they were before the loop: nothing else may change them in it.
        if (!isBounded && _random.Chance(40))
            FixedAccess(at, length, value);
        if (_random.Coin())
            Emit(Slot.Alu(_random.Pick(Add, Xor), _random.Coin(), value, counter));
        Emit(Slot.AddImm(pointer, isUp ? width : -width));
        if (isBounded)
        {
            Emit(Slot.AluImm(Add, _random.Coin(), counter, -1));
            JumpTo(head);
        }
        else
        {
            EndCount(counter, start, step, trips, head, after);
        }

        _multiplier /= trips;
        Bind(after);
        FixedAccess(at, length, value);
        Release(value, pointer, counter);
        return true;
    }

    /// <summary>The step and the test, in either order; the test lets the given number of rounds pass.</summary>
    private void EndCount(int counter, int start, int step, int trips, Label head, Label after)
    {
        int last = start + step * (trips - 1);
        if (_random.Chance(30))
        {
            JumpIf(Slot.JumpImm(step > 0 ? _random.Pick(0x1, 0x3, 0x7) : _random.Pick(0x1, 0xb, 0xd), _random.Coin(), counter, last, 0), after);
            Emit(Slot.AluImm(Add, _random.Coin(), counter, step));
            JumpTo(head);
            return;
        }

        Emit(Slot.AluImm(Add, _random.Coin(), counter, step));
        (int code, int limit) = step > 0
            ? _random.Pick((0x5, last + step), (0xa, last + step), (0xc, last + step), (0xb, last + step - 1), (0xd, last))
            : _random.Pick((0x5, last + step), (0x2, last + step), (0x6, last + step), (0x3, last + step + 1), (0x7, last));
        JumpIf(Slot.JumpImm(code, _random.Coin(), counter, limit, 0), head);
    }

    /// <summary>Whether something divides a number.</summary>
    private bool Divisible()
    {
        int a = Take(), rest = TakeNew(), count = Take();
        if (_random.Coin())
            Emit(Slot.AluImm(_random.Pick(And, Rsh), false, a, _random.Between(1, 31)));
        int divisor = _random.Pick(3, 5, 6, 7, 10, 12, 24, 60, 100, 255, 640, 641, 1000, 65535, 1 << 20, 3 << 20, int.MaxValue, -1, -2, _random.Immediate() | 1);
        bool is64 = _random.Chance(25);
        Emit([Slot.Mov(rest, a), Slot.AluImm(Mod, is64, rest, divisor)]);
        Written(rest);
        var skip = new Label();
        JumpIf(Slot.JumpImm(_random.Pick(0x1, 0x5), _random.Coin(), rest, _random.Pick(0, 0, 0, 1), 0), skip, isChoice: true);
        Emit([Slot.AddImm(count, 1), Slot.Alu(Xor, _random.Coin(), count, _random.Coin() ? a : rest)]);
        Bind(skip);
        Release(a, rest, count);
        return true;
    }

    /// <summary>A value if a bit of another one is set, else 0, by arithmetic; or a branch on bits, several times.</summary>
    private bool ChosenByBit()
    {
        int bits = Take(), chosen = Take(), mask = TakeNew();
        bool is64 = Is64();
        Emit(Slot.Mov(mask, bits));
        if (_random.Chance(80))
            Emit(Slot.AluImm(Rsh, is64, mask, _random.Next(is64 ? 64 : 32)));
        Emit([Slot.AluImm(And, is64, mask, 1), Slot.AluImm(Neg, is64, mask, 0)]);
        Emit(_random.Coin() ? Slot.AluImm(And, is64, mask, _random.Immediate()) : Slot.Alu(And, is64, mask, chosen));
        Written(mask);
        Emit(Slot.Alu(_random.Pick(Xor, Add), _random.Coin(), chosen, mask));
        for (int i = _random.Next(3); i > 0; i--)
        {
            var skip = new Label();
            Emit(_random.Coin()
                ? [Slot.Mov(mask, bits), Slot.AluImm(And, _random.Coin(), mask, _random.Pick(1, 0x80, 0xff, 0xffff, 0x8000, 0xff00))]
                : [Slot.Alu(MovOp, true, mask, bits, _random.Pick(8, 16))]);
            JumpIf(Slot.JumpImm(_random.Pick(0x1, 0x5), _random.Coin(), mask, 0, 0), skip, isChoice: true);
            Emit(Slot.Alu(_random.Pick(Add, Xor), _random.Coin(), chosen, _random.Coin() ? mask : bits));
            Bind(skip);
        }

        Release(bits, chosen, mask);
        return true;
    }
}
