using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Differential;

/// <summary>Patterns of arithmetic and of branches: several instructions that become one, or a branch that goes away.</summary>
internal sealed partial class FunctionGenerator
{
    private static ReadOnlySpan<int> OrderCodes => [0x2, 0x3, 0x6, 0x7, 0xa, 0xb, 0xc, 0xd];

    /// <summary>A result that is compared with 0 at once.</summary>
    private bool RecordForm()
    {
        int a = Take(), other = Take();
        bool is64 = Is64();
        switch (_random.Next(6))
        {
            case 0:
                Emit(Slot.AluImm(_random.Pick(And, Xor, Or, Add, Sub), is64, a, _random.Immediate()));
                break;
            case 1:
                Emit(Slot.AluImm(_random.Pick(Lsh, Rsh, Arsh), is64, a, _random.Next(is64 ? 64 : 32)));
                break;
            case 2:
                Emit(Slot.AluImm(Neg, is64, a, 0));
                break;
            case 3:
                Emit(Slot.Alu(MovOp, is64, a, other, _random.Pick(8, 16)));
                break;
            case 4:
                Emit([Slot.AluImm(And, true, a, _random.Pick(1, 3, 0xff)), Slot.Alu(Sub, is64, a, other)]);
                break;
            default:
                Emit(Slot.Alu(_random.Pick(And, Xor, Or, Add, Sub, Rsh), is64, a, other));
                break;
        }

        var end = new Label();
        JumpIf(Slot.JumpImm(_random.Pick(JumpCodes), _random.Chance(75) ? is64 : !is64, a, _random.Chance(85) ? 0 : _random.Pick(1, -1), 0), end, isChoice: true);
        Emit(Slot.AluImm(_random.Pick(Add, Xor), true, other, _random.Immediate()));
        if (_random.Coin())
            Emit(Slot.Alu(Sub, Is64(), other, a));
        Bind(end);
        Release(a, other);
        return true;
    }

    /// <summary>One of two values, by a comparison; minima and maxima in every disguise.</summary>
    private bool Select()
    {
        int a = Take(), b = Take(), chosen = TakeNew();
        bool is64 = Is64();
        if (_random.Chance(30))
            Emit(Slot.AluImm(And, true, a, _random.Pick(0xff, 0xffff, int.MaxValue)));
        bool isImmediate = _random.Chance(40);
        int immediate = _random.Immediate();
        Emit(_random.Next(4) switch
        {
            0 => Slot.Mov(chosen, a),
            1 => Slot.Mov(chosen, b),
            2 => Slot.MovImm(chosen, _random.Pick(0, 1, -1, immediate)),
            _ => Slot.Alu(MovOp, false, chosen, a),
        });
        Written(chosen);
        var end = new Label();
        int code = _random.Pick(OrderCodes);
        JumpIf(isImmediate ? Slot.JumpImm(code, is64, a, immediate, 0) : Slot.Jump(code, is64, a, b, 0), end, isChoice: true);
        switch (_random.Next(6))
        {
            case 0:
                Emit(Slot.Mov(chosen, a));
                break;
            case 1:
                Emit(Slot.MovImm(chosen, isImmediate ? immediate : _random.Pick(0, 1, -1)));
                break;
            case 2:
                Emit(Slot.AluImm(_random.Pick(Add, Xor, Lsh), is64, chosen, 1));
                break;
            case 3:
                Emit([Slot.Mov(chosen, a), Slot.Alu(Sub, is64, chosen, b)]);
                break;
            default:
                Emit(Slot.Mov(chosen, b));
                break;
        }

        Bind(end);
        Emit(Slot.Alu(_random.Pick(Add, Xor), true, b, chosen));
        Release(a, b, chosen);
        return true;
    }

    /// <summary>A number that remembers which way a branch went, and branches on it.</summary>
    private bool Flag()
    {
        int a = Take(), flag = TakeNew(), result = Take();
        int low = _random.Pick(0, 0, 1, -1), high = _random.Pick(1, 2, 3, int.MinValue);
        int code = _random.Pick(JumpCodes);
        bool is64 = Is64();
        Emit(Slot.AluImm(And, true, a, 7));
        Choose(flag, low, high, Slot.JumpImm(code, is64, a, _random.Next(8), 0));
        Written(flag);
        for (int i = _random.Between(1, 3); i > 0; i--)
        {
            var skip = new Label();
            int test = _random.Pick(JumpCodes);
            JumpIf(Slot.JumpImm(test, Is64(), flag, _random.Pick(low, high, 0, 1), 0), skip, isChoice: true);
            Emit(Slot.AluImm(_random.Pick(Add, Xor, Mul), true, result, _random.Immediate() | 1));
            if (_random.Chance(40))
                Emit(Slot.MovImm(flag, _random.Pick(low, high, 5)));
            Bind(skip);
            if (_random.Coin())
                Emit(Slot.Alu(Add, true, result, flag));
        }

        Release(a, flag, result);
        return true;
    }

