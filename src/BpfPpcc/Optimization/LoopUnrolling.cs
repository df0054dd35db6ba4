using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>
/// Small loops that run a known number of times unless something ends them earlier run several bodies per test of the count:
/// <code>
/// b1: i = phi 0 (b0), j (b1)               b1: i = phi 0 (b0), j2 (b2)
///     ... i ...                                ... i ...; j = add i, 1
///     j = add i, 1                    =>       jump -> b2
///     branch ne j, 64 -> b1, b3            b2: ... j ...; j2 = add j, 1
///                                              branch ne j2, 64 -> b1, b3
/// </code>
/// The number of bodies divides the count, so the tests that are left out would have said "go on" in every run.
/// </summary>
/// <remarks>
/// Only innermost loops whose last block decides by the count. What the loop computes may be used behind it by phis on the edges out of it,
/// or anywhere if the last test is the only way out.
/// </remarks>
public static class LoopUnrolling
{
    /// <summary>Instructions of all bodies together.</summary>
    private const int LargestResult = 44;

    private static readonly int[] Factors = [8, 4, 2];

    public static void Run(IrFunction function, IrModule module)
    {
        if (!HasLoop(function))
            return;
        var dominators = new DominatorTree(function);
        var loops = new LoopNest(function, dominators);
        Dictionary<IrBlock, List<IrBlock>> bodies = Bodies(dominators, loops);
        foreach ((IrBlock header, List<IrBlock> body) in bodies)
        {
            if (TryFactor(header, body) is { } factor)
                new Unrolling(function, header, body).Run(factor);
        }
    }

    private static bool HasLoop(IrFunction function) => function.Blocks.Exists(static block => block.Predecessors.Count == 2
        && block.Instructions.Exists(static instruction => InductionVariable.TryMatch(instruction, out _)));

    /// <summary>The blocks of each innermost loop, by its header, header first.</summary>
    private static Dictionary<IrBlock, List<IrBlock>> Bodies(DominatorTree dominators, LoopNest loops)
    {
        var bodies = new Dictionary<IrBlock, List<IrBlock>>();
        foreach (IrBlock block in dominators.ReversePostorder)
        {
            if (block.Predecessors.Exists(predecessor => dominators.IsReachable(predecessor) && dominators.Dominates(block, predecessor)))
                bodies[block] = [block];
            else if (loops.Header(block) is { } header)
                bodies[header].Add(block);
        }

        foreach (IrBlock header in new List<IrBlock>(bodies.Keys))
        {
            if (loops.Header(header) is { } outer)
                bodies.Remove(outer);
        }

        return bodies;
    }

    private static int? TryFactor(IrBlock header, List<IrBlock> body)
    {
        int size = 0;
        foreach (IrBlock block in body)
            size += block.Instructions.Count;
        if (2 * size > LargestResult || header.Predecessors.Count != 2)
            return null;
        foreach (IrInstruction phi in header.Instructions)
        {
            if (phi.Opcode != IrOpcode.Phi)
                break;
            if (!InductionVariable.TryMatch(phi, out InductionVariable variable) || variable.Latch.Terminator.Opcode != IrOpcode.Branch
                || !variable.TryTripCount(variable.Latch.Terminator, header, out long count))
            {
                continue;
            }

            foreach (int factor in Factors)
            {
                if (factor * size <= LargestResult && count % factor == 0 && count > factor)
                    return factor;
            }
        }

        return null;
    }

    private sealed class Unrolling
    {
        private readonly IrFunction _function;
        private readonly IrBlock _header;
        private readonly List<IrBlock> _body;
        private readonly HashSet<IrBlock> _isInside;
        private readonly IrBlock _latch;
        private readonly int _latchIndex;
        private readonly IrBlock _exit;

        /// <summary>What stands for a value of the first body in the body that was made last.</summary>
        private Dictionary<IrInstruction, IrInstruction> _values = [];

        private Dictionary<IrBlock, IrBlock> _blocks = [];

        public Unrolling(IrFunction function, IrBlock header, List<IrBlock> body)
        {
            _function = function;
            _header = header;
            _body = body;
            _isInside = [.. body];
            _latchIndex = _isInside.Contains(header.Predecessors[0]) ? 0 : 1;
            _latch = header.Predecessors[_latchIndex];
            _exit = _latch.Terminator.Targets[0] == header ? _latch.Terminator.Targets[1] : _latch.Terminator.Targets[0];
        }

