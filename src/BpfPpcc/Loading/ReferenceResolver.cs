using BpfPpcc.Btf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Elf;
using static BpfPpcc.Elf.ElfConstants;
using static BpfPpcc.Loading.LoadingContext;

namespace BpfPpcc.Loading;

/// <summary>Why a relocation cannot be resolved.</summary>
internal readonly record struct Fault(DiagnosticId Id, string Message, string? Help = null);

/// <summary>
/// Turns "symbol + addend" into what the symbol stands for: a map, a place in a data section, a function, something undefined.
/// </summary>
internal sealed class ReferenceResolver
{
    private readonly LoadingContext _context;
    private readonly FunctionTable _functions;
    private readonly Dictionary<(ElfSection, long), int> _maps = [];
    private readonly Dictionary<ElfSection, int> _dataSections = new(ReferenceEqualityComparer.Instance);
    private readonly KernelConfigurationSection _configuration;
    private readonly int _configurationIndex;

    /// <param name="configuration">Its section stands behind the others of <paramref name="dataSections"/>.</param>
    public ReferenceResolver(LoadingContext context, FunctionTable functions, List<MapPlace> maps, List<ElfSection> dataSections,
        KernelConfigurationSection configuration)
    {
        _configuration = configuration;
        _configurationIndex = dataSections.Count;
        _context = context;
        _functions = functions;
        foreach (MapPlace map in maps)
            _maps.TryAdd((map.Section, (long)map.Offset), map.Map.Index);
        for (int i = 0; i < dataSections.Count; i++)
            _dataSections.Add(dataSections[i], i);
    }

    /// <summary>What the address <paramref name="symbol"/> + <paramref name="addend"/> is the address of.</summary>
    /// <param name="restAddend">What remains to be added to the reference; not 0 for undefined symbols only.</param>
    public bool TryResolveAddress(ElfSymbol? symbol, long addend, out BpfReference reference, out long restAddend, out Fault fault)
    {
        reference = null!;
        restAddend = 0;
        fault = default;
        if (symbol is not null && symbol.IsUndefined && _configuration.OffsetOf(symbol.Name) is >= 0 and long place)
        {
            reference = new BpfReference.DataAddress(_configurationIndex, unchecked(place + addend));
            return true;
        }

        if (symbol?.Section is not ElfSection section)
        {
            restAddend = addend;
            return TryResolveExtern(symbol, out reference, out fault);
        }

        long offset = unchecked((long)symbol.Value + addend);
        switch (_context.KindOf(section))
        {
            case SectionKind.Code:
                int function = _functions.FindStart(section, offset);
                if (function < 0)
                    return Fail($"no function begins at {Hex((ulong)offset)} of section '{section.Name}', which is referred to", out fault);
                reference = new BpfReference.FunctionAddress(function);
                return true;
            case SectionKind.Data:
                if (offset is < int.MinValue or > int.MaxValue)
                    return Fail($"the reference to section '{section.Name}' is too far outside of it", out fault);
                reference = new BpfReference.DataAddress(_dataSections[section], offset);
                return true;
            case SectionKind.BtfMaps or SectionKind.LegacyMaps:
                if (!_maps.TryGetValue((section, offset), out int map))
                    return Fail($"no map begins at {Hex((ulong)offset)} of section '{section.Name}', which is referred to", out fault);
                reference = new BpfReference.MapAddress(map);
                return true;
            case SectionKind.Other:
                return Fail($"section '{section.Name}', which is referred to, holds neither code nor maps nor data", out fault);
        }

        throw new InvalidOperationException("a section kind without a rule");
    }

    /// <summary>The function that a CALL relocated with <paramref name="symbol"/> + <paramref name="addend"/> bytes calls.</summary>
    public bool TryResolveCall(ElfSymbol? symbol, long addend, out BpfReference reference, out Fault fault)
    {
        reference = null!;
        fault = default;
        if (symbol?.Section is null)
        {
            if (!TryResolveExtern(symbol, out _, out fault))
                return false;
            reference = new BpfReference.ExternCall(symbol!.Name, PrototypeOf(symbol.Name)) { IsWeak = symbol.IsWeak };
            return true;
        }

        if (_context.KindOf(symbol.Section) != SectionKind.Code)
            return Fail($"the call goes to section '{symbol.Section.Name}', which holds no code", out fault);
        if (!TryResolveCall(symbol.Section, unchecked((long)symbol.Value + addend), out int function, out fault))
            return false;
        reference = new BpfReference.FunctionCall(function);
        return true;
    }

    /// <summary>The function at a byte offset of a code section.</summary>
    public bool TryResolveCall(ElfSection section, long offset, out int function, out Fault fault)
    {
        fault = default;
        function = _functions.FindStart(section, offset);
        return function >= 0 || Fail($"no function begins at {Hex((ulong)offset)} of section '{section.Name}', which is called", out fault);
    }

    private static bool TryResolveExtern(ElfSymbol? symbol, out BpfReference reference, out Fault fault)
    {
        reference = null!;
        fault = default;
        if (symbol is null || symbol.IsUndefined && symbol.Name.Length == 0)
            return Fail("the relocation has no symbol", out fault);
        if (symbol.ReservedIndex == SHN_COMMON)
        {
            string message = $"'{symbol.Name}' is a common symbol";
            fault = new Fault(DiagnosticId.RelocationUnsupported, message, "compile with -fno-common, or initialise the variable");
            return false;
        }

        if (!symbol.IsUndefined)
        {
            string message = $"'{symbol.Name}' is an absolute symbol, which has no address in the output";
            fault = new Fault(DiagnosticId.RelocationUnsupported, message);
            return false;
        }

        reference = new BpfReference.ExternAddress(symbol.Name) { IsWeak = symbol.IsWeak };
        return true;
    }

    private BpfPrototype? PrototypeOf(string function)
    {
        uint id = _context.Btf?.Find(function, BtfKind.FUNC) ?? 0;
        return id == 0 ? Prototypes.OfLibraryFunction(function) : Prototypes.Of(_context.Btf!, id);
    }

    private static bool Fail(string message, out Fault fault)
    {
        fault = new Fault(DiagnosticId.RelocationMalformed, message);
        return false;
    }
}
