using BpfPpcc.Loading;

namespace BpfPpcc.Tests.Assembler;

/// <summary>The words of a directive after its name: flags and key=value pairs.</summary>
internal sealed class Options(string[] words)
{
    public bool Has(string flag) => words.Contains(flag);

    public string? Text(string key)
    {
        string? word = Array.Find(words, word => word.StartsWith(key + "=", StringComparison.Ordinal));
        return word?[(key.Length + 1)..];
    }

    public long Number(string key, long otherwise) => Text(key) is { } text ? BpfAssembler.Number(text) : otherwise;

    /// <summary>The words from the third on that are neither flags nor pairs, glued together: hexadecimal bytes.</summary>
    public byte[] Bytes() => Convert.FromHexString(string.Concat(words.Skip(2).Where(word => word.All(char.IsAsciiHexDigit))));

    public BpfPrototype? Prototype()
    {
        string? args = Text("args");
        string? result = Text("result");
        if (args is null && result is null)
            return null;
        return new BpfPrototype(
            result is null or "void" ? null : Scalar(result),
            args is null or "" ? [] : [.. args.Split(',').Select(Scalar)]);
    }

    /// <summary>u8..u64, s8..s64, "*" for a pointer to something that is no struct, "NAME*" for a pointer to struct NAME.</summary>
    private static BpfScalar Scalar(string text) => text switch
    {
        "u8" => new BpfScalar(1, false),
        "u16" => new BpfScalar(2, false),
        "u32" => new BpfScalar(4, false),
        "u64" or "*" => new BpfScalar(8, false),
        "s8" => new BpfScalar(1, true),
        "s16" => new BpfScalar(2, true),
        "s32" => new BpfScalar(4, true),
        "s64" => new BpfScalar(8, true),
        _ when text.EndsWith('*') => new BpfScalar(8, false, text[..^1]),
        _ => throw new FormatException($"unknown type '{text}'"),
    };
}

/// <summary>A data section while it is read.</summary>
internal sealed class DataText
{
    public required string Name { get; init; }

    public required bool IsReadOnly { get; init; }

    public required long Alignment { get; init; }

    public required long Size { get; init; }

    public required byte[] Contents { get; init; }

    public List<BpfVariable> Variables { get; } = [];

    public List<(long Offset, SymbolText Symbol)> Addresses { get; } = [];

    public static DataText Parse(string name, Options options)
    {
        byte[] contents = options.Bytes();
        return new DataText
        {
            Name = name,
            IsReadOnly = options.Has("readonly") || name.StartsWith(".rodata", StringComparison.Ordinal),
            Alignment = options.Number("align", 8),
            Size = options.Number("size", contents.Length),
            Contents = contents,
        };
    }

    public BpfDataSection Finish(int index, Names names) => new()
    {
        Index = index,
        Name = Name,
        IsReadOnly = IsReadOnly,
        Size = Size,
        Alignment = Alignment,
        Contents = Contents.Length == 0 ? [] : [.. Contents, .. new byte[Size - Contents.Length]],
        Variables = [.. Variables],
        Relocations = [.. Addresses.Select(address => new BpfDataRelocation(address.Offset, names.Resolve(address.Symbol), 0))],
    };
}
