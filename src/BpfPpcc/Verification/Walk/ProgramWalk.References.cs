using BpfPpcc.Diagnostics;

namespace BpfPpcc.Verification.Walk;

/// <summary>Resources that a path holds, and the sections of code that it may not leave.</summary>
internal sealed partial class ProgramWalk
{
    private int Acquire()
    {
        int id = NewId();
        FrameState frame = _state.Frame;
        _state.References = [.. _state.References, new HeldReference(id, _slot, frame.Role == FrameRole.Plain ? 0 : frame.Number)];
        return id;
    }

    /// <summary>False if no such resource is held.</summary>
    private static bool RemoveReference(VerifierState state, int id)
    {
        int index = Array.FindIndex(state.References, held => held.Id == id);
        if (index < 0)
            return false;
        state.References = [.. state.References[..index], .. state.References[(index + 1)..]];
        return true;
    }

    /// <summary>Gives a resource back: no register may use it any more.</summary>
    private bool Release(int id, int register)
    {
        int index = Array.FindIndex(_state.References, held => held.Id == id);
        if (index < 0)
        {
            return Fail(
                DiagnosticId.ReferenceMisuse, $"r{register} does not own what it points to, so it cannot be given back here",
                "only what a helper acquired, and only once, can be released");
        }

        if (CallbackFrame() is var callback && callback != 0 && _state.References[index].Frame != callback)
        {
            return Fail(
                DiagnosticId.ReferenceMisuse, "a callback releases a resource that was acquired outside of it: it may run more than once",
                "release it after the loop");
        }

        RemoveReference(_state, id);
        _state.Rewrite((id, _slot), static (value, argument) =>
            value.ReferenceId == argument.id ? RegisterState.UnknownScalar(argument._slot) : value);
        return true;
    }

    private int CallbackFrame()
    {
        for (int i = _state.FrameCount - 1; i > 0; i--)
        {
            if (_state.FrameAt(i).Role != FrameRole.Plain)
                return i;
        }

        return 0;
    }

    /// <summary>Nothing may be held where a program (or a callback, of what it acquired) ends.</summary>
    private bool CheckNothingHeld(string where, bool isOutermost)
    {
        int callback = isOutermost ? 0 : _state.Frame.Number;
        foreach (HeldReference held in _state.References)
        {
            if (held.IsIrqFlag || (!isOutermost && held.Frame != callback))
                continue;
            string line = _image.FunctionAt(held.Slot).PositionOf(_image.LocalSlot(held.Slot)) is { } position ? $" (acquired at line {position.Line})" : $" (acquired by instruction {_image.LocalSlot(held.Slot)})";
            return Fail(
                DiagnosticId.ReferenceLeak, $"{where} comes while a resource is still held{line}",
                "release it on every path: bpf_sk_release, bpf_ringbuf_submit or bpf_ringbuf_discard, bpf_obj_drop, ...");
        }

        if (!isOutermost)
            return true;
        if (_state.Lock is not null)
            return Fail(DiagnosticId.LockMisuse, $"{where} comes while a spin lock is held", "call bpf_spin_unlock on every path");
        if (_state.RcuDepth > 0)
            return Fail(DiagnosticId.CriticalSection, $"{where} comes inside of an RCU read section", "call bpf_rcu_read_unlock on every path");
        if (_state.PreemptDepth > 0)
            return Fail(DiagnosticId.CriticalSection, $"{where} comes while preemption is disabled", "call bpf_preempt_enable on every path");
        if (_state.ActiveIrqId != 0)
            return Fail(DiagnosticId.CriticalSection, $"{where} comes while interrupts are disabled", "call bpf_local_irq_restore on every path");
        return true;
    }
}
