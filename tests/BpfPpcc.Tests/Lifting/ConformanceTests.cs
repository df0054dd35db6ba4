using System.Globalization;
using System.Text.Json;
using BpfPpcc.Diagnostics;
using BpfPpcc.Ir;
using BpfPpcc.Symbols;
using BpfPpcc.Tests.Assembler;
using BpfPpcc.Tests.FileTests;
using BpfPpcc.Tests.Ir;
using BpfPpcc.Tests.Optimization;
using BpfPpcc.Verification;
using Xunit;

namespace BpfPpcc.Tests.Lifting;

/// <summary>The programs of the public conformance suites give their published results as SSA form, as lifted and after the passes of each level.</summary>
public sealed class ConformanceTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void Programs_give_their_published_results(int level)
    {
        if (Corpus.Find("conformance/conformance.json") is not { } path)
        {
            Assert.Skip("no corpus: set BPFPPCC_CORPUS");
            return;
        }

        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
        var failures = new List<string>();
        int passed = 0;
        foreach (JsonElement entry in document.RootElement.EnumerateArray())
        {
            if (!entry.TryGetProperty("expected_result", out JsonElement expected) || expected.ValueKind != JsonValueKind.String)
                continue;
            if (Failure(entry, expected.GetString()!, level) is { } failure)
                failures.Add($"{entry.GetProperty("name").GetString()}: {failure}");
            else
                passed++;
        }

        Assert.Empty(failures);
        Assert.Equal(218, passed);
    }

    private static string? Failure(JsonElement entry, string expected, int level)
    {
        byte[] code = Convert.FromHexString(entry.GetProperty("bytecode_hex").GetString()!);
        byte[] memory = Convert.FromHexString(entry.GetProperty("memory_hex").GetString()!);
        var diagnostics = new DiagnosticBag();
        VerifiedModule? verified = Verifier.Verify(
            BytecodeModule.FromBytes(code), new VerifierOptions { NoVerify = true, RawContext = true }, diagnostics);
        if (verified == null)
            return diagnostics.Diagnostics[0].Message;

        IrModule module = IrText.Lift(verified);
        OptimizedModule.Run(module, level);
        var interpreter = new IrInterpreter(module, memory, seed: 1) { Extern = Helper };
        try
        {
            IrOutcome outcome = interpreter.Run(module.Functions[0], (ulong)memory.Length);
            ulong wanted = ulong.Parse(expected.AsSpan(2), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            if (outcome.Result != wanted)
                return $"0x{outcome.Result:x}, not 0x{wanted:x}\n{IrPrinter.Print(module)}";
            bool isSame = !entry.TryGetProperty("final_memory_hex", out JsonElement final) || final.ValueKind != JsonValueKind.String
                || outcome.Context.AsSpan().SequenceEqual(Convert.FromHexString(final.GetString()!));
            return isSame ? null : $"memory {Convert.ToHexStringLower(outcome.Context)}";
        }
        catch (IrFaultException fault)
        {
            return fault.Message + "\n" + IrPrinter.Print(module);
        }
    }

    /// <summary>The helpers that uBPF's programs call, by uBPF's numbers.</summary>
    private static ulong Helper(Symbol symbol, ulong[] arguments, IrMemory memory)
    {
        var a = new ulong[5];
        arguments.CopyTo(a, 0);
        switch (symbol.Index)
        {
            case 0:
                return (a[0] & 0xff) << 32 | (a[1] & 0xff) << 24 | (a[2] & 0xff) << 16 | (a[3] & 0xff) << 8 | (a[4] & 0xff);
            case 1:
                for (ulong i = 0; i < a[1]; i++)
                    memory.Store(a[0] + i, 8, memory.Load(a[0] + i, 8) ^ 42);
                return a[0];
            case 2:
                return 0;
            case 3:
                return (ulong)Math.Sqrt((uint)a[0]);
            case 4:
                return Compare(a[0], a[1], memory);
            case 5:
                return a[0];
            default:
                throw new IrFaultException($"helper {symbol.Name}");
        }
    }

    private static ulong Compare(ulong a, ulong b, IrMemory memory)
    {
        for (ulong i = 0; ; i++)
        {
            ulong left = memory.Load(a + i, 8);
            ulong right = memory.Load(b + i, 8);
            if (left != right || left == 0)
                return left - right;
        }
    }
}
