using BpfPpcc.Ir;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.Symbols;

namespace BpfPpcc.Selection;

/// <summary>
/// Constants and addresses (leaves, which stand in the entry block) are made again in every block that uses them, right before the first
/// use there. For uses within loops they are made once, at the end of the block that dominates the outermost loop; the allocator makes
/// those again that it cannot keep.
/// </summary>
internal sealed partial class SelectionContext
{
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

    private readonly List<Leaf> _leaves = [];
    private readonly Dictionary<LeafKey, (int Block, int Index)> _leafIndices = [];
    private readonly List<int> _requestedLeaves = [];

    /// <summary>By block that is still to be filled: the leaves that loops behind it use.</summary>
    private readonly Dictionary<int, List<(LeafKey Key, VirtualRegister Register)>> _hoistedLeaves = [];
    private readonly Dictionary<(LeafKey Key, int Block), VirtualRegister> _hoistedRegisters = [];

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
