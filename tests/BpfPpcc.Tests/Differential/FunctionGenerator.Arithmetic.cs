using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Differential;

/// <summary>Statements that compute: every operation, width and source, and the patterns that compilers look for.</summary>
internal sealed partial class FunctionGenerator
{
    private const int Add = 0x0, Sub = 0x1, Mul = 0x2, Div = 0x3, Or = 0x4, And = 0x5, Lsh = 0x6, Rsh = 0x7, Neg = 0x8, Mod = 0x9, Xor = 0xa, MovOp = 0xb, Arsh = 0xc;

    private bool Is64() => _random.Chance(_style.Percent64);

    private void Arithmetic()
    {
        switch (_random.Next(16))
        {
            case 0:
                MoveStatement();
                break;
            case 1:
                SignExtension();
                break;
            case 2:
                ByteOrder();
                break;
            case 3:
                Emit(Slot.AluImm(Neg, Is64(), FreeScalar(), 0));
                break;
            case 4:
                RegisterDivision();
                break;
            default:
                Binary(_random.Pick(Add, Sub, Mul, Div, Or, And, Lsh, Rsh, Mod, Xor, Arsh, Add, Sub, And, Xor));
                break;
        }
    }

    private void MoveStatement()
    {
        int from = Scalar();
        int to = Destination();
        Emit(Slot.Alu(MovOp, Is64(), to, from));
        State.Registers[to] = Value.Scalar;
    }

    private void SignExtension()
    {
        int from = Scalar();
        int to = Destination();
        bool is64 = Is64();
        Emit(Slot.Alu(MovOp, is64, to, from, is64 ? _random.Pick(8, 16, 32) : _random.Pick(8, 16)));
        State.Registers[to] = Value.Scalar;
    }

    private void ByteOrder()
    {
        int r = FreeScalar();
        int bits = _random.Pick(16, 32, 64);
        Emit(_random.Next(3) switch
        {
            0 => Slot.ToLittleEndian(r, bits),
            1 => Slot.ToBigEndian(r, bits),
            _ => Slot.ByteSwap(r, bits),
        });
    }

    private void Binary(int operation)
    {
        bool is64 = Is64();
        int offset = operation is Div or Mod && _random.Coin() ? 1 : 0;
        int r = FreeScalar();
        if (_random.Chance(_style.PercentImmediate))
        {
            Emit(Slot.AluImm(operation, is64, r, OperandImmediate(operation, is64), offset));
            return;
        }

        int b = Scalar();
        Emit(Slot.Alu(operation, is64, r, b, offset));
    }

    private int OperandImmediate(int operation, bool is64)
    {
        if (operation is Lsh or Rsh or Arsh)
        {
            int width = is64 ? 64 : 32;
            return _unit.IsVerifiable || _random.Chance(97) ? _random.Pick(_random.Next(width), _random.Pick(0, 1, 8, 16, 24, 31, width - 1)) : _random.Pick(width, width + 5, -1, 127);
        }

        int immediate = operation is Div or Mod && _random.Chance(50) ? _random.Pick(_random.Between(-20, 20), 1 << _random.Next(31)) : _random.Immediate();
        return immediate == 0 && operation is Div or Mod && (_unit.IsVerifiable || !_random.Chance(10)) ? 1 : immediate;
    }

    /// <summary>Divisor, dividend or shift count at an edge, in a register whose value the compiler cannot see in part of the cases.</summary>
    private void RegisterDivision()
    {
        bool is64 = Is64();
        int a = FreeScalar();
        int b = FreeScalar(a);
        if (_random.Chance(12)) // the quotient that is too large
        {
            Emit([.. Slot.LoadImmediate64(a, is64 ? 1UL << 63 : 1UL << 31), Slot.AluImm(MovOp, Is64(), b, -1), Slot.Alu(_random.Pick(Div, Mod), is64, a, b, 1)]);
            return;
        }

        if (_random.Coin())
            Emit(Slot.LoadImmediate64(a, _random.Pick(1UL << 63, 1UL << 31, 0xffff_ffff_8000_0000, _random.Value64())));
        switch (_random.Next(4))
        {
            case 0:
                Emit(Slot.AluImm(And, true, b, _random.Pick(0, 1, 3)));
                break;
            case 1:
                Emit(Slot.AluImm(MovOp, Is64(), b, _random.Pick(-1, 0, 1, int.MinValue, 63, 64, 31, 32)));
                break;
            case 2:
                Emit([Slot.AluImm(And, true, b, 1), Slot.AluImm(Neg, Is64(), b, 0)]);
                break;
            default:
                break;
        }

        int operation = _random.Pick(Div, Mod, Div, Mod, Lsh, Rsh, Arsh);
        Emit(Slot.Alu(operation, is64, a, b, operation is Div or Mod && _random.Chance(65) ? 1 : 0));
    }

    private void Constant()
    {
        int r = Destination();
        EmitConstant(r);
        State.Registers[r] = Value.Scalar;
    }

    private void EmitConstant(int r)
    {
        switch (_random.Next(5))
        {
            case 0:
                Emit(Slot.AluImm(MovOp, false, r, _random.Immediate()));
                break;
            case 1 or 2:
                Emit(Slot.MovImm(r, _random.Immediate()));
                break;
            default:
                Emit(Slot.LoadImmediate64(r, _random.Value64()));
                break;
        }
    }

