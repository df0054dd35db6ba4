namespace BpfPpcc.Verification.Catalog;

/// <summary>
/// What a helper wants in an argument register: the kernel's enum bpf_arg_type without ARG_ and PTR_TO_; what it adds by flags there is
/// <see cref="ArgumentFlags"/> here.
/// </summary>
internal enum ArgumentKind : byte
{
    /// <summary>Any initialised value; the helper does not follow it.</summary>
    ANYTHING,

    /// <summary>A number.</summary>
    SCALAR,

    /// <summary>A map, known at this instruction. Key and value arguments that follow belong to it.</summary>
    CONST_MAP_PTR,

    /// <summary>Memory of the map's key size, initialised: stack, packet (if the helper may), map value or key, memory.</summary>
    MAP_KEY,

    /// <summary>Memory of the map's value size.</summary>
    MAP_VALUE,

    /// <summary>Memory whose size is the next argument.</summary>
    MEM,

    /// <summary>The size of the preceding MEM, at least 1; a constant upper bound is needed.</summary>
    CONST_SIZE,

    /// <summary>The size of the preceding MEM, zero allowed.</summary>
    CONST_SIZE_OR_ZERO,

    /// <summary>Memory of <see cref="ArgumentType.Size"/> bytes.</summary>
    FIXED_SIZE_MEM,

    /// <summary>The program's context as it was given: no offset.</summary>
    CTX,

    /// <summary>A sock_common, sock, tcp_sock or xdp_sock of the UAPI.</summary>
    SOCK_COMMON,

    /// <summary>A full sock of the UAPI.</summary>
    SOCKET,

    /// <summary>A trusted kernel pointer to <see cref="ArgumentType.Btf"/>, or to a type that begins with it.</summary>
    BTF_ID,

    /// <summary>As SOCK_COMMON, or a trusted kernel pointer to sock_common.</summary>
    BTF_ID_SOCK_COMMON,

    /// <summary>The address of a per-cpu variable of the kernel, or a per-cpu kernel object.</summary>
    PERCPU_BTF_ID,

    /// <summary>The bpf_spin_lock of a map value or allocated object.</summary>
    SPIN_LOCK,

    /// <summary>The bpf_timer of a map value.</summary>
    TIMER,

    /// <summary>The address of a function of the program.</summary>
    FUNC,

    /// <summary>Any address on the stack; nothing is read or written by the helper itself.</summary>
    STACK,

    /// <summary>A NUL-terminated string in a read-only map whose contents are known.</summary>
    CONST_STR,

    /// <summary>The kptr field of a map value or allocated object.</summary>
    KPTR_XCHG_DEST,

    /// <summary>What is stored there: a referenced pointer of the field's type.</summary>
    KPTR,

    /// <summary>A dynptr on the stack.</summary>
    DYNPTR,

    /// <summary>What ringbuf_reserve returned, without offset.</summary>
    RINGBUF_MEM,

    /// <summary>A constant: the size of the memory that is returned.</summary>
    CONST_ALLOC_SIZE_OR_ZERO,
}

/// <summary>What goes with an <see cref="ArgumentKind"/>.</summary>
[Flags]
internal enum ArgumentFlags : ushort
{
    None = 0,

    /// <summary>NULL is allowed.</summary>
    OR_NULL = 1,

    /// <summary>The helper reads the memory: it must be initialised.</summary>
    READ = 2,

    /// <summary>The helper writes the memory: it must not be read-only, whatever kind of memory it is.</summary>
    WRITE = 4,

    /// <summary>The memory need not be initialised and is afterwards.</summary>
    UNINIT = 8,

    /// <summary>FIXED_SIZE_MEM: aligned to its size.</summary>
    ALIGNED = 16,

    /// <summary>The call releases the reference that the argument holds.</summary>
    RELEASE = 32,

    /// <summary>DYNPTR: over local memory only.</summary>
    LOCAL = 64,

    /// <summary>DYNPTR: over a reservation in a ring buffer only.</summary>
    RINGBUF = 128,
}

/// <summary>The type of one argument.</summary>
/// <param name="Size">FIXED_SIZE_MEM: bytes.</param>
/// <param name="Btf">BTF_ID: name of the kernel's struct.</param>
internal sealed record ArgumentType(ArgumentKind Kind, ArgumentFlags Flags = ArgumentFlags.None, int Size = 0, string? Btf = null)
{
    public bool IsNullable => (Flags & ArgumentFlags.OR_NULL) != 0;

    public bool IsRead => (Flags & ArgumentFlags.READ) != 0;

    public bool IsWritten => (Flags & ArgumentFlags.WRITE) != 0;

    public bool IsUninitialised => (Flags & ArgumentFlags.UNINIT) != 0;

    public bool IsReleased => (Flags & ArgumentFlags.RELEASE) != 0;
}

/// <summary>The argument types that occur, for the rows of <see cref="HelperPrototypes"/>.</summary>
internal static class ArgumentTypes
{
    private const ArgumentFlags Null = ArgumentFlags.OR_NULL;
    private const ArgumentFlags Read = ArgumentFlags.READ;
    private const ArgumentFlags Write = ArgumentFlags.WRITE;
    private const ArgumentFlags Uninit = ArgumentFlags.UNINIT | ArgumentFlags.WRITE;
    private const ArgumentFlags Release = ArgumentFlags.RELEASE;

