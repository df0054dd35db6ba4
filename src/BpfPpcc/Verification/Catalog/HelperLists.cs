using BpfPpcc.Bpf;

namespace BpfPpcc.Verification.Catalog;

/// <summary>
/// Which helpers the types of programs may call: the func_proto functions of Linux 6.12 for privileged programs, each as its own list on
/// top of the list that it falls back to. Entries are names of <see cref="HelperPrototypes"/>. What depends on more than the program type
/// is left in here and decided by <see cref="HelperAccess"/>.
/// </summary>
internal static class HelperLists
{
    private static readonly HelperPrototype?[] Base = List(
        null,
        "map_lookup_elem map_update_elem map_delete_elem map_push_elem map_pop_elem map_peek_elem map_lookup_percpu_elem",
        "get_prandom_u32 get_smp_processor_id get_numa_node_id tail_call ktime_get_ns ktime_get_boot_ns ktime_get_tai_ns jiffies64",
        "ringbuf_output ringbuf_reserve ringbuf_submit ringbuf_discard ringbuf_query user_ringbuf_drain",
        "ringbuf_reserve_dynptr ringbuf_submit_dynptr ringbuf_discard_dynptr dynptr_from_mem dynptr_read dynptr_write dynptr_data",
        "strncmp strtol strtoul get_current_pid_tgid get_ns_current_pid_tgid spin_lock spin_unlock per_cpu_ptr this_cpu_ptr",
        "timer_init timer_set_callback timer_start timer_cancel kptr_xchg for_each_map_elem loop",
        "cgrp_storage_get cgrp_storage_delete get_current_cgroup_id get_current_ancestor_cgroup_id",
        "trace_printk trace_vprintk snprintf snprintf_btf get_current_task get_current_task_btf task_pt_regs",
        "probe_read_user probe_read_kernel probe_read_user_str probe_read_kernel_str");

    private static readonly HelperPrototype?[] SocketBase = List(
        Base,
        "skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock skc_to_unix_sock",
        "skc_to_mptcp_sock ktime_get_coarse_ns");

    private static readonly HelperPrototype?[] Tracing = List(
        Base,
        "get_current_uid_gid get_current_comm perf_event_read perf_event_read_value probe_write_user probe_read probe_read_str",
        "current_task_under_cgroup send_signal send_signal_thread get_task_stack copy_from_user copy_from_user_task",
        "task_storage_get task_storage_delete get_func_ip get_branch_snapshot find_vma");

    private static readonly HelperPrototype?[] Kprobe = List(
        Tracing, "perf_event_output get_stackid get_stack override_return get_attach_cookie");

    private static readonly HelperPrototype?[] Tracepoint = List(Tracing, "perf_event_output get_stackid get_stack get_attach_cookie");

    private static readonly HelperPrototype?[] PerfEvent = List(
        Tracing, "perf_event_output get_stackid_pe get_stack perf_prog_read_value read_branch_records get_attach_cookie");

    private static readonly HelperPrototype?[] RawTracepoint = List(Tracing, "perf_event_output get_stackid get_stack get_attach_cookie");

    /// <summary>Programs with typed arguments: fentry, fexit, fmod_ret, tp_btf, iter; the base of lsm and syscall.</summary>
    private static readonly HelperPrototype?[] Typed = List(
        RawTracepoint,
        "skb_output xdp_output skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock",
        "skc_to_unix_sock skc_to_mptcp_sock sk_storage_get_tracing sk_storage_delete_tracing sock_from_file get_socket_ptr_cookie",
        "xdp_get_buff_len_trace seq_printf seq_write seq_printf_btf d_path get_func_arg get_func_ret get_func_arg_cnt",
        "sk_setsockopt sk_getsockopt");

    private static readonly HelperPrototype?[] Lsm = List(
        Typed,
        "inode_storage_get inode_storage_delete sk_storage_get sk_storage_delete bprm_opts_set ima_inode_hash ima_file_hash",
        "get_local_storage get_retval set_retval");

    private static readonly HelperPrototype?[] Syscall = List(Typed, "sys_bpf btf_find_by_name_kind sys_close kallsyms_lookup_name");

    private const string CgroupCommon = "get_local_storage get_retval set_retval";
    private const string CgroupCurrent = "get_current_uid_gid get_current_comm get_cgroup_classid_curr current_task_under_cgroup";
    private const string SocketStorage = "sk_storage_get sk_storage_delete";
    private const string SocketLookup = "sk_lookup_tcp sk_lookup_udp skc_lookup_tcp sk_release";
    private const string SynCookies =
        "tcp_check_syncookie tcp_gen_syncookie tcp_raw_gen_syncookie_ipv4 tcp_raw_gen_syncookie_ipv6"
        + " tcp_raw_check_syncookie_ipv4 tcp_raw_check_syncookie_ipv6";

