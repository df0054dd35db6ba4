using System.Collections.Immutable;
using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Ir;
using BpfPpcc.Loading;
using BpfPpcc.Symbols;
using BpfPpcc.Verification;

namespace BpfPpcc.Lifting;

/// <summary>Loads, stores, atomics, addresses and the legacy packet loads (RFC 9669, 5).</summary>
internal sealed partial class FunctionLifter
{
    private const int ContextOfLegacyLoads = 6;

    private void LiftLoad(BpfInstruction instruction, int slot)
    {
        (IrInstruction address, long offset) = Address(instruction.Src, instruction.Offset);
        IrInstruction value;
        if (_facts.ContextLoads.TryGetValue(slot, out int nativeOffset))
            value = _builder.Load(64, Read(instruction.Src), nativeOffset);
        else if (ConstantData(address, offset, instruction) is { } constant)
            value = constant;
        else if (_facts.ProbeLoads.Contains(slot))
            value = ProbeLoad(instruction, address, offset);
        else
            value = _builder.Load(Bits(instruction), address, offset, isSigned: instruction.Mode == BpfMode.MEMSX);
        Write(instruction.Dst, value);
    }

    /// <summary>What a load from a read-only section gives, if that is certain: not where addresses are that the linker writes.</summary>
    private IrInstruction? ConstantData(IrInstruction address, long offset, BpfInstruction load)
    {
        if (!_context.Verified.HasConstantData || address.Opcode != IrOpcode.SymbolAddress || _context.Symbols[address.Symbol] is not { Kind: SymbolKind.DataSection } symbol)
            return null;
        BpfDataSection section = _context.Module.DataSections[symbol.Index];
        long start = unchecked(address.Immediate + offset);
        int bytes = load.MemoryBytes;
        bool isRelocated = section.Relocations.Any(relocation => start < relocation.Offset + 8 && relocation.Offset < start + bytes);
        if (!section.IsReadOnly || isRelocated || start < 0 || start > section.Contents.Length - bytes)
            return null;
        ulong value = 0;
        for (int i = 0; i < bytes; i++)
            value |= (ulong)section.Contents[(int)start + i] << (8 * (_context.Module.IsBigEndian ? bytes - 1 - i : i));
        return _builder.Constant(load.Mode == BpfMode.MEMSX ? (long)BpfSemantics.SignExtend64(8 * bytes, value) : (long)value);
    }

    /// <summary>
    /// A load through a pointer to a kernel object that need not be there: a function of the runtime copies the value, or zeros, to a place below
    /// the function's own stack.
    /// </summary>
    private IrInstruction ProbeLoad(BpfInstruction instruction, IrInstruction address, long offset)
    {
        int bytes = instruction.MemoryBytes;
        int place = -((_facts.StackDepth + 7) & ~7) - 8;
        SymbolId helper = _context.Symbols.Intern(SymbolKind.ExternFunction, "bpf_helper_probe_load");
        IrInstruction source = offset == 0 ? address : _builder.Binary(IrOpcode.Add, 64, address, _builder.Constant(offset));
        IrInstruction copy = _builder.CallExtern(helper, [_builder.Leaves.StackAddress(place), _builder.Constant(bytes), source]);
        copy.StackAccesses = [new IrStackAccess(place, place + bytes, IsWritten: true)];
        return _builder.Load(Bits(instruction), _builder.Leaves.StackAddress(0), place, isSigned: instruction.Mode == BpfMode.MEMSX);
    }

    /// <summary>
    /// What verification knows of the accesses of a slot's instruction goes to the last that was made for it and accesses memory: of more than one
    /// only the last is the program's own.
    /// </summary>
    private void NoteStackAccesses(int slot)
    {
        if (_facts.StackAccesses is not { } accesses || _builder.Block!.Instructions is not [.., var last])
            return;
        bool isAccess = IrRules.IsMemoryAccess(last.Opcode) && last.Operands[0].Opcode != IrOpcode.StackAddress;
        if (last.Position != slot || !last.StackAccesses.IsDefault || !(isAccess || IrRules.IsCall(last.Opcode)))
            return;
        last.StackAccesses = accesses.TryGetValue(slot, out ImmutableArray<StackAccess> known)
            ? [.. known.Select(static access => new IrStackAccess(access.Low, access.High, access.IsWritten))]
            : [];
        last.SparesCallers = _facts.CallerAccesses is { } callers && !callers.Contains(slot);
    }

    private void Store(BpfInstruction instruction, IrInstruction value)
    {
        (IrInstruction address, long offset) = Address(instruction.Dst, instruction.Offset);
        _builder.Store(Bits(instruction), address, offset, value);
    }

