using BpfPpcc.Diagnostics;
using BpfPpcc.Verification.Catalog;

namespace BpfPpcc.Verification.Walk;

/// <summary>Dynptrs on the stack: two slots that only their own functions may touch.</summary>
internal sealed partial class ProgramWalk
{
    private const int DynptrBytes = 16;

    /// <summary>The index of the dynptr's first slot (the one at the lower address), or -1 after an error.</summary>
    private int DynptrSlot(int register, RegisterState value, CallArguments arguments)
    {
        if (!value.Bounds.IsConstant)
        {
            Fail(DiagnosticId.Dynptr, $"argument {register} of {arguments.Name} is a dynptr at an offset that is not constant", null);
            return -1;
        }

        long offset = value.Offset + value.Bounds.SMin;
        if (offset % 8 != 0 || offset < -StackBytes || offset > -DynptrBytes)
        {
            Fail(DiagnosticId.Dynptr, $"argument {register} of {arguments.Name} is not the address of a dynptr (offset {offset} of the stack)", "pass the address of a variable of type struct bpf_dynptr");
            return -1;
        }

        return SlotOf(offset);
    }

    private bool CheckDynptrArgument(int register, RegisterState value, ArgumentType type, CallArguments arguments)
    {
        if (type.IsUninitialised)
        {
            if (value.Kind != RegisterKind.Stack)
                return Fail(DiagnosticId.Dynptr, $"argument {register} of {arguments.Name} must be a dynptr on the stack that is not in use", null);
            DynptrKind kind = (type.Flags & ArgumentFlags.RINGBUF) != 0 ? DynptrKind.RingBuffer : DynptrKind.Local;
            return MakeDynptr(register, value, kind, arguments);
        }

        if (value.Kind == RegisterKind.Dynptr)
        {
            arguments.DynptrId = value.DynptrId;
            arguments.Dynptr = value.Dynptr;
            return !type.IsReleased || Fail(DiagnosticId.Dynptr, $"{arguments.Name} releases a dynptr that does not belong to this function", null);
        }

        if (!FindDynptr(register, value, arguments, out FrameState? frame, out int index))
            return false;
        StackSlot slot = frame![index];
        if ((type.Flags & ArgumentFlags.RINGBUF) != 0 && slot.Dynptr != DynptrKind.RingBuffer)
            return Fail(DiagnosticId.Dynptr, $"argument {register} of {arguments.Name} must be a dynptr over a ring buffer reservation", null);
        arguments.DynptrId = slot.DynptrId;
        arguments.Dynptr = slot.Dynptr;
        arguments.DynptrReferenceId = slot.ReferenceId;
        return !type.IsReleased || ReleaseDynptr(frame, index, register);
    }

    private bool FindDynptr(int register, RegisterState value, CallArguments arguments, out FrameState? frame, out int index)
    {
        frame = FrameOf(value);
        index = DynptrSlot(register, value, arguments);
        if (index < 0)
            return false;
        StackSlot slot = frame[index];
        if (slot[0] == StackByte.Dynptr && slot.IsFirst && index > 0 && frame[index - 1][0] == StackByte.Dynptr)
            return true;
        return Fail(
            DiagnosticId.Dynptr, $"argument {register} of {arguments.Name} is not an initialised dynptr",
            "initialise it first (bpf_dynptr_from_mem, bpf_ringbuf_reserve_dynptr, ...), and do not use it after it was submitted or overwritten");
    }

    private bool MakeDynptr(int register, RegisterState value, DynptrKind kind, CallArguments arguments, int reference = 0)
    {
        int index = DynptrSlot(register, value, arguments);
        if (index < 0)
            return false;
        FrameState frame = FrameOf(value);
        NoteStackDepth(frame.Number, value.Offset + value.Bounds.SMin);
        if (!DestroySpecial(frame, index) || !DestroySpecial(frame, index - 1))
            return false;
        if (kind == DynptrKind.RingBuffer && reference == 0)
            reference = Acquire();
        int id = NewId();
        var slot = new StackSlot(StackSlot.All(StackByte.Dynptr), null) { Dynptr = kind, ReferenceId = reference, DynptrId = id };
        frame[index] = slot with { IsFirst = true };
        frame[index - 1] = slot;
        arguments.DynptrId = id;
        arguments.Dynptr = kind;
        return true;
    }

    /// <summary>The dynptr is gone: all that share its reservation, and all memory sliced out of it.</summary>
    private bool ReleaseDynptr(FrameState frame, int index, int register)
    {
        int reference = frame[index].ReferenceId;
        if (reference == 0)
            return Fail(DiagnosticId.Dynptr, "the dynptr that is released holds nothing to release", null);
        for (int i = 0; i < _state.FrameCount; i++)
        {
            FrameState other = _state.FrameAt(i);
            for (int slot = 0; slot < other.StackLength; slot++)
            {
                if (other[slot][0] == StackByte.Dynptr && other[slot].ReferenceId == reference)
                {
                    ForgetSlices(other[slot].DynptrId);
                    other[slot] = StackSlot.Misc;
                }
            }
        }

        return Release(reference, register);
    }

    private void RemoveDynptr(FrameState frame, int index)
    {
        StackSlot slot = frame[index];
        int other = slot.IsFirst ? index - 1 : index + 1;
        frame[index] = StackSlot.Misc;
        if (other >= 0 && frame[other][0] == StackByte.Dynptr && frame[other].DynptrId == slot.DynptrId)
            frame[other] = StackSlot.Misc;
        ForgetSlices(slot.DynptrId);
    }

    private void ForgetSlices(int dynptr) => _state.Rewrite((dynptr, _slot), static (register, argument) =>
        register.Kind == RegisterKind.Memory && register.DynptrId == argument.dynptr ? RegisterState.FormerPointer(argument._slot, PointerLoss.Released) : register);
}
