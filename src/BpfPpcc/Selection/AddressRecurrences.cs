using BpfPpcc.Ir;

namespace BpfPpcc.Selection;

/// <summary>
/// Addresses that go up or down with a loop, before anything is selected: where an induction variable is only added to one base that stays
/// the same, the sum takes its place, so that a step is one addition and not two. If something a constant away from the sum is wanted
/// in a register, say to compare it with the end of the packet, the sum starts that much farther on, and memory is accessed at
/// displacements from there.
/// </summary>
/// <remarks>Works on IR and leaves IR; the control flow stays.</remarks>
internal sealed class AddressRecurrences
{
    private readonly IrFunction _function;
    private readonly LoopNest _loops;
    private readonly ValueFacts _facts;
    private readonly IrReplacements _replacements;
    private readonly IrLeaves _leaves;

    /// <summary>By value: its live users, for candidates and sums with them.</summary>
    private readonly List<IrInstruction>?[] _users;

    private AddressRecurrences(IrFunction function, LoopNest loops, ValueFacts facts)
    {
        _function = function;
        _loops = loops;
        _facts = facts;
        _replacements = new IrReplacements(function);
        _leaves = new IrLeaves(function);
        _users = new List<IrInstruction>?[function.InstructionCount];
    }

    /// <summary>An induction variable, its step, and the sum that replaces it.</summary>
    private readonly record struct Recurrence(
        IrInstruction Phi, IrInstruction Next, long Step, int Entering, IrInstruction Sum, IrInstruction Base);

    /// <summary>Rewrites the function; true if anything changed.</summary>
    public static bool Rewrite(IrFunction function, DominatorTree dominators, LoopNest loops, ValueFacts facts)
    {
        var phis = new List<IrInstruction>();
        foreach (IrBlock block in dominators.ReversePostorder)
        {
            if (block.Predecessors.Count == 2 && loops.Depth(block) > 0)
                CollectPhis(block, dominators, facts, phis);
        }

        if (phis.Count == 0)
            return false;
        var recurrences = new AddressRecurrences(function, loops, facts);
        recurrences.CollectUsers(dominators.ReversePostorder);
        bool changed = false;
        foreach (IrInstruction phi in phis)
            changed |= recurrences.TryRewrite(phi, dominators);
        if (!changed)
            return false;
        recurrences._leaves.Commit();
        recurrences._replacements.Apply();
        return true;
    }

    /// <summary>Live phis of a header with one way in and one way back.</summary>
    private static void CollectPhis(IrBlock block, DominatorTree dominators, ValueFacts facts, List<IrInstruction> phis)
    {
        bool isHeader = dominators.Dominates(block, block.Predecessors[0]) != dominators.Dominates(block, block.Predecessors[1]);
        foreach (IrInstruction phi in block.Instructions)
        {
            if (!isHeader || phi.Opcode != IrOpcode.Phi)
                return;
            if (phi.Width == 64 && facts.IsLive(phi))
                phis.Add(phi);
        }
    }

    private void CollectUsers(IrBlock[] reversePostorder)
    {
        foreach (IrBlock block in reversePostorder)
        {
            foreach (IrInstruction user in block.Instructions)
            {
                if (!_facts.IsLive(user))
                    continue;
                foreach (IrInstruction operand in user.Operands)
                {
                    if (operand.Opcode is IrOpcode.Phi or IrOpcode.Add && operand.Width == 64)
                        (_users[operand.Id] ??= []).Add(user);
                }
            }
        }
    }

    private bool TryRewrite(IrInstruction phi, DominatorTree dominators)
    {
        if (!TryMatch(phi, dominators, out Recurrence recurrence))
            return false;
        long distance = ChooseDistance(recurrence.Sum);
        IrBlock header = phi.Block!;
        IrBlock entering = header.Predecessors[recurrence.Entering];
        IrInstruction start = AddConstant(entering, recurrence.Base, recurrence.Phi.Operands[recurrence.Entering], distance);

        IrInstruction pointer = New(IrOpcode.Phi, phi.Position);
        IrInstruction next = New(IrOpcode.Add, recurrence.Next.Position);
        next.Operands = [pointer, _leaves.Constant(recurrence.Step)];
        pointer.Operands = recurrence.Entering == 0 ? [start, next] : [next, start];
        Insert(header, 0, pointer);
        IrBlock latch = recurrence.Next.Block!;
        Insert(latch, latch.Instructions.IndexOf(recurrence.Next), next);
        ReplaceSum(recurrence.Sum, pointer, distance);
        return true;
    }

