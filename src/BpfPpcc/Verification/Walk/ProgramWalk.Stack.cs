using BpfPpcc.Diagnostics;
using BpfPpcc.Verification.Domain;

namespace BpfPpcc.Verification.Walk;

/// <summary>Accesses to the stack: byte by byte, with registers that were spilled.</summary>
internal sealed partial class ProgramWalk
{
    private const int StackBytes = 8 * FrameState.StackSlots;

    /// <summary>Index of the 8-byte slot that holds the byte at <paramref name="offset"/> (negative) from the frame pointer.</summary>
    private static int SlotOf(long offset) => (int)((-offset - 1) / 8);

    /// <summary>Which byte of its slot, the lowest address first.</summary>
    private static int ByteOf(long offset) => (int)(offset & 7);

    private FrameState FrameOf(RegisterState pointer) => _state.FrameAt((int)pointer.Size);

    private bool CheckStackBounds(RegisterState address, long offset, long size, bool allowsZero = false)
    {
        ref readonly ScalarBounds bounds = ref address.Bounds;
        if (!bounds.IsConstant && (bounds.SMax >= MaximumOffset || bounds.SMin <= -MaximumOffset))
        {
            return Fail(
                DiagnosticId.StackOutOfBounds, $"the offset into a local variable has no bound: it is {DescribeOffset(address, offset)} from the frame pointer",
                $"check the index before it is used, below and above: if ({IndexName()} < 0 || {IndexName()} >= N) return 0;", address);
        }

        long low = bounds.SMin + offset, high = bounds.SMax + offset + size;
        if (low >= -StackBytes && high <= 0 && (size > 0 || (allowsZero && size == 0)))
        {
            if (!bounds.IsConstant && address.Size < _state.FrameCount)
                NoteStackDepth((int)address.Size, low);
            else
                NoteStackDepth((int)address.Size, low);
            return true;
        }

        return low < -StackBytes
            ? Fail(
                DiagnosticId.StackOutOfBounds, $"the local variables of the function take {Bytes(-low)} of stack or more; {StackBytes} are the limit",
                "make local variables smaller, or move large ones into a map (BPF_MAP_TYPE_PERCPU_ARRAY with one element)", address)
            : size <= 0 ? Fail(DiagnosticId.StackOutOfBounds, $"{AccessName(1)} gets memory of size {size}, which it must not", "check before the call that the size is not 0", _sizeArgument ?? address)
            : FailAboveFrame(address, offset, size);
    }

    private bool FailAboveFrame(RegisterState address, long offset, long size)
    {
        bool isSizeOpen = _sizeArgument is { IsConstantScalar: false };
        return Fail(
            DiagnosticId.StackOutOfBounds,
            $"an access of {(isSizeOpen ? "up to " : "")}{Bytes(size)} at offset {DescribeOffset(address, offset)} from the frame pointer reaches beyond the function's local variables, which end at offset 0",
            isSizeOpen ? HelpSize(-offset) : $"check the index against the size of the array: if ({IndexName()} >= N) return 0;", isSizeOpen ? _sizeArgument! : address);
    }

    private void NoteStackDepth(int frame, long low)
    {
        int function = _state.FrameAt(frame).Function;
        int depth = (int)-low;
        if (_facts.StackDepth[function] < depth)
            _facts.StackDepth[function] = depth;
    }

    private bool ReadStack(int register, RegisterState address, long offset, int size, out RegisterState? loaded)
    {
        loaded = null;
        if (!CheckStackBounds(address, offset, size))
            return false;
        NoteStackAccess(address, offset, size, isWritten: false);
        FrameState frame = FrameOf(address);
        if (!address.Bounds.IsConstant)
            return ReadVariableStack(address, offset, size, frame, out loaded);
        offset += address.Bounds.SMin;
        StackSlot slot = frame[SlotOf(offset)];
        if (slot.Value is not { } value || slot[ByteOf(offset)] != StackByte.Spill && !IsTouchedBySpill(slot, offset, size))
            return ReadBytes(register, frame, offset, offset + size, size, out loaded);
        if (size == 8 && slot.SpilledBytes == 8)
        {
            loaded = value;
            return true;
        }

        if (!value.IsScalar)
        {
            return Fail(
                DiagnosticId.StackAccess, $"the load takes {size} bytes out of a pointer that was stored on the stack (offset {offset})",
                "read pointers as a whole");
        }

        return ReadPartOfSpill(frame, slot, value, offset, size, out loaded);
    }

    private static bool IsTouchedBySpill(StackSlot slot, long offset, int size)
    {
        for (int i = 0; i < size; i++)
        {
            if (slot[(ByteOf(offset) + i) & 7] == StackByte.Spill)
                return true;
        }

        return false;
    }

