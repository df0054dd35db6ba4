using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Differential;

/// <summary>Makes machine code of test units: objects with their symbols, or null and the reason.</summary>
public delegate IReadOnlyList<byte[]>? UnitCompiler(IReadOnlyList<TestUnit> units, int optimizationLevel, out string errors);

/// <summary>A unit whose compiled code does not do what the interpreter says.</summary>
/// <param name="Input">Index of the unit's input, -1 if the unit does not even compile.</param>
public sealed record Difference(TestUnit Unit, int Input, int OptimizationLevel, string Description, TestOutcome? Expected, TestOutcome? Actual);

/// <summary>Compares compiled code with the reference interpreter: many units at a time, each in one link.</summary>
public sealed class DifferentialTester(UnitCompiler compile)
{
    private const long StepLimit = 40_000_000;

    /// <summary>Units of consecutive seeds at one or more optimization levels; differences in order of seeds.</summary>
    /// <param name="coverage">Takes what the programs did, which costs time; or null.</param>
    public IReadOnlyList<Difference> TestSeeds(ulong first, int count, IReadOnlyList<int> levels, Coverage? coverage)
    {
        var units = new TestUnit[count];
        var expected = new List<TestOutcome[]>(count);
        for (int i = 0; i < count; i++)
        {
            units[i] = ProgramGenerator.Generate(first + (ulong)i, coverage, out TestOutcome[]? outcomes);
            expected.Add(coverage is null && outcomes is not null ? outcomes : Outcomes(units[i], coverage));
        }

        return [.. levels.SelectMany(level => Compare(units, expected, level))];
    }

    private static TestOutcome[] Outcomes(TestUnit unit, Coverage? coverage)
    {
        var interpreter = new UnitInterpreter(unit) { StepLimit = StepLimit };
        TestOutcome[] outcomes = [.. unit.Inputs.Select(input => interpreter.Run(input, coverage))];
        if (coverage is not null)
            interpreter.CountSlots(coverage);
        return outcomes;
    }

    /// <summary>Of valid units, those that go wrong.</summary>
    public IReadOnlyList<Difference> Test(IReadOnlyList<TestUnit> units, int level)
    {
        List<TestOutcome[]> expected = [.. units.Select(static unit => Outcomes(unit, coverage: null))];
        return Compare(units, expected, level);
    }

    private List<Difference> Compare(IReadOnlyList<TestUnit> units, List<TestOutcome[]> expected, int level)
    {
        var differences = new List<Difference>();
        if (units.Count == 0)
            return differences;
        IReadOnlyList<UnitRunner.Run>? runs = TryRun(units, level, out string errors);
        if (runs is null)
        {
            // One of them does not compile, or what comes out does not link: halves, until it is found.
            if (units.Count == 1)
                return [new Difference(units[0], -1, level, errors, null, null)];
            int half = units.Count / 2;
            differences.AddRange(Compare([.. units.Take(half)], expected[..half], level));
            differences.AddRange(Compare([.. units.Skip(half)], expected[half..], level));
            return differences;
        }

        foreach (UnitRunner.Run run in runs)
        {
            TestOutcome right = expected[run.Unit][run.Input];
            if (run.Failure is not null)
                differences.Add(new Difference(units[run.Unit], run.Input, level, run.Failure, right, null));
            else if (!run.Outcome.Agrees(right))
                differences.Add(new Difference(units[run.Unit], run.Input, level, Describe(right, run.Outcome), right, run.Outcome));
        }

        return differences;
    }

    private IReadOnlyList<UnitRunner.Run>? TryRun(IReadOnlyList<TestUnit> units, int level, out string errors)
    {
        IReadOnlyList<byte[]>? compiled = compile(units, level, out errors);
        if (compiled is null)
            return null;
        try
        {
            return UnitRunner.RunAll(units, compiled);
        }
        catch (ToolFailedException failure)
        {
            errors = failure.Message;
            return null;
        }
    }

    private static string Describe(TestOutcome expected, TestOutcome actual)
    {
        if (expected.Result != actual.Result)
            return $"r0 is 0x{actual.Result:x}, not 0x{expected.Result:x}";
        if (!expected.Memory.AsSpan().SequenceEqual(actual.Memory))
            return $"memory differs from byte {expected.Memory.AsSpan().CommonPrefixLength(actual.Memory)} on";
        return "a variable or map differs";
    }
}
