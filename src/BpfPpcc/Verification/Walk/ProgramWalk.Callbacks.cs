using BpfPpcc.Diagnostics;

namespace BpfPpcc.Verification.Walk;

/// <summary>Functions that helpers call: zero times, once, or until their states converge.</summary>
internal sealed partial class ProgramWalk
{
    private const int FindVma = 180;
    private const int ForEachMapElement = 164;
    private const int Loop = 181;
    private const int DrainUserRingBuffer = 209;

    /// <summary>Another path enters the function; this one goes on as if it had not been called.</summary>
    private bool PushCallback(int helper, CallArguments arguments)
    {
        if (!CheckCallback(arguments))
            return false;
        VerifierState? entered = PushPending(_image.Starts[arguments.Callback]);
        if (entered is null)
            return false;
        var frame = new FrameState(arguments.Callback, entered.FrameCount, _slot) { Role = FrameRole.Callback, CallbackResult = (0, 1) };
        if (!SetCallbackArguments(helper, arguments, entered, frame))
            return false;
        EnterCallback(entered, frame);
        return true;
    }

    private void EnterCallback(VerifierState entered, FrameState frame)
    {
        entered.CallbackUnrollDepth++;
        entered.Frame.CallbackDepth++;
        entered.Push(frame);
        _state.Frame.CallbackDepth = 0;
    }

    private bool CheckCallback(CallArguments arguments)
    {
        if (arguments.Callback < 0)
            throw new InvalidOperationException("a helper calls back without a function");
        if (_state.FrameCount >= MaximumFrames)
            return Fail(DiagnosticId.CallDepthExceeded, $"the callback of {arguments.Name} would be the {_state.FrameCount + 1}th frame; the limit is {MaximumFrames}", null);
        return true;
    }

    private bool SetCallbackArguments(int helper, CallArguments arguments, VerifierState entered, FrameState frame)
    {
        RegisterState[] caller = entered.Frame.Registers;
        RegisterState[] registers = frame.Registers;
        switch (helper)
        {
            case ForEachMapElement:
                registers[1] = new RegisterState { Kind = RegisterKind.MapPointer, Map = arguments.Map, MapId = arguments.MapId };
                registers[2] = new RegisterState { Kind = RegisterKind.MapKey, Map = arguments.Map, MapId = arguments.MapId };
                registers[3] = MapValueArgument(arguments);
                registers[4] = caller[3];
                return true;
            case Loop:
                registers[1] = RegisterState.UnknownScalar(_slot);
                registers[2] = caller[3];
                return true;
            case FindVma:
                registers[1] = caller[1];
                registers[2] = KernelObject("vm_area_struct", PointerFlags.Trusted);
                registers[3] = caller[4];
                return true;
            case DrainUserRingBuffer:
                registers[1] = new RegisterState { Kind = RegisterKind.Dynptr, Dynptr = DynptrKind.Local, DynptrId = NewId() };
                registers[2] = caller[3];
                return true;
            default:
                throw new InvalidOperationException($"helper {helper} does not call back");
        }
    }

    private RegisterState MapValueArgument(CallArguments arguments) => new()
    {
        Kind = RegisterKind.MapValue,
        Map = arguments.Map,
        MapId = arguments.MapId,
        Id = arguments.Map!.Fields.SpinLockOffset >= 0 ? NewId() : 0,
    };

    /// <summary>The function runs later, by itself: with a stack of its own, and nothing held.</summary>
    private bool PushAsyncCallback(CallArguments arguments, bool isSleepable)
    {
        _facts.AsyncCallbacks.Add(arguments.Callback);
        var frame = new FrameState(arguments.Callback, 0, -1)
        {
            Role = FrameRole.AsyncCallback,
            CallbackResult = (0, 0),
            AsyncEntry = _state.FrameAt(0).AsyncEntry + 1,
        };
        const int MaximumEntries = 2;
        if (frame.AsyncEntry > MaximumEntries)
            return true;
        frame.Registers[1] = new RegisterState { Kind = RegisterKind.MapPointer, Map = arguments.Map, MapId = arguments.MapId };
        frame.Registers[2] = new RegisterState { Kind = RegisterKind.MapKey, Map = arguments.Map, MapId = arguments.MapId };
        frame.Registers[3] = MapValueArgument(arguments);
        var entered = new VerifierState(frame) { LastSlot = _image.Starts[arguments.Callback], Parent = _state.Parent, IsInSleepable = isSleepable };
        if (_state.Parent is { } parent)
            parent.Branches++;
        _pending.Push(entered);
        return true;
    }
}
