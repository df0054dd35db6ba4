using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Differential;

/// <summary>Statements that branch: conditionals, ladders, jumps forward out of anything.</summary>
internal sealed partial class FunctionGenerator
{
    private static ReadOnlySpan<int> JumpCodes => [0x1, 0x2, 0x3, 0x4, 0x5, 0x6, 0x7, 0xa, 0xb, 0xc, 0xd];

    private readonly List<Label> _continues = [];

    private void Bind(Label label)
    {
        _state = ProgramState.Meet(_state, label.State);
        _builder.Bind(label);
    }

    private void Meet(Label label) => label.State = ProgramState.Meet(label.State, State);

    private void JumpTo(Label label)
    {
        Meet(label);
        _cost += _multiplier;
        _builder.EmitJump(_random.Chance(20) ? Slot.GotoLong(0) : Slot.Goto(0), label);
        _state = null;
    }

    private void JumpIf(Slot condition, Label label, bool isChoice = false)
    {
        Meet(label);
        _cost += _multiplier;
        _builder.EmitJump(condition, label, isChoice);
    }

    /// <summary>A conditional jump on something that goes either way.</summary>
    private void JumpSomehow(Label label)
    {
        if (_random.Chance(4) && Array.FindIndex(State.Registers, static v => v.IsPointer) is >= 0 and var pointer)
        {
            JumpIf(Slot.JumpImm(_random.Pick(0x1, 0x5), true, pointer, 0, 0), label, isChoice: true);
            return;
        }

        bool is64 = Is64();
        int code = _random.Pick(JumpCodes);
        int a = Fresh();
        int immediate = _random.Immediate();
        if (_random.Chance(25))
        {
            int near = code == 0x4 && _random.Coin() ? SingleBit(a) : NearTo(a);
            JumpIf(_random.Coin() ? Slot.Jump(code, is64, a, near, 0) : Slot.Jump(code, is64, near, a, 0), label, isChoice: true);
            return;
        }

        if (_random.Chance(55))
        {
            // Small numbers meet often, in all three ways.
            int t = Destination(a);
            int mask = _random.Pick(1, 3, 7, 15);
            Emit([Slot.Mov(t, a), Slot.AluImm(And, Is64(), t, mask)]);
            State.Registers[t] = Value.Scalar;
            int bias = _random.Chance(30) ? mask / 2 + 1 : 0;
            if (bias != 0)
                Emit(Slot.AluImm(Sub, is64, t, bias));
            a = t;
            immediate = _random.Next(mask + 1) - bias;
        }

        if (_random.Coin())
        {
            JumpIf(Slot.JumpImm(code, is64, a, immediate, 0), label, isChoice: true);
            return;
        }

        int b = Scalar();
        if (_random.Chance(40))
        {
            b = Destination(a);
            Emit(Slot.AluImm(MovOp, Is64(), b, immediate));
            State.Registers[b] = Value.Scalar;
        }

        JumpIf(Slot.Jump(code, is64, a, b, 0), label, isChoice: true);
    }

    /// <summary>Two choices by comparisons of the same registers that differ in the width, or in little else.</summary>
    private void TwinChoice()
    {
        int a = Fresh();
        int b = NearTo(a);
        int first = FreeScalar(a, b);
        _pinned[first]++;
        int second = FreeScalar(a, b);
        int code = _random.Pick(JumpCodes);
        bool is64 = _random.Coin();
        int low = _random.Immediate(), high = _random.Immediate();
        if (first != b && second != b && second != a)
        {
            Choose(first, low, high, Slot.Jump(code, is64, a, b, 0));
            Choose(second, low, high, Slot.Jump(_random.Chance(80) ? code : _random.Pick(JumpCodes), !is64, a, b, 0));
        }

        _pinned[first]--;
    }

    private void Choose(int r, int ifTrue, int ifFalse, Slot condition)
    {
        var label = new Label();
        SetNumber(r, ifTrue);
        JumpIf(condition, label, isChoice: true);
        SetNumber(r, ifFalse);
        Bind(label);
    }

    /// <summary>A constant by its lower half; the upper half is its sign, 0 or something else.</summary>
    private void SetNumber(int r, int value)
    {
        if (_random.Chance(15))
            Emit(Slot.LoadImmediate64(r, (ulong)_random.Between(1, 3) << 32 | (uint)value));
        else
            Emit(Slot.AluImm(MovOp, _random.Chance(70), r, value));
    }

    /// <summary>A number, often one that the input decides.</summary>
    private int Fresh()
    {
        if (_contextRegister < 0 || !_random.Chance(40))
            return Scalar();
        int r = Destination();
        int size = _random.Pick(1, 2, 4, 8);
        Emit(Slot.Load(size, r, _contextRegister, _random.Next(_unit.MemoryLength - 8)));
        State.Registers[r] = Value.Scalar;
        return r;
    }

