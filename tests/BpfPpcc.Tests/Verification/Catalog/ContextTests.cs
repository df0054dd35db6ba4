using System.Globalization;
using BpfPpcc.Bpf;
using BpfPpcc.Loading;
using BpfPpcc.Verification.Catalog;
using Xunit;

namespace BpfPpcc.Tests.Verification.Catalog;

public sealed class ContextTests
{
    public static TheoryData<BpfProgramType> ProgramTypes() => [.. Enum.GetValues<BpfProgramType>()];

    [Theory]
    [MemberData(nameof(ProgramTypes))]
    public void Fields_are_in_order_and_inside(BpfProgramType type)
    {
        for (int attachType = 0; attachType <= AttachTypes.BPF_TRACE_UPROBE_SESSION; attachType++)
        {
            ContextLayout layout = ContextLayouts.Of(new ProgramKind(type, attachType));
            int end = 0;
            foreach (ContextMember member in layout.Members)
            {
                Assert.True(member.Offset >= end, $"{layout.Name}.{member.Name} overlaps");
                Assert.True(member.Size % member.Unit == 0 && member.Offset % Math.Min(member.Unit, 4) == 0);
                end = member.Offset + member.Size;
            }

            Assert.True(end <= layout.Size, $"{layout.Name} is longer than its struct");
        }
    }

