using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>
/// Folds constants and rewrites operations by the rules of algebra until none applies: into one canonical form where several say the same
/// (constants on the right, no subtraction of constants), into a cheaper one where there is. The rules stand in SimplifyArithmetic,
/// SimplifyRotations, SimplifyConversions, SimplifyComparisons and here, those of an opcode together, most specific first.
/// </summary>
public static class Simplify
{
    /// <summary>One round does nearly all; further ones see what came around a loop. Code that needs more stays right.</summary>
    private const int MaxRounds = 4;

    public static void Run(IrFunction function, IrModule module)
    {
        // Values of unreachable loops may depend on themselves, on which no rule counts.
        IrBlock[] order = UnreachableBlocks.Walk(function).ReversePostorder;
        var context = new SimplifyContext(function);
        for (int round = 0; round < MaxRounds; round++)
        {
            context.BeginRound();
            foreach (IrBlock block in order)
                SimplifyBlock(block, context);
            context.Leaves.Commit();
            context.Replacements.Apply();
            if (!context.HasChanged)
                break;
            if (!context.HasLostEdges)
                continue;
            IrEdges.DropLost(function);
            order = UnreachableBlocks.Walk(function).ReversePostorder;
        }
    }

    private static void SimplifyBlock(IrBlock block, SimplifyContext context)
    {
        context.BeginBlock(block);
        foreach (IrInstruction instruction in context.Remaining)
        {
            context.Replacements.ResolveOperands(instruction);
            context.Position = instruction.Position;
            IrInstruction result = SimplifyInstruction(instruction, context);
            if (result != instruction)
            {
                context.Replacements.Replace(instruction, result);
                context.HasChanged = true;
                instruction.Block = null;
                continue;
            }

            block.Instructions.Add(instruction);
        }
    }

    /// <summary>The value that stands for the instruction: itself, perhaps rewritten, or another.</summary>
    private static IrInstruction SimplifyInstruction(IrInstruction instruction, SimplifyContext context)
    {
        IrInstruction result = instruction;
        do
        {
            context.IsRewritten = false;
            SimplifyOperands(instruction, context);
            result = instruction.Opcode switch
            {
                IrOpcode.Add or IrOpcode.Subtract or IrOpcode.Multiply or IrOpcode.UnsignedDivide or IrOpcode.UnsignedRemainder
                    or IrOpcode.SignedDivide or IrOpcode.SignedRemainder or IrOpcode.And or IrOpcode.Or or IrOpcode.Xor
                    or IrOpcode.ShiftLeft or IrOpcode.ShiftRightLogical or IrOpcode.ShiftRightArithmetic or IrOpcode.RotateLeft
                    or IrOpcode.Negate or IrOpcode.MultiplyHighUnsigned or IrOpcode.MultiplyHighSigned =>
                    SimplifyArithmetic.Apply(instruction, context),
                IrOpcode.ZeroExtend or IrOpcode.SignExtend or IrOpcode.ByteSwap => SimplifyConversions.Apply(instruction, context),
                IrOpcode.Branch => SimplifyComparisons.Branch(instruction, context),
                IrOpcode.Select => SimplifyComparisons.Select(instruction, context),
                IrOpcode.Load or IrOpcode.Store or IrOpcode.AtomicReadModifyWrite or IrOpcode.AtomicCompareExchange =>
                    Address(instruction, context),
                IrOpcode.Phi => Phi(instruction),
                IrOpcode.Constant or IrOpcode.Undefined or IrOpcode.Argument or IrOpcode.StackAddress or IrOpcode.SymbolAddress
                    or IrOpcode.CallExtern or IrOpcode.CallLocal or IrOpcode.CallIndirect or IrOpcode.TailCall or IrOpcode.Jump
                    or IrOpcode.Return or IrOpcode.Unreachable => instruction,
            };
        }
        while (result == instruction && context.IsRewritten);

        return result;
    }

    /// <summary>
    /// Where only the low bits count, an extension of them does not, what was shifted above them is 0, and of the constants that agree in
    /// them one stands for all. The undefined value is 0 to all but calls and phis, which may pass it on to calls.
    /// </summary>
    private static void SimplifyOperands(IrInstruction user, SimplifyContext context)
    {
        if (IrRules.IsCall(user.Opcode) || user.Opcode is IrOpcode.TailCall or IrOpcode.Return)
            return;
        for (int i = 0; i < user.Operands.Length; i++)
        {
            int bits = IrRules.OperandBits(user, i);
            IrInstruction operand = user.Operands[i];
            if (operand.Opcode == IrOpcode.Undefined && user.Opcode != IrOpcode.Phi)
                operand = context.Constant(0);
            while (bits < 64 && operand.Opcode is IrOpcode.ZeroExtend or IrOpcode.SignExtend && operand.Width >= bits)
                operand = operand.Operands[0];
            if (bits < 64 && operand is { Opcode: IrOpcode.ShiftLeft, Width: 64, Operands: [_, { Opcode: IrOpcode.Constant } count] }
                && (count.Immediate & 63) >= bits)
            {
                operand = context.Constant(0);
            }

            if (operand.Opcode == IrOpcode.Constant && bits < 64 && ConstantFolding.Canonical(operand.Immediate, bits) != operand.Immediate)
                operand = context.Constant(ConstantFolding.Canonical(operand.Immediate, bits));
            if (operand == user.Operands[i])
                continue;
            user.Operands[i] = operand;
            context.HasChanged = true;
        }
    }

    /// <summary>
    /// Accesses to the stack count from r10 itself, others take the constant part of their address into the offset; but not where a pointer
    /// that moves around a loop would then have to be kept beside its successor.
    /// </summary>
    private static IrInstruction Address(IrInstruction access, SimplifyContext context)
    {
        IrInstruction address = access.Operands[0];
        if (address is { Opcode: IrOpcode.StackAddress, Immediate: not 0 })
        {
            access.Immediate = unchecked(access.Immediate + address.Immediate);
            access.Operands[0] = context.Leaves.StackAddress(0);
            context.NoteRewrite();
        }
        else if (address is { Opcode: IrOpcode.Add, Operands: [var pointer, { Opcode: IrOpcode.Constant } constant] }
            && FitsDisplacement(unchecked(access.Immediate + constant.Immediate))
            && (pointer.Opcode != IrOpcode.Phi || context.HasOneUse(address)))
        {
            access.Immediate += constant.Immediate;
            access.Operands[0] = pointer;
            context.NoteRewrite();
        }

        return access;
    }

    /// <summary>What a load or store instruction can add by itself, on this target and on BPF.</summary>
    private static bool FitsDisplacement(long offset) => offset is >= short.MinValue and <= short.MaxValue;

    /// <summary>A phi of one value is that value.</summary>
    private static IrInstruction Phi(IrInstruction phi)
    {
        IrInstruction? value = null;
        foreach (IrInstruction operand in phi.Operands)
        {
            if (operand == phi || operand == value)
                continue;
            if (value != null)
                return phi;
            value = operand;
        }

        return value ?? phi;
    }
}
