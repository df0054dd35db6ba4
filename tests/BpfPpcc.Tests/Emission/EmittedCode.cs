using BpfPpcc.Emission;
using BpfPpcc.Ppc64;
using BpfPpcc.Symbols;
using Xunit;

namespace BpfPpcc.Tests.Emission;

internal static class EmittedCode
{
    /// <summary>Names for the symbols that tests number as they like.</summary>
    private static readonly SymbolTable s_symbols = NumberedSymbols();

    public static TargetDescription Power8 { get; } = new(IsBigEndian: false, Ppc64Abi.ElfV2, Ppc64Cpu.Power8);

    public static TargetDescription Power8ElfV1 { get; } = new(IsBigEndian: true, Ppc64Abi.ElfV1, Ppc64Cpu.Power8);

    public static CompiledFunction Emit(this MirBuilder builder, TargetDescription? target = null)
    {
        CompiledFunction? function = CodeEmitter.Emit(builder.Function, builder.Allocate(), target ?? Power8);
        Assert.NotNull(function);
        return function;
    }

    /// <summary>The code is what GNU as makes of this text; 0 stands where relocations apply.</summary>
    public static void AssertAssembly(string expected, CompiledFunction function)
    {
        string[] lines = expected.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        uint[] words = GnuAssembler.Assemble(lines);
        if (words.AsSpan().SequenceEqual(function.Code.AsSpan()))
            return;
        string got = CodePrinter.Print(function, s_symbols);
        Assert.Fail($"expected:\n{expected}\ngot:\n{got[..Math.Min(got.Length, 10000)]}");
    }

    private static SymbolTable NumberedSymbols()
    {
        var symbols = new SymbolTable();
        for (int i = 0; i < 10; i++)
            symbols.Intern(SymbolKind.ExternFunction, $"symbol{i}");
        return symbols;
    }
}