    /// <summary>A number that differs from another in little: where width and sign of a comparison matter.</summary>
    private int NearTo(int a)
    {
        int b = Destination(a);
        switch (_random.Next(6))
        {
            case 0:
                Emit([Slot.Mov(b, a), Slot.AddImm(b, _random.Pick(-1, 1, 0))]);
                break;
            case 1:
                Emit(Slot.Alu(MovOp, false, b, a));
                break;
            case 2:
                Emit(Slot.Alu(MovOp, true, b, a, _random.Pick(8, 16, 32)));
                break;
            case 3:
                Emit([.. Slot.LoadImmediate64(b, 1UL << _random.Pick(31, 32, 63, _random.Next(64))), Slot.Alu(_random.Pick(Xor, Add), true, b, a)]);
                break;
            case 4:
                Emit([Slot.Mov(b, a), Slot.AluImm(Lsh, true, b, 32)]);
                break;
            default:
                Emit([Slot.Mov(b, a), Slot.AluImm(Neg, Is64(), b, 0)]);
                break;
        }

        State.Registers[b] = Value.Scalar;
        return b;
    }

    private int SingleBit(int except)
    {
        int b = Destination(except);
        Emit(Slot.LoadImmediate64(b, 1UL << _random.Next(64) | 1UL << _random.Between(32, 63)));
        State.Registers[b] = Value.Scalar;
        return b;
    }

    private void Conditional(int depth)
    {
        var otherwise = new Label();
        JumpSomehow(otherwise);
        _unit.Shape.Count("shape: conditional");
        int before = _builder.Count;
        if (_style.HugeBlocks > 0 && _multiplier == 1)
            HugeBody();
        else if (_random.Chance(4) && depth < 3)
            LeaveEarly();
        else
            Block(_random.Between(1, _style.BlockLength), depth + 1);
        if (_builder.Count - before > 8_500)
            _unit.Shape.Count("shape: conditional over more than 8,500 instructions");
        if (_random.Coin())
        {
            Bind(otherwise);
            return;
        }

        var end = new Label();
        if (IsReachable)
            JumpTo(end);
        Bind(otherwise);
        Block(_random.Between(1, _style.BlockLength), depth + 1);
        Bind(end);
    }

    /// <summary>As programs begin that look at their input first: checks that leave before anything is called.</summary>
    private void EarlyExits()
    {
        for (int count = _random.Between(1, 3); count > 0; count--)
        {
            MakeScalar(Destination());
            var past = new Label();
            JumpSomehow(past);
            _unit.Shape.Count("shape: exit before any call");
            LeaveEarly();
            Bind(past);
        }
    }

    private void LeaveEarly()
    {
        if (_random.Coin())
        {
            JumpTo(_exit);
            return;
        }

        if (!State.Registers[0].IsScalar)
        {
            if (!IsFree(0))
                return;
            MakeScalar(0);
        }

        _unit.Shape.Count("shape: exit in the middle");
        Emit(Slot.Exit);
        _state = null;
    }

    /// <summary>More instructions than a conditional branch of PPC64 reaches over; all of them matter to the result.</summary>
    private void HugeBody()
    {
        int instructions = _style.HugeBlocks;
        for (int start = _builder.Count; _builder.Count - start < instructions;)
        {
            int a = FreeScalar();
            int b = Scalar();
            switch (_random.Next(8))
            {
                case 0:
                    Emit(Slot.AluImm(Mul, true, a, _random.Immediate() | 1));
                    break;
                case 1:
                    Emit(Slot.AluImm(_random.Pick(Add, Xor), true, a, _random.Immediate()));
                    break;
                case 2 when a != b:
                    Emit(Slot.Alu(Sub, true, a, b));
                    break;
                case 3 when a != b:
                    Emit(Slot.Alu(Xor, true, a, b));
                    break;
                case 4:
                    StoreStatement();
                    break;
                case 5:
                    LoadStatement();
                    break;
                default:
                    if (a != b)
                        Emit(Slot.Add(a, b));
                    break;
            }
        }
    }

    /// <summary>A jump out of here to a label further on, in this block or in one around it.</summary>
    private void ForwardJump()
    {
        if (_pending.Count == 0 || _random.Coin())
            _pending.Add(new Label());
        if (_continues.Count > 0 && _random.Chance(20))
        {
            JumpSomehow(_continues[^1]);
            return;
        }

        JumpSomehow(_random.Chance(2) ? _exit : _pending[_random.Next(_pending.Count)]);
        if (_random.Chance(10))
        {
            // An empty jump, and a jump to a jump.
            var here = new Label();
            JumpTo(here);
            Bind(here);
        }
    }

    private void Ladder(int depth)
    {
        if (_random.Chance(25))
        {
            TwinChoice();
            return;
        }

        int cases = _random.Between(3, 8);
        int from = Fresh();
        int t = Destination(from);
        Emit([Slot.Mov(t, from), Slot.AluImm(And, Is64(), t, 7)]);
        State.Registers[t] = Value.Scalar;
        _unit.Shape.Count("shape: ladder");
        var end = new Label();
        Label[] labels = [.. Enumerable.Range(0, cases).Select(static _ => new Label())];
        bool is64 = Is64();
        int step = _random.Pick(1, 1, 2);
        for (int i = 0; i < cases; i++)
            JumpIf(Slot.JumpImm(_random.Chance(90) ? 0x1 : 0x3, is64, t, i * step, 0), labels[i]);
        Block(_random.Between(0, 2), depth + 1);
        foreach (Label label in labels)
        {
            if (IsReachable && _random.Chance(80))
                JumpTo(end);
            Bind(label);
            Block(_random.Between(1, 3), depth + 1);
        }

        Bind(end);
    }
}
