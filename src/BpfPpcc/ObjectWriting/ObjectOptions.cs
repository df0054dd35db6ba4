using System.Collections.Immutable;

namespace BpfPpcc.ObjectWriting;

/// <summary>What the user may decide about the output object; plain values, so that the room does not know the command line.</summary>
public sealed record ObjectOptions
{
    /// <summary>Distinguishes the module's symbol, bpfppcc_module_STEM: characters [A-Za-z0-9_] only.</summary>
    public required string Stem { get; init; }

    /// <summary>Put before every name of the input that is not renamed.</summary>
    public string SymbolPrefix { get; init; } = "";

    /// <summary>Names of functions, maps and variables of the input, and what they are called in the output.</summary>
    public ImmutableArray<SymbolRename> Renames { get; init; } = [];

    /// <summary>Put before a helper's name instead of <see cref="HelperNames.DefaultPrefix"/>.</summary>
    public string HelperPrefix { get; init; } = HelperNames.DefaultPrefix;

    /// <summary>Leave .BTF and .BTF.ext out.</summary>
    public bool StripBtf { get; init; }

    /// <summary>Version of the tool, for the module's record.</summary>
    public required string ToolVersion { get; init; }

    /// <summary>The options that decided about the code, as the user would write them, for the module's record. No paths.</summary>
    public string OptionsText { get; init; } = "";

    /// <summary>Limits under which the programs were verified, for the note; "" if they were not.</summary>
    public string VerifierLimits { get; init; } = "";
}

/// <summary>One --rename-symbol.</summary>
public readonly record struct SymbolRename(string OldName, string NewName);