        public void Run(int factor)
        {
            if (_isInside.Contains(_exit) || !TryUsersBehind(out List<(IrInstruction User, int Operand)>? usersBehind))
                return;
            IrBlock[] original = [.. _body];
            var latches = new List<IrBlock> { _latch };
            var headers = new List<IrBlock>();
            foreach (IrBlock block in original)
            {
                _blocks.Add(block, block);
                foreach (IrInstruction instruction in block.Instructions)
                    _values.Add(instruction, instruction);
            }

            for (int copy = 1; copy < factor; copy++)
            {
                AddBody(original, latches[^1]);
                headers.Add(_blocks[_header]);
                latches.Add(_blocks[_latch]);
            }

            for (int i = 0; i < headers.Count; i++)
                IrEdges.MakeJump(latches[i].Terminator, headers[i]);
            _header.Predecessors[_latchIndex] = latches[^1];
            foreach (IrInstruction phi in _header.Instructions)
            {
                if (phi.Opcode != IrOpcode.Phi)
                    break;
                phi.Operands[_latchIndex] = Value(phi.Operands[_latchIndex]);
            }

            foreach ((IrInstruction user, int operand) in usersBehind)
                user.Operands[operand] = Value(user.Operands[operand]);
        }

        /// <summary>
        /// The uses behind the loop that see the last body. All others are phis on the ways out, which get one more operand per body; without
        /// such ways out there are none.
        /// </summary>
        private bool TryUsersBehind(out List<(IrInstruction User, int Operand)> users)
        {
            users = [];
            bool isOnlyWayOut = true;
            foreach (IrBlock block in _body)
            {
                foreach (IrBlock successor in block.Successors)
                    isOnlyWayOut &= _isInside.Contains(successor) || block == _latch;
            }

            foreach (IrBlock block in _function.Blocks)
            {
                if (_isInside.Contains(block))
                    continue;
                foreach (IrInstruction instruction in block.Instructions)
                {
                    for (int i = 0; i < instruction.Operands.Length; i++)
                    {
                        if (!_isInside.Contains(instruction.Operands[i].Block!))
                            continue;
                        bool isOnEdge = instruction.Opcode == IrOpcode.Phi && _isInside.Contains(block.Predecessors[i]);
                        if (isOnEdge && block.Predecessors[i] != _latch)
                            continue;
                        if (!isOnlyWayOut && !isOnEdge)
                            return false;
                        users.Add((instruction, i));
                    }
                }
            }

            return true;
        }

        /// <summary>Another body behind the last one, which does not lead there yet.</summary>
        private void AddBody(IrBlock[] original, IrBlock lastLatch)
        {
            var blocks = new Dictionary<IrBlock, IrBlock>();
            var values = new Dictionary<IrInstruction, IrInstruction>();
            int place = _function.Blocks.IndexOf(lastLatch) + 1;
            foreach (IrBlock block in original)
            {
                IrBlock copy = _function.NewBlock();
                blocks.Add(block, copy);
                _function.Blocks.Insert(place++, copy);
            }

            // What the head's phis are in this body came round from the last.
            foreach (IrInstruction phi in _header.Instructions)
            {
                if (phi.Opcode != IrOpcode.Phi)
                    break;
                values.Add(phi, Value(phi.Operands[_latchIndex]));
            }

            foreach (IrBlock block in original)
            {
                foreach (IrInstruction instruction in block.Instructions)
                {
                    if (!values.ContainsKey(instruction))
                        values.Add(instruction, Copy(instruction, blocks[block]));
                }
            }

            _values = values;
            _blocks = blocks;
            foreach (IrBlock block in original)
                Connect(block, lastLatch);
        }

        private IrInstruction Copy(IrInstruction instruction, IrBlock block)
        {
            IrInstruction copy = _function.NewCopy(instruction);
            copy.Block = block;
            block.Instructions.Add(copy);
            return copy;
        }

        private void Connect(IrBlock block, IrBlock lastLatch)
        {
            IrBlock copy = _blocks[block];
            foreach (IrInstruction instruction in copy.Instructions)
            {
                for (int i = 0; i < instruction.Operands.Length; i++)
                    instruction.Operands[i] = Value(instruction.Operands[i]);
            }

            foreach (IrBlock predecessor in block.Predecessors)
            {
                if (block != _header)
                    copy.Predecessors.Add(_blocks[predecessor]);
            }

            if (block == _header)
                copy.Predecessors.Add(lastLatch);
            IrBlock[] targets = copy.Terminator.Targets;
            for (int i = 0; i < targets.Length; i++)
            {
                if (_isInside.Contains(targets[i]))
                {
                    // The way round leads to the first body.
                    if (targets[i] != _header)
                        targets[i] = _blocks[targets[i]];
                }
                else if (block == _latch)
                {
                    IrEdges.ReplacePredecessor(targets[i], lastLatch, copy);
                }
                else
                {
                    AddWayOut(targets[i], block, copy);
                }
            }
        }

        private void AddWayOut(IrBlock target, IrBlock block, IrBlock copy)
        {
            int from = target.Predecessors.IndexOf(block);
            target.Predecessors.Add(copy);
            foreach (IrInstruction phi in target.Instructions)
            {
                if (phi.Opcode != IrOpcode.Phi)
                    break;
                phi.Operands = [.. phi.Operands, Value(phi.Operands[from])];
            }
        }

        private IrInstruction Value(IrInstruction value) => _values.GetValueOrDefault(value, value);
    }
}
