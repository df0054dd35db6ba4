using System.Collections.Immutable;
using BpfPpcc.Bpf;
using BpfPpcc.Btf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Verification.Catalog;

namespace BpfPpcc.Verification.Walk;

/// <summary>Where a walk begins and what must hold when it is done; rules of the program's type.</summary>
internal sealed partial class ProgramWalk
{
    private const int MaximumParameters = 5;

    private ProgramKind ProgramKind => _environment.Kind;

    private bool MayWritePacket => ProgramRules.MayWritePacket(_environment.Type);

    private bool HasPacketAccess => ProgramRules.MayPassPacket(_environment.Type);

    private bool EnterProgram()
    {
        if (_environment.IsGlobalFunction || _environment.Type == BpfProgramType.EXT)
            return EnterGlobalFunction();
        if (_environment.Type == BpfProgramType.UNSPEC)
            return EnterGeneric();
        Registers[1] = new RegisterState { Kind = RegisterKind.Context };
        return true;
    }

    private bool EnterGlobalFunction()
    {
        if (!GlobalFunctions.IsGlobal(_module, _environment.Function))
        {
            Registers[1] = new RegisterState { Kind = RegisterKind.Context };
            return true;
        }

        if (GlobalFunctions.ParametersOf(_module, _environment.Function, _environment.Type, out string error) is not { } parameters)
            return Fail(DiagnosticId.GlobalFunction, error, "make the function static, or use numbers, the context and pointers to types of a known size");
        if (_environment.IsExceptionCallback && parameters is not [{ Kind: GlobalParameterKind.Scalar }])
            return Fail(DiagnosticId.Callback, $"the exception callback {_environment.Function.Name} must take one number", "int callback(u64 cookie)");
        for (int i = 0; i < parameters.Length; i++)
            Registers[i + 1] = EntryValue(parameters[i]);
        return true;
    }

    private RegisterState EntryValue(GlobalParameter parameter)
    {
        PointerFlags flags = parameter.MaybeNull ? PointerFlags.MaybeNull : PointerFlags.None;
        int id = parameter.MaybeNull ? NewId() : 0;
        return parameter.Kind switch
        {
            GlobalParameterKind.Scalar => RegisterState.UnknownScalar(-1),
            GlobalParameterKind.Context => new RegisterState { Kind = RegisterKind.Context },
            GlobalParameterKind.Memory => new RegisterState { Kind = RegisterKind.Memory, Size = parameter.Size, Flags = flags, Id = id },
            GlobalParameterKind.Dynptr => new RegisterState { Kind = RegisterKind.Dynptr, Dynptr = DynptrKind.Local, DynptrId = NewId() },
            GlobalParameterKind.Arena => new RegisterState { Kind = RegisterKind.Arena },
            GlobalParameterKind.TrustedObject => new RegisterState
            {
                Kind = RegisterKind.BtfObject,
                Flags = flags | PointerFlags.Trusted,
                Btf = _module.TargetBtf,
                TypeId = parameter.TypeId,
                Id = id,
            },
        };
    }

    /// <summary>
    /// A program of a host of its own: r1 is a context of known size, or what the first parameter of the BTF prototype points to; the
    /// other registers are parameters, or numbers.
    /// </summary>
    private bool EnterGeneric()
    {
        for (int i = 1; i <= MaximumParameters; i++)
            Registers[i] = RegisterState.UnknownScalar(-1);
        ImmutableArray<BtfParameter> parameters = PrototypeParameters();
        for (int i = 0; i < parameters.Length && i < MaximumParameters; i++)
        {
            if (PointeeSize(parameters[i].Type) is { } size)
                Registers[i + 1] = new RegisterState { Kind = RegisterKind.Memory, Size = size };
        }

        if (_options.GenericContextSize is { } given)
            Registers[1] = new RegisterState { Kind = RegisterKind.Memory, Size = given };
        if (Registers[1].Kind == RegisterKind.Memory)
            Registers[1] = Registers[1] with { Id = _genericContext = NewId() };
        else if (Registers[1].IsScalar)
            Registers[1] = new RegisterState { Kind = RegisterKind.Context };
        return true;
    }

    /// <summary>Id of the context of a program without a kernel program type, where it is memory of known size; else 0.</summary>
    private int _genericContext;

    private bool IsGenericContext(RegisterState value) => _genericContext != 0 && value.Id == _genericContext
        && value is { Kind: RegisterKind.Memory, Offset: 0, Bounds: { IsConstant: true, ConstantValue: 0 } };

    private ImmutableArray<BtfParameter> PrototypeParameters()
    {
        if (_module.Btf is not { } btf || btf.Find(_environment.Function.Name, BtfKind.FUNC) is not (var id and not 0))
            return [];
        return btf.ParametersOf(btf.PrototypeOf(btf[id]));
    }

