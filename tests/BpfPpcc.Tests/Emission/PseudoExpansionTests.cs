using BpfPpcc.Emission;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.Symbols;
using Xunit;
using static BpfPpcc.Tests.Emission.MirBuilder;

namespace BpfPpcc.Tests.Emission;

public sealed class PseudoExpansionTests
{
    private static readonly SymbolId s_symbol = new(7);

    [Theory]
    [InlineData(5, "li 9,5")]
    [InlineData(-32768, "li 9,-32768")]
    [InlineData(0x12340000, "lis 9,0x1234")]
    [InlineData(0x12345678, "lis 9,0x1234\n ori 9,9,0x5678")]
    public void LoadImmediate_is_synthesised(long value, string expected) =>
        EmittedCode.AssertAssembly(expected + "\n blr", new MirBuilder().Load(9, value).Return().Emit());

    [Fact]
    public void LoadAddress_adds_to_the_toc_base()
    {
        CompiledFunction function = new MirBuilder(needsToc: true).Address(9, s_symbol, 40).Return().Emit();
        EmittedCode.AssertAssembly("addis 9,2,0\n addi 9,9,0\n blr", function);
        Assert.Equal(
            [
                new CodeRelocation(0, Ppc64Relocation.R_PPC64_TOC16_HA, s_symbol, 40),
                new CodeRelocation(4, Ppc64Relocation.R_PPC64_TOC16_LO, s_symbol, 40),
            ],
            function.Relocations);
    }

    [Fact]
    public void LoadExternAddress_loads_a_toc_entry()
    {
        CompiledFunction function = new MirBuilder(needsToc: true)
            .Pseudo(MachinePseudo.LoadExternAddress, Def(9), MachineOperand.Address(s_symbol, 8)).Return().Emit();
        EmittedCode.AssertAssembly("addis 9,2,0\n ld 9,0(9)\n blr", function);
        Assert.Equal(
            [
                new CodeRelocation(0, Ppc64Relocation.R_PPC64_TOC16_HA, s_symbol, 8, ThroughTocEntry: true),
                new CodeRelocation(4, Ppc64Relocation.R_PPC64_TOC16_LO_DS, s_symbol, 8, ThroughTocEntry: true),
            ],
            function.Relocations);
    }

    [Fact]
    public void LoadLiteral_loads_a_toc_entry_without_a_symbol()
    {
        CompiledFunction function = new MirBuilder(needsToc: true)
            .Pseudo(MachinePseudo.LoadLiteral, Def(9), MachineOperand.Immediate(0x123456789abcdef0)).Return().Emit();
        EmittedCode.AssertAssembly("addis 9,2,0\n ld 9,0(9)\n blr", function);
        Assert.Equal(
            [
                new CodeRelocation(0, Ppc64Relocation.R_PPC64_TOC16_HA, SymbolId.None, 0x123456789abcdef0, ThroughTocEntry: true),
                new CodeRelocation(4, Ppc64Relocation.R_PPC64_TOC16_LO_DS, SymbolId.None, 0x123456789abcdef0, ThroughTocEntry: true),
            ],
            function.Relocations);
    }

    [Fact]
    public void Symbol_operands_get_the_relocation_of_their_field()
    {
        CompiledFunction function = new MirBuilder(needsToc: true)
            .Op(Ppc64Opcode.Addis, Def(9), R2, MachineOperand.Address(s_symbol, 4, SymbolModifier.TocHa))
            .Op(Ppc64Opcode.Lwz, Def(3), MachineOperand.Address(s_symbol, 4, SymbolModifier.TocLo), Use(9))
            .Op(Ppc64Opcode.Std, Use(3), MachineOperand.Address(s_symbol, 8, SymbolModifier.TocLo), Use(9))
            .Return().Emit();
        EmittedCode.AssertAssembly("addis 9,2,0\n lwz 3,0(9)\n std 3,0(9)\n blr", function);
        Assert.Equal(
            [
                new CodeRelocation(0, Ppc64Relocation.R_PPC64_TOC16_HA, s_symbol, 4),
                new CodeRelocation(4, Ppc64Relocation.R_PPC64_TOC16_LO, s_symbol, 4),
                new CodeRelocation(8, Ppc64Relocation.R_PPC64_TOC16_LO_DS, s_symbol, 8),
            ],
            function.Relocations);
    }

