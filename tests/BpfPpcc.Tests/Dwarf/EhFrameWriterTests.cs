using BpfPpcc.Dwarf;
using BpfPpcc.Elf;
using BpfPpcc.Tests.ObjectWriting;
using Xunit;

namespace BpfPpcc.Tests.Dwarf;

public sealed class EhFrameWriterTests
{
    [Fact]
    public void Common_information_is_that_of_the_GNU_assembler_and_padded()
    {
        var writer = new EhFrameWriter(bigEndian: false);
        Assert.Equal(
            "14000000" + "00000000" + "01" + "7a5200" + "04" + "78" + "41" + "01" + "1b" + "0c0100" + "00000000",
            Convert.ToHexStringLower(writer.Contents));
    }

    [Fact]
    public void Function_with_all_rows()
    {
        var writer = new EhFrameWriter(bigEndian: false);
        int start = writer.Contents.Length;
        writer.BeginFunction(0x1000);
        writer.DefineCfaOffset(8, 48);
        writer.Offset(8, 65, 16);
        writer.Offset(8, 31, -16);
        writer.RememberState(8 + 63 * 4);
        writer.Restore(8 + 63 * 4, 31);
        writer.Restore(8 + 127 * 4, 65);
        writer.RestoreState(0x800);
        writer.EndFunction();
        Assert.Equal([start + 8], writer.InitialLocations);
        byte[] bytes = writer.Contents[start..].ToArray();
        Assert.Equal(0, bytes.Length % 8);
        Assert.Equal(
            "24000000" + "1c000000" + "00000000" + "00100000" + "00"
            + "42" + "0e30" + "11417e" + "9f02" + "7f" + "0a" + "df" + "0240" + "0641" + "037f01" + "0b",
            Convert.ToHexStringLower(bytes).TrimEnd('0'));
    }

    [Fact]
    public void Far_advances_and_big_endian()
    {
        var writer = new EhFrameWriter(bigEndian: true);
        int start = writer.Contents.Length;
        writer.BeginFunction(1 << 24);
        writer.RememberState(0x10000 * 4);
        writer.EndFunction();
        Assert.EndsWith("0400010000" + "0a" + "00", Convert.ToHexStringLower(writer.Contents[start..]), StringComparison.Ordinal);
    }

    /// <summary>readelf's reading of the example: every function has an entry, and these are the rows of one with an epilogue in the middle.</summary>
    [Fact]
    public void Readelf_reads_the_rows_that_were_meant()
    {
        string readelf = Tools.Require("powerpc64le-linux-gnu-readelf");
        string path = Path.GetTempFileName();
        try
        {
            ElfFile file = ExampleObject.Build().Write();
            File.WriteAllBytes(path, ElfWriter.Write(file));
            ToolResult result = Tools.Run(readelf, ["--debug-dump=frames-interp", "-W", path]);
            Assert.Equal((0, ""), (result.ExitCode, result.Error));
            string[] entries = result.Output.Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal(file.Symbols.Count(symbol => symbol.Type == ElfConstants.STT_FUNC), entries.Count(entry => entry.Contains("FDE", StringComparison.Ordinal)));

            ElfSymbol hop = file.Symbols.Single(symbol => symbol.Name == "hop_prog");
            string range = $"pc={hop.Value:x16}..{hop.Value + hop.Size:x16}";
            string[] lines = Assert.Single(entries, entry => entry.Contains(range, StringComparison.Ordinal)).Split('\n');
            // Entry; frame; the tail call's epilogue with two restores and the frame's end; the body again; the last epilogue.
            Assert.Equal(
                [
                    "r1+0 u u", "r1+464 c-24 c-16",
                    "r1+464 u c-16", "r1+464 u u", "r1+0 u u",
                    "r1+464 c-24 c-16",
                    "r1+464 u c-16", "r1+464 u u", "r1+0 u u",
                ],
                lines.SkipWhile(line => !line.Contains("LOC", StringComparison.Ordinal)).Skip(1)
                    .Where(line => line.Length > 16).Select(line => string.Join(' ', line[16..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[..3])));
        }
        finally
        {
            File.Delete(path);
        }
    }
}
