using BpfPpcc.Bpf;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification.Catalog;

/// <summary>What decides which rules a program is under.</summary>
/// <param name="AttachType">enum bpf_attach_type, where the type has several.</param>
/// <param name="IsSleepable">Loaded as sleepable: it may call helpers that sleep.</param>
/// <param name="Target">What it is attached to (the hook of LSM, the function of fentry, the target of an iterator), or null.</param>
internal readonly record struct ProgramKind(BpfProgramType Type, int AttachType = 0, bool IsSleepable = false, string? Target = null)
{
    /// <summary>Attached through a trampoline, which keeps the arguments and the return value of the function.</summary>
    public bool HasTrampoline => Type switch
    {
        BpfProgramType.TRACING => AttachType is AttachTypes.BPF_TRACE_FENTRY or AttachTypes.BPF_TRACE_FEXIT or AttachTypes.BPF_MODIFY_RETURN,
        BpfProgramType.LSM => AttachType == AttachTypes.BPF_LSM_MAC,
        _ => false,
    };

    public bool IsIterator => Type == BpfProgramType.TRACING && AttachType == AttachTypes.BPF_TRACE_ITER;

    /// <summary>One program on many functions at once; its context knows which.</summary>
    public bool IsMultiProbe => Type == BpfProgramType.KPROBE
        && AttachType is AttachTypes.BPF_TRACE_KPROBE_MULTI or AttachTypes.BPF_TRACE_UPROBE_MULTI
            or AttachTypes.BPF_TRACE_KPROBE_SESSION or AttachTypes.BPF_TRACE_UPROBE_SESSION;

    /// <summary>Runs from probes and tracepoints anywhere in the kernel, so that locks and timers are out of reach.</summary>
    public bool IsProbe => Type is BpfProgramType.KPROBE or BpfProgramType.TRACEPOINT or BpfProgramType.PERF_EVENT
        or BpfProgramType.RAW_TRACEPOINT or BpfProgramType.RAW_TRACEPOINT_WRITABLE;
}
