using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Differential;

/// <summary>Statements that call: subprograms, helpers, maps, packets, tail calls.</summary>
internal sealed partial class FunctionGenerator
{
    // What must survive may not be where calls destroy it.
    private bool CanCall()
    {
        for (int r = 0; r <= 5; r++)
        {
            if (_pinned[r] > 0)
                return false;
        }

        return true;
    }

    private void CallStatement()
    {
        if (!CanCall())
        {
            Arithmetic();
            return;
        }

        List<(int Register, int At)> saved = SaveVolatile();
        switch (_random.Next(12))
        {
            case 0 or 1 or 2 or 3 or 4 when _unit.Signatures.Count > 0:
                CallSubprogram(_unit.IsChain || _random.Coin() ? _unit.Signatures[^1] : _unit.Signatures[_random.Next(_unit.Signatures.Count)]);
                break;
            case 5 or 6 when _unit.ArrayMap >= 0 && _plan.StackSize >= 16:
                LookUp();
                break;
            case 7 when _unit.ArrayMap >= 0 && _plan.StackSize >= 32:
                Update();
                break;
            case 8 or 9 when _unit.ProgramArrayMap >= 0:
                TailCall();
                break;
            case 10 when !_unit.IsVerifiable && _plan.Place == FunctionPlace.Program && _contextRegister == 6 && _unit.ProgramArrayMap < 0:
                LoadPacket();
                break;
            default:
                CallHelper();
                break;
        }

        foreach ((int register, int at) in saved)
        {
            if (IsFree(register) && State.Registers[register].Kind == ValueKind.Unknown)
            {
                Emit(Slot.Load(8, register, 10, at));
                State.Registers[register] = Value.Scalar;
            }
        }
    }

    /// <summary>Numbers in r1 to r5 go to the stack, to be taken back after the call.</summary>
    private List<(int Register, int At)> SaveVolatile()
    {
        var saved = new List<(int, int)>();
        if (_plan.StackSize < 16)
            return saved;
        for (int r = 1; r <= 5; r++)
        {
            if (!State.Registers[r].IsScalar || !_random.Chance(_style.PercentSaved))
                continue;
            int at = StackPlace(8, isPlainStore: true, isAligned: true);
            if (at < 0)
                continue;
            at -= _plan.StackSize;
            if (saved.Exists(s => s.Item2 == at))
                continue;
            Emit(Slot.Store(8, 10, at, r));
            NoteStore(10, at, 8);
            saved.Add((r, at));
        }

        return saved;
    }

    private void AfterCall()
    {
        for (int r = 1; r <= 5; r++)
            State.Registers[r] = Value.Unknown;
        State.Registers[0] = Value.Scalar;
    }

    private void SetArgument(int r, int from)
    {
        Move(r, from);
        _pinned[r]++;
    }

    private void SetScalarArgument(int r)
    {
        if (_random.Chance(25))
            EmitConstant(r);
        else
            Emit(Slot.Alu(MovOp, Is64(), r, Scalar()));
        State.Registers[r] = Value.Scalar;
        _pinned[r]++;
    }

    private void ReleaseArguments(int count)
    {
        for (int r = 1; r <= count; r++)
            _pinned[r]--;
    }

    /// <summary>A pointer to at least so many bytes that may be written, aligned to 8, goes into an argument register.</summary>
    private void SetPointerArgument(int r, int window)
    {
        int from = Array.FindIndex(State.Registers, v => v.IsPointer && !v.IsReadOnly && v.Low <= 0 && v.High >= window && v.Alignment == 8 && v.Residue == 0);
        if (from >= 0 && _random.Chance(60))
        {
            Move(r, from);
        }
        else if (_plan.StackSize >= window && _random.Chance(70) && TryStackPointer(r, window))
        {
            Value made = State.Registers[r];
            if (made.Low < 0 && made.High < window)
            {
                Emit(Slot.AddImm(r, made.Low));
                State.Registers[r] = made.Moved(made.Low);
            }
        }
        else
        {
            int variable = _random.Next(_unit.Variables.Count);
            while (_unit.Variables[variable].IsReadOnly || _unit.Variables[variable].Contents.Length < window)
                variable = (variable + 1) % _unit.Variables.Count;
            _builder.EmitReference(Slot.LoadImmediate64(r, 0)[0], SlotReferenceKind.Variable, variable);
            State.Registers[r] = Value.Pointer(_unit.Variables[variable].Contents.Length);
        }

        _pinned[r]++;
    }

