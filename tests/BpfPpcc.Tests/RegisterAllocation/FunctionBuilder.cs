using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.Symbols;

namespace BpfPpcc.Tests.RegisterAllocation;

/// <summary>Writes machine functions for tests: blocks, instructions into the current block, edges.</summary>
internal sealed class FunctionBuilder
{
    public FunctionBuilder(string name = "test")
    {
        Function = new MachineFunction
        {
            Name = name,
            FunctionIndex = 0,
            Symbol = new SymbolId(-1),
            IsCallableFromC = true,
            IsProgram = false,
            TailCallRole = TailCallRole.None,
            BpfStackSize = 0,
        };
        Current = NewBlock();
    }

    public MachineFunction Function { get; }

    public MachineBlock Current { get; set; }

    public MachineBlock NewBlock(float frequency = 1)
    {
        var block = new MachineBlock(Function.Blocks.Count) { Frequency = frequency };
        Function.Blocks.Add(block);
        return block;
    }

    public VirtualRegister Parameter(MachineBlock block)
    {
        VirtualRegister register = Function.NewRegister();
        block.Parameters.Add(register);
        return register;
    }

    public VirtualRegister[] Arguments(int count)
    {
        var registers = new VirtualRegister[count];
        var operands = new MachineOperand[count];
        for (int index = 0; index < count; index++)
        {
            registers[index] = Function.NewRegister();
            operands[index] = MachineOperand.Def(registers[index], (sbyte)(3 + index));
        }

        Emit(MachinePseudo.Arguments, operands);
        return registers;
    }

    public VirtualRegister Binary(Ppc64Opcode opcode, VirtualRegister a, VirtualRegister b)
    {
        VirtualRegister result = Function.NewRegister();
        Emit(opcode, MachineOperand.Def(result), MachineOperand.Use(a), MachineOperand.Use(b));
        return result;
    }

    public VirtualRegister Add(VirtualRegister a, VirtualRegister b) => Binary(Ppc64Opcode.Add, a, b);

    public VirtualRegister AddImmediate(VirtualRegister a, long value)
    {
        VirtualRegister result = Function.NewRegister();
        Emit(Ppc64Opcode.Addi, MachineOperand.Def(result), MachineOperand.Use(a), MachineOperand.Immediate(value));
        return result;
    }

    /// <summary>Inserts bits of one value into another: the def is tied to the second.</summary>
    public VirtualRegister Insert(VirtualRegister inserted, VirtualRegister into)
    {
        VirtualRegister result = Function.NewRegister();
        Emit(Ppc64Opcode.Rlwimi, MachineOperand.Def(result), MachineOperand.Use(inserted), MachineOperand.Immediate(8), MachineOperand.Immediate(0),
            MachineOperand.Immediate(7), MachineOperand.TiedUse(into, 0));
        return result;
    }

    public VirtualRegister AtomicAdd(VirtualRegister address, VirtualRegister value)
    {
        VirtualRegister old = Function.NewRegister();
        VirtualRegister temporary = Function.NewRegister();
        Emit(MachinePseudo.AtomicReadModifyWrite, MachineOperand.EarlyDef(old), MachineOperand.EarlyDef(temporary), MachineOperand.Use(address),
            MachineOperand.Use(value), MachineOperand.Immediate(0), MachineOperand.Immediate(8), MachineOperand.Immediate(1));
        return old;
    }

    public VirtualRegister CompareExchange(VirtualRegister address, VirtualRegister expected, VirtualRegister replacement)
    {
        VirtualRegister old = Function.NewRegister();
        Emit(MachinePseudo.AtomicCompareExchange, MachineOperand.EarlyDef(old), MachineOperand.Use(address), MachineOperand.Use(expected),
            MachineOperand.Use(replacement), MachineOperand.Immediate(8));
        return old;
    }

    public VirtualRegister FrameAddress(int offset)
    {
        VirtualRegister result = Function.NewRegister();
        Emit(Ppc64Opcode.Addi, MachineOperand.Def(result), MachineOperand.Physical(Gpr.R1), MachineOperand.Frame(FrameArea.BpfStack, offset));
        return result;
    }

    public VirtualRegister Constant(long value)
    {
        VirtualRegister result = Function.NewRegister();
        Emit(MachinePseudo.LoadImmediate, MachineOperand.Def(result), MachineOperand.Immediate(value));
        return result;
    }

