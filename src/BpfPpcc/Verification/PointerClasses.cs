using System.Collections.Immutable;
using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification;

/// <summary>
/// Finds the loads that read a packet pointer from the context (object-abi.md, Context): the UAPI has a u32 there, native code a
/// 64-bit slot elsewhere. Goes in: functions that passed the structure check. Comes out: per function which load reads which slot.
///
/// This is a forward data-flow analysis over the classes of <see cref="PointerClass"/>, joined at merges. A static function is analysed
/// anew for every distinct set of argument classes, as if it stood at the call (its callers' frames included where it gets a pointer
/// into one); what its instructions do must then agree over all of them. Every fact holds for all paths, feasible or not.
///
/// Why it is sound to treat some values as "no context" for certain:
/// - A context pointer lives in registers and stack slots only. Helpers never write one, and whoever copies one to a map value or to
///   packet memory gets a number back, through which no valid program reads. So 8 bytes loaded from elsewhere are another pointer.
/// - A value narrower than 64 bits, or the result of anything but moves, additions and subtractions, is no valid base. It joins as
///   nothing: a register that holds a context on one path and a number on the other is dereferenced on the first path only.
/// - A helper that is handed a stack buffer may overwrite a spilled context, but with data, which again is no valid base.
/// - A number that is added to a stack address is taken to be an index of 0 or more; one that is subtracted may lead anywhere in the
///   frame. (Otherwise every array on the stack would make every spilled context ambiguous.)
/// A base that may be a context or some other pointer, or a context at an unknown offset, is ambiguous and refused.
/// </summary>
internal sealed class PointerClasses
{
    private const int MaximumErrorsPerFunction = 10;

    /// <summary>After so many distinct entries of a function further ones are joined, which bounds the work.</summary>
    private const int MaximumEntries = 16;

    /// <summary>Linux's MAX_CALL_FRAMES, which counts callbacks as calls.</summary>
    private const int MaximumFrames = 8;

    private const string RawHelp =
        "if the host brings context structs of its own and fields are to be used as they are, compile with --ctx=raw";

    private readonly BpfModule _module;
    private readonly bool[][] _reachable;
    private readonly DiagnosticBag _diagnostics;
    private readonly AccessFacts[] _facts;
    private readonly FunctionBlocks?[] _blocks;
    private readonly List<(PointerState Entry, PointerState Exit)>[] _done;
    private readonly Queue<int> _asynchronous = new();
    private readonly int[] _addressTaken;
    private int _frames;
    private bool _isTooDeep;

    private PointerClasses(BpfModule module, bool[][] reachable, DiagnosticBag diagnostics)
    {
        _module = module;
        _reachable = reachable;
        _diagnostics = diagnostics;
        _facts = new AccessFacts[module.Functions.Length];
        _blocks = new FunctionBlocks?[module.Functions.Length];
        _done = new List<(PointerState, PointerState)>[module.Functions.Length];
        for (int i = 0; i < _done.Length; i++)
        {
            _facts[i] = new AccessFacts(module.Functions[i].Instructions.Length);
            _done[i] = [];
        }

        _addressTaken = FindAddressTaken(module);
    }

    /// <summary>
    /// By function: slot -> offset of the native 64-bit field that the load there reads. Null after an error was reported.
    /// </summary>
    public static ImmutableDictionary<int, int>[]? FindContextLoads(BpfModule module, bool[][] reachable, DiagnosticBag diagnostics)
    {
        var pass = new PointerClasses(module, reachable, diagnostics);
        pass.AnalyseEntryPoints();
        bool isSound = !pass._isTooDeep;
        foreach (BpfFunction function in module.Functions)
            isSound &= pass.ReportErrors(function);
        return isSound ? Array.ConvertAll(pass._facts, facts => facts.ContextLoads()) : null;
    }

    private static int[] FindAddressTaken(BpfModule module)
    {
        var functions = new SortedSet<int>();
        foreach (BpfFunction function in module.Functions)
        {
            foreach (BpfReference reference in function.References.Values)
            {
                if (reference is BpfReference.FunctionAddress address)
                    functions.Add(address.Function);
            }
        }

        return [.. functions];
    }

    private void AnalyseEntryPoints()
    {
        foreach (BpfFunction function in _module.Functions)
        {
            if (function.Role == BpfFunctionRole.Program)
                Analyse(function.Index, ProgramEntry(function));
            else if (!function.IsStatic)
                Analyse(function.Index, PrototypeEntry(function));
        }

        // Callbacks of kernel functions, and functions that nothing refers to: none of them gets a context.
        while (_asynchronous.TryDequeue(out int callback))
            Analyse(callback, ArgumentsEntry(PointerClass.Other));
        foreach (BpfFunction function in _module.Functions)
        {
            if (_done[function.Index].Count == 0)
                Analyse(function.Index, ArgumentsEntry(PointerClass.Other));
        }
    }

