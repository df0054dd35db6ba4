using BpfPpcc.Bpf;
using BpfPpcc.Loading;
using BpfPpcc.Verification.Catalog;
using Xunit;

namespace BpfPpcc.Tests.Verification.Catalog;

public sealed class HelperTests
{
    public static TheoryData<BpfProgramType> ProgramTypes() => [.. Enum.GetValues<BpfProgramType>()];

    [Fact]
    public void Every_helper_has_a_prototype_with_the_arguments_that_it_takes()
    {
        for (int id = 1; id <= BpfHelpers.LastId; id++)
        {
            HelperPrototype prototype = HelperPrototypes.Find(id)!;
            Assert.NotNull(prototype);
            Assert.Equal(BpfHelpers.Find(id)!.Value.Name, prototype.Name);
        }

        foreach (HelperPrototype prototype in HelperPrototypes.All)
        {
            int arguments = BpfHelpers.Find(prototype.Id)!.Value.Arguments;
            if (prototype.Name is "trace_printk" or "get_cgroup_classid_curr" or "get_branch_snapshot")
                Assert.True(prototype.Arguments.Length < arguments, "the kernel checks fewer arguments than there are");
            else
                Assert.True(
                    arguments == prototype.Arguments.Length,
                    $"{prototype.Name} takes {arguments} arguments, its prototype has {prototype.Arguments.Length}");
        }

        Assert.Null(HelperPrototypes.Find(0));
        Assert.Null(HelperPrototypes.Find(BpfHelpers.LastId + 1));
    }

    [Fact]
    public void Arguments_fit_together()
    {
        foreach (HelperPrototype prototype in HelperPrototypes.All)
        {
            for (int i = 0; i < prototype.Arguments.Length; i++)
            {
                ArgumentType argument = prototype.Arguments[i];
                ArgumentKind next = i + 1 < prototype.Arguments.Length ? prototype.Arguments[i + 1].Kind : ArgumentKind.ANYTHING;
                bool isSized = next is ArgumentKind.CONST_SIZE or ArgumentKind.CONST_SIZE_OR_ZERO;
                Assert.Equal(argument.Kind == ArgumentKind.MEM, isSized);
                if (argument.Kind is ArgumentKind.MEM or ArgumentKind.FIXED_SIZE_MEM or ArgumentKind.MAP_KEY or ArgumentKind.MAP_VALUE)
                    Assert.True(argument.IsRead || argument.IsWritten, $"{prototype.Name}: argument {i + 1} is neither read nor written");
                if (argument.Kind == ArgumentKind.FIXED_SIZE_MEM)
                    Assert.True(argument.Size > 0);
                if (argument.Kind is ArgumentKind.MAP_KEY or ArgumentKind.MAP_VALUE)
                    Assert.Contains(prototype.Arguments, static other => other.Kind == ArgumentKind.CONST_MAP_PTR);
                Assert.Equal(argument.Kind == ArgumentKind.BTF_ID, argument.Btf is not null);
                Assert.False(argument.IsRead && argument.IsUninitialised);
            }
        }
    }

    [Fact]
    public void Functions_are_where_the_helper_calls_back()
    {
        foreach (HelperPrototype prototype in HelperPrototypes.All)
        {
            int position = prototype.Arguments.IndexOf(ArgumentTypes.FUNC) + 1;
            Assert.Equal(BpfHelpers.CallbackOf(prototype.Id)?.FunctionArgument ?? 0, position);
        }
    }

    [Theory]
    [MemberData(nameof(ProgramTypes))]
    public void Lists_have_each_helper_under_its_number(BpfProgramType type)
    {
        ReadOnlySpan<HelperPrototype?> list = HelperLists.Of(type);
        Assert.Equal(BpfHelpers.LastId + 1, list.Length);
        for (int id = 0; id < list.Length; id++)
            Assert.True(list[id] is null || list[id]!.Id == id);
    }

    [Fact]
    public void Every_prototype_is_in_the_list_of_some_program_type_or_a_variant()
    {
        var listed = new HashSet<HelperPrototype>();
        foreach (BpfProgramType type in Enum.GetValues<BpfProgramType>())
        {
            foreach (HelperPrototype? prototype in HelperLists.Of(type))
            {
                if (prototype is not null)
                    listed.Add(prototype);
            }
        }

        string[] rest = [.. HelperPrototypes.All.Where(row => !listed.Contains(row)).Select(static row => row.Name)];
        Assert.Equal(["get_stack_sleepable", "get_task_stack_sleepable", "get_func_ip_multi"], rest);
    }

