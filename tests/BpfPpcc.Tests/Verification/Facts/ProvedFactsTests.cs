using System.Collections.Immutable;
using System.Globalization;
using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using BpfPpcc.Tests.Differential;
using BpfPpcc.Tests.Verification.Fuzz;
using BpfPpcc.Verification;
using Xunit;

namespace BpfPpcc.Tests.Verification.Facts;

/// <summary>
/// Runs of random accepted programs never do what facts say that they do not. BPFPPCC_FACTS_COUNT: how many programs; BPFPPCC_SEED: the
/// first seed.
/// </summary>
public sealed class ProvedFactsTests
{
    private const int RunsPerProgram = 4;

    [Fact]
    public void Runs_obey_the_facts()
    {
        ulong seed = ulong.Parse(Environment.GetEnvironmentVariable("BPFPPCC_SEED") ?? "3000000", CultureInfo.InvariantCulture);
        int count = int.Parse(Environment.GetEnvironmentVariable("BPFPPCC_FACTS_COUNT") ?? "1000", CultureInfo.InvariantCulture);
        int accesses = 0, jumps = 0, dead = 0, values = 0;
        for (ulong i = 0; i < (ulong)count; i++)
        {
            StressProgram program = StressGenerator.Generate(seed + i);
            if (AcceptedProgramTests.ContextLoads(program) is not { } contextLoads)
                continue;
            VerifiedModule verified = Verifier.Verify(program.Module(), new VerifierOptions(), new DiagnosticBag())!;
            dead += verified.Facts.Sum(static facts => facts.DecidedJumps.Count);
            for (int run = 0; run < RunsPerProgram; run++)
            {
                var check = new FactsCheck(verified);
                new StressMachine(program, contextLoads, (ulong)run * 1_000 + 5, isFresh: false) { BeforeStep = check.Step }.Run();
                Assert.True(check.Fault is null, $"{program.Name}: {check.Fault}\n{Disagreements.Show(program)}");
                accesses += check.Accesses;
                jumps += check.Jumps;
                values += check.Values;
            }
        }

        Console.WriteLine($"{dead} decided jumps, {jumps} of them executed, {accesses} accesses of the stack, {values} values");
        Assert.True(accesses > count && jumps > 0 && dead > 0 && values > count, $"too little to see: {accesses} accesses, {jumps} decided jumps");
    }

    /// <summary>Follows one run.</summary>
    private sealed class FactsCheck(VerifiedModule verified)
    {
        private readonly Stack<int> _calls = new();
        private int _previous = -1;

        public string? Fault { get; private set; }

        public int Accesses { get; private set; }

        public int Jumps { get; private set; }

        public int Values { get; private set; }

        public void Step(StressMachine machine, int slot)
        {
            MemoryRegion[] stacks = [.. machine.Interpreter!.Stacks];
            while (_calls.Count > stacks.Length - 1)
                _calls.Pop();
            if (_calls.Count < stacks.Length - 1)
                _calls.Push(_previous);
            else if (_previous >= 0)
                CheckJump(_previous, slot);
            (BpfFunction function, int local) = Locate(slot);
            ProgramFacts facts = verified.Facts[function.Index];
            if (!facts.IsReachable[local])
                Fault ??= $"slot {slot} runs, which is never reached";
            CheckAccess(machine, stacks, function.Instructions[local], slot);
            CheckValues(machine, slot);
            _previous = slot;
        }

        private void CheckJump(int from, int to)
        {
            (BpfFunction function, int local) = Locate(from);
            if (!verified.Facts[function.Index].DecidedJumps.TryGetValue(local, out bool isTaken))
                return;
            Jumps++;
            BpfInstruction jump = function.Instructions[local];
            if (to != from + 1 + (isTaken ? jump.JumpOffset : 0))
                Fault ??= $"the jump at {from} goes to {to}";
        }

        /// <summary>What the last instruction left, and what the next one divides by.</summary>
        private void CheckValues(StressMachine machine, int slot)
        {
            (BpfFunction function, int local) = Locate(slot);
            BpfInstruction next = function.Instructions[local];
            if (verified.Facts[function.Index].PlainDivisors.Contains(local) && machine.Interpreter!.RegisterOrNull(next.Src) is { } divisor)
            {
                Values++;
                ulong value = next.Class == BpfClass.ALU ? (uint)divisor : divisor;
                bool isMinusOne = next.Offset == 1 && value == (next.Class == BpfClass.ALU ? uint.MaxValue : ulong.MaxValue);
                if (value == 0 || isMinusOne)
                    Fault ??= $"slot {slot} divides by {(long)value}";
            }

            if (_previous < 0)
                return;
            (BpfFunction before, int last) = Locate(_previous);
            if (!verified.Facts[before.Index].ZeroBits.TryGetValue(last, out ulong zeros))
                return;
            Values++;
            if (machine.Interpreter!.RegisterOrNull(before.Instructions[last].Dst) is { } result && (result & zeros) != 0)
                Fault ??= $"slot {_previous} gives 0x{result:x}, with bits that are zero: 0x{zeros:x}";
        }

        private void CheckAccess(StressMachine machine, MemoryRegion[] stacks, BpfInstruction instruction, int slot)
        {
            int register = instruction.Class switch
            {
                BpfClass.LDX => instruction.Src,
                BpfClass.ST => instruction.Dst,
                BpfClass.STX => instruction is { IsAtomic: true, Imm: BpfAtomic.LOAD_ACQ } ? instruction.Src : instruction.Dst,
                _ => -1,
            };
            if (register < 0 || machine.Interpreter!.RegisterOrNull(register) is not { } pointer)
                return;
            ulong address = pointer + (ulong)(long)instruction.Offset;
            for (int frame = 0; frame < stacks.Length; frame++)
            {
                ulong top = stacks[frame].Address + (ulong)stacks[frame].Bytes.Length;
                if (address < stacks[frame].Address || address >= top)
                    continue;
                Accesses++;
                int user = UserOf(frame);
                for (int callee = frame + 1; callee < stacks.Length; callee++)
                {
                    if (!MayAccessCallers(UserOf(callee)))
                        Fault ??= $"slot {UserOf(callee)} touches the stack of a caller";
                }

                if (!IsKnown(user, (int)(long)(address - top), instruction.MemoryBytes, instruction.Class != BpfClass.LDX))
                    Fault ??= $"slot {user} touches the stack at {(long)(address - top)}";
            }

            int UserOf(int frame) => frame == stacks.Length - 1 ? slot : _calls.Reverse().ElementAt(frame);
        }

        private bool IsKnown(int slot, int low, int bytes, bool isWritten)
        {
            (BpfFunction function, int local) = Locate(slot);
            ProgramFacts facts = verified.Facts[function.Index];
            if (low < -facts.StackDepth)
                return false;
            if (facts.StackAccesses is not { } accesses)
                return true;
            return accesses.TryGetValue(local, out ImmutableArray<StackAccess> known)
                && known.Any(access => access.Low <= low && low + bytes <= access.High && (access.IsWritten || !isWritten));
        }

        private bool MayAccessCallers(int slot)
        {
            (BpfFunction function, int local) = Locate(slot);
            return verified.Facts[function.Index].CallerAccesses is not { } known || known.Contains(local);
        }

        private (BpfFunction Function, int Local) Locate(int slot)
        {
            foreach (BpfFunction function in verified.Module.Functions)
            {
                if (slot < function.Instructions.Length)
                    return (function, slot);
                slot -= function.Instructions.Length;
            }

            throw new InvalidOperationException("no such slot");
        }
    }
}