    /// <summary>
    /// The program type decides. Replacements of global functions get what those get, and so does a program in a section whose name
    /// tells no type, except in .text, where functions are plain C functions.
    /// </summary>
    private static PointerState ProgramEntry(BpfFunction program)
    {
        if (program.ProgramType == BpfProgramType.EXT
            || (program.ProgramType == BpfProgramType.UNSPEC && program.SectionName != ".text" && program.Prototype is not null))
        {
            return PrototypeEntry(program);
        }

        PointerState entry = PointerState.Entry();
        int structIndex = ContextFields.StructOf(program.ProgramType);
        entry[1] = structIndex == ContextFields.NoStruct ? PointerClass.Other : PointerClass.Context(structIndex);
        return entry;
    }

    /// <summary>
    /// A global function as the host or the kernel calls it. A parameter whose type says nothing stays open: the callers in this module
    /// decide, as for `void *ctx __arg_ctx`.
    /// </summary>
    private static PointerState PrototypeEntry(BpfFunction function)
    {
        PointerState entry = PointerState.Entry();
        ImmutableArray<BpfScalar> parameters = function.Prototype?.Parameters ?? [];
        for (int i = 0; i < Math.Min(parameters.Length, 5); i++)
        {
            int structIndex = ContextFields.StructOf(parameters[i].PointeeStruct);
            entry[i + 1] = structIndex != ContextFields.NoStruct ? PointerClass.Context(structIndex)
                : parameters[i].PointeeStruct is not null ? PointerClass.Other
                : PointerClass.None;
        }

        return entry;
    }

    private static PointerState ArgumentsEntry(PointerClass arguments)
    {
        PointerState entry = PointerState.Entry();
        for (int register = 1; register <= 5; register++)
            entry[register] = arguments;
        return entry;
    }

    /// <summary>
    /// Analyses a function for one set of argument classes, unless that was done before, and returns the state at its exits: r0 and
    /// what it left in its callers' frames.
    /// </summary>
    private PointerState Analyse(int function, PointerState entry)
    {
        List<(PointerState Entry, PointerState Exit)> done = _done[function];
        if (done.Count >= MaximumEntries)
            JoinEarlierEntries(done, entry);
        foreach ((PointerState known, PointerState exit) in done)
        {
            if (known.SameAs(entry))
                return exit;
        }

        if (_frames == MaximumFrames)
        {
            ReportTooDeep(function);
            return entry;
        }

        PointerState copy = entry.Clone();
        _frames++;
        PointerState result = AnalyseBody(function, entry);
        _frames--;
        done.Add((copy, result));
        return result;
    }

    private static void JoinEarlierEntries(List<(PointerState Entry, PointerState Exit)> done, PointerState entry)
    {
        for (int i = MaximumEntries - 1; i < done.Count; i++)
        {
            if (done[i].Entry.Depth == entry.Depth)
                entry.JoinWith(done[i].Entry);
        }
    }

    private void ReportTooDeep(int function)
    {
        if (!_isTooDeep)
        {
            _diagnostics.Error(
                DiagnosticId.CallbackDepthExceeded, "calls and callbacks nest more than 8 frames deep, or a callback leads back to itself",
                SlotLocation.Of(_module, _module.Functions[function]));
        }

        _isTooDeep = true;
    }

    /// <summary>The fixpoint over the blocks of one function. The facts of unfinished rounds are below the final ones and do no harm.</summary>
    private PointerState AnalyseBody(int function, PointerState entry)
    {
        FunctionBlocks blocks = _blocks[function] ??= FunctionBlocks.Of(_module.Functions[function].Instructions.AsSpan(), _reachable[function]);
        PointerState?[] states = new PointerState?[blocks.Count];
        bool[] isPending = new bool[blocks.Count];
        PointerState? exit = null;
        states[0] = entry;
        isPending[0] = true;
        for (int lowest = 0; lowest < blocks.Count && !_isTooDeep;)
        {
            int block = lowest++;
            if (!isPending[block])
                continue;
            isPending[block] = false;
            PointerState state = states[block]!.Clone();
            bool isExit = RunBlock(function, blocks, block, state);
            if (isExit)
                exit = JoinExit(exit, state);
            int[] successors = blocks.SuccessorsOf(block);
            for (int i = 0; i < successors.Length; i++)
            {
                int successor = successors[i];
                if (!JoinInto(states, successor, state, isLast: i == successors.Length - 1))
                    continue;
                isPending[successor] = true;
                lowest = Math.Min(lowest, successor);
            }
        }

        PointerState result = exit ?? entry;
        result.DropOwnFrame();
        return result;
    }

    /// <param name="isLast">Nobody else needs <paramref name="state"/>.</param>
    private static bool JoinInto(PointerState?[] states, int block, PointerState state, bool isLast)
    {
        if (states[block] is { } known)
            return known.JoinWith(state);
        states[block] = isLast ? state : state.Clone();
        return true;
    }

    private static PointerState JoinExit(PointerState? exit, PointerState state)
    {
        exit?.JoinWith(state);
        return exit ?? state;
    }

