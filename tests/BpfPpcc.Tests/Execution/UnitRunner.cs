namespace BpfPpcc.Tests.Execution;

/// <summary>Test units -> jobs -> what the compiled code left behind, in the form in which the interpreter says it.</summary>
public static class UnitRunner
{
    /// <summary>A unit's run of one input.</summary>
    /// <param name="Failure">Null if it returned and broke nothing.</param>
    public sealed record Run(int Unit, int Input, string? Failure, TestOutcome Outcome);

    /// <summary>Runs all inputs of all units, which were compiled from objects of <see cref="BpfObjectWriter"/>.</summary>
    public static IReadOnlyList<Run> RunAll(IReadOnlyList<TestUnit> units, IReadOnlyList<byte[]> compiled, string cpu = "power8")
    {
        var jobs = new List<Job>();
        var origins = new List<(int Unit, int Input)>();
        for (int u = 0; u < units.Count; u++)
        {
            JobRegion[] regions = RegionsOf(u, units[u]);
            for (int i = 0; i < units[u].Inputs.Count; i++)
            {
                TestInput input = units[u].Inputs[i];
                string entry = BpfObjectWriter.SymbolName(u, units[u].Functions[units[u].Entry].Name);
                jobs.Add(new Job(entry, input.Memory, input.Arguments, regions));
                origins.Add((u, i));
            }
        }

        IReadOnlyList<JobResult> results = TestHost.Run(compiled, jobs, cpu);
        return [.. results.Select((result, i) => new Run(origins[i].Unit, origins[i].Input, result.Failure, OutcomeOf(units[origins[i].Unit], result)))];
    }

    private static JobRegion[] RegionsOf(int index, TestUnit unit)
    {
        var regions = new List<JobRegion>();
        foreach (TestVariable variable in unit.Variables)
        {
            if (!variable.IsReadOnly)
                regions.Add(new JobRegion(JobRegionKind.Variable, BpfObjectWriter.SymbolName(index, variable.Name), variable.Contents));
        }

        foreach (TestMap map in unit.Maps)
        {
            string symbol = BpfObjectWriter.SymbolName(index, map.Name);
            if (map.Programs is null)
                regions.Add(new JobRegion(JobRegionKind.ArrayMap, symbol, map.Strided()));
            else
                regions.Add(new JobRegion(
                    JobRegionKind.ProgramArray, symbol, [], [.. map.Programs.Select(p => p < 0 ? null : BpfObjectWriter.SymbolName(index, unit.Functions[p].Name))]));
        }

        return [.. regions];
    }

    private static TestOutcome OutcomeOf(TestUnit unit, JobResult result)
    {
        int variables = unit.Variables.Count(static v => !v.IsReadOnly);
        return new TestOutcome(result.Result, result.Memory, [.. result.Regions.Take(variables)], [.. result.Regions.Skip(variables)]);
    }
}
