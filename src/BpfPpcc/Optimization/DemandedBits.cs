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
                if (!isNarrow[operand.Id] || IrRules.OperandBits(user, i) <= 32)
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
