using BpfPpcc.Bpf;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification.Catalog;

/// <summary>The values that a program, or a function that the kernel calls back, may return in r0.</summary>
/// <param name="IsRestricted">False: anything may be returned.</param>
/// <param name="Is32">Only the low 32 bits count.</param>
internal readonly record struct ReturnRange(bool IsRestricted, int Min = 0, int Max = 0, bool Is32 = false)
{
    public static ReturnRange Any => default;

    public static ReturnRange Between(int min, int max) => new(true, min, max);
}

/// <summary>Rules by program type and attach type that are neither of helpers nor of contexts (Linux 6.12).</summary>
internal static class ProgramRules
{
    /// <summary>Callbacks of for_each_map_elem, loop, find_vma, user_ringbuf_drain and of trees: go on or stop, less or not.</summary>
    public static readonly ReturnRange CallbackReturn = ReturnRange.Between(0, 1);

    /// <summary>Callbacks that run later: timers and work queues.</summary>
    public static readonly ReturnRange AsynchronousReturn = ReturnRange.Between(0, 0);

    private const int MaximumErrno = 4095;

    /// <summary>
    /// What a program may return.
    /// </summary>
    /// <param name="isVoidHook">The function that an LSM or struct_ops program stands for returns nothing.</param>
    public static ReturnRange ReturnRangeOf(in ProgramKind kind, bool isVoidHook = false) => kind.Type switch
    {
        BpfProgramType.CGROUP_SOCK_ADDR => SockAddrReturn(kind.AttachType),
        BpfProgramType.CGROUP_SKB => ReturnRange.Between(0, kind.AttachType == AttachTypes.BPF_CGROUP_INET_EGRESS ? 3 : 1),
        BpfProgramType.CGROUP_SOCK or BpfProgramType.SOCK_OPS or BpfProgramType.CGROUP_DEVICE or BpfProgramType.CGROUP_SYSCTL
            or BpfProgramType.CGROUP_SOCKOPT or BpfProgramType.SK_LOOKUP or BpfProgramType.NETFILTER => ReturnRange.Between(0, 1),
        BpfProgramType.TRACING => kind.AttachType switch
        {
            AttachTypes.BPF_TRACE_FENTRY or AttachTypes.BPF_TRACE_FEXIT => ReturnRange.Between(0, 0),
            AttachTypes.BPF_TRACE_ITER => ReturnRange.Between(0, 1),
            _ => ReturnRange.Any,
        },
        BpfProgramType.KPROBE => kind.AttachType is AttachTypes.BPF_TRACE_KPROBE_SESSION or AttachTypes.BPF_TRACE_UPROBE_SESSION
            ? ReturnRange.Between(0, 1)
            : ReturnRange.Any,
        BpfProgramType.LSM => LsmReturn(kind, isVoidHook),
        BpfProgramType.UNSPEC or BpfProgramType.SOCKET_FILTER or BpfProgramType.SCHED_CLS or BpfProgramType.SCHED_ACT
            or BpfProgramType.TRACEPOINT or BpfProgramType.XDP or BpfProgramType.PERF_EVENT or BpfProgramType.LWT_IN
            or BpfProgramType.LWT_OUT or BpfProgramType.LWT_XMIT or BpfProgramType.SK_SKB or BpfProgramType.SK_MSG
            or BpfProgramType.RAW_TRACEPOINT or BpfProgramType.LWT_SEG6LOCAL or BpfProgramType.LIRC_MODE2 or BpfProgramType.SK_REUSEPORT
            or BpfProgramType.FLOW_DISSECTOR or BpfProgramType.RAW_TRACEPOINT_WRITABLE or BpfProgramType.STRUCT_OPS
            or BpfProgramType.EXT or BpfProgramType.SYSCALL => ReturnRange.Any,
    };

    /// <summary>Whether r0 need not even be initialised at the end.</summary>
    public static bool ReturnsNothing(in ProgramKind kind, bool isVoidHook) => isVoidHook
        && (kind.Type == BpfProgramType.STRUCT_OPS || kind.Type == BpfProgramType.LSM && kind.AttachType != AttachTypes.BPF_LSM_CGROUP);

    /// <summary>Whether packet pointers may be written through.</summary>
    public static bool MayWritePacket(BpfProgramType type) => type is BpfProgramType.SCHED_CLS or BpfProgramType.SCHED_ACT
        or BpfProgramType.XDP or BpfProgramType.LWT_XMIT or BpfProgramType.SK_SKB or BpfProgramType.SK_MSG or BpfProgramType.CGROUP_SOCKOPT;

    /// <summary>Whether packet pointers may be handed to those helpers that take them.</summary>
    public static bool MayPassPacket(BpfProgramType type) => MayWritePacket(type) || type is BpfProgramType.LWT_IN or BpfProgramType.LWT_OUT
        or BpfProgramType.LWT_SEG6LOCAL or BpfProgramType.SK_REUSEPORT or BpfProgramType.FLOW_DISSECTOR or BpfProgramType.CGROUP_SKB;

    /// <summary>Whether the type's context has packet pointers at all, so that packet memory may be read.</summary>
    public static bool HasPacket(BpfProgramType type) => MayPassPacket(type) || type == BpfProgramType.SOCK_OPS;

