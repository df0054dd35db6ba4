using BpfPpcc.Ir;

namespace BpfPpcc.Tests.Selection;

/// <summary>
/// Random functions in SSA form: several blocks with any edges between them, loops included, a few variables that are phis wherever paths
/// meet, and all operations in between. Types are kept: where 64 bits are wanted, a 32-bit value is extended.
/// </summary>
internal sealed class RandomFunction
{
    private const int VariableCount = 4;

    private readonly Random _random;
    private readonly IrFunction _function;
    private readonly IrBuilder _builder;
    private readonly List<IrInstruction> _pool = [];
    private readonly bool _reachesTailCall;

    private RandomFunction(Random random)
    {
        _random = random;
        _reachesTailCall = random.Next(3) == 0;
        _function = SelectionHarness.NewFunction(random.Next(2) == 0 ? IrFunctionKind.Program : IrFunctionKind.Subprogram, _reachesTailCall,
            SelectionHarness.Plain);
        _builder = new IrBuilder(_function);
    }

    public static IrFunction Make(Random random) => new RandomFunction(random).Make();

    private IrFunction Make()
    {
        int blockCount = _random.Next(1, 9);
        var blocks = new IrBlock[blockCount];
        for (int i = 0; i < blockCount; i++)
            blocks[i] = _builder.AppendBlock();
        int[][] targets = MakeTargets(blockCount);
        var predecessorCounts = new int[blockCount];
        foreach (int target in targets.SelectMany(static list => list))
            predecessorCounts[target]++;

        var exits = new IrInstruction[blockCount][];
        var phis = new IrInstruction[blockCount][];
        IrInstruction[] entryPool = [];
        for (int i = 0; i < blockCount; i++)
        {
            _builder.Block = blocks[i];
            _builder.Position = i;
            _pool.Clear();
            _pool.AddRange(entryPool);
            phis[i] = i == 0 ? Initial() : MakePhis(blocks[i]);
            IrInstruction[] variables = [.. phis[i]];
            _pool.AddRange(variables);
            FillBlock(variables);
            if (i == 0)
                entryPool = [.. _pool];
            exits[i] = variables;
            Terminate(blocks, targets[i]);
        }

        for (int i = 1; i < blockCount; i++)
            CompletePhis(blocks[i], phis[i], exits);
        _builder.Leaves.Commit();
        return _function;
    }

    /// <summary>Every block but the first can be reached from the one before it; other edges go anywhere but to the entry.</summary>
    private int[][] MakeTargets(int blockCount)
    {
        var targets = new int[blockCount][];
        for (int i = 0; i < blockCount; i++)
        {
            int next = i + 1;
            if (next == blockCount)
            {
                targets[i] = [];
                continue;
            }

            int other = _random.Next(1, blockCount);
            targets[i] = other == next || _random.Next(3) == 0 ? [next] : _random.Next(2) == 0 ? [next, other] : [other, next];
        }

        return targets;
    }

    private static int VariableWidth(int variable) => variable == 0 ? 32 : 64;

    private IrInstruction[] Initial()
    {
        var variables = new IrInstruction[VariableCount];
        for (int i = 0; i < variables.Length; i++)
            variables[i] = _builder.Leaves.Argument(i);
        return variables;
    }

    private IrInstruction[] MakePhis(IrBlock block)
    {
        var phis = new IrInstruction[VariableCount];
        for (int i = 0; i < phis.Length; i++)
        {
            phis[i] = _function.NewInstruction(IrOpcode.Phi);
            phis[i].Width = (byte)VariableWidth(i);
            phis[i].Block = block;
            block.Instructions.Add(phis[i]);
        }

        return phis;
    }

    private static void CompletePhis(IrBlock block, IrInstruction[] phis, IrInstruction[][] exits)
    {
        for (int i = 0; i < phis.Length; i++)
            phis[i].Operands = [.. block.Predecessors.Select(predecessor => exits[predecessor.Id][i])];
    }

    private void Terminate(IrBlock[] blocks, int[] targets)
    {
        if (targets.Length == 0)
            _builder.Return(Wide());
        else if (targets.Length == 1)
            _builder.Jump(blocks[targets[0]]);
        else
            Branch(blocks[targets[0]], blocks[targets[1]]);
    }

    private void Branch(IrBlock ifTrue, IrBlock ifFalse)
    {
        int width = Width();
        _builder.Branch(Condition(), width, Of(width), Of(width), ifTrue, ifFalse);
    }

    private void FillBlock(IrInstruction[] variables)
    {
        int count = _random.Next(1, 14);
        for (int i = 0; i < count; i++)
        {
            IrInstruction? value = MakeOperation();
            if (value is null)
                continue;
            _pool.Add(value);
            int variable = _random.Next(VariableCount * 2);
            if (variable < VariableCount)
                variables[variable] = VariableWidth(variable) == 64 ? Extend(value) : value;
        }
    }

    // Operands

    private int Width() => _random.Next(2) == 0 ? 32 : 64;

    private IrCondition Condition() => (IrCondition)_random.Next((int)IrCondition.Equal, (int)IrCondition.TestZero + 1);

    private IrInstruction Pick()
    {
        if (_random.Next(4) == 0)
            return _builder.Constant(TestValues.Random(_random));
        if (_random.Next(40) == 0)
            return _builder.Leaves.Undefined();
        return _random.Next(3) == 0 ? _pool[_random.Next(_pool.Count)] : _pool[Math.Max(0, _pool.Count - 1 - _random.Next(4))];
    }

    private IrInstruction Wide() => Extend(Pick());

    private IrInstruction Extend(IrInstruction value)
    {
        if (value.Type != IrType.I32)
            return value;
        return _random.Next(4) == 0 ? _builder.SignExtend(32, value) : _builder.ZeroExtend(32, value);
    }

