using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>
/// Branches whose outcome is known go. Where a block only chooses values and branches, a way in that decides the branch already, by the value
/// it brings or by a branch on the way, leads past it to the target.
/// <code>
/// b3: p = phi 0 (b1), v (b2)          b3: p = phi v (b2)
///     branch eq p, 0 -> none, some =>     branch eq p, 0 -> none, some
///                                     b4: jump -> none                   (what b1 leads to)
/// </code>
/// </summary>
/// <remarks>
/// Values of the phis that are used elsewhere get new phis where the ways meet. Heads of loops stay what they are: neither are they led past,
/// nor do they get new ways in.
/// </remarks>
public static class JumpThreading
{
    /// <summary>A way that leads past a block may lead to another such block.</summary>
    private const int MostRounds = 3;

    /// <summary>Phis that are led past in one round, times blocks: what repairing them takes if all of them live to the end.</summary>
    private const int MostRepairs = 2_000_000;

    public static void Run(IrFunction function, IrModule module)
    {
        for (int round = 0; round < MostRounds; round++)
        {
            var threading = new Threading(function, new DominatorTree(function));
            bool hasChanged = threading.FoldBranches();
            hasChanged |= threading.LeadPast();
            if (!hasChanged)
                return;
            IrEdges.DropLost(function);
            UnreachableBlocks.Run(function, module);
            threading.Repair();
            ControlFlowCleanup.Run(function, module);
        }
    }

    private sealed class Threading(IrFunction function, DominatorTree dominators)
    {
        private readonly KnownConditions _conditions = new(function, dominators);
        private readonly bool[] _isLoopHeader = LoopHeaders(function, dominators);

        /// <summary>By instruction: the number of the variable that a phi has become, or -1. Empty until a way leads past one.</summary>
        private int[] _variableOf = [];
        private readonly List<IrInstruction> _phis = [];

        /// <summary>By block that leads past another: the way in that it takes the values of.</summary>
        private readonly Dictionary<IrBlock, List<(int Variable, IrInstruction Value)>> _bypasses = [];

        private static int[] NewIndex(int count)
        {
            var index = new int[count];
            Array.Fill(index, -1);
            return index;
        }

        /// <summary>Branches that are decided on every way to them.</summary>
        public bool FoldBranches()
        {
            bool hasChanged = false;
            foreach (IrBlock block in dominators.ReversePostorder)
            {
                IrInstruction branch = block.Terminator;
                if (branch.Opcode != IrOpcode.Branch || branch.Targets[0] == branch.Targets[1])
                    continue;
                if (_conditions.Decide(ConditionOf(branch), block, null) is not { } outcome)
                    continue;
                IrEdges.MakeJump(branch, branch.Targets[outcome ? 0 : 1]);
                hasChanged = true;
            }

            return hasChanged;
        }

        public bool LeadPast()
        {
            bool hasChanged = false;
            foreach (IrBlock block in dominators.ReversePostorder)
            {
                if (!IsCandidate(block) || (long)_phis.Count * function.BlockCount > MostRepairs)
                    continue;
                for (int i = block.Predecessors.Count - 1; i >= 0; i--)
                    hasChanged |= TryLeadPast(block, i);
            }

            return hasChanged;
        }

        /// <summary>Phis and a branch, and nothing else.</summary>
        private bool IsCandidate(IrBlock block)
        {
            IrInstruction branch = block.Terminator;
            return branch.Opcode == IrOpcode.Branch && branch.Targets[0] != branch.Targets[1] && block != function.Entry
                && (block.Instructions.Count == 1 || block.Instructions[^2].Opcode == IrOpcode.Phi)
                && !_isLoopHeader[block.Id];
        }

        private static bool[] LoopHeaders(IrFunction function, DominatorTree dominators)
        {
            var isHeader = new bool[function.BlockCount];
            foreach (IrBlock block in dominators.ReversePostorder)
            {
                foreach (IrBlock predecessor in block.Predecessors)
                    isHeader[block.Id] |= dominators.IsReachable(predecessor) && dominators.Dominates(block, predecessor);
            }

            return isHeader;
        }

