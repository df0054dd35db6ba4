using BpfPpcc.Mir;

namespace BpfPpcc.Tests.RegisterAllocation;

/// <summary>
/// Random machine functions: nested diamonds, one-sided branches on critical edges, loops with and without parameters, early returns, calls
/// with fixed arguments, tied and early operands, constants, and as much pressure as asked for. The same seed gives the same function.
/// </summary>
internal sealed class RandomFunctions
{
    private readonly Random _random;
    private readonly FunctionBuilder _builder;
    private readonly List<VirtualRegister> _scope = [];
    private readonly List<(MachineBlock Block, VirtualRegister Value)> _exits = [];
    private readonly List<VirtualRegister> _entryValues = [];
    private readonly int _pressure;
    private readonly int _callWeight;
    private int _budget;
    private int _depth;

    private RandomFunctions(int seed, int size)
    {
        _random = new Random(seed);
        _builder = new FunctionBuilder($"random{seed}");
        _budget = size;
        _pressure = _random.Next(4) switch { 0 => 4, 1 => 12, 2 => 30, _ => 60 };
        _callWeight = _random.Next(3) switch { 0 => 0, 1 => 1, _ => 3 };
    }

    public static MachineFunction Create(int seed, int size = 0)
    {
        var shape = new Random(seed ^ 0x5eed);
        var generator = new RandomFunctions(seed, size > 0 ? size : shape.Next(5, 300));
        generator.Fill();
        return shape.Next(4) == 0 ? BlockOrder.Shuffle(generator._builder.Function, shape) : generator._builder.Function;
    }

    /// <summary>One block of straight code.</summary>
    public static MachineFunction CreateStraight(int seed, int size)
    {
        var generator = new RandomFunctions(seed, size);
        generator._scope.AddRange(generator._builder.Arguments(5));
        while (generator._budget > 0)
        {
            generator.Instruction();
        }

        generator.Finish();
        return generator._builder.Function;
    }

    private void Fill()
    {
        _scope.AddRange(_builder.Arguments(_random.Next(6)));
        _scope.Add(_builder.Constant(_random.Next(100)));
        for (int count = _random.Next(_pressure); count > 0; count--)
        {
            Instruction();
        }

        _entryValues.AddRange(_scope);

        Region();
        Finish();
    }

    private void Finish()
    {
        VirtualRegister sum = Pick();
        for (int index = Math.Max(0, _scope.Count - _pressure); index < _scope.Count; index++)
        {
            sum = _builder.Add(sum, _scope[index]);
        }

        _builder.Return(sum);
        foreach ((MachineBlock block, VirtualRegister value) in _exits)
        {
            _builder.Current = block;
            switch (_random.Next(4))
            {
                case 0:
                    _builder.Emit(MachinePseudo.TailCallJump, MachineOperand.Use(_entryValues[^1], 12), MachineOperand.Use(value, 3));
                    break;
                case 1:
                    _builder.Emit(MachinePseudo.Unreachable);
                    break;
                default:
                    _builder.Return(value);
                    break;
            }
        }
    }

    private VirtualRegister Pick()
    {
        int window = Math.Min(_scope.Count, _pressure);
        return _scope[_scope.Count - 1 - _random.Next(window)];
    }

    private VirtualRegister[] PickSome(int count)
    {
        var some = new VirtualRegister[count];
        for (int index = 0; index < count; index++)
        {
            some[index] = Pick();
        }

        return some;
    }

    private void Region()
    {
        int scope = _scope.Count;
        _depth++;
        for (int count = _random.Next(1, 6); count > 0 && _budget > 0; count--)
        {
            int choice = _depth > 5 ? 0 : _random.Next(8);
            switch (choice)
            {
                case 3:
                    Diamond();
                    break;
                case 4:
                    OneSided();
                    break;
                case 5:
                    Loop(withParameters: true);
                    break;
                case 6:
                    Loop(withParameters: false);
                    break;
                case 7:
                    EarlyReturn();
                    break;
                default:
                    for (int length = _random.Next(1, 15); length > 0; length--)
                    {
                        Instruction();
                    }

                    break;
            }
        }

        _depth--;
        if (_depth > 0)
        {
            VirtualRegister last = _scope[^1];
            bool keeps = _scope.Count > scope && _random.Next(2) == 0;
            if (keeps)
            {
                _builder.Store(last, _scope[0]);
            }

            _scope.RemoveRange(scope, _scope.Count - scope);
        }
    }

    private void Instruction()
    {
        _budget--;
        int choice = _random.Next(16 + _callWeight);
        switch (choice)
        {
            case 0:
                _scope.Add(_builder.Constant(_random.Next(3) switch { 0 => _random.Next(1000), 1 => _random.Next(), _ => _random.NextInt64() }));
                break;
            case 1:
                _scope.Add(_builder.Address(_random.Next(20), _random.Next(2) == 0));
                break;
            case 2:
                _scope.Add(_builder.Insert(Pick(), Pick()));
                break;
            case 3:
                _scope.Add(_builder.AtomicAdd(Pick(), Pick()));
                break;
            case 4:
                _scope.Add(_builder.Copy(Pick()));
                break;
            case 5:
                _builder.Store(Pick(), Pick());
                break;
            case 6:
                _scope.Add(_builder.AddImmediate(Pick(), _random.Next(100)));
                break;
            case 7:
                _scope.Add(_builder.Load(Pick()));
                break;
            case 8:
                _scope.Add(_builder.FrameAddress(-8 * _random.Next(1, 20)));
                break;
            case 9:
                _scope.Add(_builder.CompareExchange(Pick(), Pick(), Pick()));
                break;
            case >= 16:
                Call();
                break;
            default:
                _scope.Add(_builder.Add(Pick(), Pick()));
                break;
        }
    }