    [Fact]
    public void Copy_moves_and_vanishes_where_both_are_one_register() =>
        EmittedCode.AssertAssembly(
            "mr 9,3\n blr",
            new MirBuilder()
                .Pseudo(MachinePseudo.Arguments, Def(3))
                .Pseudo(MachinePseudo.Copy, Def(9), Use(3))
                .Pseudo(MachinePseudo.Copy, Def(9), Use(9))
                .Return().Emit());

    [Fact]
    public void CallExtern_has_a_nop_and_saves_the_link_register()
    {
        CompiledFunction function = new MirBuilder(needsToc: true).Call(s_symbol).Return().Emit();
        EmittedCode.AssertAssembly(
            """
            mflr 0
            std 0,16(1)
            stdu 1,-48(1)
            bl .
            nop
            addi 1,1,48
            ld 0,16(1)
            mtlr 0
            blr
            """,
            function);
        Assert.Equal([new CodeRelocation(12, Ppc64Relocation.R_PPC64_REL24, s_symbol, 0)], function.Relocations);
        Assert.Empty(function.LocalCalls);
    }

    [Fact]
    public void CallLocal_has_neither_nop_nor_relocation()
    {
        CompiledFunction function = new MirBuilder().CallLocal(s_symbol).Return().Emit();
        EmittedCode.AssertAssembly(
            "mflr 0\n std 0,16(1)\n stdu 1,-48(1)\n bl .\n addi 1,1,48\n ld 0,16(1)\n mtlr 0\n blr", function);
        Assert.Equal([new LocalCall(12, s_symbol)], function.LocalCalls);
        Assert.Empty(function.Relocations);
    }

    [Fact]
    public void CallIndirect_keeps_r2() =>
        EmittedCode.AssertAssembly(
            """
            mflr 0
            std 0,16(1)
            stdu 1,-48(1)
            std 2,24(1)
            mtctr 12
            bctrl
            ld 2,24(1)
            addi 1,1,48
            ld 0,16(1)
            mtlr 0
            blr
            """,
            new MirBuilder().Pseudo(MachinePseudo.CallIndirect, Def(3), Use(12), Use(3)).Return().Emit());

    [Fact]
    public void CallIndirect_goes_through_a_descriptor_in_ElfV1() =>
        EmittedCode.AssertAssembly(
            """
            mflr 0
            std 0,16(1)
            stdu 1,-128(1)
            std 2,40(1)
            ld 0,0(12)
            mtctr 0
            ld 11,16(12)
            ld 2,8(12)
            bctrl
            ld 2,40(1)
            addi 1,1,128
            ld 0,16(1)
            mtlr 0
            blr
            """,
            new MirBuilder().Pseudo(MachinePseudo.CallIndirect, Def(3), Use(12), Use(3)).Return().Emit(EmittedCode.Power8ElfV1));

    [Theory]
    [InlineData(AtomicKind.Add, 8, false, "1: ldarx 3,0,5\n add 4,3,6\n stdcx. 4,0,5\n bne- 1b")]
    [InlineData(AtomicKind.Add, 4, true, "sync\n 1: lwarx 3,0,5\n add 4,3,6\n stwcx. 4,0,5\n bne- 1b\n sync")]
    [InlineData(AtomicKind.Or, 4, false, "1: lwarx 3,0,5\n or 4,3,6\n stwcx. 4,0,5\n bne- 1b")]
    [InlineData(AtomicKind.And, 8, false, "1: ldarx 3,0,5\n and 4,3,6\n stdcx. 4,0,5\n bne- 1b")]
    [InlineData(AtomicKind.Xor, 8, true, "sync\n 1: ldarx 3,0,5\n xor 4,3,6\n stdcx. 4,0,5\n bne- 1b\n sync")]
    [InlineData(AtomicKind.Exchange, 8, true, "sync\n 1: ldarx 3,0,5\n stdcx. 6,0,5\n bne- 1b\n sync")]
    public void AtomicReadModifyWrite_is_a_loop(AtomicKind kind, int width, bool isOrdered, string expected) =>
        EmittedCode.AssertAssembly(
            expected + "\n blr",
            new MirBuilder()
                .Pseudo(
                    MachinePseudo.AtomicReadModifyWrite,
                    MachineOperand.EarlyDef(new VirtualRegister(3)), MachineOperand.EarlyDef(new VirtualRegister(4)), Use(5), Use(6),
                    Imm((long)kind), Imm(width), Imm(isOrdered ? 1 : 0))
                .Return().Emit());

