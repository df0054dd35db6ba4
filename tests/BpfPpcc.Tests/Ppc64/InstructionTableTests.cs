using System.Globalization;
using BpfPpcc.Ppc64;
using CsCheck;
using Xunit;

namespace BpfPpcc.Tests.Ppc64;

public sealed class InstructionTableTests
{
    [Fact]
    public void Every_opcode_has_one_row_at_its_place()
    {
        Assert.Equal(Enum.GetValues<Ppc64Opcode>(), Ppc64InstructionTable.Rows.Select(row => row.Opcode));
        Assert.Equal(Ppc64InstructionTable.MaxOperands, Ppc64InstructionTable.Rows.Max(row => row.Operands.Length));
    }

    [Fact]
    public void Mnemonics_are_the_names_of_opcodes()
    {
        foreach (Ppc64InstructionInfo row in Ppc64InstructionTable.Rows)
        {
            bool hasImplicitDot = row.Opcode is Ppc64Opcode.Stbcx or Ppc64Opcode.Sthcx or Ppc64Opcode.Stwcx or Ppc64Opcode.Stdcx;
            string name = row.Mnemonic.Replace(".", hasImplicitDot ? "" : "rc", StringComparison.Ordinal);
            Assert.Equal(row.Opcode.ToString().ToLower(CultureInfo.InvariantCulture), name);
        }
    }

    [Fact]
    public void Fixed_bits_and_fields_do_not_overlap_and_no_word_belongs_to_two_rows()
    {
        foreach (Ppc64InstructionInfo row in Ppc64InstructionTable.Rows)
        {
            Assert.Equal(0u, row.Word & row.FieldMask);
            Assert.Equal(row.FieldMask, row.Operands.Aggregate(0u, (bits, operand) =>
            {
                uint mask = Ppc64Fields.Mask(operand.Field);
                Assert.Equal(0u, bits & mask);
                return bits | mask;
            }));
            foreach (Ppc64InstructionInfo other in Ppc64InstructionTable.Rows)
            {
                if (ReferenceEquals(row, other)) continue;
                uint fixedInBoth = ~row.FieldMask & ~other.FieldMask;
                Assert.NotEqual(row.Word & fixedInBoth, other.Word & fixedInBoth);
            }
        }
    }

    [Fact]
    public void Fields_lie_where_their_descriptions_say()
    {
        foreach (Ppc64Field field in Enum.GetValues<Ppc64Field>())
        {
            uint mask = Ppc64Fields.Mask(field);
            foreach (long value in new[] { Ppc64Fields.Minimum(field), Ppc64Fields.Maximum(field) })
            {
                Assert.True(Ppc64Fields.Fits(field, value));
                Assert.Equal(0u, Ppc64Fields.Insert(field, value) & ~mask);
                Assert.Equal(value, Ppc64Fields.Extract(field, Ppc64Fields.Insert(field, value)));
            }
            Assert.False(Ppc64Fields.Fits(field, Ppc64Fields.Minimum(field) - 1));
            Assert.False(Ppc64Fields.Fits(field, Ppc64Fields.Maximum(field) + 1));
        }
        Assert.False(Ppc64Fields.Fits(Ppc64Field.DS, 6));
        Assert.False(Ppc64Fields.Fits(Ppc64Field.BD, 2));
        Assert.False(Ppc64Fields.Fits(Ppc64Field.FXM, 3));
        Assert.Equal(0x0000_f802u, Ppc64Fields.Mask(Ppc64Field.SH6));
        Assert.Equal(0x0000_07e0u, Ppc64Fields.Mask(Ppc64Field.MB6));
        Assert.Equal(0x03ff_fffcu, Ppc64Fields.Mask(Ppc64Field.LI));
        Assert.Equal(0x03e0_0001u, Ppc64Fields.Mask(Ppc64Field.XT));
    }

