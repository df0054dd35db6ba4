using System.Collections.Immutable;

namespace BpfPpcc.Verification.Catalog;

/// <summary>What a load of a context field gives.</summary>
internal enum ContextValue : byte
{
    SCALAR,
    PACKET,
    PACKET_META,
    PACKET_END,
    SOCKET,
    SOCKET_OR_NULL,
    SOCK_COMMON_OR_NULL,
    FLOW_KEYS,

    /// <summary>The writable buffer of a raw tracepoint.</summary>
    TP_BUFFER,

    /// <summary>A trusted kernel pointer; <see cref="ContextMember.Btf"/> names the struct.</summary>
    BTF_ID,
}

/// <summary>How a context field may be accessed.</summary>
[Flags]
internal enum ContextAccess : byte
{
    None = 0,
    READ = 1,
    WRITE = 2,
    READ_WRITE = READ | WRITE,

    /// <summary>Reads may be of fewer bytes, at any offset that is a multiple of their size.</summary>
    NARROW = 4,

    /// <summary>Reads may be of fewer bytes, at the start of the unit only.</summary>
    NARROW_AT_START = 8,

    /// <summary>Reads and writes of any size from 1 to 8, aligned to their size.</summary>
    ANY_SIZE = 16,

    /// <summary>Besides the unit, reads and writes of 8 bytes aligned to 8.</summary>
    WIDE = 32,

    /// <summary>Reads of two bytes and up only.</summary>
    NARROW_TO_16 = 64,

    /// <summary>Padding follows, up to 4 bytes in all: a read of the 4 bytes is allowed.</summary>
    PADDED = 128,
}

/// <summary>A field of a context struct, or an array of fields.</summary>
/// <param name="Name">As the UAPI names it.</param>
/// <param name="Size">Bytes of the whole field or array.</param>
/// <param name="Unit">Bytes of a plain access.</param>
/// <param name="Btf">For <see cref="ContextValue.BTF_ID"/>: name of the kernel's struct.</param>
internal readonly record struct ContextMember(
    string Name, int Offset, int Size, int Unit, ContextAccess Access, ContextValue Value = ContextValue.SCALAR, string? Btf = null)
{
    public bool Allows(int offset, int size, bool isWrite)
    {
        if ((Access & (isWrite ? ContextAccess.WRITE : ContextAccess.READ)) == 0 || offset % size != 0)
            return false;
        if ((Access & ContextAccess.PADDED) != 0 && offset == Offset && size == 4)
            return !isWrite;
        if (offset + size > Offset + Size)
            return false;
        if ((Access & ContextAccess.ANY_SIZE) != 0)
            return true;
        int inUnit = (offset - Offset) % Unit;
        if (size == Unit)
            return inUnit == 0;
        if (size > Unit)
            return size == 8 && (Access & ContextAccess.WIDE) != 0;
        if (isWrite || inUnit + size > Unit)
            return false;
        if ((Access & ContextAccess.NARROW_TO_16) != 0)
            return size >= 2;
        return (Access & ContextAccess.NARROW) != 0 || (Access & ContextAccess.NARROW_AT_START) != 0 && inUnit == 0;
    }
}

/// <summary>How the arguments of a program are given to it.</summary>
internal enum ContextForm : byte
{
    /// <summary>A struct with the fields listed, and nothing between them.</summary>
    Fields,

    /// <summary>Memory that may be read as numbers of any size aligned to it, from <see cref="ContextLayout.Start"/>.</summary>
    Memory,

    /// <summary>As Memory, and written as well.</summary>
    WritableMemory,

    /// <summary>An array of 8-byte slots, one for each argument of the function or tracepoint, with types by BTF.</summary>
    TypedArguments,

    /// <summary>A struct that BTF describes (iterators: bpf_iter__NAME).</summary>
    TypedStruct,
}

/// <summary>What a program may do with its context.</summary>
/// <param name="Name">Name of the UAPI struct, or what stands for it.</param>
/// <param name="Size">Bytes; offsets from here on are outside.</param>
/// <param name="Start">For memory: bytes at the beginning that may not be read.</param>
/// <param name="Members">For fields, by offset.</param>
internal sealed record ContextLayout(string Name, ContextForm Form, int Size, ImmutableArray<ContextMember> Members, int Start = 0)
{
    /// <summary>
    /// Whether <paramref name="size"/> bytes at <paramref name="offset"/> may be accessed. <paramref name="member"/> is the field that is
    /// touched, also if it may not be, for messages; null if there is none or the layout has no fields.
    /// Typed forms are decided by BTF: here only their bounds are.
    /// </summary>
    public bool Allows(int offset, int size, bool isWrite, out ContextMember? member)
    {
        member = Find(offset);
        if (offset < Start || offset > Size - size)
            return false;
        return Form switch
        {
            ContextForm.Fields => member is { } field && field.Allows(offset, size, isWrite),
            ContextForm.Memory => !isWrite && offset % size == 0 && (member is not { } special || special.Allows(offset, size, isWrite)),
            ContextForm.WritableMemory => offset % size == 0,
            ContextForm.TypedArguments => !isWrite && offset % 8 == 0,
            ContextForm.TypedStruct => !isWrite && offset % size == 0,
        };
    }

    private ContextMember? Find(int offset)
    {
        foreach (ContextMember member in Members)
        {
            if (offset >= member.Offset && offset < member.Offset + member.Size)
                return member;
        }

        return null;
    }
}
