using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>
/// What only blocks farther on use is computed there, if that is outside of a loop or on one way of a branch only:
/// <code>
/// b1: x = xor h, a                    b1: x = xor h, a
///     z = zext x                          branch ... -> b1, b2
///     branch ... -> b1, b2     =>     b2: z = zext x
/// b2: return z                            return z
/// </code>
/// </summary>
/// <remarks>
/// Loads stay, as stores may stand between, and what is made of a load in the same block, which selection may make one instruction of. So
/// does what needs a phi of the loop that it leaves: the phi would have to outlive the value that takes its place. Within a loop, or
/// outside of all, an operation on two values stays, as they would both be live for longer.
/// </remarks>
public static class CodeSinking
{
    public static void Run(IrFunction function, IrModule module)
    {
        if (function.Blocks.Count == 1)
            return;
        var dominators = new DominatorTree(function);
        new Sinking(function, dominators, new LoopNest(function, dominators)).Run();
    }

    private sealed class Sinking(IrFunction function, DominatorTree dominators, LoopNest loops)
    {
        /// <summary>By value: the block that dominates all uses so far, and is one of them or leads to them.</summary>
        private readonly IrBlock?[] _usedIn = new IrBlock[function.InstructionCount];

        /// <summary>Dominated blocks first, so that all uses of a value have their place before the value gets one.</summary>
        public void Run()
        {
            IrBlock[] order = dominators.ReversePostorder;
            foreach (IrBlock block in order)
                NotePhis(block);
            for (int i = order.Length - 1; i >= 0; i--)
            {
                List<IrInstruction> instructions = order[i].Instructions;
                for (int index = instructions.Count - 1; index >= 0; index--)
                    Visit(instructions[index], index);
            }
        }

        /// <summary>A phi uses its operands at the ends of the blocks before.</summary>
        private void NotePhis(IrBlock block)
        {
            foreach (IrInstruction phi in block.Instructions)
            {
                if (phi.Opcode != IrOpcode.Phi)
                    break;
                for (int i = 0; i < phi.Operands.Length; i++)
                {
                    if (dominators.IsReachable(block.Predecessors[i]))
                        NoteUse(phi.Operands[i], block.Predecessors[i]);
                }
            }
        }

        private void Visit(IrInstruction instruction, int index)
        {
            if (instruction.Opcode == IrOpcode.Phi)
                return;
            IrBlock block = instruction.Block!;
            if (_usedIn[instruction.Id] is { } user && user != block && MaySink(instruction) && Place(block, user) is { } place
                && IsWorthIt(instruction, place))
            {
                block.Instructions.RemoveAt(index);
                place.Instructions.Insert(FirstBehindPhis(place), instruction);
                instruction.Block = place;
                block = place;
            }

            foreach (IrInstruction operand in instruction.Operands)
                NoteUse(operand, block);
        }

        private void NoteUse(IrInstruction value, IrBlock block)
        {
            ref IrBlock? usedIn = ref _usedIn[value.Id];
            usedIn = usedIn is null ? block : CommonDominator(usedIn, block);
        }

        private IrBlock CommonDominator(IrBlock a, IrBlock b)
        {
            while (!dominators.Dominates(a, b))
                a = dominators.ImmediateDominator(a)!;
            return a;
        }

        private static bool MaySink(IrInstruction instruction)
        {
            if (!(IrRules.IsArithmetic(instruction.Opcode) || instruction.Opcode is IrOpcode.Select or IrOpcode.ZeroExtend or IrOpcode.SignExtend
                or IrOpcode.ByteSwap))
            {
                return false;
            }

            foreach (IrInstruction operand in instruction.Operands)
            {
                if (operand.Opcode == IrOpcode.Load && operand.Block == instruction.Block)
                    return false;
            }

            return true;
        }

        /// <summary>Of the blocks on the way from the last one that dominates all uses up to the present one, the last of those in the fewest loops.</summary>
        private IrBlock? Place(IrBlock block, IrBlock user)
        {
            IrBlock best = user;
            for (IrBlock at = user; at != block; at = dominators.ImmediateDominator(at)!)
            {
                if (loops.Depth(at) < loops.Depth(best))
                    best = at;
            }

            return loops.Depth(best) <= loops.Depth(block) ? best : null;
        }

        private bool IsWorthIt(IrInstruction instruction, IrBlock place)
        {
            IrBlock block = instruction.Block!;
            bool leavesLoop = loops.Depth(place) < loops.Depth(block);
            int values = 0;
            foreach (IrInstruction operand in instruction.Operands)
            {
                if (IrRules.IsLeaf(operand.Opcode))
                    continue;
                values++;
                if (leavesLoop && operand.Opcode == IrOpcode.Phi && loops.Depth(operand.Block!) > loops.Depth(place))
                    return false;
            }

            return leavesLoop || (values == 1 && IsOnOneWay(block, place));
        }

        /// <summary>Not every path from the block comes through the other one.</summary>
        private bool IsOnOneWay(IrBlock block, IrBlock place)
        {
            for (IrBlock at = place; at != block; at = dominators.ImmediateDominator(at)!)
            {
                if (at.Predecessors.Count == 1 && at.Predecessors[0].Terminator.Opcode == IrOpcode.Branch
                    && !LeavesLoop(at.Predecessors[0], loops.Depth(block)))
                {
                    return true;
                }
            }

            return false;
        }

        /// <summary>One way of a branch ends a loop: the other one is the usual one, and nothing is gained there.</summary>
        private bool LeavesLoop(IrBlock block, int depth)
        {
            foreach (IrBlock successor in block.Successors)
            {
                if (loops.Depth(successor) < depth)
                    return true;
            }

            return false;
        }

        private static int FirstBehindPhis(IrBlock block)
        {
            int index = 0;
            while (block.Instructions[index].Opcode == IrOpcode.Phi)
                index++;
            return index;
        }
    }
}
