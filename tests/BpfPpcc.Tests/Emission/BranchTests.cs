using BpfPpcc.Emission;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.Symbols;
using Xunit;
using static BpfPpcc.Tests.Emission.MirBuilder;

namespace BpfPpcc.Tests.Emission;

public sealed class BranchTests
{
    [Theory]
    [InlineData(true, 2, 1, "beq 1f\n li 3,1\n blr\n 1: li 3,2\n blr")]
    [InlineData(false, 2, 1, "bne 1f\n li 3,1\n blr\n 1: li 3,2\n blr")]
    [InlineData(true, 1, 2, "beq 1f\n li 3,2\n blr\n 1: li 3,1\n blr")]
    public void Conditional_branch_falls_through_to_the_next_block(bool ifSet, int taken, int other, string expected)
    {
        var builder = new MirBuilder();
        builder.Op(Ppc64Opcode.Cmpdi, MachineOperand.CrField(0), Use(3), Imm(0)).Branch(2, ifSet, taken, other);
        builder.Block();
        builder.Load(3, 1).Return();
        builder.Block();
        builder.Load(3, 2).Return();
        EmittedCode.AssertAssembly("cmpdi 3,0\n" + expected, builder.Emit());
    }

    [Fact]
    public void The_more_frequent_path_falls_through()
    {
        var builder = new MirBuilder();
        builder.Op(Ppc64Opcode.Cmpdi, MachineOperand.CrField(0), Use(3), Imm(0)).Branch(2, true, 1, 2);
        builder.Block(frequency: 0.9f);
        builder.Load(3, 1).Jump(3);
        builder.Block(frequency: 0.1f);
        builder.Load(3, 2).Jump(3);
        builder.Block();
        builder.Return();
        EmittedCode.AssertAssembly("cmpdi 3,0\n bne 1f\n li 3,1\n blr\n 1: li 3,2\n blr", builder.Emit());
    }

    [Fact]
    public void Blocks_that_only_jump_are_left_out()
    {
        var builder = new MirBuilder();
        builder.Op(Ppc64Opcode.Cmpdi, MachineOperand.CrField(0), Use(3), Imm(0)).Branch(2, true, 1, 2);
        builder.Block();
        builder.Jump(3);
        builder.Block();
        builder.DeleteNext().Load(4, 1).Jump(4);
        builder.Block();
        builder.Load(3, 1).Return();
        builder.Block();
        builder.Load(3, 2).Return();
        EmittedCode.AssertAssembly("cmpdi 3,0\n beq 1f\n li 3,2\n blr\n 1: li 3,1\n blr", builder.Emit());
    }

    [Fact]
    public void Endless_loops_stay()
    {
        var builder = new MirBuilder();
        builder.Jump(1);
        builder.Block();
        builder.Jump(2);
        builder.Block();
        builder.Jump(1);
        EmittedCode.AssertAssembly("b .", builder.Emit());
    }

    [Fact]
    public void Loop_is_contiguous_and_its_exit_behind_it()
    {
        var builder = new MirBuilder();
        builder.Jump(1);
        builder.Block(frequency: 10);
        builder.Op(Ppc64Opcode.Cmpdi, MachineOperand.CrField(0), Use(3), Imm(0)).Branch(2, true, 3, 2);
        builder.Block(frequency: 10);
        builder.Op(Ppc64Opcode.Addi, Def(3), Use(3), Imm(-1)).Jump(1);
        builder.Block();
        builder.Return();
        EmittedCode.AssertAssembly("1: cmpdi 3,0\n beqlr\n addi 3,3,-1\n b 1b", builder.Emit());
    }

    [Fact]
    public void A_jump_to_a_return_is_the_return()
    {
        var builder = new MirBuilder();
        builder.Op(Ppc64Opcode.Cmpdi, MachineOperand.CrField(0), Use(3), Imm(0)).Branch(2, true, 1, 2);
        builder.Block(frequency: 0.1f);
        builder.Load(3, 2).Jump(3);
        builder.Block();
        builder.Op(Ppc64Opcode.Addi, Def(3), Use(3), Imm(5)).Jump(3);
        builder.Block();
        builder.Op(Ppc64Opcode.Addi, Def(3), Use(3), Imm(1)).Return();
        EmittedCode.AssertAssembly("cmpdi 3,0\n beq 1f\n addi 3,3,5\n addi 3,3,1\n blr\n 1: li 3,2\n addi 3,3,1\n blr", builder.Emit());
    }

