using System.Numerics;
using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>
/// A value that a loop counts only for those behind it is computed there, from one that the loop counts anyhow:
/// <code>
/// b1: i = phi 0 (b0), j (b1)                 b1: i = phi 0 (b0), j (b1)
///     k = phi 5 (b0), l (b1)                     j = add i, 1
///     j = add i, 1; l = add k, 256      =>       branch ... -> b1, b2
///     branch ... -> b1, b2                   b2: k = add (mul i, 256), 5
/// b2: ... k ...
/// </code>
/// In all runs of the loop k - 5 = (i - 0) * 256, modulo 2 to the power of 64, which is what both are counted in.
/// </summary>
public static class InductionVariableSinking
{
    public static void Run(IrFunction function, IrModule module)
    {
        List<List<InductionVariable>> groups = Groups(function);
        if (groups.Count == 0)
            return;
        var dominators = new DominatorTree(function);
        var sinking = new Sinking(function, dominators, new LoopNest(function, dominators), UsesOf(function, groups));
        foreach (List<InductionVariable> group in groups)
            sinking.Run(group);
        sinking.Complete();
    }

    /// <summary>Two or more that start at constants, of one loop.</summary>
    private static List<List<InductionVariable>> Groups(IrFunction function)
    {
        var groups = new List<List<InductionVariable>>();
        foreach (IrBlock block in function.Blocks)
        {
            if (block.Predecessors.Count != 2)
                continue;
            var group = new List<InductionVariable>();
            foreach (IrInstruction instruction in block.Instructions)
            {
                if (instruction.Opcode != IrOpcode.Phi)
                    break;
                if (InductionVariable.TryMatch(instruction, out InductionVariable variable) && variable.Start.Opcode == IrOpcode.Constant)
                    group.Add(variable);
            }

            if (group.Count > 1)
                groups.Add(group);
        }

        return groups;
    }

    private static Dictionary<IrInstruction, List<(IrInstruction User, int Operand)>> UsesOf(
        IrFunction function, List<List<InductionVariable>> groups)
    {
        var uses = new Dictionary<IrInstruction, List<(IrInstruction User, int Operand)>>();
        foreach (List<InductionVariable> group in groups)
        {
            foreach (InductionVariable variable in group)
            {
                uses.TryAdd(variable.Phi, []);
                uses.TryAdd(variable.Next, []);
            }
        }

        foreach (IrBlock block in function.Blocks)
        {
            foreach (IrInstruction instruction in block.Instructions)
            {
                for (int i = 0; i < instruction.Operands.Length; i++)
                {
                    if (uses.TryGetValue(instruction.Operands[i], out List<(IrInstruction User, int Operand)>? list))
                        list.Add((instruction, i));
                }
            }
        }

        return uses;
    }

    private sealed class Sinking(
        IrFunction function,
        DominatorTree dominators,
        LoopNest loops,
        Dictionary<IrInstruction, List<(IrInstruction User, int Operand)>> uses)
    {
        private readonly IrLeaves _leaves = new(function);
        private readonly int _blockCount = function.BlockCount;

        public void Run(List<InductionVariable> group)
        {
            IrBlock header = group[0].Phi.Block!;
            if (!dominators.IsReachable(header))
                return;
            foreach (InductionVariable counted in group)
            {
                if (IsWantedInside(counted, header))
                    continue;
                foreach (InductionVariable basis in group)
                {
                    if (!IsWantedInside(basis, header) || !TryFactor(counted.Step, basis.Step, out long factor))
                        continue;
                    Sink(counted, basis, factor, header);
                    break;
                }
            }
        }

        public void Complete() => _leaves.Commit();

        /// <summary>By what one step is to be multiplied to give another, modulo 2 to the power of 64. The least step by -1 is itself.</summary>
        private static bool TryFactor(long step, long basis, out long factor)
        {
            factor = basis == -1 ? unchecked(-step) : step / basis;
            return unchecked(factor * basis) == step;
        }

        /// <summary>The loop uses it for more than to count it.</summary>
        private bool IsWantedInside(InductionVariable variable, IrBlock header) =>
            uses[variable.Phi].Exists(use => use.User != variable.Next && IsInside(use.User.Block!, header))
            || uses[variable.Next].Exists(use => use.User != variable.Phi && IsInside(use.User.Block!, header));

        private bool IsInside(IrBlock block, IrBlock header)
        {
            // What was put on an edge out of a loop is outside of it.
            for (IrBlock? outer = block.Id < _blockCount ? block : null; outer != null; outer = loops.Header(outer))
            {
                if (outer == header)
                    return true;
            }

            return false;
        }

        private void Sink(InductionVariable counted, InductionVariable basis, long factor, IrBlock header)
        {
            long difference = unchecked(counted.Start.Immediate - basis.Start.Immediate * factor);
            foreach ((IrInstruction user, int operand) in uses[counted.Phi])
            {
                if (user != counted.Next)
                    user.Operands[operand] = Compute(user, operand, header, basis.Phi, factor, difference);
            }

            foreach ((IrInstruction user, int operand) in uses[counted.Next])
            {
                if (user != counted.Phi)
                    user.Operands[operand] = Compute(user, operand, header, basis.Phi, factor, unchecked(difference + counted.Step));
            }
        }

        private IrInstruction Compute(
            IrInstruction user, int operand, IrBlock header, IrInstruction basis, long factor, long difference)
        {
            IrBlock block = user.Opcode == IrOpcode.Phi ? EndOfEdge(user.Block!, operand, header) : user.Block!;
            int place = user.Opcode == IrOpcode.Phi ? block.Instructions.Count - 1 : block.Instructions.IndexOf(user);
            IrInstruction product = BitOperations.IsPow2(factor)
                ? Add(IrOpcode.ShiftLeft, basis, BitOperations.Log2((ulong)factor), block, place)
                : Add(IrOpcode.Multiply, basis, factor, block, place);
            return Add(IrOpcode.Add, product, difference, block, place + 1);
        }

        /// <summary>The predecessor of the block, or one on the edge if that is in the loop and leads elsewhere, too.</summary>
        private IrBlock EndOfEdge(IrBlock block, int predecessor, IrBlock header)
        {
            IrBlock from = block.Predecessors[predecessor];
            if (!IsInside(from, header) || from.Successors.Length == 1)
                return from;
            IrBlock edge = function.NewBlock();
            IrInstruction jump = function.NewInstruction(IrOpcode.Jump);
            jump.Targets = [block];
            jump.Position = from.Terminator.Position;
            jump.Block = edge;
            edge.Instructions.Add(jump);
            edge.Predecessors.Add(from);
            function.Blocks.Insert(function.Blocks.IndexOf(from) + 1, edge);
            block.Predecessors[predecessor] = edge;
            from.Terminator.Targets[Array.IndexOf(from.Terminator.Targets, block)] = edge;
            return edge;
        }

        private IrInstruction Add(IrOpcode opcode, IrInstruction left, long right, IrBlock block, int place)
        {
            IrInstruction instruction = function.NewInstruction(opcode);
            instruction.Operands = [left, _leaves.Constant(right)];
            instruction.Position = block.Terminator.Position;
            instruction.Block = block;
            block.Instructions.Insert(place, instruction);
            return instruction;
        }
    }
}
