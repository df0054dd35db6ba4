using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using BpfPpcc.Diagnostics;
using BpfPpcc.Elf;
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
        Seed[] seeds = [.. Seeds()];
        Assert.NotEmpty(seeds);
        int compiled = 0, slowest = 0;
        TimeSpan longest = default;
        var causes = new SortedDictionary<string, int>();
        for (int number = first; number < first + count; number++)
        {
            Seed seed = seeds[number % seeds.Length];
            byte[] bytes = Mutate(seed, seeds[number / 7 % seeds.Length].Bytes, new Random(number));
            string where = $"mutation {number} of {seed.Path}";
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

    /// <summary>An object that loads, and where in it the contents of its sections are.</summary>
    private sealed class Seed
    {
        public Seed(string path, byte[] bytes)
        {
            Path = path;
            Bytes = bytes;
            Assert.True(ElfReader.TryRead(bytes, path, new DiagnosticBag(), out ElfFile? file));
            foreach (ElfSection section in file!.Sections)
            {
                if (!section.Contents.IsEmpty && !section.Name.StartsWith(".debug", StringComparison.Ordinal)
                    && MemoryMarshal.TryGetArray(section.Contents, out ArraySegment<byte> place))
                {
                    Sections.Add((place.Offset, place.Count));
                }
            }
        }

        public string Path { get; }

        public byte[] Bytes { get; }

        public List<(int Offset, int Length)> Sections { get; } = [];
    }

    private static IEnumerable<Seed> Seeds()
    {
        foreach (string path in Objects.Prebuilt)
            yield return new Seed(path, File.ReadAllBytes(path));
        string corpus = Environment.GetEnvironmentVariable("BPFPPCC_CORPUS") ?? Path.Combine(Objects.ProjectRoot ?? "", "../shared/corpus");
        foreach (string folder in (string[])["samples", "verifier"])
        {
            if (!Directory.Exists(Path.Combine(corpus, folder)))
                continue;
            foreach (string path in Directory.EnumerateFiles(Path.Combine(corpus, folder), "*.o", SearchOption.AllDirectories).Order())
            {
                byte[] bytes = File.ReadAllBytes(path);
                if (bytes.Length <= LargestObject && ElfReader.TryRead(bytes, path, new DiagnosticBag(), out _))
                    yield return new Seed(path, bytes);
            }
        }
    }

    /// <summary>
    /// Bytes, words and ranges changed, moved and exchanged with another object; sometimes a cut end. Most changes are to contents of
    /// sections: those of headers are found out early.
    /// </summary>
    private static byte[] Mutate(Seed seed, byte[] other, Random random)
    {
        byte[] bytes = (byte[])seed.Bytes.Clone();
        bool spareHeaders = random.Next(4) != 0;
        for (int change = random.Next(1, 12); change > 0; change--)
        {
            (int start, int room) = spareHeaders ? seed.Sections[random.Next(seed.Sections.Count)] : (0, bytes.Length);
            int at = start + random.Next(room);
            Span<byte> place = bytes.AsSpan(at, Math.Min(random.Next(1, 64), start + room - at));
            switch (random.Next(9))
            {
                case 0: place[0] ^= (byte)(1 << random.Next(8)); break;
                case 1: place[0] = (byte)random.Next(256); break;
                case 2: place[0] = 0; break;
                case 3: place[0] = 255; break;
                case 4: place[..Math.Min(4, place.Length)].Fill((byte)(random.Next(2) * 255)); break;
                case 5: bytes.AsSpan(start + random.Next(room - place.Length + 1), place.Length).CopyTo(place); break;
                case 6: place[0] = (byte)(place[0] + random.Next(-4, 5)); break;
                case 7 when other.Length >= place.Length: other.AsSpan(random.Next(other.Length - place.Length + 1), place.Length).CopyTo(place); break;
                case 8 when !spareHeaders && random.Next(10) == 0: return bytes[..at];
                default: place[^1] = (byte)random.Next(256); break;
            }
        }

        return bytes;
    }
}
