using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Verification.Catalog;
using BpfPpcc.Verification.Domain;

namespace BpfPpcc.Verification.Walk;

/// <summary>Arguments of helpers: their kinds, and the memory that they point to.</summary>
internal sealed partial class ProgramWalk
{
    private bool CheckArgument(HelperPrototype helper, int index, CallArguments arguments)
    {
        int register = index + 1;
        ArgumentType type = helper.Arguments[index];
        if (!CheckReadable(register))
            return false;
        RegisterState value = Registers[register];
        if (type.Kind == ArgumentKind.ANYTHING)
            return true;
        if (IsPacket(value) && !(helper.HasPacketAccess && HasPacketAccess))
        {
            return Fail(
                DiagnosticId.HelperArgument, $"{arguments.Name} must not access the packet, but its argument {register} points into it",
                "copy the bytes to the stack first");
        }

        if (type.IsNullable && value.IsZero)
        {
            MarkPrecise(value);
            if (type.IsReleased)
                arguments.ReleasedRegister = register;
            return true;
        }

        if (!CheckArgumentKind(type, register, value, arguments) || !CheckArgumentOffset(type, register, value, arguments))
            return false;
        if (type.IsReleased && type.Kind != ArgumentKind.DYNPTR)
        {
            if (value.ReferenceId == 0)
                return Fail(DiagnosticId.ReferenceMisuse, $"{arguments.Name} releases its argument {register}, but {Describe(value)} there holds nothing to release", "only what a helper acquired can be released, and only once");
            arguments.ReleasedRegister = register;
        }

        if (value.ReferenceId != 0 && type.Kind != ArgumentKind.KPTR_XCHG_DEST && type.Kind != ArgumentKind.DYNPTR)
        {
            if (arguments.ReferenceId != 0)
                return Fail(DiagnosticId.HelperArgument, $"more than one argument of {arguments.Name} holds a resource", null);
            arguments.ReferenceId = value.ReferenceId;
        }

        return CheckArgumentContent(helper, index, value, arguments);
    }

    /// <summary>Linux's compatible_reg_types: which values an argument takes.</summary>
    private bool CheckArgumentKind(ArgumentType type, int register, RegisterState value, CallArguments arguments)
    {
        bool isAllowed = type.Kind switch
        {
            ArgumentKind.ANYTHING => true,
            ArgumentKind.SCALAR or ArgumentKind.CONST_SIZE or ArgumentKind.CONST_SIZE_OR_ZERO or ArgumentKind.CONST_ALLOC_SIZE_OR_ZERO => value.IsScalar,
            ArgumentKind.CONST_MAP_PTR => value.Kind == RegisterKind.MapPointer,
            ArgumentKind.MAP_VALUE when arguments.Map?.Type is BpfMapType.SOCKMAP or BpfMapType.SOCKHASH => IsSocket(value) || IsTrustedObject(value),
            ArgumentKind.MAP_KEY or ArgumentKind.MAP_VALUE or ArgumentKind.MEM or ArgumentKind.FIXED_SIZE_MEM => IsMemory(type, value),
            ArgumentKind.CTX => value.Kind == RegisterKind.Context || IsGenericContext(value),
            ArgumentKind.SOCK_COMMON => IsSocket(value),
            ArgumentKind.SOCKET => value.Kind == RegisterKind.Socket,
            ArgumentKind.BTF_ID => value.Kind == RegisterKind.BtfObject && (value.Flags & (PointerFlags.Untrusted | PointerFlags.PerCpu | PointerFlags.Allocated)) == 0,
            ArgumentKind.BTF_ID_SOCK_COMMON => IsSocket(value) || IsTrustedObject(value),
            ArgumentKind.PERCPU_BTF_ID => value.Kind == RegisterKind.BtfObject && value.Has(PointerFlags.PerCpu),
            ArgumentKind.SPIN_LOCK or ArgumentKind.KPTR_XCHG_DEST => value.Kind == RegisterKind.MapValue || (value.Kind == RegisterKind.BtfObject && value.Has(PointerFlags.Allocated)),
            ArgumentKind.TIMER or ArgumentKind.CONST_STR => value.Kind == RegisterKind.MapValue,
            ArgumentKind.FUNC => value.Kind == RegisterKind.Function,
            ArgumentKind.STACK => value.Kind == RegisterKind.Stack,
            ArgumentKind.KPTR => value.Kind == RegisterKind.BtfObject,
            ArgumentKind.DYNPTR => value.Kind is RegisterKind.Stack or RegisterKind.Dynptr,
            ArgumentKind.RINGBUF_MEM => value.Kind == RegisterKind.Memory && value.Has(PointerFlags.RingBuffer),
        };
        if (isAllowed && value.MaybeNull && !type.IsNullable)
        {
            return Fail(
                DiagnosticId.PointerMaybeNull, $"argument {register} of {arguments.Name} is {Describe(value)} that may be NULL here",
                "test the pointer before it is passed on: if (!p) return 0;", value);
        }

        if (type.Kind == ArgumentKind.CONST_MAP_PTR && value is { Kind: RegisterKind.MapValue, MaybeNull: true, Map: { } outer } && MapRules.IsMapOfMaps(outer.Type))
            return FailMaybeNull(register, value);
        if (isAllowed && type.Kind == ArgumentKind.BTF_ID && type.Btf is { } name && !IsObjectOf(value, name))
            return Fail(DiagnosticId.HelperArgument, $"argument {register} of {arguments.Name} is {Describe(value)}, but must be a struct {name}", null);
        return isAllowed || Fail(
            DiagnosticId.HelperArgument, $"argument {register} of {arguments.Name} must be {Describe(type.Kind)}, but is {Describe(value)}",
            type.Kind == ArgumentKind.CTX ? "pass the context that the program got, unchanged" : null, value);
    }

