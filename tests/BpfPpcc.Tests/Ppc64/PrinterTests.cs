using BpfPpcc.Ppc64;
using Xunit;

namespace BpfPpcc.Tests.Ppc64;

public sealed class PrinterTests
{
    [Theory]
    [InlineData("add %r3, %r4, %r5", Ppc64Opcode.Add, 3, 4, 5)]
    [InlineData("add. %r3, %r4, %r5", Ppc64Opcode.AddRc, 3, 4, 5)]
    [InlineData("li %r3, -5", Ppc64Opcode.Addi, 3, 0, -5)]
    [InlineData("lis %r3, 16", Ppc64Opcode.Addis, 3, 0, 16)]
    [InlineData("addi %r3, %r1, 32", Ppc64Opcode.Addi, 3, 1, 32)]
    [InlineData("mr %r3, %r4", Ppc64Opcode.Or, 3, 4, 4)]
    [InlineData("mr. %r3, %r4", Ppc64Opcode.OrRc, 3, 4, 4)]
    [InlineData("not %r3, %r4", Ppc64Opcode.Nor, 3, 4, 4)]
    [InlineData("nop", Ppc64Opcode.Ori, 0, 0, 0)]
    [InlineData("ori %r0, %r0, 1", Ppc64Opcode.Ori, 0, 0, 1)]
    [InlineData("sldi %r3, %r4, 3", Ppc64Opcode.Rldicr, 3, 4, 3, 60)]
    [InlineData("srdi %r3, %r4, 3", Ppc64Opcode.Rldicl, 3, 4, 61, 3)]
    [InlineData("srdi. %r3, %r4, 3", Ppc64Opcode.RldiclRc, 3, 4, 61, 3)]
    [InlineData("clrldi %r3, %r4, 32", Ppc64Opcode.Rldicl, 3, 4, 0, 32)]
    [InlineData("clrrdi %r3, %r4, 4", Ppc64Opcode.Rldicr, 3, 4, 0, 59)]
    [InlineData("rotldi %r3, %r4, 7", Ppc64Opcode.Rldicl, 3, 4, 7, 0)]
    [InlineData("rotld %r3, %r4, %r5", Ppc64Opcode.Rldcl, 3, 4, 5, 0)]
    [InlineData("rldicl %r3, %r4, 8, 40", Ppc64Opcode.Rldicl, 3, 4, 8, 40)]
    [InlineData("slwi %r3, %r4, 3", Ppc64Opcode.Rlwinm, 3, 4, 3, 0, 28)]
    [InlineData("srwi %r3, %r4, 3", Ppc64Opcode.Rlwinm, 3, 4, 29, 3, 31)]
    [InlineData("clrlwi %r3, %r4, 24", Ppc64Opcode.Rlwinm, 3, 4, 0, 24, 31)]
    [InlineData("rotlwi %r3, %r4, 8", Ppc64Opcode.Rlwinm, 3, 4, 8, 0, 31)]
    [InlineData("rlwinm %r3, %r4, 8, 1, 0", Ppc64Opcode.Rlwinm, 3, 4, 8, 1, 0)]
    [InlineData("ld %r3, -8(%r1)", Ppc64Opcode.Ld, 3, -8, 1)]
    [InlineData("ld %r3, 8(0)", Ppc64Opcode.Ld, 3, 8, 0)]
    [InlineData("stdu %r1, -64(%r1)", Ppc64Opcode.Stdu, 1, -64, 1)]
    [InlineData("ldx %r3, 0, %r4", Ppc64Opcode.Ldx, 3, 0, 4)]
    [InlineData("stdcx. %r3, 0, %r4", Ppc64Opcode.Stdcx, 3, 0, 4)]
    [InlineData("cmpdi %r3, -1", Ppc64Opcode.Cmpdi, 0, 3, -1)]
    [InlineData("cmplwi %cr7, %r3, 65535", Ppc64Opcode.Cmplwi, 7, 3, 65535)]
    [InlineData("iseleq %r3, 0, %r5", Ppc64Opcode.Isel, 3, 0, 5, 2)]
    [InlineData("isel %r3, %r4, %r5, 4*%cr7+gt", Ppc64Opcode.Isel, 3, 4, 5, 29)]
    [InlineData("crnor 4*%cr1+lt, eq, 4*%cr7+so", Ppc64Opcode.Crnor, 4, 2, 31)]
    [InlineData("b .-8", Ppc64Opcode.B, -8)]
    [InlineData("bl .+8", Ppc64Opcode.Bl, 8)]
    [InlineData("beq .+8", Ppc64Opcode.Bc, BranchOptions.IfTrue, 2, 8)]
    [InlineData("bne- %cr7, .-8", Ppc64Opcode.Bc, BranchOptions.IfFalse + BranchOptions.Unlikely, 30, -8)]
    [InlineData("bge+ .+8", Ppc64Opcode.Bc, BranchOptions.IfFalse + BranchOptions.Likely, 0, 8)]
    [InlineData("bdnz .-8", Ppc64Opcode.Bc, BranchOptions.DecrementNonZero, 0, -8)]
    [InlineData("bc 20, lt, .+8", Ppc64Opcode.Bc, BranchOptions.Always, 0, 8)]
    [InlineData("blr", Ppc64Opcode.Bclr, BranchOptions.Always, 0)]
    [InlineData("bltlr %cr1", Ppc64Opcode.Bclr, BranchOptions.IfTrue, 4)]
    [InlineData("bctr", Ppc64Opcode.Bcctr, BranchOptions.Always, 0)]
    [InlineData("bctrl", Ppc64Opcode.Bcctrl, BranchOptions.Always, 0)]
    [InlineData("mtctr %r12", Ppc64Opcode.Mtctr, 12)]
    [InlineData("lwsync", Ppc64Opcode.Lwsync)]
    [InlineData("mtvsrdd %vs0, %r3, %r3", Ppc64Opcode.Mtvsrdd, 0, 3, 3)]
    [InlineData("xxbrd %vs34, %vs0", Ppc64Opcode.Xxbrd, 34, 0)]
    [InlineData("trap", Ppc64Opcode.Tw, 31, 0, 0)]
    public void Prints_what_everyone_writes(string expected, Ppc64Opcode opcode, params int[] operands) =>
        Assert.Equal(expected, Ppc64Printer.Print(opcode, Array.ConvertAll(operands, static value => (long)value)));

