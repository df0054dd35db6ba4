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
/// <remarks>
/// Constants and addresses (leaves, which stand in the entry block) are made again in every block that uses them, right before the first
/// use there. Only for uses within loops those that take two instructions or more are made once, in the entry block.
/// </remarks>
internal sealed class SelectionContext(
    IrModule module, TargetDescription target, MachineFunction result, ValueFacts facts, int valueCount)
{
    private const int NoRegister = -1;

    private readonly int[] _registers = NewRegisterMap(valueCount);
    private readonly VirtualRegister?[] _arguments = new VirtualRegister?[5];

    /// <summary>The open block's instructions, last first.</summary>
    private readonly List<MachineInstruction> _reversed = [];
    private readonly List<MachineInstruction> _rule = [];
    private readonly List<Leaf> _leaves = [];
    private readonly Dictionary<LeafKey, (int Block, int Index)> _leafIndices = [];
    private readonly List<int> _requestedLeaves = [];
    private int _position = -1;
    private int _loopDepth;

    public IrModule Module { get; } = module;

    public TargetDescription Target { get; } = target;

    public MachineFunction Result { get; } = result;

    public ValueFacts Facts { get; } = facts;

    /// <summary>Index of the block that is being filled.</summary>
    public int OpenBlock { get; private set; } = -1;

    private enum LeafKind : byte
    {
        Immediate,
        StackAddress,
        SymbolAddress,

        /// <summary>The upper part of a symbol's address, to which a TocLo displacement is added.</summary>
        TocHigh,
    }

    private readonly record struct LeafKey(LeafKind Kind, SymbolId Symbol, long Value);

    /// <param name="Before">Number of instructions of the reversed block that come behind it.</param>
    private readonly record struct Leaf(LeafKey Key, VirtualRegister Register, int Before, int Position);

    private static int[] NewRegisterMap(int valueCount)
    {
        var registers = new int[valueCount];
        Array.Fill(registers, NoRegister);
        return registers;
    }

    // Blocks and rules

    /// <summary>Starts to fill a block from its end.</summary>
    public void BeginBlock(int block, int loopDepth)
    {
        OpenBlock = block;
        _loopDepth = loopDepth;
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
        for (int i = _reversed.Count - 1; i >= 0; i--)
        {
            for (; nextLeaf < _leaves.Count && _leaves[nextLeaf].Before == i + 1; nextLeaf++)
                instructions.Add(MakeLeaf(_leaves[nextLeaf]));
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
        BeginBlock(block, _loopDepth);
    }

    public VirtualRegister NewRegister() => Result.NewRegister();

    public void Emit(Ppc64Opcode opcode, params MachineOperand[] operands) => _rule.Add(new MachineInstruction(opcode, _position, operands));

    public void Emit(MachinePseudo pseudo, params MachineOperand[] operands) => _rule.Add(new MachineInstruction(pseudo, _position, operands));

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
        if (IsLeaf(value) && !StaysInEntry(value))
            return LeafRegister(value);
        if (value.Opcode != IrOpcode.Argument)
            return ResultOf(value);
        return _arguments[value.Immediate] ??= NewRegister();
    }

    public MachineOperand Use(IrInstruction value) => MachineOperand.Use(Register(value));

    /// <summary>A use for an instruction that reads the low <paramref name="width"/> bits only: extensions from there on need not be made.</summary>
    public MachineOperand UseLow(IrInstruction value, int width) => Use(SkipExtensions(value, width));

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
        MachineOperand.Use(LeafRegister(new LeafKey(LeafKind.SymbolAddress, symbol, addend)));

    public MachineOperand UseStackAddress(long offset) =>
        MachineOperand.Use(LeafRegister(new LeafKey(LeafKind.StackAddress, SymbolId.None, offset)));

    /// <summary>A register for one use alone, for an argument that must be in a certain register: constants are made there, not moved.</summary>
    public VirtualRegister ArgumentRegister(IrInstruction value)
    {
        value = Facts.Resolve(value);
        if (!IsLeaf(value) || StaysInEntry(value))
            return Register(value);
        VirtualRegister register = NewRegister();
        _rule.Add(MakeLeaf(new Leaf(KeyOf(value), register, 0, _position)));
        return register;
    }

    /// <summary>Makes a constant or address where it stands.</summary>
    public void EmitLeaf(IrInstruction value, VirtualRegister register) =>
        _rule.Add(MakeLeaf(new Leaf(KeyOf(value), register, 0, _position)));

    /// <summary>True if a load can be done at a later instruction that is its only user.</summary>
    public bool CanMoveLoad(IrInstruction load, IrInstruction user) => load.Opcode == IrOpcode.Load && !load.IsOrdered
        && Facts.UseCount(load) == 1 && !IsWanted(load) && Facts.MemoryEpoch(load) == Facts.MemoryEpoch(user);

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

    // Leaves

    /// <summary>It is made by one instruction or address-forming pseudo instruction from nothing.</summary>
    public bool IsLeaf(IrInstruction value) => value.Opcode switch
    {
        IrOpcode.StackAddress => AddressRules.IsStackOffset(value.Immediate),
        IrOpcode.SymbolAddress => AddressRules.IsSymbolOffset(value.Immediate) && (value.Immediate == 0 || !IsExtern(value.Symbol)),
        _ => ValueFacts.TryConstant(value, out _),
    };

    private bool StaysInEntry(IrInstruction value) => _loopDepth > 0 && (value.Opcode == IrOpcode.SymbolAddress
        || (value.Opcode == IrOpcode.Constant && !Ppc64Fields.FitsSI16(value.Immediate) && !Ppc64Fields.FitsShiftedSI16(value.Immediate)));

    private static LeafKey KeyOf(IrInstruction value)
    {
        if (ValueFacts.TryConstant(value, out long constant))
            return new LeafKey(LeafKind.Immediate, SymbolId.None, constant);
        return value.Opcode == IrOpcode.SymbolAddress
            ? new LeafKey(LeafKind.SymbolAddress, value.Symbol, value.Immediate)
            : new LeafKey(LeafKind.StackAddress, SymbolId.None, value.Immediate);
    }

    private VirtualRegister LeafRegister(IrInstruction value) => LeafRegister(KeyOf(value));

    private VirtualRegister LeafRegister(LeafKey key)
    {
        if (!_leafIndices.TryGetValue(key, out (int Block, int Index) place) || place.Block != OpenBlock)
        {
            place = (OpenBlock, _leaves.Count);
            _leafIndices[key] = place;
            _leaves.Add(new Leaf(key, NewRegister(), 0, _position));
        }

        _requestedLeaves.Add(place.Index);
        return _leaves[place.Index].Register;
    }

    private MachineInstruction MakeLeaf(Leaf leaf)
    {
        MachineOperand register = MachineOperand.Def(leaf.Register);
        LeafKey key = leaf.Key;
        return key.Kind switch
        {
            LeafKind.Immediate => new(MachinePseudo.LoadImmediate, leaf.Position, register, MachineOperand.Immediate(key.Value)),
            LeafKind.StackAddress => new(Ppc64Opcode.Addi, leaf.Position, register,
                MachineOperand.Physical(Gpr.R1), MachineOperand.Frame(FrameArea.BpfStack, key.Value)),
            LeafKind.SymbolAddress => new(AddressPseudo(key.Symbol), leaf.Position, register, MachineOperand.Address(key.Symbol, key.Value)),
            LeafKind.TocHigh => new(Ppc64Opcode.Addis, leaf.Position, register,
                MachineOperand.Physical(Gpr.R2), MachineOperand.Address(key.Symbol, key.Value, SymbolModifier.TocHa)),
        };
    }

    private MachinePseudo AddressPseudo(SymbolId symbol) =>
        IsExtern(symbol) ? MachinePseudo.LoadExternAddress : MachinePseudo.LoadAddress;

    /// <summary>The symbol's address is known to the linker only, perhaps in another module.</summary>
    public bool IsExtern(SymbolId symbol) => Module.Symbols[symbol].Kind switch
    {
        SymbolKind.Map or SymbolKind.DataSection or SymbolKind.FunctionCode or SymbolKind.FunctionPointer => false,
        SymbolKind.ExternFunction or SymbolKind.ExternData => true,
    };
}
