using System.Collections.Immutable;
using System.Text;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using BpfPpcc.Verification.Catalog;

namespace BpfPpcc.Verification;

/// <summary>
/// The helper functions of a host, from C prototypes with annotations (docs/verification.md). Those with a number are called by it, the
/// others by name as extern functions.
/// </summary>
public sealed class HelperDeclarations
{
    private readonly ImmutableDictionary<string, HelperPrototype> _byName;

    internal HelperDeclarations(ImmutableDictionary<string, HelperPrototype> byName, ImmutableDictionary<int, HostHelper> numbered)
    {
        _byName = byName;
        Numbered = numbered;
    }

    public static HelperDeclarations None { get; } =
        new(ImmutableDictionary<string, HelperPrototype>.Empty, ImmutableDictionary<int, HostHelper>.Empty);

    /// <summary>Those that programs call by number.</summary>
    public ImmutableDictionary<int, HostHelper> Numbered { get; }

    /// <summary>The declarations of a file; null after one error.</summary>
    public static HelperDeclarations? Read(ReadOnlyMemory<byte> contents, string fileName, DiagnosticBag diagnostics) =>
        new HelperDeclarationParser(Encoding.UTF8.GetString(contents.Span), fileName).Parse(diagnostics);

    internal HelperPrototype? Find(string name) => _byName.GetValueOrDefault(name);
}
