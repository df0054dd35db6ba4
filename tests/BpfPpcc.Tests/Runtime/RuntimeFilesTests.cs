using BpfPpcc.Runtime;
using Xunit;

namespace BpfPpcc.Tests.Runtime;

public sealed class RuntimeFilesTests
{
    [Fact]
    public void The_tool_carries_the_header_and_the_runtime()
    {
        Assert.Contains("bpfppcc.h", RuntimeFiles.Names);
        Assert.Contains("bpfppcc_rt.c", RuntimeFiles.Names);
        Assert.All(RuntimeFiles.Names, static name => Assert.Matches(@"^bpfppcc\w*\.[ch]$", name));
    }

    [Fact]
    public void Writes_all_files_and_replaces_old_ones()
    {
        string root = Directory.CreateTempSubdirectory("bpfppcc-files-").FullName;
        try
        {
            string folder = Path.Combine(root, "new", "folder");
            Assert.Null(RuntimeFiles.WriteTo(folder));
            string header = Path.Combine(folder, "bpfppcc.h");
            string text = File.ReadAllText(header);
            Assert.StartsWith("/*\n * bpfppcc.h", text, StringComparison.Ordinal);
            File.WriteAllText(header, text + "old and longer");
            Assert.Null(RuntimeFiles.WriteTo(folder));
            Assert.Equal(text, File.ReadAllText(header));
            Assert.Equal(RuntimeFiles.Names.Count, Directory.GetFiles(folder).Length);
        }
        finally
        {
            Directory.Delete(root, recursive: true);
        }
    }

    [Fact]
    public void Says_why_it_cannot_write()
    {
        string file = Path.GetTempFileName();
        try
        {
            Assert.NotNull(RuntimeFiles.WriteTo(file));
            Assert.NotNull(RuntimeFiles.WriteTo(""));
        }
        finally
        {
            File.Delete(file);
        }
    }
}
