using System.Collections.Immutable;
using static BpfPpcc.Verification.Catalog.KfuncFlags;

namespace BpfPpcc.Verification.Catalog;

/// <summary>
/// Kernel functions of Linux 6.12, and some of later kernels, with the flags that they are registered with. Prototypes are not here: they
/// come from BTF. A function that is not in the table is unknown and may not be called.
/// </summary>
internal static class KfuncTable
{
    private const KfuncHooks COMMON = KfuncHooks.COMMON;

    private const KfuncHooks GENERIC = KfuncHooks.TC | KfuncHooks.XDP | KfuncHooks.TRACING | KfuncHooks.STRUCT_OPS | KfuncHooks.SYSCALL
        | KfuncHooks.CGROUP;

    private const KfuncHooks SKB = KfuncHooks.TC | KfuncHooks.SCHED_ACT | KfuncHooks.SK_SKB | KfuncHooks.SOCKET_FILTER | KfuncHooks.CGROUP
        | KfuncHooks.LWT | KfuncHooks.NETFILTER;

    private const KfuncHooks XDP = KfuncHooks.XDP;
    private const KfuncHooks TC = KfuncHooks.TC;
    private const KfuncHooks TRACING = KfuncHooks.TRACING;
    private const KfuncHooks KPROBE = KfuncHooks.KPROBE;
    private const KfuncHooks CGROUP = KfuncHooks.CGROUP;
    private const KfuncHooks STRUCT_OPS = KfuncHooks.STRUCT_OPS;
    private const KfuncHooks SYSCALL = KfuncHooks.SYSCALL;
    private const KfuncHooks CPUMASK = TRACING | STRUCT_OPS | SYSCALL;
    private const KfuncHooks TEST = TC | TRACING | SYSCALL | STRUCT_OPS;

    private static readonly Dictionary<string, Kfunc> ByName = new(StringComparer.Ordinal);

    static KfuncTable()
    {
        foreach (Kfunc row in All)
            ByName.Add(row.Name, row);
    }

    /// <summary>The function called so, or null. A "___suffix" of CO-RE flavours is no part of the name.</summary>
    public static Kfunc? Find(string name)
    {
        int flavour = name.IndexOf("___", StringComparison.Ordinal);
        return ByName.GetValueOrDefault(flavour > 0 ? name[..flavour] : name);
    }

