namespace BpfPpcc.Ppc64;

/// <summary>
/// An instruction with the values of its operands, in the order of its row in <see cref="Ppc64InstructionTable"/>; those that the row does
/// not have are 0.
/// </summary>
public readonly record struct Ppc64Instruction(
    Ppc64Opcode Opcode,
    int Operand0 = 0,
    int Operand1 = 0,
    int Operand2 = 0,
    int Operand3 = 0,
    int Operand4 = 0)
{
    public int OperandCount => Ppc64InstructionTable.Row(Opcode).Operands.Length;

    /// <summary>Writes the operands to the front of a buffer that has room for <see cref="Ppc64InstructionTable.MaxOperands"/>.</summary>
    /// <returns>The part that was written.</returns>
    public Span<long> CopyOperands(Span<long> buffer)
    {
        buffer[0] = Operand0;
        buffer[1] = Operand1;
        buffer[2] = Operand2;
        buffer[3] = Operand3;
        buffer[4] = Operand4;
        return buffer[..OperandCount];
    }

    /// <exception cref="InvalidOperationException">A value does not fit into its field: a compiler bug.</exception>
    public uint Encode()
    {
        Span<long> buffer = stackalloc long[Ppc64InstructionTable.MaxOperands];
        return Ppc64Encoder.Encode(Opcode, CopyOperands(buffer));
    }

    public override string ToString()
    {
        Span<long> buffer = stackalloc long[Ppc64InstructionTable.MaxOperands];
        return Ppc64Printer.Print(Opcode, CopyOperands(buffer));
    }
}
