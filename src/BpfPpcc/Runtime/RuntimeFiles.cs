namespace BpfPpcc.Runtime;

/// <summary>
/// The C files that the tool carries for the programs that link its objects: bpfppcc.h, which describes the object ABI and the runtime's
/// interface, and the reference runtime. They are resources of the assembly, byte for byte as they stand in this folder.
/// </summary>
public static class RuntimeFiles
{
    private const string ResourcePrefix = "runtime/";

    /// <summary>The names of the files, in alphabetical order.</summary>
    public static IReadOnlyList<string> Names { get; } = FindNames();

    /// <summary>Writes all files into a directory, which is made if it does not exist. Files of these names are replaced.</summary>
    /// <returns>Null, or why it failed, to be read after the name of the directory.</returns>
    public static string? WriteTo(string directory)
    {
        try
        {
            Directory.CreateDirectory(directory);
            foreach (string name in Names)
                Write(name, Path.Combine(directory, name));
            return null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            return exception.Message;
        }
    }

    private static void Write(string name, string path)
    {
        using Stream contents = Open(name);
        using FileStream file = File.Create(path);
        contents.CopyTo(file);
    }

    /// <summary>The contents of one of <see cref="Names"/>.</summary>
    public static Stream Open(string name) => typeof(RuntimeFiles).Assembly.GetManifestResourceStream(ResourcePrefix + name)
        ?? throw new InvalidOperationException($"the tool has no file '{name}'");

    private static string[] FindNames()
    {
        var names = new List<string>();
        foreach (string resource in typeof(RuntimeFiles).Assembly.GetManifestResourceNames())
        {
            if (resource.StartsWith(ResourcePrefix, StringComparison.Ordinal))
                names.Add(resource[ResourcePrefix.Length..]);
        }

        names.Sort(StringComparer.Ordinal);
        return [.. names];
    }
}
