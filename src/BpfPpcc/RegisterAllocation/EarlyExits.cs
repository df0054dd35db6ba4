using BpfPpcc.Mir;

namespace BpfPpcc.RegisterAllocation;

/// <summary>
/// Prepares a selected function for a frame that is not set up on its early exits: a machine function comes in and is changed. Short ends
/// that paths with and without a frame share become two, and the block where the frame is set up gets one way in, where values may move.
/// <code>
///     early:  branch out, more                   early:  branch out', more
///     more:   call; branch out, rest      =>     more:   call; branch out, rest
///     out:    load-immediate v1, 0; return       out:    load-immediate v1, 0; return
///                                                out':   load-immediate v2, 0; return
/// </code>
/// </summary>
/// <remarks>Where nothing comes of it, the new blocks are empty or the same as others, and emission drops them.</remarks>
public sealed class EarlyExits
{
    private readonly MachineFunction _function;

    private EarlyExits(MachineFunction function) => _function = function;

    public static void Separate(MachineFunction function)
    {
        if (!function.Blocks.Exists(FrameRegion.Calls) || FrameRegion.Calls(function.Blocks[0]))
            return;
        var exits = new EarlyExits(function);
        exits.CopyShared();
        exits.OpenSavePoint();
    }

    private void CopyShared()
    {
        int count = _function.Blocks.Count;
        var needsFrame = new bool[count];
        var isCopyable = new bool[count];
        for (int block = 0; block < count; block++)
        {
            needsFrame[block] = FrameRegion.Calls(_function.Blocks[block]);
            isCopyable[block] = block > 0 && IsShortEnd(_function.Blocks[block]);
        }

        FrameRegion region = FrameRegion.Of(_function, needsFrame, isCopyable);
        for (int block = 1; block < count && region.SavePoint > 0; block++)
        {
            if (region.Contains(block) && !region.IsBelow(block) && !IsOnlyReturn(_function.Blocks[block]))
                Copy(_function.Blocks[block], region);
        }
    }

    /// <summary>A return with at most one instruction before it, or an instruction and the jump to a return that others lead to as well.</summary>
    private bool IsShortEnd(MachineBlock block)
    {
        if (block.Instructions.Count > 2 || !block.Instructions.TrueForAll(ReturnBlocks.IsOneWord))
            return false;
        return block.Terminator.Pseudo == MachinePseudo.Return
            || (block.Terminator.Pseudo == MachinePseudo.Jump && IsSharedReturn(_function.Blocks[block.Successors[0].Target]));
    }

    private static bool IsSharedReturn(MachineBlock block) => IsOnlyReturn(block) && block.Predecessors.Count > 1;

    private static bool IsOnlyReturn(MachineBlock block) => block.Instructions.Count == 1 && block.Terminator.Pseudo == MachinePseudo.Return;

    /// <summary>What leads to the block without a frame leads to a copy.</summary>
    private void Copy(MachineBlock block, FrameRegion region)
    {
        MachineBlock copy = NewBlock(block.Frequency);
        var renamed = new Dictionary<int, VirtualRegister>();
        foreach (VirtualRegister parameter in block.Parameters)
            copy.Parameters.Add(Rename(parameter, renamed));
        foreach (MachineInstruction instruction in block.Instructions)
            copy.Instructions.Add(Rename(instruction, renamed));
        foreach (MachineEdge edge in block.Successors)
        {
            copy.Successors.Add(new MachineEdge(edge.Target, Array.ConvertAll(edge.Arguments, argument => renamed.GetValueOrDefault(argument.Number, argument))));
            _function.Blocks[edge.Target].Predecessors.Add(copy.Index);
        }

        for (int i = block.Predecessors.Count - 1; i >= 0; i--)
        {
            MachineBlock predecessor = _function.Blocks[block.Predecessors[i]];
            if (region.Contains(predecessor.Index))
                continue;
            Redirect(predecessor, block.Index, copy.Index);
            block.Predecessors.RemoveAt(i);
            copy.Predecessors.Insert(0, predecessor.Index);
        }
    }

    private VirtualRegister Rename(VirtualRegister register, Dictionary<int, VirtualRegister> renamed)
    {
        VirtualRegister fresh = _function.NewRegister();
        renamed.Add(register.Number, fresh);
        return fresh;
    }

    private MachineInstruction Rename(MachineInstruction instruction, Dictionary<int, VirtualRegister> renamed)
    {
        var operands = new MachineOperand[instruction.Operands.Length];
        for (int i = 0; i < operands.Length; i++)
        {
            MachineOperand operand = instruction.Operands[i];
            if (operand.Kind != MachineOperandKind.VirtualRegister)
                operands[i] = operand;
            else if (operand.IsDef)
                operands[i] = operand.WithRegister(Rename(operand.Register, renamed));
            else
                operands[i] = operand.WithRegister(renamed.GetValueOrDefault(operand.Number, operand.Register));
        }

        return instruction.WithOperands(operands);
    }

    private void OpenSavePoint()
    {
        FrameRegion region = FrameRegion.OfCalls(_function);
        if (region.SavePoint <= 0 || _function.Blocks[region.SavePoint].Predecessors.Count == 1)
            return;
        MachineBlock savePoint = _function.Blocks[region.SavePoint];
        MachineBlock before = NewBlock(savePoint.Frequency);
        foreach (VirtualRegister _ in savePoint.Parameters)
            before.Parameters.Add(_function.NewRegister());
        before.Instructions.Add(new MachineInstruction(MachinePseudo.Jump, -1, MachineOperand.Block(savePoint.Index)));
        before.Successors.Add(new MachineEdge(savePoint.Index, [.. before.Parameters]));
        foreach (int predecessor in savePoint.Predecessors)
            Redirect(_function.Blocks[predecessor], savePoint.Index, before.Index);
        before.Predecessors.AddRange(savePoint.Predecessors);
        savePoint.Predecessors.Clear();
        savePoint.Predecessors.Add(before.Index);
    }

    private MachineBlock NewBlock(float frequency)
    {
        var block = new MachineBlock(_function.Blocks.Count) { Frequency = frequency };
        _function.Blocks.Add(block);
        return block;
    }

    private static void Redirect(MachineBlock block, int from, int to)
    {
        for (int i = 0; i < block.Successors.Count; i++)
        {
            if (block.Successors[i].Target == from)
                block.Successors[i] = block.Successors[i] with { Target = to };
        }

        MachineOperand[] operands = Array.ConvertAll(
            block.Terminator.Operands,
            operand => operand.Kind == MachineOperandKind.Block && operand.Number == from ? MachineOperand.Block(to) : operand);
        block.Instructions[^1] = block.Terminator.WithOperands(operands);
    }
}
