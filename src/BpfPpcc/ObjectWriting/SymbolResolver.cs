using BpfPpcc.Elf;
using BpfPpcc.Loading;
using BpfPpcc.Symbols;

namespace BpfPpcc.ObjectWriting;

/// <summary>What symbols and references of the module are in the output: own things as section symbol and offset, others as undefined symbols.</summary>
internal sealed class SymbolResolver(
    SymbolTable symbols, OutputSections sections, TextSection code, MapDescriptors maps, UndefinedSymbols undefined, ObjectOptions options)
{
    private readonly SymbolTable _symbols = symbols;
    private readonly OutputSections _sections = sections;
    private readonly TextSection _code = code;
    private readonly MapDescriptors _maps = maps;
    private readonly UndefinedSymbols _undefined = undefined;
    private readonly ObjectOptions _options = options;

    public (ElfSymbol Symbol, long Addend) Resolve(SymbolId id)
    {
        Symbol symbol = _symbols[id];
        return symbol.Kind switch
        {
            SymbolKind.Map => _maps.AddressOf(symbol.Index, _undefined),
            SymbolKind.DataSection => (_sections.InputData[symbol.Index].Symbol, 0),
            SymbolKind.FunctionPointer => SymbolAndAddend(_code.PointerTo(symbol.Index)),
            SymbolKind.FunctionCode => throw new InvalidOperationException($"the code of {symbol.Name} is referred to, but not called"),
            SymbolKind.ExternFunction or SymbolKind.ExternData => (_undefined.Get(HelperNames.InOutput(symbol, _options.HelperPrefix)), 0),
        };
    }

    public (ElfSymbol Symbol, long Addend) Resolve(BpfReference reference)
    {
        switch (reference)
        {
            case BpfReference.MapAddress map:
                return _maps.AddressOf(map.Map, _undefined);
            case BpfReference.DataAddress data:
                return (_sections.InputData[data.Section].Symbol, data.Offset);
            case BpfReference.FunctionAddress function:
                return SymbolAndAddend(_code.PointerTo(function.Function));
            case BpfReference.FunctionCall function:
                return SymbolAndAddend(_code.PointerTo(function.Function));
            case BpfReference.ExternCall call:
                return (_undefined.Get(call.Name), 0);
            case BpfReference.ExternAddress address:
                return (_undefined.Get(address.Name), 0);
            default:
                throw new InvalidOperationException($"unknown reference {reference}");
        }
    }

    private static (ElfSymbol Symbol, long Addend) SymbolAndAddend(Place place) => (place.Section.Symbol, place.Offset);
}
