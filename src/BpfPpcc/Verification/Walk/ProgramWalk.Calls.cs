using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using BpfPpcc.Verification.Domain;

namespace BpfPpcc.Verification.Walk;

/// <summary>Calls of functions of the program, and returns from them.</summary>
internal sealed partial class ProgramWalk
{
    private const int MaximumFrames = 8;

    private bool StepCall(BpfInstruction instruction)
    {
        if (instruction.IsCallIndirect)
        {
            return Fail(
                DiagnosticId.IndirectCall, "the program calls a function through a pointer: what it does cannot be verified",
                "call functions by name; --no-verify compiles indirect calls");
        }

        return _image.References[_slot] switch
        {
            BpfReference.FunctionCall call => CallFunction(call.Function),
            BpfReference.ExternCall call when _options.Helpers.Find(call.Name) is { } declared => CallHost(declared),
            BpfReference.ExternCall call => CallKfunc(call),
            BpfReference.HostCall call => CallHost(_options.Helpers.Find(call.Helper.Name)!),
            _ => CallHelper(instruction.Imm),
        };
    }

    private bool CallFunction(int function)
    {
        BpfFunction callee = _module.Functions[function];
        if (ReferenceEquals(callee, _environment.ExceptionCallback))
            return Fail(DiagnosticId.Callback, $"the exception callback {callee.Name} is called directly", "call another function that both use");
        if (IsGlobal(callee))
            return CallGlobal(callee);
        if (_state.FrameCount >= MaximumFrames)
        {
            return Fail(
                DiagnosticId.CallDepthExceeded, $"the call of {callee.Name} would be the {_state.FrameCount + 1}th frame; the limit is {MaximumFrames}",
                "let the compiler inline some of these functions (static inline, or __always_inline)");
        }

        Enter(_state, new FrameState(function, _state.FrameCount, _slot), CopyArguments);
        ClobberArguments(_state.FrameAt(_state.FrameCount - 2));
        _slot = _image.Starts[function];
        return true;

        void CopyArguments(RegisterState[] caller, RegisterState[] registers)
        {
            for (int i = 1; i <= 5; i++)
                registers[i] = caller[i];
        }
    }

    private static void Enter(VerifierState state, FrameState frame, Action<RegisterState[], RegisterState[]> setArguments)
    {
        setArguments(state.Frame.Registers, frame.Registers);
        state.Push(frame);
    }

    private static void ClobberArguments(FrameState frame)
    {
        for (int i = 0; i <= 5; i++)
            frame.Registers[i] = RegisterState.NotInit;
    }

    /// <summary>
    /// Functions with external linkage are verified by themselves from their BTF prototype. Hidden ones are static for the kernel, because
    /// libbpf makes them so.
    /// </summary>
    private bool IsGlobal(BpfFunction function) => GlobalFunctions.IsGlobal(_module, function);

    private bool CallGlobal(BpfFunction callee)
    {
        if (_state.Lock is not null)
            return Fail(DiagnosticId.LockMisuse, $"the global function {callee.Name} is called while a spin lock is held", "make the function static");
        if (_environment.Effects.MaySleep(callee.Index) && !CheckMaySleep($"the global function {callee.Name}"))
            return false;
        if (_environment.Effects.MayThrow(callee.Index) && !CheckMayThrow($"the global function {callee.Name}"))
            return false;
        if (!CheckGlobalArguments(callee))
            return false;
        _facts.CalledGlobals.Add(callee.Index);
        if (_environment.Effects.ChangesPacket(callee.Index))
            ForgetPacketPointers();
        ClobberArguments(_state.Frame);
        Registers[0] = RegisterState.UnknownScalar(_slot);
        return Next();
    }

    private bool StepExit()
    {
        bool isOutermost = _state.FrameCount == 1;
        bool isCallback = _state.Frame.Role != FrameRole.Plain;
        if ((isOutermost || isCallback) && !CheckNothingHeld(isOutermost ? "the end of the program" : "the end of the callback", isOutermost))
            return false;
        if (!isOutermost)
            return ReturnToCaller();
        if (!CheckExitValue())
            return false;
        _pathEnds = true;
        return true;
    }

    private bool ReturnToCaller()
    {
        FrameState callee = _state.Frame;
        RegisterState result = callee.Registers[0];
        if (result.Kind == RegisterKind.Stack)
        {
            return Fail(
                DiagnosticId.ReturnValue, "the function returns a pointer to its own local variables",
                "they are gone when it returns: let the caller pass a place for the result");
        }

        if (callee.Role == FrameRole.Callback)
            return ReturnFromCallback(callee, result);
        _state.Pop();
        Registers[0] = result;
        _slot = callee.CallSite + 1;
        return true;
    }