    [Theory]
    [InlineData(AtomicKind.Add, 8, -1, "1: ldarx 3,0,5\n addi 4,3,-1\n stdcx. 4,0,5\n bne- 1b")]
    [InlineData(AtomicKind.Or, 4, 0x8000, "1: lwarx 3,0,5\n ori 4,3,0x8000\n stwcx. 4,0,5\n bne- 1b")]
    [InlineData(AtomicKind.And, 8, 0xffff, "1: ldarx 3,0,5\n andi. 4,3,0xffff\n stdcx. 4,0,5\n bne- 1b")]
    [InlineData(AtomicKind.Xor, 4, 1, "1: lwarx 3,0,5\n xori 4,3,1\n stwcx. 4,0,5\n bne- 1b")]
    public void AtomicReadModifyWrite_takes_an_immediate(AtomicKind kind, int width, int value, string expected) =>
        EmittedCode.AssertAssembly(
            expected + "\n blr",
            new MirBuilder()
                .Pseudo(
                    MachinePseudo.AtomicReadModifyWrite,
                    MachineOperand.EarlyDef(new VirtualRegister(3)), MachineOperand.EarlyDef(new VirtualRegister(4)), Use(5), Imm(value),
                    Imm((long)kind), Imm(width), Imm(0))
                .Return().Emit());

    [Theory]
    [InlineData(8, "sync\n 1: ldarx 3,0,5\n cmpd 3,6\n bne- 2f\n stdcx. 7,0,5\n bne- 1b\n 2: sync\n blr")]
    [InlineData(4, "sync\n 1: lwarx 3,0,5\n cmpw 3,6\n bne- 2f\n stwcx. 7,0,5\n bne- 1b\n 2: sync\n blr")]
    public void AtomicCompareExchange_is_a_loop(int width, string expected) =>
        EmittedCode.AssertAssembly(
            expected,
            new MirBuilder()
                .Pseudo(
                    MachinePseudo.AtomicCompareExchange,
                    MachineOperand.EarlyDef(new VirtualRegister(3)), Use(5), Use(6), Use(7), Imm(width))
                .Return().Emit());

    [Fact]
    public void Unreachable_traps() =>
        EmittedCode.AssertAssembly("trap", new MirBuilder().Pseudo(MachinePseudo.Unreachable).Emit());

    [Fact]
    public void Edits_move_spill_reload_and_rematerialise()
    {
        MachineInstruction constant = new(MachinePseudo.LoadImmediate, -1, Def(40), Imm(0x12345678));
        MachineInstruction small = new(Ppc64Opcode.Addi, -1, Def(41), MachineOperand.Zero, Imm(-3));
        var builder = new MirBuilder(stack: 16) { SpillSlots = 2 };
        builder
            .Move(InGpr(3), InSlot(0)).Move(InGpr(4), InGpr(0)).Move(InGpr(0), InGpr(5))
            .DeleteNext().Load(9, 1)
            .Rematerialize(constant, 6).Rematerialize(small, 7).Move(InSlot(0), InGpr(3)).Move(InSlot(1), InGpr(8))
            .Return();
        EmittedCode.AssertAssembly(
            """
            std 3,-32(1)
            mr 0,4
            mr 5,0
            lis 6,0x1234
            ori 6,6,0x5678
            li 7,-3
            ld 3,-32(1)
            ld 8,-40(1)
            blr
            """,
            builder.Emit());
    }

    [Fact]
    public void R0_as_a_base_is_a_compiler_bug() =>
        Assert.Throws<InvalidOperationException>(
            () => new MirBuilder().Op(Ppc64Opcode.Ld, Def(3), Imm(0), Use(0)).Return().Emit());
}
