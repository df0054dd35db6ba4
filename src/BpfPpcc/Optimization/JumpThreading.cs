using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>
/// A block that only chooses a value and branches on it, where each way in decides the branch already, is taken apart: what stands behind an
/// inlined lookup, of which one way gives null and the other does not.
/// <code>
/// b3: p = phi 0 (b1), element (b2)          b3: p = phi element (b2)
///     branch eq p, 0 -> none, some     =>       jump -> some
///                                           b4: q = phi 0 (b1)
///                                               jump -> none
/// </code>
/// </summary>
/// <remarks>
/// Values of the phis are used on from both targets: behind a target that has no other way in, and by phis on the edges. Where a use can be
/// reached from both, a new phi would be needed, and the block stays.
/// </remarks>
public static class JumpThreading
{
    public static void Run(IrFunction function, IrModule module)
    {
        var candidates = new List<IrBlock>();
        foreach (IrBlock block in function.Blocks)
        {
            if (IsCandidate(block))
                candidates.Add(block);
        }

        if (candidates.Count == 0)
            return;
        var threading = new Threading(function, new DominatorTree(function), UsersOfPhis(function, candidates));
        foreach (IrBlock block in candidates)
            threading.TakeApart(block);
        threading.Complete();
        ControlFlowCleanup.Run(function, module);
    }

    /// <summary>Phis and a branch on one of them, which every way in decides, not all the same.</summary>
    private static bool IsCandidate(IrBlock block)
    {
        if (block.Terminator.Opcode != IrOpcode.Branch || block.Instructions.Count < 2 || block.Instructions[^2].Opcode != IrOpcode.Phi)
            return false;
        bool isEitherTrue = false;
        bool isEitherFalse = false;
        for (int i = 0; i < block.Predecessors.Count; i++)
        {
            if (Outcome(block.Terminator, block, i) is not { } outcome)
                return false;
            isEitherTrue |= outcome;
            isEitherFalse |= !outcome;
        }

        return isEitherTrue && isEitherFalse && Array.IndexOf(block.Terminator.Targets, block) < 0;
    }

    /// <summary>How the branch goes if the block was entered from a predecessor.</summary>
    private static bool? Outcome(IrInstruction branch, IrBlock block, int predecessor)
    {
        IrInstruction left = ValueFrom(branch.Operands[0], block, predecessor);
        IrInstruction right = ValueFrom(branch.Operands[1], block, predecessor);
        if (right.Opcode != IrOpcode.Constant)
            return null;
        if (left.Opcode == IrOpcode.Constant)
            return ConstantFolding.Compare(branch.Condition, branch.CompareWidth, left.Immediate, right.Immediate);
        if (!left.IsNotZero || right.Immediate != 0 || branch.CompareWidth != 64)
            return null;
        return branch.Condition switch
        {
            IrCondition.Equal or IrCondition.UnsignedLessOrEqual => false,
            IrCondition.NotEqual or IrCondition.UnsignedGreater => true,
            IrCondition.None or IrCondition.UnsignedLess or IrCondition.UnsignedGreaterOrEqual or IrCondition.SignedLess
                or IrCondition.SignedLessOrEqual or IrCondition.SignedGreater or IrCondition.SignedGreaterOrEqual or IrCondition.Test
                or IrCondition.TestZero => null,
        };
    }

    private static IrInstruction ValueFrom(IrInstruction value, IrBlock block, int predecessor) =>
        value.Opcode == IrOpcode.Phi && value.Block == block ? value.Operands[predecessor] : value;

    private static Dictionary<IrInstruction, List<IrInstruction>> UsersOfPhis(IrFunction function, List<IrBlock> candidates)
    {
        var users = new Dictionary<IrInstruction, List<IrInstruction>>();
        foreach (IrBlock block in candidates)
        {
            for (int i = 0; i < block.Instructions.Count - 1; i++)
                users.Add(block.Instructions[i], []);
        }

        foreach (IrBlock block in function.Blocks)
        {
            foreach (IrInstruction instruction in block.Instructions)
            {
                foreach (IrInstruction operand in instruction.Operands)
                {
                    if (operand.Opcode == IrOpcode.Phi && users.TryGetValue(operand, out List<IrInstruction>? list))
                        list.Add(instruction);
                }
            }
        }

        return users;
    }

