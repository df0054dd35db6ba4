using BpfPpcc.Bpf;
using BpfPpcc.Btf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Verification.Catalog;
using BpfPpcc.Verification.Domain;

namespace BpfPpcc.Verification.Walk;

/// <summary>Calls of the kernel's helper functions.</summary>
internal sealed partial class ProgramWalk
{
    private const int SpinUnlock = 94;
    private const int MaximumError = 4095;

    private bool CallHelper(int id)
    {
        if (!FindHelper(id, out HelperPrototype? found) || found is not { } helper)
            return false;
        if (!CheckHelperAllowed(helper))
            return false;
        var arguments = new CallArguments { Name = $"bpf_{BpfHelpers.Find(id)?.Name ?? helper.Name}" };
        for (int i = 0; i < helper.Arguments.Length; i++)
        {
            if (!CheckArgument(helper, i, arguments))
                return false;
        }

        if (!CheckMapCompatible(helper, arguments))
            return false;
        NoteHelperCall(helper);
        if (!WriteRawMemory(arguments) || !ReleaseArgument(arguments) || !CallSpecial(helper, arguments))
            return false;
        if (helper.ChangesPacket)
            ForgetPacketPointers();
        RegisterState first = Registers[1];
        ClobberArguments(_state.Frame);
        return SetResult(helper, arguments, first) && Next();
    }

    private bool CheckHelperAllowed(HelperPrototype helper)
    {
        string name = $"bpf_{BpfHelpers.Find(helper.Id)?.Name ?? helper.Name}";
        if (helper.IsGplOnly && !_environment.IsGpl)
        {
            return Fail(
                DiagnosticId.HelperLicence, $"{name} may only be called by programs under a licence compatible with the GPL; this one's is \"{_module.Licence}\"",
                "char _license[] SEC(\"license\") = \"GPL\";");
        }

        if (_state.Lock is not null && helper.Id != SpinUnlock)
            return Fail(DiagnosticId.LockMisuse, $"{name} is called while a spin lock is held", "unlock before the call");
        return !helper.MightSleep || CheckMaySleep(name);
    }

    /// <summary>Programs that run later (timers) do not sleep, whatever the program does that started them; those of work queues do.</summary>
    private bool IsSleepable => _state.FrameAt(0).Role == FrameRole.AsyncCallback ? _state.IsInSleepable : _environment.IsSleepable;

    private bool CheckMaySleep(string callee)
    {
        if (!IsSleepable)
        {
            return Fail(
                DiagnosticId.HelperSleeps, $"{callee} may sleep, but this program must not",
                "make the program sleepable: a section name such as fentry.s/..., lsm.s/... or syscall");
        }

        if (_state.RcuDepth > 0 || _state.PreemptDepth > 0 || _state.ActiveIrqId != 0)
            return Fail(DiagnosticId.CriticalSection, $"{callee} may sleep, but is called in a section that must not", "move the call out of the section");
        return true;
    }

    /// <summary>Helpers whose effect goes beyond what their prototype says.</summary>
    private bool CallSpecial(HelperPrototype helper, CallArguments arguments)
    {
        switch (helper.Id)
        {
            case BpfHelpers.TailCall:
                if (CallbackFrame() != 0)
                    return Fail(DiagnosticId.TailCall, "a tail call leaves a callback", "make the tail call in the program itself");
                return CheckNothingHeld("the tail call", isOutermost: true) && PushReturn(TailCallResult(), movesPacket: true);
            case 81: // get_local_storage(map, flags)
                return Registers[2].IsZero || Fail(DiagnosticId.HelperArgument, "bpf_get_local_storage takes flags of 0 only", null);
            case 165: // snprintf
                return CheckFormat();
            case 181: // loop
                MarkPrecise(Registers[1]);
                if ((ulong)_state.Frame.CallbackDepth < Registers[1].Bounds.UMax)
                    return PushCallback(helper.Id, arguments);
                _state.Frame.CallbackDepth = 0;
                return true;
            case 164 or 180 or 209: // for_each_map_elem, find_vma, user_ringbuf_drain
                return PushCallback(helper.Id, arguments);
            case 170: // timer_set_callback
                return PushAsyncCallback(arguments, isSleepable: false);
            case 187: // set_retval(value)
                return CheckSetResult();
            case 197: // dynptr_from_mem
                return CheckDynptrMemory();
            case 202: // dynptr_write
                if (arguments.Dynptr is DynptrKind.SkBuff or DynptrKind.Xdp || Registers[1].Kind == RegisterKind.Dynptr)
                    ForgetPacketPointers();
                return true;
            default:
                return true;
        }
    }

    private bool CheckSetResult()
    {
        if (_environment.Type != BpfProgramType.LSM || _environment.AttachType != 43)
            return true;
        return CheckResultRange(Registers[1], -MaximumError, 0, "bpf_set_retval");
    }

    private bool SetResult(HelperPrototype helper, CallArguments arguments, RegisterState first)
    {
        RegisterState? result = Result(helper, arguments);
        if (result is null)
            return false;
        if (result.IsPointer)
            result = result with { Origin = _slot };
        Registers[0] = result;
        if (helper.AcquiresReference || (helper.Id == 1 && arguments.Map?.Type is BpfMapType.SOCKMAP or BpfMapType.SOCKHASH))
        {
            int id = Acquire();
            Registers[0] = result with { Id = result.MaybeNull ? id : 0, ReferenceId = id };
        }
        else if (result.MaybeNull)
        {
            Registers[0] = result with { Id = NewId(), ReferenceId = helper.CastsArgument ? arguments.ReferenceId : result.ReferenceId };
        }

        _ = first;
        return true;
    }

