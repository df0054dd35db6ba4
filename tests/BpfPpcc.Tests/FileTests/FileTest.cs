using System.Text;
using Xunit;

namespace BpfPpcc.Tests.FileTests;

/// <summary>
/// Tests whose input and expected output stand in one text file. The first line names the kind of test, the trailing lines that start
/// with "//=" are the expected output, everything between is the input:
/// <code>
/// // test: KIND
/// r0 = 0
/// exit
/// //= expected output
/// </code>
/// With the environment variable BPFPPCC_BLESS=1 a run writes the actual output into the files instead of comparing; read the
/// difference before you commit it.
/// </summary>
public static class FileTest
{
    private const string Mark = "//=";

    /// <summary>Paths, relative to the test project, of the filetests of kind <paramref name="kind"/> in <paramref name="folder"/> and below.</summary>
    public static TheoryData<string> In(string folder, string kind)
    {
        var files = new TheoryData<string>();
        string root = ProjectFolder();
        foreach (string path in Directory.EnumerateFiles(Path.Combine(root, folder), "*.test", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            if (KindOf(File.ReadLines(path).FirstOrDefault() ?? "") == kind)
                files.Add(Path.GetRelativePath(root, path));
        }

        return files;
    }

    /// <summary>Runs <paramref name="produce"/> on the input part of the file and compares what it returns with the expected output.</summary>
    public static void Check(string relativePath, Func<string, string> produce)
    {
        string path = Path.Combine(ProjectFolder(), relativePath);
        (string input, string expected) = Split(File.ReadAllText(path));
        string actual = Normalise(produce(input));
        if (actual == expected)
            return;
        if (Environment.GetEnvironmentVariable("BPFPPCC_BLESS") == "1")
        {
            File.WriteAllText(path, input.TrimEnd('\n') + "\n" + Marked(actual));
            return;
        }

        Assert.Fail($"{relativePath}: {FirstDifference(expected, actual)}\n"
            + $"If the new output is right, run again with BPFPPCC_BLESS=1. Actual output:\n{Marked(actual)}");
    }

    private static string KindOf(string firstLine)
    {
        const string Header = "// test:";
        return firstLine.StartsWith(Header, StringComparison.Ordinal) ? firstLine[Header.Length..].Trim() : "";
    }

    /// <summary>The input with its header line, and the expected output without marks.</summary>
    private static (string Input, string Expected) Split(string text)
    {
        var input = new StringBuilder();
        var expected = new StringBuilder();
        foreach (string line in text.TrimEnd('\n').Split('\n'))
        {
            if (line.StartsWith(Mark, StringComparison.Ordinal))
                expected.Append(line.Length > Mark.Length ? line[(Mark.Length + 1)..] : "").Append('\n');
            else
                input.Append(line).Append('\n');
        }

        return (input.ToString(), Normalise(expected.ToString()));
    }

    private static string Normalise(string text) =>
        string.Join('\n', text.Replace("\r", "", StringComparison.Ordinal).TrimEnd('\n').Split('\n').Select(line => line.TrimEnd()));

    private static string Marked(string text) =>
        string.Concat(text.Split('\n').Select(line => (line.Length == 0 ? Mark : $"{Mark} {line}") + "\n"));

    private static string FirstDifference(string expected, string actual)
    {
        string[] left = expected.Split('\n');
        string[] right = actual.Split('\n');
        int i = 0;
        while (i < left.Length && i < right.Length && left[i] == right[i])
            i++;
        string LineOf(string[] lines) => i < lines.Length ? $"'{lines[i]}'" : "the end";
        return $"output line {i + 1}: expected {LineOf(left)}, got {LineOf(right)}";
    }

    /// <summary>The folder of the test project: where BpfPpcc.sln is, upwards from the test binary, and from there down.</summary>
    internal static string ProjectFolder()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "BpfPpcc.sln")))
            folder = folder.Parent;
        Assert.NotNull(folder);
        return Path.Combine(folder.FullName, "tests", "BpfPpcc.Tests");
    }
}