    private void SetContextArgument(int r)
    {
        if (_contextRegister >= 0)
            Move(r, _contextRegister);
        else
            LoadSlot(r, _contextSlot);
        _pinned[r]++;
    }

    private bool HasContext => _contextRegister >= 0 || _contextSlot >= 0;

    private void CallSubprogram(FunctionSignature callee)
    {
        bool fits = callee.Depth + 1 <= _unit.DeepestChain && callee.ChainStack + (Math.Max(_plan.StackSize, 1) + 31 & ~31) <= 512
            && _cost + _multiplier * callee.Cost <= _plan.CostLimit && _plan.Index != callee.Index
            && (HasContext || callee.Parameters.All(static p => !p.IsContext));
        if (!fits)
        {
            CallHelper();
            return;
        }

        for (int i = 0; i < callee.Parameters.Count; i++)
        {
            Parameter parameter = callee.Parameters[i];
            if (parameter.IsContext)
                SetContextArgument(i + 1);
            else if (parameter.Window > 0)
                SetPointerArgument(i + 1, parameter.Window);
            else
                SetScalarArgument(i + 1);
        }

        // A call by address is a call from C: what it reaches counts its tail calls anew, without end if it comes back here.
        if (!callee.MakesTailCalls && _random.Chance(_unit.PercentCallsByRegister))
        {
            int r = Destination();
            _builder.EmitReference(Slot.LoadImmediate64(r, 0)[0], SlotReferenceKind.FunctionAddress, callee.Index);
            Emit(Slot.CallRegister(r));
            State.Registers[r] = Value.Unknown;
        }
        else
        {
            _builder.EmitReference(Slot.CallLocal(), SlotReferenceKind.FunctionCall, callee.Index);
        }

        ReleaseArguments(callee.Parameters.Count);
        AfterCall();
        _cost += _multiplier * callee.Cost;
        _unit.Called.Add(callee.Index);
        _makesTailCalls |= callee.MakesTailCalls;
        _deepestCallee = Math.Max(_deepestCallee, callee.Depth);
        _calleeStack = Math.Max(_calleeStack, callee.ChainStack);
        _unit.Shape.Count("shape: call site of a subprogram");
    }

    private void CallHelper()
    {
        int id = _random.Pick(
            TestHelpers.Mix1, TestHelpers.Mix2, TestHelpers.Mix3, TestHelpers.Mix4, TestHelpers.Mix5, TestHelpers.Memory, TestHelpers.Clobber, TestHelpers.Read8);
        int arguments;
        switch (id)
        {
            case TestHelpers.Memory:
                SetPointerArgument(1, 16);
                int window = State.Registers[1].High;
                Emit(Slot.MovImm(2, _random.Between(0, Math.Min(window, 40))));
                State.Registers[2] = Value.Scalar;
                _pinned[2]++;
                SetScalarArgument(3);
                arguments = 3;
                _cost += _multiplier * 40;
                break;
            case TestHelpers.Read8:
                SetPointerArgument(1, 8);
                arguments = 1;
                break;
            case TestHelpers.Clobber:
                arguments = 0;
                break;
            default:
                arguments = id - TestHelpers.Mix1 + 1;
                for (int r = 1; r <= arguments; r++)
                    SetScalarArgument(r);
                break;
        }

        if (_random.Chance(_unit.PercentCallsByRegister))
        {
            int r = Destination();
            Emit([Slot.MovImm(r, id), Slot.CallRegister(r)]);
            State.Registers[r] = Value.Unknown;
        }
        else
        {
            Emit(Slot.CallHelper(id));
        }

        ReleaseArguments(arguments);
        AfterCall();
    }

    // The address of a key in the stack: an index that is in range mostly.
    private void SetKeyArgument(int r, int entries)
    {
        int at = _style.KeepsStackPrivate ? -1 : StackPlace(4, isPlainStore: true, isAligned: true);
        int offset;
        if (at < 0)
        {
            SetPointerArgument(r, 8);
            Emit(Slot.StoreImm(4, r, 0, _random.Next(entries + 1)));
            return;
        }

        offset = at - _plan.StackSize;
        if (_random.Coin())
        {
            Emit(Slot.StoreImm(4, 10, offset, _random.Chance(90) ? _random.Next(entries + 1) : _random.Immediate()));
        }
        else
        {
            int index = FreeScalar();
            Emit([Slot.AluImm(And, true, index, entries), Slot.Store(4, 10, offset, index)]);
        }

        NoteStore(10, offset, 4);
        Emit([Slot.Mov(r, 10), Slot.AddImm(r, offset)]);
        State.Registers[r] = Value.Pointer(4) with { Alignment = 4 };
        _pinned[r]++;
    }

