using System.Collections.Immutable;
using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Elf;
using static BpfPpcc.Elf.ElfConstants;
using static BpfPpcc.Loading.LoadingContext;

namespace BpfPpcc.Loading;

/// <summary>Where a function lies: slots <paramref name="Start"/> up to <paramref name="End"/> of its section.</summary>
/// <param name="Aliases">Further global names.</param>
internal readonly record struct FunctionRange(ElfSection Section, ElfSymbol Symbol, int Start, int End, ImmutableArray<string> Aliases);

/// <summary>
/// The functions of the code sections, by section in file order and by address in a section. Symbols of type FUNC say where they are; in
/// sections without any (objects of clang before version 11, assembly), symbols of type NOTYPE do. A function that is called but has no
/// symbol is named after the one with a symbol before it, and its distance from that in slots.
/// </summary>
internal sealed class FunctionTable
{
    private readonly LoadingContext _context;
    private readonly List<FunctionRange> _functions = [];
    private readonly Dictionary<ElfSection, (int First, int Count)> _bySection = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<ElfSection, SortedSet<long>> _targets = new(ReferenceEqualityComparer.Instance);

    private FunctionTable(LoadingContext context) => _context = context;

    public int Count => _functions.Count;

    public FunctionRange this[int index] => _functions[index];

    /// <summary>The functions of the object; null after an error.</summary>
    public static FunctionTable? Find(LoadingContext context, List<CodeSection> sections)
    {
        var table = new FunctionTable(context);
        foreach (CodeSection section in sections)
            table.CollectTargets(section);
        foreach (CodeSection section in sections)
        {
            if (!table.TryAdd(section.Section))
                return null;
        }

        if (table.Count != 0 || context.IsPart)
            return table;
        context.Fail(DiagnosticId.NoPrograms, "the object has no BPF program: no section with code has a function symbol");
        return null;
    }

    /// <summary>Indices of the functions of a section, in order.</summary>
    public Range FunctionsOf(ElfSection section) =>
        _bySection.TryGetValue(section, out (int First, int Count) range) ? range.First..(range.First + range.Count) : 0..0;

    /// <summary>The function that begins at a byte offset of a section, or -1.</summary>
    public int FindStart(ElfSection section, long offset)
    {
        int index = FindContaining(section, offset);
        return index >= 0 && (long)_functions[index].Start * BpfInstruction.Size == offset ? index : -1;
    }

    /// <summary>The function in which a byte offset of a section lies, or -1.</summary>
    public int FindContaining(ElfSection section, long offset)
    {
        if (!_bySection.TryGetValue(section, out (int First, int Count) range))
            return -1;
        int low = range.First, high = range.First + range.Count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if ((long)_functions[middle].Start * BpfInstruction.Size <= offset)
                low = middle + 1;
            else
                high = middle;
        }

