namespace BpfPpcc.Symbols;

/// <summary>What a <see cref="Symbol"/> names.</summary>
public enum SymbolKind
{
    /// <summary>A map descriptor of this object (struct bpfppcc_map).</summary>
    Map,

    /// <summary>A data section of this object (.rodata, .data, .bss and their relatives).</summary>
    DataSection,

    /// <summary>The code of a BPF function of this object: the target of a direct call.</summary>
    FunctionCode,

    /// <summary>A BPF function of this object as a C function pointer (ELFv2: the global entry; ELFv1: the descriptor).</summary>
    FunctionPointer,

    /// <summary>An undefined C function: a helper, a kfunc or memcpy.</summary>
    ExternFunction,

    /// <summary>An undefined C object: a typed or untyped ksym, a map of another object.</summary>
    ExternData,
}

/// <summary>Index of a symbol in its <see cref="SymbolTable"/>.</summary>
public readonly record struct SymbolId(int Value)
{
    public static readonly SymbolId None = new(-1);

    public bool IsNone => Value < 0;
}

/// <summary>Something with an address that is known only when the output is linked.</summary>
/// <param name="Kind">What it names.</param>
/// <param name="Name">
/// For prints; for externs also the name in the output object. Not unique for what lies in this object (two static functions may share a name).
/// </param>
/// <param name="Index">
/// Index of the map, data section or function in the module for the kinds that lie in this object; for helpers the helper's number, else -1.
/// </param>
public sealed record Symbol(SymbolKind Kind, string Name, int Index);

/// <summary>
/// The names that the code of one module refers to, in the order in which they were first asked for. IR, machine IR and relocations
/// carry <see cref="SymbolId"/>s; only lifting adds symbols, and only object writing turns them into ELF symbols.
/// </summary>
public sealed class SymbolTable
{
    private readonly List<Symbol> _symbols = [];
    private readonly Dictionary<(SymbolKind, string, int), SymbolId> _ids = [];

    /// <summary>One bit per kind of which there is a symbol.</summary>
    private int _kinds;

    public IReadOnlyList<Symbol> Symbols => _symbols;

    public Symbol this[SymbolId id] => _symbols[id.Value];

    /// <summary>There is a symbol of this kind.</summary>
    public bool HasAny(SymbolKind kind) => (_kinds >> (int)kind & 1) != 0;

    /// <summary>The id of the symbol with this kind, name and index, which is added if it is not there.</summary>
    public SymbolId Intern(SymbolKind kind, string name, int index = -1)
    {
        if (_ids.TryGetValue((kind, name, index), out SymbolId id))
            return id;
        id = new SymbolId(_symbols.Count);
        _kinds |= 1 << (int)kind;
        _symbols.Add(new Symbol(kind, name, index));
        _ids.Add((kind, name, index), id);
        return id;
    }
}