    private void SetMapArgument(int r, int map)
    {
        _builder.EmitReference(Slot.LoadImmediate64(r, 0)[0], SlotReferenceKind.Map, map);
        State.Registers[r] = Value.Unknown;
        _pinned[r]++;
    }

    private void LookUp()
    {
        TestMap map = _unit.Maps[_unit.ArrayMap];
        SetKeyArgument(2, map.MaxEntries);
        SetMapArgument(1, _unit.ArrayMap);
        Emit(Slot.CallHelper(1));
        ReleaseArguments(2);
        AfterCall();
        var missing = new Label();
        if (_random.Coin())
        {
            JumpIf(Slot.JumpImm(0x1, true, 0, 0, 0), missing);
        }
        else
        {
            var found = new Label();
            JumpIf(Slot.JumpImm(0x5, true, 0, 0, 0), found);
            JumpTo(missing);
            Bind(found);
        }

        State.Registers[0] = Value.Pointer(map.ValueSize);
        if (map.ValueSize < 8)
            State.Registers[0] = State.Registers[0] with { High = map.ValueSize };
        int keep = _random.Chance(60) ? 0 : Destination(0);
        if (keep != 0)
            Move(keep, 0);
        int operations = _random.Between(1, 4);
        for (int i = 0; i < operations; i++)
        {
            int size = _random.Pick(1, 2, 4, 8);
            if (size > map.ValueSize)
                continue;
            int r = Scalar(except: keep);
            int offset = size * _random.Next(map.ValueSize / size);
            switch (_random.Next(4))
            {
                case 0:
                    Emit(Slot.Store(size, keep, offset, r));
                    break;
                case 1 when size >= 4:
                    Emit(Slot.Atomic(size, _random.Pick(0x00, 0x40, 0xa0), keep, offset, r));
                    break;
                default:
                    int to = Destination(keep, 0);
                    Emit(Slot.Load(size, to, keep, offset));
                    State.Registers[to] = Value.Scalar;
                    break;
            }
        }

        Bind(missing);
    }

    private void Update()
    {
        TestMap map = _unit.Maps[_unit.ArrayMap];
        SetKeyArgument(2, map.MaxEntries);
        SetPointerArgument(3, map.ValueSize);
        Emit(Slot.MovImm(4, 0));
        State.Registers[4] = Value.Scalar;
        SetMapArgument(1, _unit.ArrayMap);
        Emit(Slot.CallHelper(2));
        ReleaseArguments(3);
        AfterCall();
    }

    private void TailCall()
    {
        if (!HasContext)
        {
            CallHelper();
            return;
        }

        _makesTailCalls = true;
        TestMap map = _unit.Maps[_unit.ProgramArrayMap];
        SetContextArgument(1);
        SetMapArgument(2, _unit.ProgramArrayMap);
        switch (_random.Next(6))
        {
            case 0:
                Emit(Slot.AluImm(MovOp, Is64(), 3, _random.Pick(map.MaxEntries, -1, map.MaxEntries + 1, int.MinValue)));
                break;
            case 1: // only the low word of the index counts
                Emit(Slot.LoadImmediate64(3, (ulong)_random.Next(2) << 32 | (uint)_random.Next(map.MaxEntries)));
                break;
            case 2 or 3:
                Emit([Slot.Mov(3, Scalar(except: 1)), Slot.AluImm(And, Is64(), 3, 7)]);
                break;
            default:
                Emit(Slot.MovImm(3, _random.Next(map.MaxEntries)));
                break;
        }

        State.Registers[3] = Value.Scalar;
        _pinned[3]++;
        Emit(Slot.CallHelper(ReferenceInterpreter.TailCallHelper));
        ReleaseArguments(3);
        AfterCall();
        State.Registers[0] = Value.Unknown;
        _unit.Shape.Count("shape: tail call site");
    }

    private void LoadPacket()
    {
        int size = _random.Pick(1, 2, 4);
        int offset = _random.Chance(90) ? _random.Next(_unit.MemoryLength - 3) : _random.Pick(_unit.MemoryLength - size + 1, _unit.MemoryLength, 100_000);
        if (_random.Coin())
        {
            Emit(Slot.LoadAbsolute(size, offset));
        }
        else
        {
            int r = FreeScalar();
            int mask = _random.Pick(0, 3, 15);
            Emit([Slot.AluImm(And, true, r, mask), Slot.LoadIndirect(size, r, Math.Max(0, offset - mask))]);
        }

        AfterCall();
    }
}
