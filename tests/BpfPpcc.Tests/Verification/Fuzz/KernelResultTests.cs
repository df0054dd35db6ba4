using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using BpfPpcc.Bpf;
using BpfPpcc.Tests.Differential;
using BpfPpcc.Tests.Execution;
using BpfPpcc.Tests.Runtime;
using Xunit;

namespace BpfPpcc.Tests.Verification.Fuzz;

/// <summary>
/// Results of the kernel's test runs against the reference interpreter and against compiled code, for the programs whose result is decided
/// by the program and its packet alone. Environment as in <see cref="KernelOracleTests"/>.
/// </summary>
public sealed class KernelResultTests(RuntimeBuild build) : IClassFixture<RuntimeBuild>
{
    private const int Repetitions = 8;
    private const int BatchSize = 400;

    private sealed record ExpectedRun(StressProgram Program, uint Result, byte[] Output);

    [Fact]
    public void Programs_give_what_they_gave_in_the_kernel()
    {
        Assert.SkipWhen(KernelOracle.Folder is null, "BPFPPCC_ORACLE is not set");
        StressProgram[] programs = KernelOracleTests.Programs();
        Dictionary<string, KernelVerdict> verdicts = KernelOracle.Ask(programs, KernelOracleTests.OutputFolder);
        var differences = new List<string>();
        var comparable = new List<ExpectedRun>();
        int runs = 0;
        foreach (StressProgram program in programs)
        {
            if (!verdicts.TryGetValue(program.Name, out KernelVerdict? kernel) || kernel.Result is not { } result)
                continue;
            runs++;
            if (Interpret(program) is not { } expected)
                continue;
            if ((uint)expected.Result == result && (program.Type == BpfProgramType.RAW_TRACEPOINT || Output(program, expected.Packet).AsSpan().SequenceEqual(kernel.Output)))
                comparable.Add(new ExpectedRun(program, result, kernel.Output));
            else
                differences.Add($"{program.Name}: kernel 0x{result:x} {Convert.ToHexStringLower(kernel.Output)}, interpreter 0x{(uint)expected.Result:x} {Convert.ToHexStringLower(Output(program, expected.Packet))}");
        }

        int byInterpreter = differences.Count;
        ExpectedRun[] packets = [.. comparable.Where(static run => run.Program.Type == BpfProgramType.XDP || run.Program.IsBuffer)];
        foreach (ExpectedRun[] batch in packets.Chunk(BatchSize))
            CompareCompiled(batch, differences);
        string summary = string.Create(CultureInfo.InvariantCulture, $"{runs} test runs, {comparable.Count + byInterpreter} decided by the program alone, {byInterpreter} differ in the interpreter; {packets.Length} compiled, {differences.Count - byInterpreter} differ");
        Console.WriteLine(summary);
        File.WriteAllText(Path.Combine(KernelOracleTests.OutputFolder, "results.txt"), summary + "\n" + string.Join('\n', differences) + "\n");
        Assert.True(differences.Count == 0, summary + "\n" + string.Join('\n', differences.Take(10)));
    }

    /// <summary>What the program gives whatever addresses and unwritten memory are; null if it depends on them, or calls what only the kernel can answer.</summary>
    private static StressOutcome? Interpret(StressProgram program)
    {
        if (AcceptedProgramTests.ContextLoads(program) is not { } contextLoads)
            return null;
        // Test runs of this type show a packet that ends where it begins (net/bpf/test_run.c computes no end).
        if (program.Type == BpfProgramType.CGROUP_SKB && !contextLoads.IsEmpty)
            return null;
        StressOutcome? first = null;
        for (int i = 0; i < Repetitions; i++)
        {
            bool isLongShift = false;
            var machine = new StressMachine(program, contextLoads, (ulong)i * 7_919 + 3, isFresh: true)
            {
                BeforeStep = (machine, slot) => isLongShift |= IsLongShift(program.Slots[slot], machine.Interpreter!),
            };
            StressOutcome outcome = machine.Run();
            if (outcome.Unmodelled is not null || outcome.Fault is not null || machine.Helpers.HasGuessed || isLongShift)
                return null;
            first ??= outcome;
            if ((uint)outcome.Result != (uint)first.Result || !outcome.Packet.AsSpan().SequenceEqual(first.Packet))
                return null;
        }

        return first;
    }

