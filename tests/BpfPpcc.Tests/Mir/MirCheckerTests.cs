using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.Symbols;
using Xunit;
using static BpfPpcc.Mir.MachineOperand;
using static BpfPpcc.Ppc64.Ppc64Opcode;

namespace BpfPpcc.Tests.Mir;

/// <summary>Every invariant of the form, broken once.</summary>
public sealed class MirCheckerTests
{
    private static readonly SymbolId s_symbol = new(0);

    private static VirtualRegister R(int number) => new(number);

    private static MachineInstruction Real(Ppc64Opcode opcode, params MachineOperand[] operands) => new(opcode, -1, operands);

    private static MachineInstruction Pseudo(MachinePseudo pseudo, params MachineOperand[] operands) => new(pseudo, -1, operands);

    private static MachineInstruction Li(int register, long value = 1) =>
        Pseudo(MachinePseudo.LoadImmediate, Def(R(register)), Immediate(value));

    private static MachineInstruction Return(int register) => Pseudo(MachinePseudo.Return, Use(R(register), 3));

    private static MachineInstruction Jump(int block) => Pseudo(MachinePseudo.Jump, Block(block));

    private static MachineInstruction Branch(int taken, int other) =>
        Pseudo(MachinePseudo.Branch, CrBit(2), Immediate(1), Block(taken), Block(other));

    private static MachineInstruction Compare(int register) => Real(Cmpdi, CrField(0), Use(R(register)), Immediate(0));

    private static MachineFunction Function(params MachineInstruction[][] blocks)
    {
        var function = new MachineFunction
        {
            Name = "f",
            FunctionIndex = 0,
            Symbol = SymbolId.None,
            IsCallableFromC = true,
            IsProgram = true,
            TailCallRole = TailCallRole.None,
            BpfStackSize = 16,
            VirtualRegisterCount = 10,
        };
        for (int i = 0; i < blocks.Length; i++)
        {
            var block = new MachineBlock(i);
            block.Instructions.AddRange(blocks[i]);
            function.Blocks.Add(block);
            foreach (MachineOperand operand in blocks[i][^1].Operands)
            {
                if (operand.Kind == MachineOperandKind.Block)
                    block.Successors.Add(new MachineEdge(operand.Number, []));
            }
        }

        foreach (MachineBlock block in function.Blocks)
        {
            foreach (MachineEdge edge in block.Successors)
                function.Blocks[edge.Target].Predecessors.Add(block.Index);
        }

        return function;
    }

    private static void AssertViolates(string violation, MachineFunction function) =>
        Assert.Contains(MirChecker.Check(function), text => text.Contains(violation, StringComparison.Ordinal));

    private static void AssertInstructionViolates(string violation, params MachineInstruction[] instructions) =>
        AssertViolates(violation, Function([Li(0), .. instructions, Return(0)]));

    [Fact]
    public void A_right_function_has_no_violations()
    {
        MachineFunction function = Function(
            [Li(0), Compare(0), Branch(1, 2)],
            [Real(Addi, Def(R(1)), Use(R(0)), Immediate(-32768)), Jump(3)],
            [Real(Ld, Def(R(2)), Frame(FrameArea.BpfStack, -8), Physical(Gpr.R1)), Jump(3)],
            [Return(3)]);
        function.Blocks[3].Parameters.Add(R(3));
        function.Blocks[1].Successors[0] = new MachineEdge(3, [R(1)]);
        function.Blocks[2].Successors[0] = new MachineEdge(3, [R(2)]);
        Assert.Empty(MirChecker.Check(function));
    }

    [Fact]
    public void Blocks_end_with_their_only_terminator()
    {
        AssertViolates("no terminator at the end", Function([Li(0)]));
        AssertViolates("terminator within the block", Function([Li(0), Return(0), Return(0)]));
    }

    [Fact]
    public void Edges_and_blocks_fit_together()
    {
        MachineFunction missing = Function([Li(0), Jump(1)], [Return(0)]);
        missing.Blocks[0].Successors.Clear();
        missing.Blocks[1].Predecessors.Clear();
        AssertViolates("does not lead where the terminator does", missing);

        MachineFunction forgotten = Function([Li(0), Jump(1)], [Return(0)]);
        forgotten.Blocks[1].Predecessors.Clear();
        AssertViolates("predecessors are not", forgotten);

        AssertViolates("unreachable", Function([Li(0), Return(0)], [Li(1), Return(1)]));
        AssertViolates("the entry has predecessors", Function([Li(0), Jump(0)]));
        AssertViolates("edge to no block", Function([Li(0), Jump(1)], [Return(0)]) is MachineFunction function
            && Redirect(function) ? function : throw new InvalidOperationException());
        AssertViolates("both edges lead to the same block", Function([Li(0), Compare(0), Branch(1, 1)], [Return(0)]));
    }

    private static bool Redirect(MachineFunction function)
    {
        function.Blocks[0].Successors[0] = new MachineEdge(7, []);
        return true;
    }

    [Fact]
    public void Edges_carry_one_argument_per_parameter_and_are_not_critical()
    {
        MachineFunction function = Function([Li(0), Jump(1)], [Return(1)]);
        function.Blocks[1].Parameters.Add(R(1));
        AssertViolates("0 arguments for the 1 parameters of b1", function);

        MachineFunction critical = Function([Li(0), Compare(0), Branch(1, 2)], [Jump(2)], [Return(3)]);
        critical.Blocks[2].Parameters.Add(R(3));
        critical.Blocks[0].Successors[1] = new MachineEdge(2, [R(0)]);
        critical.Blocks[1].Successors[0] = new MachineEdge(2, [R(0)]);
        AssertViolates("critical edge", critical);
    }

