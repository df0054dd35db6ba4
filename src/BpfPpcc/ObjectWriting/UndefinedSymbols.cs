using BpfPpcc.Elf;
using BpfPpcc.Loading;
using static BpfPpcc.Elf.ElfConstants;

namespace BpfPpcc.ObjectWriting;

/// <summary>Symbols that the output refers to and somebody else defines, in the order in which they were first asked for.</summary>
internal sealed class UndefinedSymbols
{
    private readonly Dictionary<string, ElfSymbol> _byName = [];
    private readonly HashSet<string> _weakNames = [];
    private readonly HashSet<string> _strongNames = [];

    public UndefinedSymbols(BpfModule module)
    {
        foreach (BpfFunction function in module.Functions)
        {
            foreach (BpfReference reference in function.References.Values)
                NoteBinding(reference);
        }

        foreach (BpfDataSection section in module.DataSections)
        {
            foreach (BpfDataRelocation relocation in section.Relocations)
                NoteBinding(relocation.Target);
        }
    }

    public List<ElfSymbol> Symbols { get; } = [];

    /// <summary>The base of the TOC, which the linker defines (ELFv2 ABI, 3.5.3).</summary>
    public ElfSymbol TocBase => Get(".TOC.");

    public ElfSymbol Get(string name)
    {
        if (_byName.TryGetValue(name, out ElfSymbol? symbol))
            return symbol;
        bool isWeak = _weakNames.Contains(name) && !_strongNames.Contains(name);
        symbol = new ElfSymbol { Name = name, Type = STT_NOTYPE, Binding = isWeak ? STB_WEAK : STB_GLOBAL };
        _byName.Add(name, symbol);
        Symbols.Add(symbol);
        return symbol;
    }

    private void NoteBinding(BpfReference reference)
    {
        if (reference is BpfReference.ExternCall call)
            (call.IsWeak ? _weakNames : _strongNames).Add(call.Name);
        else if (reference is BpfReference.ExternAddress address)
            (address.IsWeak ? _weakNames : _strongNames).Add(address.Name);
    }
}
