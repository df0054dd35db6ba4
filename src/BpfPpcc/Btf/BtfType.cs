namespace BpfPpcc.Btf;

/// <summary>
/// The common part of a type: struct btf_type (btf.rst, 2.2). What follows it depends on the kind and is asked of <see cref="BtfTypes"/>.
/// </summary>
/// <param name="Id">The type's id; 0 is void.</param>
/// <param name="Kind">The kind.</param>
/// <param name="NameOffset">Offset of its name in the string section, 0 if anonymous.</param>
/// <param name="Length">vlen: number of members, enumerators, parameters or variables; for FUNC its <see cref="BtfLinkage"/>.</param>
/// <param name="KindFlag">kind_flag: bit fields are encoded in member offsets; enumerators are signed; FWD means a union.</param>
/// <param name="SizeOrType">Size in bytes, or the id of the type that is referred to.</param>
public readonly record struct BtfType(uint Id, BtfKind Kind, uint NameOffset, int Length, bool KindFlag, uint SizeOrType)
{
    /// <summary>A name for the same type, or the same type qualified: typedef, const, volatile, restrict, type_tag.</summary>
    public bool IsModifier => Kind is BtfKind.TYPEDEF or BtfKind.VOLATILE or BtfKind.CONST or BtfKind.RESTRICT or BtfKind.TYPE_TAG;

    /// <summary>A struct or a union.</summary>
    public bool IsComposite => Kind is BtfKind.STRUCT or BtfKind.UNION;

    /// <summary>An enum of 32-bit or 64-bit enumerators.</summary>
    public bool IsEnum => Kind is BtfKind.ENUM or BtfKind.ENUM64;
}

/// <summary>A member of a struct or union (btf.rst, 2.2.4).</summary>
/// <param name="Name">"" for an anonymous struct or union.</param>
/// <param name="Type">Type id.</param>
/// <param name="BitOffset">Offset from the start of the struct in bits.</param>
/// <param name="BitFieldSize">Width of a bit field in bits, 0 for other members.</param>
public readonly record struct BtfMember(string Name, uint Type, uint BitOffset, int BitFieldSize);

/// <summary>An array's shape (btf.rst, 2.2.3).</summary>
public readonly record struct BtfArray(uint ElementType, uint IndexType, uint Count);

/// <summary>An integer's shape (btf.rst, 2.2.1).</summary>
public readonly record struct BtfInt(BtfIntEncoding Encoding, int BitOffset, int Bits);

/// <summary>An enumerator (btf.rst, 2.2.6 and 2.2.19); the value is sign-extended if the enum is signed, else zero-extended.</summary>
public readonly record struct BtfEnumerator(string Name, long Value);

/// <summary>A parameter of a function prototype (btf.rst, 2.2.13); a last one of type 0 without a name means "...".</summary>
public readonly record struct BtfParameter(string Name, uint Type);

/// <summary>
/// A variable or function of a data section (btf.rst, 2.2.15). Of an object file, Offset and Size may be 0: its symbols count.
/// </summary>
public readonly record struct BtfSectionVariable(uint Type, uint Offset, uint Size);
