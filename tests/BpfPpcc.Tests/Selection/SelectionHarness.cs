using System.Collections.Immutable;
using BpfPpcc.Ir;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.Selection;
using BpfPpcc.Symbols;
using Xunit;

namespace BpfPpcc.Tests.Selection;

/// <summary>Functions to select from, and the comparison of what they do with what the selected instructions do.</summary>
internal static class SelectionHarness
{
    public static readonly TargetDescription Power8 = new(IsBigEndian: false, Ppc64Abi.ElfV2, Ppc64Cpu.Power8);
    public static readonly TargetDescription Power9 = Power8 with { Cpu = Ppc64Cpu.Power9 };
    public static readonly TargetDescription Power10 = Power8 with { Cpu = Ppc64Cpu.Power10 };

    public static readonly SymbolTable Symbols = new();
    public static readonly SymbolId Counters = Symbols.Intern(SymbolKind.Map, "counters", 0);
    public static readonly SymbolId Data = Symbols.Intern(SymbolKind.DataSection, ".data", 0);
    public static readonly SymbolId Helper = Symbols.Intern(SymbolKind.ExternFunction, "bpf_helper_ktime_get_ns", 5);
    public static readonly SymbolId Plain = Symbols.Intern(SymbolKind.FunctionCode, "plain", 0);
    public static readonly SymbolId TailCalling = Symbols.Intern(SymbolKind.FunctionCode, "tail_calling", 1);
    public static readonly SymbolId Kernel = Symbols.Intern(SymbolKind.ExternData, "jiffies");
    public static readonly SymbolId Jumps = Symbols.Intern(SymbolKind.Map, "jumps", 1);
    public static readonly SymbolId ExternJumps = Symbols.Intern(SymbolKind.ExternData, "extern_jumps");

    public static readonly IrModule Module = new()
    {
        Functions = [],
        Symbols = Symbols,
        ArrayMaps = ImmutableDictionary<SymbolId, IrArrayMap>.Empty,
        ProgramArrays = ImmutableDictionary<SymbolId, uint>.Empty.Add(Jumps, 8),
        FunctionsBySymbol = ImmutableDictionary<SymbolId, IrFunction>.Empty
            .Add(Plain, NewFunction(IrFunctionKind.Subprogram, symbol: Plain))
            .Add(TailCalling, NewFunction(IrFunctionKind.Subprogram, reachesTailCall: true, symbol: TailCalling)),
    };

    public static IrFunction NewFunction(
        IrFunctionKind kind = IrFunctionKind.Program, bool reachesTailCall = false, SymbolId? symbol = null) => new()
        {
            Name = "f",
            FunctionIndex = 0,
            Kind = kind,
            Symbol = symbol ?? SymbolId.None,
            IsCallableFromC = kind != IrFunctionKind.Subprogram,
            ReachesTailCall = reachesTailCall,
            IsBigEndian = false,
            StackSize = 64,
        };

    /// <summary>A function of one block, whose builder is handed to the body; the body must end the block.</summary>
    public static IrFunction Build(Action<IrBuilder> body, IrFunctionKind kind = IrFunctionKind.Program, bool reachesTailCall = false)
    {
        IrFunction function = NewFunction(kind, reachesTailCall);
        var builder = new IrBuilder(function);
        builder.Block = builder.AppendBlock();
        body(builder);
        builder.Leaves.Commit();
        return function;
    }

    /// <summary>Selects, and checks both forms.</summary>
    public static MachineFunction Select(IrFunction function, TargetDescription? target = null)
    {
        IReadOnlyList<string> violations = IrChecker.Check(function);
        Assert.True(violations.Count == 0, string.Join('\n', violations) + "\n" + IrPrinter.Print(function, Symbols));
        MachineFunction selected = InstructionSelector.Select(function, Module, target ?? Power8);
        violations = MirChecker.Check(selected);
        Assert.True(violations.Count == 0,
            string.Join('\n', violations) + "\n" + IrPrinter.Print(function, Symbols) + MirPrinter.Print(selected, Symbols));
        return selected;
    }

    /// <summary>Blocks of the selected code as text.</summary>
    public static string Print(IrFunction function, TargetDescription? target = null)
    {
        string text = MirPrinter.Print(Select(function, target), Symbols);
        return text[(text.IndexOf('\n', StringComparison.Ordinal) + 1)..];
    }

    /// <summary>Runs both forms on the same world; false if the function does not end.</summary>
    public static bool Compare(
        IrFunction function, MachineFunction selected, ulong[] arguments, bool isBigEndian = false, Action<TestWorld>? prepare = null)
    {
        var expectedWorld = new TestWorld(isBigEndian);
        var actualWorld = new TestWorld(isBigEndian);
        prepare?.Invoke(expectedWorld);
        prepare?.Invoke(actualWorld);
        string? expected = IrInterpreter.Run(function, expectedWorld, arguments);
        if (expected is null)
            return false;
        string actual = MirInterpreter.Run(selected, actualWorld, arguments);
        if (expected != actual || !expectedWorld.Events.SequenceEqual(actualWorld.Events))
            Assert.Fail(Describe(function, selected, arguments, [.. expectedWorld.Events, expected], [.. actualWorld.Events, actual]));
        return true;
    }

    private static string Describe(
        IrFunction function, MachineFunction selected, ulong[] arguments, List<string> expected, List<string> actual) =>
        $"arguments {string.Join(", ", arguments.Select(static argument => $"{argument:x}"))}\n"
        + IrPrinter.Print(function, Symbols) + MirPrinter.Print(selected, Symbols)
        + $"expected:\n{string.Join('\n', expected)}\nactual:\n{string.Join('\n', actual)}";
}
