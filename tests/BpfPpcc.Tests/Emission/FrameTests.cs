using BpfPpcc.Emission;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.Symbols;
using Xunit;
using static BpfPpcc.Tests.Emission.MirBuilder;

namespace BpfPpcc.Tests.Emission;

public sealed class FrameTests
{
    private static readonly SymbolId s_helper = new(0);

    [Fact]
    public void Leaf_subprogram_has_nothing_but_its_body()
    {
        CompiledFunction function = new MirBuilder().Return().Emit();
        EmittedCode.AssertAssembly("blr", function);
        Assert.Equal((0, -1, 0), (function.LocalEntryOffset, function.TailEntryOffset, function.FrameSize));
        Assert.Empty(function.Cfi);
    }

    [Fact]
    public void Program_without_tail_calls_starts_with_two_nops()
    {
        CompiledFunction function = new MirBuilder(isProgram: true).Return().Emit();
        EmittedCode.AssertAssembly("nop\n nop\n blr", function);
        Assert.Equal((0, 8), (function.LocalEntryOffset, function.TailEntryOffset));
    }

    [Fact]
    public void Program_with_tail_calls_zeroes_the_count_behind_the_global_entry()
    {
        CompiledFunction function = new MirBuilder(isProgram: true, role: TailCallRole.Owner, needsToc: true).Return().Emit();
        EmittedCode.AssertAssembly("addis 2,12,0\n addi 2,2,0\n li 0,0\n std 0,-8(1)\n blr", function);
        Assert.Equal((8, 16), (function.LocalEntryOffset, function.TailEntryOffset));
        Assert.True(function.ReachesTailCall);
        Assert.Equal(
            [
                new CodeRelocation(0, Ppc64Relocation.R_PPC64_REL16_HA, SymbolId.None, 0),
                new CodeRelocation(4, Ppc64Relocation.R_PPC64_REL16_LO, SymbolId.None, 0),
            ],
            function.Relocations);
    }

    [Fact]
    public void Only_functions_that_C_calls_have_a_global_entry_and_only_in_ElfV2()
    {
        Assert.Equal(0, new MirBuilder(needsToc: true).Return().Emit().LocalEntryOffset);
        Assert.Equal(8, new MirBuilder(needsToc: true, isCallableFromC: true).Return().Emit().LocalEntryOffset);
        Assert.Equal(0, new MirBuilder(isCallableFromC: true).Return().Emit().LocalEntryOffset);
        Assert.Equal(0, new MirBuilder(needsToc: true, isCallableFromC: true).Return().Emit(EmittedCode.Power8ElfV1).LocalEntryOffset);
    }

    [Fact]
    public void Receiver_keeps_the_pointer_and_a_thunk_a_count()
    {
        EmittedCode.AssertAssembly("std 8,-8(1)\n blr", new MirBuilder(role: TailCallRole.Receiver).Return().Emit());
        EmittedCode.AssertAssembly(
            "li 0,0\n std 0,-8(1)\n blr", new MirBuilder(role: TailCallRole.Owner, isCallableFromC: true).Return().Emit());
        Assert.Throws<InvalidOperationException>(() => new MirBuilder(isProgram: true, role: TailCallRole.Receiver).Return().Emit());
    }

    /// <summary>The order of prologue and epilogue, the places from the caller's r1 downwards, and the rows that follow them.</summary>
    [Fact]
    public void Calling_function_with_everything()
    {
        var builder = new MirBuilder(isProgram: true, role: TailCallRole.Owner, needsToc: true, stack: 24) { SpillSlots = 1 };
        builder.Pseudo(MachinePseudo.Copy, Def(31), Use(3)).Load(14, 1)
            .Op(Ppc64Opcode.Std, Use(31), Stack(-8), R1)
            .Op(Ppc64Opcode.Std, Use(31), Stack(-24), R1)
            .Op(Ppc64Opcode.Addi, Def(4), R1, Stack(0))
            .Op(Ppc64Opcode.Ld, Def(9), MachineOperand.Frame(FrameArea.TailCallCount, 0), R1)
            .Move(InGpr(9), InSlot(0))
            .Call(s_helper).Return();
        CompiledFunction function = builder.Emit();
        // 8 count + 16 saved + 24 stack + 8 spill + 32 header = 88, to a multiple of 16.
        EmittedCode.AssertAssembly(
            """
            addis 2,12,0
            addi 2,2,0
            li 0,0
            std 0,-8(1)
            mflr 0
            std 31,-16(1)
            std 14,-24(1)
            std 0,16(1)
            stdu 1,-96(1)
            mr 31,3
            li 14,1
            std 31,64(1)
            std 31,48(1)
            addi 4,1,72
            ld 9,88(1)
            std 9,40(1)
            bl .
            nop
            ld 14,72(1)
            ld 31,80(1)
            addi 1,1,96
            ld 0,16(1)
            mtlr 0
            blr
            """,
            function);
        Assert.Equal(96, function.FrameSize);
        Assert.Equal(
            [
                new CfiInstruction(36, CfiKind.DefineCfaOffset, 0, 96),
                new CfiInstruction(36, CfiKind.Offset, 65, 16),
                new CfiInstruction(36, CfiKind.Offset, 31, -16),
                new CfiInstruction(36, CfiKind.Offset, 14, -24),
                new CfiInstruction(76, CfiKind.Restore, 14, 0),
                new CfiInstruction(80, CfiKind.Restore, 31, 0),
                new CfiInstruction(84, CfiKind.DefineCfaOffset, 0, 0),
            ],
            function.Cfi);
    }