    /// <summary>Runs the instructions of a block on <paramref name="state"/>; true if it ends with exit.</summary>
    private bool RunBlock(int function, FunctionBlocks blocks, int block, PointerState state)
    {
        BpfFunction body = _module.Functions[function];
        ReadOnlySpan<BpfInstruction> code = body.Instructions.AsSpan();
        for (int slot = blocks.StartOf(block); slot < blocks.EndOf(block); slot += ControlFlow.SlotsOf(code[slot]))
        {
            BpfInstruction instruction = code[slot];
            if (instruction.IsCall)
                Call(body, slot, state);
            else if (instruction.IsExit)
                return true;
            else
                PointerTransfer.Apply(body, slot, state, _facts[function]);
        }

        return false;
    }

    private void Call(BpfFunction caller, int slot, PointerState state)
    {
        BpfInstruction instruction = caller.Instructions[slot];
        caller.References.TryGetValue(slot, out BpfReference? reference);
        switch (reference)
        {
            case BpfReference.FunctionCall call:
                CallFunction(call.Function, state);
                break;
            case BpfReference.ExternCall external:
                CallExtern(external.Name, state);
                break;
            case BpfReference.HostCall:
                state[0] = PointerClass.Other;
                break;
            default:
                if (instruction.IsCallIndirect)
                    CallIndirect(state[instruction.Dst], state);
                else
                    CallHelper(instruction.Imm, state);
                break;
        }

        state.ClobberArguments();
    }

    private void CallFunction(int callee, PointerState state)
    {
        bool seesFrames = false;
        for (int register = 1; register <= 5; register++)
            seesFrames |= state[register].IsFrameLike;
        PointerState entry = state.EnterCallee(seesFrames);
        for (int register = 1; register <= 5; register++)
            entry[register] = state[register];
        PointerState exit = Analyse(callee, entry);
        state.LeaveCallee(exit);
        state[0] = exit[0];
    }

    /// <summary>A call through a register: of the function whose address it holds, or of any whose address is taken.</summary>
    private void CallIndirect(PointerClass target, PointerState state)
    {
        if (target.Kind == PointerKind.Function)
        {
            CallFunction(target.Index, state);
            return;
        }

        PointerState before = state.Clone();
        state[0] = PointerClass.Other;
        if (target.Kind == PointerKind.None)
            return;
        foreach (int function in _addressTaken)
        {
            PointerState after = before.Clone();
            CallFunction(function, after);
            state.JoinWith(after);
        }
    }

    private void CallHelper(int id, PointerState state)
    {
        if (BpfHelpers.CallbackOf(id) is { } callback)
        {
            PointerClass function = state[callback.FunctionArgument];
            foreach (int candidate in function.Kind == PointerKind.Function ? [function.Index] : _addressTaken)
            {
                if (callback.IsAsynchronous)
                    _asynchronous.Enqueue(candidate);
                else
                    CallBack(candidate, callback, state);
            }
        }

        state[0] = PointerClass.Other;
    }

    /// <summary>The helper calls the function any number of times, so each time it may find what it left the time before.</summary>
    private void CallBack(int function, BpfHelperCallback callback, PointerState state)
    {
        PointerClass context = state[callback.ContextArgument];
        do
        {
            PointerState entry = state.EnterCallee(context.IsFrameLike);
            for (int register = 1; register <= 5; register++)
                entry[register] = register == callback.ContextParameter ? context : PointerClass.Other;
            PointerState exit = Analyse(function, entry);
            if (exit.Depth == 0 || !state.JoinFramesWith(exit))
                return;
        }
        while (!_isTooDeep);
    }

    /// <summary>C code of the host or a kernel function: may call functions back later and copy memory, but returns no context.</summary>
    private void CallExtern(string name, PointerState state)
    {
        for (int register = 1; register <= 5; register++)
        {
            if (state[register].Kind == PointerKind.Function)
                _asynchronous.Enqueue(state[register].Index);
        }

        bool isCopy = name is "memcpy" or "memmove";
        if (isCopy && state[1].IsFrameLike)
            state.CopySomewhere(state[1], state[2]);
        state[0] = isCopy ? state[1] : PointerClass.Other;
    }

    private bool ReportErrors(BpfFunction function)
    {
        int errors = 0;
        foreach ((int slot, AccessFault fault, ContextField? field) in _facts[function.Index].Faults())
        {
            if (errors++ >= MaximumErrorsPerFunction)
                break;
            (DiagnosticId id, string message, string help) = fault switch
            {
                AccessFault.Ambiguous => (
                    DiagnosticId.ContextPointerAmbiguous,
                    "the instruction accesses the context on some paths and other memory, or another part of the context, on others; "
                        + "where the context holds its packet pointers, one instruction must always do the same",
                    "write the access once per case, or copy ctx->data and ctx->data_end to variables first; " + RawHelp),
                AccessFault.FieldAccess => (
                    DiagnosticId.ContextPointerFieldAccess,
                    $"the instruction touches {field?.Name} of struct {field?.Struct} other than by a plain 4-byte load; "
                        + "in native code the pointer is 64 bits wide and stands elsewhere",
                    $"read it as (void *)(long)ctx->{field?.Name} and never write it; " + RawHelp),
            };
            _diagnostics.Error(id, message, SlotLocation.Of(_module, function, slot), help);
        }

        return errors == 0;
    }
}
