using System.Collections.Immutable;
using BpfPpcc.Btf;

namespace BpfPpcc.Loading;

/// <summary>
/// A loaded BPF object: everything that later stages need to know of it, with every relocation resolved to a <see cref="BpfReference"/>.
/// No stage after loading sees ELF input.
/// </summary>
public sealed record BpfModule
{
    /// <summary>Input file, as the user named it ("-" for standard input).</summary>
    public required string SourceName { get; init; }

    /// <summary>SHA-256 of the input file.</summary>
    public required ImmutableArray<byte> Sha256 { get; init; }

    public required bool IsBigEndian { get; init; }

    /// <summary>Contents of the section "license", "" if absent.</summary>
    public required string Licence { get; init; }

    /// <summary>Contents of the section "version", 0 if absent.</summary>
    public required uint KernelVersion { get; init; }

    /// <summary>All functions, programs and subprograms, by section in file order and by address within a section.</summary>
    public required ImmutableArray<BpfFunction> Functions { get; init; }

    /// <summary>All maps that the user defined, in input order. Data sections are not among them.</summary>
    public required ImmutableArray<BpfMap> Maps { get; init; }

    public required ImmutableArray<BpfDataSection> DataSections { get; init; }

    /// <summary>Parsed .BTF, or null.</summary>
    public required BtfTypes? Btf { get; init; }

    /// <summary>Types of the kernel or host that the programs will run in (--btf), or null.</summary>
    public BtfTypes? TargetBtf { get; init; }

    /// <summary>Helpers of the host that programs may call by number.</summary>
    public ImmutableDictionary<int, HostHelper> HostHelpers { get; init; } = ImmutableDictionary<int, HostHelper>.Empty;

    /// <summary>Contents of .BTF and .BTF.ext as they were, for pass-through; empty if absent.</summary>
    public required ImmutableArray<byte> RawBtf { get; init; }

    public required ImmutableArray<byte> RawBtfExt { get; init; }
}