    private IrInstruction Of(int width) => width == 64 ? Wide() : Pick();

    /// <summary>An address and what may be added to it: stack, data, scratch memory, sums.</summary>
    private IrInstruction Address(out long offset)
    {
        offset = _random.Next(4) switch
        {
            0 => 0,
            1 => _random.Next(-40, 40),
            2 => _random.Next(-5, 5) * 4,
            _ => _random.Next(5) == 0 ? TestValues.Random(_random) & 0xfffff : _random.Next(-9, 9),
        };
        return _random.Next(8) switch
        {
            0 or 1 => _builder.Leaves.StackAddress(_random.Next(-64, 0)),
            2 => _builder.Leaves.SymbolAddress(SelectionHarness.Data, _random.Next(0, 64)),
            3 => _builder.Leaves.SymbolAddress(SelectionHarness.Kernel, _random.Next(2) * 8),
            4 => _builder.Binary(IrOpcode.Add, 64, _builder.Constant((long)TestWorld.Scratch), _builder.ZeroExtend(8, Pick())),
            5 => _builder.Binary(IrOpcode.Add, 64, Wide(), Wide()),
            6 => Wide(),
            _ => _builder.Constant((long)TestWorld.Scratch),
        };
    }

    // Operations

    private IrInstruction? MakeOperation()
    {
        int choice = _random.Next(_reachesTailCall ? 31 : 30);
        if (choice < 12)
            return Arithmetic();
        if (choice < 17)
            return MaskOrShift();
        if (choice < 20)
        {
            int from = 8 << _random.Next(3);
            return _random.Next(2) == 0 ? _builder.ZeroExtend(from, Pick()) : _builder.SignExtend(from, Pick());
        }

        switch (choice)
        {
            case 20:
                int swapWidth = 16 << _random.Next(3);
                return _builder.ByteSwap(swapWidth, Of(swapWidth));
            case 21:
                int width = Width();
                int compareWidth = Width();
                return _builder.Select(Condition(), compareWidth, width, Of(compareWidth), Of(compareWidth), Of(width), Of(width));
            case 22 or 23 or 24:
                return MakeLoad();
            case 25 or 26:
                MakeStore();
                return null;
            case 27:
                return MakeAtomic();
            case 28 or 29:
                return MakeCall();
            default:
                _builder.TailCall(Wide(), Map(), Pick() is { Type: IrType.I64 } index ? index : _builder.Constant(_random.Next(10)));
                return null;
        }
    }

    private IrInstruction Map() => _random.Next(3) switch
    {
        0 => _builder.Leaves.SymbolAddress(SelectionHarness.Jumps, 0),
        1 => _builder.Leaves.SymbolAddress(SelectionHarness.ExternJumps, 0),
        _ => Wide(),
    };

    private IrInstruction Arithmetic()
    {
        int width = Width();
        var opcode = (IrOpcode)_random.Next((int)IrOpcode.Add, (int)IrOpcode.MultiplyHighSigned + 1);
        return opcode == IrOpcode.Negate
            ? _builder.Negate(width, Of(width))
            : _builder.Binary(opcode, width, Of(width), Of(width));
    }

    /// <summary>The links of the chains that become one rotate instruction.</summary>
    private IrInstruction MaskOrShift()
    {
        int width = Width();
        IrOpcode opcode = _random.Next(5) switch
        {
            0 => IrOpcode.And,
            1 => IrOpcode.ShiftLeft,
            2 => IrOpcode.ShiftRightLogical,
            3 => IrOpcode.ShiftRightArithmetic,
            _ => IrOpcode.RotateLeft,
        };
        long constant = opcode == IrOpcode.And ? TestValues.Random(_random) : _random.Next(4) == 0 ? _random.Next(64) : _random.Next(9) * 8;
        return _builder.Binary(opcode, width, Of(width), _builder.Constant(constant));
    }

    private IrInstruction MakeLoad()
    {
        IrInstruction address = Address(out long offset);
        int width = 8 << _random.Next(4);
        IrInstruction load = _builder.Load(width, address, offset, width < 64 && _random.Next(3) == 0, _random.Next(8) == 0);
        if (_random.Next(4) == 0)
            _builder.Store(width, address, offset, Of(width));
        return (_random.Next(4), width) switch
        {
            (0, > 8) => _builder.ByteSwap(width, load),
            (1, < 64) => _builder.SignExtend(width, load),
            _ => load,
        };
    }

    private void MakeStore()
    {
        IrInstruction address = Address(out long offset);
        int width = 8 << _random.Next(4);
        IrInstruction value = Of(width);
        if (width > 8 && _random.Next(3) == 0)
            value = _builder.ByteSwap(width, value);
        _builder.Store(width, address, offset, value, _random.Next(8) == 0);
    }

    private IrInstruction MakeAtomic()
    {
        IrInstruction address = Address(out long offset);
        int width = Width();
        if (_random.Next(3) == 0)
            return _builder.AtomicCompareExchange(width, address, offset, Of(width), Of(width));
        var operation = (IrAtomic)_random.Next((int)IrAtomic.Add, (int)IrAtomic.Exchange + 1);
        return _builder.AtomicReadModifyWrite(operation, width, address, offset, Of(width), _random.Next(2) == 0);
    }

    private IrInstruction MakeCall()
    {
        var arguments = new IrInstruction[_random.Next(6)];
        for (int i = 0; i < arguments.Length; i++)
            arguments[i] = Wide();
        return _random.Next(3) switch
        {
            0 => _builder.CallExtern(SelectionHarness.Helper, arguments),
            1 => _builder.CallLocal(SelectionHarness.Plain, arguments),
            _ => _builder.CallIndirect([Wide(), .. arguments]),
        };
    }
}