    private bool TryMatch(IrInstruction phi, DominatorTree dominators, out Recurrence recurrence)
    {
        recurrence = default;
        int entering = dominators.Dominates(phi.Block!, phi.Block!.Predecessors[0]) ? 1 : 0;
        IrInstruction next = phi.Operands[1 - entering];
        int index = next.Opcode == IrOpcode.Add && next.Width == 64 ? ValueFacts.ImmediateOperand(next) : -1;
        if (index < 0 || next.Operands[1 - index] != phi || !ValueFacts.TryConstant(next.Operands[index], out long step)
            || _users[next.Id] is not [var back] || back != phi || _users[phi.Id] is not [_, _] users)
        {
            return false;
        }

        IrInstruction sum = users[0] == next ? users[1] : users[0];
        if (sum == next || sum.Opcode != IrOpcode.Add || sum.Width != 64 || _users[sum.Id] is null || _replacements.IsReplaced(sum))
            return false;
        IrInstruction address = sum.Operands[0] == phi ? sum.Operands[1] : sum.Operands[0];
        if (address == phi || ValueFacts.TryConstant(address, out _) || !dominators.Dominates(address.Block!, phi.Block)
            || address.Block == phi.Block || _replacements.IsReplaced(address))
        {
            return false;
        }

        recurrence = new Recurrence(phi, next, step, entering, sum, address);
        return _loops.Depth(sum.Block!) == _loops.Depth(phi.Block);
    }

    /// <summary>
    /// How far from the sum the new induction variable is: as far as the one sum of it with a constant that is wanted in a register. All
    /// other uses must be addresses, from which the difference can be taken.
    /// </summary>
    private long ChooseDistance(IrInstruction sum)
    {
        long distance = 0;
        bool isChosen = false;
        bool takesAny = true;
        foreach (IrInstruction user in _users[sum.Id]!)
        {
            if (IsAccessAt(user, sum))
            {
                takesAny &= user.Width < 32 || (user.Width == 32 && !user.IsSigned);
                continue;
            }

            int index = user.Opcode == IrOpcode.Add && user.Width == 64 ? ValueFacts.ImmediateOperand(user) : -1;
            if (index < 0 || isChosen || !ValueFacts.TryConstant(user.Operands[index], out distance))
                return 0;
            isChosen = true;
        }

        bool isUsable = distance is > -0x1000 and < 0x1000 && (takesAny || (distance & 3) == 0);
        return isUsable ? distance : 0;
    }

    /// <summary>A load or store whose address, and not its value, is <paramref name="address"/> plus a displacement.</summary>
    private static bool IsAccessAt(IrInstruction user, IrInstruction address) => user.Opcode switch
    {
        IrOpcode.Load => true,
        IrOpcode.Store => user.Operands[1] != address,
        _ => false,
    };

    private void ReplaceSum(IrInstruction sum, IrInstruction pointer, long distance)
    {
        if (distance == 0)
        {
            _replacements.Replace(sum, pointer);
            return;
        }

        foreach (IrInstruction user in _users[sum.Id]!)
        {
            if (IsAccessAt(user, sum))
            {
                user.Operands[0] = pointer;
                user.Immediate = unchecked(user.Immediate - distance);
            }
            else
            {
                _replacements.Replace(user, pointer);
            }
        }
    }

    /// <summary>base + value + constant, computed at the end of a block.</summary>
    private IrInstruction AddConstant(IrBlock block, IrInstruction address, IrInstruction value, long constant)
    {
        if (ValueFacts.TryConstant(value, out long known))
            return Sum(block, address, unchecked(known + constant));
        IrInstruction sum = New(IrOpcode.Add, block.Terminator.Position);
        sum.Operands = [address, value];
        Insert(block, block.Instructions.Count - 1, sum);
        return Sum(block, sum, constant);
    }

    private IrInstruction Sum(IrBlock block, IrInstruction value, long constant)
    {
        if (constant == 0)
            return value;
        IrInstruction sum = New(IrOpcode.Add, block.Terminator.Position);
        sum.Operands = [value, _leaves.Constant(constant)];
        Insert(block, block.Instructions.Count - 1, sum);
        return sum;
    }

    private IrInstruction New(IrOpcode opcode, int position)
    {
        IrInstruction instruction = _function.NewInstruction(opcode);
        instruction.Position = position;
        return instruction;
    }

    private static void Insert(IrBlock block, int index, IrInstruction instruction)
    {
        instruction.Block = block;
        block.Instructions.Insert(index, instruction);
    }
}
