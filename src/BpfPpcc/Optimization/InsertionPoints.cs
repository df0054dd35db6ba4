using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>New instructions behind old ones, noted one by one and put into the blocks in one sweep.</summary>
internal sealed class InsertionPoints(IrFunction function)
{
    private readonly Dictionary<IrInstruction, List<IrInstruction>> _behind = [];

    /// <summary>A new instruction behind one that is no phi, no leaf and no terminator, and behind those that were added there before.</summary>
    public IrInstruction AddBehind(IrInstruction place, IrOpcode opcode, int width, params IrInstruction[] operands)
    {
        IrInstruction instruction = function.NewInstruction(opcode);
        instruction.Width = (byte)width;
        instruction.Operands = operands;
        instruction.Position = place.Position;
        instruction.Block = place.Block;
        if (!_behind.TryGetValue(place, out List<IrInstruction>? added))
            _behind.Add(place, added = []);
        added.Add(instruction);
        return instruction;
    }

    /// <summary>Puts all new instructions into their blocks. Before instructions are replaced or leaves committed.</summary>
    public void Apply()
    {
        if (_behind.Count == 0)
            return;
        var changed = new HashSet<IrBlock>();
        foreach (IrInstruction place in _behind.Keys)
            changed.Add(place.Block!);
        foreach (IrBlock block in changed)
        {
            IrInstruction[] instructions = [.. block.Instructions];
            block.Instructions.Clear();
            foreach (IrInstruction instruction in instructions)
            {
                block.Instructions.Add(instruction);
                if (_behind.TryGetValue(instruction, out List<IrInstruction>? added))
                    block.Instructions.AddRange(added);
            }
        }
    }
}
