using System.Collections.Immutable;
using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Ir;
using BpfPpcc.Loading;
using BpfPpcc.Symbols;
using BpfPpcc.Verification;

namespace BpfPpcc.Lifting;

/// <summary>
/// From verified BPF code to SSA form. In come functions as slots with resolved references; out go functions whose registers are values,
/// with the calling conventions of object-abi.md made explicit: extended results and arguments, thunks, tail calls, context redirection.
/// </summary>
public static class Lifter
{
    /// <summary>The module in SSA form, or null if something in it cannot be translated, which is reported then.</summary>
    public static IrModule? Lift(VerifiedModule module, DiagnosticBag diagnostics)
    {
        var context = new LiftingContext(module, diagnostics);
        InternFunctionPointers(context);

        var functions = ImmutableArray.CreateBuilder<IrFunction>();
        var functionsBySymbol = ImmutableDictionary.CreateBuilder<SymbolId, IrFunction>();
        foreach (BpfFunction function in module.Module.Functions)
        {
            IrFunction lifted = FunctionLifter.Lift(context, function);
            functions.Add(lifted);
            functionsBySymbol.Add(lifted.Symbol, lifted);
            if (context.Forms[function.Index].HasFront)
                functions.Add(CFront.Make(context, function));
        }

        if (context.HasFailed)
            return null;
        foreach (IrFunction function in functions)
            StackExtent.Update(function, context.Symbols);
        return new IrModule
        {
            Functions = functions.ToImmutable(),
            Symbols = context.Symbols,
            ArrayMaps = ArrayMaps(context),
            ProgramArrays = ProgramArrays(context),
            MapOffsets = MapOffsets(context),
            FunctionsBySymbol = functionsBySymbol.ToImmutable(),
        };
    }

    /// <summary>So that the symbol table tells whether C code can call back, also where only data holds the pointer.</summary>
    private static void InternFunctionPointers(LiftingContext context)
    {
        foreach (BpfFunction function in context.Module.Functions)
        {
            if (context.CallGraph.IsAddressTaken[function.Index])
                context.Symbols.Intern(SymbolKind.FunctionPointer, function.Name, function.Index);
        }
    }

    private static ImmutableDictionary<SymbolId, IrArrayMap> ArrayMaps(LiftingContext context)
    {
        var maps = ImmutableDictionary.CreateBuilder<SymbolId, IrArrayMap>();
        ImmutableArray<bool> bringsStorage = ArrayStorage.Find(context.Module.Maps);
        foreach (BpfMap map in context.Module.Maps)
        {
            if (bringsStorage[map.Index])
            {
                SymbolId symbol = context.Symbols.Intern(SymbolKind.Map, map.Name, map.Index);
                maps.Add(symbol, new IrArrayMap(map.MaxEntries, (uint)ArrayStorage.Stride(map)));
            }
        }

        return maps.ToImmutable();
    }

    private static ImmutableDictionary<SymbolId, long> MapOffsets(LiftingContext context)
    {
        var offsets = ImmutableDictionary.CreateBuilder<SymbolId, long>();
        ImmutableArray<int> numbers = MapDescriptorPlacement.Number(context.Module.Maps);
        foreach (BpfMap map in context.Module.Maps)
        {
            if (!map.IsExtern)
            {
                SymbolId symbol = context.Symbols.Intern(SymbolKind.Map, map.Name, map.Index);
                offsets.Add(symbol, (long)numbers[map.Index] * MapDescriptorPlacement.DescriptorSize);
            }
        }

        return offsets.ToImmutable();
    }

    private static ImmutableDictionary<SymbolId, uint> ProgramArrays(LiftingContext context)
    {
        var maps = ImmutableDictionary.CreateBuilder<SymbolId, uint>();
        foreach (BpfMap map in context.Module.Maps)
        {
            if (map is { Type: BpfMapType.PROG_ARRAY, IsExtern: false })
                maps.Add(context.Symbols.Intern(SymbolKind.Map, map.Name, map.Index), map.MaxEntries);
        }

        return maps.ToImmutable();
    }
}
