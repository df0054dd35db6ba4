using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>
/// Fewer and longer blocks: jumps to jumps lead to their end, unreachable blocks go, and a block that is the only way into the next one
/// takes it in.
/// </summary>
public static class ControlFlowCleanup
{
    public static void Run(IrFunction function, IrModule module)
    {
        ThreadJumps(function);
        UnreachableBlocks.Run(function, module);
        MergeBlocks(function);
    }

    /// <summary>
    /// Blocks that only jump on are left out, except before phis: there the block is the place for the copies that a phi stands for.
    /// </summary>
    private static void ThreadJumps(IrFunction function)
    {
        foreach (IrBlock block in function.Blocks)
        {
            if (!IsForwarder(block, function))
                continue;
            IrBlock target = block.Successors[0];
            foreach (IrBlock predecessor in block.Predecessors)
                Retarget(predecessor, block, target);
            block.Predecessors.Clear();
        }
    }

    private static bool IsForwarder(IrBlock block, IrFunction function)
    {
        if (block == function.Entry || block.Instructions is not [{ Opcode: IrOpcode.Jump }])
            return false;
        IrBlock target = block.Successors[0];
        return target != block && target.Instructions[0].Opcode != IrOpcode.Phi;
    }

    private static void Retarget(IrBlock predecessor, IrBlock from, IrBlock to)
    {
        IrInstruction terminator = predecessor.Terminator;
        if (Array.IndexOf(terminator.Targets, to) >= 0)
        {
            IrEdges.MakeJump(terminator, to);
            return;
        }

        terminator.Targets[Array.IndexOf(terminator.Targets, from)] = to;
        to.Predecessors.Add(predecessor);
    }

    private static void MergeBlocks(IrFunction function)
    {
        var replacements = new IrReplacements(function);
        var isGone = new bool[function.BlockCount];
        foreach (IrBlock block in function.Blocks)
        {
            if (isGone[block.Id])
                continue;
            while (block.Terminator.Opcode == IrOpcode.Jump && block.Successors[0] is { Predecessors.Count: 1 } next && next != block)
            {
                TakeIn(block, next, replacements);
                isGone[next.Id] = true;
            }
        }

        function.Blocks.RemoveAll(block => isGone[block.Id]);
        replacements.Apply();
    }

    private static void TakeIn(IrBlock block, IrBlock next, IrReplacements replacements)
    {
        block.Terminator.Block = null;
        block.Instructions.RemoveAt(block.Instructions.Count - 1);
        foreach (IrInstruction instruction in next.Instructions)
        {
            if (instruction.Opcode == IrOpcode.Phi)
            {
                replacements.Replace(instruction, instruction.Operands[0]);
                instruction.Block = null;
                continue;
            }

            instruction.Block = block;
            block.Instructions.Add(instruction);
        }

        next.Instructions.Clear();
        foreach (IrBlock successor in block.Successors)
            IrEdges.ReplacePredecessor(successor, next, block);
    }
}