    private long? PointeeSize(uint type)
    {
        BtfTypes btf = _module.Btf!;
        BtfType pointer = btf.SkipModifiers(type);
        if (pointer.Kind != BtfKind.PTR || !btf.TryGetSize(pointer.SizeOrType, out ulong size) || size is 0 or > int.MaxValue)
            return null;
        return (long)size;
    }

    private bool CheckGlobalArguments(Loading.BpfFunction callee)
    {
        if (GlobalFunctions.ParametersOf(_module, callee, _environment.Type, out string error) is not { } parameters)
            return Fail(DiagnosticId.GlobalFunction, error, "make the function static, or use numbers, the context and pointers to types of a known size");
        var arguments = new CallArguments { Name = callee.Name };
        for (int i = 0; i < parameters.Length; i++)
        {
            if (!CheckReadable(i + 1) || !CheckGlobalArgument(i + 1, parameters[i], arguments))
                return false;
        }

        NoteGlobalCall(parameters);
        return true;
    }

    private bool CheckGlobalArgument(int register, GlobalParameter parameter, CallArguments arguments)
    {
        RegisterState value = Registers[register];
        switch (parameter.Kind)
        {
            case GlobalParameterKind.Scalar:
                return value.IsScalar || Fail(DiagnosticId.GlobalFunction, $"argument {register} of {arguments.Name} must be a number, but is {Describe(value)}", null);
            case GlobalParameterKind.Arena:
                return value.IsScalar || value.Kind == RegisterKind.Arena
                    || Fail(DiagnosticId.GlobalFunction, $"argument {register} of {arguments.Name} must be an address in an arena, but is {Describe(value)}", null);
            case GlobalParameterKind.Context:
                return value is { Kind: RegisterKind.Context, Offset: 0 }
                    || Fail(DiagnosticId.GlobalFunction, $"argument {register} of {arguments.Name} must be the context as the program got it, but is {Describe(value)}{(value.Kind == RegisterKind.Context ? " with an offset" : "")}", null);
            case GlobalParameterKind.Memory:
                return CheckGlobalMemory(register, value, parameter, arguments);
            case GlobalParameterKind.Dynptr:
                return value.Kind == RegisterKind.Dynptr
                    || (value.Kind == RegisterKind.Stack && FindDynptr(register, value, arguments, out _, out _))
                    || Fail(DiagnosticId.GlobalFunction, $"argument {register} of {arguments.Name} must be a dynptr, but is {Describe(value)}", null);
            case GlobalParameterKind.TrustedObject:
                if (parameter.MaybeNull && value.IsZero)
                    return true;
                bool isObject = value.Kind == RegisterKind.BtfObject && IsTrusted(value) && (parameter.MaybeNull || !value.MaybeNull)
                    && value.Btf is { } btf && BtfWalk.BeginsWith(btf, value.TypeId, btf.NameOf(parameter.TypeId));
                return isObject || Fail(DiagnosticId.GlobalFunction, $"argument {register} of {arguments.Name} must be a trusted pointer, but is {Describe(value)}", null);
        }

        return true;
    }

    private bool CheckGlobalMemory(int register, RegisterState value, GlobalParameter parameter, CallArguments arguments)
    {
        if (value.IsZero)
        {
            MarkPrecise(value);
            return parameter.MaybeNull || Fail(DiagnosticId.GlobalFunction, $"argument {register} of {arguments.Name} is NULL, but must not be", null);
        }

        if (value.MaybeNull && !parameter.MaybeNull)
            return Fail(DiagnosticId.PointerMaybeNull, $"argument {register} of {arguments.Name} may be NULL, but must not be", "test the pointer first");
        RegisterState pointer = value.MaybeNull ? NotNull(value) : value;
        return CheckHelperMemory(register, pointer, parameter.Size, AccessKind.Read, false, arguments, isRaw: false)
            && CheckHelperMemory(register, pointer, parameter.Size, AccessKind.Write, false, arguments, isRaw: false);
    }

    private bool FindHelper(int id, out HelperPrototype? helper)
    {
        helper = HelperAccess.Find(id, ProgramKind);
        if (helper is not null)
            return true;
        string name = BpfHelpers.Find(id) is { } known ? $"bpf_{known.Name}" : $"the helper with number {id}";
        return Fail(
            DiagnosticId.HelperNotAllowed,
            BpfHelpers.Find(id) is null ? $"there is no helper with number {id}" : $"programs of type {_environment.TypeName} may not call {name}",
            BpfHelpers.Find(id) is null
                ? "is the call meant for a function that was not linked? Helpers of a host of your own are declared by --helpers=FILE"
                : HelperAdvice.For(id, _environment.Type));
    }

    private bool CheckMapCompatible(HelperPrototype helper, CallArguments arguments)
    {
        if (arguments.Map is not { } map || helper.Arguments[0].Kind == ArgumentKind.TIMER)
            return true;
        if (map.IsReadOnly && MapRules.ChangesElements(helper.Id))
        {
            return Fail(
                DiagnosticId.ReadOnlyMemory, $"{arguments.Name} changes {DescribeMap(map)}, which is read-only for programs", "drop BPF_F_RDONLY_PROG, or do not write");
        }

        return MapRules.IsCompatible(map.Type, helper.Id, ProgramKind) || Fail(
            DiagnosticId.MapHelperMismatch, $"{arguments.Name} does not work with {DescribeMap(map)} of type {map.Type}",
            "use the helper that belongs to the map's type, or another type of map");
    }

