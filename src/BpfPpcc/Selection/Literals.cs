using BpfPpcc.Mir;
using BpfPpcc.Ppc64;

namespace BpfPpcc.Selection;

/// <summary>
/// Constants that are loaded from the TOC, because to compute them takes longer: two instructions, one of which the linker makes a nop
/// where the entry is near, in place of four or five that wait for each other.
/// </summary>
public static class Literals
{
    private const int FewestInstructions = 4;

    /// <summary>Changes the function's constants where r2 is set up for something else; to set it up would cost what a load gains.</summary>
    public static void MoveToToc(MachineFunction function)
    {
        if (!function.NeedsToc)
            return;
        foreach (MachineBlock block in function.Blocks)
        {
            List<MachineInstruction> instructions = block.Instructions;
            for (int i = 0; i < instructions.Count; i++)
            {
                if (IsLong(instructions[i]))
                    instructions[i] = new MachineInstruction(MachinePseudo.LoadLiteral, instructions[i].Position, instructions[i].Operands);
            }
        }
    }

    private static bool IsLong(MachineInstruction instruction) => instruction.Pseudo == MachinePseudo.LoadImmediate
        && instruction.Operands[1].Value is (< int.MinValue or > uint.MaxValue)
        && ImmediateSynthesis.Cost(instruction.Operands[1].Value) >= FewestInstructions;
}
