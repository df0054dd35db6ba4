using BpfPpcc.Emission;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.Symbols;
using Xunit;
using static BpfPpcc.Tests.Emission.MirBuilder;

namespace BpfPpcc.Tests.Emission;

/// <summary>Ends of paths that are the same stand once.</summary>
public sealed class TailMergingTests
{
    private static readonly SymbolId s_first = new(1);
    private static readonly SymbolId s_second = new(2);

    /// <summary>What comes before the first call.</summary>
    private const string SetUp = "\n mflr 0\n std 0,16(1)\n stdu 1,-48(1)";

    [Fact]
    public void Blocks_that_are_the_same_are_one()
    {
        MirBuilder builder = Diamond(static (b, _) => b.Load(3, 1).Load(4, 2), out int join);
        builder.Block();
        Assert.Equal(join, builder.Function.Blocks.Count - 1);
        builder.Call(s_first).Return();
        AssertBody("cmpdi 3,0\n li 3,1\n li 4,2" + SetUp, builder, calls: 1);
    }

    [Fact]
    public void Ends_that_are_the_same_are_one()
    {
        MirBuilder builder = Diamond(static (b, i) => b.Load(5, i).Load(3, 1).Load(4, 2), out _);
        builder.Block();
        builder.Call(s_first).Return();
        AssertBody("cmpdi 3,0\n beq 1f\n li 5,2\n b 2f\n 1: li 5,1\n 2: li 3,1\n li 4,2" + SetUp, builder, calls: 1);
    }

    [Fact]
    public void Calls_are_the_same_if_the_callees_are()
    {
        MirBuilder builder = Diamond(static (b, i) => b.Load(5, i).Call(s_first), out _);
        builder.Block();
        builder.Call(s_second).Return();
        Assert.Equal([s_first, s_second], Callees(builder));

        builder = Diamond(static (b, i) => b.Load(5, i).Call(i == 1 ? s_first : s_second), out _);
        builder.Block();
        builder.Call(s_second).Return();
        Assert.Equal(3, Callees(builder).Count);
    }

    [Fact]
    public void Conditional_branches_are_the_same_if_their_targets_are()
    {
        var builder = new MirBuilder(needsToc: true);
        builder.Op(Ppc64Opcode.Cmpdi, MachineOperand.CrField(0), Use(3), Imm(0)).Branch(2, true, 1, 2);
        for (int i = 1; i <= 2; i++)
        {
            builder.Block();
            builder.Load(5, i).Op(Ppc64Opcode.Cmpdi, MachineOperand.CrField(0), Use(4), Imm(7)).Branch(2, true, 3, 4);
        }

        builder.Block();
        builder.Call(s_first).Return();
        builder.Block();
        builder.Call(s_second).Return();
        Assert.Equal(2, builder.Emit().Code.Count(static word => word >> 16 == 0x2c23 || word >> 16 == 0x2c24));
    }

    /// <summary>The branch back of one loop must not lead into another.</summary>
    [Fact]
    public void Atomic_loops_are_not_cut()
    {
        MirBuilder builder = Diamond(static (b, i) => b.Pseudo(MachinePseudo.AtomicReadModifyWrite, AtomicOperands(5 + i)), out _);
        builder.Block();
        builder.Call(s_first).Return();
        CompiledFunction code = builder.Emit();
        // stdcx. and the branch back to the ldarx before it.
        Assert.Equal(2, code.Code.Count(static word => (word & 0xfc00_07ff) == 0x7c00_01ad));
    }

    [Fact]
    public void In_loops_no_path_gets_longer()
    {
        var builder = new MirBuilder(needsToc: true);
        builder.Jump(1);
        builder.Block(frequency: 10);
        builder.Op(Ppc64Opcode.Cmpdi, MachineOperand.CrField(0), Use(3), Imm(0)).Branch(2, true, 2, 3);
        builder.Block(frequency: 10);
        builder.Load(5, 1).Load(6, 7).Load(7, 8).Jump(1);
        builder.Block(frequency: 10);
        builder.Load(5, 2).Load(6, 7).Load(7, 8).Jump(1);
        Assert.Equal(2, builder.Emit().Code.Count(static word => word == 0x38c0_0007));
    }

    /// <summary>A branch on one condition, two blocks, and the index of the block where they meet.</summary>
    private static MirBuilder Diamond(Action<MirBuilder, int> arm, out int join)
    {
        join = 3;
        var builder = new MirBuilder(needsToc: true);
        builder.Op(Ppc64Opcode.Cmpdi, MachineOperand.CrField(0), Use(3), Imm(0)).Branch(2, true, 1, 2);
        for (int i = 1; i <= 2; i++)
        {
            builder.Block();
            arm(builder, i);
            builder.Jump(join);
        }

        return builder;
    }

    private static MachineOperand[] AtomicOperands(int value) =>
        [MachineOperand.EarlyDef(new VirtualRegister(8)), MachineOperand.EarlyDef(new VirtualRegister(9)), Use(4), Use(value), Imm((long)AtomicKind.Add), Imm(8), Imm(0)];

    private static List<SymbolId> Callees(MirBuilder builder) =>
        [.. builder.Emit().Relocations.Where(static relocation => relocation.Type == Ppc64Relocation.R_PPC64_REL24)
            .Select(static relocation => relocation.Symbol)];

    /// <summary>The code before the last call is what is expected.</summary>
    private static void AssertBody(string expected, MirBuilder builder, int calls)
    {
        CompiledFunction code = builder.Emit();
        uint[] words = GnuAssembler.Assemble(expected.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));
        int start = code.Code.IndexOf(words[0]);
        Assert.True(start >= 0);
        Assert.Equal(words, code.Code.AsSpan(start, words.Length).ToArray());
        Assert.Equal(0x4800_0001u, code.Code[start + words.Length]);
        Assert.Equal(calls, Callees(builder).Count);
    }
}