    private bool ReadPartOfSpill(FrameState frame, StackSlot slot, RegisterState value, long offset, int size, out RegisterState? loaded)
    {
        int spilled = slot.SpilledBytes;
        int lowest = _module.IsBigEndian ? ByteOf(offset) - (spilled - size) : ByteOf(offset);
        if (lowest == 0 && size <= spilled)
        {
            bool keepsValue = value.Bounds.UMax <= (size == 8 ? ulong.MaxValue : (1UL << (8 * size)) - 1);
            if (keepsValue && spilled == size)
            {
                RegisterState linked = WithLinkId(value);
                frame[SlotOf(offset)] = slot with { Value = linked };
                loaded = linked;
                return true;
            }

            loaded = keepsValue ? value : NewScalar(ScalarBounds.ZeroExtend(8 * size, value.Bounds), value.Value);
            return true;
        }

        int zeros = 0, spills = 0;
        for (int i = 0; i < size; i++)
        {
            StackByte kind = slot[ByteOf(offset) + i];
            zeros += kind == StackByte.Zero ? 1 : 0;
            spills += kind == StackByte.Spill ? 1 : 0;
            if (kind is StackByte.Dynptr or StackByte.Iterator or StackByte.IrqFlag || (kind == StackByte.Invalid && _options.StrictStack))
            {
                loaded = null;
                return kind == StackByte.Invalid ? FailUninitializedStack(i, size) : FailSpecialSlot(offset);
            }
        }

        loaded = zeros == size ? RegisterState.ConstantScalar(0, _slot)
            : spills == size && value.IsZero ? RegisterState.Scalar(NewNode(ScalarBounds.Zero, value.Value))
            : UnknownOfSize(size);
        return true;
    }

    /// <summary>Reads bytes of the half-open range, of which any <paramref name="size"/> in a row may be meant.</summary>
    private bool ReadBytes(int register, FrameState frame, long start, long end, int size, out RegisterState? loaded)
    {
        loaded = null;
        bool isZero = true;
        for (long at = start; at < end; at++)
        {
            StackByte kind = frame[SlotOf(at)][ByteOf(at)];
            isZero &= kind == StackByte.Zero;
            switch (kind)
            {
                case StackByte.Invalid:
                    if (_options.StrictStack)
                        return FailUninitializedStack(at - start, end - start);
                    break;
                case StackByte.Spill:
                    if (frame[SlotOf(at)].Value is { IsScalar: false })
                        return Fail(DiagnosticId.StackAccess, $"{AccessName(register)} takes parts of a pointer that was stored on the stack", "read pointers as a whole");
                    break;
                case StackByte.Misc or StackByte.Zero:
                    break;
                case StackByte.Dynptr or StackByte.Iterator or StackByte.IrqFlag:
                    return FailSpecialSlot(at);
            }
        }

        loaded = isZero ? RegisterState.ConstantScalar(0, _slot) : UnknownOfSize(size);
        return true;
    }

    /// <param name="missing">Offset of the byte without a value in the memory that is read.</param>
    private bool FailUninitializedStack(long missing, long size) => FailOnPath(
        DiagnosticId.UninitializedStack,
        Current.IsCall
            ? $"{CalleeAt(_slot)} reads {Bytes(size)} of a local variable, but byte {missing} of them was never written on this path"
            : $"{Bytes(size)} of a local variable are read here, but byte {missing} of them was never written on this path",
        "give the whole variable a value first, with the padding between its fields: struct s v = {}; or __builtin_memset(&v, 0, sizeof(v));");

    private bool FailSpecialSlot(long offset) => Fail(
        DiagnosticId.StackAccess, $"the stack at offset {offset} from the frame pointer holds a dynptr or an iterator, which only its own functions may access",
        null);

    private bool ReadVariableStack(RegisterState address, long offset, int size, FrameState frame, out RegisterState? loaded)
    {
        long start = address.Bounds.SMin + offset, end = address.Bounds.SMax + offset + size;
        loaded = null;
        if (!PrepareRegion(frame, start, end, isRead: true, forgets: false))
            return false;
        bool isZero = true;
        for (long at = start; at < end; at++)
            isZero &= frame[SlotOf(at)][ByteOf(at)] == StackByte.Zero;
        loaded = isZero ? RegisterState.ConstantScalar(0, _slot) : UnknownOfSize(size);
        return true;
    }

    /// <summary>
    /// Whether an access that may touch any byte of the range is possible: not with dynptrs or iterators in it.
    /// </summary>
    /// <param name="forgets">
    /// What is in the range becomes bytes of which nothing is known: they may be overwritten, or (arguments of helpers) it keeps fewer states
    /// apart not to know them.
    /// </param>
    private bool PrepareRegion(FrameState frame, long start, long end, bool isRead, bool forgets)
    {
        for (long at = start; at < end; at++)
        {
            int index = SlotOf(at);
            StackSlot slot = frame[index];
            int part = ByteOf(at);
            switch (slot[part])
            {
                case StackByte.Misc:
                    continue;
                case StackByte.Invalid when _options.StrictStack && isRead:
                    return FailUninitializedStack(at - start, end - start);
                case StackByte.Invalid or StackByte.Zero:
                    if (forgets)
                        frame[index] = slot with { Bytes = StackSlot.With(slot.Bytes, part, StackByte.Misc) };
                    continue;
                case StackByte.Spill:
                    if (forgets)
                        frame[index] = Unspill(slot, part);
                    continue;
                case StackByte.Dynptr or StackByte.Iterator or StackByte.IrqFlag:
                    return FailSpecialSlot(at);
            }
        }

        return true;
    }