    [Fact]
    public void Immediate_classes_agree_with_the_fields()
    {
        Gen.OneOf(Gen.Long, Gen.Long[-0x20000, 0x20000], Gen.Int.Select(x => (long)x), Gen.Short.Select(x => (long)x << 16)).Sample(value =>
        {
            Assert.Equal(Ppc64Fields.Fits(Ppc64Field.SI, value), Ppc64Fields.FitsSI16(value));
            Assert.Equal(Ppc64Fields.Fits(Ppc64Field.UI, value), Ppc64Fields.FitsUI16(value));
            Assert.Equal(Ppc64Fields.Fits(Ppc64Field.DS, value), Ppc64Fields.FitsDS(value));
            Assert.Equal(Ppc64Fields.Fits(Ppc64Field.BD, value), Ppc64Fields.FitsBD(value));
            Assert.Equal(Ppc64Fields.Fits(Ppc64Field.LI, value), Ppc64Fields.FitsLI(value));
            Assert.Equal((value & 0xffff) == 0 && Ppc64Fields.Fits(Ppc64Field.SI, value >> 16), Ppc64Fields.FitsShiftedSI16(value));
            Assert.Equal((value & 0xffff) == 0 && Ppc64Fields.Fits(Ppc64Field.UI, value >> 16), Ppc64Fields.FitsShiftedUI16(value));
        });
    }

    [Fact]
    public void Decoding_an_encoded_instruction_gives_it_back()
    {
        var operands = new long[Ppc64InstructionTable.MaxOperands];
        foreach (InstructionSample sample in InstructionSamples.All(1))
        {
            Assert.True(Ppc64Decoder.TryDecode(sample.Word, out Ppc64Opcode opcode, operands, out int count));
            Assert.Equal(sample.Opcode, opcode);
            Assert.Equal(sample.Operands, operands[..count]);
        }
    }

    [Fact]
    public void Whatever_decodes_encodes_to_the_same_word()
    {
        Ppc64InstructionInfo[] rows = [.. Ppc64InstructionTable.Rows];
        Gen<uint> nearARow = Gen.Select(Gen.Int[0, rows.Length - 1], Gen.UInt, Gen.Int[0, 31])
            .Select((row, bits, flip) => (rows[row].Word | (bits & rows[row].FieldMask)) ^ (1u << flip));
        Gen.OneOf(nearARow, Gen.UInt).Sample(word =>
        {
            var operands = new long[Ppc64InstructionTable.MaxOperands];
            if (!Ppc64Decoder.TryDecode(word, out Ppc64Opcode opcode, operands, out int count)) return;
            Assert.Equal(word, Ppc64Encoder.Encode(opcode, operands.AsSpan(0, count)));
        }, iter: 100_000);
    }

    [Fact]
    public void A_misfit_names_instruction_field_and_value()
    {
        foreach (Ppc64InstructionInfo row in Ppc64InstructionTable.Rows)
        {
            for (int i = 0; i < row.Operands.Length; i++)
            {
                Ppc64Field field = row.Operands[i].Field;
                long[] operands = [.. row.Operands.Select(operand => Ppc64Fields.Minimum(operand.Field))];
                foreach (long value in new[] { Ppc64Fields.Minimum(field) - 1, Ppc64Fields.Maximum(field) + 1 })
                {
                    operands[i] = value;
                    var error = Assert.Throws<InvalidOperationException>(() => Ppc64Encoder.Encode(row.Opcode, operands));
                    Assert.Equal($"{row.Mnemonic}: {value} does not fit into {field}", error.Message);
                }
            }
            Assert.Throws<InvalidOperationException>(() => Ppc64Encoder.Encode(row.Opcode, new long[row.Operands.Length + 1]));
        }
    }

    [Theory]
    [InlineData(0x0000_0000u)]
    [InlineData(0xffff_ffffu)]
    [InlineData(0x7c63_1e15u)] // add. with OE.
    [InlineData(0x7c00_10acu)] // not an instruction of the table
    [InlineData(0x7c38_1026u)] // mfocrf with two fields
    [InlineData(0x7c40_04acu)] // sync with L = 2
    [InlineData(0x4e80_1020u)] // blr with a branch hint in BH
    public void What_the_table_does_not_have_is_not_decoded(uint word) =>
        Assert.False(Ppc64Decoder.TryDecode(word, out _, new long[Ppc64InstructionTable.MaxOperands], out _));
}
