using System.Text.Json;
using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using BpfPpcc.Tests.Assembler;
using BpfPpcc.Tests.FileTests;
using BpfPpcc.Verification;
using Xunit;

namespace BpfPpcc.Tests.Verification;

/// <summary>Programs of the kernel's verifier selftests, with the verdicts of a running kernel.</summary>
public sealed class KernelVerdictTests
{
    /// <summary>
    /// Structure and pointer classes ask for no more than the kernel does.
    /// </summary>
    [Fact]
    public void Refuses_nothing_that_the_kernel_accepts()
    {
        string? path = Corpus.Find("verifier/selftests-6.1.json");
        Assert.SkipWhen(path is null, "no corpus");
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path!));
        var refused = new List<string>();
        int accepted = 0;
        foreach (JsonElement test in document.RootElement.GetProperty("tests").EnumerateArray())
        {
            if (test.GetProperty("kernel_6_18").ValueKind != JsonValueKind.Object
                || test.GetProperty("kernel_6_18").GetProperty("verdict").GetString() != "ACCEPT"
                || test.GetProperty("kfuncs").GetArrayLength() != 0 || test.GetProperty("insns").ValueKind != JsonValueKind.String)
            {
                continue;
            }

            (VerifiedModule? verified, DiagnosticBag diagnostics) = VerificationText.Verify(ModuleOf(test));
            accepted++;
            if (verified is null)
                refused.Add($"{test.GetProperty("name").GetString()}: {diagnostics.Diagnostics[0].Id} at {diagnostics.Diagnostics[0].Location?.Instruction}");
        }

        Assert.True(accepted > 300, $"{accepted} programs");
        Assert.Equal("", string.Join("\n", refused));
    }

    private static BpfModule ModuleOf(JsonElement test)
    {
        const int MapAddress = 1;
        byte[] code = Convert.FromHexString(test.GetProperty("insns").GetString()!);
        var mapSlots = new HashSet<int>();
        foreach (JsonProperty fixup in test.GetProperty("fixups").EnumerateObject())
        {
            foreach (JsonElement slot in fixup.Value.EnumerateArray())
            {
                int at = slot.GetInt32() * BpfInstruction.Size;
                mapSlots.Add(slot.GetInt32());

                // The offset into a map's value has no place in the address of a map.
                if (code[at + 1] >> 4 != MapAddress)
                    code.AsSpan(at + BpfInstruction.Size + 4, 4).Clear();
            }
        }

        return BytecodeModule.FromBytes(
            code, type: (BpfProgramType)test.GetProperty("prog_type").GetUInt32(), mapSlots: mapSlots);
    }
}
