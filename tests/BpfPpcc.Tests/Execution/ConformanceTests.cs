using Xunit;

namespace BpfPpcc.Tests.Execution;

/// <summary>The public conformance suites through the compiler: r0 and final memory of every program that has a result.</summary>
public sealed class ConformanceTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void Every_program_gives_its_result(int optimizationLevel)
    {
        TestHost.Require();
        List<ConformanceProgram> programs = [.. ConformanceProgram.LoadAll().Where(static p => p.ExpectedResult is not null)];
        var failures = new List<string>();
        var objects = new List<byte[]>();
        var jobs = new List<Job>();
        var compiled = new List<ConformanceProgram>();
        for (int i = 0; i < programs.Count; i++)
        {
            byte[]? output = ObjectCompiler.Compile(File.ReadAllBytes(programs[i].ObjectPath), optimizationLevel, $"c{i}", $"c{i}_", out string errors);
            if (output is null)
            {
                failures.Add($"{programs[i].Name}: {errors}");
                continue;
            }

            objects.Add(output);
            compiled.Add(programs[i]);
            jobs.Add(new Job($"c{i}_main", programs[i].Memory, [(ulong)programs[i].Memory.Length], [], UsesUbpfHelpers: true));
        }

        IReadOnlyList<JobResult> results = TestHost.Run(objects, jobs);
        for (int i = 0; i < results.Count; i++)
        {
            ConformanceProgram program = compiled[i];
            if (results[i].Failure is not null)
                failures.Add($"{program.Name}: {results[i].Failure}");
            else if (results[i].Result != program.ExpectedResult)
                failures.Add($"{program.Name}: 0x{results[i].Result:x}, not 0x{program.ExpectedResult:x}");
            else if (program.FinalMemory is not null && !program.FinalMemory.AsSpan().SequenceEqual(results[i].Memory))
                failures.Add($"{program.Name}: memory {Convert.ToHexStringLower(results[i].Memory)}, not {Convert.ToHexStringLower(program.FinalMemory)}");
        }

        Assert.Empty(failures);
        Assert.Equal(218, results.Count);
    }
}