    /// <summary>
    /// Linux's rules (Documentation/bpf, and its memory model): what fetches is fully ordered, what does not is relaxed. 32-bit results are
    /// zero-extended.
    /// </summary>
    private void LiftAtomic(BpfInstruction instruction)
    {
        switch (instruction.Imm)
        {
            case BpfAtomic.LOAD_ACQ:
                (IrInstruction source, long sourceOffset) = Address(instruction.Src, instruction.Offset);
                Write(instruction.Dst, _builder.Load(Bits(instruction), source, sourceOffset, isOrdered: true));
                return;
            case BpfAtomic.STORE_REL:
                (IrInstruction target, long targetOffset) = Address(instruction.Dst, instruction.Offset);
                _builder.Store(Bits(instruction), target, targetOffset, Read(instruction.Src), isOrdered: true);
                return;
        }

        (IrInstruction address, long offset) = Address(instruction.Dst, instruction.Offset);
        IrInstruction value = Read(instruction.Src);
        if (instruction.Imm == BpfAtomic.CMPXCHG)
        {
            Write(0, _builder.AtomicCompareExchange(Bits(instruction), address, offset, Read(0), value));
            return;
        }

        bool fetches = (instruction.Imm & BpfAtomic.FETCH) != 0;
        IrAtomic operation = instruction.Imm switch
        {
            BpfAtomic.XCHG => IrAtomic.Exchange,
            BpfAtomic.ADD or BpfAtomic.ADD | BpfAtomic.FETCH => IrAtomic.Add,
            BpfAtomic.OR or BpfAtomic.OR | BpfAtomic.FETCH => IrAtomic.Or,
            BpfAtomic.AND or BpfAtomic.AND | BpfAtomic.FETCH => IrAtomic.And,
            BpfAtomic.XOR or BpfAtomic.XOR | BpfAtomic.FETCH => IrAtomic.Xor,
            _ => throw new InvalidOperationException($"atomic operation {instruction.Imm:x} passed the structure check"),
        };
        IrInstruction old = _builder.AtomicReadModifyWrite(operation, Bits(instruction), address, offset, value, isOrdered: fetches);
        if (fetches)
            Write(instruction.Src, old);
    }

    private void LiftLoadImmediate64(BpfInstruction instruction, int slot)
    {
        long immediate = (long)((ulong)_function.Instructions[slot + 1].Imm << 32 | (uint)instruction.Imm);
        bool isAddress = _function.References.TryGetValue(slot, out BpfReference? reference) && reference is not BpfReference.Poisoned;
        Write(instruction.Dst, isAddress ? Reference(reference!) : _builder.Constant(immediate));
    }

    private IrInstruction Reference(BpfReference reference)
    {
        SymbolTable symbols = _context.Symbols;
        switch (reference)
        {
            case BpfReference.MapAddress map:
                BpfMap definition = _context.Module.Maps[map.Map];
                SymbolId mapSymbol = definition.IsExtern
                    ? symbols.Intern(SymbolKind.ExternData, definition.Name)
                    : symbols.Intern(SymbolKind.Map, definition.Name, map.Map);
                return _builder.Leaves.SymbolAddress(mapSymbol, 0);
            case BpfReference.DataAddress data:
                string sectionName = _context.Module.DataSections[data.Section].Name;
                return _builder.Leaves.SymbolAddress(symbols.Intern(SymbolKind.DataSection, sectionName, data.Section), data.Offset);
            case BpfReference.FunctionAddress function:
                string functionName = _context.Module.Functions[function.Function].Name;
                return _builder.Leaves.SymbolAddress(symbols.Intern(SymbolKind.FunctionPointer, functionName, function.Function), 0);
            case BpfReference.ExternAddress external:
                return _builder.Leaves.SymbolAddress(symbols.Intern(SymbolKind.ExternData, external.Name), 0);
            default:
                throw new InvalidOperationException($"{_function.Name}: {reference} passed the structure check as an address");
        }
    }

    /// <summary>
    /// LD_ABS and LD_IND read the packet of the context in r6 in network byte order; a function of the runtime does it. If it fails the
    /// program ends with 0.
    /// </summary>
    private void LiftLegacyLoad(BpfInstruction instruction, int slot, int block)
    {
        if (_context.CallGraph.IsCalled[_function.Index])
        {
            _context.Error(DiagnosticId.InstructionUnsupported, _function, slot,
                "LD_ABS and LD_IND end the program when they fail, and cannot stand in a function that others call",
                "Use bpf_skb_load_bytes there, or a program of its own");
        }

        SymbolId helper = _context.Symbols.Intern(SymbolKind.ExternFunction, $"bpf_helper_skb_load_helper_{Bits(instruction)}");
        IrInstruction result = _builder.CallExtern(helper, [Read(ContextOfLegacyLoads), LegacyOffset(instruction)]);
        result.StackAccesses = [];
        IrBlock next = _lifted.NewBlock();
        _failure ??= FailureBlock();
        IrInstruction zero = _builder.Constant(0);
        _builder.Branch(IrCondition.SignedLess, 64, result, zero, _failure, next);

        if (!_splitBlocks.TryGetValue(block, out List<IrBlock>? split))
            _splitBlocks.Add(block, split = []);
        split.Add(next);
        _builder.Block = next;
        ClobberArguments();
        Write(0, result);
    }

    /// <summary>A C int: the sum of the immediate and, for LD_IND, the register.</summary>
    private IrInstruction LegacyOffset(BpfInstruction instruction)
    {
        IrInstruction offset = _builder.Constant(instruction.Imm);
        if (instruction.Mode != BpfMode.IND)
            return offset;
        IrInstruction sum = _builder.Binary(IrOpcode.Add, 32, Read(instruction.Src), offset);
        return _builder.SignExtend(32, sum);
    }

    private IrBlock FailureBlock()
    {
        IrBlock current = _builder.Block!;
        IrBlock failure = _lifted.NewBlock();
        _builder.Block = failure;
        _builder.Return(_builder.Constant(0));
        _builder.Block = current;
        return failure;
    }

    /// <summary>Stack accesses all count from r10 itself.</summary>
    private (IrInstruction Address, long Offset) Address(int register, long offset)
    {
        IrInstruction address = Read(register);
        return address.Opcode == IrOpcode.StackAddress
            ? (_builder.Leaves.StackAddress(0), unchecked(address.Immediate + offset))
            : (address, offset);
    }

    private static int Bits(BpfInstruction instruction) => 8 * instruction.MemoryBytes;
}