    /// <remarks>
    /// The dominators stay those of the beginning: a block that is taken apart dominates what it did, by its two halves, and behind a target
    /// with no other way in stands what stood there.
    /// </remarks>
    private sealed class Threading(
        IrFunction function, DominatorTree dominators, Dictionary<IrInstruction, List<IrInstruction>> users)
    {
        /// <summary>Blocks that were taken apart or whose edges changed: what was found out about them holds no more.</summary>
        private readonly HashSet<IrBlock> _changed = [];

        public void TakeApart(IrBlock block)
        {
            IrInstruction branch = block.Terminator;
            IrBlock ifTrue = branch.Targets[0];
            IrBlock ifFalse = branch.Targets[1];
            if (!dominators.IsReachable(block) || _changed.Contains(block) || _changed.Contains(ifTrue) || _changed.Contains(ifFalse)
                || block.Predecessors.Exists(predecessor => !CanLeadElsewhere(predecessor, block)) || !AreUsesDivided(block, ifTrue, ifFalse))
            {
                return;
            }

            // The block stays with the ways in that make the branch false; a new one takes the others.
            IrBlock other = function.NewBlock();
            function.Blocks.Add(other);
            var takes = new bool[block.Predecessors.Count];
            for (int i = 0; i < takes.Length; i++)
                takes[i] = Outcome(branch, block, i) == true;
            for (int i = 0; i < block.Instructions.Count - 1; i++)
                DividePhi(block.Instructions[i], other, takes, block, ifTrue);
            MoveEdges(block, other, takes);

            IrInstruction jump = function.NewInstruction(IrOpcode.Jump);
            jump.Targets = [ifTrue];
            jump.Position = branch.Position;
            jump.Block = other;
            other.Instructions.Add(jump);
            IrEdges.ReplacePredecessor(ifTrue, block, other);
            IrEdges.MakeJump(branch, ifFalse);
            _changed.UnionWith([block, other, ifTrue, ifFalse, .. block.Predecessors, .. other.Predecessors]);
        }

        /// <summary>Phis with one way in are the value that comes along it.</summary>
        public void Complete()
        {
            var replacements = new IrReplacements(function);
            foreach (IrBlock block in _changed)
            {
                foreach (IrInstruction instruction in block.Instructions)
                {
                    if (instruction is { Opcode: IrOpcode.Phi, Operands: [var value] })
                        replacements.Replace(instruction, value);
                }
            }

            replacements.Apply();
        }

        /// <summary>The heads of loops stay what they are: their phis may stand for each other.</summary>
        private bool CanLeadElsewhere(IrBlock predecessor, IrBlock block) =>
            !_changed.Contains(predecessor) && dominators.IsReachable(predecessor) && !dominators.Dominates(block, predecessor);

        /// <summary>Every use of a phi, but for the branch, is behind one of the targets or on the edge to it.</summary>
        private bool AreUsesDivided(IrBlock block, IrBlock ifTrue, IrBlock ifFalse)
        {
            for (int i = 0; i < block.Instructions.Count - 1; i++)
            {
                IrInstruction phi = block.Instructions[i];
                foreach (IrInstruction user in users[phi])
                {
                    if (user == block.Terminator)
                        continue;
                    for (int operand = 0; operand < user.Operands.Length; operand++)
                    {
                        if (user.Operands[operand] == phi && !IsBehind(user, operand, block, ifTrue) && !IsBehind(user, operand, block, ifFalse))
                            return false;
                    }
                }
            }

            return true;
        }

        /// <summary>The use is on the edge from the block to the target, or behind the target, which has no other way in.</summary>
        private bool IsBehind(IrInstruction user, int operand, IrBlock block, IrBlock target)
        {
            if (user.Opcode != IrOpcode.Phi)
                return target.Predecessors.Count == 1 && dominators.IsReachable(user.Block!) && dominators.Dominates(target, user.Block!);
            IrBlock from = user.Block!.Predecessors[operand];
            if (from == block)
                return user.Block == target;
            return target.Predecessors.Count == 1 && dominators.IsReachable(from) && dominators.Dominates(target, from);
        }

        private void DividePhi(IrInstruction phi, IrBlock other, bool[] takes, IrBlock block, IrBlock ifTrue)
        {
            IrInstruction half = function.NewInstruction(IrOpcode.Phi);
            half.Width = phi.Width;
            half.Position = phi.Position;
            half.Block = other;
            other.Instructions.Add(half);
            foreach (IrInstruction user in users[phi])
            {
                for (int operand = 0; operand < user.Operands.Length; operand++)
                {
                    if (user.Operands[operand] == phi && user != block.Terminator && IsBehind(user, operand, block, ifTrue))
                        user.Operands[operand] = half;
                }
            }

            half.Operands = Chosen(phi.Operands, takes, true);
            foreach (IrInstruction operand in half.Operands)
            {
                if (users.TryGetValue(operand, out List<IrInstruction>? list))
                    list.Add(half);
            }

            phi.Operands = Chosen(phi.Operands, takes, false);
        }

        private static IrInstruction[] Chosen(IrInstruction[] operands, bool[] takes, bool taken)
        {
            var chosen = new List<IrInstruction>(operands.Length);
            for (int i = 0; i < operands.Length; i++)
            {
                if (takes[i] == taken)
                    chosen.Add(operands[i]);
            }

            return [.. chosen];
        }

        private static void MoveEdges(IrBlock block, IrBlock other, bool[] takes)
        {
            IrBlock[] predecessors = [.. block.Predecessors];
            block.Predecessors.Clear();
            for (int i = 0; i < predecessors.Length; i++)
            {
                if (!takes[i])
                {
                    block.Predecessors.Add(predecessors[i]);
                    continue;
                }

                other.Predecessors.Add(predecessors[i]);
                IrBlock[] targets = predecessors[i].Terminator.Targets;
                targets[Array.IndexOf(targets, block)] = other;
            }
        }
    }
}
