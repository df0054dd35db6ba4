using System.Collections.Immutable;

namespace BpfPpcc.CommandLine;

/// <summary>What the user asked for, as plain values: the result of reading the command line.</summary>
public sealed record CommandLineArguments
{
    /// <summary>The BPF object, or "-" for standard input.</summary>
    public required string Input { get; init; }

    /// <summary>Where the output goes, or "-" for standard output; null: beside the input.</summary>
    public string? Output { get; init; }

    /// <summary>power8, power9 or power10.</summary>
    public string Cpu { get; init; } = "power8";

    /// <summary>0, 1 or 2.</summary>
    public int OptimizationLevel { get; init; } = 2;

    public bool EmitAssembly { get; init; }

    public bool NoVerify { get; init; }

    public bool RawContext { get; init; }

    public string SymbolPrefix { get; init; } = "";

    /// <summary>Old name and new name.</summary>
    public ImmutableArray<(string Old, string New)> Renames { get; init; } = [];

    public string HelperPrefix { get; init; } = "bpf_helper_";

    public string? ModuleName { get; init; }

    public ImmutableArray<string> ExternMaps { get; init; } = [];

    /// <summary>File with the types of the target, and what it continues.</summary>
    public string? Btf { get; init; }

    public string? BtfBase { get; init; }

    /// <summary>Function name ("" for all of unknown type) and section name.</summary>
    public ImmutableArray<(string Function, string Type)> ProgramTypes { get; init; } = [];

    /// <summary>File with a kernel's configuration.</summary>
    public string? KernelConfig { get; init; }

    public ImmutableArray<(string Name, string Value)> Definitions { get; init; } = [];

    /// <summary>text or json, to list what the object holds instead of compiling it; null to compile.</summary>
    public string? List { get; init; }

    public bool StripBtf { get; init; }

    public ImmutableArray<string> Dump { get; init; } = [];

    public string? DumpFunction { get; init; }

    public bool TimePasses { get; init; }
}

/// <summary>Exit codes of the tool.</summary>
public static class ExitCode
{
    public const int Success = 0;

    /// <summary>The input was refused, or a file could not be read or written.</summary>
    public const int Failure = 1;

    /// <summary>The command line makes no sense.</summary>
    public const int Usage = 2;
}
