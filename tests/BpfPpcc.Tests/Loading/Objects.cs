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

    /// <summary>The folder that holds the solution; null where the tests run without the sources.</summary>
    public static string? ProjectRoot { get; } = FindProjectRoot();

    /// <summary>Paths of the prebuilt objects, which tests use on machines without clang.</summary>
    public static IEnumerable<string> Prebuilt => ProjectRoot is null
        ? []
        : Directory.EnumerateFiles(Path.Combine(ProjectRoot, "tests/BpfPpcc.Tests/Loading/Objects"), "*.o").Order();

    /// <summary>A folder of the corpus; the test is skipped if it is absent.</summary>
    public static string CorpusFolder(string name)
    {
        string root = Environment.GetEnvironmentVariable("BPFPPCC_CORPUS") ?? Path.Combine(ProjectRoot ?? "", "../shared/corpus");
        string folder = Path.Combine(root, name);
        if (!Directory.Exists(folder))
            Assert.Skip("the corpus is not here");
        return folder;
    }

    private static string? FindProjectRoot()
    {
        DirectoryInfo? directory = new(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "BpfPpcc.sln")))
            directory = directory.Parent;
        return directory?.FullName;
    }
}
