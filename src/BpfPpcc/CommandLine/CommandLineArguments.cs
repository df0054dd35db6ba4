using System.Collections.Immutable;

namespace BpfPpcc.CommandLine;

/// <summary>What the user asked for, as plain values: the result of reading the command line.</summary>
public sealed record CommandLineArguments
{
    /// <summary>Names standard error where a file is expected.</summary>
    public const string StandardError = "/dev/stderr";

    /// <summary>The BPF objects, at least one; "-" for standard input. Several are linked.</summary>
    public required ImmutableArray<string> Inputs { get; init; }

    /// <summary>Where the output goes, or "-" for standard output; null: beside the first input.</summary>
    public string? Output { get; init; }

    /// <summary>power8, power9 or power10.</summary>
    public string Cpu { get; init; } = "power8";

    /// <summary>0, 1 or 2.</summary>
    public int OptimizationLevel { get; init; } = 2;

    public bool EmitAssembly { get; init; }

    public bool NoVerify { get; init; }

    /// <summary>Verify each input by itself and compile nothing.</summary>
    public bool VerifyOnly { get; init; }

    /// <summary>File for the verdicts as JSON, "-" for standard output; null for none.</summary>
    public string? Report { get; init; }

    /// <summary>Instructions that verification may walk per program; null for its own limit.</summary>
    public int? VerifyBudget { get; init; }

    /// <summary>File for the protocol of verification, "-" for standard output, <see cref="StandardError"/>; null for none.</summary>
    public string? VerifyLog { get; init; }

    /// <summary>Refuse reads of the stack where nothing was written.</summary>
    public bool StrictStack { get; init; }

    /// <summary>Refuse accesses that may be misaligned.</summary>
    public bool StrictAlignment { get; init; }

    /// <summary>Bytes of context of programs without a kernel program type; null: by their prototype.</summary>
    public int? ContextSize { get; init; }

    /// <summary>File with declarations of the host's helpers.</summary>
    public string? Helpers { get; init; }

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
