using BpfPpcc.Btf;

namespace BpfPpcc.Verification.Walk;

/// <summary>What the arguments of a call that is being checked told.</summary>
internal sealed class CallArguments
{
    /// <summary>Of the callee, for messages.</summary>
    public required string Name { get; init; }

    public MapInfo? Map { get; set; }

    public int MapId { get; set; }

    /// <summary>Upper bound of the size argument.</summary>
    public long MaximumSize { get; set; }

    /// <summary>The constant size of memory that the call gives.</summary>
    public long AllocatedSize { get; set; }

    /// <summary>The resource that one of the arguments holds; 0 if none.</summary>
    public int ReferenceId { get; set; }

    /// <summary>The argument register whose resource is given back, or 0.</summary>
    public int ReleasedRegister { get; set; }

    /// <summary>The function that is called back, or -1.</summary>
    public int Callback { get; set; } = -1;

    /// <summary>Memory on the stack that is written without having been initialised: register and size.</summary>
    public (int Register, long Size) RawMemory { get; set; }

    /// <summary>The memory argument to come may be uninitialised.</summary>
    public bool IsRaw { get; set; }

    public int DynptrId { get; set; }

    public DynptrKind Dynptr { get; set; }

    public int DynptrReferenceId { get; set; }

    public BtfTypes? ResultBtf { get; set; }

    public uint ResultType { get; set; }

    public SpecialField? Kptr { get; set; }
}
