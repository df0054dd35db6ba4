using System.Collections.Immutable;
using BpfPpcc.Btf;

namespace BpfPpcc.Loading;

/// <summary>What the user decides about loading.</summary>
public sealed record LoaderOptions
{
    /// <summary>Names of maps that another object defines (--extern-map).</summary>
    public ImmutableArray<string> ExternMaps { get; init; } = [];

    /// <summary>Types of the kernel or host that the programs will run in (--btf), or null: the object's own types stand for them.</summary>
    public BtfTypes? TargetBtf { get; init; }

    /// <summary>
    /// Program types that section names do not say or say wrongly (--type), as section names of libbpf ("xdp", "tc"). An entry without a
    /// function's name is for all programs whose section says nothing.
    /// </summary>
    public ImmutableArray<(string Function, string Type)> ProgramTypes { get; init; } = [];

    /// <summary>Values of the kernel's configuration (--kconfig, -D), by name.</summary>
    public KernelConfiguration Configuration { get; init; } = KernelConfiguration.Empty;

    /// <summary>Warn of programs whose type is unknown: what their context is cannot be told.</summary>
    public bool WarnOfUnknownTypes { get; init; }

    /// <summary>The module is to be looked at, not compiled: CO-RE relocations and kernel configuration do not matter.</summary>
    public bool IsListing { get; init; }
}
