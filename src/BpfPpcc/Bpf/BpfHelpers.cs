using System.Collections.Immutable;

namespace BpfPpcc.Bpf;

/// <summary>A helper function of the kernel's fixed list.</summary>
/// <param name="Name">The kernel's name without its bpf_ prefix: "map_lookup_elem".</param>
/// <param name="Arguments">How many of r1..r5 it takes. A variadic helper (trace_printk) takes five.</param>
public readonly record struct BpfHelper(string Name, int Arguments);

/// <summary>How a helper calls back into the program.</summary>
/// <param name="FunctionArgument">Which of r1..r5 (1..5) of the helper is the function.</param>
/// <param name="ContextArgument">Which of r1..r5 of the helper is handed on to the function; 0 if none is.</param>
/// <param name="ContextParameter">In which of r1..r5 of the function that argument arrives; 0 if none does.</param>
/// <param name="IsAsynchronous">The function runs after the helper returned, if at all.</param>
public readonly record struct BpfHelperCallback(int FunctionArgument, int ContextArgument, int ContextParameter, bool IsAsynchronous);

/// <summary>
/// The kernel's helper functions by number: enum bpf_func_id of the UAPI (linux/bpf.h), a list that Linux closed at 211; newer functions
/// of the kernel are called by BTF instead. Names and argument counts as the UAPI documents them.
/// </summary>
public static class BpfHelpers
{
    public const int TailCall = 12;

    /// <summary>Numbers run from 1 to this one.</summary>
    public const int LastId = 211;

    /// <summary>The helper numbered <paramref name="id"/>, or null if the UAPI has none.</summary>
    public static BpfHelper? Find(int id) => id is >= 1 and <= LastId ? Table[id - 1] : null;

    /// <summary>The kernel's name of a helper number, "unspec" for 0 (which is no helper of the kernel), or null if the UAPI has none.</summary>
    public static string? NameOf(int id) => id == 0 ? "unspec" : Find(id)?.Name;

    /// <summary>The number of the helper called <paramref name="name"/> (with or without bpf_), or 0.</summary>
    public static int IdOf(string name)
    {
        ReadOnlySpan<char> bare = name.StartsWith("bpf_", StringComparison.Ordinal) ? name.AsSpan(4) : name;
        for (int i = 0; i < Table.Length; i++)
        {
            if (bare.SequenceEqual(Table[i].Name))
                return i + 1;
        }

        return 0;
    }

    /// <summary>How helper <paramref name="id"/> calls back, or null if it does not.</summary>
    public static BpfHelperCallback? CallbackOf(int id) => id switch
    {
        164 => new BpfHelperCallback(2, 3, 4, false), // for_each_map_elem(map, function(map, key, value, context), context, flags)
        170 => new BpfHelperCallback(2, 0, 0, true), // timer_set_callback(timer, function(map, key, value))
        180 => new BpfHelperCallback(3, 4, 3, false), // find_vma(task, address, function(task, vma, context), context, flags)
        181 => new BpfHelperCallback(2, 3, 2, false), // loop(count, function(index, context), context, flags)
        209 => new BpfHelperCallback(2, 3, 2, false), // user_ringbuf_drain(map, function(dynptr, context), context, flags)
        _ => null,
    };

