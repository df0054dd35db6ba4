using BpfPpcc.Bpf;
using BpfPpcc.Btf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Verification.Catalog;
using BpfPpcc.Verification.Domain;

namespace BpfPpcc.Verification.Walk;

/// <summary>Accesses to the context, and the result that the program's type expects.</summary>
internal sealed partial class ProgramWalk
{
    private bool AccessContext(int register, RegisterState address, long offset, int size, AccessKind kind, ref RegisterState? loaded)
    {
        if (_environment.Type == BpfProgramType.UNSPEC)
        {
            return Fail(
                DiagnosticId.ContextAccess, $"{PointerName(register)} is the context, of which nothing is known: the program has no kernel program type",
                "say how large it is (--ctx-size N), give the function a parameter of a struct pointer type and compile with -g, or put it into a section that names its type");
        }

        if (address.Offset != 0)
        {
            return Fail(
                DiagnosticId.ContextAccess, $"the context is accessed through a pointer {address.Offset} bytes away from its start",
                "access its fields by their names, through the pointer that the program was given");
        }

        ContextLayout layout = ContextLayouts.Of(ProgramKind);
        if (layout.Form == ContextForm.WritableMemory && offset % size != 0)
            return FailContext(layout, offset, size, kind == AccessKind.Write);
        if (layout.Form == ContextForm.WritableMemory)
            return CheckRegion(register, address, offset, size, layout.Size, false, "the context");
        if (!address.Bounds.IsConstant || address.Bounds.UMin != 0)
            return Fail(DiagnosticId.ContextAccess, $"the context is accessed at an offset that is not constant: {DescribeOffset(address, offset)}", "access its fields by their names");
        bool isWrite = kind == AccessKind.Write;
        if (offset is < 0 or > ushort.MaxValue || !layout.Allows((int)offset, size, isWrite, out ContextMember? member))
            return FailContext(layout, offset, size, isWrite);
        if (isWrite)
            return true;
        if (layout.Form is ContextForm.TypedArguments or ContextForm.TypedStruct)
            return LoadTypedArgument(offset, size, ref loaded);
        if (member is not { Value: not ContextValue.SCALAR } field)
            return true;
        loaded = ContextValueOf(field);
        return true;
    }

    private bool FailContext(ContextLayout layout, long offset, int size, bool isWrite)
    {
        string what = isWrite ? "written" : "read";
        ContextMember? member = null;
        if (offset is >= 0 and <= int.MaxValue)
            layout.Allows((int)offset, size, isWrite, out member);
        string field = member is { } known ? $" (field {known.Name})" : "";
        return Fail(
            DiagnosticId.ContextAccess,
            $"{size} bytes at offset {offset} of the context ({layout.Name}){field} must not be {what} by programs of type {_environment.TypeName}",
            isWrite && member is not null ? "the field is read-only for this type of program" : "access the fields of the context by their names, with their types");
    }

    private RegisterState ContextValueOf(ContextMember member)
    {
        RegisterState Pointer(RegisterKind kind, PointerFlags flags = PointerFlags.None) =>
            new() { Kind = kind, Flags = flags, Id = (flags & PointerFlags.MaybeNull) != 0 ? NewId() : 0 };
        return member.Value switch
        {
            ContextValue.SCALAR => RegisterState.UnknownScalar(_slot),
            ContextValue.PACKET => Pointer(RegisterKind.Packet),
            ContextValue.PACKET_META => Pointer(RegisterKind.PacketMeta),
            ContextValue.PACKET_END => Pointer(RegisterKind.PacketEnd),
            ContextValue.SOCKET => Pointer(RegisterKind.Socket),
            ContextValue.SOCKET_OR_NULL => Pointer(RegisterKind.Socket, PointerFlags.MaybeNull),
            ContextValue.SOCK_COMMON_OR_NULL => Pointer(RegisterKind.SockCommon, PointerFlags.MaybeNull),
            ContextValue.FLOW_KEYS => Pointer(RegisterKind.FlowKeys),
            ContextValue.TP_BUFFER => Pointer(RegisterKind.TracepointBuffer),
            ContextValue.BTF_ID => KernelObject(member.Btf!, PointerFlags.Trusted),
        };
    }

