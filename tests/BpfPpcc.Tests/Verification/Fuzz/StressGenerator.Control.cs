using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Verification.Fuzz;

/// <summary>Statements, branches, loops and calls of subprograms.</summary>
internal sealed partial class StressGenerator
{
    //                                                num alu bnd off pkt map use spl stk if  lop sub mem rng atm lnk tal ptr soc dyn abs ctx lat jnk
    private static readonly int[] StatementWeights = [10, 12, 8, 12, 12, 8, 8, 7, 6, 9, 3, 5, 6, 4, 4, 7, 1, 6, 2, 2, 1, 3, 8, 1];

    private static readonly int[] LateUseWeights = [6, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 0];

    private int[] _weights = StatementWeights;

    private void Statement(int depth)
    {
        switch (_random.Weighted(_weights))
        {
            case 0:
                Number();
                break;
            case 1:
                for (int i = _random.Between(1, 3); i > 0; i--)
                    Arithmetic();
                break;
            case 2:
                BoundNumber();
                break;
            case 3:
                VariableOffset();
                break;
            case 4:
                Packet();
                break;
            case 5:
                MapCall();
                break;
            case 6:
                Access();
                break;
            case 7:
                Spill();
                break;
            case 8:
                StackBytes();
                break;
            case 9:
                if (depth < 3)
                    Branch(depth);
                break;
            case 10:
                if (depth < 2)
                    Loop(depth);
                break;
            case 11:
                CallSubprogram();
                break;
            case 12:
                MemoryHelper();
                break;
            case 13:
                RingBuffer();
                break;
            case 14:
                AtomicAccess();
                break;
            case 15:
                LinkedCopies();
                break;
            case 16:
                TailCall();
                break;
            case 17:
                PointerArithmetic();
                break;
            case 18:
                Socket();
                break;
            case 19:
                Dynptr();
                break;
            case 20:
                PacketLoad();
                break;
            case 21:
                ContextStore();
                break;
            case 22:
                LateUse();
                break;
            default:
                if (Errs(60))
                    Junk();
                else if (Errs(60) && HasContext(out int context))
                    Raw(Slot.AddImm(context, _random.Pick(0, 4, 8, -8)));
                break;
        }
    }

    private void Branch(int depth)
    {
        int register = NumberRegister();
        var otherwise = new Target();
        Jump(RandomCondition(register), otherwise);
        StressState before = _state.Copy();
        for (int i = _random.Between(1, 3); i > 0; i--)
            Statement(depth + 1);
        if (_random.Chance(35))
        {
            if (_random.Chance(30) && _state.References.Count == 0)
            {
                LeaveEarly();
                _state = before;
                Bind(otherwise);
                return;
            }

            Bind(otherwise);
            _state.Meet(before);
            return;
        }

        var end = new Target();
        Jump(_random.Chance(80) ? Slot.Goto(0) : Slot.GotoLong(0), end);
        Bind(otherwise);
        StressState after = _state;
        _state = before;
        for (int i = _random.Between(1, 3); i > 0; i--)
            Statement(depth + 1);
        Bind(end);
        _state.Meet(after);
    }

    /// <summary>
    /// A number with one of two values, other branches between, and only then a use for which one of them may be too large: what the paths
    /// have in common before must not hide what matters after.
    /// </summary>
    private void LateUse()
    {
        int number = FreshSaved();
        int condition = NumberRegister();
        int pointer = Find(static value => value.Kind == StressKind.MapValue && value.Offset == 0, 6);
        if (pointer < 0 || number == pointer || number == condition || _state.References.Count > 0)
            return;
        int small = _random.Between(0, 40);
        int large = Errs(40) ? _random.Pick(64, 65, 200, -1) : _random.Between(0, 60);
        var other = new Target();
        Emit(Slot.MovImm(number, _random.Coin() ? small : large), number, StressValue.UpTo(60));
        Jump(RandomCondition(condition), other);
        Raw(Slot.MovImm(number, _slots[^2].Imm == small ? large : small));
        Bind(other);
        int slot = _random.Chance(35) ? StackOffset(8) : 0;
        if (slot != 0)
        {
            Raw(Slot.Store(8, 10, slot, number));
            _state.WriteStack(slot, 8, StressValue.UpTo(60));
            Raw(Slot.MovImm(number, 0));
        }

        int pinned = _pinned;
        _pinned |= 1 << number | 1 << pointer;
        for (int i = _random.Between(1, 3); i > 0; i--)
        {
            int between = NumberRegister();
            var next = new Target();
            Jump(RandomCondition(between), next);
            if (_random.Coin() && between != number && between != pointer)
                Raw(Slot.AddImm(between, 1));
            Bind(next);
            if (between != number && between != pointer)
                _state.Registers[between] = StressValue.Unknown;
            for (int k = _random.Between(0, 2); k > 0; k--)
                StackBytes();
        }

        _pinned = pinned;
        if (slot != 0)
            Raw(Slot.Load(8, number, 10, slot));
        int to = Fresh(0, 6);
        switch (_random.Next(5))
        {
            case 0:
                Emit(Slot.Alu(0xb, false, to, number), to, StressValue.UpTo(60));
                break;
            case 1:
                Move(to, number);
                Emit(Slot.AddImm(to, _random.Between(0, 3)), to, StressValue.UpTo(63));
                break;
            case 2:
                Emit(Slot.MovImm(to, 0), to, StressValue.UpTo(60));
                Raw(Slot.Add(to, number));
                break;
            case 3:
                var skip = new Target();
                Emit(Slot.MovImm(to, 0), to, StressValue.UpTo(60));
                Jump(Slot.JumpImm(_random.Pick(2, 6, 10), _random.Coin(), number, _random.Between(30, 63), 0), skip);
                Raw(Slot.Mov(to, number));
                Bind(skip);
                break;
            default:
                Move(to, number);
                break;
        }

        int address = Fresh(0, 6);
        if (address == to)
            return;
        Move(address, pointer);
        Emit(Slot.Add(address, to), address, default);
        Raw(Slot.StoreImm(1, address, 0, 1));
    }

