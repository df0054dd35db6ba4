using BpfPpcc.Diagnostics;
using BpfPpcc.Ir;
using BpfPpcc.Lifting;
using BpfPpcc.Loading;
using BpfPpcc.Tests.Assembler;
using BpfPpcc.Verification;
using Xunit;

namespace BpfPpcc.Tests.Ir;

/// <summary>From assembly text to SSA form, for the tests of lifting and of the passes.</summary>
internal static class IrText
{
    private const string Directive = "// verify";

    /// <summary>
    /// Verified, as the pipeline would with --no-verify, or with all proofs if there is a line "// verify". Fails if there is anything to
    /// complain about.
    /// </summary>
    public static VerifiedModule Verify(string text) =>
        Verify(BpfAssembler.Assemble(text), text.Contains(Directive + "\n", StringComparison.Ordinal));

    public static VerifiedModule Verify(BpfModule module, bool isProved = false)
    {
        var diagnostics = new DiagnosticBag();
        VerifiedModule? verified = Verifier.Verify(module, new VerifierOptions { NoVerify = !isProved }, diagnostics);
        Assert.True(verified != null, string.Join('\n', diagnostics.Diagnostics.Select(static diagnostic => diagnostic.Message)));
        return verified;
    }

    /// <summary>Lifted and checked.</summary>
    public static IrModule Lift(string text) => Lift(Verify(text));

    public static IrModule Lift(VerifiedModule verified)
    {
        var diagnostics = new DiagnosticBag();
        IrModule? lifted = Lifter.Lift(verified, diagnostics);
        Assert.True(lifted != null, string.Join('\n', diagnostics.Diagnostics.Select(static diagnostic => diagnostic.Message)));
        AssertWellFormed(lifted);
        return lifted;
    }

    public static void AssertWellFormed(IrModule module)
    {
        IReadOnlyList<string> violations = IrChecker.Check(module);
        if (violations.Count > 0)
            Assert.Fail(string.Join('\n', violations.Take(20)) + "\n" + IrPrinter.Print(module));
    }
}
