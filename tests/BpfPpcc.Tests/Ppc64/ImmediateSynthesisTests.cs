using System.Globalization;
using System.Text;
using BpfPpcc.Ppc64;
using Xunit;

namespace BpfPpcc.Tests.Ppc64;

public sealed class ImmediateSynthesisTests
{
    [Theory]
    [InlineData(0, "li %r9, 0")]
    [InlineData(-32768, "li %r9, -32768")]
    [InlineData(0x7fff0000, "lis %r9, 32767")]
    [InlineData(0x12345678, "lis %r9, 4660; ori %r9, %r9, 22136")]
    [InlineData(0xfedc1234, "li %r9, 4660; oris %r9, %r9, 65244")]
    [InlineData(unchecked((long)0xffffffff_7fff8000), "li %r9, -32768; xoris %r9, %r9, 32768")]
    [InlineData(0x00000000_ffffffff, "li %r9, -1; clrldi %r9, %r9, 32")]
    [InlineData(0x00001235_00000000, "li %r9, 4661; sldi %r9, %r9, 32")]
    [InlineData(0x12345679_00000000, "lis %r9, 4660; ori %r9, %r9, 22137; sldi %r9, %r9, 32")]
    [InlineData(0x00001234_00001234, "li %r9, 4660; rlwinm %r9, %r9, 0, 1, 0")]
    [InlineData(0x12345678_12345678, "lis %r9, 4660; ori %r9, %r9, 22136; rlwinm %r9, %r9, 0, 1, 0")]
    [InlineData(0x12345678_9abcdef0, "lis %r9, 4660; ori %r9, %r9, 22136; sldi %r9, %r9, 32; oris %r9, %r9, 39612; ori %r9, %r9, 57072")]
    public void Takes_the_shape_that_is_shortest(long value, string expected)
    {
        Assert.Equal(expected, string.Join("; ", Synthesize(value, new Gpr(9)).Select(instruction => instruction.ToString())));
    }

    [Fact]
    public void Every_sequence_gives_its_constant_at_the_cost_that_was_told()
    {
        foreach (long value in Values(seed: 1, count: 20_000))
        {
            List<Ppc64Instruction> instructions = Synthesize(value, new Gpr(0));
            Assert.Equal(value, (long)Evaluate(instructions, register: 0));
            Assert.Equal(instructions.Count, ImmediateSynthesis.Cost(value));
            Assert.InRange(instructions.Count, 1, ImmediateSynthesis.MaxLength);
        }
    }

    [Fact]
    public void No_sequence_is_longer_than_that_of_llc()
    {
        string compiler = Tools.Require("llc");
        long[] values = [.. Values(seed: 2, count: 3000)];
        var source = new StringBuilder();
        foreach ((int index, long value) in values.Index())
        {
            source.Append(CultureInfo.InvariantCulture, $"define i64 @f{index}() {{ ret i64 {value} }}\n");
        }
        string output = Tools.RunChecked(compiler, ["-mtriple=powerpc64le", "-mcpu=pwr8", "-o", "-"], source.ToString());
        int[] lengths = InstructionCounts(output);
        Assert.Equal(values.Length, lengths.Length);

        int shorter = 0;
        List<string> longer = [];
        for (int i = 0; i < values.Length; i++)
        {
            int cost = ImmediateSynthesis.Cost(values[i]);
            if (cost < lengths[i]) shorter++;
            if (cost > lengths[i]) longer.Add($"{values[i]:x16}: {cost}, llc {lengths[i]}");
        }
        TestContext.Current.SendDiagnosticMessage("{0} of {1} constants are shorter than those of llc", shorter, values.Length);
        Assert.Empty(longer);
    }

