using BpfPpcc.Bpf;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification.Catalog;

/// <summary>Which prototype a helper has for a program, if the program may call it at all.</summary>
internal static class HelperAccess
{
    private const int GetStack = 67;
    private const int GetTaskStack = 141;
    private const int GetFuncIp = 173;

    private static readonly HelperPrototype GetStackSleepable = HelperPrototypes.Find("get_stack_sleepable")!;
    private static readonly HelperPrototype GetTaskStackSleepable = HelperPrototypes.Find("get_task_stack_sleepable")!;
    private static readonly HelperPrototype GetFuncIpMulti = HelperPrototypes.Find("get_func_ip_multi")!;

    /// <summary>
    /// Null if programs of this kind may not call helper <paramref name="id"/>. Licence and sleeping are not looked at: the prototype says
    /// what it needs.
    /// </summary>
    public static HelperPrototype? Find(int id, in ProgramKind kind)
    {
        if (id is < 1 or > BpfHelpers.LastId || HelperLists.Of(kind.Type)[id] is not { } prototype || !IsAllowed(prototype.Name, kind))
            return null;
        return id switch
        {
            GetStack when kind.IsSleepable && kind.Type == BpfProgramType.KPROBE => GetStackSleepable,
            GetTaskStack when kind.IsSleepable => GetTaskStackSleepable,
            GetFuncIp when kind.IsMultiProbe => GetFuncIpMulti,
            _ => prototype,
        };
    }

    /// <summary>Rules by attach type and attach target, for helpers that the program type has in its list.</summary>
    private static bool IsAllowed(string name, in ProgramKind kind) => name switch
    {
        "get_retval" or "set_retval" => HasReturnValue(kind),
        "get_local_storage" => kind.Type != BpfProgramType.LSM || kind.AttachType == AttachTypes.BPF_LSM_CGROUP,
        "bind" => kind.AttachType is AttachTypes.BPF_CGROUP_INET4_CONNECT or AttachTypes.BPF_CGROUP_INET6_CONNECT,
        "sk_setsockopt" or "sk_getsockopt" => MaySetSocketOptions(kind),
        "seq_printf" or "seq_write" or "seq_printf_btf" => kind.IsIterator,
        "get_func_arg" or "get_func_ret" or "get_func_arg_cnt" => kind.HasTrampoline,
        "get_attach_cookie" => kind.Type switch
        {
            BpfProgramType.TRACING => kind.HasTrampoline || kind.AttachType == AttachTypes.BPF_TRACE_RAW_TP,
            BpfProgramType.LSM => kind.HasTrampoline,
            BpfProgramType.SYSCALL => false,
            _ => true,
        },
        "get_func_ip" => kind.Type == BpfProgramType.KPROBE || (kind.Type == BpfProgramType.TRACING && kind.HasTrampoline),
        "sk_storage_get_tracing" or "sk_storage_delete_tracing" => MayTraceSocketStorage(kind),
        "d_path" => MayResolvePaths(kind),
        "ima_inode_hash" or "ima_file_hash" => kind.IsSleepable,
        _ => true,
    };

    /// <summary>Hooks whose result the caller does not pass on have none to read or set.</summary>
    private static bool HasReturnValue(in ProgramKind kind) => kind.Type switch
    {
        BpfProgramType.LSM => kind.AttachType == AttachTypes.BPF_LSM_CGROUP,
        BpfProgramType.CGROUP_SKB or BpfProgramType.SOCK_OPS => false,
        _ => kind.AttachType is not (
            AttachTypes.BPF_CGROUP_UDP4_RECVMSG or AttachTypes.BPF_CGROUP_UDP6_RECVMSG or AttachTypes.BPF_CGROUP_UNIX_RECVMSG
            or AttachTypes.BPF_CGROUP_INET4_GETPEERNAME or AttachTypes.BPF_CGROUP_INET6_GETPEERNAME
            or AttachTypes.BPF_CGROUP_UNIX_GETPEERNAME or AttachTypes.BPF_CGROUP_INET4_GETSOCKNAME
            or AttachTypes.BPF_CGROUP_INET6_GETSOCKNAME or AttachTypes.BPF_CGROUP_UNIX_GETSOCKNAME),
    };

    private static bool MaySetSocketOptions(in ProgramKind kind) => kind.Type switch
    {
        BpfProgramType.CGROUP_SOCKOPT => kind.AttachType == AttachTypes.BPF_CGROUP_SETSOCKOPT,
        BpfProgramType.STRUCT_OPS => true,
        BpfProgramType.TRACING => kind.IsIterator && kind.Target is "tcp" or "udp" or "unix",
        BpfProgramType.LSM => kind.AttachType == AttachTypes.BPF_LSM_CGROUP && kind.Target is "sock_graft" or "inet_csk_clone"
            or "inet_conn_established" or "socket_post_create" or "socket_socketpair",
        _ => false,
    };

    /// <summary>Not from within socket storage itself.</summary>
    private static bool MayTraceSocketStorage(in ProgramKind kind) => kind.Type == BpfProgramType.TRACING && kind.AttachType switch
    {
        AttachTypes.BPF_TRACE_RAW_TP or AttachTypes.BPF_TRACE_ITER => true,
        AttachTypes.BPF_TRACE_FENTRY or AttachTypes.BPF_TRACE_FEXIT =>
            kind.Target is null || !kind.Target.StartsWith("bpf_sk_storage", StringComparison.Ordinal),
        _ => false,
    };

    /// <summary>Only where no lock is held that resolving takes.</summary>
    private static bool MayResolvePaths(in ProgramKind kind) => kind.Type switch
    {
        BpfProgramType.LSM => kind.IsSleepable || ProgramRules.IsSleepableLsmHook(kind.Target),
        BpfProgramType.TRACING => kind.IsIterator || kind.Target is "security_file_permission" or "security_inode_getattr"
            or "security_file_open" or "security_path_truncate" or "vfs_truncate" or "vfs_fallocate" or "dentry_open" or "vfs_getattr"
            or "filp_close",
        _ => false,
    };
}
