using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using BpfPpcc.Verification.Domain;

namespace BpfPpcc.Verification.Walk;

/// <summary>
/// Walks all paths of one program, or of one global function, with abstract values, as the Linux verifier does (kernel documentation,
/// bpf/verifier.rst): depth first, along the fall-through first, one way where a condition is constant. Where paths meet, a state that an
/// older one covers ends its path. The first mistake ends the walk.
/// </summary>
internal sealed partial class ProgramWalk
{
    private const int MaximumPending = 8192;

    private readonly CodeImage _image;
    private readonly BpfModule _module;
    private readonly ProgramEnvironment _environment;
    private readonly VerifierOptions _options;
    private readonly VerifierLog? _log;
    private readonly Stack<VerifierState> _pending = new();
    private readonly List<ExploredState>?[] _explored;
    private readonly StateCompare _compare = new();
    private readonly Stack<ScalarNode> _precisionWork = new();
    private readonly WalkFacts _facts;
    private VerifierState _state;
    private int _slot;
    private int _lastId;
    private bool _pathEnds;
    private int _instructions;
    private int _jumps;
    private int _instructionsAtCheckpoint;
    private int _jumpsAtCheckpoint;

    public ProgramWalk(CodeImage image, ProgramEnvironment environment, VerifierOptions options, WalkFacts facts, VerifierLog? log)
    {
        _image = image;
        _module = image.Module;
        _environment = environment;
        _options = options;
        _facts = facts;
        _log = log;
        _explored = new List<ExploredState>?[image.Code.Length];
        _state = new VerifierState(new FrameState(environment.Function.Index, 0, -1));
        _slot = image.Starts[environment.Function.Index];
    }

    /// <summary>Instructions walked, on all paths together.</summary>
    public int Instructions => _instructions;

    /// <summary>Checkpoints stored.</summary>
    public int States { get; private set; }

    /// <summary>Why the program is refused; null if it was accepted.</summary>
    public WalkError? Error { get; private set; }

    private RegisterState[] Registers => _state.Frame.Registers;

    private BpfInstruction Current => _image.Code[_slot];

    /// <summary>True if no path has a mistake; else <see cref="Error"/> says what is wrong.</summary>
    public bool Run()
    {
        if (!EnterProgram())
            return false;
        while (true)
        {
            if (++_instructions > _options.Budget)
                return FailBudget();
            if (_image.IsPrunePoint[_slot])
            {
                PruneResult result = VisitPrunePoint();
                if (result == PruneResult.Failed)
                    return false;
                if (result == PruneResult.Pruned)
                {
                    if (!TakePending())
                        return true;
                    continue;
                }
            }

            _log?.Instruction(_image, _slot, _state);
            _options.Observer?.Invoke(_slot, _state);
            _facts.Reached[_slot] = true;
            if (!Step())
                return false;
            if (!_pathEnds)
                continue;
            _pathEnds = false;
            if (!TakePending())
                return true;
        }
    }

    /// <summary>Ends the current path and takes up the last one that was put aside; false if there is none.</summary>
    private bool TakePending()
    {
        OpenLoops.EndPath(_state);
        if (!_pending.TryPop(out VerifierState? next))
            return false;
        _state = next;
        _slot = next.LastSlot;
        _log?.Resume(_image, _slot);
        return true;
    }

    /// <summary>Puts a copy of the state aside, to go on at <paramref name="slot"/> later; null after an error.</summary>
    private VerifierState? PushPending(int slot)
    {
        if (_pending.Count >= MaximumPending)
        {
            Fail(DiagnosticId.VerifierBudgetExceeded, $"a sequence of {_pending.Count} jumps is too complex to follow", "split the function, or make the branches fewer");
            return null;
        }

        VerifierState copy = _state.Clone();
        copy.LastSlot = slot;
        copy.Branches = 1;
        if (copy.Parent is { } parent)
            parent.Branches++;
        _pending.Push(copy);
        return copy;
    }

    private bool Step()
    {
        BpfInstruction instruction = Current;
        if (_image.References[_slot] is BpfReference.Poisoned poisoned)
            return FailPoisoned(poisoned);
        switch (instruction.Class)
        {
            case BpfClass.ALU or BpfClass.ALU64:
                return StepAlu(instruction) && Next();
            case BpfClass.LDX:
                return StepLoad(instruction) && Next();
            case BpfClass.STX when instruction.IsAtomic:
                return StepAtomic(instruction) && Next();
            case BpfClass.STX:
                return StepStore(instruction) && Next();
            case BpfClass.ST:
                return StepStoreImmediate(instruction) && Next();
            case BpfClass.LD when instruction.IsLoadImmediate64:
                return StepLoadImmediate64(instruction) && Next(2);
            case BpfClass.LD:
                return StepLegacyPacketLoad(instruction) && Next();
            case BpfClass.JMP when instruction.IsCall:
                _jumps++;
                return StepCall(instruction);
            case BpfClass.JMP when instruction.IsExit:
                _jumps++;
                return StepExit();
            case BpfClass.JMP or BpfClass.JMP32:
                _jumps++;
                return StepJump(instruction);
        }

        throw new InvalidOperationException($"opcode 0x{instruction.Opcode:x2} passed the structure check");
    }

    private bool FailPoisoned(BpfReference.Poisoned poisoned) => Fail(DiagnosticId.CoreRelocationFailed, PoisonCheck.MessageOf(poisoned), PoisonCheck.Help);

    private bool Next(int slots = 1)
    {
        _slot += slots;
        return true;
    }

    private int NewId() => ++_lastId;

    /// <summary>The decision being made depends on the scalar's bounds.</summary>
    private void MarkPrecise(RegisterState register)
    {
        if (register.IsScalar)
            register.Value.MarkPrecise(_precisionWork);
    }

    private ScalarNode NewNode(in ScalarBounds bounds, ScalarNode? first = null, ScalarNode? second = null) => new(bounds, _slot, first, second);

    private RegisterState NewScalar(in ScalarBounds bounds, ScalarNode? first = null, ScalarNode? second = null) =>
        RegisterState.Scalar(NewNode(bounds, first, second));

    /// <summary>The register may be read, or an error.</summary>
    private bool CheckReadable(int register)
    {
        if (register == 10 || Registers[register].Kind != RegisterKind.NotInit)
            return true;
        string what = Current.IsCall && IsArgumentRegister(register) ? $"argument {register} of {CalleeAt(_slot)} has no value here" : $"{DescribeRegister("the value", register)} is used here without having one";
        return IsArgumentRegister(register) && FollowsCall()
            ? FailOnPath(
                DiagnosticId.UninitializedRegister, $"{what}: a call before it destroyed r{register}",
                "calls destroy r1 to r5, and functions with too few arguments leave the others open: check the prototypes, and compile with optimisation")
            : FailOnPath(
                DiagnosticId.UninitializedRegister, $"{what}: nothing was written to it on this path", "give the variable a value on every path, also where a branch is skipped");
    }

    private static bool IsArgumentRegister(int register) => register is >= 1 and <= 5;

    private bool FollowsCall()
    {
        for (int slot = _slot - 1; slot >= _image.Starts[_image.FunctionIndexAt(_slot)]; slot--)
        {
            if (_image.Code[slot].IsCall)
                return true;
        }

        return false;
    }
}
