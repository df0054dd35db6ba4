using System.Collections.Immutable;
using System.Text.RegularExpressions;
using BpfPpcc.Bpf;
using BpfPpcc.Tests.Assembler;
using BpfPpcc.Tests.FileTests;
using CsCheck;
using Xunit;

namespace BpfPpcc.Tests.Bpf;

public sealed class BpfPrinterTests
{
    private const string Source = """
        void sink(void *, long);
        struct s { unsigned char a; unsigned short b; unsigned int c; unsigned long d; signed char e; short f; int g; long h; };
        static __attribute__((noinline)) long mix(struct s *p, long x) {
            long r = p->a + p->b * x - p->c / (unsigned long)(x | 1) + (p->d % 7) + p->e + p->f + p->g + (p->h >> 3);
            for (int i = 0; i < x; i++) {
                r ^= (r << 5) + (r >> 7);
                if (r < 0) r = -r;
                if ((unsigned)r > 0x80000000u) r |= 1;
            }
            return r;
        }
        int prog(struct s *p) {
            struct s local = *p;
            long x = mix(&local, p->h);
            unsigned int w = __builtin_bswap32(p->c) + __builtin_bswap16(p->b);
            __sync_fetch_and_add(&p->d, x);
            p->a = x; p->b = w; p->c = -1; p->g = 77;
            sink(&local, 0x123456789abcdefL);
            return w != 0 && (int)x > -5;
        }
        """;

    public static TheoryData<string, string> Forms() => BpfFormTable.Rows();

    public static TheoryData<string> FileTests() => FileTest.In("Bpf", "print");

    [Theory]
    [MemberData(nameof(FileTests))]
    public void Prints_the_expected_text(string file) => FileTest.Check(file, input => PrintAll(BpfAssembler.Instructions(input)));

    [Theory]
    [MemberData(nameof(Forms))]
    public void Assembles_what_it_prints(string text, string _)
    {
        ImmutableArray<BpfInstruction> code = BpfAssembler.Instructions(text);
        Assert.Equal(code, BpfAssembler.Instructions(BpfPrinter.Print(code.AsSpan(), 0)));
        Assert.DoesNotContain(".insn", BpfPrinter.Print(code.AsSpan(), 0), StringComparison.Ordinal);
    }

    [Fact]
    public void Loses_no_bit_of_any_slot() =>
        Gen.ULong.Sample(
            bits =>
            {
                BpfInstruction instruction = BpfInstruction.Decode(BitConverter.GetBytes(bits), false);
                ImmutableArray<BpfInstruction> code = [instruction, new BpfInstruction(0, 0, 0, 0, (int)(bits >> 7))];
                Assert.Equal(code, BpfAssembler.Instructions(PrintAll(code)));
            },
            iter: 20_000);

    [Fact]
    public void Loses_no_bit_of_any_opcode_with_plausible_fields()
    {
        int[] imms = [0, 1, 5, -1, 8, 16, 32, 64, 0x40, 0x41, 0x50, 0x51, 0xa0, 0xa1, 0xe1, 0xf1, 0x100, 0x110, 1 << 16, int.MinValue];
        foreach (int imm in imms)
        {
            for (int fields = 0; fields < 256 * 3 * 4 * 3; fields++)
            {
                int rest = fields / 256;
                var instruction = new BpfInstruction((byte)fields, (byte)(rest % 3 * 5), (byte)(rest / 3 % 4), (short)(rest / 12 * 8), imm);
                ImmutableArray<BpfInstruction> code = [instruction, new BpfInstruction(0, 0, 0, 0, imm)];
                Assert.Equal(code, BpfAssembler.Instructions(PrintAll(code)));
            }
        }
    }