    private static bool IsMemory(ArgumentType type, RegisterState value) => value.Kind switch
    {
        RegisterKind.Stack or RegisterKind.Packet or RegisterKind.PacketMeta or RegisterKind.MapKey or RegisterKind.MapValue => true,
        RegisterKind.Memory or RegisterKind.Buffer => !type.IsWritten || !value.Has(PointerFlags.ReadOnly),
        RegisterKind.BtfObject => value.Has(PointerFlags.Trusted) && !type.IsWritten,
        RegisterKind.NotInit or RegisterKind.Scalar or RegisterKind.Context or RegisterKind.MapPointer or RegisterKind.PacketEnd
            or RegisterKind.FlowKeys or RegisterKind.Socket or RegisterKind.SockCommon or RegisterKind.TcpSock or RegisterKind.XdpSock
            or RegisterKind.TracepointBuffer or RegisterKind.Function or RegisterKind.Dynptr or RegisterKind.Arena => false,
    };

    private static bool IsSocket(RegisterState value) =>
        value.Kind is RegisterKind.Socket or RegisterKind.SockCommon or RegisterKind.TcpSock or RegisterKind.XdpSock;

    private static bool IsTrustedObject(RegisterState value) =>
        value.Kind == RegisterKind.BtfObject && (value.Has(PointerFlags.Trusted) || value.Has(PointerFlags.Rcu) || value.Flags is PointerFlags.None or PointerFlags.MaybeNull);

    private static string Describe(ArgumentKind kind) => kind switch
    {
        ArgumentKind.ANYTHING => "anything",
        ArgumentKind.SCALAR or ArgumentKind.CONST_SIZE or ArgumentKind.CONST_SIZE_OR_ZERO or ArgumentKind.CONST_ALLOC_SIZE_OR_ZERO => "a number",
        ArgumentKind.CONST_MAP_PTR => "a map",
        ArgumentKind.MAP_KEY => "a pointer to a key",
        ArgumentKind.MAP_VALUE => "a pointer to a value",
        ArgumentKind.MEM or ArgumentKind.FIXED_SIZE_MEM => "a pointer to memory (stack, map value, packet)",
        ArgumentKind.CTX => "the context",
        ArgumentKind.SOCK_COMMON or ArgumentKind.SOCKET or ArgumentKind.BTF_ID_SOCK_COMMON => "a socket",
        ArgumentKind.BTF_ID => "a pointer to a kernel object",
        ArgumentKind.PERCPU_BTF_ID => "a per-cpu variable of the kernel",
        ArgumentKind.SPIN_LOCK => "the address of a bpf_spin_lock in a map value",
        ArgumentKind.TIMER => "the address of a bpf_timer in a map value",
        ArgumentKind.FUNC => "a function of the program",
        ArgumentKind.STACK => "a pointer to the stack",
        ArgumentKind.CONST_STR => "a string in read-only memory",
        ArgumentKind.KPTR_XCHG_DEST => "the address of a kptr in a map value",
        ArgumentKind.KPTR => "a pointer to a kernel object",
        ArgumentKind.DYNPTR => "the address of a dynptr on the stack",
        ArgumentKind.RINGBUF_MEM => "what bpf_ringbuf_reserve returned",
    };

