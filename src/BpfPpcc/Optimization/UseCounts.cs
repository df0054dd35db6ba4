using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>How many operands of the function's instructions each value is.</summary>
internal static class UseCounts
{
    /// <summary>By the value's number.</summary>
    public static int[] Of(IrFunction function)
    {
        int[] uses = [];
        Count(function, ref uses);
        return uses;
    }

    /// <summary>The same into an array that is used again, if it is large enough.</summary>
    public static void Count(IrFunction function, ref int[] uses)
    {
        if (uses.Length < function.InstructionCount)
            uses = new int[function.InstructionCount];
        else
            Array.Clear(uses);
        foreach (IrBlock block in function.Blocks)
        {
            foreach (IrInstruction instruction in block.Instructions)
            {
                foreach (IrInstruction operand in instruction.Operands)
                    uses[operand.Id]++;
            }
        }
    }
}
