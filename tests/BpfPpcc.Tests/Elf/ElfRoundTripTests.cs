using BpfPpcc.Diagnostics;
using BpfPpcc.Elf;
using BpfPpcc.Tests.Loading;
using Xunit;
using static BpfPpcc.Elf.ElfConstants;

namespace BpfPpcc.Tests.Elf;

public sealed class ElfRoundTripTests
{
    private const uint R_PPC64_REL24 = 10;
    private const uint R_PPC64_ADDR64 = 38;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_is_written_is_read_again(bool bigEndian)
    {
        ElfFile file = SmallObject(bigEndian);
        ElfFile read = Read(ElfWriter.Write(file));

        Assert.Equal((bigEndian, ET_REL, EM_PPC64, ELFOSABI_GNU, 2u), (read.IsBigEndian, read.Type, read.Machine, read.OsAbi, read.Flags));
        Assert.Equal(file.Sections.Select(Describe), read.Sections.Select(Describe));
        IEnumerable<ElfSymbol> localsFirst = file.Symbols.Where(s => s.IsLocal).Concat(file.Symbols.Where(s => !s.IsLocal));
        Assert.Equal(localsFirst.Select(Describe), read.Symbols.Select(Describe));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Writing_is_deterministic_and_stable_over_a_round_trip(bool bigEndian)
    {
        byte[] bytes = ElfWriter.Write(SmallObject(bigEndian));
        Assert.Equal(bytes, ElfWriter.Write(SmallObject(bigEndian)));
        Assert.Equal(bytes, ElfWriter.Write(Read(bytes)));
    }

    [Theory]
    [InlineData("powerpc64le-linux-gnu-readelf", false)]
    [InlineData("powerpc64le-linux-gnu-readelf", true)]
    [InlineData("powerpc64-linux-gnu-readelf", false)]
    [InlineData("powerpc64-linux-gnu-readelf", true)]
    [InlineData("llvm-readelf-19", false)]
    [InlineData("llvm-readelf-19", true)]
    public void Readelf_has_no_complaints(string readelf, bool bigEndian)
    {
        using var directory = new TemporaryDirectory();
        string path = directory.Write("small.o", ElfWriter.Write(SmallObject(bigEndian)));
        string output = Toolchain.Run(readelf, "-aW", path);

        Assert.DoesNotContain("warning", output, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("error", output, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("R_PPC64_REL24", output, StringComparison.Ordinal);
        Assert.Contains("bpf_helper_x + 0", output, StringComparison.Ordinal);
        Assert.Contains("R_PPC64_ADDR64", output, StringComparison.Ordinal);
        Assert.Matches(@"\[<(localentry>: 8|other: 0x60>)\]", output);
        Assert.Matches(@"bpf_progs\s+PROGBITS\s+0+ [0-9a-f]+ 000010 00 +WAR", output);
    }

    [Fact]
    public void Linker_accepts_the_object()
    {
        Toolchain.SkipWithout("powerpc64le-linux-gnu-ld");
        using var directory = new TemporaryDirectory();
        string path = directory.Write("small.o", ElfWriter.Write(SmallObject(bigEndian: false)));
        Toolchain.Run("powerpc64le-linux-gnu-ld", "-r", "--fatal-warnings", path, "-o", directory.File("linked.o"));
        Read(File.ReadAllBytes(directory.File("linked.o")));
    }

    [Fact]
    public void String_table_shares_suffixes_and_ignores_the_order_of_addition()
    {
        ElfStringTable Build(params string[] strings)
        {
            var table = new ElfStringTable();
            foreach (string text in strings)
                table.Add(text);
            table.Build();
            return table;
        }

        ElfStringTable table = Build(".text", ".rela.text", "text", "ext", "", ".data");
        Assert.Equal(Build("ext", ".data", "text", ".rela.text", ".text").Bytes, table.Bytes);
        Assert.Equal(1 + ".data".Length + 1 + ".rela.text".Length + 1, table.Bytes.Length);
        foreach (string text in (string[])[".text", ".rela.text", "text", "ext", "", ".data"])
        {
            int start = (int)table.OffsetOf(text);
            int end = Array.IndexOf(table.Bytes, (byte)0, start);
            Assert.Equal(text, System.Text.Encoding.UTF8.GetString(table.Bytes, start, end - start));
        }
    }

    [Fact]
    public void Section_counts_beyond_16_bits_use_the_extended_numbering()
    {
        var file = new ElfFile { IsBigEndian = false, Machine = EM_PPC64 };
        const int Count = 0x10010;
        for (int i = 0; i < Count; i++)
        {
            ElfSection section = file.Add(new ElfSection { Name = ".s", Type = SHT_PROGBITS, Contents = new byte[] { (byte)i } });
            file.Add(new ElfSymbol { Name = "x", Type = STT_OBJECT, Binding = STB_GLOBAL, Section = section });
        }

        byte[] bytes = ElfWriter.Write(file);
        ElfFile read = Read(bytes);
        Assert.Equal(Count, read.Sections.Count);
        Assert.All(Enumerable.Range(0, Count), i => Assert.Same(read.Sections[i], read.Symbols[i].Section));

        using var directory = new TemporaryDirectory();
        string output = Toolchain.Run("powerpc64le-linux-gnu-readelf", "-hW", directory.Write("many.o", bytes));
        Assert.DoesNotContain("arning", output, StringComparison.Ordinal);
        Assert.Contains("(65556)", output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_reference_to_a_foreign_section_is_a_compiler_bug()
    {
        var file = new ElfFile { IsBigEndian = false, Machine = EM_PPC64 };
        file.Add(new ElfSymbol { Name = "x", Section = new ElfSection { Name = ".text", Type = SHT_PROGBITS } });
        Assert.Throws<InvalidOperationException>(() => ElfWriter.Write(file));
    }

    /// <summary>Two functions, a call to an undefined symbol, a table with an address in it, zeroed data, duplicate names.</summary>
    internal static ElfFile SmallObject(bool bigEndian)
    {
        var file = new ElfFile { IsBigEndian = bigEndian, Machine = EM_PPC64, OsAbi = ELFOSABI_GNU, Flags = 2 };
        ElfSection text = file.Add(new ElfSection
        {
            Name = ".text",
            Type = SHT_PROGBITS,
            Flags = SHF_ALLOC | SHF_EXECINSTR,
            Alignment = 16,
            Contents = new byte[32],
        });
        ElfSection table = file.Add(new ElfSection
        {
            Name = "bpf_progs",
            Type = SHT_PROGBITS,
            Flags = SHF_ALLOC | SHF_WRITE | SHF_GNU_RETAIN,
            Alignment = 8,
            Contents = new byte[16],
        });
        ElfSection bss = file.Add(new ElfSection
        {
            Name = ".bss",
            Type = SHT_NOBITS,
            Flags = SHF_ALLOC | SHF_WRITE,
            Alignment = 64,
            NoBitsSize = 4096,
        });
        file.Add(new ElfSection { Name = ".note.GNU-stack", Type = SHT_PROGBITS });

        ElfSymbol helper = file.Add(new ElfSymbol { Name = "bpf_helper_x", Binding = STB_GLOBAL });
        ElfSymbol program = file.Add(new ElfSymbol
        {
            Name = "prog",
            Type = STT_FUNC,
            Binding = STB_GLOBAL,
            Other = 0x60,
            Section = text,
            Size = 16,
        });
        ElfSymbol textSymbol = file.AddSectionSymbol(text);
        file.Add(new ElfSymbol { Name = "same", Type = STT_FUNC, Section = text, Value = 16, Size = 8 });
        file.Add(new ElfSymbol { Name = "same", Type = STT_FUNC, Section = text, Value = 24, Size = 8 });
        file.Add(new ElfSymbol { Name = "counter", Type = STT_OBJECT, Binding = STB_WEAK, Other = STV_HIDDEN, Section = bss, Value = 8, Size = 4 });
        file.Add(new ElfSymbol { Name = "answer", Binding = STB_GLOBAL, ReservedIndex = SHN_ABS, Value = 42 });

        text.Relocations.Add(new ElfRelocation(8, R_PPC64_REL24, helper, 0));
        table.Relocations.Add(new ElfRelocation(0, R_PPC64_ADDR64, textSymbol, -16));
        table.Relocations.Add(new ElfRelocation(8, R_PPC64_ADDR64, program, 0));
        return file;
    }

    private static ElfFile Read(byte[] bytes)
    {
        var diagnostics = new DiagnosticBag();
        Assert.True(ElfReader.TryRead(bytes, "test.o", diagnostics, out ElfFile? file), string.Join("; ", diagnostics.Diagnostics));
        return file!;
    }

    private static string Describe(ElfSection section)
    {
        string relocations = string.Join(",", section.Relocations.Select(r => (r.Offset, r.Type, Describe(r.Symbol!), r.Addend, r.IsImplicit)));
        string contents = Convert.ToHexString(section.Contents.Span);
        return $"{section.Name} {section.Type} {section.Flags} {section.Alignment} {section.EntrySize} {section.Size} {contents} {relocations}";
    }

    private static string Describe(ElfSymbol symbol) =>
        $"{symbol.Name} {symbol.Type} {symbol.Binding} {symbol.Other} {symbol.Section?.Name} {symbol.ReservedIndex} {symbol.Value} {symbol.Size}";
}