    /// <summary>Whether LD_ABS and LD_IND, the packet loads of classic BPF, exist for the type.</summary>
    public static bool MayUsePacketLoads(BpfProgramType type) =>
        type is BpfProgramType.SOCKET_FILTER or BpfProgramType.SCHED_CLS or BpfProgramType.SCHED_ACT;

    /// <summary>Whether a program of the kind may be loaded as sleepable.</summary>
    public static bool MayBeSleepable(in ProgramKind kind) => kind.Type switch
    {
        BpfProgramType.TRACING => kind.HasTrampoline || kind.IsIterator,
        BpfProgramType.LSM => kind.AttachType == AttachTypes.BPF_LSM_MAC && (kind.Target is null || IsSleepableLsmHook(kind.Target)),
        BpfProgramType.KPROBE or BpfProgramType.STRUCT_OPS or BpfProgramType.SYSCALL => true,
        _ => false,
    };

    /// <summary>Whether all programs of the type are sleepable.</summary>
    public static bool MustBeSleepable(BpfProgramType type) => type == BpfProgramType.SYSCALL;

    /// <summary>Whether an LSM hook (without bpf_lsm_) is called where sleeping is allowed.</summary>
    public static bool IsSleepableLsmHook(string? hook) => hook is not null && SleepableLsmHooks.Contains(hook);

    /// <summary>
    /// Whether a struct_ops program for an operation may be loaded as sleepable: kinds of operations that say nothing of it let all sleep.
    /// </summary>
    public static bool IsSleepableOperation(string structure, string operation) => structure switch
    {
        "bpf_dummy_ops" => operation == "test_sleepable",
        "sched_ext_ops" => operation is "init_task" or "cgroup_init" or "cgroup_exit" or "cgroup_prep_move" or "cpu_online" or "cpu_offline" or "init" or "exit",
        _ => true,
    };

    private static ReturnRange SockAddrReturn(int attachType) => attachType switch
    {
        AttachTypes.BPF_CGROUP_UDP4_RECVMSG or AttachTypes.BPF_CGROUP_UDP6_RECVMSG or AttachTypes.BPF_CGROUP_UNIX_RECVMSG
            or AttachTypes.BPF_CGROUP_INET4_GETPEERNAME or AttachTypes.BPF_CGROUP_INET6_GETPEERNAME
            or AttachTypes.BPF_CGROUP_UNIX_GETPEERNAME or AttachTypes.BPF_CGROUP_INET4_GETSOCKNAME
            or AttachTypes.BPF_CGROUP_INET6_GETSOCKNAME or AttachTypes.BPF_CGROUP_UNIX_GETSOCKNAME => ReturnRange.Between(1, 1),
        AttachTypes.BPF_CGROUP_INET4_BIND or AttachTypes.BPF_CGROUP_INET6_BIND => ReturnRange.Between(0, 3),
        _ => ReturnRange.Between(0, 1),
    };

    private static ReturnRange LsmReturn(in ProgramKind kind, bool isVoidHook)
    {
        if (kind.AttachType == AttachTypes.BPF_LSM_CGROUP)
            return ReturnRange.Between(isVoidHook ? 1 : 0, 1);
        if (isVoidHook)
            return ReturnRange.Any;
        return kind.Target is "audit_rule_known" or "inode_xattr_skipcap"
            ? new ReturnRange(true, 0, 1, Is32: true)
            : new ReturnRange(true, -MaximumErrno, 0, Is32: true);
    }

    private static readonly HashSet<string> SleepableLsmHooks = new(
        """
        bpf bpf_map bpf_map_create bpf_map_free bpf_prog bpf_prog_load bpf_prog_free bpf_token_create bpf_token_free bpf_token_cmd
        bpf_token_capable bprm_check_security bprm_committed_creds bprm_committing_creds bprm_creds_for_exec bprm_creds_from_file
        capget capset cred_prepare file_ioctl file_lock file_open file_post_open file_receive inode_create inode_free_security
        inode_getattr inode_getxattr inode_mknod inode_need_killpriv inode_post_setxattr inode_post_removexattr inode_readlink
        inode_rename inode_rmdir inode_setattr inode_setxattr inode_removexattr inode_symlink inode_unlink kernel_load_data
        kernel_module_request kernel_read_file key_free mmap_file path_unlink path_mkdir path_rmdir path_truncate path_symlink
        path_link path_rename path_chmod path_chown path_mknod quota_on quotactl sb_clone_mnt_opts sb_delete sb_eat_lsm_opts
        sb_kern_mount sb_mount sb_remount sb_set_mnt_opts sb_show_options sb_statfs sb_umount settime socket_accept socket_bind
        socket_connect socket_create socket_getpeername socket_getpeersec_dgram socket_getsockname socket_getsockopt socket_listen
        socket_post_create socket_recvmsg socket_sendmsg socket_shutdown socket_socketpair syslog task_alloc task_getsecid_obj
        current_getsecid_subj task_prctl task_setscheduler task_to_inode userns_create
        """.Split((char[])[' ', '\n', '\r'], StringSplitOptions.RemoveEmptyEntries),
        StringComparer.Ordinal);
}
