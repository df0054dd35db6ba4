using BpfPpcc.Diagnostics;
using BpfPpcc.Ir;
using BpfPpcc.Lifting;
using BpfPpcc.Tests.FileTests;
using BpfPpcc.Tests.Ir;
using Xunit;

namespace BpfPpcc.Tests.Lifting;

public sealed class LiftingTests
{
    public static TheoryData<string> Cases() => FileTest.In("Lifting", "lift");

    [Theory]
    [MemberData(nameof(Cases))]
    public void Lifts_to_the_expected_form(string file) => FileTest.Check(file, Show);

    private static string Show(string input)
    {
        var diagnostics = new DiagnosticBag();
        IrModule? lifted = Lifter.Lift(IrText.Verify(input), diagnostics);
        if (lifted == null)
            return string.Join('\n', diagnostics.Diagnostics.Select(Describe));
        IrText.AssertWellFormed(lifted);
        return IrPrinter.Print(lifted);
    }

    private static string Describe(Diagnostic diagnostic)
    {
        DiagnosticLocation location = diagnostic.Location!;
        string source = location.Source is { } position ? $" ({position.File}:{position.Line})" : "";
        return $"{diagnostic.Id} {location.Section}/{location.Function}+{location.Instruction}{source}: {diagnostic.Message}";
    }
}
