namespace BpfPpcc.CommandLine;

/// <summary>Writes an output file whole or not at all: a temporary file beside it, then a rename.</summary>
public static class OutputFile
{
    /// <summary>Replaces <paramref name="path"/> with <paramref name="contents"/>. On failure an existing file is as it was.</summary>
    /// <returns>What went wrong, or null.</returns>
    public static string? Write(string path, ReadOnlySpan<byte> contents)
    {
        // A device is written to, not replaced; through a link the file behind it is replaced, not the link.
        if (path.StartsWith("/dev/", StringComparison.Ordinal))
            return WriteInPlace(path, contents);
        path = File.Exists(path) ? File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName ?? path : path;
        string temporary = path + "." + Environment.ProcessId.ToString(System.Globalization.CultureInfo.InvariantCulture) + ".tmp";
        try
        {
            File.WriteAllBytes(temporary, contents);
            File.Move(temporary, path, overwrite: true);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            TryDelete(temporary);
            return e.Message;
        }
    }

    private static string? WriteInPlace(string path, ReadOnlySpan<byte> contents)
    {
        try
        {
            using FileStream stream = new(path, FileMode.Open, FileAccess.Write);
            stream.Write(contents);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return e.Message;
        }
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The error that brought us here is the one to report.
        }
    }
}
