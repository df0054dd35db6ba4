namespace BpfPpcc.Ppc64;

/// <summary>Instruction words in, opcode and operand values out: the inverse of <see cref="Ppc64Encoder"/>.</summary>
public static class Ppc64Decoder
{
    /// <summary>The rows of each primary opcode (bits 0..5).</summary>
    private static readonly Ppc64InstructionInfo[][] s_byPrimaryOpcode = GroupByPrimaryOpcode();

    /// <summary>Decodes one instruction.</summary>
    /// <param name="operands">Receives the values in the order of the row's operands; room for <see cref="Ppc64InstructionTable.MaxOperands"/>.</param>
    /// <param name="count">Number of operands.</param>
    /// <returns>False if the word is none of the table's instructions, has reserved bits set, or a field value that the manual excludes.</returns>
    public static bool TryDecode(uint word, out Ppc64Opcode opcode, Span<long> operands, out int count)
    {
        foreach (Ppc64InstructionInfo row in s_byPrimaryOpcode[word >> 26])
        {
            if ((word & ~row.FieldMask) != row.Word) continue;

            opcode = row.Opcode;
            count = row.Operands.Length;
            return TryExtract(row, word, operands);
        }
        opcode = default;
        count = 0;
        return false;
    }

    private static bool TryExtract(Ppc64InstructionInfo row, uint word, Span<long> operands)
    {
        for (int i = 0; i < row.Operands.Length; i++)
        {
            Ppc64Field field = row.Operands[i].Field;
            operands[i] = Ppc64Fields.Extract(field, word);
            if (!Ppc64Fields.Fits(field, operands[i])) return false;
        }
        return true;
    }

    private static Ppc64InstructionInfo[][] GroupByPrimaryOpcode()
    {
        var groups = new List<Ppc64InstructionInfo>[64];
        for (int i = 0; i < groups.Length; i++) groups[i] = [];
        foreach (Ppc64InstructionInfo row in Ppc64InstructionTable.Rows) groups[row.Word >> 26].Add(row);
        return Array.ConvertAll(groups, static group => group.ToArray());
    }
}
