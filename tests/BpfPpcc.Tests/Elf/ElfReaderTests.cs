using System.Buffers.Binary;
using BpfPpcc.Diagnostics;
using BpfPpcc.Elf;
using Xunit;
using static BpfPpcc.Elf.ElfConstants;

namespace BpfPpcc.Tests.Elf;

public sealed class ElfReaderTests
{
    private readonly byte[] _bytes = ElfWriter.Write(ElfRoundTripTests.SmallObject(bigEndian: false));

    [Fact]
    public void Other_files_are_not_ELF()
    {
        Assert.Equal(DiagnosticId.NotElf, Refusal([]));
        Assert.Equal(DiagnosticId.NotElf, Refusal("#!/bin/sh\n"u8.ToArray()));
        Assert.Equal(DiagnosticId.NotElf, Refusal("\u007fEL"u8.ToArray()));
    }

    [Fact]
    public void Thirty_two_bit_files_are_refused()
    {
        _bytes[4] = ELFCLASS32;
        Assert.Equal(DiagnosticId.NotElf64, Refusal(_bytes));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Truncation_at_any_byte_is_one_diagnostic(bool bigEndian)
    {
        byte[] bytes = ElfWriter.Write(ElfRoundTripTests.SmallObject(bigEndian));
        for (int length = 0; length < bytes.Length; length++)
            Assert.Equal(length < 4 ? DiagnosticId.NotElf : DiagnosticId.ElfTruncated, Refusal(bytes[..length]));
    }

    [Fact]
    public void A_header_count_beyond_the_file_is_truncation()
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_bytes.AsSpan(60), 0);
        BinaryPrimitives.WriteUInt64LittleEndian(_bytes.AsSpan(SectionHeader(0) + 32), ulong.MaxValue / 64);
        Assert.Equal(DiagnosticId.ElfTruncated, Refusal(_bytes));
    }

    [Theory]
    [InlineData(24, ulong.MaxValue - 3)]
    [InlineData(32, ulong.MaxValue)]
    [InlineData(24, 1ul << 40)]
    public void A_section_outside_of_the_file_is_truncation(int field, ulong value)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(_bytes.AsSpan(SectionHeader(1) + field), value);
        Assert.Equal(DiagnosticId.ElfTruncated, Refusal(_bytes));
    }

    [Fact]
    public void A_wrong_alignment_is_malformed()
    {
        BinaryPrimitives.WriteUInt64LittleEndian(_bytes.AsSpan(SectionHeader(1) + 48), 12);
        Assert.Equal(DiagnosticId.ElfMalformed, Refusal(_bytes));
    }

    [Theory]
    [InlineData(40, 99u)]
    [InlineData(44, 99u)]
    [InlineData(44, 2u)]
    [InlineData(40, 1u)]
    public void Wrong_links_of_a_relocation_section_are_malformed(int field, uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(SectionHeader(2) + field), value);
        Assert.Equal(DiagnosticId.ElfMalformed, Refusal(_bytes));
    }

    [Theory]
    [InlineData(0, 0x00ff_ffffu)]
    [InlineData(4, 0x0063_0000u)]
    public void A_damaged_symbol_is_left_out_unless_a_relocation_needs_it(int field, uint damage)
    {
        Assert.True(ElfReader.TryRead(_bytes, "x.o", new DiagnosticBag(), out ElfFile? whole));
        var needed = new HashSet<ElfSymbol?>(whole!.Sections.SelectMany(section => section.Relocations).Select(relocation => relocation.Symbol));
        for (int i = 0; i < whole.Symbols.Count; i++)
        {
            byte[] bytes = [.. _bytes];
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(SymbolTable() + 24 * (i + 1) + field), damage);
            if (needed.Contains(whole.Symbols[i]))
            {
                Assert.Equal(DiagnosticId.ElfMalformed, Refusal(bytes));
                continue;
            }

            var diagnostics = new DiagnosticBag();
            Assert.True(ElfReader.TryRead(bytes, "x.o", diagnostics, out ElfFile? read));
            Assert.Equal(whole.Symbols.Count - 1, read!.Symbols.Count);
            Assert.Equal(DiagnosticSeverity.Warning, Assert.Single(diagnostics.Diagnostics).Severity);
        }
    }

    [Fact]
    public void Names_that_overlap_without_measure_are_refused()
    {
        // One name of 100,000 characters, and 10,000 symbols that each begin one character later in it.
        const int Symbols = 10_000;
        var file = new ElfFile { IsBigEndian = false, Machine = EM_PPC64 };
        file.Add(new ElfSymbol { Name = new string('a', 100_000), Binding = STB_GLOBAL });
        for (int i = 1; i < Symbols; i++)
            file.Add(new ElfSymbol { Name = new string('a', 10), Binding = STB_GLOBAL });
        byte[] bytes = ElfWriter.Write(file);
        int table = 64;
        for (int i = 1; i <= Symbols; i++)
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(table + 24 * i), (uint)i);
        Assert.Equal(DiagnosticId.ElfMalformed, Refusal(bytes));
    }

    [Fact]
    public void Random_changes_never_throw()
    {
        var random = new Random(1);
        foreach (bool bigEndian in (bool[])[false, true])
        {
            byte[] original = ElfWriter.Write(ElfRoundTripTests.SmallObject(bigEndian));
            for (int round = 0; round < 5000; round++)
            {
                byte[] bytes = (byte[])original.Clone();
                for (int change = random.Next(1, 6); change > 0; change--)
                    bytes[random.Next(bytes.Length)] = random.Next(3) switch { 0 => 0, 1 => 255, _ => (byte)random.Next(256) };
                var diagnostics = new DiagnosticBag();
                bool ok = ElfReader.TryRead(bytes, "x.o", diagnostics, out ElfFile? file);
                Assert.Equal(ok ? 0 : 1, diagnostics.Diagnostics.Count(diagnostic => diagnostic.Severity == DiagnosticSeverity.Error));
                Assert.Equal(ok, file is not null);
            }
        }
    }

    private int SectionHeader(int index) => (int)BinaryPrimitives.ReadUInt64LittleEndian(_bytes.AsSpan(40)) + 64 * index;

    private int SymbolTable()
    {
        int header = 1;
        while (BinaryPrimitives.ReadUInt32LittleEndian(_bytes.AsSpan(SectionHeader(header) + 4)) != SHT_SYMTAB)
            header++;
        return (int)BinaryPrimitives.ReadUInt64LittleEndian(_bytes.AsSpan(SectionHeader(header) + 24));
    }

    private static DiagnosticId Refusal(byte[] bytes)
    {
        var diagnostics = new DiagnosticBag();
        Assert.False(ElfReader.TryRead(bytes, "x.o", diagnostics, out ElfFile? file));
        Assert.Null(file);
        return Assert.Single(diagnostics.Diagnostics).Id;
    }
}
