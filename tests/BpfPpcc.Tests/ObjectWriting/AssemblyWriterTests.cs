using System.Text.RegularExpressions;
using BpfPpcc.Diagnostics;
using BpfPpcc.Elf;
using BpfPpcc.ObjectWriting;
using BpfPpcc.Tests.Emission;
using Xunit;
using static BpfPpcc.Elf.ElfConstants;

namespace BpfPpcc.Tests.ObjectWriting;

/// <summary>The text that -S writes, through GNU as, against the object.</summary>
public sealed class AssemblyWriterTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("bpfppcc").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Example_assembles_to_the_same_sections_relocations_and_symbols() => AssertSame(ExampleObject.Build().Write());

    [Fact]
    public void Names_that_the_assembler_would_not_read_are_quoted()
    {
        var module = new ModuleBuilder();
        module.AddTrivialProgram("a-b \"c\\d");
        module.AddTrivialProgram("ok$.1");
        module.AddTrivialProgram("größe");
        module.Data(".data.a-b c", 8, [1, 2, 3, 4, 5, 6, 7, 8]);
        AssertSame(module.Write());
    }

    private void AssertSame(ElfFile expected)
    {
        string assembler = Tools.Require("powerpc64le-linux-gnu-as");
        string source = Path.Combine(_folder, "a.s"), output = Path.Combine(_folder, "a.o");
        File.WriteAllText(source, AssemblyWriter.Write(expected, EmittedCode.Power8));
        ToolResult result = Tools.Run(assembler, ["--fatal-warnings", "-o", output, source]);
        Assert.True((result.ExitCode, result.Error) == (0, ""), result.Error + File.ReadAllText(source)[..1000]);
        Assert.True(ElfReader.TryRead(File.ReadAllBytes(output), output, new DiagnosticBag(), out ElfFile? got));

        Assert.Equal((expected.Flags, expected.OsAbi), (got!.Flags, got.OsAbi));
        foreach (ElfSection section in expected.Sections)
        {
            ElfSection other = Assert.Single(got.Sections, other => other.Name == section.Name);
            Assert.Equal((section.Type, section.Flags, section.Size), (other.Type, other.Flags, other.Size));
            Assert.Equal(Math.Max(1, section.Alignment), Math.Max(1, other.Alignment));
            Assert.Equal(section.Contents.ToArray(), other.Contents.ToArray());
            Assert.Equal(Relocations(section), Relocations(other));
        }

        Assert.Equal(Symbols(expected), Symbols(got));
        Assert.DoesNotContain(got.Sections, section => section.Size != 0 && expected.FindSection(section.Name) is null);
    }

    private static string[] Relocations(ElfSection section) =>
        [.. section.Relocations.OrderBy(relocation => relocation.Offset).Select(relocation =>
            $"{relocation.Offset:x} {relocation.Type} {NameOf(relocation.Symbol!)}+{relocation.Addend}")];

    private static string NameOf(ElfSymbol symbol) => symbol.Type == STT_SECTION ? symbol.Section!.Name : symbol.Name;

    /// <summary>Without section symbols, which the assembler makes as it likes.</summary>
    private static string[] Symbols(ElfFile file) =>
        [.. file.Symbols.Where(symbol => symbol.Type != STT_SECTION)
            .Select(symbol => $"{symbol.Name} {symbol.Type} {symbol.Binding} {symbol.Other:x} {symbol.Section?.Name} {symbol.Value:x} {symbol.Size}")
            .Order(StringComparer.Ordinal)];

    [Fact]
    public void Text_is_readable()
    {
        string text = AssemblyWriter.Write(ExampleObject.Build().Write(), EmittedCode.Power8);
        Assert.Contains("\tbl bpf_helper_ktime_get_ns\n\tnop\n", text, StringComparison.Ordinal);
        Assert.Contains("\t.localentry entry_prog,8\n", text, StringComparison.Ordinal);
        Assert.Matches(new Regex(@"addis %r9, %r2, \.L\.bss\+8@toc@ha"), text);
        Assert.Matches(new Regex(@"addis %r2, %r12, \(\.TOC\.-\.L0\)@ha"), text);
    }
}
