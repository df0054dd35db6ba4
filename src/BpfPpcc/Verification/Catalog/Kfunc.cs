using BpfPpcc.Bpf;

namespace BpfPpcc.Verification.Catalog;

/// <summary>
/// What is to be known of a kernel function besides its prototype: the KF_ flags of Linux (Documentation/bpf/kfuncs.rst).
/// </summary>
[Flags]
internal enum KfuncFlags : ushort
{
    None = 0,

    /// <summary>The result holds a reference.</summary>
    ACQUIRE = 1,

    /// <summary>The reference of the one referenced argument is released.</summary>
    RELEASE = 2,
    RET_NULL = 4,

    /// <summary>Pointers to kernel structs must be trusted and without offset.</summary>
    TRUSTED_ARGS = 8,

    /// <summary>As TRUSTED_ARGS, or protected by an RCU section.</summary>
    RCU = 16,
    SLEEPABLE = 32,

    /// <summary>The caller needs the right to reboot.</summary>
    DESTRUCTIVE = 64,
    ITER_NEW = 128,
    ITER_NEXT = 256,
    ITER_DESTROY = 512,

    /// <summary>ITER_NEW: the iterator lives within one RCU section.</summary>
    RCU_PROTECTED = 1024,

    /// <summary>One argument is a function of the program: called before the kernel function returns, or later with ASYNC.</summary>
    CALLBACK = 2048,
    ASYNC = 4096,

    /// <summary>Of tracing programs, iterators only: the filter that the kernel registers with the function.</summary>
    ITERATORS_ONLY = 8192,

    /// <summary>Of tracing programs, those of LSM only.</summary>
    LSM_ONLY = 16384,
}

/// <summary>Groups of program types for which kernel functions are registered.</summary>
[Flags]
internal enum KfuncHooks : ushort
{
    None = 0,
    XDP = 1,
    TC = 2,
    STRUCT_OPS = 4,
    TRACING = 8,
    SYSCALL = 16,
    CGROUP = 32,
    SCHED_ACT = 64,
    SK_SKB = 128,
    SOCKET_FILTER = 256,
    LWT = 512,
    NETFILTER = 1024,
    KPROBE = 2048,
    OTHER = 4096,

    /// <summary>Registered for all.</summary>
    COMMON = 8191,
}

/// <summary>A kernel function that programs may call by BTF.</summary>
internal sealed record Kfunc(string Name, KfuncFlags Flags, KfuncHooks Hooks)
{
    public bool Has(KfuncFlags flag) => (Flags & flag) != 0;

    /// <summary>Whether programs of a kind may call it.</summary>
    public bool IsAllowedIn(in ProgramKind kind) => (Hooks & HookOf(kind.Type)) != 0 && (!Has(KfuncFlags.ITERATORS_ONLY) || kind.IsIterator) && (!Has(KfuncFlags.LSM_ONLY) || kind.Type == BpfProgramType.LSM);

    /// <summary>An argument of TRUSTED_ARGS, RCU and iterator functions must not be NULL unless its name says so.</summary>
    public bool WantsTrusted => Has(KfuncFlags.TRUSTED_ARGS | KfuncFlags.RELEASE);

    private static KfuncHooks HookOf(BpfProgramType type) => type switch
    {
        BpfProgramType.XDP => KfuncHooks.XDP,
        BpfProgramType.SCHED_CLS => KfuncHooks.TC,
        BpfProgramType.SCHED_ACT => KfuncHooks.SCHED_ACT,
        BpfProgramType.STRUCT_OPS => KfuncHooks.STRUCT_OPS,
        BpfProgramType.TRACING or BpfProgramType.LSM or BpfProgramType.TRACEPOINT or BpfProgramType.PERF_EVENT => KfuncHooks.TRACING,
        BpfProgramType.SYSCALL => KfuncHooks.SYSCALL,
        BpfProgramType.CGROUP_SKB or BpfProgramType.CGROUP_SOCK or BpfProgramType.CGROUP_DEVICE or BpfProgramType.CGROUP_SOCK_ADDR
            or BpfProgramType.CGROUP_SOCKOPT or BpfProgramType.CGROUP_SYSCTL or BpfProgramType.SOCK_OPS => KfuncHooks.CGROUP,
        BpfProgramType.SK_SKB => KfuncHooks.SK_SKB,
        BpfProgramType.SOCKET_FILTER => KfuncHooks.SOCKET_FILTER,
        BpfProgramType.LWT_IN or BpfProgramType.LWT_OUT or BpfProgramType.LWT_XMIT or BpfProgramType.LWT_SEG6LOCAL => KfuncHooks.LWT,
        BpfProgramType.NETFILTER => KfuncHooks.NETFILTER,
        BpfProgramType.KPROBE => KfuncHooks.KPROBE,
        BpfProgramType.UNSPEC or BpfProgramType.SK_MSG or BpfProgramType.RAW_TRACEPOINT or BpfProgramType.LIRC_MODE2
            or BpfProgramType.SK_REUSEPORT or BpfProgramType.FLOW_DISSECTOR or BpfProgramType.RAW_TRACEPOINT_WRITABLE
            or BpfProgramType.EXT or BpfProgramType.SK_LOOKUP => KfuncHooks.OTHER,
    };
}