    [Theory]
    [InlineData("bpfel", "v1")]
    [InlineData("bpfel", "v2")]
    [InlineData("bpfel", "v3")]
    [InlineData("bpfel", "v4")]
    [InlineData("bpfeb", "v4")]
    public void Prints_compiled_code_as_llvm_objdump_does(string target, string cpu)
    {
        string folder = Directory.CreateTempSubdirectory("bpfprint").FullName;
        try
        {
            string source = Path.Combine(folder, "a.c");
            string compiled = Path.Combine(folder, "a.o");
            File.WriteAllText(source, Source);
            LlvmTools.Run("clang-19", "-O2", $"--target={target}", $"-mcpu={cpu}", "-c", source, "-o", compiled);
            Assert.True(CompareWithObjdump(compiled, target == "bpfeb") > 60);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>llvm-mc reads what the printer prints, and makes the same bytes of it, in both byte orders.</summary>
    [Theory]
    [InlineData("bpfel")]
    [InlineData("bpfeb")]
    public void Llvm_reads_and_prints_every_form_alike(string target)
    {
        string folder = Directory.CreateTempSubdirectory("bpfprint").FullName;
        try
        {
            string source = Path.Combine(folder, "a.s");
            string compiled = Path.Combine(folder, "a.o");

            // LLVM 19 does not know load-acquire and store-release.
            string[] texts = [.. BpfFormTable.Rows().Select(row => row.Data.Item1)];
            string[] printed = [.. texts.Select(text => BpfPrinter.Print(BpfAssembler.Instructions(text).AsSpan(), 0))];
            File.WriteAllLines(source, ["f:", .. printed.Where(text => !Regex.IsMatch(text, "load_acquire|store_release"))]);
            LlvmTools.Run("llvm-mc-19", $"-triple={target}", "-mcpu=v4", "-filetype=obj", source, "-o", compiled);
            Assert.True(CompareWithObjdump(compiled, target == "bpfeb") > 130);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Prints_real_objects_as_llvm_objdump_does()
    {
        string? corpus = Corpus.Find("samples");
        Assert.SkipWhen(corpus is null, "no corpus");
        int instructions = 0;
        foreach (string path in Directory.EnumerateFiles(corpus!, "*.o", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            // Objects without a machine number, and broken ones, are not for objdump.
            if (path.Contains("invalid", StringComparison.Ordinal) || path.Contains("/ovs/", StringComparison.Ordinal))
                continue;
            instructions += CompareWithObjdump(path, isBigEndian: false);
        }

        Assert.True(instructions > 100_000, $"{instructions} instructions compared");
    }

    /// <summary>Decodes the bytes that objdump shows, prints them, and compares with the text that it shows.</summary>
    private static int CompareWithObjdump(string path, bool isBigEndian)
    {
        int count = 0;
        foreach (string line in LlvmTools.Run("llvm-objdump-19", "-d", "--mcpu=v4", path).Split('\n'))
        {
            Match match = Regex.Match(line, @"^ *\d+:\t((?:[0-9a-f]{2} )*[0-9a-f]{2})\t(.*)$");
            if (!match.Success || match.Groups[2].Value == "<unknown>")
                continue;
            byte[] bytes = Convert.FromHexString(match.Groups[1].Value.Replace(" ", "", StringComparison.Ordinal));
            List<BpfInstruction> code = [];
            byte[] encoded = new byte[bytes.Length];
            for (int at = 0; at < bytes.Length; at += 8)
            {
                code.Add(BpfInstruction.Decode(bytes.AsSpan(at), isBigEndian));
                code[^1].Encode(encoded.AsSpan(at), isBigEndian);
            }

            Assert.Equal(bytes, encoded);
            string printed = BpfPrinter.Print(code.ToArray(), 0);
            string expected = Regex.Replace(match.Groups[2].Value, @" <[^<>]*>$", "");
            printed = Regex.Replace(Regex.Replace(printed, "^call (?:local \\+?|kfunc )", "call "), " pseudo .*$", "");
            Assert.True(expected == printed, $"{path}: objdump prints '{line.Trim()}', we print '{printed}'");
            count++;
        }

        return count;
    }

    private static string PrintAll(ImmutableArray<BpfInstruction> code)
    {
        var lines = new List<string>();
        for (int slot = 0; slot < code.Length; slot += BpfPrinter.SlotsOf(code.AsSpan(), slot))
            lines.Add(BpfPrinter.Print(code.AsSpan(), slot));
        return string.Join('\n', lines);
    }
}
