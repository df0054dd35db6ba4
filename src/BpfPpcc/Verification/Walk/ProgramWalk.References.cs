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
                DiagnosticId.ReferenceMisuse, $"argument {register} of {CalleeAt(_slot)} does not own what it points to, so it cannot be given back here",
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
            value.ReferenceId == argument.id ? RegisterState.FormerPointer(argument._slot, PointerLoss.Released) : value);
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

    /// <summary>What gives back what a function acquires.</summary>
    private static string ReleaseOf(string acquirer) => acquirer switch
    {
        "bpf_ringbuf_reserve" => "bpf_ringbuf_submit or bpf_ringbuf_discard",
        "bpf_ringbuf_reserve_dynptr" => "bpf_ringbuf_submit_dynptr or bpf_ringbuf_discard_dynptr",
        "bpf_sk_lookup_tcp" or "bpf_sk_lookup_udp" or "bpf_skc_lookup_tcp" or "bpf_map_lookup_elem" => "bpf_sk_release",
        "bpf_task_acquire" or "bpf_task_from_pid" => "bpf_task_release",
        "bpf_cgroup_acquire" or "bpf_cgroup_from_id" or "bpf_cgroup_ancestor" => "bpf_cgroup_release",
        "bpf_obj_new_impl" or "bpf_refcount_acquire_impl" or "bpf_list_pop_front" or "bpf_list_pop_back" or "bpf_rbtree_remove" => "bpf_obj_drop",
        _ when acquirer.StartsWith("bpf_iter_", StringComparison.Ordinal) && acquirer.EndsWith("_new", StringComparison.Ordinal) => acquirer[..^4] + "_destroy",
        _ => "the function that gives it back (bpf_sk_release, bpf_task_release, bpf_obj_drop, ...)",
    };

    /// <summary>Nothing may be held where a program (or a callback, of what it acquired) ends.</summary>
    private bool CheckNothingHeld(string where, bool isOutermost)
    {
        int callback = isOutermost ? 0 : _state.Frame.Number;
        foreach (HeldReference held in _state.References)
        {
            if (held.IsIrqFlag || (!isOutermost && held.Frame != callback))
                continue;
            return FailOnPath(
                DiagnosticId.ReferenceLeak, $"{where} comes while what {CalleeAt(held.Slot)} returned is still held: it is never given back on this path",
                $"call {ReleaseOf(CalleeAt(held.Slot))} on every path", new WalkNote(held.Slot, "it is acquired here"));
        }

        if (!isOutermost)
            return true;
        if (_state.Lock is { } spinLock)
            return FailOnPath(DiagnosticId.LockMisuse, $"{where} comes while a spin lock is held", "call bpf_spin_unlock on every path", new WalkNote(spinLock.Slot, "it is taken here"));
        if (_state.RcuDepth > 0)
            return FailOnPath(DiagnosticId.CriticalSection, $"{where} comes inside of an RCU read section", "call bpf_rcu_read_unlock on every path");
        if (_state.PreemptDepth > 0)
            return FailOnPath(DiagnosticId.CriticalSection, $"{where} comes while preemption is disabled", "call bpf_preempt_enable on every path");
        if (_state.ActiveIrqId != 0)
            return FailOnPath(DiagnosticId.CriticalSection, $"{where} comes while interrupts are disabled", "call bpf_local_irq_restore on every path");
        return true;
    }
}
