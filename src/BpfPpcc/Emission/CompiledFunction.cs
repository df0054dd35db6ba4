using System.Collections.Immutable;
using BpfPpcc.Ppc64;
using BpfPpcc.Symbols;

namespace BpfPpcc.Emission;

/// <summary>A place in the code that the linker fills in.</summary>
/// <param name="Offset">Byte offset of the instruction from the function's start (the half-word offset of 16-bit fields is the object writer's business).</param>
/// <param name="Type">Relocation type.</param>
/// <param name="Symbol">
/// What it refers to. None: a constant if it goes through a TOC entry, else `.TOC.`, of which the distance from the function's start is wanted.
/// </param>
/// <param name="Addend">Added to the symbol's address; the constant.</param>
/// <param name="ThroughTocEntry">
/// Not the address itself is meant, but a doubleword of .toc that holds it: the address of an extern is known only when the program starts.
/// </param>
public readonly record struct CodeRelocation(
    int Offset, Ppc64Relocation Type, SymbolId Symbol, long Addend, bool ThroughTocEntry = false);

/// <summary>A bl to a function of the same object, whose displacement is known when functions have been placed. The callee's local entry is meant.</summary>
public readonly record struct LocalCall(int Offset, SymbolId Callee);

/// <summary>A change of the call frame information (DWARF 5, 6.4.2).</summary>
public enum CfiKind : byte
{
    /// <summary>CFA is r1 + Value.</summary>
    DefineCfaOffset,

    /// <summary>Register (DWARF number) is saved at CFA + Value.</summary>
    Offset,

    /// <summary>Register holds the caller's value again.</summary>
    Restore,
    RememberState,
    RestoreState,
}

/// <summary>A change that holds from the instruction at byte <paramref name="CodeOffset"/> on.</summary>
public readonly record struct CfiInstruction(int CodeOffset, CfiKind Kind, int Register, int Value);

/// <summary>The code from byte <paramref name="CodeOffset"/> on comes from BPF slot <paramref name="Slot"/>.</summary>
public readonly record struct CodePosition(int CodeOffset, int Slot);

/// <summary>A function as machine code, not yet placed.</summary>
public sealed class CompiledFunction
{
    public required string Name { get; init; }

    /// <summary>Index of the BPF function that it comes from; a thunk has its callee's.</summary>
    public required int FunctionIndex { get; init; }

    /// <summary>C calls it, by name or by pointer. Of two functions with one <see cref="FunctionIndex"/> it is true of the thunk only.</summary>
    public required bool IsCallableFromC { get; init; }

    /// <summary>It, or a subprogram that it reaches, makes a tail call.</summary>
    public required bool ReachesTailCall { get; init; }

    /// <summary>Bytes of BPF stack in its frame.</summary>
    public required int BpfStackSize { get; init; }

    /// <summary>The symbol (FunctionCode) under which this object calls it, or none.</summary>
    public required SymbolId Symbol { get; init; }

    /// <summary>Instruction words in execution order; byte order is applied when they are written.</summary>
    public required ImmutableArray<uint> Code { get; init; }

    /// <summary>Byte offset of the local entry point: 0, or 8 behind a global entry (ELFv2 2.3.2.1).</summary>
    public required int LocalEntryOffset { get; init; }

    /// <summary>r2 must be right at the local entry; st_other says so.</summary>
    public required bool NeedsToc { get; init; }

    /// <summary>Byte offset of the tail entry, or -1 for functions that are no programs.</summary>
    public required int TailEntryOffset { get; init; }

    /// <summary>Bytes of the frame, 0 without one.</summary>
    public required int FrameSize { get; init; }

    public required ImmutableArray<CodeRelocation> Relocations { get; init; }

    public required ImmutableArray<LocalCall> LocalCalls { get; init; }

    public required ImmutableArray<CfiInstruction> Cfi { get; init; }

    public required ImmutableArray<CodePosition> Positions { get; init; }

    public int CodeSize => Code.Length * 4;
}
