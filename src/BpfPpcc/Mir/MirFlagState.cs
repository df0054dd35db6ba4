using BpfPpcc.Ppc64;

namespace BpfPpcc.Mir;

/// <summary>
/// What condition fields and the carry hold while a block is walked. They are not allocated: selection must use them in the block that
/// defines them, before anything else defines them, without a call in between.
/// </summary>
internal struct MirFlagState
{
    private byte _defined;

    /// <summary>Fields that a comparison set and nobody has read yet.</summary>
    private byte _unread;
    private bool _isCarryDefined;

    /// <summary>Goes over one instruction, whose operands are right; returns what is wrong with it, or null.</summary>
    public string? Step(MachineInstruction instruction)
    {
        if (instruction.ClobbersVolatile)
        {
            bool isLost = _unread != 0;
            this = default;
            return isLost ? "the call loses a condition that nobody has read" : null;
        }

        Ppc64Effects effects = instruction.Pseudo == MachinePseudo.None
            ? Ppc64InstructionTable.Row(instruction.Opcode).Effects
            : IsAtomic(instruction) ? Ppc64Effects.DefinesCr0 : Ppc64Effects.None;
        return ReadBits(instruction) ?? ReadCarry(effects) ?? Write(instruction, effects) ?? AtEnd(instruction);
    }

    private static bool IsAtomic(MachineInstruction instruction) =>
        instruction.Pseudo is MachinePseudo.AtomicReadModifyWrite or MachinePseudo.AtomicCompareExchange;

    private string? ReadBits(MachineInstruction instruction)
    {
        foreach (MachineOperand operand in instruction.Operands)
        {
            if (operand.Kind != MachineOperandKind.CrBit)
                continue;
            var field = (byte)(1 << (operand.Number / 4));
            if ((_defined & field) == 0)
                return $"cr{operand.Number / 4} is not defined in this block";
            _unread &= (byte)~field;
        }

        return null;
    }

    private readonly string? ReadCarry(Ppc64Effects effects) =>
        (effects & Ppc64Effects.UsesCarry) != 0 && !_isCarryDefined ? "the carry is not defined in this block" : null;

    private string? Write(MachineInstruction instruction, Ppc64Effects effects)
    {
        byte written = 0;
        byte compared = 0;
        foreach (MachineOperand operand in instruction.Operands)
        {
            if (operand.Kind == MachineOperandKind.CrField)
                compared |= (byte)(1 << operand.Number);
        }

        written |= compared;
        if ((effects & Ppc64Effects.DefinesCr0) != 0)
            written |= 1;
        if ((_unread & written) != 0)
            return "a condition is overwritten that nobody has read";
        _defined |= written;
        _unread |= compared;
        _isCarryDefined |= (effects & Ppc64Effects.DefinesCarry) != 0;
        return null;
    }

    private readonly string? AtEnd(MachineInstruction instruction) =>
        instruction.IsTerminator && _unread != 0 ? "a condition that nobody has read" : null;
}