    [Theory]
    [InlineData(BpfProgramType.XDP, 0, 0, 4, false, true)] // data
    [InlineData(BpfProgramType.XDP, 0, 0, 8, false, false)]
    [InlineData(BpfProgramType.XDP, 0, 2, 2, false, false)]
    [InlineData(BpfProgramType.XDP, 0, 12, 4, true, false)] // ingress_ifindex
    [InlineData(BpfProgramType.XDP, 0, 20, 4, false, false)] // egress_ifindex
    [InlineData(BpfProgramType.XDP, AttachTypes.BPF_XDP_DEVMAP, 20, 4, false, true)]
    [InlineData(BpfProgramType.XDP, 0, 24, 4, false, false)]
    [InlineData(BpfProgramType.SCHED_CLS, 0, 8, 4, true, true)] // mark
    [InlineData(BpfProgramType.SCHED_CLS, 0, 8, 1, true, false)]
    [InlineData(BpfProgramType.SCHED_CLS, 0, 9, 1, false, true)]
    [InlineData(BpfProgramType.SCHED_CLS, 0, 9, 2, false, false)]
    [InlineData(BpfProgramType.SCHED_CLS, 0, 48, 8, true, true)] // cb
    [InlineData(BpfProgramType.SCHED_CLS, 0, 64, 8, true, false)]
    [InlineData(BpfProgramType.SCHED_CLS, 0, 88, 4, false, false)] // family
    [InlineData(BpfProgramType.SCHED_CLS, 0, 180, 1, false, true)] // tstamp_type
    [InlineData(BpfProgramType.SCHED_CLS, 0, 181, 1, false, false)]
    [InlineData(BpfProgramType.SK_SKB, 0, 88, 4, false, true)]
    [InlineData(BpfProgramType.SOCKET_FILTER, 0, 0, 4, false, true)] // len
    [InlineData(BpfProgramType.SOCKET_FILTER, 0, 76, 4, false, false)] // data
    [InlineData(BpfProgramType.SOCKET_FILTER, 0, 8, 4, true, false)]
    [InlineData(BpfProgramType.SOCKET_FILTER, 0, 52, 4, true, true)]
    [InlineData(BpfProgramType.CGROUP_SKB, 0, 152, 8, true, true)] // tstamp
    [InlineData(BpfProgramType.CGROUP_SKB, 0, 140, 4, false, false)] // data_meta
    [InlineData(BpfProgramType.LWT_XMIT, 0, 152, 8, false, false)]
    [InlineData(BpfProgramType.FLOW_DISSECTOR, 0, 144, 8, false, true)] // flow_keys
    [InlineData(BpfProgramType.FLOW_DISSECTOR, 0, 0, 4, false, false)]
    [InlineData(BpfProgramType.CGROUP_SOCK_ADDR, AttachTypes.BPF_CGROUP_INET4_CONNECT, 4, 4, true, true)] // user_ip4
    [InlineData(BpfProgramType.CGROUP_SOCK_ADDR, AttachTypes.BPF_CGROUP_INET6_CONNECT, 4, 4, false, false)]
    [InlineData(BpfProgramType.CGROUP_SOCK_ADDR, AttachTypes.BPF_CGROUP_INET6_CONNECT, 8, 8, true, true)] // user_ip6
    [InlineData(BpfProgramType.CGROUP_SOCK_ADDR, AttachTypes.BPF_CGROUP_INET6_CONNECT, 12, 8, false, false)]
    [InlineData(BpfProgramType.CGROUP_SOCK_ADDR, AttachTypes.BPF_CGROUP_INET6_CONNECT, 13, 1, false, true)]
    [InlineData(BpfProgramType.CGROUP_SOCK_ADDR, AttachTypes.BPF_CGROUP_UDP6_SENDMSG, 44, 8, false, false)] // msg_src_ip6, unaligned
    [InlineData(BpfProgramType.CGROUP_SOCK_ADDR, AttachTypes.BPF_CGROUP_UDP6_SENDMSG, 48, 8, false, true)]
    [InlineData(BpfProgramType.CGROUP_SOCK_ADDR, AttachTypes.BPF_CGROUP_INET4_CONNECT, 0, 2, false, false)] // user_family
    [InlineData(BpfProgramType.CGROUP_SOCK, AttachTypes.BPF_CGROUP_INET_SOCK_CREATE, 16, 4, true, true)] // mark
    [InlineData(BpfProgramType.CGROUP_SOCK, AttachTypes.BPF_CGROUP_INET4_POST_BIND, 16, 4, false, false)]
    [InlineData(BpfProgramType.CGROUP_SOCK, AttachTypes.BPF_CGROUP_INET4_POST_BIND, 24, 4, false, true)] // src_ip4
    [InlineData(BpfProgramType.CGROUP_SOCK, AttachTypes.BPF_CGROUP_INET4_POST_BIND, 24, 4, true, false)]
    [InlineData(BpfProgramType.CGROUP_SOCK, AttachTypes.BPF_CGROUP_INET_SOCK_CREATE, 48, 4, false, true)] // dst_port, padded
    [InlineData(BpfProgramType.CGROUP_SOCK, AttachTypes.BPF_CGROUP_INET_SOCK_CREATE, 50, 2, false, false)]
    [InlineData(BpfProgramType.CGROUP_SOCKOPT, AttachTypes.BPF_CGROUP_SETSOCKOPT, 24, 4, true, true)] // level
    [InlineData(BpfProgramType.CGROUP_SOCKOPT, AttachTypes.BPF_CGROUP_GETSOCKOPT, 24, 4, true, false)]
    [InlineData(BpfProgramType.CGROUP_SOCKOPT, AttachTypes.BPF_CGROUP_GETSOCKOPT, 36, 4, true, true)] // retval
    [InlineData(BpfProgramType.CGROUP_SOCKOPT, AttachTypes.BPF_CGROUP_SETSOCKOPT, 36, 4, false, false)]
    [InlineData(BpfProgramType.CGROUP_SYSCTL, 0, 4, 4, true, true)] // file_pos
    [InlineData(BpfProgramType.CGROUP_SYSCTL, 0, 0, 4, true, false)]
    [InlineData(BpfProgramType.CGROUP_DEVICE, 0, 2, 2, false, true)] // access_type
    [InlineData(BpfProgramType.CGROUP_DEVICE, 0, 4, 2, false, false)]
    [InlineData(BpfProgramType.SOCK_OPS, 0, 4, 4, true, true)] // reply
    [InlineData(BpfProgramType.SOCK_OPS, 0, 168, 4, false, false)] // bytes_received
    [InlineData(BpfProgramType.SOCK_OPS, 0, 168, 8, false, true)]
    [InlineData(BpfProgramType.SK_MSG, 0, 0, 8, false, true)] // data
    [InlineData(BpfProgramType.SK_MSG, 0, 0, 4, false, false)]
    [InlineData(BpfProgramType.SK_REUSEPORT, 0, 20, 2, false, true)] // eth_protocol
    [InlineData(BpfProgramType.SK_REUSEPORT, 0, 20, 1, false, false)]
    [InlineData(BpfProgramType.SK_LOOKUP, 0, 36, 2, false, true)] // remote_port
    [InlineData(BpfProgramType.SK_LOOKUP, 0, 36, 4, false, true)]
    [InlineData(BpfProgramType.SK_LOOKUP, 0, 0, 8, true, false)]
    [InlineData(BpfProgramType.KPROBE, 0, 344, 8, false, true)]
    [InlineData(BpfProgramType.KPROBE, 0, 352, 8, false, false)]
    [InlineData(BpfProgramType.KPROBE, 0, 4, 8, false, false)]
    [InlineData(BpfProgramType.KPROBE, 0, 0, 8, true, false)]
    [InlineData(BpfProgramType.TRACEPOINT, 0, 0, 8, false, false)]
    [InlineData(BpfProgramType.TRACEPOINT, 0, 8, 8, false, true)]
    [InlineData(BpfProgramType.PERF_EVENT, 0, 352, 4, false, true)] // sample_period
    [InlineData(BpfProgramType.PERF_EVENT, 0, 0, 4, false, false)]
    [InlineData(BpfProgramType.RAW_TRACEPOINT, 0, 88, 8, false, true)]
    [InlineData(BpfProgramType.RAW_TRACEPOINT, 0, 96, 8, false, false)]
    [InlineData(BpfProgramType.RAW_TRACEPOINT_WRITABLE, 0, 0, 4, false, false)]
    [InlineData(BpfProgramType.SYSCALL, 0, 16, 4, true, true)]
    [InlineData(BpfProgramType.NETFILTER, 0, 8, 8, false, true)] // skb
    [InlineData(BpfProgramType.LIRC_MODE2, 0, 0, 4, false, true)]
    public void Accesses_are_those_that_Linux_allows(
        BpfProgramType type, int attachType, int offset, int size, bool isWrite, bool isAllowed)
    {
        ContextLayout layout = ContextLayouts.Of(new ProgramKind(type, attachType));
        Assert.Equal(isAllowed, layout.Allows(offset, size, isWrite, out _));
    }