    private void Idiom()
    {
        int a = FreeScalar();
        int b = FreeScalar(a);
        int t = FreeScalar(a, b);
        int k = _random.Between(1, 63);
        int k32 = _random.Between(1, 31);
        switch (_random.Next(18))
        {
            case 0: // 64-bit rotate
                Emit([Slot.Mov(t, a), Slot.AluImm(Lsh, true, a, k), Slot.AluImm(Rsh, true, t, _random.Chance(85) ? 64 - k : 63 - k), Slot.Alu(_random.Pick(Or, Xor, Add), true, a, t)]);
                break;
            case 1: // 32-bit rotate
                Emit([Slot.Alu(MovOp, false, t, a), Slot.AluImm(Lsh, false, a, k32), Slot.AluImm(Rsh, false, t, _random.Chance(85) ? 32 - k32 : 31 - k32), Slot.Alu(_random.Pick(Or, Xor, Add), _random.Coin(), a, t)]);
                break;
            case 2: // rotate by a register
                Emit([Slot.Mov(t, a), Slot.AluImm(And, true, b, 63), Slot.Alu(Lsh, true, a, b), Slot.AluImm(Neg, true, b, 0), Slot.Alu(Rsh, true, t, b), Slot.Alu(Or, true, a, t)]);
                break;
            case 3: // zero extension by shifts, and what looks like one
                Emit([Slot.AluImm(Lsh, true, a, 32), Slot.AluImm(_random.Pick(Rsh, Arsh), true, a, _random.Pick(32, 32, 32, 31, 30, 33))]);
                break;
            case 4: // sign extension of a field
                Emit([Slot.AluImm(Lsh, true, a, k), Slot.AluImm(Arsh, true, a, _random.Chance(70) ? k : _random.Next(64))]);
                break;
            case 5: // bit field
                Emit([Slot.AluImm(Rsh, true, a, k), Slot.AluImm(And, true, a, (int)(uint.MaxValue >> _random.Between(1, 31)))]);
                break;
            case 6: // mask and insert
                Emit([Slot.AluImm(And, true, a, -256), Slot.AluImm(And, true, b, 255), Slot.Alu(Or, true, a, b)]);
                break;
            case 7: // 32-bit field insert
                Emit([Slot.AluImm(And, false, a, (int)~(0xffu << k32)), Slot.AluImm(And, false, b, 0xff), Slot.AluImm(Lsh, false, b, k32), Slot.Alu(Or, false, a, b)]);
                break;
            case 8: // multiply and add
                Emit([Slot.Alu(Mul, true, a, b), Slot.Add(a, Scalar())]);
                break;
            case 9: // division by a constant, quotient and remainder
                int c = _random.Pick(3, 5, 7, 10, 100, 1000, 641, 0x10001, -3, -7, _random.Immediate() | 1);
                Emit([Slot.Mov(t, a), Slot.AluImm(Div, Is64(), a, c, _random.Next(2)), Slot.AluImm(Mod, Is64(), t, c, _random.Next(2)), Slot.Alu(Xor, true, a, t)]);
                break;
            case 10: // absolute value
                Emit([Slot.Mov(t, a), Slot.AluImm(Arsh, true, t, 63), Slot.Alu(Xor, true, a, t), Slot.Alu(Sub, true, a, t)]);
                break;
            case 11: // population count, first steps
                Emit([Slot.Mov(t, a), Slot.AluImm(Rsh, true, t, 1), Slot.AluImm(And, true, t, 0x5555_5555), Slot.Alu(Sub, true, a, t)]);
                Emit([Slot.Mov(t, a), Slot.AluImm(And, true, t, 0x3333_3333), Slot.AluImm(Rsh, true, a, 2), Slot.AluImm(And, true, a, 0x3333_3333), Slot.Add(a, t)]);
                break;
            case 12: // minimum or maximum
                Emit([Slot.Jump(_random.Pick(0x2, 0x3, 0x6, 0x7, 0xa, 0xb, 0xc, 0xd), Is64(), a, b, 1), Slot.Mov(a, b)]);
                break;
            case 13: // comparison as a number
                Emit([Slot.MovImm(t, 1), Slot.JumpImm(_random.Pick(0x1, 0x2, 0x5, 0x6, 0xc, 0x4), Is64(), a, _random.Immediate(), 1), Slot.MovImm(t, 0)]);
                break;
            case 14: // not, and-not
                Emit([Slot.AluImm(Xor, Is64(), a, -1), Slot.Alu(And, Is64(), a, b), Slot.Mov(t, a)]);
                break;
            case 15: // byte swap by hand of 16 bits
                Emit([Slot.Mov(t, a), Slot.AluImm(And, true, t, 0xff), Slot.AluImm(Lsh, true, t, 8), Slot.AluImm(Rsh, true, a, 8), Slot.AluImm(And, true, a, 0xff), Slot.Alu(Or, true, a, t)]);
                break;
            case 16: // the same register on both sides
                Emit(Slot.Alu(_random.Pick(Add, Sub, Mul, Div, Or, And, Xor, Mod, Lsh, Rsh, Arsh), Is64(), a, a));
                break;
            default: // chained 32-bit additions whose carries must not show
                Emit([Slot.Alu(Add, false, a, b), Slot.AluImm(Add, true, a, _random.Immediate()), Slot.AluImm(Rsh, true, a, _random.Between(0, 40))]);
                break;
        }

    }
}
