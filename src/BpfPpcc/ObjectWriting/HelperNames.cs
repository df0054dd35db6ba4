using BpfPpcc.Symbols;

namespace BpfPpcc.ObjectWriting;

/// <summary>Names of the C functions that implement helpers (object-abi.md, Helpers and externs).</summary>
public static class HelperNames
{
    /// <summary>The prefix that symbol tables carry; another one may be asked for when the object is written.</summary>
    public const string DefaultPrefix = "bpf_helper_";

    /// <summary>The kernel's name of a helper: "ktime_get_ns".</summary>
    internal static string Bare(Symbol symbol) =>
        symbol.Name.StartsWith(DefaultPrefix, StringComparison.Ordinal) ? symbol.Name[DefaultPrefix.Length..] : symbol.Name;

    /// <summary>The name in the output of an extern: helpers get the prefix that was asked for.</summary>
    internal static string InOutput(Symbol symbol, string prefix) =>
        symbol.Kind == SymbolKind.ExternFunction && symbol.Name.StartsWith(DefaultPrefix, StringComparison.Ordinal)
            ? prefix + Bare(symbol)
            : symbol.Name;
}
