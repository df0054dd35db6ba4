using BpfPpcc.Tests.Execution;
using Xunit;

namespace BpfPpcc.Tests.Differential;

/// <summary>Programs that the verifier accepts and whose code rests on what it proved: against the interpreter.</summary>
public sealed class VerifiedCodeTests
{
    private const int ContextSize = VerifyingCompiler.ContextSize;

    /// <summary>What is proved of such an access is where in the stack it goes, not that it goes there.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void A_pointer_may_be_one_of_the_stack_on_some_paths_only(int level)
    {
        Slot[] store =
        [
            Slot.Load(8, 7, 1, 8), Slot.Mov(4, 1), Slot.JumpImm(0x5, true, 7, 0, 2), Slot.Mov(4, 10), Slot.AddImm(4, -32),
            Slot.Store(8, 4, 24, 7), Slot.MovImm(0, 0), Slot.Exit,
        ];
        Slot[] load =
        [
            Slot.Load(8, 7, 1, 8), Slot.StoreImm(8, 10, -8, 5), Slot.Mov(4, 1), Slot.JumpImm(0x5, true, 7, 0, 2), Slot.Mov(4, 10),
            Slot.AddImm(4, -32), Slot.Load(8, 0, 4, 24), Slot.Exit,
        ];
        Slot[] storeBetween =
        [
            Slot.Load(8, 7, 1, 8), Slot.StoreImm(8, 10, -8, 5), Slot.Mov(4, 1), Slot.JumpImm(0x5, true, 7, 0, 2), Slot.Mov(4, 10),
            Slot.AddImm(4, -32), Slot.StoreImm(8, 4, 24, 6), Slot.Load(8, 0, 10, -8), Slot.Exit,
        ];
        CheckVerified([store, load, storeBetween], level);
    }

    private static void CheckVerified(IReadOnlyList<Slot[]> programs, int level)
    {
        TestHost.Require();
        var compiler = new VerifyingCompiler();
        TestUnit[] units = [.. programs.Select(static (slots, i) => UnitOf(slots, $"program {i}"))];
        IReadOnlyList<Difference> differences = new DifferentialTester(compiler.Compile).Test(units, level);
        Assert.Empty(differences.Select(static d => $"{d.Unit.Name}: {d.Description}"));
        Assert.Equal(units.Length, compiler.Verified);
    }

    private static TestUnit UnitOf(Slot[] slots, string name) => new()
    {
        Name = name,
        Functions = [new TestFunction { Name = "p", Place = FunctionPlace.Program, Slots = slots }],
        Inputs = [new TestInput(new byte[ContextSize]), new TestInput([.. Enumerable.Range(1, ContextSize).Select(static i => (byte)i)])],
        IsVerifiable = true,
    };
}
