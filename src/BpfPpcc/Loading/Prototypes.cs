using System.Collections.Immutable;
using BpfPpcc.Btf;

namespace BpfPpcc.Loading;

/// <summary>C prototypes from BTF: how wide results and parameters are and how they are extended to 64 bits.</summary>
internal static class Prototypes
{
    private const int MaximumParameters = 255;

    private static readonly BpfScalar Pointer = new(8, IsSigned: false);
    private static readonly BpfScalar Integer = new(4, IsSigned: true);

    /// <summary>
    /// The prototype of a function that compilers call without being told to (C11, 7.24), or null. size_t has 64 bits in BPF and in the output.
    /// </summary>
    public static BpfPrototype? OfLibraryFunction(string name) => name switch
    {
        "memcpy" or "memmove" => new BpfPrototype(Pointer, [Pointer, Pointer, Pointer]),
        "memset" => new BpfPrototype(Pointer, [Pointer, Integer, Pointer]),
        "memcmp" => new BpfPrototype(Integer, [Pointer, Pointer, Pointer]),
        _ => null,
    };

    /// <summary>The prototype of a FUNC; null if it has a type that no register holds, or more parameters than anyone writes.</summary>
    public static BpfPrototype? Of(BtfTypes btf, uint function)
    {
        BtfType prototype = btf.PrototypeOf(btf[function]);
        BpfScalar? result = null;
        if (prototype.Length > MaximumParameters)
            return null;
        if (btf.SkipModifiers(prototype.SizeOrType).Kind != BtfKind.VOID && !TryScalar(btf, prototype.SizeOrType, out result))
            return null;

        ImmutableArray<BpfScalar>.Builder parameters = ImmutableArray.CreateBuilder<BpfScalar>();
        foreach (BtfParameter parameter in btf.ParametersOf(prototype))
        {
            // The last parameter of a variadic function has type 0 (btf.rst, 2.2.13).
            if (parameter.Type == 0)
                break;
            if (!TryScalar(btf, parameter.Type, out BpfScalar? scalar))
                return null;
            parameters.Add(scalar!);
        }

        return new BpfPrototype(result, parameters.DrainToImmutable());
    }

    private static bool TryScalar(BtfTypes btf, uint id, out BpfScalar? scalar)
    {
        BtfType type = btf.SkipModifiers(id);
        scalar = type.Kind switch
        {
            BtfKind.INT => new BpfScalar((int)type.SizeOrType, (btf.IntOf(type).Encoding & BtfIntEncoding.SIGNED) != 0),
            BtfKind.ENUM or BtfKind.ENUM64 => new BpfScalar((int)type.SizeOrType, type.KindFlag),
            BtfKind.PTR => new BpfScalar(8, IsSigned: false, Pointee(btf, type)),
            // A struct that fits one register is passed in it as it is.
            BtfKind.STRUCT or BtfKind.UNION when type.SizeOrType is > 0 and <= 8 => new BpfScalar(8, IsSigned: false),
            BtfKind.VOID or BtfKind.ARRAY or BtfKind.STRUCT or BtfKind.UNION or BtfKind.FWD or BtfKind.TYPEDEF or BtfKind.VOLATILE
                or BtfKind.CONST or BtfKind.RESTRICT or BtfKind.FUNC or BtfKind.FUNC_PROTO or BtfKind.VAR or BtfKind.DATASEC
                or BtfKind.FLOAT or BtfKind.DECL_TAG or BtfKind.TYPE_TAG => null,
        };
        return scalar?.Bytes is 1 or 2 or 4 or 8;
    }

    private static string? Pointee(BtfTypes btf, BtfType pointer)
    {
        BtfType type = btf.SkipModifiers(pointer.SizeOrType);
        return (type.IsComposite || type.Kind == BtfKind.FWD) && type.NameOffset != 0 ? btf.NameOf(type.Id) : null;
    }
}