    public static readonly ArgumentType ANYTHING = new(ArgumentKind.ANYTHING);
    public static readonly ArgumentType SCALAR = new(ArgumentKind.SCALAR);
    public static readonly ArgumentType CONST_MAP_PTR = new(ArgumentKind.CONST_MAP_PTR);
    public static readonly ArgumentType MAP_KEY = new(ArgumentKind.MAP_KEY, Read);
    public static readonly ArgumentType MAP_VALUE = new(ArgumentKind.MAP_VALUE, Read);
    public static readonly ArgumentType MAP_VALUE_OR_NULL = new(ArgumentKind.MAP_VALUE, Read | Null);
    public static readonly ArgumentType UNINIT_MAP_VALUE = new(ArgumentKind.MAP_VALUE, Uninit);
    public static readonly ArgumentType READ_MEM = new(ArgumentKind.MEM, Read);
    public static readonly ArgumentType READ_MEM_OR_NULL = new(ArgumentKind.MEM, Read | Null);

    /// <summary>Read and written.</summary>
    public static readonly ArgumentType MEM = new(ArgumentKind.MEM, Read | Write);

    /// <summary>Written only, but initialised all the same: the helper may leave a part as it was.</summary>
    public static readonly ArgumentType WRITABLE_MEM = new(ArgumentKind.MEM, Read | Write);
    public static readonly ArgumentType WRITABLE_MEM_OR_NULL = new(ArgumentKind.MEM, Read | Write | Null);
    public static readonly ArgumentType UNINIT_MEM = new(ArgumentKind.MEM, Uninit);
    public static readonly ArgumentType SIZE = new(ArgumentKind.CONST_SIZE);
    public static readonly ArgumentType SIZE_OR_ZERO = new(ArgumentKind.CONST_SIZE_OR_ZERO);
    public static readonly ArgumentType CTX = new(ArgumentKind.CTX);
    public static readonly ArgumentType CTX_OR_NULL = new(ArgumentKind.CTX, Null);
    public static readonly ArgumentType SOCK_COMMON = new(ArgumentKind.SOCK_COMMON);
    public static readonly ArgumentType SOCKET_OR_NULL = new(ArgumentKind.SOCKET, Null);
    public static readonly ArgumentType BTF_ID_SOCK_COMMON = new(ArgumentKind.BTF_ID_SOCK_COMMON);
    public static readonly ArgumentType BTF_ID_SOCK_COMMON_OR_NULL = new(ArgumentKind.BTF_ID_SOCK_COMMON, Null);
    public static readonly ArgumentType BTF_ID_SOCK_COMMON_RELEASE = new(ArgumentKind.BTF_ID_SOCK_COMMON, Release);
    public static readonly ArgumentType PERCPU_BTF_ID = new(ArgumentKind.PERCPU_BTF_ID);
    public static readonly ArgumentType SPIN_LOCK = new(ArgumentKind.SPIN_LOCK);
    public static readonly ArgumentType TIMER = new(ArgumentKind.TIMER);
    public static readonly ArgumentType FUNC = new(ArgumentKind.FUNC);
    public static readonly ArgumentType STACK_OR_NULL = new(ArgumentKind.STACK, Null);
    public static readonly ArgumentType CONST_STR = new(ArgumentKind.CONST_STR, Read);
    public static readonly ArgumentType KPTR_XCHG_DEST = new(ArgumentKind.KPTR_XCHG_DEST);
    public static readonly ArgumentType KPTR_OR_NULL = new(ArgumentKind.KPTR, Null | Release);
    public static readonly ArgumentType DYNPTR = new(ArgumentKind.DYNPTR, Read);
    public static readonly ArgumentType UNINIT_LOCAL_DYNPTR = new(ArgumentKind.DYNPTR, Uninit | ArgumentFlags.LOCAL);
    public static readonly ArgumentType UNINIT_RINGBUF_DYNPTR = new(ArgumentKind.DYNPTR, Uninit | ArgumentFlags.RINGBUF);
    public static readonly ArgumentType RINGBUF_DYNPTR_RELEASE = new(ArgumentKind.DYNPTR, Read | Release | ArgumentFlags.RINGBUF);
    public static readonly ArgumentType RINGBUF_MEM_RELEASE = new(ArgumentKind.RINGBUF_MEM, Release);
    public static readonly ArgumentType CONST_ALLOC_SIZE = new(ArgumentKind.CONST_ALLOC_SIZE_OR_ZERO);

    public static ArgumentType BTF_ID(string name) => new(ArgumentKind.BTF_ID, Btf: name);

    public static ArgumentType BTF_ID_OR_NULL(string name) => new(ArgumentKind.BTF_ID, Null, Btf: name);

    public static ArgumentType READ_FIXED_MEM(int size) => new(ArgumentKind.FIXED_SIZE_MEM, Read, size);

    public static ArgumentType WRITABLE_FIXED_MEM(int size) => new(ArgumentKind.FIXED_SIZE_MEM, Read | Write | ArgumentFlags.ALIGNED, size);

    public static ArgumentType UNINIT_FIXED_MEM(int size) => new(ArgumentKind.FIXED_SIZE_MEM, Uninit | ArgumentFlags.ALIGNED, size);
}
