using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using BpfPpcc.Tests.Assembler;
using BpfPpcc.Verification;
using Xunit;

namespace BpfPpcc.Tests.Verification.Walk;

public sealed class WalkProgramTests
{
    private static readonly Dictionary<string, WalkProgram> Programs = WalkProgram.All().ToDictionary(static program => $"{program.File}: {program.Name}");

    public static TheoryData<string> Names() => [.. Programs.Keys];

    /// <summary>Without those whose proof is that later rounds of a loop are covered.</summary>
    public static TheoryData<string> NamesOfWalked() => [.. Programs.Where(static program => program.Value.File != "induction").Select(static program => program.Key)];

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
    [MemberData(nameof(NamesOfWalked))]
    public void Verdict_is_the_same_without_pruning(string name)
    {
        WalkProgram program = Programs[name];
        Assert.Equal(program.Verify() is null, program.Verify(prunes: false) is null);
    }

    /// <summary>Arenas are verified, because Linux has them, but cannot be compiled.</summary>
    [Theory]
    [InlineData("r2 = 8\nr2 = addr_space_cast(r2, 0, 1)\nr0 = 0\nexit", DiagnosticId.AddressSpaceCastUnsupported)]
    [InlineData(".data .addr_space.1 size=8\nr2 = data .addr_space.1+0\nr0 = 0\nexit", DiagnosticId.ArenaUnsupported)]
    [InlineData("r0 = 0\nr2 = 8\nif r2 == 8 goto out\nr2 = addr_space_cast(r2, 0, 1)\nout:\nexit", null)]
    public void Arenas_are_verified_but_not_compiled(string text, DiagnosticId? id)
    {
        BpfModule module = BpfAssembler.Assemble(".map a type=ARENA key=0 value=0\n.program p section=xdp\n" + text);
        Assert.True(Verifier.Report(module, new VerifierOptions(), new DiagnosticBag()).IsAccepted);
        var diagnostics = new DiagnosticBag();
        VerifiedModule? verified = Verifier.Verify(module, new VerifierOptions(), diagnostics);
        Assert.Equal(id, diagnostics.Diagnostics.FirstOrDefault(static diagnostic => diagnostic.Severity == DiagnosticSeverity.Error)?.Id);
        Assert.Equal(id is null, verified is not null);
    }

    /// <summary>What no path leads to stands for later stages as something that they can compile.</summary>
    [Fact]
    public void Writes_to_the_frame_pointer_that_are_never_reached_are_gone()
    {
        const string Text = ".program p section=xdp\nr0 = 0\nr1 = 5\nif r1 == 5 goto out\nr10 = r1\nr10 = 7 ll\nout:\nexit";
        VerifiedModule verified = Verifier.Verify(BpfAssembler.Assemble(Text), new VerifierOptions(), new DiagnosticBag())!;
        Assert.All(verified.Module.Functions[0].Instructions, static instruction => Assert.NotEqual(10, instruction.WrittenRegister));
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
