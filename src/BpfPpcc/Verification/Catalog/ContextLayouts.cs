using BpfPpcc.Bpf;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification.Catalog;

/// <summary>What the contexts of the program types look like (linux/bpf.h, and asm/ptrace.h of powerpc), and how they may be accessed.</summary>
internal static class ContextLayouts
{
    private const ContextAccess Exact = ContextAccess.READ;
    private const ContextAccess Narrow = ContextAccess.READ | ContextAccess.NARROW;

    /// <summary>struct user_pt_regs of ppc64: 32 general registers and 12 others.</summary>
    private const int PtRegsSize = 44 * 8;

    /// <summary>The most arguments that a function or tracepoint has (Linux: MAX_BPF_FUNC_ARGS).</summary>
    private const int MaximumArguments = 12;

    /// <summary>Linux: PERF_MAX_TRACE_SIZE.</summary>
    private const int MaximumTraceSize = 8192;

    private static readonly ContextLayout PtRegs = new("pt_regs", ContextForm.Memory, PtRegsSize, []);

    /// <summary>The first 8 bytes are the tracer's own.</summary>
    private static readonly ContextLayout Trace = new("tracepoint record", ContextForm.Memory, MaximumTraceSize, [], Start: 8);

    private static readonly ContextLayout PerfEvent = new(
        "bpf_perf_event_data", ContextForm.Fields, PtRegsSize + 16,
        [
            new("regs", 0, PtRegsSize, 8, Exact),
            new("sample_period", PtRegsSize, 8, 8, Narrow),
            new("addr", PtRegsSize + 8, 8, 8, Narrow),
        ]);

    private static readonly ContextLayout RawArguments = new("bpf_raw_tracepoint_args", ContextForm.Memory, MaximumArguments * 8, []);

    private static readonly ContextLayout WritableRawArguments = new(
        "bpf_raw_tracepoint_args", ContextForm.Memory, MaximumArguments * 8, [new("args[0]", 0, 8, 8, Exact, ContextValue.TP_BUFFER)]);

    private static readonly ContextLayout Arguments = new("arguments", ContextForm.TypedArguments, MaximumArguments * 8, []);
    private static readonly ContextLayout Iterator = new("bpf_iter", ContextForm.TypedStruct, ushort.MaxValue, []);

    private static readonly ContextLayout Syscall = new("context", ContextForm.WritableMemory, ushort.MaxValue, []);

    private static readonly ContextLayout Xdp = new(
        "xdp_md", ContextForm.Fields, 24,
        [
            new("data", 0, 4, 4, Exact, ContextValue.PACKET),
            new("data_end", 4, 4, 4, Exact, ContextValue.PACKET_END),
            new("data_meta", 8, 4, 4, Exact, ContextValue.PACKET_META),
            new("ingress_ifindex", 12, 4, 4, Exact),
            new("rx_queue_index", 16, 4, 4, Exact),
        ]);

    private static readonly ContextLayout XdpDevmap = Xdp with { Members = Xdp.Members.Add(new("egress_ifindex", 20, 4, 4, Exact)) };

    private static readonly ContextLayout CgroupDevice = new(
        "bpf_cgroup_dev_ctx", ContextForm.Fields, 12,
        [
            new("access_type", 0, 4, 4, Narrow),
            new("major", 4, 4, 4, Exact),
            new("minor", 8, 4, 4, Exact),
        ]);

    private static readonly ContextLayout Sysctl = new(
        "bpf_sysctl", ContextForm.Fields, 8,
        [
            new("write", 0, 4, 4, Narrow),
            new("file_pos", 4, 4, 4, Narrow | ContextAccess.WRITE),
        ]);

    private static readonly ContextLayout Netfilter = new(
        "bpf_nf_ctx", ContextForm.Fields, 16,
        [
            new("state", 0, 8, 8, Exact, ContextValue.BTF_ID, "nf_hook_state"),
            new("skb", 8, 8, 8, Exact, ContextValue.BTF_ID, "sk_buff"),
        ]);

    private static readonly ContextLayout Lirc = new("sample", ContextForm.Fields, 4, [new("sample", 0, 4, 4, Exact)]);

    private static readonly ContextLayout Nothing = new("context", ContextForm.Fields, 0, []);

    /// <summary>
    /// The context of programs of a kind. UNSPEC has none here: a host of its own describes its context by size or by BTF
    /// (<see cref="OfSize"/>). EXT has that of the program that it extends.
    /// </summary>
    public static ContextLayout Of(in ProgramKind kind) => kind.Type switch
    {
        BpfProgramType.UNSPEC or BpfProgramType.EXT => Nothing,
        BpfProgramType.SOCKET_FILTER or BpfProgramType.SCHED_CLS or BpfProgramType.SCHED_ACT or BpfProgramType.CGROUP_SKB
            or BpfProgramType.LWT_IN or BpfProgramType.LWT_OUT or BpfProgramType.LWT_XMIT or BpfProgramType.LWT_SEG6LOCAL
            or BpfProgramType.SK_SKB or BpfProgramType.FLOW_DISSECTOR => SocketBufferContexts.Of(kind.Type),
        BpfProgramType.KPROBE => PtRegs,
        BpfProgramType.TRACEPOINT => Trace,
        BpfProgramType.XDP => kind.AttachType == AttachTypes.BPF_XDP_DEVMAP ? XdpDevmap : Xdp,
        BpfProgramType.PERF_EVENT => PerfEvent,
        BpfProgramType.CGROUP_SOCK => SocketContexts.CgroupSock(kind.AttachType),
        BpfProgramType.SOCK_OPS => SocketContexts.SockOps,
        BpfProgramType.CGROUP_DEVICE => CgroupDevice,
        BpfProgramType.SK_MSG => SocketContexts.SkMsg,
        BpfProgramType.RAW_TRACEPOINT => RawArguments,
        BpfProgramType.RAW_TRACEPOINT_WRITABLE => WritableRawArguments,
        BpfProgramType.CGROUP_SOCK_ADDR => SocketContexts.SockAddr(kind.AttachType),
        BpfProgramType.LIRC_MODE2 => Lirc,
        BpfProgramType.SK_REUSEPORT => SocketContexts.SkReuseport,
        BpfProgramType.CGROUP_SYSCTL => Sysctl,
        BpfProgramType.CGROUP_SOCKOPT => SocketContexts.Sockopt(kind.AttachType),
        BpfProgramType.TRACING => kind.IsIterator ? Iterator : Arguments,
        BpfProgramType.STRUCT_OPS or BpfProgramType.LSM => Arguments,
        BpfProgramType.SK_LOOKUP => SocketContexts.SkLookup,
        BpfProgramType.SYSCALL => Syscall,
        BpfProgramType.NETFILTER => Netfilter,
    };

    /// <summary>A context that is memory of <paramref name="bytes"/> bytes, read and written.</summary>
    public static ContextLayout OfSize(int bytes) => new("context", ContextForm.WritableMemory, bytes, []);
}
