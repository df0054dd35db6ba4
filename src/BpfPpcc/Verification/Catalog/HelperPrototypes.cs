using System.Collections.Immutable;
using static BpfPpcc.Verification.Catalog.ArgumentTypes;
using static BpfPpcc.Verification.Catalog.HelperFlags;
using static BpfPpcc.Verification.Catalog.ReturnTypes;

namespace BpfPpcc.Verification.Catalog;

/// <summary>
/// The prototypes of all helpers of Linux 6.12, the list being closed at 211: what each wants in its arguments, what it returns and what it
/// does besides. Where Linux 6.12 says less of an argument than what the helper does with it (buffers of snprintf, d_path and others that
/// it writes to and does not mark), the row says what the helper does.
/// </summary>
internal static class HelperPrototypes
{
    private static readonly Dictionary<string, HelperPrototype> ByName = new(StringComparer.Ordinal);
    private static readonly HelperPrototype?[] Plain = new HelperPrototype?[Bpf.BpfHelpers.LastId + 1];

    static HelperPrototypes()
    {
        foreach (HelperPrototype row in All)
        {
            ByName.Add(row.Name, row);
            Plain[row.Id] ??= row;
        }
    }

    /// <summary>The prototype called so (see <see cref="HelperPrototype.Name"/>), or null.</summary>
    public static HelperPrototype? Find(string name) => ByName.GetValueOrDefault(name);

    /// <summary>The first prototype of helper <paramref name="id"/>, or null: for what all of its prototypes have in common.</summary>
    public static HelperPrototype? Find(int id) => id > 0 && id < Plain.Length ? Plain[id] : null;

