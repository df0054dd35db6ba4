using BpfPpcc.Ppc64;

namespace BpfPpcc.Mir;

/// <summary>
/// What an instruction in front of a branch on CR0[EQ] says about a register: that all its 64 bits are 0 where the bit is set
/// (Power ISA book I, 2.3.1 and 3.3.10).
/// </summary>
public static class ZeroTest
{
    /// <summary>The instruction leaves something in CR0, or destroys what is there.</summary>
    public static bool ChangesCr0(MachineInstruction instruction)
    {
        if (instruction.Pseudo != MachinePseudo.None)
            return instruction.ClobbersVolatile || IsAtomic(instruction);
        return IsComparison(instruction) || (Ppc64InstructionTable.Row(instruction.Opcode).Effects & Ppc64Effects.DefinesCr0) != 0;
    }

    /// <summary>Index of the operand that is 0 if CR0[EQ] is set behind the instruction, or -1.</summary>
    public static int OperandOf(MachineInstruction instruction)
    {
        if (instruction.Pseudo != MachinePseudo.None)
            return -1;
        MachineOperand[] operands = instruction.Operands;
        if (IsComparison(instruction))
        {
            return operands[0].Number == 0 && instruction.Opcode is Ppc64Opcode.Cmpdi or Ppc64Opcode.Cmpldi
                && operands[2].Value == 0
                && operands[1].Kind == MachineOperandKind.VirtualRegister ? 1 : -1;
        }

        bool isRecordForm = (Ppc64InstructionTable.Row(instruction.Opcode).Effects & Ppc64Effects.DefinesCr0) != 0;
        return isRecordForm && operands[0].Kind == MachineOperandKind.VirtualRegister && operands[0].IsDef ? 0 : -1;
    }

    /// <summary>Index among a block's successors of the one that is reached only with CR0[EQ] set, or -1.</summary>
    public static int SuccessorIfZero(MachineBlock block)
    {
        MachineInstruction branch = block.Terminator;
        if (branch.Pseudo != MachinePseudo.Branch || branch.Operands[0].Number != CrBits.Of(0, CrBits.Eq)
            || block.Successors[0].Target == block.Successors[1].Target)
        {
            return -1;
        }

        return branch.Operands[1].Value != 0 ? 0 : 1;
    }

    private static bool IsComparison(MachineInstruction instruction) =>
        instruction.Operands.Length == 3 && instruction.Operands[0].Kind == MachineOperandKind.CrField;

    private static bool IsAtomic(MachineInstruction instruction) =>
        instruction.Pseudo is MachinePseudo.AtomicReadModifyWrite or MachinePseudo.AtomicCompareExchange;
}
