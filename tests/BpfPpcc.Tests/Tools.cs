using System.Diagnostics;
using Xunit;

namespace BpfPpcc.Tests;

/// <summary>What a tool left behind: exit code, standard output, standard error.</summary>
public sealed record ToolResult(int ExitCode, string Output, string Error);

/// <summary>
/// Other people's programs (assemblers, linkers, emulators) as oracles of tests. A test that needs one asks for it with
/// <see cref="Require"/>: where it is not installed the test is skipped, or fails if the environment variable CI is "true".
/// </summary>
public static class Tools
{
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(120);

    /// <summary>LLVM's tools are installed under versioned names; the first of these that exists is taken.</summary>
    private static readonly string[] s_suffixes = ["-19", "", "-20", "-21", "-22", "-18", "-17", "-16"];

    /// <summary>Path of the program <paramref name="name"/> ("llvm-mc", "qemu-ppc64le"), with or without a version suffix, or null.</summary>
    public static string? Find(string name)
    {
        string path = $"{Environment.GetEnvironmentVariable("PATH")}{Path.PathSeparator}/usr/sbin";
        string[] folders = path.Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        foreach (string suffix in s_suffixes)
        {
            foreach (string folder in folders)
            {
                string candidate = Path.Combine(folder, name + suffix);
                if (File.Exists(candidate)) return candidate;
            }
        }
        return null;
    }

    /// <summary>Path of the program, or the test ends here: skipped, or failed where CI is set to "true".</summary>
    public static string Require(string name)
    {
        if (Find(name) is { } path) return path;

        Missing($"{name} is not installed");
        return "";
    }

    /// <summary>Something that the running test needs is not here: the test ends, skipped, or failed where CI is set to "true".</summary>
    public static void Missing(string reason)
    {
        if (string.Equals(Environment.GetEnvironmentVariable("CI"), "true", StringComparison.OrdinalIgnoreCase)) Assert.Fail(reason);
        Assert.Skip(reason);
    }

    /// <summary>Runs a program to its end. A program that outlasts the timeout is killed with its children and fails the test.</summary>
    /// <param name="path">As <see cref="Require"/> returned it.</param>
    /// <param name="arguments">One element per argument; no shell is involved.</param>
    /// <param name="input">Standard input; empty if null.</param>
    /// <param name="workingDirectory">Current directory of the program; the test's own if null.</param>
    public static ToolResult Run(
        string path,
        IEnumerable<string> arguments,
        string? input = null,
        string? workingDirectory = null,
        TimeSpan? timeout = null)
    {
        var start = new ProcessStartInfo(path, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = workingDirectory ?? "",
        };
        using Process process = Process.Start(start) ?? throw new InvalidOperationException($"{path} did not start");
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        try
        {
            process.StandardInput.Write(input);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended without reading its input; its exit code and standard error say why.
        }
        if (!process.WaitForExit(timeout ?? DefaultTimeout))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{Path.GetFileName(path)} did not end within {timeout ?? DefaultTimeout}");
        }
        return new ToolResult(process.ExitCode, output.GetAwaiter().GetResult(), error.GetAwaiter().GetResult());
    }

    /// <summary>Runs a program that must succeed and returns its standard output; otherwise the test fails with its standard error.</summary>
    public static string RunChecked(string path, IEnumerable<string> arguments, string? input = null, string? workingDirectory = null)
    {
        ToolResult result = Run(path, arguments, input, workingDirectory);
        if (result.ExitCode != 0) Assert.Fail($"{Path.GetFileName(path)} ended with {result.ExitCode}:\n{result.Error}{result.Output}");
        return result.Output;
    }
}
