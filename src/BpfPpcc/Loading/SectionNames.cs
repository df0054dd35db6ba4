using BpfPpcc.Bpf;
using static BpfPpcc.Bpf.BpfProgramType;
using static BpfPpcc.Loading.AttachTypes;

namespace BpfPpcc.Loading;

/// <summary>What a section's name says of the programs in it.</summary>
/// <param name="Target">What follows the name and its '/': a kernel function, a tracepoint, ...; or null.</param>
public readonly record struct SectionMeaning(BpfProgramType ProgramType, int AttachType, string? Target);

/// <summary>
/// The section names by which programs say what they are (libbpf documentation, "Program Types and ELF Sections", as of libbpf 1.5, and the
/// names "classifier" and "action" of older loaders). A leading '?' only says that libbpf is not to load the program by itself.
/// </summary>
public static class SectionNames
{
    private readonly record struct Row(string Name, BpfProgramType ProgramType, int AttachType = 0);

    private static readonly Row[] Rows =
    [
        new("socket", SOCKET_FILTER),
        new("sk_reuseport/migrate", SK_REUSEPORT, BPF_SK_REUSEPORT_SELECT_OR_MIGRATE),
        new("sk_reuseport", SK_REUSEPORT, BPF_SK_REUSEPORT_SELECT),
        new("kprobe", KPROBE),
        new("uprobe", KPROBE),
        new("uprobe.s", KPROBE),
        new("kretprobe", KPROBE),
        new("uretprobe", KPROBE),
        new("uretprobe.s", KPROBE),
        new("kprobe.multi", KPROBE, BPF_TRACE_KPROBE_MULTI),
        new("kretprobe.multi", KPROBE, BPF_TRACE_KPROBE_MULTI),
        new("kprobe.session", KPROBE, BPF_TRACE_KPROBE_SESSION),
        new("uprobe.multi", KPROBE, BPF_TRACE_UPROBE_MULTI),
        new("uretprobe.multi", KPROBE, BPF_TRACE_UPROBE_MULTI),
        new("uprobe.session", KPROBE, BPF_TRACE_UPROBE_SESSION),
        new("uprobe.multi.s", KPROBE, BPF_TRACE_UPROBE_MULTI),
        new("uretprobe.multi.s", KPROBE, BPF_TRACE_UPROBE_MULTI),
        new("uprobe.session.s", KPROBE, BPF_TRACE_UPROBE_SESSION),
        new("ksyscall", KPROBE),
        new("kretsyscall", KPROBE),
        new("usdt", KPROBE),
        new("usdt.s", KPROBE),
        new("tc/ingress", SCHED_CLS, BPF_TCX_INGRESS),
        new("tc/egress", SCHED_CLS, BPF_TCX_EGRESS),
        new("tcx/ingress", SCHED_CLS, BPF_TCX_INGRESS),
        new("tcx/egress", SCHED_CLS, BPF_TCX_EGRESS),
        new("tc", SCHED_CLS),
        new("classifier", SCHED_CLS),
        new("action", SCHED_ACT),
        new("netkit/primary", SCHED_CLS, BPF_NETKIT_PRIMARY),
        new("netkit/peer", SCHED_CLS, BPF_NETKIT_PEER),
        new("tracepoint", TRACEPOINT),
        new("tp", TRACEPOINT),
        new("raw_tracepoint", RAW_TRACEPOINT),
        new("raw_tp", RAW_TRACEPOINT),
        new("raw_tracepoint.w", RAW_TRACEPOINT_WRITABLE),
        new("raw_tp.w", RAW_TRACEPOINT_WRITABLE),
        new("tp_btf", TRACING, BPF_TRACE_RAW_TP),
        new("fentry", TRACING, BPF_TRACE_FENTRY),
        new("fmod_ret", TRACING, BPF_MODIFY_RETURN),
        new("fexit", TRACING, BPF_TRACE_FEXIT),
        new("fentry.s", TRACING, BPF_TRACE_FENTRY),
        new("fmod_ret.s", TRACING, BPF_MODIFY_RETURN),
        new("fexit.s", TRACING, BPF_TRACE_FEXIT),
        new("freplace", EXT),
        new("lsm", LSM, BPF_LSM_MAC),
        new("lsm.s", LSM, BPF_LSM_MAC),
        new("lsm_cgroup", LSM, BPF_LSM_CGROUP),
        new("iter", TRACING, BPF_TRACE_ITER),
        new("iter.s", TRACING, BPF_TRACE_ITER),
        new("syscall", SYSCALL),
        new("xdp.frags/devmap", XDP, BPF_XDP_DEVMAP),
        new("xdp/devmap", XDP, BPF_XDP_DEVMAP),
        new("xdp.frags/cpumap", XDP, BPF_XDP_CPUMAP),
        new("xdp/cpumap", XDP, BPF_XDP_CPUMAP),
        new("xdp.frags", XDP, BPF_XDP),
        new("xdp", XDP, BPF_XDP),
        new("perf_event", PERF_EVENT),
        new("lwt_in", LWT_IN),
        new("lwt_out", LWT_OUT),
        new("lwt_xmit", LWT_XMIT),
        new("lwt_seg6local", LWT_SEG6LOCAL),
        new("sockops", SOCK_OPS, BPF_CGROUP_SOCK_OPS),
        new("sk_skb/stream_parser", SK_SKB, BPF_SK_SKB_STREAM_PARSER),
        new("sk_skb/stream_verdict", SK_SKB, BPF_SK_SKB_STREAM_VERDICT),
        new("sk_skb/verdict", SK_SKB, BPF_SK_SKB_VERDICT),
        new("sk_skb", SK_SKB),
        new("sk_msg", SK_MSG, BPF_SK_MSG_VERDICT),
        new("lirc_mode2", LIRC_MODE2, BPF_LIRC_MODE2),
        new("flow_dissector", FLOW_DISSECTOR, BPF_FLOW_DISSECTOR),
        new("cgroup_skb/ingress", CGROUP_SKB, BPF_CGROUP_INET_INGRESS),
        new("cgroup_skb/egress", CGROUP_SKB, BPF_CGROUP_INET_EGRESS),
        new("cgroup/skb", CGROUP_SKB),
        new("cgroup/sock_create", CGROUP_SOCK, BPF_CGROUP_INET_SOCK_CREATE),
        new("cgroup/sock_release", CGROUP_SOCK, BPF_CGROUP_INET_SOCK_RELEASE),
        new("cgroup/sock", CGROUP_SOCK, BPF_CGROUP_INET_SOCK_CREATE),
        new("cgroup/post_bind4", CGROUP_SOCK, BPF_CGROUP_INET4_POST_BIND),
        new("cgroup/post_bind6", CGROUP_SOCK, BPF_CGROUP_INET6_POST_BIND),
        new("cgroup/bind4", CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_BIND),
        new("cgroup/bind6", CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_BIND),
        new("cgroup/connect4", CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT),
        new("cgroup/connect6", CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_CONNECT),
        new("cgroup/connect_unix", CGROUP_SOCK_ADDR, BPF_CGROUP_UNIX_CONNECT),
        new("cgroup/sendmsg4", CGROUP_SOCK_ADDR, BPF_CGROUP_UDP4_SENDMSG),
        new("cgroup/sendmsg6", CGROUP_SOCK_ADDR, BPF_CGROUP_UDP6_SENDMSG),
        new("cgroup/sendmsg_unix", CGROUP_SOCK_ADDR, BPF_CGROUP_UNIX_SENDMSG),
        new("cgroup/recvmsg4", CGROUP_SOCK_ADDR, BPF_CGROUP_UDP4_RECVMSG),
        new("cgroup/recvmsg6", CGROUP_SOCK_ADDR, BPF_CGROUP_UDP6_RECVMSG),
        new("cgroup/recvmsg_unix", CGROUP_SOCK_ADDR, BPF_CGROUP_UNIX_RECVMSG),
        new("cgroup/getpeername4", CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_GETPEERNAME),
        new("cgroup/getpeername6", CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_GETPEERNAME),
        new("cgroup/getpeername_unix", CGROUP_SOCK_ADDR, BPF_CGROUP_UNIX_GETPEERNAME),
        new("cgroup/getsockname4", CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_GETSOCKNAME),
        new("cgroup/getsockname6", CGROUP_SOCK_ADDR, BPF_CGROUP_INET6_GETSOCKNAME),
        new("cgroup/getsockname_unix", CGROUP_SOCK_ADDR, BPF_CGROUP_UNIX_GETSOCKNAME),
        new("cgroup/sysctl", CGROUP_SYSCTL, BPF_CGROUP_SYSCTL),
        new("cgroup/getsockopt", CGROUP_SOCKOPT, BPF_CGROUP_GETSOCKOPT),
        new("cgroup/setsockopt", CGROUP_SOCKOPT, BPF_CGROUP_SETSOCKOPT),
        new("cgroup/dev", CGROUP_DEVICE, BPF_CGROUP_DEVICE),
        new("struct_ops", STRUCT_OPS),
        new("struct_ops.s", STRUCT_OPS),
        new("sk_lookup", SK_LOOKUP, BPF_SK_LOOKUP),
        new("netfilter", NETFILTER, BPF_NETFILTER),
    ];

    /// <summary>
    /// The meaning of a section's name; UNSPEC for a name that says nothing. Names that go on behind one of the table with a character
    /// other than a letter ("xdp_drop", "socket1", "classifier/in") mean what they meant to loaders before libbpf 1.0; the longest one
    /// counts.
    /// </summary>
    public static SectionMeaning Lookup(string sectionName)
    {
        ReadOnlySpan<char> name = sectionName.AsSpan(sectionName.StartsWith('?') ? 1 : 0);
        Row best = default;
        int length = -1;
        foreach (Row row in Rows)
        {
            if (row.Name.Length > length && name.StartsWith(row.Name, StringComparison.Ordinal) && IsEndOfWord(name[row.Name.Length..]))
                (best, length) = (row, row.Name.Length);
        }

        if (length < 0)
            return default;
        ReadOnlySpan<char> rest = name[length..];
        return new SectionMeaning(best.ProgramType, best.AttachType, rest.Length > 1 && rest[0] == '/' ? rest[1..].ToString() : null);
    }

    private static bool IsEndOfWord(ReadOnlySpan<char> rest) => rest.IsEmpty || !char.IsAsciiLetter(rest[0]);
}
