using BpfPpcc.Bpf;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification.Walk;

/// <summary>
/// Which 8-byte slots of its own frame a function may read before it writes them, per instruction. First, forward, which registers hold the
/// frame pointer plus a constant; then, backward, what loads, atomics and calls read through them. Whatever cannot be followed reads
/// everything.
/// </summary>
internal sealed class StackLiveness
{
    private const ulong Everything = ulong.MaxValue;
    private const int Registers = 11;

    /// <summary>What a register holds: a distance from r10 in bytes, a constant, a map, or one of these kinds.</summary>
    private readonly record struct Value(Kind Kind, int Number);

    private enum Kind : byte
    {
        /// <summary>Not reached.</summary>
        None,

        /// <summary>Surely no address in the own frame.</summary>
        Other,
        Constant,
        Map,
        Frame,

        /// <summary>Perhaps an address in the own frame.</summary>
        MaybeFrame,
    }

    private readonly CodeImage _image;
    private readonly int _start;
    private readonly int _end;

    /// <summary>By slot, the registers' values before it; all of kind None where nothing is known yet.</summary>
    private readonly Value[] _values;
    private bool _storesFrameAddress;

    private StackLiveness(CodeImage image, int function)
    {
        _image = image;
        _start = image.Starts[function];
        _end = image.Starts[function + 1];
        _values = new Value[(_end - _start) * Registers];
    }

    public static void Find(CodeImage image, int function, ushort[] liveRegisters, ulong[] live)
    {
        var analysis = new StackLiveness(image, function);
        analysis.FindValues(liveRegisters);
        if (analysis._storesFrameAddress)
        {
            Array.Clear(analysis._values);
            analysis.FindValues(liveRegisters);
        }

        analysis.FindLive(live);
    }

    private void FindValues(ushort[] liveRegisters)
    {
        var after = new Value[Registers];
        Array.Fill(after, new Value(Kind.Other, 0));
        after[10] = new Value(Kind.Frame, 0);
        var worklist = new Stack<int>();
        Flow(_start, after, liveRegisters);
        worklist.Push(_start);
        while (worklist.TryPop(out int slot))
        {
            // Straight on as long as that changes something: most code is in line.
            while (true)
            {
                BpfInstruction instruction = _image.Code[slot];
                Before(slot).CopyTo(after);
                Apply(instruction, slot, after);
                if (ControlFlow.IsJump(instruction) && (int)ControlFlow.Target(instruction, slot) is var target && Flow(target, after, liveRegisters))
                    worklist.Push(target);
                int next = slot + ControlFlow.SlotsOf(instruction);
                if (!ControlFlow.FallsThrough(instruction) || next >= _end || !Flow(next, after, liveRegisters))
                    break;
                slot = next;
            }
        }
    }

    private Span<Value> Before(int slot) => _values.AsSpan((slot - _start) * Registers, Registers);

    /// <summary>Whether that says something new of the slot.</summary>
    private bool Flow(int slot, Value[] values, ushort[] liveRegisters)
    {
        Span<Value> known = Before(slot);
        bool hasChanged = false;
        int live = liveRegisters[slot] | 1 << 10;
        for (int i = 0; i < Registers; i++)
        {
            Value value = (live >> i & 1) == 0 ? new Value(Kind.Other, 0) : values[i];
            if (known[i] == value)
                continue;
            Value joined = Join(known[i], value);
            hasChanged |= joined != known[i];
            known[i] = joined;
        }

        return hasChanged;
    }

    private static Value Join(Value a, Value b)
    {
        if (a == b || b.Kind == Kind.None)
            return a;
        if (a.Kind == Kind.None)
            return b;
        return a.Kind >= Kind.Frame || b.Kind >= Kind.Frame ? new Value(Kind.MaybeFrame, 0) : new Value(Kind.Other, 0);
    }

    private void Apply(BpfInstruction instruction, int slot, Value[] values)
    {
        if (instruction.IsCall)
        {
            Array.Fill(values, new Value(Kind.Other, 0), 0, 6);
            return;
        }

        if (instruction is { Class: BpfClass.STX, Mode: BpfMode.MEM or BpfMode.ATOMIC } && values[instruction.Src].Kind >= Kind.Frame)
            _storesFrameAddress = true;
        int written = instruction.WrittenRegister;
        if (written >= 0)
            values[written] = Result(instruction, slot, values);
    }

