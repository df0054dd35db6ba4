using BpfPpcc.Diagnostics;

namespace BpfPpcc.Verification.Walk;

/// <summary>Sections without interrupts: the state to restore lies on the stack, in eight bytes that only the two functions may touch.</summary>
internal sealed partial class ProgramWalk
{
    private const string SaveInterrupts = "bpf_local_irq_save";

    private bool CheckIrqFlag(int register, RegisterState value, CallArguments arguments)
    {
        long offset = value.Offset + value.Bounds.SMin;
        if (value.Kind != RegisterKind.Stack || !value.Bounds.IsConstant || offset % 8 != 0 || offset is < -StackBytes or > -8)
        {
            return Fail(
                DiagnosticId.KfuncArgument, $"argument {register} of {arguments.Name} must be the address of an unsigned long on the stack, but is {Describe(value)}",
                "unsigned long flags; bpf_local_irq_save(&flags);");
        }

        NoteStackDepth((int)value.Size, offset);
        FrameState frame = FrameOf(value);
        int index = SlotOf(offset);
        return arguments.Name == SaveInterrupts ? SaveIrqFlag(frame, index) : RestoreIrqFlag(frame, index);
    }

    private bool SaveIrqFlag(FrameState frame, int index)
    {
        if (frame[index].IsSpecial)
            return Fail(DiagnosticId.CriticalSection, $"{SaveInterrupts} overwrites a saved state, an iterator or a dynptr that is in use", "use another variable for each section");
        int id = NewId();
        _state.References = [.. _state.References, new HeldReference(id, _slot, _state.Frame.Role == FrameRole.Plain ? 0 : _state.Frame.Number, IsIrqFlag: true)];
        frame[index] = new StackSlot(StackSlot.All(StackByte.IrqFlag), null) { ReferenceId = id };
        return true;
    }

    private bool RestoreIrqFlag(FrameState frame, int index)
    {
        StackSlot slot = frame[index];
        if (slot.Bytes != StackSlot.All(StackByte.IrqFlag))
            return Fail(DiagnosticId.CriticalSection, "the interrupt state that is restored was never saved there, or was overwritten", $"pass the variable that {SaveInterrupts} filled");
        if (slot.ReferenceId != _state.ActiveIrqId)
            return Fail(DiagnosticId.CriticalSection, "the interrupt state that is restored is not the one that was saved last", "restore in the opposite order");
        RemoveReference(_state, slot.ReferenceId);
        frame[index] = StackSlot.Misc;
        return true;
    }
}
