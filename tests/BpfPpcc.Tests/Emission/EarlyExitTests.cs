using BpfPpcc.Emission;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.RegisterAllocation;
using BpfPpcc.Symbols;
using BpfPpcc.Tests.RegisterAllocation;
using Xunit;
using static BpfPpcc.Tests.Emission.MirBuilder;

namespace BpfPpcc.Tests.Emission;

/// <summary>Where frames are set up, what runs without, and what unwinders are told of it.</summary>
public sealed class EarlyExitTests
{
    private static readonly SymbolId s_helper = new(0);

    [Fact]
    public void Early_exit_has_no_frame()
    {
        MirBuilder builder = Guarded();
        builder.Call(s_helper).Jump(3);
        builder.Block();
        builder.Return();
        CompiledFunction function = builder.Emit();
        EmittedCode.AssertAssembly(
            """
            cmpdi 3,0
            beq 1f
            mflr 0
            std 0,16(1)
            stdu 1,-48(1)
            bl .
            nop
            addi 1,1,48
            ld 0,16(1)
            mtlr 0
            blr
            1: li 3,2
            blr
            """,
            function);
        Assert.Equal(48, function.FrameSize);
        Assert.Equal(
            [
                new CfiInstruction(20, CfiKind.DefineCfaOffset, 0, 48),
                new CfiInstruction(20, CfiKind.Offset, 65, 16),
                new CfiInstruction(32, CfiKind.DefineCfaOffset, 0, 0),
                new CfiInstruction(44, CfiKind.Restore, 65, 0),
            ],
            function.Cfi);
    }

    /// <summary>Where code without the frame stands behind code with it, and before more of that, unwinders learn of both.</summary>
    [Fact]
    public void Rows_follow_the_code_and_not_the_paths()
    {
        var builder = new MirBuilder(needsToc: true);
        builder.Op(Ppc64Opcode.Cmpdi, Cr0, Use(3), Imm(0)).Branch(CrBits.Eq, true, 1, 2);
        builder.Block(frequency: 0.1f);
        builder.Load(3, 2).Load(4, 5).Load(5, 6).Return();
        builder.Block();
        builder.Call(s_helper).Load(31, 1).Op(Ppc64Opcode.Cmpdi, Cr0, Use(3), Imm(0)).Branch(CrBits.Eq, true, 3, 4);
        builder.Block(frequency: 0.01f);
        builder.Load(3, 7).Call(s_helper).Return();
        builder.Block();
        builder.Load(3, 8).Return();
        CompiledFunction function = builder.Emit();
        string kinds = string.Join(' ', function.Cfi.Select(static row => $"{row.CodeOffset}:{row.Kind}{row.Register}"));
        UnwindOracle.Check(function);
        Assert.Contains("RememberState", kinds, StringComparison.Ordinal);
        Assert.Contains("Restore65", kinds, StringComparison.Ordinal);
    }

    [Fact]
    public void Frame_is_set_up_before_a_loop_and_not_in_it()
    {
        MirBuilder builder = Guarded();
        builder.Jump(3);
        builder.Block(frequency: 10);
        builder.Call(s_helper).Op(Ppc64Opcode.Cmpdi, Cr0, Use(3), Imm(0)).Branch(CrBits.Eq, true, 3, 4);
        builder.Block();
        builder.Return();
        EmittedCode.AssertAssembly(
            """
            cmpdi 3,0
            beq 1f
            mflr 0
            std 0,16(1)
            stdu 1,-48(1)
            2: bl .
            nop
            cmpdi 3,0
            beq 2b
            addi 1,1,48
            ld 0,16(1)
            mtlr 0
            blr
            1: li 3,2
            blr
            """,
            builder.Emit());
    }

    [Fact]
    public void Null_check_behind_a_call_has_the_frame_and_the_check_before_it_has_not()
    {
        var builder = new MirBuilder(needsToc: true);
        builder.Op(Ppc64Opcode.Cmpdi, Cr0, Use(3), Imm(0)).Branch(CrBits.Eq, true, 3, 1);
        builder.Block();
        builder.Call(s_helper).Op(Ppc64Opcode.Cmpdi, Cr0, Use(3), Imm(0)).Branch(CrBits.Eq, true, 3, 2);
        builder.Block();
        builder.Op(Ppc64Opcode.Ld, Def(3), Imm(0), Use(3)).Jump(3);
        builder.Block();
        builder.Return();
        EmittedCode.AssertAssembly(
            """
            cmpdi 3,0
            beqlr
            mflr 0
            std 0,16(1)
            stdu 1,-48(1)
            bl .
            nop
            cmpdi 3,0
            beq 1f
            ld 3,0(3)
            1: addi 1,1,48
            ld 0,16(1)
            mtlr 0
            blr
            """,
            builder.Emit());
    }

