namespace BpfPpcc.Ir;

/// <summary>Edits of the control flow graph that keep predecessor lists and phi operands in step.</summary>
public static class IrEdges
{
    /// <summary>Makes a branch a jump to one of its targets. The other keeps it as a predecessor until lost edges are dropped.</summary>
    public static void MakeJump(IrInstruction branch, IrBlock target)
    {
        branch.Opcode = IrOpcode.Jump;
        branch.Condition = IrCondition.None;
        branch.CompareWidth = 64;
        branch.Operands = [];
        branch.Targets = [target];
    }

    /// <summary>
    /// Takes out of all predecessor lists, and out of the phis, what does not branch there any more: blocks that are not in the function
    /// and edges that were edited away. Whole function at once, so that many lost edges into one block cost no more than one.
    /// </summary>
    public static void DropLost(IrFunction function)
    {
        var isPresent = new bool[function.BlockCount];
        foreach (IrBlock block in function.Blocks)
            isPresent[block.Id] = true;
        foreach (IrBlock block in function.Blocks)
            DropLost(block, isPresent);
    }

    /// <summary>The edge from <paramref name="from"/> to the block is from now on one from <paramref name="to"/>.</summary>
    public static void ReplacePredecessor(IrBlock block, IrBlock from, IrBlock to) =>
        block.Predecessors[block.Predecessors.IndexOf(from)] = to;

    private static void DropLost(IrBlock block, bool[] isPresent)
    {
        List<IrBlock> predecessors = block.Predecessors;
        int first = 0;
        while (first < predecessors.Count && IsEdge(predecessors[first], block, isPresent))
            first++;
        if (first == predecessors.Count)
            return;

        List<int> kept = [.. Enumerable.Range(0, first)];
        for (int i = first + 1; i < predecessors.Count; i++)
        {
            if (IsEdge(predecessors[i], block, isPresent))
                kept.Add(i);
        }

        foreach (IrInstruction phi in block.Instructions)
        {
            if (phi.Opcode != IrOpcode.Phi)
                break;
            var operands = new IrInstruction[kept.Count];
            for (int i = 0; i < operands.Length; i++)
                operands[i] = phi.Operands[kept[i]];
            phi.Operands = operands;
        }

        for (int i = 0; i < kept.Count; i++)
            predecessors[i] = predecessors[kept[i]];
        predecessors.RemoveRange(kept.Count, predecessors.Count - kept.Count);
    }

    private static bool IsEdge(IrBlock from, IrBlock to, bool[] isPresent)
    {
        if (!isPresent[from.Id])
            return false;
        foreach (IrBlock successor in from.Successors)
        {
            if (successor == to)
                return true;
        }

        return false;
    }
}
