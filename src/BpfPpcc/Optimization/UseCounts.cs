using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>How many operands of the function's instructions each value is.</summary>
internal static class UseCounts
{
    /// <summary>By the value's number.</summary>
    public static int[] Of(IrFunction function)
    {
        var uses = new int[function.InstructionCount];
        foreach (IrBlock block in function.Blocks)
        {
            foreach (IrInstruction instruction in block.Instructions)
            {
                foreach (IrInstruction operand in instruction.Operands)
                    uses[operand.Id]++;
            }
        }

        return uses;
    }
}
