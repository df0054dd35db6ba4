using System.Globalization;
using System.Text.Json;
using Xunit;

namespace BpfPpcc.Tests.Execution;

/// <summary>A program of the public conformance suites (bpf_conformance, uBPF), as the corpus has it.</summary>
/// <param name="Code">Slots, little-endian.</param>
/// <param name="Memory">What r1 points to; empty: r1 is 0.</param>
/// <param name="ExpectedResult">r0, or null where the program must be refused.</param>
/// <param name="FinalMemory">Where the suite says it.</param>
/// <param name="ObjectPath">The same program as a BPF object, its function called main.</param>
public sealed record ConformanceProgram(
    string Name, byte[] Code, byte[] Memory, ulong? ExpectedResult, byte[]? FinalMemory, string ObjectPath)
{
    /// <summary>All of them; the test that asks is skipped where there is no corpus.</summary>
    public static IReadOnlyList<ConformanceProgram> LoadAll()
    {
        string? corpus = TestPaths.Corpus;
        string? folder = corpus is null ? null : Path.Combine(corpus, "conformance");
        if (folder is null || !File.Exists(Path.Combine(folder, "conformance.json")))
            Assert.Skip("no corpus: set BPFPPCC_CORPUS");
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "conformance.json")));
        return [.. document.RootElement.EnumerateArray().Select(entry => From(entry, folder))];
    }

    private static ConformanceProgram From(JsonElement entry, string folder)
    {
        string name = entry.GetProperty("name").GetString()!;
        string? result = entry.TryGetProperty("expected_result", out JsonElement expected) ? expected.GetString() : null;
        return new ConformanceProgram(
            name,
            Bytes(entry, "bytecode_hex")!,
            Bytes(entry, "memory_hex")!,
            result is null ? null : ulong.Parse(result.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture),
            Bytes(entry, "final_memory_hex"),
            Path.Combine(folder, "elf", name + ".o"));
    }

    private static byte[]? Bytes(JsonElement entry, string property) =>
        entry.TryGetProperty(property, out JsonElement value) ? Convert.FromHexString(value.GetString()!) : null;
}
