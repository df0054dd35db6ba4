using System.Globalization;
using System.Text;

namespace BpfPpcc.Tests.Execution;

/// <summary>
/// Links compiled objects with the C host of Host/ and runs jobs in it under qemu, many at a time. The host is compiled once in a test run.
/// </summary>
public static class TestHost
{
    private static readonly Lazy<string[]> HostObjects = new(CompileHost);
    private static int _runs;

    /// <summary>Skips the running test where the tools are missing.</summary>
    public static void Require() => Toolchain.Require(Toolchain.Gcc, Toolchain.Qemu);

    /// <summary>Runs jobs, and gives a result for each.</summary>
    /// <param name="objects">ELF objects that define the symbols of the jobs.</param>
    /// <param name="cpu">A CPU of qemu's.</param>
    public static IReadOnlyList<JobResult> Run(IReadOnlyList<byte[]> objects, IReadOnlyList<Job> jobs, string cpu = "power8")
    {
        string folder = Path.Combine(TestPaths.Temporary, $"run{Interlocked.Increment(ref _runs)}");
        Directory.CreateDirectory(folder);
        try
        {
            var symbols = new SymbolTable();
            File.WriteAllBytes(Path.Combine(folder, "jobs"), JobFile.Encode(jobs, symbols.IndexOf));
            File.WriteAllText(Path.Combine(folder, "symbols.s"), symbols.Assembly());
            var files = new List<string>(HostObjects.Value) { "symbols.s" };
            for (int i = 0; i < objects.Count; i++)
            {
                files.Add($"{i}.o");
                File.WriteAllBytes(Path.Combine(folder, files[^1]), objects[i]);
            }

            File.WriteAllText(Path.Combine(folder, "link"), string.Join('\n', ["-static", "-no-pie", "-Wl,--fatal-warnings", "-o", "host", .. files]));
            Toolchain.RunChecked(Toolchain.Gcc, ["@link"], folder);
            return Execute(folder, jobs, cpu);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string[] CompileHost()
    {
        string source = Path.Combine(TestPaths.Execution, "Host");
        var objects = new List<string>();
        foreach (string name in (string[])["host.c", "helpers.c", "trampoline.S"])
        {
            objects.Add(Path.Combine(TestPaths.Temporary, Path.ChangeExtension(name, ".o")));
            Toolchain.RunChecked(Toolchain.Gcc, ["-c", "-O1", "-Wall", "-Wextra", "-Werror", "-fno-pie", Path.Combine(source, name), "-o", objects[^1]]);
        }

        return [.. objects];
    }

    // A job that takes the whole host down with it is not the end: the others run in a new one.
    private static JobResult[] Execute(string folder, IReadOnlyList<Job> jobs, string cpu)
    {
        var results = new JobResult[jobs.Count];
        string answers = Path.Combine(folder, "answers");
        for (int first = 0; first < jobs.Count;)
        {
            File.Delete(answers);
            Toolchain.Outcome outcome = Toolchain.Run(
                Toolchain.Qemu, ["-cpu", cpu, "./host", "jobs", first.ToString(CultureInfo.InvariantCulture), "answers"], folder: folder);
            if (File.Exists(answers))
                first = JobFile.Decode(File.ReadAllBytes(answers), jobs, first, results);
            if (first < jobs.Count)
            {
                string how = outcome.IsTimedOut ? "hung" : $"ended with {outcome.ExitCode}";
                results[first++] = new JobResult($"the host {how} {outcome.Error.Trim()}", 0, [], []);
            }
        }

        return results;
    }

    /// <summary>The addresses that jobs name by index.</summary>
    private sealed class SymbolTable
    {
        private readonly Dictionary<string, int> _indices = [];

        public int IndexOf(string symbol)
        {
            if (!_indices.TryGetValue(symbol, out int index))
                _indices.Add(symbol, index = _indices.Count);
            return index;
        }

        public string Assembly()
        {
            var text = new StringBuilder("        .data\n        .p2align 3\n        .globl  test_symbols\ntest_symbols:\n");
            foreach (string symbol in _indices.Keys)
                text.Append("        .quad   ").Append(symbol).Append('\n');
            return text.Append("        .section .note.GNU-stack,\"\",@progbits\n").ToString();
        }
    }
}
