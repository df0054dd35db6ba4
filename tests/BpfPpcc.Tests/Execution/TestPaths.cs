namespace BpfPpcc.Tests.Execution;

/// <summary>Where things are: the project's folders, the corpus, a place for temporary files.</summary>
public static class TestPaths
{
    private static readonly Lazy<string> LazyTemporary = new(static () =>
    {
        string path = Directory.CreateTempSubdirectory("bpfppcc-tests-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(path, recursive: true);
        return path;
    });

    /// <summary>The folder that holds BpfPpcc.sln.</summary>
    public static string ProjectRoot { get; } = FindRoot();

    /// <summary>tests/BpfPpcc.Tests/Execution.</summary>
    public static string Execution { get; } = Path.Combine(ProjectRoot, "tests", "BpfPpcc.Tests", "Execution");

    /// <summary>The corpus of real inputs, or null where there is none.</summary>
    public static string? Corpus { get; } = FindCorpus();

    /// <summary>A folder of this test run, removed at its end.</summary>
    public static string Temporary => LazyTemporary.Value;

    private static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "BpfPpcc.sln")))
                return folder.FullName;
        }

        throw new InvalidOperationException("BpfPpcc.sln is in no folder above the tests");
    }

    private static string? FindCorpus()
    {
        string path = Environment.GetEnvironmentVariable("BPFPPCC_CORPUS") is { Length: > 0 } given
            ? given
            : Path.GetFullPath(Path.Combine(ProjectRoot, "..", "shared", "corpus"));
        return Directory.Exists(path) ? path : null;
    }
}