    private bool AccessSocket(int register, RegisterState address, long offset, int size, AccessKind kind)
    {
        if (kind == AccessKind.Write)
            return Fail(DiagnosticId.ReadOnlyMemory, $"{PointerName(register)} is {Describe(address)}, which is read-only", "use bpf_setsockopt");
        if (!address.Bounds.IsConstant || address.Bounds.UMin != 0)
            return Fail(DiagnosticId.MemoryOutOfBounds, $"the offset into {Describe(address)} is not constant", null);
        return SocketLayouts.MayRead(address.Kind, offset, size)
            || Fail(DiagnosticId.MemoryOutOfBounds, $"the access of {size} bytes at offset {offset} of {Describe(address)} is not one of a field", "read the fields by their names, with their types");
    }

    private bool AccessTracepointBuffer(int register, RegisterState address, long offset, int size)
    {
        _ = size;
        return (offset >= 0 && address.Bounds.IsConstant && address.Bounds.UMin == 0)
            || Fail(DiagnosticId.MemoryOutOfBounds, $"{PointerName(register)} is {Describe(address)}, accessed at {DescribeOffset(address, offset)}: the offset must be constant and not negative", null);
    }

    private bool AccessMapDescriptor(int register, RegisterState address, long offset, int size, AccessKind kind)
    {
        if (kind == AccessKind.Write)
            return Fail(DiagnosticId.ReadOnlyMemory, $"{PointerName(register)} is {Describe(address)}, whose description is read-only", "bpf_map_update_elem changes elements");
        if (_module.TargetBtf is not { } btf || btf.Find("bpf_map", BtfKind.STRUCT) is not (var type and not 0))
            return Fail(DiagnosticId.NotAPointer, $"{PointerName(register)} is {Describe(address)} itself, not a pointer to one of its values", "look an element up first: bpf_map_lookup_elem(&map, &key)");
        return BtfWalk.Find(btf, type, offset, size).Kind != BtfAccessKind.Invalid
            || Fail(DiagnosticId.KernelObject, $"the access of {size} bytes at offset {offset} of {Describe(address)} is not one of a field", null);
    }

    private bool StepLegacyPacketLoad(BpfInstruction instruction)
    {
        if (_environment.Type is not (BpfProgramType.SOCKET_FILTER or BpfProgramType.SCHED_CLS or BpfProgramType.SCHED_ACT))
            return Fail(DiagnosticId.LegacyLoad, $"the old packet loads (LD_ABS, LD_IND) do not exist for programs of type {_environment.TypeName}", "use bpf_skb_load_bytes");
        if (!CheckReadable(6) || !CheckNothingHeld("the packet load, which may end the program,", isOutermost: true))
            return false;
        if (Registers[6] is not { Kind: RegisterKind.Context, Offset: 0 })
            return Fail(DiagnosticId.LegacyLoad, "the old packet loads (LD_ABS, LD_IND) want the context in r6", null);
        if (instruction.Mode == BpfMode.IND && !CheckReadable(instruction.Src))
            return false;
        if (CallbackFrame() != 0)
            return Fail(DiagnosticId.LegacyLoad, "the old packet loads (LD_ABS, LD_IND) may end the function, which a callback must not", "use bpf_skb_load_bytes");
        if (!PushReturn(RegisterState.ConstantScalar(0, _slot), movesPacket: false))
            return false;
        ClobberArguments(_state.Frame);
        Registers[0] = RegisterState.UnknownScalar(_slot);
        return true;
    }

    private static bool HaveSameIteratorDepths(VerifierState old, VerifierState current)
    {
        for (int i = 0; i < Math.Min(old.FrameCount, current.FrameCount); i++)
        {
            FrameState a = old.FrameAt(i), b = current.FrameAt(i);
            for (int slot = 0; slot < a.StackLength; slot++)
            {
                if (a[slot][0] == StackByte.Iterator && a[slot].IsFirst && a[slot].Iterator == IteratorState.Active
                    && a[slot].IteratorDepth != b[slot].IteratorDepth)
                {
                    return false;
                }
            }
        }

        return true;
    }

    /// <summary>Whether the iterator in r1 still has elements.</summary>
    private static bool IsActiveIterator(VerifierState state)
    {
        RegisterState pointer = state.Frame.Registers[1];
        if (pointer.Kind != RegisterKind.Stack)
            return false;
        StackSlot slot = state.FrameAt((int)pointer.Size)[SlotOf(pointer.Offset + pointer.Bounds.SMin)];
        return slot[0] == StackByte.Iterator && slot.Iterator == IteratorState.Active;
    }
}
