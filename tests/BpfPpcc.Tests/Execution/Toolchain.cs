using System.Diagnostics;

namespace BpfPpcc.Tests.Execution;

/// <summary>External programs: where they are and running them.</summary>
public static class Toolchain
{
    public const string Gcc = "powerpc64le-linux-gnu-gcc";
    public const string Qemu = "qemu-ppc64le";

    /// <summary>What a finished program left.</summary>
    public sealed record Outcome(int ExitCode, string Output, string Error, bool IsTimedOut);

    /// <summary>Ends the running test, see <see cref="Tools.Require"/>, where one of the programs is missing.</summary>
    public static void Require(params ReadOnlySpan<string> programs)
    {
        foreach (string program in programs)
            Tools.Require(program);
    }

    public static Outcome Run(string program, IEnumerable<string> arguments, int seconds = 300, string? folder = null)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = folder ?? "" };
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        bool isFinished = process.WaitForExit(TimeSpan.FromSeconds(seconds));
        if (!isFinished)
            process.Kill(entireProcessTree: true);
        process.WaitForExit();
        return new Outcome(process.ExitCode, output.Result, error.Result, !isFinished);
    }

    /// <summary>Runs a program that must succeed.</summary>
    public static void RunChecked(string program, IEnumerable<string> arguments, string? folder = null)
    {
        string[] all = [.. arguments];
        Outcome outcome = Run(program, all, folder: folder);
        if (outcome.ExitCode != 0)
            throw new ToolFailedException($"{program} {string.Join(' ', all)}\n{outcome.Error}");
    }
}

/// <summary>A tool that had to succeed did not.</summary>
public sealed class ToolFailedException(string message) : Exception(message);