    /// <summary>An argument of a traced function, hook, iterator or operation, by its type in the target's BTF.</summary>
    private bool LoadTypedArgument(long offset, int size, ref RegisterState? loaded)
    {
        if (_module.TargetBtf is null)
        {
            return Fail(
                DiagnosticId.TypesMissing, "the arguments of this program have types of the kernel, which are not known here",
                "give the types of the target kernel: --btf vmlinux.btf (on the target: /sys/kernel/btf/vmlinux)");
        }

        if (_environment.Target is not { } target)
            return Fail(DiagnosticId.AttachTarget, $"what this program is attached to ({_environment.Program.AttachTarget ?? _environment.Program.SectionName}) is not in the target's BTF", "check the name behind the / of the section");
        TypedArgument argument = target.ArgumentAt((int)(offset / 8));
        switch (argument.Kind)
        {
            case TypedArgumentKind.None:
                return Fail(DiagnosticId.ContextAccess, $"{target.Name} has no argument {offset / 8 + 1}", "the context holds the arguments of the function, 8 bytes each");
            case TypedArgumentKind.Unsupported:
                return Fail(DiagnosticId.ContextAccess, $"argument {offset / 8 + 1} of {target.Name} is of a type that programs cannot use", null);
            case TypedArgumentKind.Scalar:
                return true;
            case TypedArgumentKind.Result:
                if (_environment.Type == BpfProgramType.LSM && ResultRange() is { IsRestricted: true } range)
                    loaded = NewScalar(ScalarBounds.SignExtend64(32, ScalarBounds.FromSigned(range.Min, range.Max)));
                return true;
            case TypedArgumentKind.Buffer or TypedArgumentKind.ReadOnlyBuffer or TypedArgumentKind.Object:
                break;
        }

        if (size != 8)
            return Fail(DiagnosticId.ContextAccess, $"argument {offset / 8 + 1} of {target.Name} is a pointer, of which {size} bytes are read", "read pointers as a whole");
        PointerFlags flags = argument.Flags | (argument.Kind == TypedArgumentKind.ReadOnlyBuffer ? PointerFlags.ReadOnly : PointerFlags.None);
        loaded = new RegisterState
        {
            Kind = argument.Kind == TypedArgumentKind.Object ? RegisterKind.BtfObject : RegisterKind.Buffer,
            Flags = flags,
            Btf = argument.Kind == TypedArgumentKind.Object ? _module.TargetBtf : null,
            TypeId = target.Struct == CongestionControl ? AsTcpSocket(argument.TypeId) : argument.TypeId,
            Id = (flags & PointerFlags.MaybeNull) != 0 ? NewId() : 0,
        };
        return true;
    }

    /// <summary>The sockets that congestion control gets are TCP's, though its operations are declared for any.</summary>
    private uint AsTcpSocket(uint type) => _module.TargetBtf is { } btf && btf.NameOf(type) == "sock" && btf.Find("tcp_sock", BtfKind.STRUCT) is var found and not 0
        ? found
        : type;

    private ReturnRange ResultRange() => ProgramRules.ReturnRangeOf(ProgramKind, _environment.Target?.ReturnsVoid ?? false);

    private bool CheckExitValue()
    {
        if (_state.Frame.Role == FrameRole.AsyncCallback)
            return CheckResultRange(Registers[0], 0, 0, "the callback");
        if (_environment.IsGlobalFunction && !_environment.IsExceptionCallback)
        {
            return CheckReadable(0) && (Registers[0].IsScalar || Fail(
                DiagnosticId.ReturnValue, $"the global function {_environment.Function.Name} returns a pointer ({Describe(Registers[0])})", "return a number, or make the function static"));
        }

        if (ProgramRules.ReturnsNothing(ProgramKind, _environment.Target?.ReturnsVoid ?? false))
            return true;
        if (Registers[0].Kind == RegisterKind.NotInit)
        {
            return FailOnPath(
                DiagnosticId.UninitializedRegister, "the program ends without a result: r0 was never written on this path",
                "return a number on every path");
        }

        ReturnRange range = ResultRange();
        if (!range.IsRestricted)
            return true;
        if (!range.Is32 || !Registers[0].IsScalar)
        {
            if (!CheckResultRange(Registers[0], range.Min, range.Max, "the program"))
                return false;
            MarkPrecise(Registers[0]);
            return true;
        }

        MarkPrecise(Registers[0]);
        ref readonly ScalarBounds bounds = ref Registers[0].Bounds;
        return (bounds.S32Min >= range.Min && bounds.S32Max <= range.Max) || Fail(
            DiagnosticId.ReturnValue, $"the program must return a number from {range.Min} to {range.Max}, but its result is {DescribeRange(bounds)}", "return 0 or a negative error number", Registers[0]);
    }
}
