using BpfPpcc.Symbols;

namespace BpfPpcc.Ir;

/// <summary>
/// The operands without operands of one function: constants, addresses, arguments, the undefined value. They stand once each at the head
/// of the entry block, so that they dominate everything and two equal ones are the same object.
/// </summary>
/// <remarks>New ones are kept aside until <see cref="Commit"/>: inserting at the head of a long block one by one is quadratic.</remarks>
public sealed class IrLeaves
{
    private readonly IrFunction _function;
    private readonly Dictionary<(IrOpcode Opcode, long Immediate, SymbolId Symbol), IrInstruction> _leaves = [];
    private readonly List<IrInstruction> _pending = [];

    /// <summary>Takes over the leaves that stand at the head of the entry block already.</summary>
    public IrLeaves(IrFunction function)
    {
        _function = function;
        if (function.Blocks.Count == 0)
            return;
        List<IrInstruction> instructions = function.Entry.Instructions;
        int count = 0;
        while (count < instructions.Count && IrRules.IsLeaf(instructions[count].Opcode))
            count++;
        _leaves.EnsureCapacity(count);
        for (int i = 0; i < count; i++)
            _leaves.TryAdd((instructions[i].Opcode, instructions[i].Immediate, instructions[i].Symbol), instructions[i]);
    }

    public IrInstruction Constant(long value) => Leaf(IrOpcode.Constant, value, SymbolId.None);

    public IrInstruction Undefined() => Leaf(IrOpcode.Undefined, 0, SymbolId.None);

    /// <summary>Argument number 0..4.</summary>
    public IrInstruction Argument(int index) => Leaf(IrOpcode.Argument, index, SymbolId.None);

    public IrInstruction StackAddress(long offset) => Leaf(IrOpcode.StackAddress, offset, SymbolId.None);

    public IrInstruction SymbolAddress(SymbolId symbol, long offset) => Leaf(IrOpcode.SymbolAddress, offset, symbol);

    /// <summary>Puts the new leaves into the entry block. Must be called before anybody looks at the function as a whole.</summary>
    public void Commit()
    {
        foreach (IrInstruction leaf in _pending)
            leaf.Block = _function.Entry;
        _function.Entry.Instructions.InsertRange(0, _pending);
        _pending.Clear();
    }

    private IrInstruction Leaf(IrOpcode opcode, long immediate, SymbolId symbol)
    {
        if (_leaves.TryGetValue((opcode, immediate, symbol), out IrInstruction? leaf))
            return leaf;
        leaf = _function.NewInstruction(opcode);
        leaf.Immediate = immediate;
        leaf.Symbol = symbol;
        _leaves.Add((opcode, immediate, symbol), leaf);
        _pending.Add(leaf);
        return leaf;
    }
}