    public VirtualRegister Address(int symbol, bool isExtern = false)
    {
        VirtualRegister result = Function.NewRegister();
        Emit(isExtern ? MachinePseudo.LoadExternAddress : MachinePseudo.LoadAddress, MachineOperand.Def(result),
            MachineOperand.Address(new SymbolId(symbol), 0));
        return result;
    }

    public VirtualRegister Copy(VirtualRegister value)
    {
        VirtualRegister result = Function.NewRegister();
        Emit(MachinePseudo.Copy, MachineOperand.Def(result), MachineOperand.Use(value));
        return result;
    }

    public VirtualRegister Load(VirtualRegister address)
    {
        VirtualRegister result = Function.NewRegister();
        Emit(Ppc64Opcode.Ld, MachineOperand.Def(result), MachineOperand.Immediate(0), MachineOperand.Use(address));
        return result;
    }

    public void Store(VirtualRegister value, VirtualRegister address) =>
        Emit(Ppc64Opcode.Std, MachineOperand.Use(value), MachineOperand.Immediate(0), MachineOperand.Use(address));

    public VirtualRegister Call(int symbol, params VirtualRegister[] arguments)
    {
        VirtualRegister result = Function.NewRegister();
        EmitCall(MachinePseudo.CallExtern, MachineOperand.Def(result, 3), symbol, arguments);
        return result;
    }

    /// <summary>A call of a subprogram that receives the pointer to a tail-call count in r8.</summary>
    public VirtualRegister CallLocal(int symbol, VirtualRegister count, params VirtualRegister[] arguments)
    {
        VirtualRegister result = Function.NewRegister();
        var operands = new List<MachineOperand> { MachineOperand.Def(result, 3), MachineOperand.Address(new SymbolId(symbol), 0) };
        AddArguments(operands, arguments);
        operands.Add(MachineOperand.Use(count, 8));
        Emit(MachinePseudo.CallLocal, operands.ToArray());
        return result;
    }

    public void CallWithoutResult(int symbol, params VirtualRegister[] arguments) => EmitCall(MachinePseudo.CallExtern, null, symbol, arguments);

    public VirtualRegister CallIndirect(VirtualRegister callee, params VirtualRegister[] arguments)
    {
        VirtualRegister result = Function.NewRegister();
        var operands = new List<MachineOperand> { MachineOperand.Def(result, 3), MachineOperand.Use(callee, 12) };
        AddArguments(operands, arguments);
        Emit(MachinePseudo.CallIndirect, operands.ToArray());
        return result;
    }

    public void Compare(VirtualRegister value, long with) => Emit(Ppc64Opcode.Cmpdi, MachineOperand.CrField(0), MachineOperand.Use(value), MachineOperand.Immediate(with));

    public void Jump(MachineBlock target, params VirtualRegister[] arguments)
    {
        Emit(MachinePseudo.Jump, MachineOperand.Block(target.Index));
        AddEdge(target, arguments);
    }

    public void Branch(int bit, MachineBlock taken, MachineBlock notTaken)
    {
        Emit(MachinePseudo.Branch, MachineOperand.CrBit(bit), MachineOperand.Immediate(1), MachineOperand.Block(taken.Index), MachineOperand.Block(notTaken.Index));
        AddEdge(taken, []);
        AddEdge(notTaken, []);
    }

    public void Return(VirtualRegister value) => Emit(MachinePseudo.Return, MachineOperand.Use(value, 3));

    public void Emit(Ppc64Opcode opcode, params MachineOperand[] operands) => Current.Instructions.Add(new MachineInstruction(opcode, -1, operands));

    public void Emit(MachinePseudo pseudo, params MachineOperand[] operands) => Current.Instructions.Add(new MachineInstruction(pseudo, -1, operands));

    private void AddEdge(MachineBlock target, VirtualRegister[] arguments)
    {
        Current.Successors.Add(new MachineEdge(target.Index, arguments));
        target.Predecessors.Add(Current.Index);
    }

    private void EmitCall(MachinePseudo pseudo, MachineOperand? result, int symbol, VirtualRegister[] arguments)
    {
        var operands = new List<MachineOperand>();
        if (result is MachineOperand def)
        {
            operands.Add(def);
        }

        operands.Add(MachineOperand.Address(new SymbolId(symbol), 0));
        AddArguments(operands, arguments);
        Emit(pseudo, operands.ToArray());
    }

    private static void AddArguments(List<MachineOperand> operands, VirtualRegister[] arguments)
    {
        for (int index = 0; index < arguments.Length; index++)
        {
            operands.Add(MachineOperand.Use(arguments[index], (sbyte)(3 + index)));
        }
    }
}
