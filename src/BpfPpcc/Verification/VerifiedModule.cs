using System.Collections.Immutable;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification;

/// <summary>
/// A module that went through verification. Holding one is the proof: only this room makes one. Whether the programs are
/// proved safe is <see cref="IsVerified"/>; the structural checks and the pointer classes hold in any case.
/// </summary>
public sealed class VerifiedModule
{
    internal VerifiedModule(BpfModule module, bool isVerified, ImmutableArray<ProgramFacts> facts)
    {
        Module = module;
        IsVerified = isVerified;
        Facts = facts;
    }

    public BpfModule Module { get; }

    /// <summary>True if every program was accepted by the full verifier. The structural checks alone never set it.</summary>
    public bool IsVerified { get; }

    /// <summary>What read-only sections hold is final: the proofs rest on it.</summary>
    public bool HasConstantData { get; internal init; }

    /// <summary>One per function, by <see cref="BpfFunction.Index"/>.</summary>
    public ImmutableArray<ProgramFacts> Facts { get; }
}

/// <summary>What verification learned of one function, by slot index. Only facts that hold on every path (never walk-time ranges).</summary>
public sealed record ProgramFacts
{
    /// <summary>
    /// False for slots that no path of the function's control flow reaches, or none of a program that was accepted; also for the second slot
    /// of LD_IMM64.
    /// </summary>
    public required ImmutableArray<bool> IsReachable { get; init; }

    /// <summary>
    /// The conditional jumps that go one way in every run, by slot: true where they are always taken. Empty where nothing was proved of the
    /// function.
    /// </summary>
    public ImmutableDictionary<int, bool> DecidedJumps { get; init; } = ImmutableDictionary<int, bool>.Empty;

    /// <summary>
    /// For loads of a packet-pointer field from a context pointer: slot -> byte offset of the native 64-bit field that the load reads
    /// instead (object-abi.md, Context). Empty with --ctx=raw.
    /// </summary>
    public required ImmutableDictionary<int, int> ContextLoads { get; init; }

    /// <summary>
    /// Loads through pointers to kernel objects that need not be valid, which Linux lets fault and give 0 (object-abi.md, Helpers and
    /// externs). Empty with --no-verify.
    /// </summary>
    public ImmutableHashSet<int> ProbeLoads { get; init; } = [];

    /// <summary>
    /// By slot: what the instruction at it, or what it calls, accesses of the function's own stack frame; slots that are not in it access
    /// nothing. Null where that is not known.
    /// </summary>
    public ImmutableDictionary<int, ImmutableArray<StackAccess>>? StackAccesses { get; init; }

    /// <summary>
    /// Slots of the instructions that, or what they call, access stack frames of the function's callers. Null where that is not known: of what
    /// the callers of a global function hand it, it is not proved where it lies.
    /// </summary>
    public ImmutableHashSet<int>? CallerAccesses { get; init; }

    /// <summary>By slot of an arithmetic instruction: bits of its result that are zero in every run.</summary>
    public ImmutableDictionary<int, ulong> ZeroBits { get; init; } = ImmutableDictionary<int, ulong>.Empty;

    /// <summary>Divisions and remainders whose divisor, a register, is not 0 in any run and, if they are signed, not -1.</summary>
    public ImmutableHashSet<int> PlainDivisors { get; init; } = [];

    /// <summary>Bytes of a stack frame (MAX_BPF_STACK).</summary>
    internal const int LargestStack = 512;

    /// <summary>Bytes of its stack frame that the function and what it hands its addresses to access at most.</summary>
    public int StackDepth { get; init; } = LargestStack;
}

/// <summary>Bytes in [Low, High), counted from r10.</summary>
/// <param name="IsWritten">They may have changed afterwards.</param>
public readonly record struct StackAccess(int Low, int High, bool IsWritten);
