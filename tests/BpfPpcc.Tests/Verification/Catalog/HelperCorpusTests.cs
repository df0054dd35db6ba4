using System.Text.Json;
using BpfPpcc.Bpf;
using BpfPpcc.Tests.FileTests;
using BpfPpcc.Verification.Catalog;
using Xunit;

namespace BpfPpcc.Tests.Verification.Catalog;

/// <summary>The catalog against what a script read out of the sources of Linux 6.12: prototypes, and which program type may call what.</summary>
public sealed class HelperCorpusTests
{
    private static readonly Dictionary<BpfProgramType, string> Switches = new()
    {
        [BpfProgramType.SOCKET_FILTER] = "sk_filter_func_proto",
        [BpfProgramType.SCHED_CLS] = "tc_cls_act_func_proto",
        [BpfProgramType.SCHED_ACT] = "tc_cls_act_func_proto",
        [BpfProgramType.XDP] = "xdp_func_proto",
        [BpfProgramType.CGROUP_SKB] = "cg_skb_func_proto",
        [BpfProgramType.CGROUP_SOCK] = "sock_filter_func_proto",
        [BpfProgramType.CGROUP_SOCK_ADDR] = "sock_addr_func_proto",
        [BpfProgramType.CGROUP_DEVICE] = "cgroup_dev_func_proto",
        [BpfProgramType.CGROUP_SYSCTL] = "sysctl_func_proto",
        [BpfProgramType.CGROUP_SOCKOPT] = "cg_sockopt_func_proto",
        [BpfProgramType.LWT_IN] = "lwt_in_func_proto",
        [BpfProgramType.LWT_OUT] = "lwt_out_func_proto",
        [BpfProgramType.LWT_XMIT] = "lwt_xmit_func_proto",
        [BpfProgramType.LWT_SEG6LOCAL] = "lwt_seg6local_func_proto",
        [BpfProgramType.SOCK_OPS] = "sock_ops_func_proto",
        [BpfProgramType.SK_SKB] = "sk_skb_func_proto",
        [BpfProgramType.SK_MSG] = "sk_msg_func_proto",
        [BpfProgramType.SK_REUSEPORT] = "sk_reuseport_func_proto",
        [BpfProgramType.SK_LOOKUP] = "sk_lookup_func_proto",
        [BpfProgramType.FLOW_DISSECTOR] = "flow_dissector_func_proto",
        [BpfProgramType.KPROBE] = "kprobe_prog_func_proto",
        [BpfProgramType.TRACEPOINT] = "tp_prog_func_proto",
        [BpfProgramType.PERF_EVENT] = "pe_prog_func_proto",
        [BpfProgramType.RAW_TRACEPOINT] = "raw_tp_prog_func_proto",
        [BpfProgramType.RAW_TRACEPOINT_WRITABLE] = "raw_tp_prog_func_proto",
        [BpfProgramType.TRACING] = "tracing_prog_func_proto",
        [BpfProgramType.LSM] = "bpf_lsm_func_proto",
        [BpfProgramType.SYSCALL] = "syscall_prog_func_proto",
        [BpfProgramType.LIRC_MODE2] = "lirc_mode2_func_proto",
        [BpfProgramType.NETFILTER] = "bpf_nf_func_proto",
    };

    /// <summary>What the script did not see: switches that call others before their own cases, or through a variable.</summary>
    private static readonly Dictionary<string, string[]> CalledBy = new()
    {
        ["cg_skb_func_proto"] = ["cgroup_common_func_proto"],
        ["sock_ops_func_proto"] = ["cgroup_common_func_proto"],
        ["sock_filter_func_proto"] = ["cgroup_common_func_proto", "cgroup_current_func_proto"],
        ["sock_addr_func_proto"] = ["cgroup_common_func_proto", "cgroup_current_func_proto"],
        ["cgroup_dev_func_proto"] = ["cgroup_common_func_proto", "cgroup_current_func_proto"],
        ["sysctl_func_proto"] = ["cgroup_common_func_proto", "cgroup_current_func_proto"],
        ["cg_sockopt_func_proto"] = ["cgroup_common_func_proto", "cgroup_current_func_proto"],
        ["tracing_prog_func_proto"] = ["raw_tp_prog_func_proto"],
    };

    /// <summary>Helpers that other functions than the switches give to programs of some attach types.</summary>
    private static readonly Dictionary<BpfProgramType, string> FoundElsewhere = new()
    {
        [BpfProgramType.TRACING] = "setsockopt getsockopt",
        [BpfProgramType.SYSCALL] = "setsockopt getsockopt",
        [BpfProgramType.LSM] = "setsockopt getsockopt get_local_storage get_retval set_retval",
    };

    /// <summary>
    /// Where the catalog says something else: the kind of what is stored in a kptr is one of its own; the buffer of get_stack is written to;
    /// the multi-probe variant is chosen by attach type.
    /// </summary>
    private static readonly string[] Deliberate = ["bpf_kptr_xchg_proto", "bpf_get_stack_proto_raw_tp", "bpf_get_func_ip_proto_kprobe_multi"];

    public static TheoryData<BpfProgramType> ProgramTypes() => [.. Switches.Keys];

