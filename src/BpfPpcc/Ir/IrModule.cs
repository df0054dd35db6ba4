using System.Collections.Immutable;
using BpfPpcc.Symbols;

namespace BpfPpcc.Ir;

/// <summary>All functions of one object in SSA form, and what passes may know of the things that their symbols name.</summary>
public sealed class IrModule
{
    /// <summary>In the order of the BPF functions; a thunk follows its callee.</summary>
    public required ImmutableArray<IrFunction> Functions { get; set; }

    public required SymbolTable Symbols { get; init; }

    /// <summary>By the map's symbol: the ARRAY maps whose lookups may read `values` of the descriptor (object-abi.md, Maps).</summary>
    public required ImmutableDictionary<SymbolId, IrArrayMap> ArrayMaps { get; init; }

    /// <summary>By the map's symbol: max_entries of the prog arrays that lie in this object.</summary>
    public ImmutableDictionary<SymbolId, uint> ProgramArrays { get; init; } = ImmutableDictionary<SymbolId, uint>.Empty;

    /// <summary>
    /// By the map's symbol: how far its descriptor lies from the first one of this object. All lie in one section, so that the distance
    /// between two of them is known.
    /// </summary>
    public ImmutableDictionary<SymbolId, long> MapOffsets { get; init; } = ImmutableDictionary<SymbolId, long>.Empty;

    /// <summary>The function that <see cref="IrOpcode.CallLocal"/> to this symbol enters.</summary>
    public required ImmutableDictionary<SymbolId, IrFunction> FunctionsBySymbol { get; init; }
}

/// <summary>An ARRAY map with storage of its own.</summary>
/// <param name="MaxEntries">Number of elements.</param>
/// <param name="Stride">Bytes from one element to the next: the value size rounded up to a multiple of 8.</param>
public sealed record IrArrayMap(uint MaxEntries, uint Stride);
