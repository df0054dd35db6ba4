namespace BpfPpcc.Tests.ObjectWriting;

/// <summary>Files of the source tree that tests need.</summary>
internal static class TestFiles
{
    /// <summary>The folder that holds BpfPpcc.sln.</summary>
    public static string ProjectRoot { get; } = FindProjectRoot();

    public static string Header => Path.Combine(ProjectRoot, "src", "BpfPpcc", "Runtime", "bpfppcc.h");

    public static string Here(string name) => Path.Combine(ProjectRoot, "tests", "BpfPpcc.Tests", "ObjectWriting", name);

    private static string FindProjectRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "BpfPpcc.sln")))
                return folder.FullName;
        }

        throw new DirectoryNotFoundException("BpfPpcc.sln is in none of the folders above the tests");
    }
}