    [Theory]
    [InlineData("addis %r3, %r2, counts@toc@ha", Ppc64Opcode.Addis, 3, 2, 0)]
    [InlineData("lis %r3, counts@toc@ha", Ppc64Opcode.Addis, 3, 0, 0)]
    [InlineData("ld %r3, counts@toc@ha(%r3)", Ppc64Opcode.Ld, 3, 0, 3)]
    [InlineData("ori %r0, %r0, counts@toc@ha", Ppc64Opcode.Ori, 0, 0, 0)]
    public void A_relocation_stands_for_the_immediate(string expected, Ppc64Opcode opcode, params int[] operands) =>
        Assert.Equal(expected, Ppc64Printer.Print(opcode, Array.ConvertAll(operands, static value => (long)value), relocationOperand: "counts@toc@ha"));

    [Theory]
    [InlineData("b .L7", Ppc64Opcode.B, 0)]
    [InlineData("bl .L7", Ppc64Opcode.Bl, 0)]
    [InlineData("blt %cr1, .L7", Ppc64Opcode.Bc, BranchOptions.IfTrue, 4, 0)]
    [InlineData("bc 8, lt, .L7", Ppc64Opcode.Bc, 8, 0, 0)]
    public void A_label_stands_for_the_displacement(string expected, Ppc64Opcode opcode, params int[] operands) =>
        Assert.Equal(expected, Ppc64Printer.Print(opcode, Array.ConvertAll(operands, static value => (long)value), branchTarget: ".L7"));

    [Fact]
    public void Inverting_a_branch_twice_gives_it_back_and_turns_its_hint()
    {
        Assert.Equal(BranchOptions.IfFalse, BranchOptions.Invert(BranchOptions.IfTrue));
        Assert.Equal(BranchOptions.IfFalse + BranchOptions.Unlikely, BranchOptions.Invert(BranchOptions.IfTrue + BranchOptions.Likely));
        foreach (int options in new[] { 4, 6, 7, 12, 14, 15 }) Assert.Equal(options, BranchOptions.Invert(BranchOptions.Invert(options)));
    }
}
