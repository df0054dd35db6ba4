using BpfPpcc.Ir;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.Symbols;

namespace BpfPpcc.Selection;

/// <summary>
/// What the rules of selection work with. A function is selected backwards: blocks in postorder, instructions from last to first, so that
/// when a rule runs, everybody who could want its value has been there. A rule asks for the registers of the values that it reads
/// (which makes somebody select those later) and emits its instructions in forward order. What nobody asked for is not selected.
/// </summary>
internal sealed partial class SelectionContext(
    IrModule module,
    TargetDescription target,
    MachineFunction result,
    ValueFacts facts,
    WordValues words,
    MapBase? mapBase,
    int valueCount)
{
    /// <summary>For blocks outside of loops, in place of the block to which leaves are hoisted.</summary>
    public const int NoBlock = -1;

    private const int NoRegister = -1;

    private const int MostInstructionsToComparison = 8;

    private readonly int[] _registers = NewRegisterMap(valueCount);
    private readonly VirtualRegister?[] _arguments = new VirtualRegister?[5];

    /// <summary>The open block's instructions, last first.</summary>
    private readonly List<MachineInstruction> _reversed = [];
    private readonly HashSet<int> _unusedResults = [];
    private readonly List<MachineInstruction> _rule = [];
    private readonly MapBase? _mapBase = mapBase;
    private VirtualRegister? _mapBaseRegister;
    private int _position = -1;
    private int _hoistBlock = NoBlock;

    public IrModule Module { get; } = module;

    public TargetDescription Target { get; } = target;

    public MachineFunction Result { get; } = result;

    public ValueFacts Facts { get; } = facts;

    public WordValues Words { get; } = words;

    /// <summary>Index of the block that is being filled.</summary>
    public int OpenBlock { get; private set; } = -1;

    /// <summary>The open block runs more often than the function.</summary>
    public bool IsInLoop => Result.Blocks[OpenBlock].Frequency > 1;

    /// <summary>Divisions outside of loops that became multiplications so far.</summary>
    public int ReciprocalCount { get; set; }

    private static int[] NewRegisterMap(int valueCount)
    {
        var registers = new int[valueCount];
        Array.Fill(registers, NoRegister);
        return registers;
    }

    // Blocks and rules

    /// <summary>Starts to fill a block from its end. Leaves that loops behind it use come right before the first rule.</summary>
    /// <param name="block">Index of the block.</param>
    /// <param name="hoistBlock">For a block in a loop, a block outside of all loops that dominates it and is filled later.</param>
    public void BeginBlock(int block, int hoistBlock)
    {
        OpenBlock = block;
        _hoistBlock = hoistBlock;
        if (!_hoistedLeaves.Remove(block, out List<(LeafKey Key, VirtualRegister Register)>? hoisted))
            return;
        foreach ((LeafKey key, VirtualRegister register) in hoisted)
            _requestedLeaves.Add(AddLeaf(key, register));
    }

    /// <summary>Everything emitted from here to <see cref="EndRule"/> comes before what was emitted so far.</summary>
    public void BeginRule(int position) => _position = position;

    public void EndRule()
    {
        for (int i = _rule.Count - 1; i >= 0; i--)
            _reversed.Add(_rule[i]);
        _rule.Clear();
        foreach (int index in _requestedLeaves)
            _leaves[index] = _leaves[index] with { Before = _reversed.Count, Position = _position };
        _requestedLeaves.Clear();
    }

    /// <summary>Writes the block's instructions, forwards and with its leaves.</summary>
    public void EndBlock()
    {
        List<MachineInstruction> instructions = Result.Blocks[OpenBlock].Instructions;
        _leaves.Sort(static (left, right) => right.Before != left.Before
            ? right.Before.CompareTo(left.Before)
            : left.Register.Number.CompareTo(right.Register.Number));
        int nextLeaf = 0;
        MachineInstruction? comparison = null;
        for (int i = _reversed.Count - 1; i >= 0; i--)
        {
            for (; nextLeaf < _leaves.Count && _leaves[nextLeaf].Before == i + 1; nextLeaf++)
                instructions.Add(MakeLeaf(_leaves[nextLeaf]));
            if (!ConditionRules.IsRepeated(this, _reversed[i], ref comparison))
                instructions.Add(_reversed[i]);
        }

        _reversed.Clear();
        _leaves.Clear();
    }

    /// <summary>Ends the open block in the middle of a rule and goes on with the block before it, within the same loop.</summary>
    public void ContinueInBlock(int block)
    {
        EndRule();
        EndBlock();
        BeginBlock(block, _hoistBlock);
    }

    public VirtualRegister NewRegister() => Result.NewRegister();

    /// <summary>The result of an instruction that is there for what it leaves in CR0.</summary>
    public MachineOperand UnusedResult()
    {
        VirtualRegister register = NewRegister();
        _unusedResults.Add(register.Number);
        return MachineOperand.Def(register);
    }

    /// <summary>Nobody uses the result of the instruction, only what it leaves in CR0.</summary>
    public bool IsOnlyTest(MachineInstruction instruction) => instruction.Pseudo == MachinePseudo.None && _unusedResults.Count != 0
        && instruction.Operands.Length > 1 && instruction.Operands[0].Kind == MachineOperandKind.VirtualRegister
        && _unusedResults.Contains(instruction.Operands[0].Number);

    public void Emit(Ppc64Opcode opcode, params MachineOperand[] operands) =>
        _rule.Add(new MachineInstruction(opcode, _position, operands));

    public void Emit(MachinePseudo pseudo, params MachineOperand[] operands) =>
        _rule.Add(new MachineInstruction(pseudo, _position, operands));

    public void EmitJump(int target, VirtualRegister[] arguments)
    {
        Emit(MachinePseudo.Jump, MachineOperand.Block(target));
        Result.Blocks[OpenBlock].Successors.Add(new MachineEdge(target, arguments));
    }

    public void EmitBranch(ConditionOutcome outcome, MachineEdge taken, MachineEdge notTaken)
    {
        Emit(MachinePseudo.Branch, MachineOperand.CrBit(outcome.Bit), MachineOperand.Immediate(outcome.IsSet ? 1 : 0),
            MachineOperand.Block(taken.Target), MachineOperand.Block(notTaken.Target));
        Result.Blocks[OpenBlock].Successors.Add(taken);
        Result.Blocks[OpenBlock].Successors.Add(notTaken);
    }

    /// <summary>Counts down, and stays in the loop while there is something left.</summary>
    public void EmitCountBranch(MachineEdge stay, MachineEdge leave)
    {
        Emit(MachinePseudo.BranchOnCount, MachineOperand.Block(stay.Target), MachineOperand.Block(leave.Target));
        Result.Blocks[OpenBlock].Successors.Add(stay);
        Result.Blocks[OpenBlock].Successors.Add(leave);
    }

    /// <summary>A register with the result of an instruction whose first operand is its target.</summary>
    public VirtualRegister Compute(Ppc64Opcode opcode, params ReadOnlySpan<MachineOperand> sources)
    {
        VirtualRegister register = NewRegister();
        Emit(opcode, [MachineOperand.Def(register), .. sources]);
        return register;
    }

    public void Copy(VirtualRegister target, VirtualRegister source) =>
        Emit(MachinePseudo.Copy, MachineOperand.Def(target), MachineOperand.Use(source));

    public void LoadImmediate(VirtualRegister target, long value) =>
        Emit(MachinePseudo.LoadImmediate, MachineOperand.Def(target), MachineOperand.Immediate(value));

    // Values

    /// <summary>Somebody asked for the value's register.</summary>
    public bool IsWanted(IrInstruction value) => _registers[value.Id] != NoRegister;

    /// <summary>The register that the rule of a value must define.</summary>
    public VirtualRegister ResultOf(IrInstruction value)
    {
        if (_registers[value.Id] == NoRegister)
            _registers[value.Id] = NewRegister().Number;
        return new VirtualRegister(_registers[value.Id]);
    }

    /// <summary>The register that holds all of a value.</summary>
    public VirtualRegister Register(IrInstruction value)
    {
        value = Facts.Resolve(value);
        if (IsLeaf(value))
            return LeafRegister(KeyOf(value));
        if (Words.IsWord(value))
            return LocalLeafRegister(new LeafKey(LeafKind.ZeroExtension, SymbolId.None, WordRegister(value).Number));
        if (value.Opcode != IrOpcode.Argument)
            return ResultOf(value);
        return _arguments[value.Immediate] ??= NewRegister();
    }

    public MachineOperand Use(IrInstruction value) => MachineOperand.Use(Register(value));

    /// <summary>
    /// A use for an instruction that reads the low <paramref name="width"/> bits only: extensions from there on need not be made.
    /// </summary>
    public MachineOperand UseLow(IrInstruction value, int width) => MachineOperand.Use(LowRegister(value, width));

    private VirtualRegister LowRegister(IrInstruction value, int width)
    {
        value = Facts.Resolve(SkipExtensions(value, width));
        return width <= 32 && Words.IsWord(value) ? WordRegister(value) : Register(value);
    }

    /// <summary>The register whose low half is a value that is kept so.</summary>
    private VirtualRegister WordRegister(IrInstruction value) =>
        value.Opcode == IrOpcode.Phi ? ResultOf(value) : LowRegister(value.Operands[0], 32);

    /// <summary>What has the same low <paramref name="width"/> bits as the value, without extensions that nobody else wants.</summary>
    public IrInstruction SkipExtensions(IrInstruction value, int width)
    {
        while (value.Opcode is IrOpcode.ZeroExtend or IrOpcode.SignExtend && value.Width >= width && !IsWanted(value)
            && !ValueFacts.TryConstant(value, out _))
        {
            value = value.Operands[0];
        }

        return value;
    }

    /// <summary>A use in a field where zero needs no register.</summary>
    public MachineOperand UseOrZero(IrInstruction value) =>
        ValueFacts.TryConstant(value, out long constant) && constant == 0 ? MachineOperand.Zero : Use(value);

    /// <summary>A use of a constant in a register.</summary>
    public MachineOperand UseImmediate(long value) =>
        MachineOperand.Use(LeafRegister(new LeafKey(LeafKind.Immediate, SymbolId.None, value)));

    /// <summary>A use of the upper part of a symbol's address.</summary>
    public MachineOperand UseTocHigh(SymbolId symbol, long addend) =>
        MachineOperand.Use(LeafRegister(new LeafKey(LeafKind.TocHigh, symbol, addend)));

    /// <summary>A use of an address in the object, or of an extern one.</summary>
    public MachineOperand UseSymbolAddress(SymbolId symbol, long addend) =>
        MachineOperand.Use(LeafRegister(AddressKey(symbol, addend)));

    /// <summary>A displacement from the register that holds the address of one map, if the symbol is a map that it reaches.</summary>
    public bool TryMapDisplacement(SymbolId symbol, long addend, out AddressOperands operands)
    {
        operands = default;
        if (_mapBase is null || !_mapBase.TryDistance(Module, symbol, addend, out long distance) || (distance & 3) != 0)
            return false;
        operands = new AddressOperands(MachineOperand.Use(MapBaseRegister()), MachineOperand.Immediate(distance), IsIndexed: false);
        return true;
    }

    public MachineOperand UseStackAddress(long offset) =>
        MachineOperand.Use(LeafRegister(new LeafKey(LeafKind.StackAddress, SymbolId.None, offset)));

    /// <summary>
    /// A register for one use alone, for an argument that must be in a certain register: what takes one instruction is made there, not
    /// moved.
    /// </summary>
    public VirtualRegister ArgumentRegister(IrInstruction value)
    {
        value = Facts.Resolve(value);
        if (!IsLeaf(value))
            return Register(value);
        LeafKey key = KeyOf(value);
        if (_hoistBlock != NoBlock && !IsOneInstruction(key))
            return LeafRegister(key);
        if (TryMapBase(key, out VirtualRegister @base))
            return @base;
        VirtualRegister register = NewRegister();
        _rule.Add(MakeLeaf(new Leaf(key, register, 0, _position)));
        return register;
    }

    /// <summary>
    /// A register for the value that goes along an edge, which may be where it is moved to: as for arguments, but shared in the block.
    /// </summary>
    public VirtualRegister EdgeRegister(IrInstruction value, bool isWord)
    {
        value = Facts.Resolve(value);
        if (!IsLeaf(value))
            return isWord ? LowRegister(value, 32) : Register(value);
        LeafKey key = KeyOf(value);
        if (isWord && WordValues.IsCheaperSignExtended(value))
            key = key with { Value = (int)key.Value };
        return IsOneInstruction(key) ? LocalLeafRegister(key) : LeafRegister(key);
    }

    /// <summary>Makes a constant or address where it stands.</summary>
    public void EmitLeaf(IrInstruction value, VirtualRegister register)
    {
        LeafKey key = KeyOf(value);
        if (TryMapBase(key, out VirtualRegister @base))
            Copy(register, @base);
        else
            _rule.Add(MakeLeaf(new Leaf(key, register, 0, _position)));
    }

    /// <summary>True if a load can be done at a later instruction that is its only user.</summary>
    public bool CanMoveLoad(IrInstruction load, IrInstruction user) => load.Opcode == IrOpcode.Load && !load.IsOrdered
        && Facts.UseCount(load) == 1 && !IsWanted(load) && Facts.MemoryEpoch(load) == Facts.MemoryEpoch(user);

    /// <summary>
    /// The next comparison in the block, right behind the open rule or little farther on, is that of the low half of a register with zero.
    /// </summary>
    public bool IsComparedWithZeroNext(VirtualRegister register)
    {
        for (int i = _reversed.Count - 1; i >= Math.Max(0, _reversed.Count - MostInstructionsToComparison); i--)
        {
            MachineInstruction instruction = _reversed[i];
            if (instruction is { Pseudo: MachinePseudo.None, Operands: [{ Kind: MachineOperandKind.CrField }, _, _] })
            {
                return instruction.Opcode == Ppc64Opcode.Cmpwi && instruction.Operands[1] == MachineOperand.Use(register)
                    && instruction.Operands[2] == MachineOperand.Immediate(0);
            }

            if (ZeroTest.ChangesCr0(instruction))
                return false;
        }

        return false;
    }

    /// <summary>Nobody but one user wants it, so that user may do it along with its own operation.</summary>
    public bool IsOnlyUse(IrInstruction value) => Facts.UseCount(value) == 1 && !IsWanted(value);

    /// <summary>The defs of the arguments that somebody asked for.</summary>
    public MachineOperand[] ArgumentDefs()
    {
        var defs = new List<MachineOperand>();
        for (int i = 0; i < _arguments.Length; i++)
        {
            if (_arguments[i] is VirtualRegister register)
                defs.Add(MachineOperand.Def(register, (sbyte)(Gpr.R3.Number + i)));
        }

        return [.. defs];
    }
}
