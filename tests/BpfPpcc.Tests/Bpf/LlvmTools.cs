using System.Diagnostics;
using Xunit;

namespace BpfPpcc.Tests.Bpf;

/// <summary>Runs LLVM's BPF tools; a test that needs one that is not installed is skipped.</summary>
internal static class LlvmTools
{
    /// <summary>The standard output of a tool that must succeed.</summary>
    public static string Run(string tool, params string[] arguments)
    {
        var start = new ProcessStartInfo(tool, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            Assert.Skip($"{tool} is not installed");
            throw;
        }

        using (process)
        {
            Task<string> errors = process.StandardError.ReadToEndAsync();
            string output = process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            Assert.True(process.ExitCode == 0, $"{tool}: {errors.Result}");
            return output;
        }
    }
}