    /// <summary>The UAPI header says of each of these who may call it.</summary>
    [Theory]
    [InlineData("map_lookup_elem", BpfProgramType.XDP, true)]
    [InlineData("map_lookup_elem", BpfProgramType.LIRC_MODE2, true)]
    [InlineData("skb_store_bytes", BpfProgramType.XDP, false)]
    [InlineData("skb_store_bytes", BpfProgramType.SCHED_CLS, true)]
    [InlineData("skb_store_bytes", BpfProgramType.SOCKET_FILTER, false)]
    [InlineData("skb_pull_data", BpfProgramType.LWT_OUT, true)]
    [InlineData("skb_pull_data", BpfProgramType.LWT_SEG6LOCAL, true)]
    [InlineData("xdp_adjust_head", BpfProgramType.XDP, true)]
    [InlineData("xdp_adjust_head", BpfProgramType.SCHED_CLS, false)]
    [InlineData("probe_read", BpfProgramType.KPROBE, true)]
    [InlineData("probe_read", BpfProgramType.XDP, false)]
    [InlineData("probe_read_kernel", BpfProgramType.XDP, true)]
    [InlineData("override_return", BpfProgramType.KPROBE, true)]
    [InlineData("override_return", BpfProgramType.TRACEPOINT, false)]
    [InlineData("sk_lookup_tcp", BpfProgramType.CGROUP_SOCK_ADDR, true)]
    [InlineData("sk_lookup_tcp", BpfProgramType.KPROBE, false)]
    [InlineData("sk_release", BpfProgramType.SK_LOOKUP, true)]
    [InlineData("spin_lock", BpfProgramType.XDP, true)]
    [InlineData("tail_call", BpfProgramType.NETFILTER, true)]
    [InlineData("sys_bpf", BpfProgramType.SYSCALL, true)]
    [InlineData("sys_bpf", BpfProgramType.TRACING, false)]
    [InlineData("get_stackid", BpfProgramType.PERF_EVENT, true)]
    [InlineData("perf_prog_read_value", BpfProgramType.TRACEPOINT, false)]
    [InlineData("sock_map_update", BpfProgramType.SOCK_OPS, true)]
    [InlineData("msg_redirect_map", BpfProgramType.SK_MSG, true)]
    [InlineData("sk_redirect_map", BpfProgramType.SK_SKB, true)]
    [InlineData("inode_storage_get", BpfProgramType.LSM, true)]
    [InlineData("inode_storage_get", BpfProgramType.TRACING, false)]
    [InlineData("ktime_get_ns", BpfProgramType.EXT, false)]
    public void Program_types_have_their_helpers(string helper, BpfProgramType type, bool isAllowed) =>
        Assert.Equal(isAllowed, HelperAccess.Find(BpfHelpers.IdOf(helper), new ProgramKind(type)) is not null);

    [Theory]
    [InlineData("get_func_arg", BpfProgramType.TRACING, AttachTypes.BPF_TRACE_FENTRY, true)]
    [InlineData("get_func_arg", BpfProgramType.TRACING, AttachTypes.BPF_TRACE_RAW_TP, false)]
    [InlineData("seq_printf", BpfProgramType.TRACING, AttachTypes.BPF_TRACE_ITER, true)]
    [InlineData("seq_printf", BpfProgramType.TRACING, AttachTypes.BPF_TRACE_FEXIT, false)]
    [InlineData("bind", BpfProgramType.CGROUP_SOCK_ADDR, AttachTypes.BPF_CGROUP_INET6_CONNECT, true)]
    [InlineData("bind", BpfProgramType.CGROUP_SOCK_ADDR, AttachTypes.BPF_CGROUP_INET4_BIND, false)]
    [InlineData("setsockopt", BpfProgramType.CGROUP_SOCKOPT, AttachTypes.BPF_CGROUP_SETSOCKOPT, true)]
    [InlineData("setsockopt", BpfProgramType.CGROUP_SOCKOPT, AttachTypes.BPF_CGROUP_GETSOCKOPT, false)]
    [InlineData("get_retval", BpfProgramType.CGROUP_SOCKOPT, AttachTypes.BPF_CGROUP_GETSOCKOPT, true)]
    [InlineData("get_retval", BpfProgramType.CGROUP_SKB, AttachTypes.BPF_CGROUP_INET_INGRESS, false)]
    [InlineData("get_retval", BpfProgramType.CGROUP_SOCK_ADDR, AttachTypes.BPF_CGROUP_UDP4_RECVMSG, false)]
    [InlineData("get_attach_cookie", BpfProgramType.TRACING, AttachTypes.BPF_TRACE_RAW_TP, true)]
    [InlineData("get_attach_cookie", BpfProgramType.TRACING, AttachTypes.BPF_TRACE_ITER, false)]
    public void Attach_types_decide_where_they_matter(string helper, BpfProgramType type, int attachType, bool isAllowed) =>
        Assert.Equal(isAllowed, HelperAccess.Find(BpfHelpers.IdOf(helper), new ProgramKind(type, attachType)) is not null);

