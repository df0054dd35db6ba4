using System.Collections.Immutable;
using System.Globalization;
using BpfPpcc.Diagnostics;
using BpfPpcc.Verification;
using Xunit;

namespace BpfPpcc.Tests.Verification.Fuzz;

/// <summary>
/// What must hold of random programs, without a kernel to ask. BPFPPCC_STRESS_COUNT: how many programs; BPFPPCC_SEED: the first seed.
/// </summary>
public sealed class AcceptedProgramTests
{
    private const int RunsPerProgram = 4;
    private const int SmallBudget = 20_000;
    private const int InputsPerNumberProgram = 24;

    [Fact]
    public void Accepted_programs_touch_only_what_is_theirs_and_end()
    {
        var faults = new List<string>();
        int accepted = 0;
        foreach (StressProgram program in Programs())
        {
            if (ContextLoads(program) is null)
                continue;
            accepted++;
            if (FindFault(program, RunsPerProgram) is { } fault)
                faults.Add($"{program.Name}: {fault}\n{Disagreements.Show(program)}");
        }

        Console.WriteLine($"{accepted} programs accepted");
        Assert.True(accepted > 100, "too few programs");
        Assert.True(faults.Count == 0, string.Join("\n", faults.Take(5)));
    }

    [Fact]
    public void Every_run_is_one_of_the_walked_paths()
    {
        var faults = new List<string>();
        int checkedRuns = 0;
        foreach (StressProgram program in Programs())
        {
            if (HasMayGoto(program))
                continue;
            var states = new WalkedStates(program.Slots.Length);
            ProgramReport report = KernelOracleTests.ReportOf(
                program, new VerifierOptions { DisablesPruning = true, Budget = SmallBudget, Observer = states.Add });
            if (!report.IsAccepted || ContextLoads(program) is not { } contextLoads)
                continue;
            for (int run = 0; run < RunsPerProgram; run++)
            {
                string? fault = null;
                var machine = new StressMachine(program, contextLoads, (ulong)run * 1_000 + 77, isFresh: false)
                {
                    BeforeStep = (machine, slot) => fault ??= states.FindFault(machine, slot),
                };
                StressOutcome outcome = machine.Run();
                checkedRuns += outcome.Unmodelled is null ? 1 : 0;
                if (fault is not null)
                    faults.Add($"{program.Name}: {fault}\n{Disagreements.Show(program)}");
            }
        }

        Console.WriteLine($"{checkedRuns} runs followed, {faults.Count} faults");
        Assert.True(checkedRuns > 100, "too few runs");
        Assert.True(faults.Count == 0, string.Join("\n", faults.Take(5)));
    }

    [Fact]
    public void Numbers_of_every_run_are_members_of_a_walked_state()
    {
        var faults = new List<string>();
        int runs = 0;
        long steps = 0;
        for (ulong seed = FirstSeed; seed < FirstSeed + (ulong)Count; seed++)
        {
            StressProgram program = ScalarProgramGenerator.Generate(seed);
            var states = new WalkedStates(program.Slots.Length);
            ProgramReport report = KernelOracleTests.ReportOf(
                program, new VerifierOptions { DisablesPruning = true, Budget = SmallBudget, Observer = states.Add });
            if (IsOutOfBudget(report))
                continue;
            Assert.True(report.IsAccepted, $"{program.Name}: {report.Text}");
            for (int input = 0; input < InputsPerNumberProgram; input++)
            {
                string? fault = null;
                var machine = new StressMachine(program with { Input = ScalarProgramGenerator.Input(seed * 100 + (ulong)input) }, ImmutableDictionary<int, int>.Empty, 1, isFresh: true)
                {
                    BeforeStep = (machine, slot) => fault ??= states.FindFault(machine, slot),
                };
                StressOutcome outcome = machine.Run();
                fault ??= outcome.Fault;
                runs++;
                steps += machine.Interpreter!.Steps;
                if (fault is not null)
                    faults.Add($"{program.Name} input {input}: {fault}\n{Disagreements.Show(program)}");
            }
        }

        Console.WriteLine($"{runs} runs, {steps} steps followed");
        Assert.True(runs > Count, "too few runs");
        Assert.True(faults.Count == 0, string.Join("\n", faults.Take(5)));
    }

    [Fact]
    public void Pruning_does_not_change_a_verdict()
    {
        var differences = new List<string>();
        int compared = 0;
        foreach (StressProgram program in Programs())
        {
            ProgramReport pruned = KernelOracleTests.ReportOf(program, new VerifierOptions { Budget = SmallBudget });
            ProgramReport whole = KernelOracleTests.ReportOf(program, new VerifierOptions { Budget = SmallBudget, DisablesPruning = true });
            if (IsOutOfBudget(whole) || IsOutOfBudget(pruned))
                continue;
            compared++;
            if (pruned.Verdict != whole.Verdict)
                differences.Add($"{program.Name}: with pruning {pruned.Verdict} {pruned.Text}, without {whole.Verdict} {whole.Text}\n{Disagreements.Show(program)}");
        }

        Console.WriteLine($"{compared} programs compared");
        Assert.True(compared > 100, "too few programs");
        Assert.True(differences.Count == 0, string.Join("\n", differences.Take(5)));
    }

    /// <summary>What a run of an accepted program did that no safe program does, or null. A budget for may_goto is taken as long enough.</summary>
    internal static string? FindFault(StressProgram program, int runs)
    {
        if (ContextLoads(program) is not { } contextLoads)
            return null;
        for (int run = 0; run < runs; run++)
        {
            StressOutcome outcome = new StressMachine(program, contextLoads, (ulong)run * 1_000 + 1, isFresh: false).Run();
            if (outcome.Fault is { } fault && !(fault.EndsWith("runs too long", StringComparison.Ordinal) && HasMayGoto(program)))
                return fault;
        }

        return null;
    }

    private static bool IsOutOfBudget(ProgramReport report) => report.Code == $"BPF{(int)DiagnosticId.VerifierBudgetExceeded:0000}";

    private static bool HasMayGoto(StressProgram program) => program.Slots.Any(static slot => slot.Opcode == 0xe5);

    /// <summary>Null if the program is refused; else by slot of the code the native field that a load of a packet pointer reads.</summary>
    internal static ImmutableDictionary<int, int>? ContextLoads(StressProgram program)
    {
        VerifiedModule? verified = Verifier.Verify(program.Module(), new VerifierOptions(), new DiagnosticBag());
        if (verified is null)
            return null;
        var loads = ImmutableDictionary.CreateBuilder<int, int>();
        int start = 0;
        foreach (BpfPpcc.Loading.BpfFunction function in verified.Module.Functions)
        {
            foreach ((int slot, int field) in verified.Facts[function.Index].ContextLoads)
                loads.Add(start + slot, field);
            start += function.Instructions.Length;
        }

        return loads.ToImmutable();
    }

    private static ulong FirstSeed { get; } = ulong.Parse(Environment.GetEnvironmentVariable("BPFPPCC_SEED") ?? "1000000", CultureInfo.InvariantCulture);

    private static int Count { get; } = int.Parse(Environment.GetEnvironmentVariable("BPFPPCC_STRESS_COUNT") ?? "800", CultureInfo.InvariantCulture);

    private static IEnumerable<StressProgram> Programs() => Enumerable.Range(0, Count).Select(static i => StressGenerator.Generate(FirstSeed + (ulong)i));
}
