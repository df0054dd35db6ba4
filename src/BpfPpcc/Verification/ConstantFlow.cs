using BpfPpcc.Bpf;
using BpfPpcc.Collections;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification;

/// <summary>
/// Finds what a function executes where branches on constants go one way (conditional constant propagation over registers and read-only
/// data). The stack is not followed: what comes from it is unknown.
/// </summary>
internal sealed class ConstantFlow
{
    private const int Registers = BpfEncoding.RegisterCount;

    /// <summary>A number, or the address of a byte of a data section; otherwise unknown.</summary>
    private readonly record struct Value(bool IsKnown, int Section, ulong Number)
    {
        public const int NoSection = -1;

        public static Value Of(ulong number) => new(true, NoSection, number);

        public bool IsNumber => IsKnown && Section == NoSection;
    }

    private readonly BpfModule _module;
    private readonly BpfFunction _function;
    private readonly FunctionBlocks _blocks;
    private readonly Value[]?[] _entries;
    private readonly Stack<int> _pending = new();

    private ConstantFlow(BpfModule module, BpfFunction function, bool[] reachable)
    {
        _module = module;
        _function = function;
        _blocks = FunctionBlocks.Of(function.Instructions.AsSpan(), reachable);
        _entries = new Value[_blocks.Count][];
    }

    /// <summary>By slot. Expects code that passed the structure check.</summary>
    public static bool[] FindExecuted(BpfModule module, BpfFunction function, bool[] reachable)
    {
        var flow = new ConstantFlow(module, function, reachable);
        flow.Run();
        var executed = new bool[reachable.Length];
        for (int block = 0; block < flow._blocks.Count; block++)
        {
            if (flow._entries[block] is not null)
                executed.AsSpan(flow._blocks.StartOf(block)..flow._blocks.EndOf(block)).Fill(true);
        }

        return executed;
    }

    private void Run()
    {
        Enter(0, new Value[Registers]);
        while (_pending.TryPop(out int block))
        {
            Value[] state = [.. _entries[block]!];
            int slot = _blocks.StartOf(block), last = slot;
            for (; slot < _blocks.EndOf(block); slot += ControlFlow.SlotsOf(_function.Instructions[slot]))
            {
                Execute(slot, state);
                last = slot;
            }

            Leave(block, last, state);
        }
    }

    private void Leave(int block, int last, Value[] state)
    {
        BpfInstruction instruction = _function.Instructions[last];
        int[] successors = _blocks.SuccessorsOf(block);
        bool isDecided = successors.Length == 2 && instruction.JumpCode != BpfJumpCode.JCOND;
        Value left = state[instruction.Dst];
        Value right = isDecided ? Operand(instruction, state) : default;
        if (isDecided && left.IsNumber && right.IsNumber)
        {
            bool isTaken = BpfSemantics.Compare(instruction.JumpCode, instruction.Class == BpfClass.JMP32, left.Number, right.Number);
            Enter(successors[isTaken ? 1 : 0], state);
            return;
        }

        foreach (int successor in successors)
            Enter(successor, state);
    }

    /// <summary>Joins a state into that at a block's entry; a register that differs is unknown from then on.</summary>
    private void Enter(int block, Value[] state)
    {
        if (_entries[block] is not Value[] entry)
        {
            _entries[block] = [.. state];
            _pending.Push(block);
            return;
        }

        bool changed = false;
        for (int i = 0; i < Registers; i++)
        {
            if (!entry[i].IsKnown || entry[i] == state[i])
                continue;
            entry[i] = default;
            changed = true;
        }

        if (changed)
            _pending.Push(block);
    }

    private void Execute(int slot, Value[] state)
    {
        BpfInstruction instruction = _function.Instructions[slot];
        if (instruction.IsCall)
        {
            state.AsSpan(0, 6).Clear();
            return;
        }

        int written = instruction.WrittenRegister;
        if (written < 0)
            return;
        state[written] = instruction.Class switch
        {
            BpfClass.ALU or BpfClass.ALU64 => Compute(instruction, state),
            BpfClass.LD => instruction.IsLoadImmediate64 ? Constant(slot) : default,
            BpfClass.LDX => Load(instruction, state[instruction.Src]),
            BpfClass.ST or BpfClass.STX or BpfClass.JMP or BpfClass.JMP32 => default,
        };
        if (instruction is { Class: BpfClass.LD, IsLoadImmediate64: false })
            state.AsSpan(1, 5).Clear();
    }

    private Value Constant(int slot) => _function.References.GetValueOrDefault(slot) switch
    {
        BpfReference.DataAddress data => new Value(true, data.Section, (ulong)data.Offset),
        null => Value.Of(_function.Instructions[slot].LoadImmediate64Value(_function.Instructions[slot + 1])),
        _ => default,
    };

    private static Value Operand(BpfInstruction instruction, Value[] state) =>
        instruction.Source == BpfSource.X ? state[instruction.Src] : Value.Of((ulong)(long)instruction.Imm);

    private static Value Compute(BpfInstruction instruction, Value[] state)
    {
        Value left = state[instruction.Dst], right = Operand(instruction, state);
        bool is32 = instruction.Class == BpfClass.ALU;
        if (instruction.AluCode == BpfAluCode.MOV)
        {
            if (instruction.Offset == 0 && !is32)
                return right;
            int width = BpfEncoding.SignExtendingMoveWidth(instruction);
            if (!right.IsNumber || (instruction.Offset != 0 && width == 0))
                return default;
            ulong value = width == 0 ? right.Number : BpfSemantics.SignExtend64(width, right.Number);
            return Value.Of(is32 ? (uint)value : value);
        }

        if (instruction.AluCode == BpfAluCode.END)
            return default;
        if (left.IsKnown && !is32 && right.IsNumber && instruction.AluCode is BpfAluCode.ADD or BpfAluCode.SUB)
            return left with { Number = BpfSemantics.Alu64(instruction.AluCode, left.Number, right.Number) };
        if (!left.IsNumber || !right.IsNumber)
            return default;
        bool isSigned = BpfEncoding.IsSignedDivision(instruction);
        return Value.Of(is32
            ? BpfSemantics.Alu32(instruction.AluCode, left.Number, right.Number, isSigned)
            : BpfSemantics.Alu64(instruction.AluCode, left.Number, right.Number, isSigned));
    }

    /// <summary>What read-only data holds is known, unless it is an address.</summary>
    private Value Load(BpfInstruction instruction, Value address)
    {
        if (!address.IsKnown || address.IsNumber)
            return default;
        BpfDataSection section = _module.DataSections[address.Section];
        ulong offset = unchecked(address.Number + (ulong)instruction.Offset);
        var reader = new ByteReader(section.Contents.AsSpan(), _module.IsBigEndian);
        if (!section.IsReadOnly || section.Relocations.Length != 0 || !reader.TrySlice(offset, (ulong)instruction.MemoryBytes, out _))
            return default;
        ulong value = instruction.MemoryBytes switch
        {
            1 => reader.TryReadByte(offset, out byte narrow) ? narrow : 0u,
            2 => reader.TryReadUInt16(offset, out ushort half) ? half : 0u,
            4 => reader.TryReadUInt32(offset, out uint word) ? word : 0u,
            _ => reader.TryReadUInt64(offset, out ulong wide) ? wide : 0u,
        };
        return Value.Of(instruction.Mode == BpfMode.MEMSX ? BpfSemantics.SignExtend64(8 * instruction.MemoryBytes, value) : value);
    }
}