    [Fact]
    public void Every_register_has_one_definition_that_dominates_its_uses()
    {
        AssertViolates("defined a second time", Function([Li(0), Li(0), Return(0)]));
        AssertViolates("is not defined", Function([Return(4)]));
        AssertViolates("is not counted", Function([Li(99), Li(0), Return(0)]));
        AssertViolates("may not have happened", Function([Real(Neg, Def(R(1)), Use(R(0))), Li(0), Return(1)]));
        AssertViolates("may not have happened",
            Function([Li(0), Compare(0), Branch(1, 2)], [Li(1), Jump(3)], [Jump(3)], [Return(1)]));
    }

    [Fact]
    public void Conditions_are_read_where_they_are_made()
    {
        AssertViolates("cr0 is not defined in this block", Function([Li(0), Branch(1, 2)], [Return(0)], [Return(0)]));
        AssertViolates("cr0 is not defined in this block", Function(
            [Li(0), Compare(0), Pseudo(MachinePseudo.CallExtern, Address(s_symbol, 0)), Branch(1, 2)], [Return(0)], [Return(0)]));
        AssertViolates("the call loses a condition", Function(
            [Li(0), Compare(0), Pseudo(MachinePseudo.CallExtern, Address(s_symbol, 0)), Return(0)]));
        AssertInstructionViolates("overwritten that nobody has read", Compare(0), Real(AndiRc, Def(R(1)), Use(R(0)), Immediate(1)));
        AssertInstructionViolates("a condition that nobody has read", Compare(0));
        AssertInstructionViolates("the carry is not defined", Real(Addze, Def(R(1)), Use(R(0))));
    }

    [Fact]
    public void Operands_fit_into_the_row()
    {
        AssertInstructionViolates("does not fit", Real(Addi, Def(R(1)), Use(R(0)), Immediate(32768)));
        AssertInstructionViolates("does not fit", Real(Ori, Def(R(1)), Use(R(0)), Immediate(-1)));
        AssertInstructionViolates("does not fit", Real(Ld, Def(R(1)), Immediate(6), Use(R(0))));
        AssertInstructionViolates("no displacement from r1", Real(Ld, Def(R(1)), Frame(FrameArea.BpfStack, -6), Physical(Gpr.R1)));
        AssertInstructionViolates("no displacement from r1", Real(Ld, Def(R(1)), Frame(FrameArea.BpfStack, -8), Use(R(0))));
        AssertInstructionViolates("with 2 operands", Real(Add, Def(R(1)), Use(R(0))));
        AssertInstructionViolates("with 4 operands", Real(Add, Def(R(1)), Use(R(0)), Use(R(0)), Use(R(0))));
        AssertInstructionViolates("read for written", Real(Add, Use(R(0)), Use(R(0)), Use(R(0))));
        AssertInstructionViolates("wants a register", Real(Add, Def(R(1)), Zero, Use(R(0))));
        AssertInstructionViolates("only r1 and r2", Real(Add, Def(R(1)), Physical(Gpr.R0), Use(R(0))));
        AssertInstructionViolates("without a tied use",
            Real(Rlwimi, Def(R(1)), Use(R(0)), Immediate(8), Immediate(8), Immediate(15), Use(R(0))));
        AssertInstructionViolates("volatile CR field", Real(Cmpdi, CrField(2), Use(R(0)), Immediate(0)));
        AssertInstructionViolates("emission's business", Real(B, Immediate(8)));
    }

    [Fact]
    public void Halves_of_an_address_belong_together()
    {
        MachineInstruction high = Real(Addis, Def(R(1)), Physical(Gpr.R2), Address(s_symbol, 8, SymbolModifier.TocHa));
        AssertInstructionViolates("without its @toc@ha", high,
            Real(Lwz, Def(R(2)), Address(s_symbol, 12, SymbolModifier.TocLo), Use(R(1))));
        AssertInstructionViolates("no displacement", high,
            Real(Ld, Def(R(2)), Address(s_symbol, 6, SymbolModifier.TocLo), Use(R(1))));
        AssertInstructionViolates("elsewhere than added to r2",
            Real(Addis, Def(R(1)), Use(R(0)), Address(s_symbol, 8, SymbolModifier.TocHa)));
    }

    [Fact]
    public void Pseudo_instructions_have_their_operands()
    {
        AssertInstructionViolates("wants arguments in r3..r7",
            Pseudo(MachinePseudo.CallExtern, Address(s_symbol, 0), Use(R(0), 8)));
        AssertInstructionViolates("r3 twice", Pseudo(MachinePseudo.CallExtern, Address(s_symbol, 0), Use(R(0), 3), Use(R(0), 3)));
        AssertInstructionViolates("wants a use in r12", Pseudo(MachinePseudo.CallIndirect, Use(R(0), 11)));
        AssertInstructionViolates("wants two early defs",
            Pseudo(MachinePseudo.AtomicReadModifyWrite, Def(R(1)), EarlyDef(R(2)), Use(R(0)), Use(R(0)),
                Immediate(0), Immediate(8), Immediate(0)));
        AssertInstructionViolates("arguments elsewhere", Pseudo(MachinePseudo.Arguments, Def(R(1), 3)));
        AssertViolates("wants a use in r3", Function([Li(0), Pseudo(MachinePseudo.Return, Use(R(0)))]));
    }
}