    [Fact]
    public void Program_types_get_their_own_prototypes()
    {
        int id = BpfHelpers.IdOf("get_stackid");
        Assert.True(HelperAccess.Find(id, new ProgramKind(BpfProgramType.KPROBE))!.IsGplOnly);
        Assert.False(HelperAccess.Find(id, new ProgramKind(BpfProgramType.PERF_EVENT))!.IsGplOnly);

        id = BpfHelpers.IdOf("sk_storage_get");
        Assert.Equal(ArgumentKind.BTF_ID_SOCK_COMMON, HelperAccess.Find(id, new ProgramKind(BpfProgramType.SCHED_CLS))!.Arguments[1].Kind);
        Assert.Equal(ArgumentKind.CTX, HelperAccess.Find(id, new ProgramKind(BpfProgramType.CGROUP_SOCK))!.Arguments[1].Kind);
        var fentry = new ProgramKind(BpfProgramType.TRACING, AttachTypes.BPF_TRACE_FENTRY);
        Assert.Equal("sock_common", HelperAccess.Find(id, fentry)!.Arguments[1].Btf);

        id = BpfHelpers.IdOf("sk_assign");
        Assert.Equal(ArgumentKind.SOCKET, HelperAccess.Find(id, new ProgramKind(BpfProgramType.SK_LOOKUP))!.Arguments[1].Kind);
        Assert.Equal(ArgumentKind.BTF_ID_SOCK_COMMON, HelperAccess.Find(id, new ProgramKind(BpfProgramType.SCHED_CLS))!.Arguments[1].Kind);

        id = BpfHelpers.IdOf("get_stack");
        Assert.False(HelperAccess.Find(id, new ProgramKind(BpfProgramType.KPROBE))!.MightSleep);
        Assert.True(HelperAccess.Find(id, new ProgramKind(BpfProgramType.KPROBE, IsSleepable: true))!.MightSleep);

        id = BpfHelpers.IdOf("sk_lookup_udp");
        Assert.True(HelperAccess.Find(id, new ProgramKind(BpfProgramType.XDP))!.HasPacketAccess);
        Assert.False(HelperAccess.Find(id, new ProgramKind(BpfProgramType.CGROUP_SOCK_ADDR))!.HasPacketAccess);
    }

    [Theory]
    [InlineData("strtol", 4)]
    [InlineData("strtoul", 4)]
    [InlineData("get_func_arg", 3)]
    [InlineData("get_func_ret", 2)]
    [InlineData("check_mtu", 3)]
    [InlineData("kallsyms_lookup_name", 4)]
    [InlineData("map_pop_elem", 2)]
    [InlineData("snprintf", 1)]
    [InlineData("snprintf_btf", 1)]
    [InlineData("d_path", 2)]
    [InlineData("read_branch_records", 2)]
    [InlineData("load_hdr_opt", 2)]
    [InlineData("fib_lookup", 2)]
    [InlineData("get_stack", 2)]
    public void Cve_2024_49861_what_a_helper_writes_is_marked_as_written(string helper, int argument) =>
        Assert.True(HelperPrototypes.Find(helper)!.Arguments[argument - 1].IsWritten);

    [Theory]
    [InlineData("map_update_elem", 3)]
    [InlineData("perf_event_output", 4)]
    [InlineData("ringbuf_output", 2)]
    [InlineData("skb_store_bytes", 3)]
    [InlineData("csum_diff", 1)]
    [InlineData("trace_printk", 1)]
    public void What_a_helper_only_reads_may_be_read_only(string helper, int argument) =>
        Assert.False(HelperPrototypes.Find(helper)!.Arguments[argument - 1].IsWritten);

    [Fact]
    public void Cve_2024_58237_helpers_that_move_packet_data_say_so()
    {
        string[] expected =
        [
            "clone_redirect", "l3_csum_replace", "l4_csum_replace", "lwt_push_encap", "lwt_seg6_action",
            "lwt_seg6_adjust_srh", "lwt_seg6_store_bytes", "msg_pop_data", "msg_pull_data", "msg_push_data", "skb_adjust_room",
            "skb_change_head", "skb_change_proto", "skb_change_tail", "skb_pull_data", "skb_store_bytes", "skb_vlan_pop", "skb_vlan_push",
            "store_hdr_opt", "tail_call", "xdp_adjust_head", "xdp_adjust_meta", "xdp_adjust_tail",
        ];
        IEnumerable<string> found = HelperPrototypes.All.Where(static row => row.ChangesPacket).Select(static row => row.Name);
        Assert.Equal(expected, found.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void References_are_acquired_and_released_by_the_right_helpers()
    {
        string[] acquiring = [.. HelperPrototypes.All.Where(static row => row.AcquiresReference).Select(static row => row.Name)];
        Assert.Equal(
            ["sk_lookup_tcp", "sock_addr_sk_lookup_tcp", "sk_lookup_udp", "sock_addr_sk_lookup_udp", "skc_lookup_tcp",
                "sock_addr_skc_lookup_tcp", "ringbuf_reserve", "kptr_xchg"],
            acquiring);
        IEnumerable<HelperPrototype> releasing =
            HelperPrototypes.All.Where(static row => row.Arguments.Any(static argument => argument.IsReleased));
        Assert.Equal(
            ["sk_release", "ringbuf_submit", "ringbuf_discard", "kptr_xchg", "ringbuf_submit_dynptr", "ringbuf_discard_dynptr"],
            releasing.Select(static row => row.Name));
    }
}