    [Theory]
    [MemberData(nameof(ProgramTypes))]
    public void Program_types_may_call_what_the_kernel_lets_them(BpfProgramType type)
    {
        using JsonDocument document = Open();
        var expected = new SortedSet<string>(HelpersOf(document.RootElement, Switches[type]).Keys, StringComparer.Ordinal);
        expected.UnionWith(FoundElsewhere.GetValueOrDefault(type, "").Split(' ', StringSplitOptions.RemoveEmptyEntries));
        var found = new SortedSet<string>(StringComparer.Ordinal);
        foreach (HelperPrototype? prototype in HelperLists.Of(type))
        {
            if (prototype is not null)
                found.Add(BpfHelpers.Find(prototype.Id)!.Value.Name);
        }

        string differences = string.Join(' ', expected.Except(found)) + string.Concat(found.Except(expected).Select(static name => $" not {name}"));
        Assert.True(differences.Length == 0, differences);
    }

    [Theory]
    [MemberData(nameof(ProgramTypes))]
    public void Prototypes_are_the_kernels(BpfProgramType type)
    {
        using JsonDocument document = Open();
        var differences = new List<string>();
        foreach ((string helper, string prototypeName) in HelpersOf(document.RootElement, Switches[type]))
        {
            // The script took the prototype of a neighbour where a case has conditions.
            if (!prototypeName.Contains(helper, StringComparison.Ordinal) || prototypeName.Contains("sleepable", StringComparison.Ordinal)
                || Deliberate.Contains(prototypeName)
                || HelperLists.Of(type)[BpfHelpers.IdOf(helper)] is not { } ours
                || !document.RootElement.GetProperty("protos").TryGetProperty(prototypeName, out JsonElement theirs))
            {
                continue;
            }

            string expected = Show(theirs), found = Show(ours);
            if (expected != found)
                differences.Add($"{helper} ({prototypeName}): {expected} but {found}");
        }

        Assert.True(differences.Count == 0, string.Join('\n', differences));
    }

    private static JsonDocument Open()
    {
        string? path = Corpus.Find("verifier/helper_protos_6.12.json");
        Assert.SkipWhen(path is null, "no corpus");
        return JsonDocument.Parse(File.ReadAllBytes(path!));
    }

    /// <summary>Helpers by name, with the names of their prototypes; the switch's own before those of what it falls back to.</summary>
    private static Dictionary<string, string> HelpersOf(JsonElement root, string name)
    {
        var helpers = new Dictionary<string, string>();
        var switches = new Queue<string>([name]);
        while (switches.TryDequeue(out string? next))
        {
            JsonElement found = root.GetProperty("func_proto_switches").GetProperty(next);
            foreach (JsonProperty entry in found.GetProperty("cases").EnumerateObject())
            {
                if (entry.Name != "default")
                    helpers.TryAdd(entry.Name, PrototypeName(entry.Value.GetString()!));
            }

            foreach (JsonElement fallback in found.GetProperty("fallback").EnumerateArray())
                switches.Enqueue(fallback.GetString()!);
            foreach (string called in CalledBy.GetValueOrDefault(next, []))
                switches.Enqueue(called);
        }

        return helpers;
    }

    private static string PrototypeName(string expression)
    {
        int at = expression.IndexOf('&', StringComparison.Ordinal);
        return at < 0 ? "" : new string([.. expression[(at + 1)..].TakeWhile(static c => char.IsAsciiLetterOrDigit(c) || c == '_')]);
    }

    private static string Show(JsonElement prototype)
    {
        var arguments = new List<string>();
        for (int i = 1; i <= 5 && prototype.TryGetProperty($"arg{i}_type", out JsonElement type); i++)
            arguments.Add(Normalise(type.GetString()!));
        bool Is(string name) => prototype.TryGetProperty(name, out JsonElement value) && value.GetString() == "true";
        return $"{string.Join(", ", arguments)}{(Is("gpl_only") ? " GPL" : "")}{(Is("might_sleep") ? " SLEEPS" : "")}{(Is("pkt_access") ? " PACKET" : "")}";
    }

    private static string Show(HelperPrototype prototype) => string.Join(", ", prototype.Arguments.Select(Show))
        + (prototype.IsGplOnly ? " GPL" : "") + (prototype.MightSleep ? " SLEEPS" : "") + (prototype.HasPacketAccess ? " PACKET" : "");

    private static string Normalise(string text)
    {
        bool isNullable = text.Contains("OR_NULL", StringComparison.Ordinal) || text.Contains("MAYBE_NULL", StringComparison.Ordinal);
        bool isUninitialised = text.Contains("UNINIT", StringComparison.Ordinal);
        bool isReleased = text.Contains("OBJ_RELEASE", StringComparison.Ordinal);
        string kind = text.Split('|', ',')[0].Trim().Replace("ARG_", "", StringComparison.Ordinal).Replace("PTR_TO_", "", StringComparison.Ordinal)
            .Replace("_OR_NULL", "", StringComparison.Ordinal).Replace("UNINIT_", "", StringComparison.Ordinal);
        return Show(kind, isNullable, isUninitialised, isReleased);
    }

    private static string Show(ArgumentType type) => Show(type.Kind.ToString(), type.IsNullable, type.IsUninitialised, type.IsReleased);

    private static string Show(string kind, bool isNullable, bool isUninitialised, bool isReleased) =>
        kind + (isNullable ? "?" : "") + (isUninitialised ? "*" : "") + (isReleased ? "!" : "");
}
