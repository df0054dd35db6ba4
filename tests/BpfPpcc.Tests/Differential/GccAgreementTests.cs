using BpfPpcc.Tests.Execution;
using Xunit;

namespace BpfPpcc.Tests.Differential;

/// <summary>
/// The differential tester's own parts, tested without the compiler: for random programs, the reference interpreter says what gcc's code of the same
/// programs does in the test host.
/// </summary>
public sealed class GccAgreementTests
{
    [Fact]
    public void Interpreter_and_gcc_agree_on_random_programs()
    {
        TestHost.Require();
        IReadOnlyList<Difference> differences = TesterOf(static slot => slot).Test(Units(1_000_000, 60), level: 1);
        Assert.Empty(differences.Select(static d => $"{d.Unit.Name}: {d.Description}"));
    }

    [Fact]
    public void Interpreter_and_gcc_agree_on_the_edges()
    {
        TestHost.Require();
        IReadOnlyList<Difference> differences = TesterOf(static slot => slot).Test([.. EdgeCases.All().Select(static c => c.Unit)], level: 1);
        Assert.Empty(differences.Select(static d => $"{d.Unit.Name}: {d.Description}"));
    }

    /// <summary>A wrong operation in the compiled code is found, and little is left of the program that shows it.</summary>
    [Theory]
    [InlineData(0x7f, 0xcf, "64-bit shifts to the right are arithmetic")]
    [InlineData(0x9c, 0x3c, "a 32-bit remainder is a quotient")]
    [InlineData(0x6d, 0x2d, "a signed comparison is unsigned")]
    public void A_planted_miscompilation_is_found_and_shrunk(int right, int wrong, string what)
    {
        TestHost.Require();
        DifferentialTester tester = TesterOf(slot => slot.Opcode == right ? slot with { Opcode = (byte)wrong } : slot);
        IReadOnlyList<Difference> differences = tester.Test(Units(0, 300), level: 0);
        Assert.True(differences.Count > 0, what);
        Difference shrunk = new Shrinker(tester).Shrink(differences[0]);
        string text = DifferenceReport.Text(shrunk);
        TestContext.Current.TestOutputHelper?.WriteLine(text);
        Assert.Contains(shrunk.Unit.Functions, f => f.Slots.Any(s => s.Opcode == right));
        Assert.True(shrunk.Unit.SlotCount <= 15, text);
    }

    /// <summary>A unit that the compiler refuses is found among the others.</summary>
    [Fact]
    public void A_unit_that_does_not_compile_is_found()
    {
        TestHost.Require();
        List<TestUnit> units = Units(0, 20);
        var tester = new DifferentialTester((IReadOnlyList<TestUnit> all, int _, out string errors) =>
        {
            errors = "refused";
            return all.Contains(units[13]) ? null : [CTranslation.Compile(all)];
        });
        Difference difference = Assert.Single(tester.Test(units, level: 1));
        Assert.Same(units[13], difference.Unit);
        Assert.Equal(-1, difference.Input);
    }

    private static List<TestUnit> Units(ulong first, int count)
    {
        var units = new List<TestUnit>();
        for (ulong seed = first; units.Count < count; seed++)
        {
            TestUnit unit = ProgramGenerator.Generate(seed);
            if (unit.SlotCount < 2_000)
                units.Add(unit);
        }

        return units;
    }

    private static DifferentialTester TesterOf(Func<Slot, Slot> change) => new((IReadOnlyList<TestUnit> units, int level, out string errors) =>
    {
        errors = "";
        return [CTranslation.Compile([.. units.Select(unit => unit.WithSlots(change))], level)];
    });
}
