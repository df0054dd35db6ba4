using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Differential;

/// <summary>
/// Compiles units as verified code where they are made for that and the verifier accepts them, so that what rests on its proofs is tried as well,
/// and all others unverified.
/// </summary>
public sealed class VerifyingCompiler
{
    /// <summary>Bytes of context of every unit that may be verified.</summary>
    public const int ContextSize = 128;

    private static readonly ObjectCompiler.Verification Verification = new(ContextSize, TestHelpers.Prototypes, Budget: 60_000);

    private readonly Dictionary<string, int> _refusals = [];
    private int _compiled;
    private int _verified;

    /// <summary>Units compiled, each time anew.</summary>
    public int Compiled => _compiled;

    /// <summary>Of these, the units that were verified.</summary>
    public int Verified => _verified;

    /// <summary>What the verifier refused candidates for, and how many, the most frequent first.</summary>
    public IEnumerable<string> Refusals()
    {
        lock (_refusals)
            return [.. _refusals.OrderByDescending(static r => r.Value).Select(static r => $"{r.Value,8}  {r.Key}")];
    }

    public IReadOnlyList<byte[]>? Compile(IReadOnlyList<TestUnit> units, int optimizationLevel, out string errors)
    {
        errors = "";
        List<int> verified = Accepted(units);
        List<int> others = [.. Enumerable.Range(0, units.Count).Except(verified)];
        Interlocked.Add(ref _compiled, units.Count);
        Interlocked.Add(ref _verified, verified.Count);
        var objects = new List<byte[]>();
        if (verified.Count > 0)
        {
            byte[] input = BpfObjectWriter.Write(units, verified, Section);
            if (ObjectCompiler.CompileVerified(input, optimizationLevel, "verified", Verification, out errors) is not { } output)
                return null;
            objects.Add(output);
        }

        if (others.Count > 0)
        {
            byte[] input = BpfObjectWriter.Write(units, others, "socket");
            if (ObjectCompiler.Compile(input, optimizationLevel, "units", symbolPrefix: "", out errors) is not { } output)
                return null;
            objects.Add(output);
        }

        return objects;
    }

    // No program type of the kernel has this name: the context is plain memory.
    private const string Section = "unit";

    private List<int> Accepted(IReadOnlyList<TestUnit> units)
    {
        List<int> candidates = [.. Enumerable.Range(0, units.Count).Where(i => units[i].IsVerifiable)];
        if (candidates.Count == 0)
            return [];
        Dictionary<string, string?> verdicts = ObjectCompiler.Verify(BpfObjectWriter.Write(units, candidates, Section), "candidates", Verification);
        return [.. candidates.Where(i => units[i].Functions.All(f => f.Place != FunctionPlace.Program || IsAccepted(BpfObjectWriter.SymbolName(i, f.Name))))];

        bool IsAccepted(string program)
        {
            if (!verdicts.TryGetValue(program, out string? reason) || reason is null)
                return reason is null && verdicts.ContainsKey(program);
            lock (_refusals)
            {
                string kind = new([.. reason.Where(static c => !char.IsAsciiDigit(c))]);
                _refusals[kind] = _refusals.GetValueOrDefault(kind) + 1;
            }

            return false;
        }
    }
}
