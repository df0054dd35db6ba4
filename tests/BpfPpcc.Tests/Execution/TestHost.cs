using System.Buffers.Binary;
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

    private static readonly string[] Damages =
        ["stack pointer", "r14..r31", "cr2..cr4", "f14..f31", "the caller's frame", "bytes around the memory", "r2", "r13"];

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
            File.WriteAllBytes(Path.Combine(folder, "jobs"), Encode(jobs, symbols));
            File.WriteAllText(Path.Combine(folder, "symbols.s"), symbols.Assembly());
            var files = new List<string>(HostObjects.Value) { "symbols.s" };
            for (int i = 0; i < objects.Count; i++)
            {
                files.Add($"{i}.o");
                File.WriteAllBytes(Path.Combine(folder, files[^1]), objects[i]);
            }

            File.WriteAllText(Path.Combine(folder, "link"), string.Join('\n', ["-static", "-no-pie", "-Wl,--fatal-warnings", "-o", "host", .. files]));
            Toolchain.RunChecked(Toolchain.Gcc, ["@link"], folder);
            return Execute(folder, jobs.Count, cpu);
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
    private static JobResult[] Execute(string folder, int jobs, string cpu)
    {
        var results = new JobResult[jobs];
        for (int first = 0; first < jobs;)
        {
            Toolchain.Outcome outcome = Toolchain.Run(
                Toolchain.Qemu, ["-cpu", cpu, "./host", "jobs", first.ToString(CultureInfo.InvariantCulture)], folder: folder);
            foreach (string line in outcome.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            {
                if (TryParse(line, out int job, out JobResult? result) && job == first)
                {
                    results[job] = result!;
                    first++;
                }
            }

            if (first < jobs)
            {
                string how = outcome.IsTimedOut ? "hung" : $"ended with {outcome.ExitCode}";
                results[first++] = new JobResult($"the host {how} {outcome.Error.Trim()}", 0, [], []);
            }
        }

        return results;
    }

    private static bool TryParse(string line, out int job, out JobResult? result)
    {
        string[] fields = line.Split(' ');
        result = null;
        if (!int.TryParse(fields[0], NumberStyles.None, CultureInfo.InvariantCulture, out job) || fields.Length < 3)
            return false;
        if (fields[1] == "signal")
        {
            result = new JobResult(fields[2] == "14" ? "does not end" : $"signal {fields[2]}", 0, [], []);
            return true;
        }

        if (fields[1] != "ok" || fields.Length < 5)
            return false;
        int damage = int.Parse(fields[3], NumberStyles.HexNumber, CultureInfo.InvariantCulture);
        string? failure = damage == 0 ? null : "breaks " + string.Join(", ", Damages.Where((_, bit) => (damage >> bit & 1) != 0));
        result = new JobResult(
            failure, ulong.Parse(fields[2], NumberStyles.HexNumber, CultureInfo.InvariantCulture), Bytes(fields[4]), [.. fields.Skip(5).Select(Bytes)]);
        return true;
    }

    private static byte[] Bytes(string field) => field == "-" ? [] : Convert.FromHexString(field);

    /// <summary>The job file, as host.c reads it: counts, then each job with its memory and regions, everything padded to 8 bytes.</summary>
    private static byte[] Encode(IReadOnlyList<Job> jobs, SymbolTable symbols)
    {
        var bytes = new List<byte>();
        Word(bytes, jobs.Count);
        Word(bytes, 0);
        foreach (Job job in jobs)
        {
            Word(bytes, symbols.IndexOf(job.Program));
            Word(bytes, job.Memory.Length);
            Word(bytes, job.Regions.Count);
            Word(bytes, job.UsesUbpfHelpers ? 1 : 0);
            for (int i = 0; i < 4; i++)
                Doubleword(bytes, i < job.Arguments.Count ? job.Arguments[i] : 0);
            Padded(bytes, job.Memory);
            foreach (JobRegion region in job.Regions)
            {
                byte[] contents = region.Programs is null ? region.Contents : Indices(region.Programs, symbols);
                Word(bytes, (int)region.Kind);
                Word(bytes, symbols.IndexOf(region.Symbol));
                Word(bytes, contents.Length);
                Word(bytes, 0);
                Padded(bytes, contents);
            }
        }

        return [.. bytes];
    }

    private static byte[] Indices(IReadOnlyList<string?> programs, SymbolTable symbols)
    {
        var bytes = new List<byte>();
        foreach (string? program in programs)
            Word(bytes, program is null ? -1 : symbols.IndexOf(program));
        return [.. bytes];
    }

    private static void Word(List<byte> bytes, int value)
    {
        Span<byte> word = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(word, value);
        bytes.AddRange(word);
    }

    private static void Doubleword(List<byte> bytes, ulong value)
    {
        Span<byte> word = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(word, value);
        bytes.AddRange(word);
    }

    private static void Padded(List<byte> bytes, byte[] contents)
    {
        bytes.AddRange(contents);
        while (bytes.Count % 8 != 0)
            bytes.Add(0);
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
