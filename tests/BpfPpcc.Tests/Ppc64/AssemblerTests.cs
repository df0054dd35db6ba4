using System.Buffers.Binary;
using System.Globalization;
using BpfPpcc.Ppc64;
using Xunit;

namespace BpfPpcc.Tests.Ppc64;

/// <summary>Two assemblers as independent witnesses of every row: LLVM's on plain operand numbers, GNU's on our own text.</summary>
public sealed class AssemblerTests
{
    [Fact]
    public void Every_row_encodes_as_llvm_mc_does()
    {
        string assembler = Tools.Require("llvm-mc");
        List<InstructionSample> samples = InstructionSamples.All(2);
        uint[] words = Assemble(
            samples.Select(PlainText),
            (source, output) => Tools.RunChecked(
                assembler,
                ["-triple=powerpc64le", "-mcpu=pwr10", "-filetype=obj", "-o", output, source]));
        AssertSameWords(samples, words, PlainText);
    }

    [Fact]
    public void Every_print_assembles_to_the_same_word_in_gnu_as()
    {
        string assembler = Tools.Require("powerpc64le-linux-gnu-as");
        List<InstructionSample> samples = InstructionSamples.All(3);
        uint[] words = Assemble(
            samples.Select(Print),
            (source, output) =>
            {
                ToolResult result = Tools.Run(assembler, ["-mpower10", "-o", output, source]);
                Assert.Equal((0, ""), (result.ExitCode, result.Error));
            });
        AssertSameWords(samples, words, Print);
    }

    [Fact]
    public void Rows_of_power8_assemble_for_power8_and_the_others_do_not()
    {
        string assembler = Tools.Require("powerpc64le-linux-gnu-as");
        (string Option, Ppc64Cpu Cpu)[] processors = [("-mpower8", Ppc64Cpu.Power8), ("-mpower9", Ppc64Cpu.Power9)];
        List<InstructionSample> samples = [.. InstructionSamples.All(4).DistinctBy(sample => sample.Opcode)];
        foreach ((string option, Ppc64Cpu cpu) in processors)
        {
            string source = string.Concat(samples.Select(sample => Print(sample) + "\n"));
            ToolResult result = Tools.Run(assembler, [option, "-o", "/dev/null"], source);
            foreach ((int index, InstructionSample sample) in samples.Index())
            {
                bool isRefused = result.Error.Contains(string.Create(CultureInfo.InvariantCulture, $":{index + 1}: Error"), StringComparison.Ordinal);
                Assert.True(isRefused == sample.Row.Since > cpu, $"{sample.Row.Mnemonic} {option}");
            }
        }
    }

    private static string Print(InstructionSample sample) => Ppc64Printer.Print(sample.Opcode, sample.Operands);

    /// <summary>Mnemonic and bare numbers: everything that both assemblers take without knowing extended mnemonics.</summary>
    private static string PlainText(InstructionSample sample)
    {
        List<string> operands = [];
        for (int i = 0; i < sample.Operands.Length; i++)
        {
            string text = sample.Operands[i].ToString(CultureInfo.InvariantCulture);
            Ppc64FieldKind kind = Ppc64Fields.Kind(sample.Row.Operands[i].Field);
            if (kind == Ppc64FieldKind.BranchTarget) text = ".+" + text;
            if (kind == Ppc64FieldKind.Displacement) text += string.Create(CultureInfo.InvariantCulture, $"({sample.Operands[++i]})");
            operands.Add(text);
        }
        if (sample.Opcode is Ppc64Opcode.Bclr or Ppc64Opcode.Bcctr or Ppc64Opcode.Bcctrl) operands.Add("0");
        return sample.Row.Mnemonic + " " + string.Join(", ", operands);
    }

    private static uint[] Assemble(IEnumerable<string> lines, Action<string, string> assemble)
    {
        string objcopy = Tools.Require("powerpc64le-linux-gnu-objcopy");
        DirectoryInfo folder = Directory.CreateTempSubdirectory("bpfppcc-tests-");
        try
        {
            string source = Path.Combine(folder.FullName, "rows.s");
            string output = Path.Combine(folder.FullName, "rows.o");
            string binary = Path.Combine(folder.FullName, "rows.bin");
            File.WriteAllLines(source, lines);
            assemble(source, output);
            Tools.RunChecked(objcopy, ["-O", "binary", "-j", ".text", output, binary]);
            byte[] bytes = File.ReadAllBytes(binary);
            var words = new uint[bytes.Length / 4];
            for (int i = 0; i < words.Length; i++) words[i] = BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(4 * i));
            return words;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static void AssertSameWords(List<InstructionSample> samples, uint[] words, Func<InstructionSample, string> text)
    {
        List<string> differences = [];
        for (int i = 0; i < samples.Count && i < words.Length; i++)
        {
            if (samples[i].Word != words[i]) differences.Add($"{text(samples[i])}: {samples[i].Word:x8}, but assembled {words[i]:x8}");
        }
        Assert.Empty(differences);
        Assert.Equal(samples.Count, words.Length);
    }
}
