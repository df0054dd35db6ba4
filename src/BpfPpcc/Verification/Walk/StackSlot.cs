using BpfPpcc.Btf;

namespace BpfPpcc.Verification.Walk;

/// <summary>What a byte of the stack holds; Linux's enum bpf_stack_slot_type.</summary>
internal enum StackByte : byte
{
    /// <summary>Never written.</summary>
    Invalid,

    /// <summary>Part of a register that was spilled.</summary>
    Spill,

    /// <summary>Data of which nothing is known.</summary>
    Misc,
    Zero,
    Dynptr,
    Iterator,
    IrqFlag,
}

/// <summary>State of an iterator that lives on the stack.</summary>
internal enum IteratorState : byte
{
    Active,
    Drained,
}

/// <summary>
/// Eight bytes of a stack frame, lowest address first. Immutable. What is spilled stands in the lowest bytes, all eight or as many as were
/// stored.
/// </summary>
/// <param name="Bytes">Eight <see cref="StackByte"/>, that of the lowest address in the low bits.</param>
/// <param name="Value">The register that was spilled here.</param>
internal sealed record StackSlot(ulong Bytes, RegisterState? Value)
{
    private const ulong Each = 0x0101010101010101;

    public static readonly StackSlot Invalid = new(0, null);

    public static readonly StackSlot Misc = new(Each * (ulong)StackByte.Misc, null);

    /// <summary>Of a dynptr: its kind.</summary>
    public DynptrKind Dynptr { get; init; }

    /// <summary>Of the first of the slots of a dynptr or iterator (the one at the lowest address).</summary>
    public bool IsFirst { get; init; }

    /// <summary>The dynptr itself, for memory that was sliced out of it.</summary>
    public int DynptrId { get; init; }

    /// <summary>The resource that a dynptr or iterator or saved interrupt flag holds.</summary>
    public int ReferenceId { get; init; }

    public IteratorState Iterator { get; init; }

    /// <summary>How many elements an active iterator has produced.</summary>
    public int IteratorDepth { get; init; }

    public BtfTypes? Btf { get; init; }

    /// <summary>The struct of an iterator, by name.</summary>
    public string? IteratorType { get; init; }

    public bool IsRcuIterator { get; init; }

    public StackByte this[int index] => (StackByte)(byte)(Bytes >> (index * 8));

    /// <summary>Whether a register was spilled here, in whole or in part.</summary>
    public bool IsSpill => Value is not null;

    public bool IsSpecial => this[0] is StackByte.Dynptr or StackByte.Iterator or StackByte.IrqFlag;

    public int SpilledBytes
    {
        get
        {
            int count = 0;
            while (count < 8 && this[count] == StackByte.Spill)
                count++;
            return count;
        }
    }

    public static ulong All(StackByte kind) => Each * (ulong)kind;

    public static ulong With(ulong bytes, int index, StackByte kind) => bytes & ~(0xffUL << (index * 8)) | (ulong)kind << (index * 8);
}
