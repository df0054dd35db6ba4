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
        ulong first = (ulong)int.Parse(Environment.GetEnvironmentVariable("S") ?? "1000000");
        int n = int.Parse(Environment.GetEnvironmentVariable("N") ?? "60");
        var units = new List<TestUnit>();
        for (ulong seed = first; units.Count < n; seed++)
        {
            TestUnit unit = ProgramGenerator.Generate(seed);
            if (unit.SlotCount < 2_000)
                units.Add(unit);
        }

        IReadOnlyList<UnitRunner.Run> runs = UnitRunner.RunAll(units, CTranslation.Compile(units));
        var differences = new List<string>();
        foreach (UnitRunner.Run run in runs)
        {
            TestOutcome expected = new UnitInterpreter(units[run.Unit]).Run(units[run.Unit].Inputs[run.Input]);
            if (run.Failure is not null)
                differences.Add($"{units[run.Unit].Name}: {run.Failure}");
            else if (!run.Outcome.Agrees(expected))
                differences.Add($"{units[run.Unit].Name}, input {run.Input}: r0 0x{run.Outcome.Result:x}, interpreter 0x{expected.Result:x}");
        }

        Assert.Empty(differences);
    }
}
