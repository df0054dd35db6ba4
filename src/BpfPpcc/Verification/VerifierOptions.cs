using BpfPpcc.Verification.Walk;

namespace BpfPpcc.Verification;

/// <summary>How a module is to be verified.</summary>
public sealed record VerifierOptions
{
    /// <summary>Linux's limit of instructions walked on all paths together (BPF_COMPLEXITY_LIMIT_INSNS).</summary>
    public const int DefaultBudget = 1_000_000;

    /// <summary>The host's context structs are its own (--ctx=raw): no load is redirected and the pointer-class pass does not run.</summary>
    public bool RawContext { get; init; }

    /// <summary>The user takes the blame for unsafe programs (--no-verify): nothing is proved, and nothing is said about it.</summary>
    public bool NoVerify { get; init; }

    /// <summary>Instructions that may be walked per function that is verified by itself, on all paths together (--verify-budget).</summary>
    public int Budget { get; init; } = DefaultBudget;

    /// <summary>Receives a protocol of the walk in the manner of the kernel's log (--verify-log), or null.</summary>
    public TextWriter? Log { get; init; }

    /// <summary>
    /// Bytes of context that programs without a kernel program type get in r1 (--ctx-size); null: what the first parameter of their BTF
    /// prototype points to.
    /// </summary>
    public int? GenericContextSize { get; init; }

    /// <summary>What the user declared of the host's own helpers (--helpers).</summary>
    public HelperDeclarations Helpers { get; init; } = HelperDeclarations.None;

    /// <summary>Refuse reads of the stack where nothing was written, as Linux does for unprivileged users.</summary>
    public bool StrictStack { get; init; }

    /// <summary>Refuse accesses that are not known to be aligned, as Linux does with BPF_F_STRICT_ALIGNMENT.</summary>
    public bool StrictAlignment { get; init; }

    /// <summary>
    /// Constants in read-only sections are those of the object (Linux, where they are frozen before verification). False where the host may
    /// set them later.
    /// </summary>
    public bool HasConstantData { get; init; } = true;

    /// <summary>
    /// Programs in sections whose names say nothing, which are not accepted without a type, are tried as the types that old loaders gave such
    /// sections. A warning names the type that was found.
    /// </summary>
    public bool FindsProgramTypes { get; init; } = true;

    /// <summary>Check structure and pointer classes only, for tests of these.</summary>
    internal bool SkipsWalk { get; init; }

    /// <summary>Follow every path to its end, for tests: the verdict must be the same.</summary>
    internal bool DisablesPruning { get; init; }

    /// <summary>Sees the state before each instruction walked, for tests: slots count from the start of the module's first function.</summary>
    internal Action<int, VerifierState>? Observer { get; init; }

    /// <summary>
    /// Know as little as Linux 6.12 of the results of division, negation, byte swaps and shifts by a variable: nothing. For tests, to tell
    /// what is accepted because more is known from what is accepted wrongly.
    /// </summary>
    internal bool KnowsLittleOfArithmetic { get; init; }
}