    /// <summary>Whether a kernel object's type is, or begins with, a struct of a name.</summary>
    private bool IsObjectOf(RegisterState value, string name)
    {
        if (value.Btf is not { } btf || value.TypeId == 0)
            return _module.TargetBtf is null;
        return value.Offset == 0 ? BtfWalk.BeginsWith(btf, value.TypeId, name) : BtfWalk.StructAt(btf, value.TypeId, value.Offset, name);
    }

    private bool CheckArgumentOffset(ArgumentType type, int register, RegisterState value, CallArguments arguments)
    {
        bool isFree = value.Kind switch
        {
            RegisterKind.Stack or RegisterKind.Packet or RegisterKind.PacketMeta or RegisterKind.MapKey or RegisterKind.MapValue
                or RegisterKind.Memory or RegisterKind.Buffer or RegisterKind.Scalar => true,
            RegisterKind.NotInit or RegisterKind.Context or RegisterKind.MapPointer or RegisterKind.PacketEnd or RegisterKind.FlowKeys
                or RegisterKind.Socket or RegisterKind.SockCommon or RegisterKind.TcpSock or RegisterKind.XdpSock
                or RegisterKind.TracepointBuffer or RegisterKind.BtfObject or RegisterKind.Function or RegisterKind.Dynptr or RegisterKind.Arena => false,
        };
        if (type.IsReleased && type.Kind != ArgumentKind.DYNPTR)
            isFree = false;
        if (isFree || (value.Bounds.IsConstant && value.Bounds.UMin == 0 && (value.Offset == 0 || (value.Kind == RegisterKind.BtfObject && !type.IsReleased && value.Offset > 0))))
            return true;
        return Fail(
            DiagnosticId.HelperArgument, $"argument {register} of {arguments.Name} is {Describe(value)} with an offset of {DescribeOffset(value, value.Offset)}, which must be 0",
            "pass the pointer as it was given");
    }

    private bool CheckArgumentContent(HelperPrototype helper, int index, RegisterState value, CallArguments arguments)
    {
        int register = index + 1;
        ArgumentType type = helper.Arguments[index];
        switch (type.Kind)
        {
            case ArgumentKind.CONST_MAP_PTR:
                return CheckMapArgument(register, value, arguments);
            case ArgumentKind.MAP_KEY:
                return CheckHelperMemory(register, value, arguments.Map!.KeySize, AccessKind.Read, false, arguments, isRaw: false);
            case ArgumentKind.MAP_VALUE:
                if (IsSocket(value) || value.Kind == RegisterKind.BtfObject)
                    return true;
                return CheckHelperMemory(register, value, arguments.Map!.ValueSize, AccessOf(type), false, arguments, type.IsUninitialised);
            case ArgumentKind.FIXED_SIZE_MEM:
                return CheckHelperMemory(register, value, type.Size, AccessOf(type), false, arguments, type.IsUninitialised)
                    && ((type.Flags & ArgumentFlags.ALIGNED) == 0 || CheckArgumentAlignment(register, value, type.Size, arguments));
            case ArgumentKind.MEM:
                arguments.IsRaw = type.IsUninitialised;
                return true;
            case ArgumentKind.CONST_SIZE or ArgumentKind.CONST_SIZE_OR_ZERO:
                return CheckSizeArgument(register, value, AccessOf(helper.Arguments[index - 1]), type.Kind == ArgumentKind.CONST_SIZE_OR_ZERO, arguments);
            case ArgumentKind.CONST_ALLOC_SIZE_OR_ZERO:
                if (!value.Bounds.IsConstant)
                    return Fail(DiagnosticId.SizeArgument, $"argument {register} of {arguments.Name} is a size that must be a constant; it is {DescribeRange(value.Bounds)}", null);
                MarkPrecise(value);
                arguments.AllocatedSize = (uint)value.Bounds.ConstantValue;
                return true;
            case ArgumentKind.PERCPU_BTF_ID:
                arguments.ResultBtf = value.Btf;
                arguments.ResultType = value.TypeId;
                return true;
            case ArgumentKind.SPIN_LOCK:
                return CheckSpinLock(value, helper.Id != SpinUnlock);
            case ArgumentKind.TIMER:
                return CheckTimer(register, value, arguments);
            case ArgumentKind.FUNC:
                arguments.Callback = (int)value.Size;
                return true;
            case ArgumentKind.CONST_STR:
                return CheckConstantString(register, value, arguments);
            case ArgumentKind.KPTR_XCHG_DEST:
                return CheckKptrDestination(value, arguments);
            case ArgumentKind.KPTR:
                return CheckKptrValue(value, arguments);
            case ArgumentKind.DYNPTR:
                return CheckDynptrArgument(register, value, type, arguments);
            case ArgumentKind.ANYTHING or ArgumentKind.SCALAR or ArgumentKind.CTX or ArgumentKind.SOCK_COMMON or ArgumentKind.SOCKET
                or ArgumentKind.BTF_ID or ArgumentKind.BTF_ID_SOCK_COMMON or ArgumentKind.STACK or ArgumentKind.RINGBUF_MEM:
                return true;
        }

        return true;
    }

