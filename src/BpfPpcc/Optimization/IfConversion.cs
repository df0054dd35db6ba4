using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>
/// A branch around nothing, only to choose one value of two, becomes a select:
/// <code>
/// b0: branch c -> b2, b1        b0: v = select c, x, y
/// b1: jump -> b2           =>       jump -> b2
/// b2: p = phi x (b0), y (b1)    b2: (v for p)
/// </code>
/// and so does a branch over two such blocks. A compare and isel then stand for a compare, a branch and on the average half a move or more;
/// of two values the second has a compare of its own, so two are worth it only where both ways had a block.
/// </summary>
public static class IfConversion
{
    private const int MostValuesOfTriangle = 1;
    private const int MostValuesOfDiamond = 2;

    public static void Run(IrFunction function, IrModule module)
    {
        bool hasChanged = false;
        IrBlock[] order = new DepthFirstWalk(function).ReversePostorder;
        // Last ones first: what was one empty block after another becomes empty from its end on.
        for (int i = order.Length - 1; i >= 0; i--)
        {
            if (order[i].Terminator.Opcode == IrOpcode.Branch)
                hasChanged |= Convert(order[i], function);
        }

        if (!hasChanged)
            return;
        IrEdges.DropLost(function);
        UnreachableBlocks.Run(function, module);
        ControlFlowCleanup.Run(function, module);
    }

    private static bool Convert(IrBlock block, IrFunction function)
    {
        IrInstruction branch = block.Terminator;
        IrBlock join = Behind(branch.Targets[0], block);
        if (join == block || join != Behind(branch.Targets[1], block))
            return false;
        bool isDiamond = join != branch.Targets[0] && join != branch.Targets[1];
        int fromTrue = join.Predecessors.IndexOf(branch.Targets[0] == join ? block : branch.Targets[0]);
        int fromFalse = join.Predecessors.IndexOf(branch.Targets[1] == join ? block : branch.Targets[1]);
        if (!IsWorthIt(join, fromTrue, fromFalse, isDiamond ? MostValuesOfDiamond : MostValuesOfTriangle))
            return false;

        // The edge that is left: the direct one, or of a diamond the one through the first block, which goes.
        int kept = join.Predecessors[fromFalse] == block ? fromFalse : fromTrue;
        join.Predecessors[kept] = block;
        block.Instructions.RemoveAt(block.Instructions.Count - 1);
        foreach (IrInstruction phi in join.Instructions)
        {
            if (phi.Opcode != IrOpcode.Phi)
                break;
            IrInstruction ifTrue = phi.Operands[fromTrue];
            IrInstruction ifFalse = phi.Operands[fromFalse];
            phi.Operands[kept] = ifTrue == ifFalse ? ifTrue : Select(phi, branch, ifTrue, ifFalse, block, function);
        }

        block.Instructions.Add(branch);
        IrEdges.MakeJump(branch, join);
        return true;
    }

    /// <summary>Where a block leads that does nothing, and that only <paramref name="from"/> leads to; else the block itself.</summary>
    private static IrBlock Behind(IrBlock block, IrBlock from) =>
        block.Instructions is [{ Opcode: IrOpcode.Jump }] && block.Predecessors.Count == 1 && block.Predecessors[0] == from
            ? block.Successors[0] : block;

    private static bool IsWorthIt(IrBlock join, int fromTrue, int fromFalse, int most)
    {
        int values = 0;
        foreach (IrInstruction phi in join.Instructions)
        {
            if (phi.Opcode != IrOpcode.Phi)
                break;
            IrInstruction ifTrue = phi.Operands[fromTrue];
            IrInstruction ifFalse = phi.Operands[fromFalse];
            if (ifTrue == ifFalse)
                continue;
            if (++values > most || !IsCheap(ifTrue) || !IsCheap(ifFalse))
                return false;
        }

        return values > 0;
    }

    /// <summary>In a register already, or one instruction to get there.</summary>
    private static bool IsCheap(IrInstruction value) => value.Opcode switch
    {
        IrOpcode.Constant => value.Immediate is >= short.MinValue and <= short.MaxValue,
        IrOpcode.SymbolAddress => false,
        _ => true,
    };

    private static IrInstruction Select(
        IrInstruction phi, IrInstruction branch, IrInstruction ifTrue, IrInstruction ifFalse, IrBlock block, IrFunction function)
    {
        IrInstruction select = function.NewInstruction(IrOpcode.Select);
        select.Width = phi.Width;
        select.Condition = branch.Condition;
        select.CompareWidth = branch.CompareWidth;
        select.Operands = [branch.Operands[0], branch.Operands[1], ifTrue, ifFalse];
        select.Position = branch.Position;
        select.Block = block;
        block.Instructions.Add(select);
        return select;
    }
}