        return low > range.First && offset < (long)_functions[low - 1].End * BpfInstruction.Size ? low - 1 : -1;
    }

    /// <summary>
    /// Byte offsets to which calls and code addresses go. Where no symbol is, a function begins all the same: assembly need not name its
    /// functions, and the kernel knows them by the calls only.
    /// </summary>
    private void CollectTargets(CodeSection code)
    {
        for (int slot = 0; slot < code.Instructions.Length; slot++)
        {
            if (code.HasRelocation(slot))
            {
                ElfSymbol? symbol = code.RelocationOf(slot).Symbol;
                if (symbol?.Section is not null && _context.KindOf(symbol.Section) == SectionKind.Code)
                    AddTarget(symbol.Section, unchecked((long)symbol.Value + code.AddendOf(slot)));
            }
            else if (code.TryRelativeTarget(slot, out long offset))
            {
                AddTarget(code.Section, offset);
            }

            if (code.Instructions[slot].IsLoadImmediate64)
                slot++;
        }
    }

    private void AddTarget(ElfSection section, long offset)
    {
        if (!_targets.TryGetValue(section, out SortedSet<long>? targets))
            _targets.Add(section, targets = []);
        if (offset % BpfInstruction.Size == 0)
            targets.Add(offset / BpfInstruction.Size);
    }

    private bool TryAdd(ElfSection section)
    {
        List<ElfSymbol> symbols = FunctionSymbols(section, out Dictionary<ulong, List<string>>? aliases);
        if (symbols.Count == 0)
            return true;

        int first = _functions.Count;
        for (int i = 0; i < symbols.Count; i++)
        {
            ElfSymbol symbol = symbols[i];
            if (symbol.Value % BpfInstruction.Size != 0 || symbol.Value >= section.Size)
                return Fail(section, $"has a function '{symbol.Name}' at offset {Hex(symbol.Value)}, where no instruction begins");

            // Sizes that old compilers left out or got wrong do not count.
            ulong limit = i + 1 < symbols.Count ? Math.Min(symbols[i + 1].Value, section.Size) : section.Size;
            ulong room = (limit - symbol.Value) & ~(BpfInstruction.Size - 1UL);
            ulong size = symbol.Size > 0 && symbol.Size <= room && symbol.Size % BpfInstruction.Size == 0 ? symbol.Size : room;
            int start = (int)(symbol.Value / BpfInstruction.Size);
            ImmutableArray<string> names = aliases is not null && aliases.TryGetValue(symbol.Value, out List<string>? others) ? [.. others] : [];
            AddParts(new FunctionRange(section, symbol, start, start + (int)(size / BpfInstruction.Size), names));
        }

        _bySection.Add(section, (first, _functions.Count - first));
        return true;
    }

    /// <summary>Adds a function, and apart from it those that begin inside of it without a symbol.</summary>
    private void AddParts(FunctionRange whole)
    {
        FunctionRange part = whole;
        if (_targets.TryGetValue(whole.Section, out SortedSet<long>? targets))
        {
            foreach (long target in targets.GetViewBetween(whole.Start + 1L, whole.End))
            {
                if (target >= whole.End)
                    break;
                _functions.Add(part with { End = (int)target });
                var symbol = new ElfSymbol
                {
                    Name = $"{whole.Symbol.Name}.{target - whole.Start}",
                    Type = STT_FUNC,
                    Section = whole.Section,
                    Value = (ulong)target * BpfInstruction.Size,
                };
                part = new FunctionRange(whole.Section, symbol, (int)target, whole.End, []);
            }
        }

        _functions.Add(part);
    }

    /// <summary>By address, one for each: of several names for a function the first in the symbol table that is not local counts.</summary>
    /// <param name="aliases">By address, the other global names; null if there are none.</param>
    private List<ElfSymbol> FunctionSymbols(ElfSection section, out Dictionary<ulong, List<string>>? aliases)
    {
        aliases = null;
        IReadOnlyList<ElfSymbol> all = _context.SymbolsOf(section);
        IEnumerable<ElfSymbol> candidates = all.Where(static s => s.Type == STT_FUNC);
        if (!candidates.Any())
            candidates = all.Where(static s => s.Type == STT_NOTYPE && !IsLocalLabel(s.Name));

        var symbols = new List<ElfSymbol>();
        foreach (ElfSymbol symbol in candidates.OrderBy(static s => (s.Value, s.IsLocal)))
        {
            if (symbols.Count == 0 || symbols[^1].Value != symbol.Value)
            {
                symbols.Add(symbol);
            }
            else if (!symbol.IsLocal && symbol.Name.Length != 0)
            {
                aliases ??= [];
                if (!aliases.TryGetValue(symbol.Value, out List<string>? names))
                    aliases.Add(symbol.Value, names = []);
                names.Add(symbol.Name);
            }
        }

        return symbols;
    }

    private bool Fail(ElfSection section, string what) =>
        _context.Fail(DiagnosticId.ProgramMalformed, $"section '{section.Name}' {what}", section.Name);
}