    private RegisterState? Result(HelperPrototype helper, CallArguments arguments)
    {
        RegisterState Pointer(RegisterKind kind) => new() { Kind = kind, Flags = PointerFlags.MaybeNull };
        switch (helper.Returns.Kind)
        {
            case ReturnKind.INTEGER:
                return IntegerResult(helper, arguments);
            case ReturnKind.VOID:
                return RegisterState.NotInit;
            case ReturnKind.MAP_VALUE or ReturnKind.MAP_VALUE_OR_NULL:
                bool maybeNull = helper.Returns.Kind == ReturnKind.MAP_VALUE_OR_NULL;
                return new RegisterState
                {
                    Kind = RegisterKind.MapValue,
                    Map = arguments.Map,
                    MapId = arguments.MapId,
                    Flags = maybeNull ? PointerFlags.MaybeNull : PointerFlags.None,
                    Id = !maybeNull && arguments.Map!.Fields.SpinLockOffset >= 0 ? NewId() : 0,
                };
            case ReturnKind.SOCKET_OR_NULL:
                return Pointer(RegisterKind.Socket);
            case ReturnKind.TCP_SOCK_OR_NULL:
                return Pointer(RegisterKind.TcpSock);
            case ReturnKind.SOCK_COMMON_OR_NULL:
                return Pointer(RegisterKind.SockCommon);
            case ReturnKind.RINGBUF_MEM_OR_NULL:
                return Pointer(RegisterKind.Memory) with { Flags = PointerFlags.MaybeNull | PointerFlags.RingBuffer, Size = arguments.AllocatedSize };
            case ReturnKind.DYNPTR_MEM_OR_NULL:
                return Pointer(RegisterKind.Memory) with
                {
                    Size = arguments.AllocatedSize,
                    DynptrId = arguments.DynptrId,
                    Dynptr = arguments.Dynptr,
                    ReferenceId = arguments.DynptrReferenceId,
                };
            case ReturnKind.MEM_OR_BTF_ID or ReturnKind.MEM_OR_BTF_ID_OR_NULL:
                return PerCpuResult(arguments, helper.Returns.Kind == ReturnKind.MEM_OR_BTF_ID_OR_NULL);
            case ReturnKind.BTF_ID or ReturnKind.BTF_ID_TRUSTED or ReturnKind.BTF_ID_OR_NULL:
                return KernelObject(helper.Returns.Btf!, helper.Returns.Kind switch
                {
                    ReturnKind.BTF_ID_TRUSTED => PointerFlags.Trusted,
                    ReturnKind.BTF_ID_OR_NULL => PointerFlags.MaybeNull,
                    _ => PointerFlags.None,
                });
            case ReturnKind.KPTR_OR_NULL:
                return KptrResult(arguments);
            case ReturnKind.FIXED_SIZE_MEM or ReturnKind.FIXED_SIZE_MEM_OR_NULL:
                return HostMemory(helper.Returns, helper.Returns.Size, helper.Returns.Kind == ReturnKind.FIXED_SIZE_MEM_OR_NULL);
            case ReturnKind.ALLOC_MEM or ReturnKind.ALLOC_MEM_OR_NULL:
                return HostMemory(helper.Returns, arguments.AllocatedSize, helper.Returns.Kind == ReturnKind.ALLOC_MEM_OR_NULL);
        }

        return null;
    }

    private RegisterState IntegerResult(HelperPrototype helper, CallArguments arguments)
    {
        const int GetSmpProcessorId = 8;
        if (helper.ReturnsSize)
            return NewScalar(ScalarBounds.FromSigned(-MaximumError, arguments.MaximumSize));
        return helper.Id == GetSmpProcessorId ? NewScalar(ScalarBounds.FromUnsigned(0, 8191)) : RegisterState.UnknownScalar(_slot);
    }

    /// <summary>A pointer to an object of the kernel; without the kernel's BTF one whose fields cannot be read.</summary>
    private RegisterState KernelObject(string name, PointerFlags flags)
    {
        BtfTypes? btf = _module.TargetBtf;
        return new RegisterState
        {
            Kind = RegisterKind.BtfObject,
            Flags = flags,
            Btf = btf,
            TypeId = btf?.Find(name, BtfKind.STRUCT) ?? 0,
        };
    }

    private static RegisterState PerCpuResult(CallArguments arguments, bool maybeNull)
    {
        PointerFlags flags = maybeNull ? PointerFlags.MaybeNull : PointerFlags.None;
        if (arguments.ResultBtf is { } btf && btf.SkipModifiers(arguments.ResultType) is { Kind: BtfKind.STRUCT } type)
            return new RegisterState { Kind = RegisterKind.BtfObject, Flags = flags, Btf = btf, TypeId = type.Id };
        ulong size = 0;
        arguments.ResultBtf?.TryGetSize(arguments.ResultType, out size);
        return new RegisterState { Kind = RegisterKind.Memory, Flags = flags | PointerFlags.ReadOnly, Size = (long)size };
    }
}