    private Value Result(BpfInstruction instruction, int slot, Value[] values)
    {
        var other = new Value(Kind.Other, 0);
        if (instruction.IsLoadImmediate64)
            return _image.References[slot] is BpfReference.MapAddress map ? new Value(Kind.Map, map.Map) : other;
        if (instruction.Class is not (BpfClass.ALU or BpfClass.ALU64))
            return _storesFrameAddress && instruction.MemoryBytes == 8 ? new Value(Kind.MaybeFrame, 0) : other;
        Value dst = values[instruction.Dst];
        Value src = instruction.Source == BpfSource.X ? values[instruction.Src] : new Value(Kind.Constant, instruction.Imm);
        if (instruction.AluCode == BpfAluCode.MOV)
            return instruction is { Class: BpfClass.ALU64, Offset: 0 } || src.Kind == Kind.Constant ? src : other;
        bool touchesFrame = dst.Kind >= Kind.Frame || (src.Kind >= Kind.Frame && instruction.Source == BpfSource.X);
        if (!touchesFrame)
            return other;
        if (instruction.Class == BpfClass.ALU64 && dst.Kind == Kind.Frame && src.Kind == Kind.Constant && Math.Abs((long)src.Number) <= 1 << 20
            && Math.Abs((long)dst.Number) <= 1 << 20)
        {
            if (instruction.AluCode == BpfAluCode.ADD)
                return new Value(Kind.Frame, dst.Number + src.Number);
            if (instruction.AluCode == BpfAluCode.SUB)
                return new Value(Kind.Frame, dst.Number - src.Number);
        }

        return new Value(Kind.MaybeFrame, 0);
    }

    private void FindLive(ulong[] live)
    {
        bool hasChanged = true;
        while (hasChanged)
        {
            hasChanged = false;
            for (int slot = _end - 1; slot >= _start; slot--)
            {
                ReadOnlySpan<Value> values = Before(slot);
                if (values[10].Kind == Kind.None)
                    continue;
                ulong now = LiveBefore(slot, values, After(slot, live));
                hasChanged |= now != live[slot];
                live[slot] = now;
            }
        }
    }

    private ulong After(int slot, ulong[] live)
    {
        BpfInstruction instruction = _image.Code[slot];
        ulong after = 0;
        int next = slot + ControlFlow.SlotsOf(instruction);
        if (ControlFlow.FallsThrough(instruction) && next < _end)
            after |= live[next];
        if (ControlFlow.IsJump(instruction))
            after |= live[ControlFlow.Target(instruction, slot)];
        return after;
    }

    private ulong LiveBefore(int slot, ReadOnlySpan<Value> values, ulong after)
    {
        BpfInstruction instruction = _image.Code[slot];
        switch (instruction.Class)
        {
            case BpfClass.LDX:
                return after | Accessed(values[instruction.Src], instruction);
            case BpfClass.ST:
            case BpfClass.STX when !instruction.IsAtomic:
                return after & ~Overwritten(values[instruction.Dst], instruction);
            case BpfClass.STX:
                return after | Accessed(values[instruction.Dst], instruction)
                    | (instruction.Imm == BpfAtomic.LOAD_ACQ ? Accessed(values[instruction.Src], instruction) : 0);
            case BpfClass.JMP when instruction.IsCall:
                return after | ReadByCall(slot, values);
            case BpfClass.JMP or BpfClass.JMP32 or BpfClass.LD or BpfClass.ALU or BpfClass.ALU64:
                return after;
        }

        return after;
    }

    private static ulong Accessed(Value address, BpfInstruction instruction) => address.Kind switch
    {
        Kind.None or Kind.Other or Kind.Constant or Kind.Map => 0,
        Kind.Frame => Slots((long)address.Number + instruction.Offset, instruction.MemoryBytes),
        Kind.MaybeFrame => Everything,
    };

    private static ulong Overwritten(Value address, BpfInstruction instruction)
    {
        long offset = (long)address.Number + instruction.Offset;
        return address.Kind == Kind.Frame && instruction.MemoryBytes == 8 && offset % 8 == 0 ? Slots(offset, 8) : 0;
    }

    private ulong ReadByCall(int slot, ReadOnlySpan<Value> values)
    {
        ulong read = 0;
        bool isHelper = _image.References[slot] is null && !_image.CallsBack(slot) && !_image.Code[slot].IsCallIndirect;
        for (int argument = 1; argument <= 5; argument++)
        {
            Value value = values[argument];
            if (value.Kind == Kind.MaybeFrame || (value.Kind == Kind.Frame && !isHelper))
                return Everything;
            if (value.Kind == Kind.Frame)
                read |= Slots(value.Number, BytesRead(_image.Code[slot].Imm, argument, values) ?? -(long)value.Number);
        }

        return read;
    }

    /// <summary>How much a helper reads through an argument, where it is known without its prototype: keys and values of maps.</summary>
    private long? BytesRead(int helper, int argument, ReadOnlySpan<Value> values)
    {
        const int Lookup = 1;
        const int Update = 2;
        const int Delete = 3;
        if (values[1].Kind != Kind.Map)
            return null;
        MapInfo map = _image.Maps[values[1].Number];
        return (helper, argument) switch
        {
            (Lookup or Update or Delete, 2) => map.KeySize,
            (Update, 3) => map.ValueSize,
            _ => null,
        };
    }

    /// <summary>The slots of the bytes [offset, offset + size) from r10.</summary>
    private static ulong Slots(long offset, long size)
    {
        long lowest = Math.Max(offset, -8L * FrameState.StackSlots);
        long highest = Math.Min(offset + size - 1, -1);
        ulong slots = 0;
        for (long at = lowest; at <= highest; at = (at | 7) + 1)
            slots |= 1UL << (int)((-at - 1) / 8);
        return slots;
    }
}