    /// <summary>By number; the prototype with the helper's own name before its variants.</summary>
    public static readonly ImmutableArray<HelperPrototype> All =
    [
        new(1, "map_lookup_elem", TO_MAP_VALUE_OR_NULL, [CONST_MAP_PTR, MAP_KEY], PACKET_ACCESS),
        new(2, "map_update_elem", INTEGER, [CONST_MAP_PTR, MAP_KEY, MAP_VALUE, ANYTHING], PACKET_ACCESS),
        new(3, "map_delete_elem", INTEGER, [CONST_MAP_PTR, MAP_KEY], PACKET_ACCESS),
        new(4, "probe_read", INTEGER, [UNINIT_MEM, SIZE_OR_ZERO, ANYTHING], GPL),
        new(5, "ktime_get_ns", INTEGER, []),
        new(6, "trace_printk", INTEGER, [READ_MEM, SIZE], GPL),
        new(7, "get_prandom_u32", INTEGER, []),
        new(8, "get_smp_processor_id", INTEGER, []),
        new(9, "skb_store_bytes", INTEGER, [CTX, ANYTHING, READ_MEM, SIZE, ANYTHING], CHANGES_PACKET),

        new(10, "l3_csum_replace", INTEGER, [CTX, ANYTHING, ANYTHING, ANYTHING, ANYTHING], CHANGES_PACKET),
        new(11, "l4_csum_replace", INTEGER, [CTX, ANYTHING, ANYTHING, ANYTHING, ANYTHING], CHANGES_PACKET),
        new(12, "tail_call", VOID, [CTX, CONST_MAP_PTR, ANYTHING], CHANGES_PACKET),
        new(13, "clone_redirect", INTEGER, [CTX, ANYTHING, ANYTHING], CHANGES_PACKET),
        new(14, "get_current_pid_tgid", INTEGER, []),
        new(15, "get_current_uid_gid", INTEGER, []),
        new(16, "get_current_comm", INTEGER, [UNINIT_MEM, SIZE]),
        new(17, "get_cgroup_classid", INTEGER, [CTX]),
        new(17, "get_cgroup_classid_curr", INTEGER, []),
        new(18, "skb_vlan_push", INTEGER, [CTX, ANYTHING, ANYTHING], CHANGES_PACKET),
        new(19, "skb_vlan_pop", INTEGER, [CTX], CHANGES_PACKET),

        new(20, "skb_get_tunnel_key", INTEGER, [CTX, UNINIT_MEM, SIZE, ANYTHING]),
        new(21, "skb_set_tunnel_key", INTEGER, [CTX, READ_MEM, SIZE, ANYTHING]),
        new(22, "perf_event_read", INTEGER, [CONST_MAP_PTR, ANYTHING], GPL),
        new(23, "redirect", INTEGER, [ANYTHING, ANYTHING]),
        new(24, "get_route_realm", INTEGER, [CTX]),
        new(25, "perf_event_output", INTEGER, [CTX, CONST_MAP_PTR, ANYTHING, READ_MEM, SIZE_OR_ZERO], GPL),
        new(26, "skb_load_bytes", INTEGER, [CTX, ANYTHING, UNINIT_MEM, SIZE]),
        new(27, "get_stackid", INTEGER, [CTX, CONST_MAP_PTR, ANYTHING], GPL),
        new(27, "get_stackid_pe", INTEGER, [CTX, CONST_MAP_PTR, ANYTHING]),
        new(28, "csum_diff", INTEGER, [READ_MEM_OR_NULL, SIZE_OR_ZERO, READ_MEM_OR_NULL, SIZE_OR_ZERO, ANYTHING], PACKET_ACCESS),
        new(29, "skb_get_tunnel_opt", INTEGER, [CTX, UNINIT_MEM, SIZE]),

        new(30, "skb_set_tunnel_opt", INTEGER, [CTX, READ_MEM, SIZE]),
        new(31, "skb_change_proto", INTEGER, [CTX, ANYTHING, ANYTHING], CHANGES_PACKET),
        new(32, "skb_change_type", INTEGER, [CTX, ANYTHING]),
        new(33, "skb_under_cgroup", INTEGER, [CTX, CONST_MAP_PTR, ANYTHING]),
        new(34, "get_hash_recalc", INTEGER, [CTX]),
        new(35, "get_current_task", INTEGER, [], GPL),
        new(36, "probe_write_user", INTEGER, [ANYTHING, READ_MEM, SIZE], GPL),
        new(37, "current_task_under_cgroup", INTEGER, [CONST_MAP_PTR, ANYTHING]),
        new(38, "skb_change_tail", INTEGER, [CTX, ANYTHING, ANYTHING], CHANGES_PACKET),
        new(39, "skb_pull_data", INTEGER, [CTX, ANYTHING], CHANGES_PACKET),

        new(40, "csum_update", INTEGER, [CTX, ANYTHING]),
        new(41, "set_hash_invalid", INTEGER, [CTX]),
        new(42, "get_numa_node_id", INTEGER, []),
        new(43, "skb_change_head", INTEGER, [CTX, ANYTHING, ANYTHING], CHANGES_PACKET),
        new(44, "xdp_adjust_head", INTEGER, [CTX, ANYTHING], CHANGES_PACKET),
        new(45, "probe_read_str", INTEGER, [UNINIT_MEM, SIZE_OR_ZERO, ANYTHING], GPL | RETURNS_SIZE),
        new(46, "get_socket_cookie", INTEGER, [CTX]),
        new(46, "get_socket_ptr_cookie", INTEGER, [BTF_ID_SOCK_COMMON_OR_NULL]),
        new(47, "get_socket_uid", INTEGER, [CTX]),
        new(48, "set_hash", INTEGER, [CTX, ANYTHING]),
        new(49, "setsockopt", INTEGER, [CTX, ANYTHING, ANYTHING, READ_MEM, SIZE]),
        new(49, "sk_setsockopt", INTEGER, [BTF_ID_SOCK_COMMON, ANYTHING, ANYTHING, READ_MEM, SIZE]),

        new(50, "skb_adjust_room", INTEGER, [CTX, ANYTHING, ANYTHING, ANYTHING], CHANGES_PACKET),
        new(51, "redirect_map", INTEGER, [CONST_MAP_PTR, ANYTHING, ANYTHING]),
        new(52, "sk_redirect_map", INTEGER, [CTX, CONST_MAP_PTR, ANYTHING, ANYTHING]),
        new(53, "sock_map_update", INTEGER, [CTX, CONST_MAP_PTR, MAP_KEY, ANYTHING], PACKET_ACCESS),
        new(54, "xdp_adjust_meta", INTEGER, [CTX, ANYTHING], CHANGES_PACKET),
        new(55, "perf_event_read_value", INTEGER, [CONST_MAP_PTR, ANYTHING, UNINIT_MEM, SIZE], GPL),
        new(56, "perf_prog_read_value", INTEGER, [CTX, UNINIT_MEM, SIZE], GPL),
        new(57, "getsockopt", INTEGER, [CTX, ANYTHING, ANYTHING, UNINIT_MEM, SIZE]),
        new(57, "sk_getsockopt", INTEGER, [BTF_ID_SOCK_COMMON, ANYTHING, ANYTHING, UNINIT_MEM, SIZE]),
        new(58, "override_return", INTEGER, [CTX, ANYTHING], GPL),
        new(59, "sock_ops_cb_flags_set", INTEGER, [CTX, ANYTHING]),

        new(60, "msg_redirect_map", INTEGER, [CTX, CONST_MAP_PTR, ANYTHING, ANYTHING]),
        new(61, "msg_apply_bytes", INTEGER, [CTX, ANYTHING]),
        new(62, "msg_cork_bytes", INTEGER, [CTX, ANYTHING]),
        new(63, "msg_pull_data", INTEGER, [CTX, ANYTHING, ANYTHING, ANYTHING], CHANGES_PACKET),
        new(64, "bind", INTEGER, [CTX, READ_MEM, SIZE]),
        new(65, "xdp_adjust_tail", INTEGER, [CTX, ANYTHING], CHANGES_PACKET),
        new(66, "skb_get_xfrm_state", INTEGER, [CTX, ANYTHING, UNINIT_MEM, SIZE, ANYTHING]),
        new(67, "get_stack", INTEGER, [CTX, UNINIT_MEM, SIZE_OR_ZERO, ANYTHING], GPL | RETURNS_SIZE),
        new(67, "get_stack_sleepable", INTEGER, [CTX, UNINIT_MEM, SIZE_OR_ZERO, ANYTHING], GPL | SLEEPS | RETURNS_SIZE),
        new(68, "skb_load_bytes_relative", INTEGER, [CTX, ANYTHING, UNINIT_MEM, SIZE, ANYTHING]),
        new(69, "fib_lookup", INTEGER, [CTX, MEM, SIZE, ANYTHING], GPL),

        new(70, "sock_hash_update", INTEGER, [CTX, CONST_MAP_PTR, MAP_KEY, ANYTHING], PACKET_ACCESS),
        new(71, "msg_redirect_hash", INTEGER, [CTX, CONST_MAP_PTR, MAP_KEY, ANYTHING]),
        new(72, "sk_redirect_hash", INTEGER, [CTX, CONST_MAP_PTR, MAP_KEY, ANYTHING]),
        new(73, "lwt_push_encap", INTEGER, [CTX, ANYTHING, READ_MEM, SIZE], CHANGES_PACKET),
        new(74, "lwt_seg6_store_bytes", INTEGER, [CTX, ANYTHING, READ_MEM, SIZE], CHANGES_PACKET),
        new(75, "lwt_seg6_adjust_srh", INTEGER, [CTX, ANYTHING, ANYTHING], CHANGES_PACKET),
        new(76, "lwt_seg6_action", INTEGER, [CTX, ANYTHING, READ_MEM, SIZE], CHANGES_PACKET),
        new(77, "rc_repeat", INTEGER, [CTX]),
        new(78, "rc_keydown", INTEGER, [CTX, ANYTHING, ANYTHING, ANYTHING]),
        new(79, "skb_cgroup_id", INTEGER, [CTX]),

        new(80, "get_current_cgroup_id", INTEGER, []),
        new(81, "get_local_storage", TO_MAP_VALUE, [CONST_MAP_PTR, ANYTHING]),
        new(82, "sk_select_reuseport", INTEGER, [CTX, CONST_MAP_PTR, MAP_KEY, ANYTHING]),
        new(83, "skb_ancestor_cgroup_id", INTEGER, [CTX, ANYTHING]),
        new(84, "sk_lookup_tcp", TO_SOCKET_OR_NULL, [CTX, READ_MEM, SIZE_OR_ZERO, ANYTHING, ANYTHING], PACKET_ACCESS | ACQUIRES),
        new(84, "sock_addr_sk_lookup_tcp", TO_SOCKET_OR_NULL, [CTX, READ_MEM, SIZE_OR_ZERO, ANYTHING, ANYTHING], ACQUIRES),
        new(85, "sk_lookup_udp", TO_SOCKET_OR_NULL, [CTX, READ_MEM, SIZE_OR_ZERO, ANYTHING, ANYTHING], PACKET_ACCESS | ACQUIRES),
        new(85, "sock_addr_sk_lookup_udp", TO_SOCKET_OR_NULL, [CTX, READ_MEM, SIZE_OR_ZERO, ANYTHING, ANYTHING], ACQUIRES),
        new(86, "sk_release", INTEGER, [BTF_ID_SOCK_COMMON_RELEASE]),
        new(87, "map_push_elem", INTEGER, [CONST_MAP_PTR, MAP_VALUE, ANYTHING], PACKET_ACCESS),
        new(88, "map_pop_elem", INTEGER, [CONST_MAP_PTR, UNINIT_MAP_VALUE]),
        new(89, "map_peek_elem", INTEGER, [CONST_MAP_PTR, UNINIT_MAP_VALUE]),

        new(90, "msg_push_data", INTEGER, [CTX, ANYTHING, ANYTHING, ANYTHING], CHANGES_PACKET),
        new(91, "msg_pop_data", INTEGER, [CTX, ANYTHING, ANYTHING, ANYTHING], CHANGES_PACKET),
        new(92, "rc_pointer_rel", INTEGER, [CTX, ANYTHING, ANYTHING], GPL),
        new(93, "spin_lock", VOID, [SPIN_LOCK]),
        new(94, "spin_unlock", VOID, [SPIN_LOCK]),
        new(95, "sk_fullsock", TO_SOCKET_OR_NULL, [SOCK_COMMON], CASTS),
        new(96, "tcp_sock", TO_TCP_SOCK_OR_NULL, [SOCK_COMMON], CASTS),
        new(97, "skb_ecn_set_ce", INTEGER, [CTX]),
        new(98, "get_listener_sock", TO_SOCKET_OR_NULL, [SOCK_COMMON]),
        new(99, "skc_lookup_tcp", TO_SOCK_COMMON_OR_NULL, [CTX, READ_MEM, SIZE_OR_ZERO, ANYTHING, ANYTHING], PACKET_ACCESS | ACQUIRES),
        new(99, "sock_addr_skc_lookup_tcp", TO_SOCK_COMMON_OR_NULL, [CTX, READ_MEM, SIZE_OR_ZERO, ANYTHING, ANYTHING], ACQUIRES),

        new(100, "tcp_check_syncookie", INTEGER, [BTF_ID_SOCK_COMMON, READ_MEM, SIZE, READ_MEM, SIZE], GPL | PACKET_ACCESS),
        new(101, "sysctl_get_name", INTEGER, [CTX, WRITABLE_MEM, SIZE, ANYTHING]),
        new(102, "sysctl_get_current_value", INTEGER, [CTX, UNINIT_MEM, SIZE]),
        new(103, "sysctl_get_new_value", INTEGER, [CTX, UNINIT_MEM, SIZE]),
        new(104, "sysctl_set_new_value", INTEGER, [CTX, READ_MEM, SIZE]),
        new(105, "strtol", INTEGER, [READ_MEM, SIZE, ANYTHING, UNINIT_FIXED_MEM(8)]),
        new(106, "strtoul", INTEGER, [READ_MEM, SIZE, ANYTHING, UNINIT_FIXED_MEM(8)]),
        new(107, "sk_storage_get", TO_MAP_VALUE_OR_NULL, [CONST_MAP_PTR, BTF_ID_SOCK_COMMON, MAP_VALUE_OR_NULL, ANYTHING]),
        new(107, "sk_storage_get_cg_sock", TO_MAP_VALUE_OR_NULL, [CONST_MAP_PTR, CTX, MAP_VALUE_OR_NULL, ANYTHING]),
        new(107, "sk_storage_get_tracing", TO_MAP_VALUE_OR_NULL,
            [CONST_MAP_PTR, BTF_ID_OR_NULL("sock_common"), MAP_VALUE_OR_NULL, ANYTHING]),
        new(108, "sk_storage_delete", INTEGER, [CONST_MAP_PTR, BTF_ID_SOCK_COMMON]),
        new(108, "sk_storage_delete_tracing", INTEGER, [CONST_MAP_PTR, BTF_ID_OR_NULL("sock_common")]),
        new(109, "send_signal", INTEGER, [ANYTHING]),

        new(110, "tcp_gen_syncookie", INTEGER, [BTF_ID_SOCK_COMMON, READ_MEM, SIZE, READ_MEM, SIZE], PACKET_ACCESS),
        new(111, "skb_output", INTEGER, [BTF_ID("sk_buff"), CONST_MAP_PTR, ANYTHING, READ_MEM, SIZE_OR_ZERO], GPL),
        new(112, "probe_read_user", INTEGER, [UNINIT_MEM, SIZE_OR_ZERO, ANYTHING], GPL),
        new(113, "probe_read_kernel", INTEGER, [UNINIT_MEM, SIZE_OR_ZERO, ANYTHING], GPL),
        new(114, "probe_read_user_str", INTEGER, [UNINIT_MEM, SIZE_OR_ZERO, ANYTHING], GPL | RETURNS_SIZE),
        new(115, "probe_read_kernel_str", INTEGER, [UNINIT_MEM, SIZE_OR_ZERO, ANYTHING], GPL | RETURNS_SIZE),
        new(116, "tcp_send_ack", INTEGER, [BTF_ID("tcp_sock"), ANYTHING]),
        new(117, "send_signal_thread", INTEGER, [ANYTHING]),
        new(118, "jiffies64", INTEGER, []),
        new(119, "read_branch_records", INTEGER, [CTX, WRITABLE_MEM_OR_NULL, SIZE_OR_ZERO, ANYTHING], GPL),

        new(120, "get_ns_current_pid_tgid", INTEGER, [ANYTHING, ANYTHING, UNINIT_MEM, SIZE]),
        new(121, "xdp_output", INTEGER, [BTF_ID("xdp_buff"), CONST_MAP_PTR, ANYTHING, READ_MEM, SIZE_OR_ZERO], GPL),
        new(122, "get_netns_cookie", INTEGER, [CTX_OR_NULL]),
        new(123, "get_current_ancestor_cgroup_id", INTEGER, [ANYTHING]),
        new(124, "sk_assign", INTEGER, [CTX, BTF_ID_SOCK_COMMON, ANYTHING]),
        new(124, "sk_lookup_assign", INTEGER, [CTX, SOCKET_OR_NULL, ANYTHING]),
        new(125, "ktime_get_boot_ns", INTEGER, []),
        new(126, "seq_printf", INTEGER, [BTF_ID("seq_file"), READ_MEM, SIZE, READ_MEM_OR_NULL, SIZE_OR_ZERO], GPL),
        new(127, "seq_write", INTEGER, [BTF_ID("seq_file"), READ_MEM, SIZE_OR_ZERO], GPL),
        new(128, "sk_cgroup_id", INTEGER, [BTF_ID_SOCK_COMMON]),
        new(129, "sk_ancestor_cgroup_id", INTEGER, [BTF_ID_SOCK_COMMON, ANYTHING]),

        new(130, "ringbuf_output", INTEGER, [CONST_MAP_PTR, READ_MEM, SIZE_OR_ZERO, ANYTHING]),
        new(131, "ringbuf_reserve", TO_RINGBUF_MEM_OR_NULL, [CONST_MAP_PTR, CONST_ALLOC_SIZE, ANYTHING], ACQUIRES),
        new(132, "ringbuf_submit", VOID, [RINGBUF_MEM_RELEASE, ANYTHING]),
        new(133, "ringbuf_discard", VOID, [RINGBUF_MEM_RELEASE, ANYTHING]),
        new(134, "ringbuf_query", INTEGER, [CONST_MAP_PTR, ANYTHING]),
        new(135, "csum_level", INTEGER, [CTX, ANYTHING]),
        new(136, "skc_to_tcp6_sock", TO_BTF_ID_OR_NULL("tcp6_sock"), [BTF_ID_SOCK_COMMON], CASTS),
        new(137, "skc_to_tcp_sock", TO_BTF_ID_OR_NULL("tcp_sock"), [BTF_ID_SOCK_COMMON], CASTS),
        new(138, "skc_to_tcp_timewait_sock", TO_BTF_ID_OR_NULL("tcp_timewait_sock"), [BTF_ID_SOCK_COMMON], CASTS),
        new(139, "skc_to_tcp_request_sock", TO_BTF_ID_OR_NULL("tcp_request_sock"), [BTF_ID_SOCK_COMMON], CASTS),

        new(140, "skc_to_udp6_sock", TO_BTF_ID_OR_NULL("udp6_sock"), [BTF_ID_SOCK_COMMON], CASTS),
        new(141, "get_task_stack", INTEGER, [BTF_ID("task_struct"), UNINIT_MEM, SIZE_OR_ZERO, ANYTHING], RETURNS_SIZE),
        new(141, "get_task_stack_sleepable", INTEGER, [BTF_ID("task_struct"), UNINIT_MEM, SIZE_OR_ZERO, ANYTHING], SLEEPS | RETURNS_SIZE),
        new(142, "load_hdr_opt", INTEGER, [CTX, WRITABLE_MEM, SIZE, ANYTHING]),
        new(143, "store_hdr_opt", INTEGER, [CTX, READ_MEM, SIZE, ANYTHING], CHANGES_PACKET),
        new(144, "reserve_hdr_opt", INTEGER, [CTX, ANYTHING, ANYTHING]),
        new(145, "inode_storage_get", TO_MAP_VALUE_OR_NULL, [CONST_MAP_PTR, BTF_ID_OR_NULL("inode"), MAP_VALUE_OR_NULL, ANYTHING]),
        new(146, "inode_storage_delete", INTEGER, [CONST_MAP_PTR, BTF_ID_OR_NULL("inode")]),
        new(147, "d_path", INTEGER, [BTF_ID("path"), WRITABLE_MEM, SIZE_OR_ZERO]),
        new(148, "copy_from_user", INTEGER, [UNINIT_MEM, SIZE_OR_ZERO, ANYTHING], SLEEPS),
        new(149, "snprintf_btf", INTEGER, [WRITABLE_MEM, SIZE, READ_MEM, SIZE, ANYTHING]),

        new(150, "seq_printf_btf", INTEGER, [BTF_ID("seq_file"), READ_MEM, SIZE_OR_ZERO, ANYTHING], GPL),
        new(151, "skb_cgroup_classid", INTEGER, [CTX]),
        new(152, "redirect_neigh", INTEGER, [ANYTHING, READ_MEM_OR_NULL, SIZE_OR_ZERO, ANYTHING]),
        new(153, "per_cpu_ptr", TO_MEM_OR_BTF_ID_OR_NULL, [PERCPU_BTF_ID, ANYTHING]),
        new(154, "this_cpu_ptr", TO_MEM_OR_BTF_ID, [PERCPU_BTF_ID]),
        new(155, "redirect_peer", INTEGER, [ANYTHING, ANYTHING]),
        new(156, "task_storage_get", TO_MAP_VALUE_OR_NULL, [CONST_MAP_PTR, BTF_ID_OR_NULL("task_struct"), MAP_VALUE_OR_NULL, ANYTHING]),
        new(157, "task_storage_delete", INTEGER, [CONST_MAP_PTR, BTF_ID_OR_NULL("task_struct")]),
        new(158, "get_current_task_btf", TO_BTF_ID_TRUSTED("task_struct"), [], GPL),
        new(159, "bprm_opts_set", INTEGER, [BTF_ID("linux_binprm"), ANYTHING]),

        new(160, "ktime_get_coarse_ns", INTEGER, []),
        new(161, "ima_inode_hash", INTEGER, [BTF_ID("inode"), UNINIT_MEM, SIZE], SLEEPS),
        new(162, "sock_from_file", TO_BTF_ID_OR_NULL("socket"), [BTF_ID("file")]),
        new(163, "check_mtu", INTEGER, [CTX, ANYTHING, WRITABLE_FIXED_MEM(4), ANYTHING, ANYTHING], GPL),
        new(164, "for_each_map_elem", INTEGER, [CONST_MAP_PTR, FUNC, STACK_OR_NULL, ANYTHING]),
        new(165, "snprintf", INTEGER, [WRITABLE_MEM_OR_NULL, SIZE_OR_ZERO, CONST_STR, READ_MEM_OR_NULL, SIZE_OR_ZERO], GPL),
        new(166, "sys_bpf", INTEGER, [ANYTHING, READ_MEM, SIZE], SLEEPS),
        new(167, "btf_find_by_name_kind", INTEGER, [READ_MEM, SIZE, ANYTHING, ANYTHING], SLEEPS),
        new(168, "sys_close", INTEGER, [ANYTHING], SLEEPS),
        new(169, "timer_init", INTEGER, [TIMER, CONST_MAP_PTR, ANYTHING], GPL),

        new(170, "timer_set_callback", INTEGER, [TIMER, FUNC], GPL),
        new(171, "timer_start", INTEGER, [TIMER, ANYTHING, ANYTHING], GPL),
        new(172, "timer_cancel", INTEGER, [TIMER], GPL),
        new(173, "get_func_ip", INTEGER, [CTX], GPL),
        new(173, "get_func_ip_multi", INTEGER, [CTX]),
        new(174, "get_attach_cookie", INTEGER, [CTX]),
        new(175, "task_pt_regs", TO_BTF_ID("pt_regs"), [BTF_ID("task_struct")], GPL),
        new(176, "get_branch_snapshot", INTEGER, [UNINIT_MEM, SIZE_OR_ZERO], GPL),
        new(177, "trace_vprintk", INTEGER, [READ_MEM, SIZE, READ_MEM_OR_NULL, SIZE_OR_ZERO], GPL),
        new(178, "skc_to_unix_sock", TO_BTF_ID_OR_NULL("unix_sock"), [BTF_ID_SOCK_COMMON]),
        new(179, "kallsyms_lookup_name", INTEGER, [READ_MEM, SIZE_OR_ZERO, ANYTHING, UNINIT_FIXED_MEM(8)]),

        new(180, "find_vma", INTEGER, [BTF_ID("task_struct"), ANYTHING, FUNC, STACK_OR_NULL, ANYTHING]),
        new(181, "loop", INTEGER, [SCALAR, FUNC, STACK_OR_NULL, ANYTHING]),
        new(182, "strncmp", INTEGER, [READ_MEM, SIZE, CONST_STR]),
        new(183, "get_func_arg", INTEGER, [CTX, ANYTHING, UNINIT_FIXED_MEM(8)]),
        new(184, "get_func_ret", INTEGER, [CTX, UNINIT_FIXED_MEM(8)]),
        new(185, "get_func_arg_cnt", INTEGER, [CTX]),
        new(186, "get_retval", INTEGER, []),
        new(187, "set_retval", INTEGER, [ANYTHING]),
        new(188, "xdp_get_buff_len", INTEGER, [CTX]),
        new(188, "xdp_get_buff_len_trace", INTEGER, [BTF_ID("xdp_buff")]),
        new(189, "xdp_load_bytes", INTEGER, [CTX, ANYTHING, UNINIT_MEM, SIZE]),

        new(190, "xdp_store_bytes", INTEGER, [CTX, ANYTHING, READ_MEM, SIZE]),
        new(191, "copy_from_user_task", INTEGER, [UNINIT_MEM, SIZE_OR_ZERO, ANYTHING, BTF_ID("task_struct"), ANYTHING], GPL | SLEEPS),
        new(192, "skb_set_tstamp", INTEGER, [CTX, ANYTHING, ANYTHING]),
        new(193, "ima_file_hash", INTEGER, [BTF_ID("file"), UNINIT_MEM, SIZE], SLEEPS),
        new(194, "kptr_xchg", TO_KPTR_OR_NULL, [KPTR_XCHG_DEST, KPTR_OR_NULL], ACQUIRES),
        new(195, "map_lookup_percpu_elem", TO_MAP_VALUE_OR_NULL, [CONST_MAP_PTR, MAP_KEY, ANYTHING], PACKET_ACCESS),
        new(196, "skc_to_mptcp_sock", TO_BTF_ID_OR_NULL("mptcp_sock"), [SOCK_COMMON], CASTS),
        new(197, "dynptr_from_mem", INTEGER, [UNINIT_MEM, SIZE_OR_ZERO, ANYTHING, UNINIT_LOCAL_DYNPTR]),
        new(198, "ringbuf_reserve_dynptr", INTEGER, [CONST_MAP_PTR, ANYTHING, ANYTHING, UNINIT_RINGBUF_DYNPTR]),
        new(199, "ringbuf_submit_dynptr", VOID, [RINGBUF_DYNPTR_RELEASE, ANYTHING]),

        new(200, "ringbuf_discard_dynptr", VOID, [RINGBUF_DYNPTR_RELEASE, ANYTHING]),
        new(201, "dynptr_read", INTEGER, [UNINIT_MEM, SIZE_OR_ZERO, DYNPTR, ANYTHING, ANYTHING]),
        new(202, "dynptr_write", INTEGER, [DYNPTR, ANYTHING, READ_MEM, SIZE_OR_ZERO, ANYTHING]),
        new(203, "dynptr_data", TO_DYNPTR_MEM_OR_NULL, [DYNPTR, ANYTHING, CONST_ALLOC_SIZE]),
        new(204, "tcp_raw_gen_syncookie_ipv4", INTEGER, [READ_FIXED_MEM(20), READ_MEM, SIZE_OR_ZERO], PACKET_ACCESS),
        new(205, "tcp_raw_gen_syncookie_ipv6", INTEGER, [READ_FIXED_MEM(40), READ_MEM, SIZE_OR_ZERO], PACKET_ACCESS),
        new(206, "tcp_raw_check_syncookie_ipv4", INTEGER, [READ_FIXED_MEM(20), READ_FIXED_MEM(20)], PACKET_ACCESS),
        new(207, "tcp_raw_check_syncookie_ipv6", INTEGER, [READ_FIXED_MEM(40), READ_FIXED_MEM(20)], PACKET_ACCESS),
        new(208, "ktime_get_tai_ns", INTEGER, []),
        new(209, "user_ringbuf_drain", INTEGER, [CONST_MAP_PTR, FUNC, STACK_OR_NULL, ANYTHING]),

        new(210, "cgrp_storage_get", TO_MAP_VALUE_OR_NULL, [CONST_MAP_PTR, BTF_ID_OR_NULL("cgroup"), MAP_VALUE_OR_NULL, ANYTHING]),
        new(211, "cgrp_storage_delete", INTEGER, [CONST_MAP_PTR, BTF_ID_OR_NULL("cgroup")]),
    ];
}
