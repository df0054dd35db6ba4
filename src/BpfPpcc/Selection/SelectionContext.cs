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
/// use there. For uses within loops they are made once, at the end of the block that dominates the outermost loop; the allocator makes
/// those again that it cannot keep.
/// </remarks>
internal sealed class SelectionContext(
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
    private readonly List<MachineInstruction> _rule = [];
    private readonly List<Leaf> _leaves = [];
    private readonly Dictionary<LeafKey, (int Block, int Index)> _leafIndices = [];
    private readonly List<int> _requestedLeaves = [];

    /// <summary>By block that is still to be filled: the leaves that loops behind it use.</summary>
    private readonly Dictionary<int, List<(LeafKey Key, VirtualRegister Register)>> _hoistedLeaves = [];
    private readonly Dictionary<(LeafKey Key, int Block), VirtualRegister> _hoistedRegisters = [];
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

    private enum LeafKind : byte
    {
        Immediate,
        StackAddress,
        SymbolAddress,

        /// <summary>The low half of a register, extended. The value is the register's number.</summary>
        ZeroExtension,

        /// <summary>The upper part of a symbol's address, to which a TocLo displacement is added.</summary>
        TocHigh,

        /// <summary>The address of a map, as a distance from the <see cref="MapBase"/>.</summary>
        MapAddress,
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
            if (!ConditionRules.IsRepeated(_reversed[i], ref comparison))
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

    // Leaves

    /// <summary>It is made by one instruction or address-forming pseudo instruction from nothing.</summary>
    public bool IsLeaf(IrInstruction value) => value.Opcode switch
    {
        IrOpcode.StackAddress => AddressRules.IsStackOffset(value.Immediate),
        IrOpcode.SymbolAddress => AddressRules.IsSymbolOffset(value.Immediate) && (value.Immediate == 0 || !IsExtern(value.Symbol)),
        _ => ValueFacts.TryConstant(value, out _),
    };

    private static bool IsOneInstruction(LeafKey key) => key.Kind switch
    {
        LeafKind.Immediate => Ppc64Fields.FitsSI16(key.Value) || Ppc64Fields.FitsShiftedSI16(key.Value),
        LeafKind.StackAddress or LeafKind.TocHigh or LeafKind.ZeroExtension or LeafKind.MapAddress => true,
        LeafKind.SymbolAddress => false,
    };

    private LeafKey AddressKey(SymbolId symbol, long addend) =>
        _mapBase is not null && _mapBase.TryDistance(Module, symbol, addend, out long distance)
            ? new LeafKey(LeafKind.MapAddress, SymbolId.None, distance)
            : new LeafKey(LeafKind.SymbolAddress, symbol, addend);

    /// <summary>The register with the address of the anchor, which is made at the end of a block that dominates this one.</summary>
    private VirtualRegister MapBaseRegister()
    {
        var key = new LeafKey(LeafKind.SymbolAddress, _mapBase!.Anchor, 0);
        if (_mapBaseRegister is not { } register)
        {
            _mapBaseRegister = register = NewRegister();
            if (OpenBlock != _mapBase.Block)
                Hoist(_mapBase.Block, key, register);
        }

        if (OpenBlock == _mapBase.Block)
        {
            if (!_leafIndices.TryGetValue(key, out (int Block, int Index) place) || place.Block != OpenBlock)
                place = (OpenBlock, AddLeaf(key, register));
            _requestedLeaves.Add(place.Index);
        }

        return register;
    }

    /// <summary>
    /// True if the leaf is the base itself. What is made from the base asks for it before it gets a register: of leaves that are made at one
    /// place, the lower number comes first.
    /// </summary>
    private bool TryMapBase(LeafKey key, out VirtualRegister register)
    {
        register = default;
        if (key.Kind != LeafKind.MapAddress)
            return false;
        register = MapBaseRegister();
        return key.Value == 0;
    }

    private LeafKey KeyOf(IrInstruction value)
    {
        if (ValueFacts.TryConstant(value, out long constant))
            return new LeafKey(LeafKind.Immediate, SymbolId.None, constant);
        return value.Opcode == IrOpcode.SymbolAddress
            ? AddressKey(value.Symbol, value.Immediate)
            : new LeafKey(LeafKind.StackAddress, SymbolId.None, value.Immediate);
    }

    private VirtualRegister LeafRegister(LeafKey key) => _hoistBlock == NoBlock ? LocalLeafRegister(key) : HoistedLeafRegister(key);

    private VirtualRegister LocalLeafRegister(LeafKey key)
    {
        if (TryMapBase(key, out VirtualRegister @base))
            return @base;
        if (!_leafIndices.TryGetValue(key, out (int Block, int Index) place) || place.Block != OpenBlock)
            place = (OpenBlock, AddLeaf(key, NewRegister()));
        _requestedLeaves.Add(place.Index);
        return _leaves[place.Index].Register;
    }

    private int AddLeaf(LeafKey key, VirtualRegister register)
    {
        _leafIndices[key] = (OpenBlock, _leaves.Count);
        _leaves.Add(new Leaf(key, register, 0, _position));
        return _leaves.Count - 1;
    }

    private VirtualRegister HoistedLeafRegister(LeafKey key)
    {
        if (TryMapBase(key, out VirtualRegister @base))
            return @base;
        if (_hoistedRegisters.TryGetValue((key, _hoistBlock), out VirtualRegister register))
            return register;
        register = NewRegister();
        _hoistedRegisters.Add((key, _hoistBlock), register);
        Hoist(_hoistBlock, key, register);
        return register;
    }

    private void Hoist(int block, LeafKey key, VirtualRegister register)
    {
        if (!_hoistedLeaves.TryGetValue(block, out List<(LeafKey Key, VirtualRegister Register)>? hoisted))
            _hoistedLeaves.Add(block, hoisted = []);
        hoisted.Add((key, register));
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
            LeafKind.SymbolAddress => new(AddressPseudo(key.Symbol), leaf.Position, register,
                MachineOperand.Address(key.Symbol, key.Value)),
            LeafKind.ZeroExtension => new(Ppc64Opcode.Rlwinm, leaf.Position, register,
                MachineOperand.Use(new VirtualRegister((int)key.Value)),
                MachineOperand.Immediate(0), MachineOperand.Immediate(0), MachineOperand.Immediate(31)),
            LeafKind.MapAddress => new(Ppc64Opcode.Addi, leaf.Position, register,
                MachineOperand.Use(_mapBaseRegister!.Value), MachineOperand.Immediate(key.Value)),
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