    [Fact]
    public void Every_sequence_gives_its_constant_on_an_emulated_processor()
    {
        string emulator = Tools.Require("qemu-ppc64le");
        string assembler = Tools.Require("powerpc64le-linux-gnu-as");
        string linker = Tools.Require("powerpc64le-linux-gnu-ld");
        DirectoryInfo folder = Directory.CreateTempSubdirectory("bpfppcc-tests-");
        try
        {
            string source = Path.Combine(folder.FullName, "constants.s");
            string output = Path.Combine(folder.FullName, "constants.o");
            string program = Path.Combine(folder.FullName, "constants");
            File.WriteAllText(source, ProgramThatComparesWith([.. Values(seed: 3, count: 6000)]));
            Tools.RunChecked(assembler, ["-o", output, source]);
            Tools.RunChecked(linker, ["-o", program, output]);
            Tools.RunChecked(emulator, ["-cpu", "power8", program]);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static List<Ppc64Instruction> Synthesize(long value, Gpr target)
    {
        var instructions = new Ppc64Instruction[ImmediateSynthesis.MaxLength];
        return [.. instructions[..ImmediateSynthesis.Synthesize(value, target, instructions)]];
    }

    /// <summary>Edge values, then random ones of every shape that constants have: narrow, runs of ones, rotated, repeated, sparse.</summary>
    private static IEnumerable<long> Values(int seed, int count)
    {
        List<long> edges = [];
        for (int bit = 0; bit < 64; bit++)
        {
            edges.AddRange([1L << bit, ~(1L << bit), (1L << bit) - 1, -(1L << bit), (1L << bit) + 1, -(1L << bit) - 1]);
        }
        edges.AddRange(
        [
            0x8000, 0xffff, 0x10000, 0x8000_0000, 0x8000_8000, 0x8000_0001, 0xffff_8000, 0xffff_7fff, 0x7fff_8000, -0x8000_0001,
            unchecked((long)0xffff_ffff_7fff_8000), unchecked((long)0xffff_0000_ffff_0000), 0x0000_ffff_0000_ffff,
            0x0101_0101_0101_0101, 0x5555_5555_5555_5555, unchecked((long)0xaaaa_aaaa_aaaa_aaaa), unchecked((long)0xcccc_cccc_cccc_cccd),
        ]);
        foreach (long edge in edges) yield return edge;

        var random = new Random(seed);
        for (int i = edges.Count; i < count; i++) yield return (long)RandomValue(random, i % 10);
    }

    private static ulong RandomValue(Random random, int shape)
    {
        var any = (ulong)random.NextInt64(long.MinValue, long.MaxValue);
        var halfword = (ulong)(short)any;
        ulong run = (ulong.MaxValue >> random.Next(64)) & (ulong.MaxValue << random.Next(64));
        int shift = random.Next(64);
        return shape switch
        {
            0 => any,
            1 => (ulong)((long)any >> shift),
            2 => any >> shift,
            3 => ulong.RotateLeft(halfword, shift),
            4 => ulong.RotateLeft(halfword, shift) & run,
            5 => ulong.RotateLeft((ulong)(int)any, shift) & run,
            6 => (uint)any | any << 32,
            7 => run ^ (any & 0xffff),
            8 => ulong.RotateLeft(halfword, shift) ^ ((any >> 20) & 0xffff0000),
            _ => ulong.RotateLeft(run, shift) | 1ul << random.Next(64),
        };
    }

    /// <summary>What the instructions leave in the register, each done as the manual's bit formula says.</summary>
    private static ulong Evaluate(List<Ppc64Instruction> instructions, int register)
    {
        ulong value = 0xdead_beef_dead_beef;
        foreach (Ppc64Instruction instruction in instructions)
        {
            Assert.Equal(register, instruction.Operand0);
            bool loads = instruction.Opcode is Ppc64Opcode.Addi or Ppc64Opcode.Addis;
            Assert.Equal(loads ? 0 : register, instruction.Operand1);
            (int third, int fourth, int fifth) = (instruction.Operand2, instruction.Operand3, instruction.Operand4);
            value = instruction.Opcode switch
            {
                Ppc64Opcode.Addi => (ulong)third,
                Ppc64Opcode.Addis => (ulong)((long)third * 65536),
                Ppc64Opcode.Ori => value | (uint)third,
                Ppc64Opcode.Oris => value | (ulong)third * 65536,
                Ppc64Opcode.Xori => value ^ (uint)third,
                Ppc64Opcode.Xoris => value ^ ((ulong)third * 65536),
                Ppc64Opcode.Rldicl => RotateAndMask(value, third, fourth, 63),
                Ppc64Opcode.Rldicr => RotateAndMask(value, third, 0, fourth),
                Ppc64Opcode.Rldic => RotateAndMask(value, third, fourth, 63 - third),
                Ppc64Opcode.Rlwinm => RotateAndMask((uint)value * 0x1_0000_0001ul, third, fourth + 32, fifth + 32),
                _ => throw new InvalidOperationException($"{instruction} is not expected in a constant"),
            };
        }
        return value;
    }

    private static ulong RotateAndMask(ulong value, int count, int begin, int end)
    {
        ulong result = 0;
        for (int bit = begin; ; bit = (bit + 1) % 64)
        {
            int source = (bit + count) % 64;
            result |= ((value >> (63 - source)) & 1) << (63 - bit);
            if (bit == end) return result;
        }
    }

    /// <summary>Number of instructions of each function, without the blr.</summary>
    private static int[] InstructionCounts(string assembly)
    {
        List<int> counts = [];
        int count = 0;
        foreach (string line in assembly.Split('\n'))
        {
            if (line.Length < 2 || line[0] != '\t' || !char.IsAsciiLetter(line[1])) continue;
            if (line.StartsWith("\tblr", StringComparison.Ordinal))
            {
                counts.Add(count);
                count = 0;
                continue;
            }
            count++;
        }
        return [.. counts];
    }

    /// <summary>Exit code 1 at the first constant that differs from its .quad.</summary>
    private static string ProgramThatComparesWith(List<long> values)
    {
        var code = new StringBuilder(".abiversion 2\n.globl _start\n_start:\n lis %r5, table@highest\n ori %r5, %r5, table@higher\n"
            + " sldi %r5, %r5, 32\n oris %r5, %r5, table@high\n ori %r5, %r5, table@l\n addi %r5, %r5, -8\n");
        var table = new StringBuilder(".data\n.p2align 3\ntable:\n");
        foreach (long value in values)
        {
            foreach (Ppc64Instruction instruction in Synthesize(value, Gpr.R3)) code.Append($" .long 0x{instruction.Encode():x8}\n");
            code.Append(" ldu %r4, 8(%r5)\n cmpd %r3, %r4\n beq .+8\n b fail\n");
            table.Append($" .quad 0x{value:x16}\n");
        }
        return code + " li %r3, 0\n li %r0, 1\n sc\nfail: li %r3, 1\n li %r0, 1\n sc\n" + table;
    }
}
