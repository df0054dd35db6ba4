using BpfPpcc.Symbols;

namespace BpfPpcc.Ir;

/// <summary>
/// Appends instructions to blocks. Every instruction is checked against <see cref="IrRules"/> as it is made; a violation is a bug of the
/// caller and throws <see cref="InvalidOperationException"/>.
/// </summary>
public sealed class IrBuilder
{
    private readonly IrFunction _function;

    public IrBuilder(IrFunction function)
    {
        _function = function;
        Leaves = new IrLeaves(function);
    }

    /// <summary>Constants and addresses. Commit them when the function is complete.</summary>
    public IrLeaves Leaves { get; }

    /// <summary>Where instructions are appended.</summary>
    public IrBlock? Block { get; set; }

    /// <summary>The BPF slot that new instructions come from, or -1.</summary>
    public int Position { get; set; } = -1;

    /// <summary>A new block, appended to the function's.</summary>
    public IrBlock AppendBlock()
    {
        IrBlock block = _function.NewBlock();
        _function.Blocks.Add(block);
        return block;
    }

    public IrInstruction Constant(long value) => Leaves.Constant(value);

    /// <summary>One operand per predecessor that the block has now.</summary>
    public IrInstruction Phi(int width, IrInstruction[] operands) => Append(IrOpcode.Phi, width, operands);

    /// <summary>An arithmetic operation on two values, of width 32 or 64.</summary>
    public IrInstruction Binary(IrOpcode opcode, int width, IrInstruction left, IrInstruction right) => Append(opcode, width, [left, right]);

    public IrInstruction Negate(int width, IrInstruction value) => Append(IrOpcode.Negate, width, [value]);

    public IrInstruction ZeroExtend(int width, IrInstruction value) => Append(IrOpcode.ZeroExtend, width, [value]);

    public IrInstruction SignExtend(int width, IrInstruction value) => Append(IrOpcode.SignExtend, width, [value]);

    public IrInstruction ByteSwap(int width, IrInstruction value) => Append(IrOpcode.ByteSwap, width, [value]);

    /// <summary>left condition right (compared at <paramref name="compareWidth"/>) ? ifTrue : ifFalse.</summary>
    public IrInstruction Select(IrCondition condition, int compareWidth, int width, IrInstruction left, IrInstruction right,
        IrInstruction ifTrue, IrInstruction ifFalse)
    {
        IrInstruction select = New(IrOpcode.Select, width, [left, right, ifTrue, ifFalse]);
        select.Condition = condition;
        select.CompareWidth = (byte)compareWidth;
        return Append(select);
    }

    public IrInstruction Load(int width, IrInstruction address, long offset, bool isSigned = false, bool isOrdered = false)
    {
        IrInstruction load = New(IrOpcode.Load, width, [address]);
        load.Immediate = offset;
        load.IsSigned = isSigned;
        load.IsOrdered = isOrdered;
        return Append(load);
    }

    public IrInstruction Store(int width, IrInstruction address, long offset, IrInstruction value, bool isOrdered = false)
    {
        IrInstruction store = New(IrOpcode.Store, width, [address, value]);
        store.Immediate = offset;
        store.IsOrdered = isOrdered;
        return Append(store);
    }

    public IrInstruction AtomicReadModifyWrite(IrAtomic operation, int width, IrInstruction address, long offset, IrInstruction value,
        bool isOrdered)
    {
        IrInstruction atomic = New(IrOpcode.AtomicReadModifyWrite, width, [address, value]);
        atomic.Atomic = operation;
        atomic.Immediate = offset;
        atomic.IsOrdered = isOrdered;
        return Append(atomic);
    }

    public IrInstruction AtomicCompareExchange(int width, IrInstruction address, long offset, IrInstruction expected,
        IrInstruction replacement)
    {
        IrInstruction atomic = New(IrOpcode.AtomicCompareExchange, width, [address, expected, replacement]);
        atomic.Immediate = offset;
        atomic.IsOrdered = true;
        return Append(atomic);
    }

    public IrInstruction CallExtern(SymbolId symbol, IrInstruction[] arguments) => Call(IrOpcode.CallExtern, symbol, arguments);

    public IrInstruction CallLocal(SymbolId symbol, IrInstruction[] arguments) => Call(IrOpcode.CallLocal, symbol, arguments);

    /// <summary>Operand 0 is the function, the others are its arguments.</summary>
    public IrInstruction CallIndirect(IrInstruction[] functionAndArguments) =>
        Call(IrOpcode.CallIndirect, SymbolId.None, functionAndArguments);

    public IrInstruction TailCall(IrInstruction context, IrInstruction map, IrInstruction index) =>
        Append(IrOpcode.TailCall, 64, [context, map, index]);

    /// <summary>Ends the block; it becomes a predecessor of <paramref name="target"/>.</summary>
    public IrInstruction Jump(IrBlock target) => Terminate(New(IrOpcode.Jump, 64, []), [target]);

    /// <summary>Ends the block: to <paramref name="ifTrue"/> if left condition right, else to <paramref name="ifFalse"/>.</summary>
    public IrInstruction Branch(IrCondition condition, int width, IrInstruction left, IrInstruction right, IrBlock ifTrue, IrBlock ifFalse)
    {
        IrInstruction branch = New(IrOpcode.Branch, 64, [left, right]);
        branch.Condition = condition;
        branch.CompareWidth = (byte)width;
        return Terminate(branch, [ifTrue, ifFalse]);
    }

    public IrInstruction Return(IrInstruction result) => Append(IrOpcode.Return, 64, [result]);

    public IrInstruction Unreachable() => Append(IrOpcode.Unreachable, 64, []);

    private IrInstruction Call(IrOpcode opcode, SymbolId symbol, IrInstruction[] operands)
    {
        IrInstruction call = New(opcode, 64, operands);
        call.Symbol = symbol;
        return Append(call);
    }

    private IrInstruction Append(IrOpcode opcode, int width, IrInstruction[] operands) => Append(New(opcode, width, operands));

    private IrInstruction New(IrOpcode opcode, int width, IrInstruction[] operands)
    {
        IrInstruction instruction = _function.NewInstruction(opcode);
        instruction.Width = (byte)width;
        instruction.Operands = operands;
        instruction.Position = Position;
        return instruction;
    }

    private IrInstruction Append(IrInstruction instruction)
    {
        if (IrRules.Violation(instruction) is { } violation)
            throw new InvalidOperationException($"{_function.Name}: {violation}");
        instruction.Block = Block ?? throw new InvalidOperationException($"{_function.Name}: no block to append to");
        Block.Instructions.Add(instruction);
        return instruction;
    }

    private IrInstruction Terminate(IrInstruction terminator, IrBlock[] targets)
    {
        terminator.Targets = targets;
        Append(terminator);
        foreach (IrBlock target in targets)
            target.Predecessors.Add(Block!);
        return terminator;
    }
}