    [Theory]
    [InlineData("__sk_buff", BpfProgramType.SCHED_CLS, 0)]
    [InlineData("__sk_buff", BpfProgramType.CGROUP_SKB, 0)]
    [InlineData("xdp_md", BpfProgramType.XDP, AttachTypes.BPF_XDP_DEVMAP)]
    [InlineData("bpf_sock", BpfProgramType.CGROUP_SOCK, AttachTypes.BPF_CGROUP_INET_SOCK_CREATE)]
    [InlineData("bpf_sock_addr", BpfProgramType.CGROUP_SOCK_ADDR, AttachTypes.BPF_CGROUP_UDP6_SENDMSG)]
    [InlineData("bpf_sock_ops", BpfProgramType.SOCK_OPS, 0)]
    [InlineData("sk_msg_md", BpfProgramType.SK_MSG, 0)]
    [InlineData("sk_reuseport_md", BpfProgramType.SK_REUSEPORT, 0)]
    [InlineData("bpf_sk_lookup", BpfProgramType.SK_LOOKUP, 0)]
    [InlineData("bpf_sockopt", BpfProgramType.CGROUP_SOCKOPT, AttachTypes.BPF_CGROUP_GETSOCKOPT)]
    [InlineData("bpf_sysctl", BpfProgramType.CGROUP_SYSCTL, 0)]
    [InlineData("bpf_cgroup_dev_ctx", BpfProgramType.CGROUP_DEVICE, 0)]
    public void Offsets_and_sizes_are_those_of_the_uapi_header(string structName, BpfProgramType type, int attachType)
    {
        const string Header = "/usr/include/linux/bpf.h";
        string clang = Tools.Require("clang");
        Assert.SkipUnless(File.Exists(Header), "needs linux/bpf.h");
        ContextLayout layout = ContextLayouts.Of(new ProgramKind(type, attachType));
        Assert.Equal(structName, layout.Name);
        string header = File.ReadAllText(Header);
        ContextMember[] known = [.. layout.Members.Where(member => header.Contains(member.Name.Split('[')[0], StringComparison.Ordinal))];
        string[] assertions = [.. known.Select(member => string.Create(
            CultureInfo.InvariantCulture,
            $"_Static_assert(__builtin_offsetof(struct {structName}, {member.Name}) == {member.Offset}, \"{member.Name}\");"))];
        string size = known.Length == layout.Members.Length
            ? string.Create(CultureInfo.InvariantCulture, $"_Static_assert(sizeof(struct {structName}) == {layout.Size}, \"size\");")
            : "";
        string source = $"#include <linux/bpf.h>\n{size}\n{string.Join('\n', assertions)}\n";
        Tools.RunChecked(clang, ["-fsyntax-only", "--target=bpf", "-I/usr/include/x86_64-linux-gnu", "-x", "c", "-"], source);
    }
}
