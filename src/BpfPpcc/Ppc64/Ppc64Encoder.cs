using System.Globalization;

namespace BpfPpcc.Ppc64;

/// <summary>Operand values in, instruction words out. Byte order is applied by whoever writes the words.</summary>
public static class Ppc64Encoder
{
    /// <summary>Encodes one instruction.</summary>
    /// <param name="operands">
    /// Values in the order of the row's operands: register numbers, CR fields 0..7, CR bits 0..31, immediates, displacements in bytes.
    /// </param>
    /// <exception cref="InvalidOperationException">Wrong number of operands, or a value that its field cannot hold: a compiler bug.</exception>
    public static uint Encode(Ppc64Opcode opcode, params ReadOnlySpan<long> operands)
    {
        Ppc64InstructionInfo row = Ppc64InstructionTable.Row(opcode);
        if (operands.Length != row.Operands.Length) throw WrongCount(row, operands.Length);

        uint word = row.Word;
        for (int i = 0; i < operands.Length; i++)
        {
            Ppc64Field field = row.Operands[i].Field;
            if (!Ppc64Fields.Fits(field, operands[i])) throw Misfit(row, field, operands[i]);
            word |= Ppc64Fields.Insert(field, operands[i]);
        }
        return word;
    }

    private static InvalidOperationException WrongCount(Ppc64InstructionInfo row, int count) =>
        new(string.Create(CultureInfo.InvariantCulture, $"{row.Mnemonic} has {row.Operands.Length} operands, not {count}"));

    private static InvalidOperationException Misfit(Ppc64InstructionInfo row, Ppc64Field field, long value) =>
        new(string.Create(CultureInfo.InvariantCulture, $"{row.Mnemonic}: {value} does not fit into {field}"));
}