    [Fact]
    public void A_function_with_a_frame_has_one_return()
    {
        var builder = new MirBuilder();
        builder.CallLocal(new SymbolId(0)).Op(Ppc64Opcode.Cmpdi, MachineOperand.CrField(0), Use(3), Imm(0)).Branch(2, true, 1, 2);
        builder.Block(frequency: 0.1f);
        builder.Load(3, 2).Jump(3);
        builder.Block();
        builder.Load(3, 4).Jump(3);
        builder.Block();
        builder.Return();
        Assert.Equal(1, builder.Emit().Code.Count(static word => word == 0x4e80_0020));
    }

    [Fact]
    public void A_counted_loop_ends_with_bdnz()
    {
        var builder = new MirBuilder();
        builder.Load(4, 10).Pseudo(MachinePseudo.SetCount, Use(4)).Jump(1);
        builder.Block(frequency: 10);
        builder.Op(Ppc64Opcode.Addi, Def(3), Use(3), Imm(-1)).CountBranch(1, 2);
        builder.Block();
        builder.Load(3, 0).Jump(3);
        builder.Block();
        builder.Return();
        EmittedCode.AssertAssembly("li 4,10\n mtctr 4\n 1: addi 3,3,-1\n bdnz 1b\n li 3,0\n blr", builder.Emit());
    }

    [Fact]
    public void A_counted_exit_in_the_middle_is_bdz()
    {
        var builder = new MirBuilder();
        builder.Load(4, 10).Pseudo(MachinePseudo.SetCount, Use(4)).Jump(1);
        builder.Block(frequency: 10);
        builder.Op(Ppc64Opcode.Addi, Def(3), Use(3), Imm(-1)).CountBranch(2, 3);
        builder.Block(frequency: 10);
        builder.Op(Ppc64Opcode.Addi, Def(3), Use(3), Imm(-2)).Jump(1);
        builder.Block();
        builder.Return();
        EmittedCode.AssertAssembly("li 4,10\n mtctr 4\n 1: addi 3,3,-1\n bdzlr\n addi 3,3,-2\n b 1b", builder.Emit());
    }

    /// <summary>A body of this many instructions between a branch and its target, forwards and backwards.</summary>
    [Theory]
    [InlineData(8189, false)]
    [InlineData(8190, true)]
    [InlineData(20000, true)]
    public void Forward_branch_beyond_32_KiB_becomes_long(int instructions, bool isLong)
    {
        CompiledFunction function = Skip(instructions);
        string body = $".rept {instructions}\n addi 3,3,1\n .endr\n blr\n 1: li 3,0\n blr";
        string branch = isLong ? "bne 2f\n b 1f\n 2:" : "beq 1f\n";
        EmittedCode.AssertAssembly($"cmpdi 3,0\n {branch} {body}", function);
    }

    [Theory]
    [InlineData(8192, false)]
    [InlineData(8193, true)]
    [InlineData(20000, true)]
    public void Backward_branch_beyond_32_KiB_becomes_long(int instructions, bool isLong)
    {
        var builder = new MirBuilder();
        builder.Jump(1);
        builder.Block(frequency: 10);
        for (int i = 1; i < instructions; i++)
            builder.OpAt(i, Ppc64Opcode.Addi, Def(3), Use(3), Imm(1));
        builder.Op(Ppc64Opcode.Cmpdi, MachineOperand.CrField(7), Use(3), Imm(0)).Branch(30, false, 1, 2);
        builder.Block();
        builder.OpAt(99999, Ppc64Opcode.Addi, Def(3), Use(3), Imm(7)).Return();
        CompiledFunction function = builder.Emit();
        string branch = isLong ? "beq 7,2f\n b 1b\n 2:" : "bne 7,1b\n";
        EmittedCode.AssertAssembly($"1: .rept {instructions - 1}\n addi 3,3,1\n .endr\n cmpdi 7,3,0\n {branch} addi 3,3,7\n blr", function);
        Assert.Equal(new CodePosition((instructions + (isLong ? 2 : 1)) * 4, 99999), function.Positions[^1]);
    }

