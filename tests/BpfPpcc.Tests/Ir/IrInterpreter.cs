using System.Buffers.Binary;
using System.Globalization;
using BpfPpcc.Ir;
using BpfPpcc.Symbols;

namespace BpfPpcc.Tests.Ir;

/// <summary>What can be seen of a run from outside: result, calls into C with their arguments, and memory that outlives the run.</summary>
public sealed record IrOutcome(ulong Result, IReadOnlyList<string> Events, byte[] Context, byte[] Data);

/// <summary>
/// Runs functions in SSA form by the letter of the form's documentation, to see that lifting and passes keep the meaning of programs. The
/// upper halves of I32 values hold garbage of its own choice, and a function's stack is as large as the function says, not larger.
/// </summary>
public sealed class IrInterpreter
{
    private const ulong ContextAddress = 0x1000_0000;
    private const ulong SymbolAddresses = 0x2000_0000;
    private const ulong SymbolSpacing = 0x10_0000;
    private const int SymbolSize = 256;
    private const int ValuesSize = 4096;
    private const ulong ValuesOffset = 0x8_0000;
    private const ulong StackTop = 0x7fff_0000_0000;
    private const ulong FrameSpacing = 0x1_0000;
    private const int MaximumDepth = 64;

    private readonly IrModule _module;
    private readonly IrMemory _memory;
    private readonly Random _garbage;
    private readonly List<string> _events = [];
    private readonly List<byte[]> _data = [];
    private readonly byte[] _context;
    private int _depth;
    private long _steps;

    /// <param name="context">What argument 0 points to.</param>
    /// <param name="seed">Of the garbage in unspecified bits: runs that differ in it only must have the same outcome.</param>
    public IrInterpreter(IrModule module, byte[] context, int seed)
    {
        _module = module;
        _context = context;
        _garbage = new Random(seed);
        _memory = new IrMemory(module.Functions[0].IsBigEndian);
        _memory.Add(ContextAddress, context);
        for (int i = 0; i < module.Symbols.Symbols.Count; i++)
            AddSymbol(new SymbolId(i));
    }

    public long StepLimit { get; init; } = 2_000_000;

    /// <summary>
    /// Events tell of an address of the stack that it is one, and a word that lies there: so that it does not matter how frames are laid out.
    /// </summary>
    public bool HidesFrames { get; init; }

    /// <summary>Calls of extern functions; the default gives a hash of everything it can see.</summary>
    public Func<Symbol, ulong[], IrMemory, ulong>? Extern { get; init; }

    /// <summary>Runs a function with the context in argument 0 and the others as given.</summary>
    public IrOutcome Run(IrFunction function, params ulong[] furtherArguments)
    {
        ulong result = Call(function, [_context.Length == 0 ? 0 : ContextAddress, .. furtherArguments]);
        return new IrOutcome(result, [.. _events], _context, [.. _data.SelectMany(static bytes => bytes)]);
    }

