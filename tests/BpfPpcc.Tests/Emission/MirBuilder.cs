using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.RegisterAllocation;
using BpfPpcc.Symbols;

namespace BpfPpcc.Tests.Emission;

/// <summary>
/// Machine functions written by hand, with the simplest of allocations: virtual register n lives in GPR n. They are no SSA, which emission
/// does not look at.
/// </summary>
internal sealed class MirBuilder
{
    private readonly List<AllocationEdit> _edits = [];
    private readonly List<(int Block, int Instruction)> _deleted = [];
    private MachineBlock _block;

    public MirBuilder(
        string name = "f",
        bool isProgram = false,
        TailCallRole role = TailCallRole.None,
        bool needsToc = false,
        bool isCallableFromC = false,
        int stack = 0,
        int index = 0,
        SymbolId? symbol = null)
    {
        Function = new MachineFunction
        {
            Name = name,
            FunctionIndex = index,
            Symbol = symbol ?? SymbolId.None,
            IsCallableFromC = isCallableFromC || isProgram,
            IsProgram = isProgram,
            TailCallRole = role,
            BpfStackSize = stack,
            NeedsToc = needsToc,
        };
        _block = NewBlock();
    }

    public MachineFunction Function { get; }

    public int SpillSlots { get; set; }

    public static MachineOperand Use(int gpr) => MachineOperand.Use(new VirtualRegister(gpr));

    public static MachineOperand Def(int gpr) => MachineOperand.Def(new VirtualRegister(gpr));

    public static MachineOperand Imm(long value) => MachineOperand.Immediate(value);

    public static MachineOperand Stack(long offset) => MachineOperand.Frame(FrameArea.BpfStack, offset);

    public static MachineOperand R1 { get; } = MachineOperand.Physical(Gpr.R1);

    public static MachineOperand R2 { get; } = MachineOperand.Physical(Gpr.R2);

    /// <summary>Adds a block, in which what follows is written. Block 0 exists from the start.</summary>
    public int Block(float frequency = 1)
    {
        _block = NewBlock();
        _block.Frequency = frequency;
        return _block.Index;
    }

    public MirBuilder Op(Ppc64Opcode opcode, params MachineOperand[] operands) => Add(new MachineInstruction(opcode, -1, operands));

    public MirBuilder OpAt(int position, Ppc64Opcode opcode, params MachineOperand[] operands) =>
        Add(new MachineInstruction(opcode, position, operands));

    public MirBuilder Pseudo(MachinePseudo pseudo, params MachineOperand[] operands) => Add(new MachineInstruction(pseudo, -1, operands));

    public MirBuilder Load(int gpr, long value) => Pseudo(MachinePseudo.LoadImmediate, Def(gpr), Imm(value));

    public MirBuilder Address(int gpr, SymbolId symbol, long offset = 0) =>
        Pseudo(MachinePseudo.LoadAddress, Def(gpr), MachineOperand.Address(symbol, offset));

    public MirBuilder Call(SymbolId symbol) => Pseudo(MachinePseudo.CallExtern, Def(3), MachineOperand.Address(symbol, 0), Use(3));

    public MirBuilder CallLocal(SymbolId symbol) => Pseudo(MachinePseudo.CallLocal, Def(3), MachineOperand.Address(symbol, 0), Use(3));

    public MirBuilder Return() => Pseudo(MachinePseudo.Return, Use(3));

    public MirBuilder TailCallJump() => Pseudo(MachinePseudo.TailCallJump, Use(12), Use(3));

    public MirBuilder Jump(int target)
    {
        _block.Successors.Add(new MachineEdge(target, []));
        return Pseudo(MachinePseudo.Jump, MachineOperand.Block(target));
    }

    public MirBuilder Branch(int bit, bool ifSet, int taken, int other)
    {
        _block.Successors.Add(new MachineEdge(taken, []));
        _block.Successors.Add(new MachineEdge(other, []));
        return Pseudo(MachinePseudo.Branch, MachineOperand.CrBit(bit), Imm(ifSet ? 1 : 0), MachineOperand.Block(taken), MachineOperand.Block(other));
    }

    public MirBuilder CountBranch(int stay, int leave)
    {
        _block.Successors.Add(new MachineEdge(stay, []));
        _block.Successors.Add(new MachineEdge(leave, []));
        return Pseudo(MachinePseudo.BranchOnCount, MachineOperand.Block(stay), MachineOperand.Block(leave));
    }

    /// <summary>An edit before the next instruction of the current block.</summary>
    public MirBuilder Move(Location from, Location to)
    {
        _edits.Add(new AllocationEdit(_block.Index, _block.Instructions.Count, from, to, null));
        return this;
    }

    public MirBuilder Rematerialize(MachineInstruction definition, int gpr)
    {
        _edits.Add(new AllocationEdit(_block.Index, _block.Instructions.Count, default, InGpr(gpr), definition));
        return this;
    }

    /// <summary>The next instruction is not emitted.</summary>
    public MirBuilder DeleteNext()
    {
        _deleted.Add((_block.Index, _block.Instructions.Count));
        return this;
    }

    public static Location InGpr(int gpr) => Location.InGpr(new Gpr((byte)gpr));

    public static Location InSlot(int slot) => Location.InSpillSlot(slot);

    /// <summary>Blocks must have been written in ascending order, and all of them.</summary>
    public Allocation Allocate()
    {
        foreach (MachineBlock block in Function.Blocks)
            block.Predecessors.Clear();
        foreach (MachineBlock block in Function.Blocks)
        {
            foreach (MachineEdge edge in block.Successors)
                Function.Blocks[edge.Target].Predecessors.Add(block.Index);
        }

        return new Allocation
        {
            OperandGprs = [.. Function.Blocks.Select(block => block.Instructions.Select(GprsOf).ToArray())],
            Edits = [.. _edits],
            Deleted = [.. _deleted],
            SpillSlotCount = SpillSlots,
            UsedCalleeSaved = CalleeSaved(),
        };
    }

    private Gpr[] CalleeSaved()
    {
        IEnumerable<int> defined = Function.Blocks
            .SelectMany(block => block.Instructions)
            .SelectMany(instruction => instruction.Operands)
            .Where(operand => operand.IsDef)
            .Select(operand => operand.Number);
        return [.. defined.Where(gpr => gpr >= 14).Distinct().Order().Select(gpr => new Gpr((byte)gpr))];
    }

    private static Gpr[] GprsOf(MachineInstruction instruction) =>
        [.. instruction.Operands.Select(operand =>
            operand.Kind == MachineOperandKind.VirtualRegister ? new Gpr((byte)operand.Number) : default)];

    private MirBuilder Add(MachineInstruction instruction)
    {
        _block.Instructions.Add(instruction);
        return this;
    }

    private MachineBlock NewBlock()
    {
        var block = new MachineBlock(Function.Blocks.Count);
        Function.Blocks.Add(block);
        return block;
    }
}