    /// <summary>Branches that reach their targets until another one between grows.</summary>
    [Fact]
    public void Growth_of_one_branch_makes_others_grow_and_moves_what_is_behind()
    {
        var symbol = new SymbolId(1);
        var builder = new MirBuilder(needsToc: true);
        const int Branches = 100;
        for (int i = 0; i < Branches; i++)
        {
            builder.Op(Ppc64Opcode.Cmpdi, MachineOperand.CrField(0), Use(3), Imm(i)).Branch(2, true, Branches + 1, i + 1);
            builder.Block();
        }

        // The first branch is too far from its target, the others are in reach as long as nothing grows.
        for (int i = 0; i < 8191 - 2 * Branches; i++)
            builder.Op(Ppc64Opcode.Addi, Def(3), Use(3), Imm(1));
        builder.Address(4, symbol).Return();
        builder.Block(frequency: 0.5f);
        builder.Load(3, 0).Return();
        CompiledFunction function = builder.Emit();

        string text = string.Join('\n', Enumerable.Range(0, Branches).Select(i => $"cmpdi 3,{i}\n BRANCH{i}"));
        int grown = function.Code.Length - (2 * Branches + (8191 - 2 * Branches) + 3 + 2);
        Assert.InRange(grown, 1, Branches);
        for (int i = 0; i < Branches; i++)
        {
            text = i < grown
                ? text.Replace($"BRANCH{i}\n", $"bne 2f\n b 1f\n 2:\n", StringComparison.Ordinal)
                : text.Replace($"BRANCH{i}\n", "beq 1f\n", StringComparison.Ordinal).Replace("BRANCH99", "beq 1f", StringComparison.Ordinal);
        }

        EmittedCode.AssertAssembly(
            $"{text}\n .rept {8191 - 2 * Branches}\n addi 3,3,1\n .endr\n addis 4,2,0\n addi 4,4,0\n blr\n 1: li 3,0\n blr", function);
        int address = function.CodeSize - 5 * 4;
        Assert.Equal([address, address + 4], function.Relocations.Select(relocation => relocation.Offset));
    }

    [Theory]
    [InlineData((1 << 23) - 1, true)]
    [InlineData(1 << 23, false)]
    public void Unconditional_branch_reaches_32_MiB_and_no_farther(int words, bool fits)
    {
        var code = new CodeBuffer();
        code.Jump(1);
        for (int i = 1; i < words; i++)
            code.Add(0x60000000);
        RelaxedCode? relaxed = BranchRelaxation.Relax(code, [0, words]);
        Assert.Equal(fits, relaxed is not null);
        if (fits)
            Assert.Equal(0x48000000u | (uint)words * 4, relaxed!.Words[0]);
    }

    [Fact]
    public void Positions_are_recorded_where_they_change()
    {
        CompiledFunction function = new MirBuilder(isProgram: true)
            .OpAt(0, Ppc64Opcode.Addi, Def(3), Use(3), Imm(1))
            .OpAt(-1, Ppc64Opcode.Addi, Def(3), Use(3), Imm(1))
            .OpAt(0, Ppc64Opcode.Addi, Def(3), Use(3), Imm(1))
            .OpAt(5, Ppc64Opcode.Addi, Def(3), Use(3), Imm(1))
            .Return().Emit();
        Assert.Equal([new CodePosition(8, 0), new CodePosition(20, 5)], function.Positions);
    }

    private static CompiledFunction Skip(int instructions)
    {
        var builder = new MirBuilder();
        builder.Op(Ppc64Opcode.Cmpdi, MachineOperand.CrField(0), Use(3), Imm(0)).Branch(2, true, 2, 1);
        builder.Block();
        for (int i = 0; i < instructions; i++)
            builder.Op(Ppc64Opcode.Addi, Def(3), Use(3), Imm(1));
        builder.Return();
        builder.Block();
        builder.Load(3, 0).Return();
        return builder.Emit();
    }
}
