using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>
/// Demanded bits, backwards: 64-bit operations of which nobody sees more than the low half become 32-bit ones, phis around loops
/// included. Their operands need no extension then, and <see cref="Simplify"/> takes those away.
/// </summary>
/// <remarks>
/// All candidates are assumed narrow at first; a candidate with a use that needs the upper half is struck off, and with it what it uses,
/// until the rest holds by itself.
/// </remarks>
public static class DemandedBits
{
    public static void Run(IrFunction function, IrModule module)
    {
        var isNarrow = new bool[function.InstructionCount];
        foreach (IrBlock block in function.Blocks)
        {
            foreach (IrInstruction instruction in block.Instructions)
                isNarrow[instruction.Id] = CanBeNarrow(instruction);
        }

        var work = new Stack<IrInstruction>();
        foreach (IrBlock block in function.Blocks)
        {
            foreach (IrInstruction instruction in block.Instructions)
            {
                if (!isNarrow[instruction.Id])
                    work.Push(instruction);
            }
        }

        while (work.TryPop(out IrInstruction? user))
        {
            for (int i = 0; i < user.Operands.Length; i++)
            {
                IrInstruction operand = user.Operands[i];
                if (!isNarrow[operand.Id] || DemandedBitsOf(user, i) <= 32)
                    continue;
                isNarrow[operand.Id] = false;
                work.Push(operand);
            }
        }

        foreach (IrBlock block in function.Blocks)
        {
            foreach (IrInstruction instruction in block.Instructions)
            {
                if (isNarrow[instruction.Id])
                    instruction.Width = 32;
            }
        }

        ExtendNarrowed(function);
    }

    /// <summary>How many low bits of the operand can make a difference.</summary>
    private static int DemandedBitsOf(IrInstruction user, int operand) =>
        operand == 0 && LooksAtLowHalf(user) ? 32 : IrRules.OperandBits(user, operand);

    /// <summary>A mask or a shift of 64 bits of which the operand's upper half does not get through.</summary>
    private static bool LooksAtLowHalf(IrInstruction user) => user switch
    {
        { Opcode: IrOpcode.And, Operands: [_, { Opcode: IrOpcode.Constant } mask] } => mask.Immediate is >= 0 and <= uint.MaxValue,
        { Opcode: IrOpcode.ShiftLeft, Operands: [_, { Opcode: IrOpcode.Constant } count] } => count.Immediate is >= 32 and < 64,
        _ => false,
    };

    /// <summary>Such a user has 64 bits still; of an operand that lost its upper half it gets any, 0.</summary>
    private static void ExtendNarrowed(IrFunction function)
    {
        foreach (IrBlock block in function.Blocks)
        {
            for (int i = 0; i < block.Instructions.Count; i++)
            {
                IrInstruction user = block.Instructions[i];
                if (user.Opcode is not (IrOpcode.And or IrOpcode.ShiftLeft) || user.Width != 64 || user.Operands[0].Type != IrType.I32)
                    continue;
                IrInstruction extension = function.NewInstruction(IrOpcode.ZeroExtend);
                extension.Width = 32;
                extension.Operands = [user.Operands[0]];
                extension.Position = user.Position;
                extension.Block = block;
                user.Operands[0] = extension;
                block.Instructions.Insert(i++, extension);
            }
        }
    }

    /// <summary>The low half of the result depends on the low halves of the operands only.</summary>
    private static bool CanBeNarrow(IrInstruction instruction)
    {
        if (instruction.Width != 64)
            return false;
        switch (instruction.Opcode)
        {
            case IrOpcode.Add or IrOpcode.Subtract or IrOpcode.Multiply or IrOpcode.And or IrOpcode.Or or IrOpcode.Xor
                or IrOpcode.Negate or IrOpcode.Phi:
                return true;
            case IrOpcode.ShiftLeft:
                return instruction.Operands[1] is { Opcode: IrOpcode.Constant, Immediate: >= 0 and < 32 };
            default:
                return false;
        }
    }
}