    private void AddSymbol(SymbolId id)
    {
        SymbolKind kind = _module.Symbols[id].Kind;
        if (kind is not (SymbolKind.Map or SymbolKind.DataSection or SymbolKind.ExternData))
            return;
        var bytes = new byte[SymbolSize];
        for (int i = 0; i < bytes.Length; i++)
            bytes[i] = (byte)(i * 37 + id.Value);
        var values = new byte[ValuesSize];
        ulong address = AddressOf(id);
        if (_module.Functions[0].IsBigEndian)
            BinaryPrimitives.WriteUInt64BigEndian(bytes.AsSpan(88), address + ValuesOffset);
        else
            BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(88), address + ValuesOffset);
        _memory.Add(address, bytes);
        _data.Add(bytes);
        if (kind == SymbolKind.Map)
        {
            _memory.Add(address + ValuesOffset, values);
            _data.Add(values);
        }
    }

    private static ulong AddressOf(SymbolId id) => SymbolAddresses + (ulong)id.Value * SymbolSpacing;

    private ulong Call(IrFunction function, ulong[] arguments)
    {
        if (++_depth > MaximumDepth)
            throw new IrFaultException("calls too deep");
        ulong stack = StackTop - (ulong)_depth * FrameSpacing;
        _memory.Add(stack - (ulong)function.StackSize, new byte[function.StackSize]);
        ulong result = Run(function, arguments, stack);
        _memory.RemoveLast();
        _depth--;
        return result;
    }

    private ulong Run(IrFunction function, ulong[] arguments, ulong stack)
    {
        var values = new ulong[function.InstructionCount];
        IrBlock block = function.Entry;
        IrBlock? from = null;
        while (true)
        {
            EnterPhis(block, from, values);
            foreach (IrInstruction instruction in block.Instructions)
            {
                if (++_steps > StepLimit)
                    throw new IrFaultException("too many steps");
                if (instruction.Opcode == IrOpcode.Return)
                    return values[instruction.Operands[0].Id];
                if (instruction.Opcode == IrOpcode.TailCall && TailCall(instruction, values) is { } result)
                    return result;
                if (instruction.Type == IrType.None && instruction.Opcode != IrOpcode.Store)
                    continue;
                if (instruction.Opcode != IrOpcode.Phi)
                    values[instruction.Id] = Garbled(instruction, Evaluate(instruction, values, arguments, stack));
            }

            from = block;
            block = Next(block.Terminator, values);
        }
    }

    private void EnterPhis(IrBlock block, IrBlock? from, ulong[] values)
    {
        if (from == null)
            return;
        int edge = block.Predecessors.IndexOf(from);
        var incoming = new List<(IrInstruction Phi, ulong Value)>();
        foreach (IrInstruction phi in block.Instructions.TakeWhile(static instruction => instruction.Opcode == IrOpcode.Phi))
            incoming.Add((phi, values[phi.Operands[edge].Id]));
        foreach ((IrInstruction phi, ulong value) in incoming)
            values[phi.Id] = Garbled(phi, value);
    }

    private ulong Garbled(IrInstruction instruction, ulong value) =>
        instruction.Type == IrType.I32 ? (uint)value | (ulong)_garbage.NextInt64() << 32 : value;

    private static IrBlock Next(IrInstruction terminator, ulong[] values) => terminator.Opcode switch
    {
        IrOpcode.Jump => terminator.Targets[0],
        IrOpcode.Branch => terminator.Targets[Holds(terminator, values) ? 0 : 1],
        _ => throw new IrFaultException("reached what is unreachable"),
    };

    private static bool Holds(IrInstruction user, ulong[] values)
    {
        ulong left = values[user.Operands[0].Id];
        ulong right = values[user.Operands[1].Id];
        if (user.CompareWidth == 32)
            (left, right) = ((ulong)(int)left, (ulong)(int)right);
        return user.Condition switch
        {
            IrCondition.Equal => left == right,
            IrCondition.NotEqual => left != right,
            IrCondition.UnsignedLess => left < right,
            IrCondition.UnsignedLessOrEqual => left <= right,
            IrCondition.UnsignedGreater => left > right,
            IrCondition.UnsignedGreaterOrEqual => left >= right,
            IrCondition.SignedLess => (long)left < (long)right,
            IrCondition.SignedLessOrEqual => (long)left <= (long)right,
            IrCondition.SignedGreater => (long)left > (long)right,
            IrCondition.SignedGreaterOrEqual => (long)left >= (long)right,
            IrCondition.Test => (left & right) != 0,
            IrCondition.TestZero => (left & right) == 0,
            IrCondition.None => throw new IrFaultException("no condition"),
        };
    }

    private ulong Evaluate(IrInstruction instruction, ulong[] values, ulong[] arguments, ulong stack)
    {
        int width = instruction.Width;
        ulong Operand(int index) => values[instruction.Operands[index].Id];
        ulong Address() => Checked(instruction, Operand(0) + (ulong)instruction.Immediate, stack);
        switch (instruction.Opcode)
        {
            case IrOpcode.Constant:
                return (ulong)instruction.Immediate;
            case IrOpcode.Undefined:
                return 0;
            case IrOpcode.Argument:
                return instruction.Immediate < arguments.Length ? arguments[instruction.Immediate] : 0;
            case IrOpcode.StackAddress:
                return stack + (ulong)instruction.Immediate;
            case IrOpcode.SymbolAddress:
                return AddressOf(instruction.Symbol) + (ulong)instruction.Immediate;
            case IrOpcode.Select:
                return Operand(Holds(instruction, values) ? 2 : 3);
            case IrOpcode.ZeroExtend:
                return ZeroExtend(width, Operand(0));
            case IrOpcode.SignExtend:
                return SignExtend(width, Operand(0));
            case IrOpcode.ByteSwap:
                return BinaryPrimitives.ReverseEndianness(Operand(0)) >> (64 - width);
            case IrOpcode.Load:
                ulong loaded = _memory.Load(Address(), width);
                return instruction.IsSigned ? SignExtend(width, loaded) : loaded;
            case IrOpcode.Store:
                _memory.Store(Address(), width, Operand(1));
                return 0;
            case IrOpcode.AtomicReadModifyWrite:
                return ReadModifyWrite(instruction, Address(), Operand(1));
            case IrOpcode.AtomicCompareExchange:
                ulong old = _memory.Load(Address(), width);
                if (old == ZeroExtend(width, Operand(1)))
                    _memory.Store(Address(), width, Operand(2));
                return old;
            case IrOpcode.CallExtern:
                return CallExtern(instruction, [.. instruction.Operands.Select(operand => values[operand.Id])], stack);
            case IrOpcode.CallLocal:
                return Call(_module.FunctionsBySymbol[instruction.Symbol], [.. instruction.Operands.Select(operand => values[operand.Id])]);
            case IrOpcode.CallIndirect:
                return CallIndirect([.. instruction.Operands.Select(operand => values[operand.Id])]);
            default:
                ulong right = instruction.Operands.Length > 1 ? Operand(1) : 0;
                return width == 32
                    ? IrArithmetic.Evaluate32(instruction.Opcode, (uint)Operand(0), (uint)right)
                    : IrArithmetic.Evaluate64(instruction.Opcode, Operand(0), right);
        }
    }

    /// <summary>The address, of which it may be known where in the stack it can be.</summary>
    private static ulong Checked(IrInstruction access, ulong address, ulong stack)
    {
        long offset = (long)(address - stack);
        bool isOwnStack = offset is > -(long)FrameSpacing and < 0;
        if (isOwnStack && !access.StackAccesses.IsDefault && access.Operands[0].Opcode != IrOpcode.StackAddress
            && !access.StackAccesses.Any(known => known.Low <= offset && offset + access.Width / 8 <= known.High))
        {
            throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"v{access.Id} accesses the stack at {offset}"));
        }

        return address;
    }

    private ulong ReadModifyWrite(IrInstruction atomic, ulong address, ulong value)
    {
        ulong old = _memory.Load(address, atomic.Width);
        _memory.Store(address, atomic.Width, atomic.Atomic switch
        {
            IrAtomic.Add => old + value,
            IrAtomic.Or => old | value,
            IrAtomic.And => old & value,
            IrAtomic.Xor => old ^ value,
            IrAtomic.Exchange => value,
            IrAtomic.None => throw new IrFaultException("no atomic operation"),
        });
        return old;
    }

    private ulong CallExtern(IrInstruction call, ulong[] arguments, ulong stack)
    {
        Symbol symbol = _module.Symbols[call.Symbol];
        if (Extern != null)
            return Extern(symbol, arguments, _memory);
        if (symbol.Index == 1 && Lookup(call, arguments) is { } element)
            return element;
        return call.StackAccesses.IsDefault ? Note(symbol.Name, arguments) : Access(symbol.Name, call, arguments, stack);
    }

    /// <summary>A call of which it is known what it accesses sees these bytes of the stack and no others, and changes them if it may.</summary>
    private ulong Access(string name, IrInstruction call, ulong[] arguments, ulong stack)
    {
        IEnumerable<string> texts = arguments.Select(argument => !IsStack(argument) ? Describe(argument) : HidesFrames ? "stack" : $"{argument:x}");
        foreach (IrStackAccess access in call.StackAccesses)
            texts = texts.Append(Convert.ToHexStringLower(_memory.From(stack + (ulong)access.Low)[..(access.High - access.Low)]));
        ulong hash = Note(name, [.. texts]);
        foreach (IrStackAccess access in call.StackAccesses)
        {
            for (int i = access.Low; i < access.High && access.IsWritten; i++)
                _memory.Store(stack + (ulong)i, 8, hash >> (8 * (i - access.Low & 7)) ^ (ulong)(i - access.Low));
        }

        return hash;
    }

    /// <summary>map_lookup_elem on an array is no event: it may be compiled inline.</summary>
    private ulong? Lookup(IrInstruction call, ulong[] arguments)
    {
        foreach ((SymbolId id, IrArrayMap map) in _module.ArrayMaps)
        {
            if (AddressOf(id) != arguments[0])
                continue;
            ulong key = _memory.Load(arguments[1], 32);
            return key < map.MaxEntries ? _memory.Load(arguments[0] + 88, 64) + key * map.Stride : 0;
        }

        return null;
    }

    private ulong CallIndirect(ulong[] operands)
    {
        for (int i = 0; i < _module.Symbols.Symbols.Count; i++)
        {
            var id = new SymbolId(i);
            if (AddressOf(id) == operands[0] && _module.Symbols[id].Kind == SymbolKind.FunctionPointer)
            {
                IrFunction callee = _module.Functions.Single(
                    function => function.IsCallableFromC && function.FunctionIndex == _module.Symbols[id].Index);
                return Call(callee, operands[1..]);
            }
        }

        return Note("indirect", operands);
    }

    /// <summary>The result if the tail call succeeds.</summary>
    private ulong? TailCall(IrInstruction call, ulong[] values)
    {
        ulong hash = Note("tailcall", [.. call.Operands.Select(operand => values[operand.Id])]);
        return hash % 4 == 0 ? hash : null;
    }

    /// <summary>Notes an event and makes a number of it. What a pointer argument points to belongs to it.</summary>
    private ulong Note(string name, ulong[] arguments) => Note(name, [.. arguments.Select(Describe)]);

    private ulong Note(string name, string[] arguments)
    {
        string text = name + "(" + string.Join(", ", arguments) + ")";
        _events.Add(text);
        ulong hash = 14695981039346656037;
        foreach (char c in text)
            hash = (hash ^ c) * 1099511628211;
        return hash ^ hash >> 29;
    }

    private string Describe(ulong argument)
    {
        if (HidesFrames && IsStack(argument))
            return "stack " + Convert.ToHexStringLower(_memory.From(argument) is [_, _, _, _, _, _, _, _, ..] frame ? frame[..8] : []);
        string bytes = Convert.ToHexStringLower(_memory.From(argument));
        return string.Create(CultureInfo.InvariantCulture, $"{argument:x}[{bytes}]");
    }

    private static bool IsStack(ulong address) => address is >= StackTop - (MaximumDepth + 1) * FrameSpacing and < StackTop;

    private static ulong ZeroExtend(int width, ulong value) => value << (64 - width) >> (64 - width);

    private static ulong SignExtend(int width, ulong value) => (ulong)((long)value << (64 - width) >> (64 - width));
}
