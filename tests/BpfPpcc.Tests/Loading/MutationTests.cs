using System.Diagnostics;
using System.Globalization;
using BpfPpcc.Diagnostics;
using Xunit;

namespace BpfPpcc.Tests.Loading;

/// <summary>
/// Mutated objects through the whole compiler: no exception, no hang, memory bounded. The environment variable BPFPPCC_MUTATIONS sets
/// how many; from one number comes one mutation, so that a failure can be repeated with its number alone.
/// </summary>
public sealed class MutationTests(ITestOutputHelper output)
{
    private const int DefaultCount = 3000;
    private const long MemoryLimit = 1L << 30;
    private const int LargestObject = 64 << 10;

    private static readonly TimeSpan TimeLimit = TimeSpan.FromSeconds(5);

    [Fact]
    public void Mutated_objects_compile_or_are_refused()
    {
        int count = int.Parse(Environment.GetEnvironmentVariable("BPFPPCC_MUTATIONS") ?? $"{DefaultCount}", CultureInfo.InvariantCulture);
        int first = int.Parse(Environment.GetEnvironmentVariable("BPFPPCC_FIRST_MUTATION") ?? "0", CultureInfo.InvariantCulture);
        (string Path, byte[] Bytes)[] seeds = [.. Seeds()];
        Assert.NotEmpty(seeds);
        int compiled = 0, slowest = 0;
        TimeSpan longest = default;
        var causes = new SortedDictionary<string, int>();
        for (int number = first; number < first + count; number++)
        {
            (string path, byte[] original) = seeds[number % seeds.Length];
            byte[] bytes = Mutate(original, seeds[number / 7 % seeds.Length].Bytes, new Random(number));
            string where = $"mutation {number} of {path}";
            long before = Stopwatch.GetTimestamp();
            CompilationResult result = CompileChecked(bytes, number, where);
            TimeSpan elapsed = Stopwatch.GetElapsedTime(before);
            Assert.True(elapsed < TimeLimit, $"{where}: {elapsed}");
            if (elapsed > longest)
                (longest, slowest) = (elapsed, number);
            compiled += result.Output is null ? 0 : 1;
            string cause = result.Output is not null ? "compiled"
                : result.Diagnostics.FirstOrDefault(d => d.Severity == DiagnosticSeverity.Error)?.Id.ToString() ?? "nothing";
            Assert.NotEqual("nothing", cause);
            causes[cause] = causes.GetValueOrDefault(cause) + 1;
        }

        using Process process = Process.GetCurrentProcess();
        output.WriteLine($"{count} mutations of {seeds.Length} objects: {compiled} compiled, slowest {longest.TotalMilliseconds:F0} ms (mutation {slowest}), peak memory {process.PeakWorkingSet64 >> 20} MiB");
        foreach ((string cause, int times) in causes)
            output.WriteLine($"{times,8} {cause}");
    }

    private static CompilationResult CompileChecked(byte[] bytes, int number, string where)
    {
        try
        {
            long before = GC.GetTotalAllocatedBytes();
            CompilationResult result = Compiler.Compile(bytes, new CompilerOptions { NoVerify = true, RawContext = number % 3 == 0 });
            long allocated = GC.GetTotalAllocatedBytes() - before;
            Assert.True(allocated < 4 * MemoryLimit, $"{where}: {allocated >> 20} MiB allocated");
            return result;
        }
        catch (Exception e) when (e is not Xunit.Sdk.XunitException)
        {
            throw new InvalidOperationException(where, e);
        }
    }

    private static IEnumerable<(string, byte[])> Seeds()
    {
        foreach (string path in Objects.Prebuilt)
            yield return (path, File.ReadAllBytes(path));
        string corpus = Environment.GetEnvironmentVariable("BPFPPCC_CORPUS") ?? Path.Combine(Objects.ProjectRoot ?? "", "../shared/corpus");
        foreach (string folder in (string[])["samples", "verifier"])
        {
            if (!Directory.Exists(Path.Combine(corpus, folder)))
                continue;
            foreach (string path in Directory.EnumerateFiles(Path.Combine(corpus, folder), "*.o", SearchOption.AllDirectories).Order())
            {
                byte[] bytes = File.ReadAllBytes(path);
                if (bytes.Length <= LargestObject)
                    yield return (path, bytes);
            }
        }
    }

    /// <summary>Bytes, words and ranges changed, moved and exchanged with another object; sometimes a cut end.</summary>
    private static byte[] Mutate(byte[] original, byte[] other, Random random)
    {
        byte[] bytes = (byte[])original.Clone();
        for (int change = random.Next(1, 12); change > 0; change--)
        {
            int at = random.Next(bytes.Length);
            int length = Math.Min(random.Next(1, 64), bytes.Length - at);
            switch (random.Next(9))
            {
                case 0: bytes[at] ^= (byte)(1 << random.Next(8)); break;
                case 1: bytes[at] = (byte)random.Next(256); break;
                case 2: bytes[at] = 0; break;
                case 3: bytes[at] = 255; break;
                case 4: bytes.AsSpan(at & ~3, Math.Min(4, bytes.Length - (at & ~3))).Fill((byte)(random.Next(2) * 255)); break;
                case 5: bytes.AsSpan(random.Next(bytes.Length - length + 1), length).CopyTo(bytes.AsSpan(at, length)); break;
                case 6: bytes[at] = (byte)(bytes[at] + random.Next(-4, 5)); break;
                case 7 when other.Length >= length: other.AsSpan(random.Next(other.Length - length + 1), length).CopyTo(bytes.AsSpan(at, length)); break;
                case 8 when random.Next(10) == 0: return bytes[..at];
                default: bytes[random.Next(Math.Min(64, bytes.Length))] ^= (byte)(random.Next(10) == 0 ? 1 : 0); break;
            }
        }

        return bytes;
    }
}
