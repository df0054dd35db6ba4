using System.Collections.Immutable;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using BpfPpcc.Symbols;
using BpfPpcc.Verification;

namespace BpfPpcc.Lifting;

/// <summary>How one BPF function appears in the output: as one function, or as one for BPF callers and one in front of it for C.</summary>
/// <param name="Code">Symbol of the function that BPF code calls.</param>
/// <param name="CodeName">Its name.</param>
/// <param name="HasFront">C enters by a function of its own, a thunk or a program, which calls the code.</param>
/// <param name="IsCallableFromC">C may call the function, by whichever of the two.</param>
internal sealed record FunctionForm(SymbolId Code, string CodeName, bool HasFront, bool IsCallableFromC);

/// <summary>What is known of the whole module while its functions are lifted.</summary>
internal sealed class LiftingContext
{
    /// <summary>Suffix of the code that only BPF code calls.</summary>
    private const string CodeSuffix = ".bpf";

    private readonly DiagnosticBag _diagnostics;

    public LiftingContext(VerifiedModule verified, DiagnosticBag diagnostics)
    {
        _diagnostics = diagnostics;
        Verified = verified;
        CallGraph = CallGraph.Of(verified);
        Forms = [.. verified.Module.Functions.Select(Form)];
        ControlFlows = new ControlFlow[Forms.Length];
        LiveAtEntry = new ulong[Forms.Length][];
        ArgumentRegisters = new int[Forms.Length];
        Array.Fill(ArgumentRegisters, CallSite.AllArguments);
        foreach (int index in CallGraph.CalleesFirst())
        {
            BpfFunction function = verified.Module.Functions[index];
            ControlFlows[index] = ControlFlow.Of(function, verified.Facts[index]);
            LiveAtEntry[index] = RegisterLiveness.Solve(function, ControlFlows[index], ArgumentRegisters);
            ArgumentRegisters[index] = (int)LiveAtEntry[index][0] & CallSite.AllArguments;
        }
    }

    public VerifiedModule Verified { get; }

    public BpfModule Module => Verified.Module;

    public SymbolTable Symbols { get; } = new();

    public CallGraph CallGraph { get; }

    /// <summary>By function.</summary>
    public ImmutableArray<FunctionForm> Forms { get; }

    /// <summary>By function.</summary>
    public ControlFlow[] ControlFlows { get; }

    /// <summary>By function and block: the variables that are live at the block's entry.</summary>
    public ulong[][] LiveAtEntry { get; }

    /// <summary>
    /// By function: which of r1 to r5 it reads before it writes them, one bit each by number. This and not the C prototype says what a
    /// local call passes: clang drops and splits the arguments of static functions and leaves their BTF as the source had it.
    /// </summary>
    public int[] ArgumentRegisters { get; }

    /// <summary>At least one function could not be lifted.</summary>
    public bool HasFailed { get; private set; }

    public void Error(DiagnosticId id, BpfFunction function, int slot, string message, string? help = null)
    {
        HasFailed = true;
        _diagnostics.Error(id, message, Location(Module, function, slot), help);
    }

    public static DiagnosticLocation Location(BpfModule module, BpfFunction function, int slot) =>
        new(module.SourceName, function.SectionName, function.Name, slot, function.PositionOf(slot));

    /// <summary>A result that C sees differently from BPF code (object-abi.md, Programs).</summary>
    public static BpfScalar? NarrowResult(BpfFunction function) =>
        function.Prototype?.Result is { Bytes: < 8 } result ? result : null;

    /// <summary>
    /// C gets extended results and enters with a tail-call count to be made; BPF callers get r0 as it is and share their count. Where
    /// that makes a difference and both may call, the function has two entries.
    /// </summary>
    private FunctionForm Form(BpfFunction function)
    {
        bool isProgram = function.Role == BpfFunctionRole.Program;
        bool isCalled = CallGraph.IsCalled[function.Index];
        bool isForC = isProgram || !function.IsStatic || CallGraph.IsAddressTaken[function.Index];
        bool reachesTailCall = CallGraph.ReachesTailCall[function.Index];

        // A program makes a count itself; a subprogram expects one, whether or not BPF code calls it.
        bool needsCount = reachesTailCall && (isCalled || !isProgram);
        bool needsExtension = isCalled && NarrowResult(function) != null;
        bool hasFront = isForC && (needsCount || needsExtension);
        string name = hasFront ? function.Name + CodeSuffix : function.Name;
        return new FunctionForm(Symbols.Intern(SymbolKind.FunctionCode, name, function.Index), name, hasFront, isForC);
    }
}