    /// <summary>A shift by a register that holds more than the width, which the kernel's compiler for this processor does not reduce.</summary>
    private static bool IsLongShift(Slot slot, ReferenceInterpreter interpreter) => slot.Opcode switch
    {
        0x6f or 0x7f or 0xcf => interpreter.RegisterOrNull(slot.Src) >= 64,
        0x6c or 0x7c or 0xcc => (uint?)interpreter.RegisterOrNull(slot.Src) >= 32,
        _ => false,
    };

    /// <summary>The packet as a test run gives it back: with zeros for the link-layer header that the program did not see.</summary>
    private static byte[] Output(StressProgram program, byte[] packet) => program.Type switch
    {
        BpfProgramType.RAW_TRACEPOINT => [],
        _ when program.SeesLinkLayer || program.Type == BpfProgramType.SYSCALL => packet,
        _ => [.. new byte[StressProgram.LinkLayerBytes], .. packet],
    };

    private void CompareCompiled(ExpectedRun[] batch, List<string> differences)
    {
        ImmutableArray<StressProgram> programs = [.. batch.Select(static run => run.Program)];
        string compiled = Path.Combine(build.Folder, "stress.ppc.o");
        File.WriteAllBytes(compiled, StressCompiler.Compile(programs));
        string host = Path.Combine(build.Folder, "stress.c");
        File.WriteAllText(host, Host(programs));
        string answers = build.Run(RuntimeTarget.LittleEndian, host, compiled);
        Dictionary<string, string> lines = answers.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select(static line => line.Split(' ', 2)).ToDictionary(static fields => fields[0], static fields => fields[1]);
        foreach (ExpectedRun run in batch)
        {
            string expected = $"{run.Result:x} {Convert.ToHexStringLower(run.Program.SeesLinkLayer ? run.Output : run.Output[StressProgram.LinkLayerBytes..])}";
            string actual = lines.GetValueOrDefault(run.Program.Name, "nothing");
            if (actual != expected)
                differences.Add($"{run.Program.Name}: kernel {expected}, compiled code {actual}");
        }
    }

    /// <summary>A C program that runs each program in a process of its own, so that every one finds the maps as they began.</summary>
    private static string Host(ImmutableArray<StressProgram> programs)
    {
        var text = new StringBuilder("""
            #define _DEFAULT_SOURCE
            #include <stdio.h>
            #include <string.h>
            #include <sys/mman.h>
            #include <sys/wait.h>
            #include <unistd.h>
            #include "bpfppcc.h"

            extern struct bpfppcc_module bpfppcc_module_stress;
            enum { HEADROOM = 256, SPACE = 4096 };
            static unsigned char *frame;    /* as high as the kernel's: programs may compare addresses with numbers */

            static void run(const char *name, uint64_t (*program)(void *), int is_xdp, const unsigned char *packet, unsigned length)
            {
                fflush(stdout);
                pid_t child = fork();
                if (child) {
                    waitpid(child, 0, 0);
                    return;
                }
                static struct bpfppcc_xdp_md xdp;
                static struct bpfppcc_sk_buff skb;
                unsigned char *start = frame + HEADROOM, *end;
                memcpy(start, packet, length);
                uint32_t result;
                if (is_xdp) {
                    bpfppcc_xdp_init(&xdp, start, length, HEADROOM);
                    xdp.ingress_ifindex = 1;
                    result = (uint32_t)program(&xdp);
                    start = xdp.data;
                    end = xdp.data_end;
                } else {
                    bpfppcc_skb_init(&skb, start, length, HEADROOM);
                    result = (uint32_t)program(&skb);
                    start = skb.data;
                    end = skb.data_end;
                }
                printf("%s %x ", name, result);
                while (start < end)
                    printf("%02x", *start++);
                printf("\n");
                fflush(stdout);
                _exit(0);
            }


            """);
        foreach (StressProgram program in programs)
        {
            text.Append(CultureInfo.InvariantCulture, $"uint64_t {program.Name}(void *);\n");
            text.Append(CultureInfo.InvariantCulture, $"static const unsigned char packet_{program.Name}[] = {{ {string.Join(", ", program.PacketOfRun().Append((byte)0))} }};\n");
        }

        text.Append("\nint main(void)\n{\n    frame = mmap((void *)0x200000000000, SPACE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);\n    if (frame == MAP_FAILED || bpfppcc_open(&bpfppcc_module_stress))\n        return 1;\n");
        foreach (StressProgram program in programs)
            text.Append(CultureInfo.InvariantCulture, $"    run(\"{program.Name}\", {program.Name}, {(program.Type == BpfProgramType.XDP ? 1 : 0)}, packet_{program.Name}, sizeof packet_{program.Name} - 1);\n");
        return text.Append("    return 0;\n}\n").ToString();
    }
}
