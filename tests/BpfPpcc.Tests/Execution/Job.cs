namespace BpfPpcc.Tests.Execution;

/// <summary>What a region of a job is; the numbers are host.c's.</summary>
public enum JobRegionKind
{
    Variable = 0,
    ArrayMap = 1,
    ProgramArray = 2,
}

/// <summary>Memory that belongs to a job beside what r1 points to: filled before the run, and but for prog arrays shown after it.</summary>
/// <param name="Symbol">Of the variable or map.</param>
/// <param name="Contents">Bytes; of an array map its elements at their stride.</param>
/// <param name="Programs">Of a prog array: the program's symbol by slot, null where it is empty.</param>
public sealed record JobRegion(JobRegionKind Kind, string Symbol, byte[] Contents, IReadOnlyList<string?>? Programs = null);

/// <summary>One run of one compiled program.</summary>
/// <param name="Program">Its symbol.</param>
/// <param name="Memory">What r1 points to; empty: r1 is 0.</param>
/// <param name="Arguments">r2 and on, at most four.</param>
/// <param name="UsesUbpfHelpers">Helpers 0 to 5 are uBPF's, not the kernel's.</param>
public sealed record Job(
    string Program, byte[] Memory, IReadOnlyList<ulong> Arguments, IReadOnlyList<JobRegion> Regions, bool UsesUbpfHelpers = false);

/// <summary>What a run left behind.</summary>
/// <param name="Failure">Null if the program returned and broke nothing of its caller's; else what happened.</param>
/// <param name="Regions">Contents of the job's regions that are not prog arrays, in order.</param>
public sealed record JobResult(string? Failure, ulong Result, byte[] Memory, IReadOnlyList<byte[]> Regions);
