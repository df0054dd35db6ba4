using System.Collections.Immutable;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification.Catalog;

/// <summary>
/// Contexts of the socket hooks, and the socket structs of the UAPI that programs get pointers to (linux/bpf.h; the is_valid_access
/// functions of net/core/filter.c and kernel/bpf/cgroup.c).
/// </summary>
internal static class SocketContexts
{
    private const ContextAccess Exact = ContextAccess.READ;
    private const ContextAccess Narrow = ContextAccess.READ | ContextAccess.NARROW;
    private const ContextAccess NarrowAtStart = ContextAccess.READ | ContextAccess.NARROW_AT_START;
    private const ContextAccess Writable = ContextAccess.READ_WRITE;

    private static readonly ImmutableArray<ContextMember> SockFields =
    [
        new("bound_dev_if", 0, 4, 4, Exact),
        new("family", 4, 4, 4, NarrowAtStart),
        new("type", 8, 4, 4, NarrowAtStart),
        new("protocol", 12, 4, 4, NarrowAtStart),
        new("mark", 16, 4, 4, Exact),
        new("priority", 20, 4, 4, Exact),
        new("src_ip4", 24, 4, 4, Narrow),
        new("src_ip6", 28, 16, 4, Narrow),
        new("src_port", 44, 4, 4, NarrowAtStart),

        // A 16-bit field that once was one of 32 bits and may still be read as that.
        new("dst_port", 48, 2, 2, Narrow | ContextAccess.PADDED),
        new("dst_ip4", 52, 4, 4, Narrow),
        new("dst_ip6", 56, 16, 4, Narrow),
        new("state", 72, 4, 4, NarrowAtStart),
        new("rx_queue_mapping", 76, 4, 4, NarrowAtStart),
    ];

    /// <summary>struct bpf_sock behind a pointer.</summary>
    public static readonly ContextLayout Sock = new("bpf_sock", ContextForm.Fields, 80, SockFields);

    /// <summary>struct bpf_sock of which only the part that all kinds of sockets have may be read.</summary>
    public static readonly ContextLayout SockCommon = new(
        "bpf_sock", ContextForm.Fields, 80, Without(SockFields, "type protocol mark priority"));

    /// <summary>struct bpf_tcp_sock.</summary>
    public static readonly ContextLayout TcpSock = new(
        "bpf_tcp_sock", ContextForm.Fields, 112,
        [
            new("snd_cwnd", 0, 80, 4, Exact),
            new("bytes_received", 80, 8, 8, Exact),
            new("bytes_acked", 88, 8, 8, Exact),
            new("dsack_dups", 96, 16, 4, Exact),
        ]);

    /// <summary>struct bpf_xdp_sock.</summary>
    public static readonly ContextLayout XdpSock = new("bpf_xdp_sock", ContextForm.Fields, 4, [new("queue_id", 0, 4, 4, Exact)]);

    /// <summary>struct bpf_flow_keys: memory of this size, read and written.</summary>
    public const int FlowKeysSize = 56;

    /// <param name="attachType">0, which is none of this type's, stands for the creation of sockets.</param>
    public static ContextLayout CgroupSock(int attachType)
    {
        bool isCreation = attachType is 0 or AttachTypes.BPF_CGROUP_INET_SOCK_CREATE or AttachTypes.BPF_CGROUP_INET_SOCK_RELEASE;
        bool isBind4 = attachType == AttachTypes.BPF_CGROUP_INET4_POST_BIND;
        bool isBind6 = attachType == AttachTypes.BPF_CGROUP_INET6_POST_BIND;
        string hidden = (isCreation ? "" : "bound_dev_if mark priority ") + (isBind4 ? "" : "src_ip4 ") + (isBind6 ? "" : "src_ip6 ")
            + (isBind4 || isBind6 ? "" : "src_port");
        ImmutableArray<ContextMember> members = Without(SockFields, hidden);
        if (isCreation)
            members = Writing(members, "bound_dev_if mark priority");
        return new ContextLayout("bpf_sock", ContextForm.Fields, 80, members);
    }

