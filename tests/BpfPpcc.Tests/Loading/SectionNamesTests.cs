using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using BpfPpcc.Bpf;
using BpfPpcc.Loading;
using Xunit;

namespace BpfPpcc.Tests.Loading;

public sealed partial class SectionNamesTests
{
    [Theory]
    [InlineData("xdp", BpfProgramType.XDP, AttachTypes.BPF_XDP, null)]
    [InlineData("?xdp", BpfProgramType.XDP, AttachTypes.BPF_XDP, null)]
    [InlineData("xdp.frags/devmap", BpfProgramType.XDP, AttachTypes.BPF_XDP_DEVMAP, null)]
    [InlineData("xdp_drop", BpfProgramType.XDP, AttachTypes.BPF_XDP, null)]
    [InlineData("xdp/one", BpfProgramType.XDP, AttachTypes.BPF_XDP, "one")]
    [InlineData("socket1", BpfProgramType.SOCKET_FILTER, 0, null)]
    [InlineData("sockops", BpfProgramType.SOCK_OPS, AttachTypes.BPF_CGROUP_SOCK_OPS, null)]
    [InlineData("tc", BpfProgramType.SCHED_CLS, 0, null)]
    [InlineData("tcx/egress", BpfProgramType.SCHED_CLS, AttachTypes.BPF_TCX_EGRESS, null)]
    [InlineData("tcp_probe", BpfProgramType.UNSPEC, 0, null)]
    [InlineData("classifier", BpfProgramType.SCHED_CLS, 0, null)]
    [InlineData("action/x", BpfProgramType.SCHED_ACT, 0, "x")]
    [InlineData("kprobe/do_unlinkat", BpfProgramType.KPROBE, 0, "do_unlinkat")]
    [InlineData("uprobe.s//bin/sh:main", BpfProgramType.KPROBE, 0, "/bin/sh:main")]
    [InlineData("kprobe.multi/tcp_*", BpfProgramType.KPROBE, AttachTypes.BPF_TRACE_KPROBE_MULTI, "tcp_*")]
    [InlineData("tracepoint/syscalls/sys_enter_open", BpfProgramType.TRACEPOINT, 0, "syscalls/sys_enter_open")]
    [InlineData("tp_btf/sched_switch", BpfProgramType.TRACING, AttachTypes.BPF_TRACE_RAW_TP, "sched_switch")]
    [InlineData("raw_tp.w/x", BpfProgramType.RAW_TRACEPOINT_WRITABLE, 0, "x")]
    [InlineData("cgroup/connect4", BpfProgramType.CGROUP_SOCK_ADDR, AttachTypes.BPF_CGROUP_INET4_CONNECT, null)]
    [InlineData("cgroup/skb", BpfProgramType.CGROUP_SKB, 0, null)]
    [InlineData("cgroup_skb/egress", BpfProgramType.CGROUP_SKB, AttachTypes.BPF_CGROUP_INET_EGRESS, null)]
    [InlineData("struct_ops.s/init", BpfProgramType.STRUCT_OPS, 0, "init")]
    [InlineData("netfilter", BpfProgramType.NETFILTER, AttachTypes.BPF_NETFILTER, null)]
    [InlineData(".text", BpfProgramType.UNSPEC, 0, null)]
    [InlineData("", BpfProgramType.UNSPEC, 0, null)]
    [InlineData("2/1", BpfProgramType.UNSPEC, 0, null)]
    public void Names_mean_what_libbpf_takes_them_for(string name, BpfProgramType type, int attachType, string? target) =>
        Assert.Equal(new SectionMeaning(type, attachType, target), SectionNames.Lookup(name));

    [Fact]
    public void Attach_types_are_those_of_the_kernel_header()
    {
        const string Header = "/usr/include/linux/bpf.h";
        if (!File.Exists(Header))
            Tools.Missing("no kernel headers");
        string text = File.ReadAllText(Header);
        int start = text.IndexOf("enum bpf_attach_type {", StringComparison.Ordinal);
        string body = text[start..text.IndexOf('}', start)];
        MatchCollection names = EnumeratorName().Matches(body);
        Assert.True(names.Count > 40);
        for (int i = 0; i < names.Count; i++)
        {
            string name = names[i].Groups[1].Value;
            FieldInfo? field = typeof(AttachTypes).GetField(name);
            Assert.True(name.StartsWith("__", StringComparison.Ordinal) || field is not null, name);
            Assert.Equal(i, field is null ? i : Convert.ToInt32(field.GetRawConstantValue(), CultureInfo.InvariantCulture));
        }
    }

    [GeneratedRegex(@"^\s(\w+),", RegexOptions.Multiline)]
    private static partial Regex EnumeratorName();
}