    private static readonly HelperPrototype?[] CgroupDevice = List(Base, CgroupCommon, CgroupCurrent, "perf_event_output");

    private static readonly HelperPrototype?[] CgroupSysctl = List(
        Base, CgroupCommon, CgroupCurrent,
        "sysctl_get_name sysctl_get_current_value sysctl_get_new_value sysctl_set_new_value ktime_get_coarse_ns perf_event_output");

    private static readonly HelperPrototype?[] CgroupSockopt = List(
        Base, CgroupCommon, CgroupCurrent, SocketStorage, "get_netns_cookie sk_setsockopt sk_getsockopt tcp_sock perf_event_output");

    private static readonly HelperPrototype?[] CgroupSock = List(
        Base, CgroupCommon, CgroupCurrent,
        "get_socket_cookie get_netns_cookie perf_event_output sk_storage_get_cg_sock ktime_get_coarse_ns");

    private static readonly HelperPrototype?[] CgroupSockAddr = List(
        SocketBase, CgroupCommon, CgroupCurrent, SocketStorage,
        "bind get_socket_cookie get_netns_cookie perf_event_output setsockopt getsockopt",
        "sock_addr_sk_lookup_tcp sock_addr_sk_lookup_udp sock_addr_skc_lookup_tcp sk_release");

    private static readonly HelperPrototype?[] SocketFilter = List(
        SocketBase, "skb_load_bytes skb_load_bytes_relative get_socket_cookie get_socket_uid perf_event_output");

    private static readonly HelperPrototype?[] CgroupSkb = List(
        SocketFilter, CgroupCommon, SocketStorage, SocketLookup,
        "sk_fullsock skb_cgroup_id skb_ancestor_cgroup_id sk_cgroup_id sk_ancestor_cgroup_id tcp_sock get_listener_sock skb_ecn_set_ce");

    private static readonly HelperPrototype?[] TrafficControl = List(
        SocketBase, SocketStorage, SocketLookup, SynCookies,
        "skb_store_bytes skb_load_bytes skb_load_bytes_relative skb_pull_data csum_diff csum_update csum_level l3_csum_replace",
        "l4_csum_replace clone_redirect get_cgroup_classid skb_vlan_push skb_vlan_pop skb_change_proto skb_change_type skb_adjust_room",
        "skb_change_tail skb_change_head skb_get_tunnel_key skb_set_tunnel_key skb_get_tunnel_opt skb_set_tunnel_opt redirect",
        "redirect_neigh redirect_peer get_route_realm get_hash_recalc set_hash_invalid set_hash perf_event_output skb_under_cgroup",
        "get_socket_cookie get_socket_uid fib_lookup check_mtu sk_fullsock skb_get_xfrm_state skb_cgroup_classid skb_cgroup_id",
        "skb_ancestor_cgroup_id tcp_sock get_listener_sock skb_ecn_set_ce sk_assign skb_set_tstamp");

    private static readonly HelperPrototype?[] Xdp = List(
        SocketBase, SocketLookup, SynCookies,
        "perf_event_output csum_diff xdp_adjust_head xdp_adjust_meta redirect redirect_map xdp_adjust_tail xdp_get_buff_len",
        "xdp_load_bytes xdp_store_bytes fib_lookup check_mtu");

    private static readonly HelperPrototype?[] SockOps = List(
        SocketBase, CgroupCommon, SocketStorage,
        "setsockopt getsockopt sock_ops_cb_flags_set sock_map_update sock_hash_update get_socket_cookie perf_event_output",
        "get_netns_cookie load_hdr_opt store_hdr_opt reserve_hdr_opt tcp_sock");

    private static readonly HelperPrototype?[] SkMsg = List(
        SocketBase, SocketStorage,
        "msg_redirect_map msg_redirect_hash msg_apply_bytes msg_cork_bytes msg_pull_data msg_push_data msg_pop_data perf_event_output",
        "get_current_uid_gid get_netns_cookie get_cgroup_classid_curr");

    private static readonly HelperPrototype?[] SkSkb = List(
        SocketBase, SocketLookup,
        "skb_store_bytes skb_load_bytes skb_pull_data skb_change_tail skb_change_head skb_adjust_room get_socket_cookie get_socket_uid",
        "sk_redirect_map sk_redirect_hash perf_event_output");

    private static readonly HelperPrototype?[] FlowDissector = List(SocketBase, "skb_load_bytes");

    private static readonly HelperPrototype?[] LwtOut = List(
        SocketBase,
        "skb_load_bytes skb_pull_data csum_diff get_cgroup_classid get_route_realm get_hash_recalc perf_event_output skb_under_cgroup");

