using BpfPpcc.Btf;
using BpfPpcc.Verification.Catalog;

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

    /// <summary>Of a call of a kernel function: what is known of it, else null.</summary>
    public Kfunc? Function { get; init; }

    /// <summary>Where the prototype of the kernel function is.</summary>
    public BtfTypes? Types { get; init; }

    /// <summary>The constant that means something: a type, a size.</summary>
    public long Constant { get; set; }

    /// <summary>The constant size of a memory argument.</summary>
    public long ConstantSize { get; set; }

    /// <summary>The size of the memory that is returned; 0 if no argument says it.</summary>
    public long ReturnedSize { get; set; }

    public bool IsReturnedReadOnly { get; set; }

    /// <summary>The object that an argument is, or that is in the list or tree.</summary>
    public BtfTypes? ObjectBtf { get; set; }

    public uint ObjectType { get; set; }

    public int NodeOffset { get; set; }

    /// <summary>The frame and slot of an iterator.</summary>
    public (int Frame, int Index)? Iterator { get; set; }

    public bool IsRcuIterator { get; set; }

    /// <summary>The register that holds a node that a list or tree takes over.</summary>
    public int NodeRegister { get; set; }
}