    public static ContextLayout SockAddr(int attachType)
    {
        bool isSend4 = attachType == AttachTypes.BPF_CGROUP_UDP4_SENDMSG;
        bool isSend6 = attachType == AttachTypes.BPF_CGROUP_UDP6_SENDMSG;
        string hidden = (IsAddress4(attachType) ? "" : "user_ip4 ") + (IsAddress6(attachType) ? "" : "user_ip6 ")
            + (isSend4 ? "" : "msg_src_ip4 ") + (isSend6 ? "" : "msg_src_ip6");
        ImmutableArray<ContextMember> members =
        [
            new("user_family", 0, 4, 4, Exact),
            new("user_ip4", 4, 4, 4, Writable | ContextAccess.NARROW),
            new("user_ip6", 8, 16, 4, Writable | ContextAccess.NARROW | ContextAccess.WIDE),
            new("user_port", 24, 4, 4, Writable | ContextAccess.NARROW),
            new("family", 28, 4, 4, Exact),
            new("type", 32, 4, 4, Exact),
            new("protocol", 36, 4, 4, Exact),
            new("msg_src_ip4", 40, 4, 4, Writable | ContextAccess.NARROW),
            new("msg_src_ip6", 44, 16, 4, Writable | ContextAccess.NARROW | ContextAccess.WIDE),
            new("sk", 64, 8, 8, Exact, ContextValue.SOCKET),
        ];
        return new ContextLayout("bpf_sock_addr", ContextForm.Fields, 72, Without(members, hidden));
    }

    public static ContextLayout Sockopt(int attachType)
    {
        bool isGet = attachType == AttachTypes.BPF_CGROUP_GETSOCKOPT;
        ContextAccess option = isGet ? Exact : Writable;
        return new ContextLayout(
            "bpf_sockopt", ContextForm.Fields, 40,
            [
                new("sk", 0, 8, 8, Exact, ContextValue.SOCKET),
                new("optval", 8, 8, 8, Exact, ContextValue.PACKET),
                new("optval_end", 16, 8, 8, Exact, ContextValue.PACKET_END),
                new("level", 24, 4, 4, option),
                new("optname", 28, 4, 4, option),
                new("optlen", 32, 4, 4, Writable),
                new("retval", 36, 4, 4, isGet ? Writable : ContextAccess.None),
            ]);
    }

    public static readonly ContextLayout SockOps = new(
        "bpf_sock_ops", ContextForm.Fields, 224,
        [
            new("op", 0, 4, 4, Exact),
            new("reply", 4, 4, 4, Writable),
            new("args[1]", 8, 12, 4, Exact),
            new("family", 20, 4, 4, Exact),
            new("remote_ip4", 24, 4, 4, Exact),
            new("local_ip4", 28, 4, 4, Exact),
            new("remote_ip6", 32, 16, 4, Exact),
            new("local_ip6", 48, 16, 4, Exact),
            new("remote_port", 64, 4, 4, Exact),
            new("local_port", 68, 4, 4, Exact),
            new("is_fullsock", 72, 4, 4, Exact),
            new("snd_cwnd", 76, 4, 4, Exact),
            new("srtt_us", 80, 4, 4, Exact),
            new("bpf_sock_ops_cb_flags", 84, 4, 4, Exact),
            new("state", 88, 4, 4, Exact),
            new("rtt_min", 92, 4, 4, Exact),
            new("snd_ssthresh", 96, 4, 4, Exact),
            new("rcv_nxt", 100, 4, 4, Exact),
            new("snd_nxt", 104, 4, 4, Exact),
            new("snd_una", 108, 4, 4, Exact),
            new("mss_cache", 112, 4, 4, Exact),
            new("ecn_flags", 116, 4, 4, Exact),
            new("rate_delivered", 120, 4, 4, Exact),
            new("rate_interval_us", 124, 4, 4, Exact),
            new("packets_out", 128, 4, 4, Exact),
            new("retrans_out", 132, 4, 4, Exact),
            new("total_retrans", 136, 4, 4, Exact),
            new("segs_in", 140, 4, 4, Exact),
            new("data_segs_in", 144, 4, 4, Exact),
            new("segs_out", 148, 4, 4, Exact),
            new("data_segs_out", 152, 4, 4, Exact),
            new("lost_out", 156, 4, 4, Exact),
            new("sacked_out", 160, 4, 4, Exact),
            new("sk_txhash", 164, 4, 4, Writable),
            new("bytes_received", 168, 8, 8, Exact),
            new("bytes_acked", 176, 8, 8, Exact),
            new("sk", 184, 8, 8, Exact, ContextValue.SOCKET_OR_NULL),
            new("skb_data", 192, 8, 8, Exact, ContextValue.PACKET),
            new("skb_data_end", 200, 8, 8, Exact, ContextValue.PACKET_END),
            new("skb_len", 208, 4, 4, Exact),
            new("skb_tcp_flags", 212, 4, 4, NarrowAtStart),
            new("skb_hwtstamp", 216, 8, 8, Exact),
        ]);

