using BpfPpcc.Ppc64;

namespace BpfPpcc.Tests.Ppc64;

/// <summary>An instruction with operand values that are valid for it.</summary>
public sealed record InstructionSample(Ppc64Opcode Opcode, long[] Operands)
{
    public uint Word => Ppc64Encoder.Encode(Opcode, Operands);

    public Ppc64InstructionInfo Row => Ppc64InstructionTable.Row(Opcode);
}

/// <summary>For every row of the table: all fields at their least and greatest values, one by one and together, and random ones.</summary>
public static class InstructionSamples
{
    private const int RandomPerRow = 24;

    private static readonly long[] s_anyOptions = [12, 14, 15, 4, 6, 7, 16, 18, 24, 25, 26, 27, 20, 0, 2, 8, 10];

    /// <summary>bcctr cannot decrement what it branches to.</summary>
    private static readonly long[] s_optionsWithoutCount = [12, 14, 15, 4, 6, 7, 20];

    public static List<InstructionSample> All(int seed)
    {
        var random = new Random(seed);
        List<InstructionSample> samples = [];
        foreach (Ppc64InstructionInfo row in Ppc64InstructionTable.Rows) AddRow(row, random, samples);
        return samples;
    }

    private static void AddRow(Ppc64InstructionInfo row, Random random, List<InstructionSample> samples)
    {
        int count = row.Operands.Length;
        Add(Make(i => Boundary(row, i, false)));
        Add(Make(i => Boundary(row, i, true)));
        for (int changed = 0; changed < count; changed++)
        {
            Add(Make(i => Boundary(row, i, i == changed)));
            Add(Make(i => Boundary(row, i, i != changed)));
        }
        for (int n = 0; n < RandomPerRow && count > 0; n++) Add(Make(i => Any(row, i, random)));

        long[] Make(Func<int, long> value) => [.. Enumerable.Range(0, count).Select(value)];

        void Add(long[] operands)
        {
            KeepUpdateFormValid(row, operands);
            samples.Add(new InstructionSample(row.Opcode, operands));
        }
    }

    private static long Boundary(Ppc64InstructionInfo row, int operand, bool greatest)
    {
        Ppc64Field field = row.Operands[operand].Field;
        if (field == Ppc64Field.BO) return greatest ? BranchOptions.Always : BranchOptions.IfFalse;
        return greatest ? Ppc64Fields.Maximum(field) : Ppc64Fields.Minimum(field);
    }

    private static long Any(Ppc64InstructionInfo row, int operand, Random random)
    {
        Ppc64Field field = row.Operands[operand].Field;
        if (field == Ppc64Field.BO)
        {
            long[] options = row.Opcode is Ppc64Opcode.Bcctr or Ppc64Opcode.Bcctrl ? s_optionsWithoutCount : s_anyOptions;
            return options[random.Next(options.Length)];
        }
        while (true)
        {
            long value = random.NextInt64(Ppc64Fields.Minimum(field), Ppc64Fields.Maximum(field) + 1);
            if (field == Ppc64Field.FXM) value = 1L << random.Next(8);
            if (Ppc64Fields.Fits(field, value)) return value;
        }
    }

    /// <summary>Update forms want RA other than 0, and loads among them RA other than RT (book I, 3.3.2).</summary>
    private static void KeepUpdateFormValid(Ppc64InstructionInfo row, long[] operands)
    {
        if (row.Operands is not [_, _, { Field: Ppc64Field.RA, Access: Ppc64Access.UseDef }]) return;
        if (operands[2] == 0) operands[2] = 9;
        if (operands[2] == operands[0]) operands[0] ^= 1;
    }
}
