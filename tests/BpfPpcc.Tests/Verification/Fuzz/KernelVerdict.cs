using System.Text.Json;

namespace BpfPpcc.Tests.Verification.Fuzz;

/// <summary>What the kernel said of a program, and what a run of it gave.</summary>
/// <param name="Log">The end of the verifier's log.</param>
/// <param name="Result">r0 of the test run, or null without one.</param>
/// <param name="Output">The packet after the test run.</param>
internal sealed record KernelVerdict(bool IsAccepted, string[] Log, uint? Result, byte[] Output)
{
    /// <summary>The last line that says what is wrong.</summary>
    public string Reason => IsAccepted ? "" : Log.LastOrDefault(static line => !line.StartsWith("processed ", StringComparison.Ordinal) && line.Length > 0) ?? "no log";
}

/// <summary>
/// Runs the kernel oracle: a folder whose program "run" boots a ppc64le kernel in an emulator and loads programs there (BPFPPCC_ORACLE).
/// </summary>
internal static class KernelOracle
{
    public static string? Folder => Environment.GetEnvironmentVariable("BPFPPCC_ORACLE");

    /// <summary>The kernel's verdicts by program name. A run of the same programs before is not repeated.</summary>
    public static Dictionary<string, KernelVerdict> Ask(IReadOnlyList<StressProgram> programs, string folder)
    {
        Directory.CreateDirectory(folder);
        string input = Path.Combine(folder, "programs.tsv");
        string output = Path.Combine(folder, "verdicts.jsonl");
        string lines = string.Join('\n', programs.Select(static program => program.Line())) + "\n";
        if (!File.Exists(output) || !File.Exists(input) || File.ReadAllText(input) != lines)
        {
            File.WriteAllText(input, lines);
            ToolResult result = Tools.Run(
                Path.Combine(Folder!, "run"), [input, output, "--no-code", "--kernel", "6.12", "--smp", "2", "--prog-timeout", "30"], timeout: TimeSpan.FromMinutes(30));
            Console.WriteLine(result.Error.Trim());
        }

        return Read(output);
    }

    private static Dictionary<string, KernelVerdict> Read(string path)
    {
        var verdicts = new Dictionary<string, KernelVerdict>();
        foreach (string line in File.ReadLines(path))
        {
            using JsonDocument document = JsonDocument.Parse(line);
            JsonElement record = document.RootElement;
            string name = record.GetProperty("prog").GetString()!;
            string verdict = record.GetProperty("verdict").GetString()!;
            if (verdict == "test-run")
            {
                if (record.GetProperty("errno").GetInt32() == 0)
                {
                    verdicts[name] = verdicts[name] with
                    {
                        Result = record.GetProperty("retval").GetUInt32(),
                        Output = Convert.FromHexString(record.GetProperty("data_out_hex").GetString() ?? ""),
                    };
                }
            }
            else if (verdict is "ok" or "rejected")
            {
                string[] log = record.TryGetProperty("log", out JsonElement text) ? [.. text.EnumerateArray().Select(static l => l.GetString()!)] : [];
                // A verifier without complaint: the program array belongs to programs of another type that ran before.
                if (verdict == "rejected" && log.All(static line => line.StartsWith("processed ", StringComparison.Ordinal)))
                    continue;
                verdicts[name] = new KernelVerdict(verdict == "ok", log, null, []);
            }
        }

        return verdicts;
    }
}
