namespace BpfPpcc.Btf;

/// <summary>What a 32-bit word of a type is.</summary>
internal enum BtfWordKind
{
    /// <summary>A number: a size, an offset, a value.</summary>
    Number,

    /// <summary>Offset of a name in the string section.</summary>
    String,

    /// <summary>Type id.</summary>
    Type,
}

/// <summary>Which words of a type are ids and names, by kind (btf.rst, 2.2). It is all that copying types needs to know.</summary>
internal static class BtfWords
{
    /// <summary>SizeOrType of the common part is a type id.</summary>
    public static bool RefersToType(BtfKind kind) => kind switch
    {
        BtfKind.PTR or BtfKind.TYPEDEF or BtfKind.VOLATILE or BtfKind.CONST or BtfKind.RESTRICT or BtfKind.FUNC or BtfKind.FUNC_PROTO
            or BtfKind.VAR or BtfKind.DECL_TAG or BtfKind.TYPE_TAG => true,
        BtfKind.VOID or BtfKind.INT or BtfKind.ARRAY or BtfKind.STRUCT or BtfKind.UNION or BtfKind.ENUM or BtfKind.FWD or BtfKind.DATASEC
            or BtfKind.FLOAT or BtfKind.ENUM64 => false,
    };

    /// <summary>Word <paramref name="index"/> behind the common part.</summary>
    public static BtfWordKind KindOf(BtfKind kind, int index) => kind switch
    {
        BtfKind.ARRAY => index < 2 ? BtfWordKind.Type : BtfWordKind.Number,
        BtfKind.STRUCT or BtfKind.UNION => Of(index % 3, name: 0, type: 1),
        BtfKind.FUNC_PROTO => Of(index % 2, name: 0, type: 1),
        BtfKind.ENUM => Of(index % 2, name: 0, type: -1),
        BtfKind.ENUM64 => Of(index % 3, name: 0, type: -1),
        BtfKind.DATASEC => Of(index % 3, name: -1, type: 0),
        BtfKind.VOID or BtfKind.INT or BtfKind.PTR or BtfKind.FWD or BtfKind.TYPEDEF or BtfKind.VOLATILE or BtfKind.CONST or BtfKind.RESTRICT
            or BtfKind.FUNC or BtfKind.VAR or BtfKind.FLOAT or BtfKind.DECL_TAG or BtfKind.TYPE_TAG => BtfWordKind.Number,
    };

    /// <summary>Number of words behind the common part.</summary>
    public static int CountOf(BtfType type) => (int)(BtfParser.DataLength(type.Kind, (uint)type.Length) / 4);

    private static BtfWordKind Of(int index, int name, int type) =>
        index == name ? BtfWordKind.String : index == type ? BtfWordKind.Type : BtfWordKind.Number;
}
