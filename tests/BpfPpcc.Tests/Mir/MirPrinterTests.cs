using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.Symbols;
using Xunit;
using static BpfPpcc.Mir.MachineOperand;

namespace BpfPpcc.Tests.Mir;

public sealed class MirPrinterTests
{
    private static readonly SymbolTable s_symbols = new();
    private static readonly SymbolId s_map = s_symbols.Intern(SymbolKind.Map, "counters", 0);

    private static VirtualRegister R(int number) => new(number);

    private static string Print(MachineInstruction instruction) => MirPrinter.Print(new MachineBlock(0), instruction, s_symbols);

    [Fact]
    public void Instructions_look_like_assembly()
    {
        Assert.Equal("lwz %v1, counters+8@toc@l(%v2)",
            Print(new(Ppc64Opcode.Lwz, 0, Def(R(1)), Address(s_map, 8, SymbolModifier.TocLo), Use(R(2)))));
        Assert.Equal("std %v1, bpf-16(r1)", Print(new(Ppc64Opcode.Std, 0, Use(R(1)), Frame(FrameArea.BpfStack, -16), Physical(Gpr.R1))));
        Assert.Equal("isel %v1, 0, %v2, cr1.eq", Print(new(Ppc64Opcode.Isel, 0, Def(R(1)), Zero, Use(R(2)), CrBit(6))));
        Assert.Equal("rldimi %v1, %v2, 32, 0 tied %v3",
            Print(new(Ppc64Opcode.Rldimi, 0, Def(R(1)), Use(R(2)), Immediate(32), Immediate(0), TiedUse(R(3), 0))));
        Assert.Equal("call-local %v1:r3, counters, %v2:r4, %v3:r8",
            Print(new(MachinePseudo.CallLocal, 0, Def(R(1), 3), Address(s_map, 0), Use(R(2), 4), Use(R(3), 8))));
        Assert.Equal("atomic-exchange.32.ordered %v1!, %v2!, %v3, %v4", Print(new(MachinePseudo.AtomicReadModifyWrite, 0, EarlyDef(R(1)),
            EarlyDef(R(2)), Use(R(3)), Use(R(4)), Immediate((int)AtomicKind.Exchange), Immediate(4), Immediate(1))));
    }

    [Fact]
    public void Blocks_show_their_parameters_and_edges_their_arguments()
    {
        var function = new MachineFunction
        {
            Name = "f",
            FunctionIndex = 0,
            Symbol = SymbolId.None,
            IsCallableFromC = true,
            IsProgram = true,
            TailCallRole = TailCallRole.Owner,
            BpfStackSize = 8,
            NeedsToc = true,
        };
        var entry = new MachineBlock(0);
        entry.Instructions.Add(new(MachinePseudo.Branch, 0, CrBit(2), Immediate(0), Block(1), Block(2)));
        entry.Successors.Add(new MachineEdge(1, [R(1), R(2)]));
        entry.Successors.Add(new MachineEdge(2, []));
        var exit = new MachineBlock(1) { Frequency = 10 };
        exit.Parameters.AddRange([R(5), R(6)]);
        exit.Instructions.Add(new(MachinePseudo.Return, 0, Use(R(5), 3)));
        function.Blocks.AddRange([entry, exit]);
        Assert.Equal(
            """
            f stack=8 program callable-from-c toc tail-call-owner
            b0:
                branch cr0.eq clear, b1(%v1, %v2), b2
            b1(%v5, %v6): frequency 10
                return %v5:r3

            """.ReplaceLineEndings("\n"), MirPrinter.Print(function, s_symbols));
    }
}
