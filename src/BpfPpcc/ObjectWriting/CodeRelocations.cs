using BpfPpcc.Elf;
using BpfPpcc.Emission;
using BpfPpcc.Ppc64;
using BpfPpcc.Symbols;

namespace BpfPpcc.ObjectWriting;

/// <summary>Turns the relocations of compiled functions into those of .text, and makes the TOC entries that they ask for.</summary>
internal sealed class CodeRelocations(
    TextSection code, OutputSections sections, SymbolResolver resolver, UndefinedSymbols undefined, TargetDescription target)
{
    private readonly TextSection _code = code;
    private readonly OutputSections _sections = sections;
    private readonly SymbolResolver _resolver = resolver;
    private readonly UndefinedSymbols _undefined = undefined;
    private readonly TargetDescription _target = target;
    private readonly Dictionary<(SymbolId Symbol, long Addend), Place> _tocEntries = [];

    public void Write(IReadOnlyList<CompiledFunction> functions)
    {
        for (int i = 0; i < functions.Count; i++)
        {
            foreach (CodeRelocation relocation in functions[i].Relocations)
                Write(relocation, _code.StartOf(i));
        }
    }

    private void Write(CodeRelocation relocation, long functionStart)
    {
        long place = functionStart + relocation.Offset + FieldOffset(relocation.Type);
        if (relocation.ThroughTocEntry)
        {
            Place entry = TocEntry(relocation.Symbol, relocation.Addend);
            _code.Section.Relocate(place, relocation.Type, entry.Section.Symbol, entry.Offset);
            return;
        }

        if (relocation.Symbol.IsNone)
        {
            // REL16 is relative to its place, and the distance from the function's start is wanted.
            _code.Section.Relocate(place, relocation.Type, _undefined.TocBase, place - functionStart);
            return;
        }

        (ElfSymbol symbol, long offset) = _resolver.Resolve(relocation.Symbol);
        if (symbol.IsUndefined && IsTocRelative(relocation.Type))
            throw new InvalidOperationException($"'{symbol.Name}' may lie in another module, where the TOC does not reach");
        _code.Section.Relocate(place, relocation.Type, symbol, offset + relocation.Addend);
    }

    /// <summary>The doubleword that holds symbol plus addend, or the addend alone.</summary>
    private Place TocEntry(SymbolId id, long addend)
    {
        if (!_tocEntries.TryGetValue((id, addend), out Place entry))
        {
            entry = _sections.Toc.Next;
            WriteTocEntry(id, addend);
            _tocEntries.Add((id, addend), entry);
        }

        return entry;
    }

    private void WriteTocEntry(SymbolId id, long addend)
    {
        if (id.IsNone)
        {
            _sections.Toc.Bytes.WriteUInt64((ulong)addend);
            return;
        }

        (ElfSymbol symbol, long offset) = _resolver.Resolve(id);
        _sections.Toc.WriteAddress(symbol, offset + addend);
    }

    /// <summary>Relocations of 16-bit fields point at the field, the low half of the instruction (ELFv2 ABI, 3.5.1).</summary>
    private int FieldOffset(Ppc64Relocation type) => IsHalf16(type) && _target.IsBigEndian ? 2 : 0;

    private static bool IsTocRelative(Ppc64Relocation type) =>
        type is Ppc64Relocation.R_PPC64_TOC16_HA or Ppc64Relocation.R_PPC64_TOC16_LO or Ppc64Relocation.R_PPC64_TOC16_LO_DS;

    private static bool IsHalf16(Ppc64Relocation type) =>
        IsTocRelative(type) || type is Ppc64Relocation.R_PPC64_REL16_HA or Ppc64Relocation.R_PPC64_REL16_LO;
}