    /// <summary>
    /// Another path leaves the function here, as a tail call does that succeeds and an old packet load that fails: what the function did up
    /// to here has happened, and nothing of the rest will.
    /// </summary>
    private bool PushReturn(RegisterState result, bool movesPacket)
    {
        if (_state.FrameCount == 1)
            return true;
        VerifierState? returned = PushPending(_state.Frame.CallSite + 1);
        if (returned is null)
            return false;
        returned.Pop();
        returned.Frame.Registers[0] = result;
        if (movesPacket)
            ForgetPacketPointers(returned);
        return true;
    }

    /// <summary>What another program returns, which was verified for the same type.</summary>
    private RegisterState TailCallResult() => ResultRange() is { IsRestricted: true, Is32: false } range
        ? NewScalar(ScalarBounds.FromSigned(range.Min, range.Max))
        : RegisterState.UnknownScalar(_slot);

    private bool ReturnFromCallback(FrameState callee, RegisterState result)
    {
        (long min, long max) = callee.CallbackResult;
        if (!CheckResultRange(result, min, max, "the callback"))
            return false;
        MarkPrecise(result);
        _state.Pop();
        if (callee.IsOnePass)
        {
            _pathEnds = true;
            return true;
        }

        _slot = callee.CallSite;
        if (FindEarlier(_slot, _state.Parent) is { } previous)
            WidenImprecise(previous, _state);
        return true;
    }

    private bool CheckResultRange(RegisterState result, long min, long max, string what)
    {
        if (result.Kind == RegisterKind.NotInit)
            return FailOnPath(DiagnosticId.UninitializedRegister, $"{what} returns without a result (r0 was never written on this path)", "return a number on every path");
        if (!result.IsScalar)
            return Fail(DiagnosticId.ReturnValue, $"{what} returns a pointer ({Describe(result)}), where a number is expected", "return a number", result);
        ref readonly ScalarBounds bounds = ref result.Bounds;
        bool fits = bounds.SMin >= min && bounds.SMax <= max;
        if (fits)
            return true;
        return Fail(
            DiagnosticId.ReturnValue,
            $"{what} must return a number from {min} to {max}, but its result is {DescribeRange(bounds)}",
            min == max ? $"return {min}" : $"return a number from {min} to {max} on every path", result);
    }

    /// <summary>
    /// The last checkpoint at a slot on this path, from <paramref name="from"/> backwards, with the same call chain. At a forced checkpoint the
    /// search starts behind the one that was just stored for the current state itself.
    /// </summary>
    private VerifierState? FindEarlier(int slot, VerifierState? from)
    {
        for (VerifierState? state = from; state is not null; state = state.Parent)
        {
            if (state.LastSlot == slot && HasSameChain(state, _state))
                return state;
        }

        return null;
    }

    private static bool HasSameChain(VerifierState a, VerifierState b)
    {
        if (a.FrameCount != b.FrameCount)
            return false;
        for (int i = 0; i < a.FrameCount; i++)
        {
            if (a.FrameAt(i).CallSite != b.FrameAt(i).CallSite)
                return false;
        }

        return true;
    }

    /// <summary>
    /// Scalars that changed since the last round and did not matter yet may be anything in the next one: so a loop without a bound of its own
    /// comes to states that cover one another.
    /// </summary>
    private void WidenImprecise(VerifierState old, VerifierState current)
    {
        for (int i = old.FrameCount - 1; i >= 0; i--)
        {
            FrameState from = old.FrameAt(i), to = current.FrameAt(i);
            for (int register = 0; register < 10; register++)
                to.Registers[register] = WidenImprecise(from.Registers[register], to.Registers[register]);
            for (int slot = 0; slot < Math.Min(from.StackLength, to.StackLength); slot++)
            {
                if (from[slot].Value is { } before && to[slot].Value is { } now)
                {
                    RegisterState widened = WidenImprecise(before, now);
                    if (!ReferenceEquals(widened, now))
                        to[slot] = to[slot] with { Value = widened };
                }
            }
        }
    }

    private RegisterState WidenImprecise(RegisterState old, RegisterState current)
    {
        if (!old.IsScalar || !current.IsScalar || old.Value.IsPrecise || current.Value.IsPrecise || old.Bounds == current.Bounds)
            return current;
        return RegisterState.UnknownScalar(_slot);
    }
}