    /// <summary>The slot with its spilled bytes as plain data.</summary>
    private static StackSlot Unspill(StackSlot slot, int misc)
    {
        ulong bytes = slot.Bytes;
        for (int i = 0; i < 8; i++)
        {
            if (slot[i] == StackByte.Spill || i == misc)
                bytes = StackSlot.With(bytes, i, StackByte.Misc);
        }

        return new StackSlot(bytes, null);
    }

    private bool WriteStack(int register, RegisterState address, long offset, int size, RegisterState stored)
    {
        if (!CheckStackBounds(address, offset, size))
            return false;
        NoteStackAccess(address, offset, size, isWritten: true);
        FrameState frame = FrameOf(address);
        if (!address.Bounds.IsConstant)
            return WriteVariableStack(address, offset, size, stored, frame);
        offset += address.Bounds.SMin;
        int index = SlotOf(offset);
        if (!DestroySpecial(frame, index))
            return false;
        StackSlot old = frame[index];
        if (stored.IsPointer)
        {
            if (size != 8)
                return Fail(DiagnosticId.StackAccess, $"a pointer is stored on the stack in {size} bytes", "store pointers as a whole, in 8 bytes");
            if (stored.Kind == RegisterKind.Stack && frame.Number != _state.FrameCount - 1)
                return Fail(DiagnosticId.StackAccess, "a pointer to the stack is stored in the frame of the caller", "it would point to a variable that is gone when the function returns");
            frame[index] = new StackSlot(StackSlot.All(StackByte.Spill), stored);
            return true;
        }

        if (ByteOf(offset) == 0)
        {
            frame[index] = Spill(old, stored, size);
            return true;
        }

        if (stored.IsZero)
            MarkPrecise(stored);
        StackSlot plain = old.IsSpill ? Unspill(old, -1) : old;
        ulong bytes = plain.Bytes;
        for (int i = 0; i < size; i++)
            bytes = StackSlot.With(bytes, ByteOf(offset) + i, stored.IsZero ? StackByte.Zero : StackByte.Misc);
        frame[index] = new StackSlot(bytes, null);
        return true;
    }

    private StackSlot Spill(StackSlot old, RegisterState scalar, int size)
    {
        bool keepsValue = size == 8 || scalar.Bounds.UMax <= (1UL << (8 * size)) - 1;
        RegisterState spilled;
        if (keepsValue)
        {
            spilled = WithLinkId(scalar);
            if (_storeSource >= 0)
                Registers[_storeSource] = spilled;
        }
        else
        {
            spilled = NewScalar(ScalarBounds.ZeroExtend(8 * size, scalar.Bounds), scalar.Value);
        }

        ulong bytes = old.Bytes;
        for (int i = 0; i < 8; i++)
        {
            if (i < size)
                bytes = StackSlot.With(bytes, i, StackByte.Spill);
            else if (old[i] is StackByte.Spill or StackByte.Dynptr or StackByte.Iterator or StackByte.IrqFlag || (old[i] == StackByte.Invalid && !_options.StrictStack))
                bytes = StackSlot.With(bytes, i, StackByte.Misc);
        }

        return new StackSlot(bytes, spilled);
    }

    private bool WriteVariableStack(RegisterState address, long offset, int size, RegisterState stored, FrameState frame)
    {
        long start = address.Bounds.SMin + offset, end = address.Bounds.SMax + offset + size;
        bool keepsZero = stored.IsZero;
        for (int index = SlotOf(start); index >= SlotOf(end - 1); index--)
        {
            if (!DestroySpecial(frame, index))
                return false;
        }

        if (keepsZero)
            MarkPrecise(stored);
        for (long at = start; at < end; at++)
        {
            int index = SlotOf(at), part = ByteOf(at);
            StackSlot slot = frame[index];
            if (slot[part] == StackByte.Invalid && _options.StrictStack)
                return FailUninitializedStack(at, size);
            if (keepsZero && slot.Value is { IsZero: true } zero && slot[part] == StackByte.Spill)
            {
                MarkPrecise(zero);
                continue;
            }

            if (slot.IsSpill)
                slot = Unspill(slot, -1);
            StackByte kind = keepsZero && slot[part] == StackByte.Zero ? StackByte.Zero : StackByte.Misc;
            frame[index] = slot with { Bytes = StackSlot.With(slot.Bytes, part, kind) };
        }

        return true;
    }

    /// <summary>Before a plain store: a dynptr that is overwritten is gone, with all memory sliced out of it, unless it must be given back.</summary>
    private bool DestroySpecial(FrameState frame, int index)
    {
        StackSlot slot = frame[index];
        if (!slot.IsSpecial)
            return true;
        if (slot[0] != StackByte.Dynptr)
        {
            frame[index] = StackSlot.Misc;
            return true;
        }

        if (slot.ReferenceId != 0)
        {
            return Fail(
                DiagnosticId.Dynptr, "a dynptr that must be given back is overwritten",
                "submit or discard it first");
        }

        RemoveDynptr(frame, index);
        return true;
    }
}
