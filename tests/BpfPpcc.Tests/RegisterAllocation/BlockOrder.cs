using BpfPpcc.Mir;

namespace BpfPpcc.Tests.RegisterAllocation;

/// <summary>The same function with its blocks, but for the entry, in another order.</summary>
internal static class BlockOrder
{
    public static MachineFunction Shuffle(MachineFunction function, Random random)
    {
        int count = function.Blocks.Count;
        var order = new int[count];
        for (int index = 0; index < count; index++)
        {
            order[index] = index;
        }

        random.Shuffle(order.AsSpan(1));
        var newIndex = new int[count];
        for (int index = 0; index < count; index++)
        {
            newIndex[order[index]] = index;
        }

        var shuffled = new MachineFunction
        {
            Name = function.Name + "shuffled",
            FunctionIndex = 0,
            Symbol = function.Symbol,
            IsCallableFromC = function.IsCallableFromC,
            IsProgram = function.IsProgram,
            TailCallRole = function.TailCallRole,
            BpfStackSize = function.BpfStackSize,
            VirtualRegisterCount = function.VirtualRegisterCount,
        };
        for (int index = 0; index < count; index++)
        {
            MachineBlock old = function.Blocks[order[index]];
            var block = new MachineBlock(index) { Frequency = old.Frequency };
            block.Parameters.AddRange(old.Parameters);
            foreach (MachineInstruction instruction in old.Instructions)
            {
                block.Instructions.Add(Renumber(instruction, newIndex));
            }

            foreach (MachineEdge edge in old.Successors)
            {
                block.Successors.Add(new MachineEdge(newIndex[edge.Target], edge.Arguments));
            }

            foreach (int predecessor in old.Predecessors)
            {
                block.Predecessors.Add(newIndex[predecessor]);
            }

            shuffled.Blocks.Add(block);
        }

        return shuffled;
    }

    private static MachineInstruction Renumber(MachineInstruction instruction, int[] newIndex)
    {
        if (!instruction.IsTerminator)
        {
            return instruction;
        }

        MachineOperand[] operands = Array.ConvertAll(instruction.Operands,
            operand => operand.Kind == MachineOperandKind.Block ? MachineOperand.Block(newIndex[operand.Number]) : operand);
        return new MachineInstruction(instruction.Pseudo, instruction.Position, operands);
    }
}
