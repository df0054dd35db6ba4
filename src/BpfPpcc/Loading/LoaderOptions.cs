using System.Collections.Immutable;
using BpfPpcc.Btf;

namespace BpfPpcc.Loading;

/// <summary>What the user decides about loading.</summary>
public sealed record LoaderOptions
{
    /// <summary>Names of maps that another object defines (--extern-map).</summary>
    public ImmutableArray<string> ExternMaps { get; init; } = [];

    /// <summary>The object is to be linked with others (<see cref="ModuleLinker"/>): it may lack programs.</summary>
    public bool IsPart { get; init; }

    /// <summary>Types of the kernel or host that the programs will run in (--btf), or null: the object's own types stand for them.</summary>
    public BtfTypes? TargetBtf { get; init; }
}
