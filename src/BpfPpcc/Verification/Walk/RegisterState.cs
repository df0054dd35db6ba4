using BpfPpcc.Btf;
using BpfPpcc.Verification.Domain;

namespace BpfPpcc.Verification.Walk;

/// <summary>What a register holds; Linux's enum bpf_reg_type without its modifiers.</summary>
internal enum RegisterKind : byte
{
    /// <summary>Nothing that may be read.</summary>
    NotInit,
    Scalar,
    Context,

    /// <summary>The address of a map's descriptor.</summary>
    MapPointer,
    MapValue,
    MapKey,
    Stack,
    PacketMeta,
    Packet,
    PacketEnd,
    FlowKeys,
    Socket,
    SockCommon,
    TcpSock,
    XdpSock,

    /// <summary>A piece of memory of <see cref="RegisterState.Size"/> bytes.</summary>
    Memory,

    /// <summary>A buffer of a size that is checked when the program is attached.</summary>
    Buffer,
    TracepointBuffer,

    /// <summary>A kernel object or one that the program allocated, with its BTF type.</summary>
    BtfObject,
    Function,

    /// <summary>A dynptr of the caller of a global function or callback.</summary>
    Dynptr,

    /// <summary>A pointer into an arena, where every access is safe.</summary>
    Arena,
}

/// <summary>What else is known of a pointer; Linux's enum bpf_type_flag.</summary>
[Flags]
internal enum PointerFlags : ushort
{
    None = 0,
    MaybeNull = 1,
    ReadOnly = 2,

    /// <summary>Memory of the program's own objects (bpf_obj_new), or of bpf_ringbuf_reserve.</summary>
    Allocated = 4,
    PerCpu = 8,
    Trusted = 16,
    Untrusted = 32,
    Rcu = 64,
    RingBuffer = 128,

    /// <summary>Borrowed from a list or tree whose lock is held.</summary>
    NonOwning = 256,
    User = 512,
}

/// <summary>The abstract value of a register or of a spilled one. Immutable.</summary>
internal sealed record RegisterState
{
    public static readonly RegisterState NotInit = new();

    /// <summary>The variable offset of pointers without one.</summary>
    public static readonly ScalarNode NoOffset = new(ScalarBounds.Zero, -1);

    public RegisterKind Kind { get; init; }

    public PointerFlags Flags { get; init; }

    /// <summary>Of a scalar: differs by <see cref="Offset"/> from the scalars with the same id.</summary>
    public bool IsLinkedByOffset { get; init; }

    /// <summary>The constant part of a pointer's offset in bytes.</summary>
    public int Offset { get; init; }

    /// <summary>A scalar's value, or the variable part of a pointer's offset.</summary>
    public ScalarNode Value { get; init; } = NoOffset;

    /// <summary>Values with the same id, other than 0, are copies of one another (or point to the same packet, or are null together).</summary>
    public int Id { get; init; }

    /// <summary>The resource that this register holds; 0 if none.</summary>
    public int ReferenceId { get; init; }

    public MapInfo? Map { get; init; }

    /// <summary>Which inner map of a map-in-map, by lookup; 0 for maps of the object.</summary>
    public int MapId { get; init; }

    public BtfTypes? Btf { get; init; }

    public uint TypeId { get; init; }

    /// <summary>Of a packet pointer: bytes known to be in the packet from the constant offset 0 on.</summary>
    public int Range { get; init; }

    /// <summary>Of memory: size in bytes. Of a function pointer: index of the function. Of a stack pointer: number of the frame.</summary>
    public long Size { get; init; }

    /// <summary>Of a dynptr, and of memory that is part of one.</summary>
    public int DynptrId { get; init; }

    public DynptrKind Dynptr { get; init; }

    /// <summary>Where a pointer was first seen, for messages: a slot of <see cref="CodeImage"/>, or -1.</summary>
    public int Origin { get; init; } = -1;

    public bool IsScalar => Kind == RegisterKind.Scalar;

    public bool IsPointer => Kind > RegisterKind.Scalar;

    public bool MaybeNull => (Flags & PointerFlags.MaybeNull) != 0;

    public ref readonly ScalarBounds Bounds => ref Value.Bounds;

    public bool IsConstantScalar => Kind == RegisterKind.Scalar && Value.Bounds.IsConstant;

    public bool IsZero => Kind == RegisterKind.Scalar && Value.Bounds.IsConstant && Value.Bounds.ConstantValue == 0;

    public bool Has(PointerFlags flags) => (Flags & flags) == flags;

    public static RegisterState Scalar(ScalarNode value) => new() { Kind = RegisterKind.Scalar, Value = value };

    public static RegisterState UnknownScalar(int slot) => Scalar(ScalarNode.Unknown(slot));

    /// <summary>What was a pointer before the call at <paramref name="slot"/>.</summary>
    public static RegisterState FormerPointer(int slot, PointerLoss loss) => Scalar(new ScalarNode(ScalarBounds.Unknown, slot) { Loss = loss });

    public static RegisterState ConstantScalar(long value, int slot) => Scalar(ScalarNode.Constant(value, slot));
}

/// <summary>What a dynptr's data lie in; Linux's enum bpf_dynptr_type.</summary>
internal enum DynptrKind : byte
{
    None,
    Local,
    RingBuffer,
    SkBuff,
    Xdp,
}
