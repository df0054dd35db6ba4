using System.Text.Json;
using BpfPpcc.Diagnostics;
using BpfPpcc.Lifting;
using BpfPpcc.Loading;
using BpfPpcc.Tests.Assembler;
using BpfPpcc.Tests.FileTests;
using BpfPpcc.Tests.Ir;
using BpfPpcc.Tests.Optimization;
using BpfPpcc.Verification;
using Xunit;

namespace BpfPpcc.Tests.Lifting;

/// <summary>The kernel's verifier selftests, mostly programs that no sane compiler makes: what has a sound structure lifts and optimizes to well-formed code.</summary>
public sealed class SelftestTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void Odd_programs_stay_well_formed(int level)
    {
        if (Corpus.Find("verifier/selftests-6.1.json") is not { } path)
        {
            Assert.Skip("no corpus: set BPFPPCC_CORPUS");
            return;
        }

        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
        int lifted = 0;
        foreach (JsonElement entry in document.RootElement.GetProperty("tests").EnumerateArray())
        {
            if (entry.GetProperty("insns").ValueKind != JsonValueKind.String)
                continue;
            BpfModule source = BytecodeModule.FromBytes(Convert.FromHexString(entry.GetProperty("insns").GetString()!), mapSlots: MapSlots(entry));
            var diagnostics = new DiagnosticBag();
            VerifiedModule? verified = Verifier.Verify(source, new VerifierOptions { NoVerify = true, RawContext = true }, diagnostics);
            if (verified == null || Lifter.Lift(verified, diagnostics) is not { } module)
                continue;
            IrText.AssertWellFormed(module);
            OptimizedModule.Run(module, level);
            lifted++;
        }

        Assert.True(lifted > 200, $"only {lifted} programs were lifted");
    }

    private static HashSet<int> MapSlots(JsonElement entry)
    {
        var slots = new HashSet<int>();
        foreach (JsonProperty fixup in entry.GetProperty("fixups").EnumerateObject())
        {
            foreach (JsonElement slot in fixup.Value.EnumerateArray())
                slots.Add(slot.GetInt32());
        }

        return slots;
    }
}
