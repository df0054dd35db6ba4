using System.Collections.Immutable;
using BpfPpcc.Ppc64;
using BpfPpcc.Verification;

namespace BpfPpcc;

/// <summary>How to compile one BPF object.</summary>
public sealed record CompilerOptions
{
    /// <summary>Name of the input in messages, and (without its folder) in the output's module record.</summary>
    public string InputName { get; init; } = "-";

    /// <summary>Oldest processor that must run the code.</summary>
    public Ppc64Cpu Cpu { get; init; } = Ppc64Cpu.Power8;

    /// <summary>0 (passes that code generation needs), 1 or 2 (all passes).</summary>
    public int OptimizationLevel { get; init; } = 2;

    /// <summary>Give GNU assembler text instead of an object.</summary>
    public bool EmitAssembly { get; init; }

    /// <summary>Accept programs that are not proved safe; the output says that it is unverified.</summary>
    public bool NoVerify { get; init; }

    /// <summary>Instructions that verification may walk per program, on all paths together.</summary>
    public int VerifyBudget { get; init; } = VerifierOptions.DefaultBudget;

    /// <summary>Receives every step of verification, or null.</summary>
    public TextWriter? VerifyLog { get; init; }

    /// <summary>Refuse reads of the stack where nothing was written.</summary>
    public bool StrictStack { get; init; }

    /// <summary>Refuse accesses that may be misaligned.</summary>
    public bool StrictAlignment { get; init; }

    /// <summary>Bytes of context of programs without a kernel program type; null: what their first parameter points to.</summary>
    public int? ContextSize { get; init; }

    /// <summary>Declarations of the host's own helpers (docs/verification.md), or null.</summary>
    public NamedFile? Helpers { get; init; }

    /// <summary>Use contexts as they are: no redirection of packet-pointer fields.</summary>
    public bool RawContext { get; init; }

    /// <summary>Put before every exported name.</summary>
    public string SymbolPrefix { get; init; } = "";

    /// <summary>Exported names to replace.</summary>
    public ImmutableArray<(string Old, string New)> Renames { get; init; } = [];

    /// <summary>Put before the kernel's names of helpers.</summary>
    public string HelperPrefix { get; init; } = "bpf_helper_";

    /// <summary>The module's symbol is bpfppcc_module_ and this.</summary>
    public string ModuleName { get; init; } = "prog";

    /// <summary>Maps that another object defines.</summary>
    public ImmutableArray<string> ExternMaps { get; init; } = [];

    /// <summary>Types of the system that the programs will run on: a .BTF section or an ELF file with one; null: the object's own.</summary>
    public NamedFile? TargetBtf { get; init; }

    /// <summary>What <see cref="TargetBtf"/> continues, if it is split BTF.</summary>
    public NamedFile? TargetBtfBase { get; init; }

    /// <summary>Program types, as section names; an empty function name stands for all programs whose section says nothing.</summary>
    public ImmutableArray<(string Function, string Type)> ProgramTypes { get; init; } = [];

    /// <summary>A kernel's .config, plain or compressed by gzip, for __kconfig externs.</summary>
    public NamedFile? KernelConfig { get; init; }

    /// <summary>Values of __kconfig externs that count before those of <see cref="KernelConfig"/>, as in a .config.</summary>
    public ImmutableArray<(string Name, string Value)> Definitions { get; init; } = [];

    /// <summary>Leave .BTF and .BTF.ext out.</summary>
    public bool StripBtf { get; init; }

    /// <summary>Which passes to print, and where to.</summary>
    public DumpOptions? Dump { get; init; }
}

/// <summary>Contents of a file, and how the user named it.</summary>
public sealed record NamedFile(string Name, ReadOnlyMemory<byte> Contents);

/// <summary>What to print while compiling.</summary>
/// <param name="Passes">Names of passes; "all" stands for every one.</param>
/// <param name="Function">Only the function with this name, or null.</param>
/// <param name="Output">Where to print.</param>
public sealed record DumpOptions(ImmutableArray<string> Passes, string? Function, TextWriter Output);