    public static readonly ImmutableArray<Kfunc> All =
    [
        // Allocated objects, lists and trees.
        new("bpf_obj_new_impl", ACQUIRE | RET_NULL, GENERIC),
        new("bpf_percpu_obj_new_impl", ACQUIRE | RET_NULL, GENERIC),
        new("bpf_obj_drop_impl", RELEASE, GENERIC),
        new("bpf_percpu_obj_drop_impl", RELEASE, GENERIC),
        new("bpf_refcount_acquire_impl", ACQUIRE | RET_NULL | RCU, GENERIC),
        new("bpf_list_push_front_impl", None, GENERIC),
        new("bpf_list_push_back_impl", None, GENERIC),
        new("bpf_list_pop_front", ACQUIRE | RET_NULL, GENERIC),
        new("bpf_list_pop_back", ACQUIRE | RET_NULL, GENERIC),
        new("bpf_list_front", RET_NULL, GENERIC),
        new("bpf_list_back", RET_NULL, GENERIC),
        new("bpf_rbtree_remove", ACQUIRE | RET_NULL, GENERIC),
        new("bpf_rbtree_add_impl", CALLBACK, GENERIC),
        new("bpf_rbtree_first", RET_NULL, GENERIC),
        new("bpf_rbtree_root", RET_NULL, GENERIC),
        new("bpf_rbtree_left", RET_NULL, GENERIC),
        new("bpf_rbtree_right", RET_NULL, GENERIC),

        // Tasks and control groups.
        new("bpf_task_acquire", ACQUIRE | RCU | RET_NULL, GENERIC),
        new("bpf_task_release", RELEASE, GENERIC),
        new("bpf_task_from_pid", ACQUIRE | RET_NULL, GENERIC),
        new("bpf_task_from_vpid", ACQUIRE | RET_NULL, GENERIC),
        new("bpf_task_under_cgroup", RCU, GENERIC),
        new("bpf_task_get_cgroup1", ACQUIRE | RCU | RET_NULL, GENERIC),
        new("bpf_cgroup_acquire", ACQUIRE | RCU | RET_NULL, GENERIC),
        new("bpf_cgroup_release", RELEASE, GENERIC),
        new("bpf_cgroup_ancestor", ACQUIRE | RCU | RET_NULL, GENERIC),
        new("bpf_cgroup_from_id", ACQUIRE | RET_NULL, GENERIC),
        new("bpf_send_signal_task", TRUSTED_ARGS, TRACING),
        new("cgroup_rstat_updated", None, TRACING),
        new("cgroup_rstat_flush", SLEEPABLE, TRACING),
        new("bpf_throw", None, GENERIC),
        new("crash_kexec", DESTRUCTIVE, GENERIC),

        // Casts and sections.
        new("bpf_cast_to_kern_ctx", None, COMMON),
        new("bpf_rdonly_cast", None, COMMON),
        new("bpf_rcu_read_lock", None, COMMON),
        new("bpf_rcu_read_unlock", None, COMMON),
        new("bpf_preempt_disable", None, COMMON),
        new("bpf_preempt_enable", None, COMMON),
        new("bpf_local_irq_save", None, COMMON),
        new("bpf_local_irq_restore", None, COMMON),
        new("bpf_res_spin_lock", RET_NULL, COMMON),
        new("bpf_res_spin_unlock", None, COMMON),
        new("bpf_res_spin_lock_irqsave", RET_NULL, COMMON),
        new("bpf_res_spin_unlock_irqrestore", None, COMMON),

        // Dynptrs.
        new("bpf_dynptr_slice", RET_NULL, COMMON),
        new("bpf_dynptr_slice_rdwr", RET_NULL, COMMON),
        new("bpf_dynptr_adjust", None, COMMON),
        new("bpf_dynptr_is_null", None, COMMON),
        new("bpf_dynptr_is_rdonly", None, COMMON),
        new("bpf_dynptr_size", None, COMMON),
        new("bpf_dynptr_clone", None, COMMON),
        new("bpf_dynptr_copy", None, COMMON),
        new("bpf_dynptr_memset", None, COMMON),
        new("bpf_dynptr_from_skb", TRUSTED_ARGS, SKB),
        new("bpf_dynptr_from_xdp", None, XDP),

        // Iterators.
        new("bpf_iter_num_new", ITER_NEW, COMMON),
        new("bpf_iter_num_next", ITER_NEXT | RET_NULL, COMMON),
        new("bpf_iter_num_destroy", ITER_DESTROY, COMMON),
        new("bpf_iter_task_vma_new", ITER_NEW | RCU, COMMON),
        new("bpf_iter_task_vma_next", ITER_NEXT | RET_NULL, COMMON),
        new("bpf_iter_task_vma_destroy", ITER_DESTROY, COMMON),
        new("bpf_iter_css_task_new", ITER_NEW | TRUSTED_ARGS, COMMON),
        new("bpf_iter_css_task_next", ITER_NEXT | RET_NULL, COMMON),
        new("bpf_iter_css_task_destroy", ITER_DESTROY, COMMON),
        new("bpf_iter_css_new", ITER_NEW | TRUSTED_ARGS | RCU_PROTECTED, COMMON),
        new("bpf_iter_css_next", ITER_NEXT | RET_NULL, COMMON),
        new("bpf_iter_css_destroy", ITER_DESTROY, COMMON),
        new("bpf_iter_task_new", ITER_NEW | TRUSTED_ARGS | RCU_PROTECTED, COMMON),
        new("bpf_iter_task_next", ITER_NEXT | RET_NULL, COMMON),
        new("bpf_iter_task_destroy", ITER_DESTROY, COMMON),
        new("bpf_iter_bits_new", ITER_NEW, COMMON),
        new("bpf_iter_bits_next", ITER_NEXT | RET_NULL, COMMON),
        new("bpf_iter_bits_destroy", ITER_DESTROY, COMMON),
        new("bpf_iter_kmem_cache_new", ITER_NEW | SLEEPABLE, COMMON),
        new("bpf_iter_kmem_cache_next", ITER_NEXT | RET_NULL | SLEEPABLE, COMMON),
        new("bpf_iter_kmem_cache_destroy", ITER_DESTROY | SLEEPABLE, COMMON),
        new("bpf_get_kmem_cache", RET_NULL, COMMON),

        // Work queues, arenas, maps, user memory.
        new("bpf_wq_init", None, COMMON),
        new("bpf_wq_set_callback_impl", CALLBACK | ASYNC, COMMON),
        new("bpf_wq_start", None, COMMON),
        new("bpf_arena_alloc_pages", TRUSTED_ARGS | SLEEPABLE, COMMON),
        new("bpf_arena_free_pages", TRUSTED_ARGS | SLEEPABLE, COMMON),
        new("bpf_map_sum_elem_count", TRUSTED_ARGS, COMMON),
        new("bpf_copy_from_user_str", SLEEPABLE, COMMON),

        // Processor masks.
        new("bpf_cpumask_create", ACQUIRE | RET_NULL, CPUMASK),
        new("bpf_cpumask_release", RELEASE, CPUMASK),
        new("bpf_cpumask_acquire", ACQUIRE | TRUSTED_ARGS, CPUMASK),
        new("bpf_cpumask_first", RCU, CPUMASK),
        new("bpf_cpumask_first_zero", RCU, CPUMASK),
        new("bpf_cpumask_first_and", RCU, CPUMASK),
        new("bpf_cpumask_set_cpu", RCU, CPUMASK),
        new("bpf_cpumask_clear_cpu", RCU, CPUMASK),
        new("bpf_cpumask_test_cpu", RCU, CPUMASK),
        new("bpf_cpumask_test_and_set_cpu", RCU, CPUMASK),
        new("bpf_cpumask_test_and_clear_cpu", RCU, CPUMASK),
        new("bpf_cpumask_setall", RCU, CPUMASK),
        new("bpf_cpumask_clear", RCU, CPUMASK),
        new("bpf_cpumask_and", RCU, CPUMASK),
        new("bpf_cpumask_or", RCU, CPUMASK),
        new("bpf_cpumask_xor", RCU, CPUMASK),
        new("bpf_cpumask_equal", RCU, CPUMASK),
        new("bpf_cpumask_intersects", RCU, CPUMASK),
        new("bpf_cpumask_subset", RCU, CPUMASK),
        new("bpf_cpumask_empty", RCU, CPUMASK),
        new("bpf_cpumask_full", RCU, CPUMASK),
        new("bpf_cpumask_copy", RCU, CPUMASK),
        new("bpf_cpumask_any_distribute", RCU, CPUMASK),
        new("bpf_cpumask_any_and_distribute", RCU, CPUMASK),
        new("bpf_cpumask_weight", RCU, CPUMASK),

        // Keys, files, cryptography.
        new("bpf_lookup_user_key", ACQUIRE | RET_NULL | SLEEPABLE, TRACING),
        new("bpf_lookup_system_key", ACQUIRE | RET_NULL, TRACING),
        new("bpf_key_put", RELEASE, TRACING),
        new("bpf_verify_pkcs7_signature", SLEEPABLE, TRACING),
        new("bpf_get_task_exe_file", ACQUIRE | TRUSTED_ARGS | RET_NULL | LSM_ONLY, TRACING),
        new("bpf_put_file", RELEASE | LSM_ONLY, TRACING),
        new("bpf_path_d_path", TRUSTED_ARGS | LSM_ONLY, TRACING),
        new("bpf_get_dentry_xattr", SLEEPABLE | TRUSTED_ARGS | LSM_ONLY, TRACING),
        new("bpf_get_file_xattr", SLEEPABLE | TRUSTED_ARGS | LSM_ONLY, TRACING),
        new("bpf_get_fsverity_digest", SLEEPABLE | TRUSTED_ARGS, TRACING),
        new("bpf_crypto_ctx_create", ACQUIRE | RET_NULL | SLEEPABLE, SYSCALL),
        new("bpf_crypto_ctx_release", RELEASE, SYSCALL),
        new("bpf_crypto_ctx_acquire", ACQUIRE | RCU | RET_NULL, SYSCALL),
        new("bpf_crypto_encrypt", RCU, TC | XDP),
        new("bpf_crypto_decrypt", RCU, TC | XDP),

        // Networking.
        new("bpf_sock_addr_set_sun_path", None, CGROUP),
        new("bpf_sk_assign_tcp_reqsk", TRUSTED_ARGS, TC),
        new("bpf_sock_destroy", TRUSTED_ARGS | ITERATORS_ONLY, TRACING),
        new("bpf_xdp_metadata_rx_timestamp", TRUSTED_ARGS, XDP),
        new("bpf_xdp_metadata_rx_hash", TRUSTED_ARGS, XDP),
        new("bpf_xdp_metadata_rx_vlan_tag", TRUSTED_ARGS, XDP),
        new("bpf_xdp_ct_alloc", ACQUIRE | RET_NULL, XDP),
        new("bpf_xdp_ct_lookup", ACQUIRE | RET_NULL, XDP),
        new("bpf_skb_ct_alloc", ACQUIRE | RET_NULL, TC),
        new("bpf_skb_ct_lookup", ACQUIRE | RET_NULL, TC),
        new("bpf_ct_insert_entry", ACQUIRE | RET_NULL | RELEASE, XDP | TC),
        new("bpf_ct_release", RELEASE, XDP | TC),
        new("bpf_ct_set_timeout", TRUSTED_ARGS, XDP | TC),
        new("bpf_ct_change_timeout", TRUSTED_ARGS, XDP | TC),
        new("bpf_ct_set_status", TRUSTED_ARGS, XDP | TC),
        new("bpf_ct_change_status", TRUSTED_ARGS, XDP | TC),
        new("bpf_ct_set_nat_info", TRUSTED_ARGS, XDP | TC),
        new("bpf_skb_set_fou_encap", None, TC),
        new("bpf_skb_get_fou_encap", None, TC),
        new("bpf_skb_get_xfrm_info", RET_NULL, TC),
        new("bpf_skb_set_xfrm_info", None, TC),
        new("bpf_xdp_get_xfrm_state", RET_NULL | ACQUIRE, XDP),
        new("bpf_xdp_xfrm_state_release", RELEASE, XDP),
        new("bpf_xdp_flow_lookup", TRUSTED_ARGS | RET_NULL, XDP),
        new("tcp_reno_ssthresh", None, STRUCT_OPS),
        new("tcp_reno_cong_avoid", None, STRUCT_OPS),
        new("tcp_reno_undo_cwnd", None, STRUCT_OPS),
        new("tcp_slow_start", None, STRUCT_OPS),
        new("tcp_cong_avoid_ai", None, STRUCT_OPS),
        new("cubictcp_init", None, STRUCT_OPS),
        new("cubictcp_recalc_ssthresh", None, STRUCT_OPS),
        new("cubictcp_cong_avoid", None, STRUCT_OPS),
        new("cubictcp_state", None, STRUCT_OPS),
        new("cubictcp_cwnd_event", None, STRUCT_OPS),
        new("cubictcp_acked", None, STRUCT_OPS),

        // Probe sessions.
        new("bpf_session_is_return", None, KPROBE),
        new("bpf_session_cookie", None, KPROBE),

        // bpf_testmod of the kernel's selftests.
        new("bpf_kfunc_common_test", None, TEST),
        new("bpf_kfunc_dynptr_test", None, TEST),
        new("bpf_kfunc_call_test1", None, TEST),
        new("bpf_kfunc_call_test2", None, TEST),
        new("bpf_kfunc_call_test3", None, TEST),
        new("bpf_kfunc_call_test4", None, TEST),
        new("bpf_kfunc_call_test_acquire", ACQUIRE | RET_NULL, TEST),
        new("bpf_kfunc_call_test_release", RELEASE, TEST),
        new("bpf_kfunc_call_test_ref", TRUSTED_ARGS | RCU, TEST),
        new("bpf_kfunc_call_test_sleepable", SLEEPABLE, TEST),
        new("bpf_kfunc_call_test_destructive", DESTRUCTIVE, TEST),
        new("bpf_kfunc_call_test_get_rdwr_mem", RET_NULL, TEST),
        new("bpf_kfunc_call_test_get_rdonly_mem", RET_NULL, TEST),
        new("bpf_kfunc_call_test_mem_len_pass1", None, TEST),
        new("bpf_kfunc_call_test_pass_ctx", None, TEST),
        new("bpf_kfunc_call_test_pass1", None, TEST),
        new("bpf_kfunc_call_test_pass2", None, TEST),
        new("bpf_kfunc_call_test_fail1", None, TEST),
        new("bpf_kfunc_call_test_fail2", None, TEST),
        new("bpf_kfunc_call_test_fail3", None, TEST),
        new("bpf_kfunc_trusted_vma_test", TRUSTED_ARGS, TEST),
        new("bpf_kfunc_trusted_task_test", TRUSTED_ARGS, TEST),
        new("bpf_kfunc_trusted_num_test", TRUSTED_ARGS, TEST),
        new("bpf_kfunc_rcu_task_test", RCU, TEST),
        new("bpf_kfunc_nested_acquire_nonzero_offset_test", ACQUIRE, TEST),
        new("bpf_kfunc_nested_acquire_zero_offset_test", ACQUIRE, TEST),
        new("bpf_kfunc_nested_release_test", RELEASE, TEST),
        new("bpf_kfunc_st_ops_test_prologue", TRUSTED_ARGS | SLEEPABLE, STRUCT_OPS | SYSCALL),
        new("bpf_kfunc_st_ops_test_epilogue", TRUSTED_ARGS | SLEEPABLE, STRUCT_OPS | SYSCALL),
        new("bpf_kfunc_st_ops_test_pro_epilogue", TRUSTED_ARGS | SLEEPABLE, STRUCT_OPS | SYSCALL),
        new("bpf_testmod_test_mod_kfunc", None, COMMON),
        new("bpf_testmod_ctx_create", ACQUIRE | RET_NULL, TEST),
        new("bpf_testmod_ctx_release", RELEASE, TEST),
        new("bpf_iter_testmod_seq_new", ITER_NEW, COMMON),
        new("bpf_iter_testmod_seq_next", ITER_NEXT | RET_NULL, COMMON),
        new("bpf_iter_testmod_seq_destroy", ITER_DESTROY, COMMON),
        new("bpf_iter_testmod_seq_value", None, COMMON),
    ];
}
