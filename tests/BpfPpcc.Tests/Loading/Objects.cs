using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using Xunit;

namespace BpfPpcc.Tests.Loading;

/// <summary>Objects for tests: loading with assertions, and where the corpus is.</summary>
internal static class Objects
{
    public static BpfModule Load(byte[] bytes)
    {
        var diagnostics = new DiagnosticBag();
        BpfModule? module = ObjectLoader.Load(bytes, "test.o", diagnostics);
        Assert.True(module is not null, string.Join("\n", diagnostics.Diagnostics.Select(d => d.Message)));
        Assert.Empty(diagnostics.Diagnostics);
        return module;
    }

    public static Diagnostic Refuse(byte[] bytes)
    {
        var diagnostics = new DiagnosticBag();
        Assert.Null(ObjectLoader.Load(bytes, "test.o", diagnostics));
        return Assert.Single(diagnostics.Diagnostics);
    }

    public static BpfFunction Function(this BpfModule module, string name) => Assert.Single(module.Functions, f => f.Name == name);

    public static BpfMap Map(this BpfModule module, string name) => Assert.Single(module.Maps, m => m.Name == name);

    /// <summary>A folder of the corpus; the test is skipped if it is absent.</summary>
    public static string CorpusFolder(string name)
    {
        string? root = Environment.GetEnvironmentVariable("BPFPPCC_CORPUS");
        for (DirectoryInfo? directory = new(AppContext.BaseDirectory); root is null && directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "BpfPpcc.sln")))
                root = Path.Combine(directory.FullName, "..", "shared", "corpus");
        }

        string folder = Path.Combine(root ?? "", name);
        if (!Directory.Exists(folder))
            Assert.Skip("the corpus is not here");
        return folder;
    }
}
