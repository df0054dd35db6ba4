using System.Collections.Immutable;
using BpfPpcc.Bpf;

namespace BpfPpcc.Verification.Catalog;

/// <summary>
/// struct __sk_buff (linux/bpf.h) as the program types see it: each type leaves out some fields and may write some (the
/// is_valid_access functions of net/core/filter.c).
/// </summary>
internal static class SocketBufferContexts
{
    private const int Size = 192;
    private const ContextAccess Narrow = ContextAccess.READ | ContextAccess.NARROW;
    private const ContextAccess Exact = ContextAccess.READ;

    private static readonly ContextMember[] Fields =
    [
        new("len", 0, 4, 4, Narrow),
        new("pkt_type", 4, 4, 4, Narrow),
        new("mark", 8, 4, 4, Narrow),
        new("queue_mapping", 12, 4, 4, Narrow),
        new("protocol", 16, 4, 4, Narrow),
        new("vlan_present", 20, 4, 4, Narrow),
        new("vlan_tci", 24, 4, 4, Narrow),
        new("vlan_proto", 28, 4, 4, Narrow),
        new("priority", 32, 4, 4, Narrow),
        new("ingress_ifindex", 36, 4, 4, Narrow),
        new("ifindex", 40, 4, 4, Narrow),
        new("tc_index", 44, 4, 4, Narrow),
        new("cb", 48, 20, 4, Exact | ContextAccess.ANY_SIZE),
        new("hash", 68, 4, 4, Narrow),
        new("tc_classid", 72, 4, 4, Narrow),
        new("data", 76, 4, 4, Exact, ContextValue.PACKET),
        new("data_end", 80, 4, 4, Exact, ContextValue.PACKET_END),
        new("napi_id", 84, 4, 4, Narrow),
        new("family", 88, 4, 4, Narrow),
        new("remote_ip4", 92, 4, 4, Exact),
        new("local_ip4", 96, 4, 4, Exact),
        new("remote_ip6", 100, 16, 4, Exact),
        new("local_ip6", 116, 16, 4, Exact),
        new("remote_port", 132, 4, 4, Narrow),
        new("local_port", 136, 4, 4, Narrow),
        new("data_meta", 140, 4, 4, Exact, ContextValue.PACKET_META),
        new("flow_keys", 144, 8, 8, Exact, ContextValue.FLOW_KEYS),
        new("tstamp", 152, 8, 8, Exact),
        new("wire_len", 160, 4, 4, Narrow),
        new("gso_segs", 164, 4, 4, Narrow),
        new("sk", 168, 8, 8, Exact, ContextValue.SOCK_COMMON_OR_NULL),
        new("gso_size", 176, 4, 4, Narrow),
        new("tstamp_type", 180, 1, 1, Exact),
        new("hwtstamp", 184, 8, 8, Exact),
    ];

    private const string Addresses = "family remote_ip4 local_ip4 remote_ip6 local_ip6 remote_port local_port";

    public static ContextLayout Of(BpfProgramType type) => type switch
    {
        BpfProgramType.SOCKET_FILTER => Layout(
            $"tc_classid data data_end data_meta flow_keys tstamp wire_len hwtstamp tstamp_type {Addresses}", "cb"),
        BpfProgramType.SCHED_CLS or BpfProgramType.SCHED_ACT => Layout(
            $"flow_keys {Addresses}", "mark tc_index priority tc_classid cb tstamp queue_mapping"),
        BpfProgramType.CGROUP_SKB => Layout("tc_classid data_meta flow_keys wire_len tstamp_type", "mark priority cb tstamp"),
        BpfProgramType.LWT_IN or BpfProgramType.LWT_OUT or BpfProgramType.LWT_XMIT or BpfProgramType.LWT_SEG6LOCAL => Layout(
            $"tc_classid data_meta flow_keys tstamp wire_len hwtstamp tstamp_type {Addresses}", "mark priority cb"),
        BpfProgramType.SK_SKB => Layout(
            "mark tc_classid data_meta flow_keys tstamp wire_len hwtstamp tstamp_type", "tc_index priority"),
        BpfProgramType.FLOW_DISSECTOR => Only("data data_end flow_keys"),
        _ => throw new InvalidOperationException($"{type} has no __sk_buff"),
    };

    private static ContextLayout Layout(string hidden, string writable)
    {
        string[] hiddenNames = hidden.Split(' ');
        string[] writableNames = writable.Split(' ');
        var members = ImmutableArray.CreateBuilder<ContextMember>();
        foreach (ContextMember field in Fields)
        {
            if (Array.IndexOf(hiddenNames, field.Name) >= 0)
                continue;
            bool isWritable = Array.IndexOf(writableNames, field.Name) >= 0;
            members.Add(isWritable ? field with { Access = field.Access | ContextAccess.WRITE } : field);
        }

        return new ContextLayout("__sk_buff", ContextForm.Fields, Size, members.ToImmutable());
    }

    private static ContextLayout Only(string names)
    {
        string[] shown = names.Split(' ');
        var members = ImmutableArray.CreateBuilder<ContextMember>();
        foreach (ContextMember field in Fields)
        {
            if (Array.IndexOf(shown, field.Name) >= 0)
                members.Add(field);
        }

        return new ContextLayout("__sk_buff", ContextForm.Fields, Size, members.ToImmutable());
    }
}