    /// <summary>A sum that nothing but a shift reads, so that all depends on how many of its bits that takes for needed.</summary>
    private bool LoneShift()
    {
        int a = Take(), b = Take(), result = Take();
        Emit(Slot.Alu(_random.Pick(Add, Sub, Mul, Xor), Is64(), a, b));
        int shift = _random.Pick(Lsh, Rsh, Arsh);
        if (_random.Coin())
            Emit(Slot.AluImm(shift, true, a, _random.Pick(1, 30, 31, 32, 33, 63)));
        else
            Emit([Slot.AluImm(And, true, b, 63), Slot.Alu(shift, true, a, b)]);
        Emit([Slot.Alu(_random.Pick(Add, Xor), true, result, a), Slot.Mov(a, result)]);
        Release(a, b, result);
        return true;
    }

    /// <summary>Two ways that end alike, or differ in one instruction of their ends.</summary>
    private bool SameEnds()
    {
        int a = Take(), b = Take();
        int at = StackRange(8);
        var end = new List<Slot>();
        for (int i = _random.Between(2, 6); i > 0; i--)
        {
            end.Add(_random.Next(5) switch
            {
                0 => Slot.AluImm(Mul, true, a, _random.Pick(3, 5, 9)),
                1 when at >= 0 => Slot.Store(_random.Pick(1, 2, 4, 8), 10, at - _plan.StackSize, b),
                2 when at >= 0 => Slot.Load(8, a, 10, at - _plan.StackSize),
                3 => Slot.Alu(_random.Pick(Add, Xor, Sub), Is64(), b, a),
                _ => Slot.AluImm(_random.Pick(Add, Xor), Is64(), a, _random.Between(-100, 100)),
            });
        }

        var otherwise = new Label();
        var join = new Label();
        JumpSomehow(otherwise);
        Emit([Slot.AluImm(_random.Pick(Add, Xor), true, a, _random.Immediate()), .. end]);
        JumpTo(join);
        Bind(otherwise);
        if (_random.Coin())
            Emit(Slot.AluImm(Add, true, b, _random.Immediate()));
        if (_random.Coin())
        {
            int change = _random.Next(end.Count);
            if ((end[change].Opcode & 7) is 4 or 7 && (end[change].Opcode & 8) == 0)
                end[change] = end[change] with { Imm = end[change].Imm + 1 };
        }

        Emit([.. end]);
        Bind(join);
        Release(a, b);
        return true;
    }

    /// <summary>Division by a constant of a number whose range the instructions before it say.</summary>
    private bool NarrowDivision()
    {
        int a = Take(), rest = TakeNew();
        bool is64 = Is64();
        switch (_random.Next(5))
        {
            case 0:
                Emit(Slot.AluImm(And, is64, a, _random.Pick(0xff, 0xffff, int.MaxValue, 0x3ff)));
                break;
            case 1:
                Emit(Slot.AluImm(_random.Pick(Rsh, Arsh), is64, a, _random.Next(is64 ? 64 : 32)));
                break;
            case 2:
                Emit(Slot.Alu(MovOp, is64, a, a, _random.Pick(8, 16)));
                break;
            case 3:
                Emit(Slot.AluImm(Or, is64, a, _random.Immediate()));
                break;
            default:
                break;
        }

        int divisor = _random.Next(5) switch
        {
            0 => 1 << _random.Next(32),
            1 => -(1 << _random.Next(31)),
            2 => _random.Pick(3, 5, 6, 7, 9, 10, 11, 12, 25, 60, 100, 125, 625, 1000, 3600, 1_000_000_007),
            3 => _random.Pick(-1, -3, -5, -10, int.MaxValue, int.MinValue + 1, 641),
            _ => _random.Immediate(),
        };
        if (divisor == 0)
            divisor = 13;
        Emit([Slot.Mov(rest, a), Slot.AluImm(Div, is64, a, divisor, _random.Next(2)), Slot.AluImm(Mod, Is64(), rest, divisor, _random.Next(2))]);
        Emit(Slot.Alu(_random.Pick(Add, Xor), true, a, rest));
        Written(rest);
        Release(a, rest);
        return true;
    }

    /// <summary>Sums of products.</summary>
    private bool MultiplyAdd()
    {
        int sum = Take(), a = Take(), product = TakeNew();
        for (int i = _random.Between(1, 4); i > 0; i--)
        {
            bool is64 = Is64();
            Emit(Slot.Mov(product, a));
            Emit(_random.Coin() ? Slot.Alu(Mul, is64, product, Scalar(except: product)) : Slot.AluImm(Mul, is64, product, _random.Immediate()));
            Written(product);
            Emit(Slot.Alu(_random.Pick(Add, Add, Sub), _random.Chance(80) ? is64 : !is64, sum, product));
            if (_random.Coin())
                Emit(Slot.Alu(Add, true, a, sum));
        }

        Release(sum, a, product);
        return true;
    }

