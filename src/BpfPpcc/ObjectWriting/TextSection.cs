using BpfPpcc.Diagnostics;
using BpfPpcc.Emission;
using BpfPpcc.Symbols;

namespace BpfPpcc.ObjectWriting;

/// <summary>Where the functions lie in .text: each at a multiple of 16, with nops in between.</summary>
internal sealed class TextSection
{
    public const int FunctionAlignment = 16;

    /// <summary>ori 0,0,0.</summary>
    private const uint Nop = 0x60000000;

    /// <summary>Bytes that a bl reaches in either direction (Power ISA book I, 2.4).</summary>
    private const long CallReach = 1 << 25;

    private const uint CallDisplacementMask = 0x03fffffc;

    private readonly IReadOnlyList<CompiledFunction> _functions;
    private readonly long[] _starts;
    private readonly Dictionary<SymbolId, int> _bySymbol = [];

    /// <summary>By index of the BPF function: the thunk if there is one, else the function itself.</summary>
    private readonly Dictionary<int, int> _public = [];

    public TextSection(IReadOnlyList<CompiledFunction> functions, SectionBuilder section)
    {
        _functions = functions;
        Section = section;
        _starts = new long[functions.Count];
        long start = 0;
        for (int i = 0; i < functions.Count; i++)
        {
            CompiledFunction function = functions[i];
            _starts[i] = start;
            start = (start + function.CodeSize + FunctionAlignment - 1) & -FunctionAlignment;
            Register(function, i);
        }
    }

    public SectionBuilder Section { get; }

    /// <summary>Offset of a function's first instruction.</summary>
    public long StartOf(int function) => _starts[function];

    /// <summary>The function of this BPF function that C may call.</summary>
    public int PublicFunction(int bpfFunction) => _public.TryGetValue(bpfFunction, out int index)
        ? index
        : throw new InvalidOperationException($"BPF function {bpfFunction} has no code");

    /// <summary>True if C calls a thunk in the place of this function, which therefore needs another name.</summary>
    public bool IsBehindThunk(int function) => PublicFunction(_functions[function].FunctionIndex) != function;

    /// <summary>What a C function pointer to a BPF function holds in ELFv2: its global entry.</summary>
    public Place PointerTo(int bpfFunction) => new(Section, _starts[PublicFunction(bpfFunction)]);

    /// <summary>Writes the code; relocations are written by <see cref="CodeRelocations"/>.</summary>
    public void Write(string sourceName, DiagnosticBag diagnostics)
    {
        for (int i = 0; i < _functions.Count; i++)
        {
            while (Section.Length < _starts[i])
                Section.Bytes.WriteUInt32(Nop);
            foreach (uint word in _functions[i].Code)
                Section.Bytes.WriteUInt32(word);
        }

        for (int i = 0; i < _functions.Count; i++)
        {
            if (!TryLinkCalls(i))
            {
                diagnostics.Error(
                    DiagnosticId.FunctionTooLarge,
                    "the code of the object is so large that a call does not reach its target (32 MiB)",
                    new DiagnosticLocation(sourceName, Function: _functions[i].Name));
                return;
            }
        }
    }

    private bool TryLinkCalls(int index)
    {
        CompiledFunction function = _functions[index];
        foreach (LocalCall call in function.LocalCalls)
        {
            if (!_bySymbol.TryGetValue(call.Callee, out int callee))
                throw new InvalidOperationException($"{function.Name} calls a function without code");
            long place = _starts[index] + call.Offset;
            long displacement = _starts[callee] + _functions[callee].LocalEntryOffset - place;
            if (displacement is < -CallReach or >= CallReach)
                return false;
            Section.Bytes.PatchUInt32((int)place, function.Code[call.Offset / 4] | ((uint)displacement & CallDisplacementMask));
        }

        return true;
    }

    private void Register(CompiledFunction function, int index)
    {
        if (!function.Symbol.IsNone)
            _bySymbol.Add(function.Symbol, index);
        if (function.IsCallableFromC)
            _public[function.FunctionIndex] = index;
        else
            _public.TryAdd(function.FunctionIndex, index);
    }
}