    /// <summary>The map; where the field of a value came before it, the map of that value.</summary>
    private bool CheckMapArgument(int register, RegisterState value, CallArguments arguments)
    {
        if (arguments.Map is not null && (!ReferenceEquals(arguments.Map, value.Map) || arguments.MapId != value.MapId))
        {
            return Fail(
                DiagnosticId.HelperArgument, $"argument {register} of {arguments.Name} is the map {value.Map!.Name}, but the value before it is of {DescribeMap(arguments.Map)}",
                "pass the map that the value was looked up in");
        }

        arguments.Map = value.Map;
        arguments.MapId = value.MapId;
        return true;
    }

    private static AccessKind AccessOf(ArgumentType type) => type.IsWritten ? AccessKind.Write : AccessKind.Read;

    private bool CheckArgumentAlignment(int register, RegisterState value, int size, CallArguments arguments) => IsAligned(value, 0, size) || Fail(
        DiagnosticId.Misaligned, $"argument {register} of {arguments.Name} is not known to be aligned to {size}", "align the variable to its size");

    /// <summary>A size argument: bounded, not negative, and no larger than the memory that the argument before it points to.</summary>
    private bool CheckSizeArgument(int register, RegisterState size, AccessKind access, bool allowsZero, CallArguments arguments)
    {
        ref readonly ScalarBounds bounds = ref size.Bounds;
        arguments.MaximumSize = bounds.UMax > int.MaxValue ? int.MaxValue : (long)bounds.UMax;
        bool isRaw = arguments.IsRaw && bounds.IsConstant;
        if (bounds.SMin < 0)
        {
            return Fail(
                DiagnosticId.SizeArgument, $"argument {register} of {arguments.Name} is a size that may be negative: it is {DescribeRange(bounds)}",
                "make the size unsigned, or check it before the call: if (size < 0) return 0;", size);
        }

        if (bounds.UMin == 0 && !allowsZero)
        {
            return Fail(
                DiagnosticId.SizeArgument, $"argument {register} of {arguments.Name} is a size that may be 0, which it must not be: it is {DescribeRange(bounds)}",
                "check before the call that the size is not 0", size);
        }

        if (bounds.UMax >= MaximumOffset)
        {
            return Fail(
                DiagnosticId.SizeArgument,
                bounds.IsConstant
                    ? $"argument {register} of {arguments.Name} is a size of {bounds.UMax}, more than any memory has"
                    : $"argument {register} of {arguments.Name} is a size without an upper bound: it is {DescribeRange(bounds)}",
                "check the size before the call: if (size > sizeof(buffer)) return 0;", size);
        }

        _sizeArgument = size;
        if (!CheckHelperMemory(register - 1, Registers[register - 1], (long)bounds.UMax, access, allowsZero, arguments, isRaw))
            return false;
        _sizeArgument = null;
        MarkPrecise(size);
        return true;
    }

