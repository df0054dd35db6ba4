using System.Collections.Immutable;

namespace BpfPpcc.Verification.Catalog;

/// <summary>What a helper leaves in r0: the kernel's enum bpf_return_type without RET_ and PTR_TO_.</summary>
internal enum ReturnKind : byte
{
    INTEGER,

    /// <summary>r0 holds nothing that may be read.</summary>
    VOID,

    /// <summary>A value of the map in the CONST_MAP_PTR argument; for maps of maps the inner map, for socket maps a socket.</summary>
    MAP_VALUE,
    MAP_VALUE_OR_NULL,

    /// <summary>Socket structs of the UAPI.</summary>
    SOCKET_OR_NULL,
    TCP_SOCK_OR_NULL,
    SOCK_COMMON_OR_NULL,

    /// <summary>Memory of the size in the CONST_ALLOC_SIZE argument, to be submitted or discarded.</summary>
    RINGBUF_MEM_OR_NULL,

    /// <summary>Memory of the size in the CONST_ALLOC_SIZE argument, within a dynptr.</summary>
    DYNPTR_MEM_OR_NULL,

    /// <summary>The per-cpu variable of the argument on one CPU: a struct by BTF or memory of its size, read-only.</summary>
    MEM_OR_BTF_ID,
    MEM_OR_BTF_ID_OR_NULL,

    /// <summary>A kernel struct; TRUSTED may be passed to functions that want trusted arguments.</summary>
    BTF_ID,
    BTF_ID_TRUSTED,
    BTF_ID_OR_NULL,

    /// <summary>What was in the kptr field, with its reference.</summary>
    KPTR_OR_NULL,

    /// <summary>Memory of <see cref="ReturnType.Size"/> bytes.</summary>
    FIXED_SIZE_MEM,
    FIXED_SIZE_MEM_OR_NULL,

    /// <summary>Memory of the size in the CONST_ALLOC_SIZE argument.</summary>
    ALLOC_MEM,
    ALLOC_MEM_OR_NULL,
}

/// <summary>The type of a result.</summary>
/// <param name="Btf">BTF_ID kinds: name of the kernel's struct.</param>
/// <param name="Size">FIXED_SIZE_MEM kinds: bytes.</param>
/// <param name="IsReadOnly">Memory kinds: it must not be written.</param>
internal sealed record ReturnType(ReturnKind Kind, string? Btf = null, int Size = 0, bool IsReadOnly = false);

[Flags]
internal enum HelperFlags : byte
{
    None = 0,

    /// <summary>Only for programs under a licence compatible with the GPL.</summary>
    GPL = 1,

    /// <summary>Only in sleepable programs, and there not inside of RCU, lock and preemption sections.</summary>
    SLEEPS = 2,

    /// <summary>Memory and key arguments may point into the packet.</summary>
    PACKET_ACCESS = 4,

    /// <summary>Moves packet data: all packet pointers are lost.</summary>
    CHANGES_PACKET = 8,

    /// <summary>The result holds a reference that must be released. So does map_lookup_elem on socket maps.</summary>
    ACQUIRES = 16,

    /// <summary>The result is the argument seen as another socket type, and lives as long as its reference.</summary>
    CASTS = 32,

    /// <summary>The result is a negative error number (-4095..-1) or at most the upper bound of the size argument.</summary>
    RETURNS_SIZE = 64,
}

/// <summary>
/// A prototype of a helper. Several helpers have more than one, for different program types; those that agree in all that is told here
/// are one row.
/// </summary>
/// <param name="Id">Number of the helper.</param>
/// <param name="Name">The helper's name, or the kernel's name of the variant, without bpf_ and _proto. Unique.</param>
/// <param name="Arguments">r1 onwards.</param>
internal sealed record HelperPrototype(
    int Id, string Name, ReturnType Returns, ImmutableArray<ArgumentType> Arguments, HelperFlags Flags = HelperFlags.None)
{
    public bool IsGplOnly => (Flags & HelperFlags.GPL) != 0;

    public bool MightSleep => (Flags & HelperFlags.SLEEPS) != 0;

    public bool HasPacketAccess => (Flags & HelperFlags.PACKET_ACCESS) != 0;

    public bool ChangesPacket => (Flags & HelperFlags.CHANGES_PACKET) != 0;

    public bool AcquiresReference => (Flags & HelperFlags.ACQUIRES) != 0;

    public bool CastsArgument => (Flags & HelperFlags.CASTS) != 0;

    public bool ReturnsSize => (Flags & HelperFlags.RETURNS_SIZE) != 0;
}

/// <summary>The return types that occur, for the rows of <see cref="HelperPrototypes"/>.</summary>
internal static class ReturnTypes
{
    public static readonly ReturnType INTEGER = new(ReturnKind.INTEGER);
    public static readonly ReturnType VOID = new(ReturnKind.VOID);
    public static readonly ReturnType TO_MAP_VALUE = new(ReturnKind.MAP_VALUE);
    public static readonly ReturnType TO_MAP_VALUE_OR_NULL = new(ReturnKind.MAP_VALUE_OR_NULL);
    public static readonly ReturnType TO_SOCKET_OR_NULL = new(ReturnKind.SOCKET_OR_NULL);
    public static readonly ReturnType TO_TCP_SOCK_OR_NULL = new(ReturnKind.TCP_SOCK_OR_NULL);
    public static readonly ReturnType TO_SOCK_COMMON_OR_NULL = new(ReturnKind.SOCK_COMMON_OR_NULL);
    public static readonly ReturnType TO_RINGBUF_MEM_OR_NULL = new(ReturnKind.RINGBUF_MEM_OR_NULL);
    public static readonly ReturnType TO_DYNPTR_MEM_OR_NULL = new(ReturnKind.DYNPTR_MEM_OR_NULL);
    public static readonly ReturnType TO_MEM_OR_BTF_ID = new(ReturnKind.MEM_OR_BTF_ID);
    public static readonly ReturnType TO_MEM_OR_BTF_ID_OR_NULL = new(ReturnKind.MEM_OR_BTF_ID_OR_NULL);
    public static readonly ReturnType TO_KPTR_OR_NULL = new(ReturnKind.KPTR_OR_NULL);

    public static ReturnType TO_BTF_ID(string name) => new(ReturnKind.BTF_ID, name);

    public static ReturnType TO_BTF_ID_TRUSTED(string name) => new(ReturnKind.BTF_ID_TRUSTED, name);

    public static ReturnType TO_BTF_ID_OR_NULL(string name) => new(ReturnKind.BTF_ID_OR_NULL, name);
}
