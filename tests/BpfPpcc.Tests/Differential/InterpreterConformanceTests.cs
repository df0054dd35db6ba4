using BpfPpcc.Tests.Execution;
using Xunit;

namespace BpfPpcc.Tests.Differential;

/// <summary>The reference interpreter gives the published result of every program of the public conformance suites.</summary>
public sealed class InterpreterConformanceTests
{
    [Fact]
    public void All_conformance_programs_give_their_result()
    {
        IReadOnlyList<ConformanceProgram> programs = ConformanceProgram.LoadAll();
        var failures = new List<string>();
        int passed = 0;
        foreach (ConformanceProgram program in programs.Where(static p => p.ExpectedResult is not null))
        {
            try
            {
                byte[] bytes = [.. program.Memory];
                ulong result = Run(program, bytes);
                if (result != program.ExpectedResult)
                    failures.Add($"{program.Name}: 0x{result:x}, not 0x{program.ExpectedResult:x}");
                else if (program.FinalMemory is not null && !program.FinalMemory.AsSpan().SequenceEqual(bytes))
                    failures.Add($"{program.Name}: memory {Convert.ToHexStringLower(bytes)}");
                else
                    passed++;
            }
            catch (BpfFaultException fault)
            {
                failures.Add($"{program.Name}: {fault.Message}");
            }
        }

        Assert.Empty(failures);
        Assert.Equal(218, passed);
    }

    private static ulong Run(ConformanceProgram program, byte[] bytes)
    {
        var memory = new InterpreterMemory();
        ulong address = bytes.Length == 0 ? 0 : memory.Add("memory", bytes).Address;
        var interpreter = new ReferenceInterpreter(program.Code, memory)
        {
            Helper = (id, a) => ConformanceHelper(id, a, memory),
        };
        return interpreter.Run(0, address, (ulong)bytes.Length);
    }

    // The helpers that uBPF's programs call, by uBPF's numbers.
    private static ulong ConformanceHelper(int id, ReadOnlySpan<ulong> a, InterpreterMemory memory)
    {
        switch (id)
        {
            case 0:
                return (a[0] & 0xff) << 32 | (a[1] & 0xff) << 24 | (a[2] & 0xff) << 16 | (a[3] & 0xff) << 8 | (a[4] & 0xff);
            case 1:
                for (ulong i = 0; i < a[1]; i++)
                    memory.Store(a[0] + i, 1, memory.Load(a[0] + i, 1) ^ 42);
                return a[0];
            case 2:
                return 0;
            case 3:
                ulong root = 0;
                while ((root + 1) * (root + 1) <= (uint)a[0])
                    root++;
                return root;
            case 4:
                for (ulong i = 0; ; i++)
                {
                    ulong left = memory.Load(a[0] + i, 1), right = memory.Load(a[1] + i, 1);
                    if (left != right)
                        return left - right;
                    if (left == 0)
                        return 0;
                }

            case 5:
                return a[0];
            default:
                throw new BpfFaultException($"helper {id}");
        }
    }
}