    private static readonly HelperPrototype?[] LwtIn = List(LwtOut, "lwt_push_encap");

    private static readonly HelperPrototype?[] LwtXmit = List(
        LwtOut,
        "skb_get_tunnel_key skb_set_tunnel_key skb_get_tunnel_opt skb_set_tunnel_opt redirect clone_redirect skb_change_tail",
        "skb_change_head skb_store_bytes csum_update csum_level l3_csum_replace l4_csum_replace set_hash_invalid lwt_push_encap");

    private static readonly HelperPrototype?[] LwtSeg6Local = List(LwtOut, "lwt_seg6_store_bytes lwt_seg6_action lwt_seg6_adjust_srh");

    private static readonly HelperPrototype?[] SkReuseport = List(
        Base, "sk_select_reuseport skb_load_bytes skb_load_bytes_relative get_socket_ptr_cookie ktime_get_coarse_ns");

    private static readonly HelperPrototype?[] SkLookup = List(SocketBase, "perf_event_output sk_lookup_assign sk_release");

    /// <summary>Of all users of struct_ops together: congestion control (tcp_*, sockets) and the scheduler (task storage).</summary>
    private static readonly HelperPrototype?[] StructOps = List(
        Base, SocketStorage, "tcp_send_ack sk_setsockopt sk_getsockopt ktime_get_coarse_ns task_storage_get task_storage_delete");

    private static readonly HelperPrototype?[] LircMode2 = List(
        null,
        "rc_repeat rc_keydown rc_pointer_rel map_lookup_elem map_update_elem map_delete_elem map_push_elem map_pop_elem map_peek_elem",
        "ktime_get_ns ktime_get_boot_ns tail_call get_prandom_u32 trace_printk");

    private static readonly HelperPrototype?[] None = new HelperPrototype?[BpfHelpers.LastId + 1];

    /// <summary>By helper number. EXT has none of its own: it is under the rules of the program that it extends.</summary>
    public static ReadOnlySpan<HelperPrototype?> Of(BpfProgramType type) => type switch
    {
        BpfProgramType.UNSPEC or BpfProgramType.NETFILTER => Base,
        BpfProgramType.SOCKET_FILTER => SocketFilter,
        BpfProgramType.KPROBE => Kprobe,
        BpfProgramType.SCHED_CLS or BpfProgramType.SCHED_ACT => TrafficControl,
        BpfProgramType.TRACEPOINT => Tracepoint,
        BpfProgramType.XDP => Xdp,
        BpfProgramType.PERF_EVENT => PerfEvent,
        BpfProgramType.CGROUP_SKB => CgroupSkb,
        BpfProgramType.CGROUP_SOCK => CgroupSock,
        BpfProgramType.LWT_IN => LwtIn,
        BpfProgramType.LWT_OUT => LwtOut,
        BpfProgramType.LWT_XMIT => LwtXmit,
        BpfProgramType.SOCK_OPS => SockOps,
        BpfProgramType.SK_SKB => SkSkb,
        BpfProgramType.CGROUP_DEVICE => CgroupDevice,
        BpfProgramType.SK_MSG => SkMsg,
        BpfProgramType.RAW_TRACEPOINT or BpfProgramType.RAW_TRACEPOINT_WRITABLE => RawTracepoint,
        BpfProgramType.CGROUP_SOCK_ADDR => CgroupSockAddr,
        BpfProgramType.LWT_SEG6LOCAL => LwtSeg6Local,
        BpfProgramType.LIRC_MODE2 => LircMode2,
        BpfProgramType.SK_REUSEPORT => SkReuseport,
        BpfProgramType.FLOW_DISSECTOR => FlowDissector,
        BpfProgramType.CGROUP_SYSCTL => CgroupSysctl,
        BpfProgramType.CGROUP_SOCKOPT => CgroupSockopt,
        BpfProgramType.TRACING => Typed,
        BpfProgramType.STRUCT_OPS => StructOps,
        BpfProgramType.EXT => None,
        BpfProgramType.LSM => Lsm,
        BpfProgramType.SK_LOOKUP => SkLookup,
        BpfProgramType.SYSCALL => Syscall,
    };

    private static HelperPrototype?[] List(HelperPrototype?[]? fallback, params ReadOnlySpan<string> names)
    {
        var list = new HelperPrototype?[BpfHelpers.LastId + 1];
        fallback?.CopyTo(list, 0);
        foreach (string line in names)
        {
            foreach (string name in line.Split(' '))
            {
                HelperPrototype prototype = HelperPrototypes.Find(name)
                    ?? throw new InvalidOperationException($"a list of helpers names {name}, which has no prototype");
                list[prototype.Id] = prototype;
            }
        }

        return list;
    }
}
