using BpfPpcc.Diagnostics;
using Xunit;

namespace BpfPpcc.Tests.Verification.Walk;

public sealed class WalkProgramTests
{
    private static readonly Dictionary<string, WalkProgram> Programs = WalkProgram.All().ToDictionary(static program => $"{program.File}: {program.Name}");

    public static TheoryData<string> Names() => [.. Programs.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Verdict_is_the_expected_one(string name)
    {
        WalkProgram program = Programs[name];
        Diagnostic? error = program.Verify();
        Assert.True(program.Error == error?.Id, $"expected {Show(program.Error)}, but got {Show(error?.Id)} at {error?.Location?.Instruction}: {error?.Message}");
        if (program.Instruction is { } instruction)
            Assert.Equal(instruction, error!.Location!.Instruction);
    }

    /// <summary>Pruning ends paths that an older state covers, and so must not change the verdict.</summary>
    [Theory]
    [MemberData(nameof(Names))]
    public void Verdict_is_the_same_without_pruning(string name)
    {
        WalkProgram program = Programs[name];
        Assert.Equal(program.Verify() is null, program.Verify(prunes: false) is null);
    }

    [Fact]
    public void Every_mistake_has_a_program_that_makes_it()
    {
        var made = new HashSet<DiagnosticId>(Programs.Values.Select(static program => program.Error).OfType<DiagnosticId>());
        DiagnosticId[] missing =
        [
            .. Enum.GetValues<DiagnosticId>().Where(id => id is >= DiagnosticId.VerifierBudgetExceeded and < DiagnosticId.ProgramTypeFound && !made.Contains(id)),
        ];
        Assert.Empty(missing);
    }

    private static string Show(DiagnosticId? id) => id?.ToString() ?? "accept";
}
