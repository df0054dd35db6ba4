using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>Removes what nothing with an effect depends on, cycles of phis included.</summary>
public static class DeadCode
{
    public static void Run(IrFunction function, IrModule module)
    {
        var isLive = new bool[function.InstructionCount];
        var work = new Stack<IrInstruction>();
        foreach (IrBlock block in function.Blocks)
        {
            foreach (IrInstruction instruction in block.Instructions)
            {
                if (instruction.HasSideEffect)
                    Mark(instruction);
            }
        }

        while (work.TryPop(out IrInstruction? user))
        {
            foreach (IrInstruction operand in user.Operands)
                Mark(operand);
        }

        foreach (IrBlock block in function.Blocks)
            Sweep(block.Instructions, isLive);

        void Mark(IrInstruction instruction)
        {
            if (isLive[instruction.Id])
                return;
            isLive[instruction.Id] = true;
            work.Push(instruction);
        }
    }

    private static void Sweep(List<IrInstruction> instructions, bool[] isLive)
    {
        int kept = 0;
        for (int i = 0; i < instructions.Count; i++)
        {
            IrInstruction instruction = instructions[i];
            if (!isLive[instruction.Id])
                instruction.Block = null;
            else if (kept++ < i)
                instructions[kept - 1] = instruction;
        }

        instructions.RemoveRange(kept, instructions.Count - kept);
    }
}
