using System.Runtime.InteropServices;
using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>What the rules of <see cref="Simplify"/> need besides the instruction at hand.</summary>
internal sealed class SimplifyContext(IrFunction function)
{
    private readonly List<IrInstruction> _remaining = [];
    private int[] _uses = [];

    public IrLeaves Leaves { get; } = new(function);

    public IrReplacements Replacements { get; private set; } = new(function);

    /// <summary>The block under work: new instructions go to its end, before the instruction at hand.</summary>
    public IrBlock? Block { get; private set; }

    /// <summary>What the block consisted of before.</summary>
    public ReadOnlySpan<IrInstruction> Remaining => CollectionsMarshal.AsSpan(_remaining);

    public int Position { get; set; } = -1;

    /// <summary>Something in the function is different from before the round.</summary>
    public bool HasChanged { get; set; }

    /// <summary>A branch became a jump in this round.</summary>
    public bool HasLostEdges { get; set; }

    /// <summary>The instruction at hand was rewritten, so that other rules may apply to it.</summary>
    public bool IsRewritten { get; set; }

    public void BeginRound()
    {
        _uses = UseCounts.Of(function);
        Replacements = new IrReplacements(function);
        HasChanged = false;
        HasLostEdges = false;
    }

    public void BeginBlock(IrBlock block)
    {
        Block = block;
        _remaining.Clear();
        _remaining.AddRange(block.Instructions);
        block.Instructions.Clear();
    }

    public IrInstruction Constant(long value) => Leaves.Constant(value);

    /// <summary>
    /// Nobody else uses the value, as the round began. Rules that use its operands in its place would otherwise only lengthen lives.
    /// </summary>
    public bool HasOneUse(IrInstruction value) => value.Id < _uses.Length && _uses[value.Id] == 1;

    public void NoteRewrite()
    {
        HasChanged = true;
        IsRewritten = true;
    }

    /// <summary>Makes the instruction another operation, in place. Gives it back, for rules to return.</summary>
    public IrInstruction Rewrite(IrInstruction instruction, IrOpcode opcode, int width, params IrInstruction[] operands)
    {
        instruction.Opcode = opcode;
        instruction.Width = (byte)width;
        instruction.Operands = operands;
        NoteRewrite();
        return instruction;
    }

    /// <summary>A new instruction before the one at hand.</summary>
    public IrInstruction Insert(IrOpcode opcode, int width, params IrInstruction[] operands)
    {
        IrInstruction instruction = function.NewInstruction(opcode);
        instruction.Width = (byte)width;
        instruction.Operands = operands;
        instruction.Position = Position;
        instruction.Block = Block;
        Block!.Instructions.Add(instruction);
        HasChanged = true;
        return instruction;
    }
}