    /// <summary>The same doubleword of the BPF stack, below r1 first and above the lowered r1 then.</summary>
    [Fact]
    public void Stack_is_in_the_same_place_with_and_without_a_frame()
    {
        MirBuilder builder = Guarded(stack: 16, store: true);
        builder.Op(Ppc64Opcode.Ld, Def(3), Stack(-16), R1).Call(s_helper).Return();
        CompiledFunction function = builder.Emit();
        Assert.Equal(64, function.FrameSize);
        EmittedCode.AssertAssembly(
            """
            std 4,-24(1)
            cmpdi 3,0
            beq 1f
            mflr 0
            std 0,16(1)
            stdu 1,-64(1)
            ld 3,40(1)
            bl .
            nop
            addi 1,1,64
            ld 0,16(1)
            mtlr 0
            blr
            1: li 3,2
            blr
            """,
            function);
    }

    [Fact]
    public void Stack_below_the_red_zone_needs_the_frame()
    {
        MirBuilder builder = Guarded(stack: 400, store: true);
        builder.Call(s_helper).Return();
        uint[] words = GnuAssembler.Assemble(["mflr 0", "std 0,16(1)", "stdu 1,-448(1)"]);
        Assert.Equal(words, builder.Emit().Code.AsSpan(0, 3).ToArray());
    }

    [Fact]
    public void Tail_call_on_an_early_exit_finds_the_count_and_leaves_the_link_register_alone()
    {
        var builder = new MirBuilder(isProgram: true, role: TailCallRole.Owner, needsToc: true);
        builder.Op(Ppc64Opcode.Cmpdi, Cr0, Use(3), Imm(0)).Branch(CrBits.Eq, true, 1, 2);
        builder.Block();
        builder.Op(Ppc64Opcode.Ld, Def(9), Count, R1).TailCallJump();
        builder.Block();
        builder.Call(s_helper).Op(Ppc64Opcode.Ld, Def(9), Count, R1).TailCallJump();
        CompiledFunction function = builder.Emit();
        uint[] without = GnuAssembler.Assemble(["ld 9,-8(1)", "mtctr 12", "bctr"]);
        uint[] with = GnuAssembler.Assemble(["ld 9,40(1)", "mtctr 12", "addi 1,1,48", "ld 0,16(1)", "mtlr 0", "bctr"]);
        Assert.True(function.Code.AsSpan().IndexOf(without) >= 0);
        Assert.True(function.Code.AsSpan().IndexOf(with) >= 0);
        UnwindOracle.Check(function);
    }

    /// <summary>Functions as the allocator leaves them: the rows hold at every instruction, and most with early returns run those without a frame.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void Rows_of_random_functions_hold_at_every_instruction(int batch)
    {
        int late = 0;
        for (int seed = batch * 1000; seed < (batch + 1) * 1000; seed++)
        {
            MachineFunction random = RandomFunctions.Create(seed);
            random.NeedsToc = true;
            EarlyExits.Separate(random);
            CompiledFunction? function = CodeEmitter.Emit(random, RegisterAllocator.Allocate(random, EmittedCode.Power8), EmittedCode.Power8);
            Assert.NotNull(function);
            UnwindOracle.Check(function);
            int setUp = function.Code.AsSpan().IndexOf(0x7c0802a6u); // mflr r0
            late += setUp > 0 && function.Code.AsSpan(0, setUp).ContainsAnyInRange(0x40000000u, 0x43ffffffu) ? 1 : 0;
        }

        Assert.InRange(late, 20, 1000);
    }

    private static MachineOperand Cr0 => MachineOperand.CrField(0);

    private static MachineOperand Count => MachineOperand.Frame(FrameArea.TailCallCount, 0);

    /// <summary>Returns 2 if r3 is 0; block 2 is open then.</summary>
    private static MirBuilder Guarded(int stack = 0, bool store = false)
    {
        var builder = new MirBuilder(needsToc: true, stack: stack);
        if (store)
            builder.Op(Ppc64Opcode.Std, Use(4), Stack(-stack), R1);
        builder.Op(Ppc64Opcode.Cmpdi, Cr0, Use(3), Imm(0)).Branch(CrBits.Eq, true, 1, 2);
        builder.Block();
        builder.Load(3, 2).Return();
        builder.Block();
        return builder;
    }
}