    private void LeaveEarly() => Jump(Slot.Goto(0), Out);

    private Slot RandomCondition(int register)
    {
        int code = _random.Pick(1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13);
        bool is64 = _random.Chance(60);
        int other = _random.Chance(30) ? Find(static value => value.IsScalar) : -1;
        return other >= 0 && other != register
            ? Slot.Jump(code, is64, register, other, 0)
            : Slot.JumpImm(code, is64, register, _random.Chance(60) ? _random.Pick(0, 1, 2, 7, 8, 15, 16, 63, 64, 255, -1) : _random.Immediate(), 0);
    }

    private void Loop(int depth)
    {
        int counter = FreshSaved();
        int bound = _random.Pick(2, 3, 5, 8, 16, 40);
        int limit = -1;
        if (_random.Chance(25) && Find(value => value.IsScalar && value.Max is > 0 and < 40, 6) is >= 0 and var found && found != counter)
            limit = found;
        bool mayGoto = _random.Chance(12);
        Emit(Slot.MovImm(counter, 0), counter, StressValue.UpTo(bound));
        var start = new Target();
        var end = new Target();
        Bind(start);
        // What the body overwrites is not what the next round finds: it may only keep what it does not touch.
        for (int r = 0; r <= 5; r++)
            _state.Registers[r] = default;
        int pinned = _pinned;
        for (int r = 6; r <= 9; r++)
            _pinned |= _state.Registers[r].Kind != StressKind.None && !Errs(4) ? 1 << r : 0;
        StressState before = _state.Copy();
        if (mayGoto)
            Jump(Slot.MayGoto(0), end);
        bool atTop = _random.Coin();
        if (atTop && !Errs(15))
            Jump(limit >= 0 ? Slot.Jump(3, true, counter, limit, 0) : Slot.JumpImm(3, _random.Chance(70), counter, bound, 0), end);
        for (int i = _random.Between(1, 3); i > 0; i--)
            Statement(depth + 2);
        int step = _random.Pick(1, 1, 1, 2, 3);
        Raw(Slot.AluImm(0, _random.Chance(80), counter, Errs(10) ? 0 : step));
        if (atTop)
            Jump(Slot.Goto(0), start);
        else
            Jump(limit >= 0 ? Slot.Jump(10, true, counter, limit, 0) : Slot.JumpImm(_random.Pick(10, 5, 12), _random.Chance(70), counter, bound * step, 0), start);
        Bind(end);
        _pinned = pinned;
        _state.Meet(before);
        _state.Registers[counter] = StressValue.UpTo(bound * 3);
    }

    private void CallSubprogram()
    {
        if (_subprograms.Count == 0 || _isSubprogram)
            return;
        int index = _random.Next(_subprograms.Count);
        StressValue argument = SubprogramArgument(index);
        if (argument.Tag == 0)
        {
            Emit(Slot.Mov(1, 10), 1, _state.Registers[10]);
            Emit(Slot.AddImm(1, StackOffset(argument.Size)), 1, argument);
        }
        else
        {
            int pointer = Find(static value => value.Kind == StressKind.MapValue && value.Offset == 0);
            if (pointer < 0)
                return;
            if (pointer != 1)
                Move(1, pointer);
        }

        if (_random.Coin() && Find(static value => value.IsScalar && value.Max is >= 0 and < 64, 6) is >= 0 and var number)
            Move(2, number);
        else
            Emit(Slot.MovImm(2, _random.Between(0, 63)), 2, StressValue.UpTo(63));
        if (!Errs())
            Emit(Slot.MovImm(3, _random.Immediate()), 3, StressValue.Unknown);
        _calls.Add((_slots.Count, index));
        Raw(default);
        for (int r = 1; r <= 5; r++)
            _state.Registers[r] = default;
        _state.Registers[0] = StressValue.Unknown;
        _state.Stack.AsSpan().Fill(StressValue.Unknown);
    }

    private void TailCall()
    {
        if (!HasContext(out int context) || _state.References.Count > 0 && !Errs() || _subprograms.Count > 0 && !Errs())
            return;
        Move(1, context);
        if (context < 6)
            Move(FreshSaved(), 1);
        LoadMap(2, Errs() ? StressMaps.Array : StressMaps.ProgramArray);
        Emit(Slot.MovImm(3, _random.Between(0, 20)), 3, StressValue.UpTo(20));
        Call(12, StressValue.Unknown);
        ForgetPackets();
    }

    private void Junk() => Raw(new Slot(
        (byte)_random.Pick(_random.Next(256), 0x07, 0x0f, 0x61, 0x79, 0x7b, 0xbf, 0xbc), _random.Next(11), _random.Next(11), _random.Pick(0, 0, -8, 1, 4),
        _random.Immediate()));
}