        private bool TryLeadPast(IrBlock block, int way)
        {
            IrBlock from = block.Predecessors[way];
            IrInstruction entering = from.Terminator;
            // A branch that was decided may have lost its edge to the block.
            int edge = Array.IndexOf(entering.Targets, block);
            bool isOnlyEdge = edge >= 0 && edge == Array.LastIndexOf(entering.Targets, block);
            if (from.Id >= _isLoopHeader.Length || !dominators.IsReachable(from) || !isOnlyEdge)
                return false;
            if (Outcome(block, way) is not { } outcome)
                return false;
            IrBlock target = block.Terminator.Targets[outcome ? 0 : 1];
            if (target.Id >= _isLoopHeader.Length || target == block || _isLoopHeader[target.Id])
                return false;

            IrBlock bypass = function.NewBlock();
            function.Blocks.Add(bypass);
            IrInstruction jump = function.NewInstruction(IrOpcode.Jump);
            jump.Targets = [target];
            jump.Position = block.Terminator.Position;
            jump.Block = bypass;
            bypass.Instructions.Add(jump);
            bypass.Predecessors.Add(from);
            entering.Targets[edge] = bypass;
            AddWayIn(target, block, bypass, way);
            if (_variableOf.Length == 0)
                _variableOf = NewIndex(function.InstructionCount);
            _bypasses.Add(bypass, RemoveWayIn(block, way));
            return true;
        }

        /// <summary>How the branch goes if the block was entered from a predecessor, or null.</summary>
        private bool? Outcome(IrBlock block, int way)
        {
            IrInstruction branch = block.Terminator;
            KnownCondition asked = ConditionOf(branch) with
            {
                Left = ValueFrom(branch.Operands[0], block, way),
                Right = ValueFrom(branch.Operands[1], block, way),
            };
            if (asked.Right.Opcode == IrOpcode.Constant && asked.Left.Opcode == IrOpcode.Constant)
                return ConstantFolding.Compare(asked.Condition, asked.Width, asked.Left.Immediate, asked.Right.Immediate);
            if (asked is { Left.IsNotZero: true, Right: { Opcode: IrOpcode.Constant, Immediate: 0 }, Width: 64 })
            {
                if (asked.Condition is IrCondition.Equal or IrCondition.UnsignedLessOrEqual)
                    return false;
                if (asked.Condition is IrCondition.NotEqual or IrCondition.UnsignedGreater)
                    return true;
            }

            return _conditions.Decide(asked, block.Predecessors[way], block);
        }

        private static KnownCondition ConditionOf(IrInstruction branch) =>
            new(branch.Condition, branch.CompareWidth, branch.Operands[0], branch.Operands[1]);

        private static IrInstruction ValueFrom(IrInstruction value, IrBlock block, int way) =>
            value.Opcode == IrOpcode.Phi && value.Block == block ? value.Operands[way] : value;

        /// <summary>The target's phis are what they would be by way of the block.</summary>
        private static void AddWayIn(IrBlock target, IrBlock block, IrBlock bypass, int way)
        {
            int from = target.Predecessors.IndexOf(block);
            target.Predecessors.Add(bypass);
            foreach (IrInstruction phi in target.Instructions)
            {
                if (phi.Opcode != IrOpcode.Phi)
                    break;
                phi.Operands = [.. phi.Operands, ValueFrom(phi.Operands[from], block, way)];
            }
        }

        /// <summary>Takes a way in out of the block; returns what its phis are on it.</summary>
        private List<(int Variable, IrInstruction Value)> RemoveWayIn(IrBlock block, int way)
        {
            var values = new List<(int Variable, IrInstruction Value)>();
            block.Predecessors.RemoveAt(way);
            foreach (IrInstruction phi in block.Instructions)
            {
                if (phi.Opcode != IrOpcode.Phi)
                    break;
                if (_variableOf[phi.Id] < 0)
                {
                    _variableOf[phi.Id] = _phis.Count;
                    _phis.Add(phi);
                }

                values.Add((_variableOf[phi.Id], phi.Operands[way]));
                phi.Operands = [.. phi.Operands[..way], .. phi.Operands[(way + 1)..]];
            }

            return values;
        }

        /// <summary>Gives the phis that do not reach all of their uses any more new phis, and takes out those with one way in.</summary>
        public void Repair()
        {
            if (_phis.Count > 0)
                new PhiRepair(function, _variableOf, _phis, _bypasses).Run();
            var replacements = new IrReplacements(function);
            foreach (IrBlock block in function.Blocks)
            {
                foreach (IrInstruction instruction in block.Instructions)
                {
                    if (instruction.Opcode != IrOpcode.Phi)
                        break;
                    if (instruction.Operands is [var value] && replacements.Resolve(value) != instruction)
                        replacements.Replace(instruction, value);
                }
            }

            replacements.Apply();
        }
    }
}