    /// <summary>Memory that a helper reads or writes, from the pointer on.</summary>
    private bool CheckHelperMemory(int register, RegisterState value, long size, AccessKind access, bool allowsZero, CallArguments arguments, bool isRaw)
    {
        if (value.MaybeNull && size > 0)
            return FailMaybeNull(register, value);
        switch (value.Kind)
        {
            case RegisterKind.Packet or RegisterKind.PacketMeta:
                if (access == AccessKind.Write && !MayWritePacket)
                    return Fail(DiagnosticId.ReadOnlyMemory, $"{arguments.Name} writes to the packet, which programs of type {_environment.TypeName} must not", null);
                return CheckPacket(register, value, value.Offset, size, allowsZero);
            case RegisterKind.MapKey:
                return access == AccessKind.Write
                    ? Fail(DiagnosticId.ReadOnlyMemory, $"{arguments.Name} writes to a map key", "copy it to the stack first")
                    : CheckRegion(register, value, value.Offset, size, value.Map!.KeySize, allowsZero, "the key");
            case RegisterKind.MapValue:
                return CheckMapAccess(register, value, value.Offset, size, access, isDirect: false, allowsZero);
            case RegisterKind.Memory:
                if (access == AccessKind.Write && value.Has(PointerFlags.ReadOnly))
                    return FailReadOnly(register, value);
                return CheckRegion(register, value, value.Offset, size, value.Size, allowsZero, DescribeMemory(value));
            case RegisterKind.Buffer:
                if (access == AccessKind.Write && value.Has(PointerFlags.ReadOnly))
                    return FailReadOnly(register, value);
                return AccessTracepointBuffer(register, value, value.Offset, (int)Math.Min(size, int.MaxValue));
            case RegisterKind.Stack:
                NoteStackArgument(register, value, size, access == AccessKind.Write);
                return CheckHelperStack(register, value, size, access, allowsZero, arguments, isRaw);
            case RegisterKind.BtfObject:
                RegisterState? loaded = null;
                return size == 0 || AccessBtfObject(register, value, value.Offset, (int)Math.Min(size, int.MaxValue), AccessKind.Read, null, ref loaded);
            case RegisterKind.Context when _environment.Type is BpfProgramType.SYSCALL:
                return size == 0 ? allowsZero : CheckRegion(register, value, value.Offset, size, 0xffff, allowsZero, "the context");
            case RegisterKind.Scalar when allowsZero && size == 0 && value.IsZero:
                return true;
            case RegisterKind.NotInit or RegisterKind.Scalar or RegisterKind.Context or RegisterKind.MapPointer or RegisterKind.PacketEnd
                or RegisterKind.FlowKeys or RegisterKind.Socket or RegisterKind.SockCommon or RegisterKind.TcpSock or RegisterKind.XdpSock
                or RegisterKind.TracepointBuffer or RegisterKind.Function or RegisterKind.Dynptr or RegisterKind.Arena:
                break;
        }

        return Fail(
            DiagnosticId.HelperArgument, $"argument {register} of {arguments.Name} must point to memory that the program may use, but is {Describe(value)}", null, value);
    }

    private bool CheckHelperStack(int register, RegisterState value, long size, AccessKind access, bool allowsZero, CallArguments arguments, bool isRaw)
    {
        if (size == 0 && !allowsZero)
            return Fail(DiagnosticId.SizeArgument, $"{arguments.Name} gets memory of size 0", null);
        if (!CheckStackBounds(value, value.Offset, size, allowsZero))
            return false;
        if (size == 0)
            return true;
        FrameState frame = FrameOf(value);
        long start = value.Offset + value.Bounds.SMin, end = value.Offset + value.Bounds.SMax + size;
        if (isRaw && value.Bounds.IsConstant)
        {
            arguments.RawMemory = (register, size);
            for (long at = start; at < end; at++)
            {
                if (frame[SlotOf(at)][ByteOf(at)] == StackByte.Dynptr)
                    return FailSpecialSlot(at);
            }

            return true;
        }

        return PrepareRegion(frame, start, end, isRead: access == AccessKind.Read, forgets: true);
    }

    /// <summary>What a helper wrote to the stack is data from here on.</summary>
    private bool WriteRawMemory(CallArguments arguments)
    {
        (int register, long size) = arguments.RawMemory;
        if (register == 0)
            return true;
        RegisterState pointer = Registers[register];
        FrameState frame = FrameOf(pointer);
        long start = pointer.Offset + pointer.Bounds.SMin;
        for (long at = start; at < start + size; at++)
        {
            int index = SlotOf(at);
            if (frame[index].IsSpecial && !DestroySpecial(frame, index))
                return false;
            StackSlot slot = frame[index];
            frame[index] = slot.IsSpill ? Unspill(slot, ByteOf(at)) : slot with { Bytes = StackSlot.With(slot.Bytes, ByteOf(at), StackByte.Misc) };
        }

        return true;
    }

    private bool ReleaseArgument(CallArguments arguments)
    {
        int register = arguments.ReleasedRegister;
        if (register == 0 || Registers[register].ReferenceId == 0)
            return true;
        return Release(Registers[register].ReferenceId, register);
    }
}