/// <summary>
/// What the name of a kernel function's parameter says of it (Documentation/bpf/kfuncs.rst, "Annotating kfunc parameters").
/// </summary>
[Flags]
internal enum KfuncParameter : ushort
{
    None = 0,

    /// <summary>__sz: bytes of the memory in the parameter before.</summary>
    SIZE = 1,

    /// <summary>__szk: as SIZE, and a constant.</summary>
    CONST_SIZE = 2,

    /// <summary>__k: a constant that means something; with bpf_obj_new the type's BTF id.</summary>
    CONSTANT = 4,

    /// <summary>__ign: not looked at; filled in by the loader.</summary>
    IGNORED = 8,

    /// <summary>__uninit: written only.</summary>
    UNINIT = 16,

    /// <summary>__alloc: an object from bpf_obj_new.</summary>
    ALLOCATED = 32,

    /// <summary>__refcounted_kptr: an object with a bpf_refcount.</summary>
    REFCOUNTED = 64,

    /// <summary>__nullable.</summary>
    NULLABLE = 128,

    /// <summary>__opt: memory that may be NULL, with the size after it.</summary>
    OPTIONAL = 256,

    /// <summary>__str: a constant string.</summary>
    STRING = 512,

    /// <summary>__map: a map.</summary>
    MAP = 1024,

    /// <summary>__prog: the program itself, filled in by the loader.</summary>
    PROGRAM = 2048,

    /// <summary>rdonly_buf_size, rdwr_buf_size: a constant, the size of the memory that is returned.</summary>
    RETURNED_SIZE = 4096,
    RETURNED_READONLY = 8192,

    /// <summary>__irq_flag: the word in which bpf_local_irq_save keeps the state.</summary>
    IRQ_FLAG = 16384,
}

/// <summary>Reads parameter names.</summary>
internal static class KfuncParameters
{
    private static readonly (string Suffix, KfuncParameter Role)[] Suffixes =
    [
        ("__sz", KfuncParameter.SIZE),
        ("__szk", KfuncParameter.CONST_SIZE),
        ("__k", KfuncParameter.CONSTANT),
        ("__ign", KfuncParameter.IGNORED),
        ("__uninit", KfuncParameter.UNINIT),
        ("__alloc", KfuncParameter.ALLOCATED),
        ("__refcounted_kptr", KfuncParameter.REFCOUNTED),
        ("__nullable", KfuncParameter.NULLABLE),
        ("__opt", KfuncParameter.OPTIONAL),
        ("__str", KfuncParameter.STRING),
        ("__map", KfuncParameter.MAP),
        ("__prog", KfuncParameter.PROGRAM),
        ("__irq_flag", KfuncParameter.IRQ_FLAG),
    ];

    public static KfuncParameter RoleOf(string name)
    {
        if (name is "rdonly_buf_size")
            return KfuncParameter.RETURNED_SIZE | KfuncParameter.RETURNED_READONLY;
        if (name is "rdwr_buf_size")
            return KfuncParameter.RETURNED_SIZE;
        KfuncParameter roles = KfuncParameter.None;
        foreach ((string suffix, KfuncParameter role) in Suffixes)
        {
            if (name.EndsWith(suffix, StringComparison.Ordinal))
                roles |= role;
        }

        return roles;
    }
}
