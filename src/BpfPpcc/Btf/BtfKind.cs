namespace BpfPpcc.Btf;

/// <summary>Kinds of BTF types (kernel documentation, bpf/btf.rst, 2.2), without their BTF_KIND_ prefix.</summary>
public enum BtfKind : byte
{
    /// <summary>Type id 0: void.</summary>
    VOID = 0,
    INT = 1,
    PTR = 2,
    ARRAY = 3,
    STRUCT = 4,
    UNION = 5,
    ENUM = 6,
    FWD = 7,
    TYPEDEF = 8,
    VOLATILE = 9,
    CONST = 10,
    RESTRICT = 11,
    FUNC = 12,
    FUNC_PROTO = 13,
    VAR = 14,
    DATASEC = 15,
    FLOAT = 16,
    DECL_TAG = 17,
    TYPE_TAG = 18,
    ENUM64 = 19,
}

/// <summary>Encoding of a BTF integer (btf.rst, 2.2.1).</summary>
[Flags]
public enum BtfIntEncoding : byte
{
    None = 0,
    SIGNED = 1,
    CHAR = 2,
    BOOL = 4,
}

/// <summary>Linkage of functions and variables (btf.rst, 2.2.12 and 2.2.14).</summary>
public enum BtfLinkage : uint
{
    STATIC = 0,
    GLOBAL = 1,
    EXTERN = 2,
}