    /// <summary>Row i is helper i + 1.</summary>
    private static readonly ImmutableArray<BpfHelper> Table =
    [
        // 1
        new("map_lookup_elem", 2),
        new("map_update_elem", 4),
        new("map_delete_elem", 2),
        new("probe_read", 3),
        new("ktime_get_ns", 0),
        new("trace_printk", 5),
        new("get_prandom_u32", 0),
        new("get_smp_processor_id", 0),
        new("skb_store_bytes", 5),
        new("l3_csum_replace", 5),
        // 11
        new("l4_csum_replace", 5),
        new("tail_call", 3),
        new("clone_redirect", 3),
        new("get_current_pid_tgid", 0),
        new("get_current_uid_gid", 0),
        new("get_current_comm", 2),
        new("get_cgroup_classid", 1),
        new("skb_vlan_push", 3),
        new("skb_vlan_pop", 1),
        new("skb_get_tunnel_key", 4),
        // 21
        new("skb_set_tunnel_key", 4),
        new("perf_event_read", 2),
        new("redirect", 2),
        new("get_route_realm", 1),
        new("perf_event_output", 5),
        new("skb_load_bytes", 4),
        new("get_stackid", 3),
        new("csum_diff", 5),
        new("skb_get_tunnel_opt", 3),
        new("skb_set_tunnel_opt", 3),
        // 31
        new("skb_change_proto", 3),
        new("skb_change_type", 2),
        new("skb_under_cgroup", 3),
        new("get_hash_recalc", 1),
        new("get_current_task", 0),
        new("probe_write_user", 3),
        new("current_task_under_cgroup", 2),
        new("skb_change_tail", 3),
        new("skb_pull_data", 2),
        new("csum_update", 2),
        // 41
        new("set_hash_invalid", 1),
        new("get_numa_node_id", 0),
        new("skb_change_head", 3),
        new("xdp_adjust_head", 2),
        new("probe_read_str", 3),
        new("get_socket_cookie", 1),
        new("get_socket_uid", 1),
        new("set_hash", 2),
        new("setsockopt", 5),
        new("skb_adjust_room", 4),
        // 51
        new("redirect_map", 3),
        new("sk_redirect_map", 4),
        new("sock_map_update", 4),
        new("xdp_adjust_meta", 2),
        new("perf_event_read_value", 4),
        new("perf_prog_read_value", 3),
        new("getsockopt", 5),
        new("override_return", 2),
        new("sock_ops_cb_flags_set", 2),
        new("msg_redirect_map", 4),
        // 61
        new("msg_apply_bytes", 2),
        new("msg_cork_bytes", 2),
        new("msg_pull_data", 4),
        new("bind", 3),
        new("xdp_adjust_tail", 2),
        new("skb_get_xfrm_state", 5),
        new("get_stack", 4),
        new("skb_load_bytes_relative", 5),
        new("fib_lookup", 4),
        new("sock_hash_update", 4),
        // 71
        new("msg_redirect_hash", 4),
        new("sk_redirect_hash", 4),
        new("lwt_push_encap", 4),
        new("lwt_seg6_store_bytes", 4),
        new("lwt_seg6_adjust_srh", 3),
        new("lwt_seg6_action", 4),
        new("rc_repeat", 1),
        new("rc_keydown", 4),
        new("skb_cgroup_id", 1),
        new("get_current_cgroup_id", 0),
        // 81
        new("get_local_storage", 2),
        new("sk_select_reuseport", 4),
        new("skb_ancestor_cgroup_id", 2),
        new("sk_lookup_tcp", 5),
        new("sk_lookup_udp", 5),
        new("sk_release", 1),
        new("map_push_elem", 3),
        new("map_pop_elem", 2),
        new("map_peek_elem", 2),
        new("msg_push_data", 4),
        // 91
        new("msg_pop_data", 4),
        new("rc_pointer_rel", 3),
        new("spin_lock", 1),
        new("spin_unlock", 1),
        new("sk_fullsock", 1),
        new("tcp_sock", 1),
        new("skb_ecn_set_ce", 1),
        new("get_listener_sock", 1),
        new("skc_lookup_tcp", 5),
        new("tcp_check_syncookie", 5),
        // 101
        new("sysctl_get_name", 4),
        new("sysctl_get_current_value", 3),
        new("sysctl_get_new_value", 3),
        new("sysctl_set_new_value", 3),
        new("strtol", 4),
        new("strtoul", 4),
        new("sk_storage_get", 4),
        new("sk_storage_delete", 2),
        new("send_signal", 1),
        new("tcp_gen_syncookie", 5),
        // 111
        new("skb_output", 5),
        new("probe_read_user", 3),
        new("probe_read_kernel", 3),
        new("probe_read_user_str", 3),
        new("probe_read_kernel_str", 3),
        new("tcp_send_ack", 2),
        new("send_signal_thread", 1),
        new("jiffies64", 0),
        new("read_branch_records", 4),
        new("get_ns_current_pid_tgid", 4),
        // 121
        new("xdp_output", 5),
        new("get_netns_cookie", 1),
        new("get_current_ancestor_cgroup_id", 1),
        new("sk_assign", 3),
        new("ktime_get_boot_ns", 0),
        new("seq_printf", 5),
        new("seq_write", 3),
        new("sk_cgroup_id", 1),
        new("sk_ancestor_cgroup_id", 2),
        new("ringbuf_output", 4),
        // 131
        new("ringbuf_reserve", 3),
        new("ringbuf_submit", 2),
        new("ringbuf_discard", 2),
        new("ringbuf_query", 2),
        new("csum_level", 2),
        new("skc_to_tcp6_sock", 1),
        new("skc_to_tcp_sock", 1),
        new("skc_to_tcp_timewait_sock", 1),
        new("skc_to_tcp_request_sock", 1),
        new("skc_to_udp6_sock", 1),
        // 141
        new("get_task_stack", 4),
        new("load_hdr_opt", 4),
        new("store_hdr_opt", 4),
        new("reserve_hdr_opt", 3),
        new("inode_storage_get", 4),
        new("inode_storage_delete", 2),
        new("d_path", 3),
        new("copy_from_user", 3),
        new("snprintf_btf", 5),
        new("seq_printf_btf", 4),
        // 151
        new("skb_cgroup_classid", 1),
        new("redirect_neigh", 4),
        new("per_cpu_ptr", 2),
        new("this_cpu_ptr", 1),
        new("redirect_peer", 2),
        new("task_storage_get", 4),
        new("task_storage_delete", 2),
        new("get_current_task_btf", 0),
        new("bprm_opts_set", 2),
        new("ktime_get_coarse_ns", 0),
        // 161
        new("ima_inode_hash", 3),
        new("sock_from_file", 1),
        new("check_mtu", 5),
        new("for_each_map_elem", 4),
        new("snprintf", 5),
        new("sys_bpf", 3),
        new("btf_find_by_name_kind", 4),
        new("sys_close", 1),
        new("timer_init", 3),
        new("timer_set_callback", 2),
        // 171
        new("timer_start", 3),
        new("timer_cancel", 1),
        new("get_func_ip", 1),
        new("get_attach_cookie", 1),
        new("task_pt_regs", 1),
        new("get_branch_snapshot", 3),
        new("trace_vprintk", 4),
        new("skc_to_unix_sock", 1),
        new("kallsyms_lookup_name", 4),
        new("find_vma", 5),
        // 181
        new("loop", 4),
        new("strncmp", 3),
        new("get_func_arg", 3),
        new("get_func_ret", 2),
        new("get_func_arg_cnt", 1),
        new("get_retval", 0),
        new("set_retval", 1),
        new("xdp_get_buff_len", 1),
        new("xdp_load_bytes", 4),
        new("xdp_store_bytes", 4),
        // 191
        new("copy_from_user_task", 5),
        new("skb_set_tstamp", 3),
        new("ima_file_hash", 3),
        new("kptr_xchg", 2),
        new("map_lookup_percpu_elem", 3),
        new("skc_to_mptcp_sock", 1),
        new("dynptr_from_mem", 4),
        new("ringbuf_reserve_dynptr", 4),
        new("ringbuf_submit_dynptr", 2),
        new("ringbuf_discard_dynptr", 2),
        // 201
        new("dynptr_read", 5),
        new("dynptr_write", 5),
        new("dynptr_data", 3),
        new("tcp_raw_gen_syncookie_ipv4", 3),
        new("tcp_raw_gen_syncookie_ipv6", 3),
        new("tcp_raw_check_syncookie_ipv4", 2),
        new("tcp_raw_check_syncookie_ipv6", 2),
        new("ktime_get_tai_ns", 0),
        new("user_ringbuf_drain", 4),
        new("cgrp_storage_get", 4),
        // 211
        new("cgrp_storage_delete", 2),
    ];
}