    /// <summary>Fields cut out, moved and put into others: rotations under masks, also masks that wrap around.</summary>
    private bool FieldMask()
    {
        int a = Take(), b = Take();
        bool is64 = _random.Chance(40);
        int width = is64 ? 64 : 32;
        for (int i = _random.Between(1, 3); i > 0; i--)
        {
            int from = _random.Next(32), to = _random.Next(32);
            var run = (int)(from <= to ? uint.MaxValue >> 31 - (to - from) << from : ~(uint.MaxValue >> 31 - (from - to) << to));
            switch (_random.Next(6))
            {
                case 0:
                    Emit([Slot.AluImm(_random.Pick(Lsh, Rsh, Arsh), is64, a, _random.Next(width)), Slot.AluImm(And, is64, a, run)]);
                    break;
                case 1:
                    Emit([Slot.AluImm(And, is64, a, run), Slot.AluImm(_random.Pick(Lsh, Rsh), is64, a, _random.Next(width))]);
                    break;
                case 2:
                    Emit([Slot.AluImm(And, is64, a, ~run), Slot.AluImm(And, is64, b, run), Slot.Alu(_random.Pick(Or, Add, Xor), is64, a, b)]);
                    break;
                case 3:
                    Emit([Slot.AluImm(Lsh, is64, b, _random.Next(width)), Slot.AluImm(And, is64, b, run), Slot.AluImm(And, is64, a, ~run), Slot.Alu(Or, is64, a, b)]);
                    break;
                case 4: // rotation, then mask
                    int by = _random.Between(1, width - 1);
                    Emit([Slot.Alu(MovOp, is64, b, a), Slot.AluImm(Lsh, is64, a, by), Slot.AluImm(Rsh, is64, b, width - by), Slot.Alu(Or, is64, a, b), Slot.AluImm(And, is64, a, run)]);
                    break;
                default:
                    Emit([Slot.AluImm(Rsh, is64, a, _random.Next(width)), Slot.AluImm(Lsh, is64, a, _random.Next(width))]);
                    break;
            }
        }

        Release(a, b);
        return true;
    }

    /// <summary>A narrow load, extended or swapped in one of many ways, and stored in another width.</summary>
    private bool ExtendedLoad()
    {
        int size = _random.Pick(1, 2, 4, 8);
        (int from, int offset) = Address(size, isStore: false, isAligned: _unit.IsVerifiable || _random.Coin());
        int value = Destination(from);
        Emit(Slot.Load(size, value, from, offset));
        Written(value);
        _pinned[value]++;
        int shift = 64 - 8 * _random.Pick(1, 2, 4);
        Emit(_random.Next(6) switch
        {
            0 => [Slot.Alu(MovOp, true, value, value, _random.Pick(8, 16, 32))],
            1 => [Slot.AluImm(Lsh, true, value, shift), Slot.AluImm(Arsh, true, value, shift)],
            2 => [Slot.AluImm(And, Is64(), value, _random.Pick(0xff, 0xffff, 0x7f, -256))],
            3 => [Slot.ToBigEndian(value, _random.Pick(16, 32, 64))],
            4 => [Slot.ByteSwap(value, _random.Pick(16, 32, 64)), Slot.AluImm(Rsh, true, value, _random.Pick(0, 16, 32, 48))],
            _ => [Slot.Alu(MovOp, false, value, value)],
        });
        if (_random.Coin())
        {
            int width = _random.Pick(1, 2, 4, 8);
            (int to, int place) = Address(width, isStore: true, isAligned: _unit.IsVerifiable || _random.Coin());
            if (_random.Coin())
                Emit(Slot.ToBigEndian(value, _random.Pick(16, 32, 64)));
            Emit(Slot.Store(width, to, place, value));
            NoteStore(to, place, width);
        }

        Release(value);
        return true;
    }

    /// <summary>A value below 2^32 goes in and out of 64-bit arithmetic and comparisons of both widths.</summary>
    private bool WordMix()
    {
        int a = Take(), b = Take();
        Emit(Slot.Alu(_random.Pick(Add, Sub, Xor, Mul, MovOp), false, a, b));
        for (int i = _random.Between(2, 5); i > 0; i--)
        {
            switch (_random.Next(7))
            {
                case 0:
                    Emit(Slot.AluImm(_random.Pick(Add, Sub, Xor, Or), true, a, _random.Immediate()));
                    break;
                case 1:
                    Emit(Slot.AluImm(_random.Pick(Rsh, Arsh, Lsh), true, a, _random.Between(1, 40)));
                    break;
                case 2:
                    Emit(Slot.Alu(MovOp, false, a, a));
                    break;
                case 3:
                    Emit(Slot.Alu(_random.Pick(Add, Sub, And), false, a, b));
                    break;
                case 4:
                    Emit(Slot.Alu(MovOp, true, b, a, 32));
                    break;
                case 5:
                    var skip = new Label();
                    JumpIf(Slot.Jump(_random.Pick(JumpCodes), _random.Coin(), a, b, 0), skip, isChoice: true);
                    Emit(Slot.AluImm(Add, _random.Coin(), b, _random.Immediate()));
                    Bind(skip);
                    break;
                default:
                    Emit(Slot.Alu(_random.Pick(Add, Xor), true, b, a));
                    break;
            }
        }

        Release(a, b);
        return true;
    }
}