    private void Call()
    {
        switch (_random.Next(5))
        {
            case 4:
                _scope.Add(_builder.CallLocal(_random.Next(20), Pick(), PickSome(_random.Next(6))));
                break;
            case 0:
                _scope.Add(_builder.CallIndirect(Pick(), PickSome(_random.Next(4))));
                break;
            case 1:
                _builder.CallWithoutResult(_random.Next(20), PickSome(_random.Next(6)));
                break;
            default:
                _scope.Add(_builder.Call(_random.Next(20), PickSome(_random.Next(6))));
                break;
        }
    }

    private float Frequency(int loops)
    {
        float frequency = _builder.Current.Frequency;
        return loops > 0 ? frequency * 10 : _random.Next(3) == 0 ? frequency / 8 : frequency;
    }

    private void Diamond()
    {
        float after = _builder.Current.Frequency;
        MachineBlock left = _builder.NewBlock(Frequency(0));
        MachineBlock right = _builder.NewBlock(Frequency(0));
        int parameters = _random.Next(_random.Next(4) == 0 ? 20 : 4);
        _builder.Compare(Pick(), _random.Next(10));
        _builder.Branch(_random.Next(4), left, right);
        _builder.Current = left;
        Region();
        MachineBlock leftEnd = _builder.Current;
        VirtualRegister[] fromLeft = PickSome(parameters);
        _builder.Current = right;
        Region();
        MachineBlock rightEnd = _builder.Current;
        VirtualRegister[] fromRight = PickSome(parameters);
        MachineBlock join = _builder.NewBlock(after);
        _builder.Current = leftEnd;
        _builder.Jump(join, fromLeft);
        _builder.Current = rightEnd;
        _builder.Jump(join, fromRight);
        _builder.Current = join;
        for (int index = 0; index < parameters; index++)
        {
            _scope.Add(_builder.Parameter(join));
        }
    }

    private void OneSided()
    {
        float after = _builder.Current.Frequency;
        MachineBlock head = _builder.Current;
        MachineBlock side = _builder.NewBlock(Frequency(0));
        _builder.Current = side;
        int scope = _scope.Count;
        Region();
        MachineBlock sideEnd = _builder.Current;
        _scope.RemoveRange(scope, _scope.Count - scope);
        MachineBlock join = _builder.NewBlock(after);
        _builder.Current = head;
        _builder.Compare(Pick(), _random.Next(10));
        if (_random.Next(2) == 0)
        {
            _builder.Branch(_random.Next(4), side, join);
        }
        else
        {
            _builder.Branch(_random.Next(4), join, side);
        }

        _builder.Current = sideEnd;
        _builder.Jump(join);
        _builder.Current = join;
    }

    private void Loop(bool withParameters)
    {
        float outside = _builder.Current.Frequency;
        int parameters = withParameters ? _random.Next(1, _random.Next(5) == 0 ? 16 : 5) : 0;
        MachineBlock before = _builder.Current;
        VirtualRegister[] initial = PickSome(parameters);
        MachineBlock header = _builder.NewBlock(Frequency(1));
        bool guarded = !withParameters && _random.Next(2) == 0;
        if (!guarded)
        {
            _builder.Jump(header, initial);
        }
        else
        {
            _builder.Compare(Pick(), _random.Next(10));
        }

        int scope = _scope.Count;
        _builder.Current = header;
        int firstParameter = _scope.Count;
        for (int index = 0; index < parameters; index++)
        {
            _scope.Add(_builder.Parameter(header));
        }

        Region();
        VirtualRegister[] next = PickSome(parameters);
        if (parameters > 1 && _random.Next(2) == 0)
        {
            // A rotation of the parameters: a cycle of moves on the back edge.
            for (int index = 0; index < parameters; index++)
            {
                next[index] = _scope[firstParameter + ((index + 1) % parameters)];
            }
        }

        MachineBlock exit;
        _builder.Compare(Pick(), _random.Next(10));
        if (withParameters)
        {
            MachineBlock latch = _builder.NewBlock(header.Frequency);
            exit = _builder.NewBlock(outside);
            _builder.Branch(_random.Next(4), latch, exit);
            _builder.Current = latch;
            _builder.Jump(header, next);
        }
        else
        {
            exit = _builder.NewBlock(outside);
            _builder.Branch(_random.Next(4), header, exit);
        }

        if (guarded)
        {
            _builder.Current = before;
            _builder.Branch(_random.Next(4), header, exit);
            _scope.RemoveRange(scope, _scope.Count - scope);
        }

        _builder.Current = exit;
    }

    private void EarlyReturn()
    {
        MachineBlock exit = _builder.NewBlock(_builder.Current.Frequency / 16);
        MachineBlock next = _builder.NewBlock(_builder.Current.Frequency);
        VirtualRegister value = Pick();
        _builder.Compare(Pick(), _random.Next(10));
        _builder.Branch(_random.Next(4), exit, next);
        _exits.Add((exit, value));
        _builder.Current = next;
    }
}
