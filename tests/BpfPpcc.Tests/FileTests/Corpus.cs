namespace BpfPpcc.Tests.FileTests;

/// <summary>The folder of real inputs with known answers that some tests use: BPFPPCC_CORPUS, else ../shared/corpus beside the project.</summary>
public static class Corpus
{
    /// <summary>The path of a file or folder of the corpus, or null if there is none.</summary>
    public static string? Find(string relativePath)
    {
        string root = Environment.GetEnvironmentVariable("BPFPPCC_CORPUS")
            ?? Path.Combine(FileTest.ProjectFolder(), "..", "..", "..", "shared", "corpus");
        string path = Path.Combine(root, relativePath);
        return Path.Exists(path) ? path : null;
    }
}