    public static readonly ContextLayout SkMsg = new(
        "sk_msg_md", ContextForm.Fields, 80,
        [
            new("data", 0, 8, 8, Exact, ContextValue.PACKET),
            new("data_end", 8, 8, 8, Exact, ContextValue.PACKET_END),
            new("family", 16, 4, 4, Exact),
            new("remote_ip4", 20, 4, 4, Exact),
            new("local_ip4", 24, 4, 4, Exact),
            new("remote_ip6", 28, 16, 4, Exact),
            new("local_ip6", 44, 16, 4, Exact),
            new("remote_port", 60, 4, 4, Exact),
            new("local_port", 64, 4, 4, Exact),
            new("size", 68, 4, 4, Exact),
            new("sk", 72, 8, 8, Exact, ContextValue.SOCKET),
        ]);

    public static readonly ContextLayout SkReuseport = new(
        "sk_reuseport_md", ContextForm.Fields, 56,
        [
            new("data", 0, 8, 8, Exact, ContextValue.PACKET),
            new("data_end", 8, 8, 8, Exact, ContextValue.PACKET_END),
            new("len", 16, 4, 4, Narrow),
            new("eth_protocol", 20, 4, 4, Narrow | ContextAccess.NARROW_TO_16),
            new("ip_protocol", 24, 4, 4, Narrow),
            new("bind_inany", 28, 4, 4, Narrow),
            new("hash", 32, 4, 4, Exact),
            new("sk", 40, 8, 8, Exact, ContextValue.SOCKET),
            new("migrating_sk", 48, 8, 8, Exact, ContextValue.SOCK_COMMON_OR_NULL),
        ]);

    public static readonly ContextLayout SkLookup = new(
        "bpf_sk_lookup", ContextForm.Fields, 72,
        [
            new("sk", 0, 8, 8, Exact, ContextValue.SOCKET_OR_NULL),
            new("family", 8, 4, 4, Narrow),
            new("protocol", 12, 4, 4, Narrow),
            new("remote_ip4", 16, 4, 4, Narrow),
            new("remote_ip6", 20, 16, 4, Narrow),

            // A 16-bit field with padding that reads as zero.
            new("remote_port", 36, 4, 4, Narrow),
            new("local_ip4", 40, 4, 4, Narrow),
            new("local_ip6", 44, 16, 4, Narrow),
            new("local_port", 60, 4, 4, Narrow),
            new("ingress_ifindex", 64, 4, 4, Narrow),
        ]);

    private static bool IsAddress4(int attachType) => attachType is AttachTypes.BPF_CGROUP_INET4_BIND
        or AttachTypes.BPF_CGROUP_INET4_CONNECT or AttachTypes.BPF_CGROUP_INET4_GETPEERNAME or AttachTypes.BPF_CGROUP_INET4_GETSOCKNAME
        or AttachTypes.BPF_CGROUP_UDP4_SENDMSG or AttachTypes.BPF_CGROUP_UDP4_RECVMSG;

    private static bool IsAddress6(int attachType) => attachType is AttachTypes.BPF_CGROUP_INET6_BIND
        or AttachTypes.BPF_CGROUP_INET6_CONNECT or AttachTypes.BPF_CGROUP_INET6_GETPEERNAME or AttachTypes.BPF_CGROUP_INET6_GETSOCKNAME
        or AttachTypes.BPF_CGROUP_UDP6_SENDMSG or AttachTypes.BPF_CGROUP_UDP6_RECVMSG;

    private static ImmutableArray<ContextMember> Without(ImmutableArray<ContextMember> members, string hidden)
    {
        string[] names = hidden.Split(' ');
        return members.RemoveAll(member => Array.IndexOf(names, member.Name) >= 0);
    }

    private static ImmutableArray<ContextMember> Writing(ImmutableArray<ContextMember> members, string writable)
    {
        string[] names = writable.Split(' ');
        var result = members.ToBuilder();
        for (int i = 0; i < result.Count; i++)
        {
            if (Array.IndexOf(names, result[i].Name) >= 0)
                result[i] = result[i] with { Access = result[i].Access | ContextAccess.WRITE };
        }

        return result.ToImmutable();
    }
}