    [Fact]
    public void Tail_call_tears_down_the_frame_and_jumps_and_the_rows_return_behind_it()
    {
        var builder = new MirBuilder(isProgram: true, role: TailCallRole.Owner, needsToc: true);
        builder.Load(31, 0).Op(Ppc64Opcode.Cmpdi, MachineOperand.CrField(0), Use(3), Imm(0)).Call(s_helper).Branch(2, true, 2, 1);
        builder.Block();
        builder.TailCallJump();
        builder.Block();
        builder.Return();
        CompiledFunction function = builder.Emit();
        EmittedCode.AssertAssembly(
            """
            addis 2,12,0
            addi 2,2,0
            li 0,0
            std 0,-8(1)
            mflr 0
            std 31,-16(1)
            std 0,16(1)
            stdu 1,-48(1)
            li 31,0
            cmpdi 3,0
            bl .
            nop
            beq 1f
            mtctr 12
            ld 31,32(1)
            addi 1,1,48
            ld 0,16(1)
            mtlr 0
            bctr
            1: ld 31,32(1)
            addi 1,1,48
            ld 0,16(1)
            mtlr 0
            blr
            """,
            function);
        Assert.Contains(new CfiInstruction(76, CfiKind.RestoreState, 0, 0), function.Cfi);
    }

    [Fact]
    public void Callee_saved_registers_of_a_frameless_function_lie_in_the_red_zone()
    {
        CompiledFunction function = new MirBuilder().Load(30, 1).Load(31, 2).Return().Emit();
        EmittedCode.AssertAssembly("std 31,-16(1)\n std 30,-24(1)\n li 30,1\n li 31,2\n ld 30,-24(1)\n ld 31,-16(1)\n blr", function);
        Assert.Equal(0, function.FrameSize);
        Assert.Equal(
            [CfiKind.Offset, CfiKind.Offset, CfiKind.Restore, CfiKind.Restore],
            function.Cfi.Select(row => row.Kind));
    }

    /// <summary>288 bytes below r1 belong to a function that calls nothing; 8 of them are the tail-call count's.</summary>
    [Theory]
    [InlineData(280, 0, 0)]
    [InlineData(288, 0, 336)]
    [InlineData(272, 1, 0)]
    [InlineData(280, 1, 336)]
    [InlineData(0, 35, 0)]
    [InlineData(0, 36, 336)]
    [InlineData(512, 0, 560)]
    public void Frame_exists_where_the_red_zone_is_too_small(int stack, int spills, int expected)
    {
        var builder = new MirBuilder(stack: stack) { SpillSlots = spills };
        if (stack != 0)
            builder.Op(Ppc64Opcode.Std, Use(3), Stack(-8), R1);
        else
            builder.Move(InGpr(3), InSlot(0));
        CompiledFunction function = builder.Return().Emit();
        Assert.Equal(expected, function.FrameSize);
        Assert.Equal(expected == 0 ? 2 : 4, function.Code.Length);
    }

    [Fact]
    public void Large_frame_without_calls_leaves_the_link_register_alone()
    {
        CompiledFunction function = new MirBuilder(stack: 400).Op(Ppc64Opcode.Std, Use(3), Stack(-400), R1).Return().Emit();
        EmittedCode.AssertAssembly("stdu 1,-448(1)\n std 3,40(1)\n addi 1,1,448\n blr", function);
        Assert.DoesNotContain(function.Cfi, row => row.Register == 65);
    }

    [Fact]
    public void Misaligned_displacement_of_a_doubleword_form_is_a_compiler_bug() =>
        Assert.Throws<InvalidOperationException>(
            () => new MirBuilder(stack: 16).Op(Ppc64Opcode.Std, Use(3), Stack(-7), R1).Return().Emit());

    [Fact]
    public void Use_of_the_toc_without_saying_so_is_a_compiler_bug() =>
        Assert.Throws<InvalidOperationException>(() => new MirBuilder().Call(s_helper).Return().Emit());

    [Fact]
    public void Dump_shows_offsets_words_text_rows_and_relocations()
    {
        var symbols = new SymbolTable();
        SymbolId helper = symbols.Intern(SymbolKind.ExternFunction, "bpf_helper_ktime_get_ns", 5);
        CompiledFunction function = new MirBuilder("g", needsToc: true, stack: 8).Call(helper).OpAt(3, Ppc64Opcode.Addi, Def(3), Use(3), Imm(1)).Return().Emit();
        Assert.Equal(
            """
            function g: 40 bytes, frame 48, BPF stack 8, local entry +0, TOC
                  0  7c0802a6  mflr %r0
                  4  f8010010  std %r0, 16(%r1)
                  8  f821ffd1  stdu %r1, -48(%r1)
                        .cfi_def_cfa_offset 48
                        .cfi_offset 65, 16
                  c  48000001  bl .+0  ; R_PPC64_REL24 bpf_helper_ktime_get_ns
                 10  60000000  nop
              ; slot 3
                 14  38630001  addi %r3, %r3, 1
                 18  38210030  addi %r1, %r1, 48
                        .cfi_def_cfa_offset 0
                 1c  e8010010  ld %r0, 16(%r1)
                 20  7c0803a6  mtlr %r0
                 24  4e800020  blr

            """.ReplaceLineEndings("\n"),
            CodePrinter.Print(function, symbols));
    }
}
