using BpfPpcc.Bpf;

namespace BpfPpcc.Verification.Catalog;

/// <summary>What to do where a program calls a helper that its type does not have.</summary>
internal static class HelperAdvice
{
    private const int MaximumTypes = 8;

    public static string For(int id, BpfProgramType type)
    {
        string? other = type == BpfProgramType.XDP ? BpfHelpers.Find(id)?.Name switch
        {
            "skb_load_bytes" or "skb_load_bytes_relative" => "bpf_xdp_load_bytes",
            "skb_store_bytes" => "bpf_xdp_store_bytes",
            "skb_change_head" or "skb_adjust_room" or "skb_vlan_push" or "skb_vlan_pop" => "bpf_xdp_adjust_head",
            "skb_change_tail" => "bpf_xdp_adjust_tail",
            "skb_output" => "bpf_perf_event_output",
            "l3_csum_replace" or "l4_csum_replace" => "bpf_csum_diff",
            _ => null,
        }
        : BpfHelpers.Find(id)?.Name switch
        {
            "xdp_load_bytes" => "bpf_skb_load_bytes",
            "xdp_store_bytes" => "bpf_skb_store_bytes",
            "xdp_adjust_head" => "bpf_skb_adjust_room or bpf_skb_change_head",
            "xdp_adjust_tail" => "bpf_skb_change_tail",
            _ => null,
        };
        string types = string.Join(", ", TypesWith(id));
        return (other, types.Length) switch
        {
            (not null, _) when HelperLists.Of(type)[BpfHelpers.IdOf(other.Split(' ')[0])] is not null => $"use {other} instead",
            _ when HelperLists.Of(type)[id] is not null => "programs of this type have it only where they are attached in another way, or may sleep",
            (_, > 0) => $"it exists for programs of type {types}",
            _ => "no type of program has it",
        };
    }

    private static List<string> TypesWith(int id)
    {
        var types = new List<string>();
        foreach (BpfProgramType type in Enum.GetValues<BpfProgramType>())
        {
            if (type == BpfProgramType.UNSPEC || HelperLists.Of(type)[id] is null)
                continue;
            if (types.Count == MaximumTypes)
            {
                types.Add("...");
                break;
            }

            types.Add(type.ToString());
        }

        return types;
    }
}
