using System.Collections.Immutable;
using BpfPpcc.Btf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Verification.Catalog;

namespace BpfPpcc.Verification.Walk;

/// <summary>Arguments of kernel functions, by their BTF types and the suffixes of their names.</summary>
internal sealed partial class ProgramWalk
{
    private bool CheckKfuncArgument(ImmutableArray<BtfParameter> parameters, int index, CallArguments arguments)
    {
        int register = index + 1;
        BtfTypes btf = arguments.Types!;
        KfuncParameter role = KfuncParameters.RoleOf(parameters[index].Name);
        if ((role & (KfuncParameter.IGNORED | KfuncParameter.PROGRAM)) != 0)
            return true;
        if (!CheckReadable(register))
            return false;
        RegisterState value = Registers[register];
        BtfType type = btf.SkipModifiers(parameters[index].Type);
        if (type.Kind != BtfKind.PTR)
            return CheckKfuncScalar(register, value, role, arguments);
        bool isNullable = (role & KfuncParameter.NULLABLE) != 0;
        Kfunc kfunc = arguments.Function!;
        if ((kfunc.WantsTrusted || kfunc.Has(KfuncFlags.RCU)) && (value.IsZero || value.MaybeNull) && !isNullable && (role & KfuncParameter.OPTIONAL) == 0)
        {
            return Fail(
                DiagnosticId.PointerMaybeNull, $"argument {register} of {arguments.Name} may be NULL on this path, but must not be",
                "test the pointer before it is passed on: if (!p) return 0;");
        }

        if (value.ReferenceId != 0)
        {
            if (kfunc.Has(KfuncFlags.RELEASE) && arguments.ReferenceId != 0)
                return Fail(DiagnosticId.KfuncArgument, $"more than one argument of {arguments.Name} holds a resource", null);
            arguments.ReferenceId = value.ReferenceId;
            if (kfunc.Has(KfuncFlags.RELEASE))
                arguments.ReleasedRegister = register;
        }

        if (isNullable && value.IsZero)
            return true;
        return CheckKfuncPointer(parameters, index, type, role, value, arguments);
    }

    private bool CheckKfuncScalar(int register, RegisterState value, KfuncParameter role, CallArguments arguments)
    {
        if (!value.IsScalar)
            return Fail(DiagnosticId.KfuncArgument, $"argument {register} of {arguments.Name} must be a number, but is {Describe(value)}", null);
        bool isConstant = (role & (KfuncParameter.CONSTANT | KfuncParameter.CONST_SIZE | KfuncParameter.RETURNED_SIZE)) != 0;
        if (!isConstant)
            return true;
        if (!value.Bounds.IsConstant)
            return Fail(DiagnosticId.KfuncArgument, $"argument {register} of {arguments.Name} must be a constant; it is {DescribeRange(value.Bounds)}", null);
        MarkPrecise(value);
        if ((role & KfuncParameter.RETURNED_SIZE) != 0)
        {
            arguments.ReturnedSize = value.Bounds.SMin;
            arguments.IsReturnedReadOnly = (role & KfuncParameter.RETURNED_READONLY) != 0;
        }
        else
        {
            arguments.Constant = value.Bounds.SMin;
        }

        return true;
    }

    private bool CheckKfuncPointer(
        ImmutableArray<BtfParameter> parameters, int index, BtfType pointer, KfuncParameter role, RegisterState value, CallArguments arguments)
    {
        int register = index + 1;
        BtfTypes btf = arguments.Types!;
        BtfType target = btf.SkipModifiers(pointer.SizeOrType);
        string name = target.Kind == BtfKind.STRUCT ? btf.NameOf(target.Id) : "";
        if (target.Kind == BtfKind.FUNC_PROTO)
        {
            if (value.Kind != RegisterKind.Function)
                return Fail(DiagnosticId.KfuncArgument, $"argument {register} of {arguments.Name} must be a function of the program", null);
            arguments.Callback = (int)value.Size;
            return true;
        }

        if ((role & KfuncParameter.IRQ_FLAG) != 0)
            return CheckIrqFlag(register, value, arguments);
        if ((role & KfuncParameter.ALLOCATED) != 0 || (role & KfuncParameter.REFCOUNTED) != 0)
            return CheckOwnObject(register, value, role, arguments);
        if (name == "bpf_dynptr")
            return CheckKfuncDynptr(register, value, role, arguments);
        if (name.StartsWith("bpf_iter_", StringComparison.Ordinal) && IsIteratorFunction(arguments.Function!) && index == 0)
            return CheckIterator(register, value, target, btf, arguments);
        if (name is "bpf_list_head" or "bpf_rb_root")
            return CheckGraphRoot(register, value, name == "bpf_list_head", arguments);
        if (name is "bpf_list_node" or "bpf_rb_node")
            return CheckGraphNode(register, value, name == "bpf_list_node", arguments);
        if (name == "bpf_wq")
            return CheckWorkqueue(register, value, arguments);
        if ((role & KfuncParameter.STRING) != 0)
            return value.Kind == RegisterKind.MapValue ? CheckConstantString(register, value, arguments) : Fail(DiagnosticId.KfuncArgument, $"argument {register} of {arguments.Name} must be a constant string", null);
        if ((role & KfuncParameter.MAP) != 0)
        {
            if (value.Kind != RegisterKind.MapPointer)
                return Fail(DiagnosticId.KfuncArgument, $"argument {register} of {arguments.Name} must be a map", null);
            return CheckMapArgument(register, value, arguments);
        }

        if (arguments.Name == "bpf_cast_to_kern_ctx" || (name.Length > 0 && name == GlobalFunctions.ContextStruct(_environment.Type)))
        {
            return value is { Kind: RegisterKind.Context, Offset: 0 }
                || Fail(DiagnosticId.KfuncArgument, $"argument {register} of {arguments.Name} must be the context, but is {Describe(value)}", null);
        }

        if (value.Kind == RegisterKind.BtfObject || IsSocket(value))
            return CheckKfuncObject(register, value, name, target, arguments);
        return CheckKfuncMemory(parameters, index, pointer, target, role, value, arguments);
    }

    private bool CheckKfuncObject(int register, RegisterState value, string name, BtfType target, CallArguments arguments)
    {
        Kfunc kfunc = arguments.Function!;
        bool isTrusted = IsSocket(value) || IsTrusted(value);
        if (kfunc.WantsTrusted || kfunc.Has(KfuncFlags.RCU))
        {
            bool isSafe = isTrusted || (kfunc.Has(KfuncFlags.RCU) && value.Has(PointerFlags.Rcu));
            if (!isSafe)
            {
                return Fail(
                    DiagnosticId.KfuncArgument, $"argument {register} of {arguments.Name} is {Describe(value)} that may be gone: it must be trusted or hold a reference",
                    "use the pointer as it came from the context, or acquire a reference first");
            }
        }

        if (value.MaybeNull)
            return FailMaybeNull(register, value);
        if (kfunc.Has(KfuncFlags.RELEASE) && (value.ReferenceId == 0 || value.Offset != 0))
            return Fail(DiagnosticId.ReferenceMisuse, $"argument {register} of {arguments.Name} must be a pointer that holds a reference, as it was acquired", null);
        if (value.Offset < 0 || !value.Bounds.IsConstant || value.Bounds.UMin != 0)
            return Fail(DiagnosticId.KfuncArgument, $"argument {register} of {arguments.Name} has the offset {DescribeOffset(value, value.Offset)}, which must be constant and not negative", null);
        if (target.Kind == BtfKind.VOID || name.Length == 0 || IsSocket(value))
            return true;
        string projected = name switch { "__sk_buff" => "sk_buff", "xdp_md" => "xdp_buff", _ => name };
        if (value.Btf is not { } btf || value.TypeId == 0)
            return FailNoTypes(register);
        return BtfWalk.StructAt(btf, value.TypeId, value.Offset, projected) || IsCompatibleCpumask(btf, value, projected) || Fail(
            DiagnosticId.KfuncArgument, $"argument {register} of {arguments.Name} must be a struct {projected}, but is {Describe(value)} at offset {value.Offset}", null);
    }

    private static bool IsCompatibleCpumask(BtfTypes btf, RegisterState value, string name) =>
        name == "cpumask" && btf.NameOf(value.TypeId) == "bpf_cpumask";

    private bool CheckKfuncMemory(
        ImmutableArray<BtfParameter> parameters, int index, BtfType pointer, BtfType target, KfuncParameter role, RegisterState value,
        CallArguments arguments)
    {
        int register = index + 1;
        BtfTypes btf = arguments.Types!;
        KfuncParameter next = index + 1 < parameters.Length ? KfuncParameters.RoleOf(parameters[index + 1].Name) : KfuncParameter.None;
        if ((next & (KfuncParameter.SIZE | KfuncParameter.CONST_SIZE)) != 0)
        {
            if (!CheckReadable(register + 1))
                return false;
            RegisterState size = Registers[register + 1];
            if (!size.IsScalar)
                return Fail(DiagnosticId.KfuncArgument, $"argument {register + 1} of {arguments.Name} must be a size", null);
            if (size.Bounds.IsConstant)
                arguments.ConstantSize = size.Bounds.SMin;
            if ((role & KfuncParameter.OPTIONAL) != 0 && value.IsZero)
                return true;
            return CheckSizeArgument(register + 1, size, AccessKind.Read, true, arguments) && CheckSizeArgument(register + 1, size, AccessKind.Write, true, arguments);
        }

        if (target.Kind == BtfKind.VOID || !IsPlainData(btf, target, 0) || !btf.TryGetSize(pointer.SizeOrType, out ulong bytes))
            return Fail(DiagnosticId.KfuncArgument, $"argument {register} of {arguments.Name} cannot be {Describe(value)}", null);
        if (value.IsZero)
            return Fail(DiagnosticId.PointerMaybeNull, $"argument {register} of {arguments.Name} is NULL", null);
        return CheckHelperMemory(register, value, (long)bytes, AccessKind.Read, false, arguments, isRaw: false)
            && CheckHelperMemory(register, value, (long)bytes, AccessKind.Write, false, arguments, isRaw: false);
    }

    /// <summary>A type of numbers all through, which a program may make up.</summary>
    private static bool IsPlainData(BtfTypes btf, BtfType type, int depth)
    {
        const int MaximumDepth = 4;
        if (type.Kind is BtfKind.INT or BtfKind.ENUM or BtfKind.ENUM64)
            return true;
        if (type.Kind != BtfKind.STRUCT || depth == MaximumDepth)
            return false;
        foreach (BtfMember member in btf.MembersOf(type))
        {
            BtfType inner = btf.SkipModifiers(member.Type);
            if (inner.Kind == BtfKind.ARRAY)
                inner = btf.SkipModifiers(btf.ArrayOf(inner).ElementType);
            if (!IsPlainData(btf, inner, depth + 1))
                return false;
        }

        return true;
    }

    private bool CheckKfuncDynptr(int register, RegisterState value, KfuncParameter role, CallArguments arguments)
    {
        if (value.Kind is not (RegisterKind.Stack or RegisterKind.Dynptr))
            return Fail(DiagnosticId.Dynptr, $"argument {register} of {arguments.Name} must be the address of a dynptr on the stack, but is {Describe(value)}", null);
        if ((role & KfuncParameter.UNINIT) == 0)
            return CheckDynptrArgument(register, value, ArgumentTypes.DYNPTR, arguments);
        if (value.Kind != RegisterKind.Stack)
            return Fail(DiagnosticId.Dynptr, $"argument {register} of {arguments.Name} must be a dynptr on the stack that is not in use", null);
        DynptrKind kind = arguments.Name switch
        {
            "bpf_dynptr_from_skb" => DynptrKind.SkBuff,
            "bpf_dynptr_from_xdp" => DynptrKind.Xdp,
            "bpf_dynptr_clone" => arguments.Dynptr,
            _ => DynptrKind.Local,
        };
        int reference = arguments.Name == "bpf_dynptr_clone" ? arguments.DynptrReferenceId : 0;
        return MakeDynptr(register, value, kind, arguments, reference);
    }

    private bool CheckOwnObject(int register, RegisterState value, KfuncParameter role, CallArguments arguments)
    {
        if (value.Kind != RegisterKind.BtfObject || !value.Has(PointerFlags.Allocated))
            return Fail(DiagnosticId.KfuncArgument, $"argument {register} of {arguments.Name} must be an object from bpf_obj_new, but is {Describe(value)}", null);
        if (value.MaybeNull)
            return FailMaybeNull(register, value);
        bool isPerCpu = arguments.Name.StartsWith("bpf_percpu", StringComparison.Ordinal);
        if (value.Has(PointerFlags.PerCpu) != isPerCpu)
            return Fail(DiagnosticId.KfuncArgument, $"argument {register} of {arguments.Name} is {(isPerCpu ? "not " : "")}a per-cpu object", null);
        if ((role & KfuncParameter.REFCOUNTED) == 0 && (value.ReferenceId == 0 || value.Offset != 0))
            return Fail(DiagnosticId.ReferenceMisuse, $"argument {register} of {arguments.Name} must own its object", null);
        if ((role & KfuncParameter.REFCOUNTED) != 0)
        {
            if (SpecialFields.Of(value.Btf, value.TypeId).Find(SpecialFieldKind.RefCount) is null)
                return Fail(DiagnosticId.KfuncArgument, $"argument {register} of {arguments.Name} has no bpf_refcount", null);
            if (value.ReferenceId == 0 && !value.Has(PointerFlags.NonOwning) && !value.Has(PointerFlags.Rcu))
                return Fail(DiagnosticId.ReferenceMisuse, $"argument {register} of {arguments.Name} is gone", null);
        }

        arguments.ObjectBtf = value.Btf;
        arguments.ObjectType = value.TypeId;
        return true;
    }

    private bool CheckWorkqueue(int register, RegisterState value, CallArguments arguments)
    {
        if (value.Kind != RegisterKind.MapValue || !value.Bounds.IsConstant || value.Map!.Fields.At(value.Offset + value.Bounds.SMin) is not { Kind: SpecialFieldKind.Workqueue })
            return Fail(DiagnosticId.KfuncArgument, $"argument {register} of {arguments.Name} must be the address of a struct bpf_wq in a map value", null);
        arguments.Map = value.Map;
        arguments.MapId = value.MapId;
        return true;
    }

    /// <summary>The list or tree, whose lock must be held.</summary>
    private bool CheckGraphRoot(int register, RegisterState value, bool isList, CallArguments arguments)
    {
        SpecialFieldKind kind = isList ? SpecialFieldKind.ListHead : SpecialFieldKind.TreeRoot;
        SpecialFields fields = value.Kind == RegisterKind.MapValue ? value.Map!.Fields
            : value.Kind == RegisterKind.BtfObject && value.Has(PointerFlags.Allocated) ? SpecialFields.Of(value.Btf, value.TypeId)
            : SpecialFields.None;
        if (value.MaybeNull || !value.Bounds.IsConstant || fields.At(value.Offset + value.Bounds.SMin) is not { } field || field.Kind != kind)
            return Fail(DiagnosticId.KfuncArgument, $"argument {register} of {arguments.Name} must be the address of a {Describe(kind)}", null);
        object? owner = value.Kind == RegisterKind.MapValue ? value.Map : value.Btf;
        if (_state.Lock is not { } held || !ReferenceEquals(held.Owner, owner) || held.Id != value.Id)
            return Fail(DiagnosticId.LockMisuse, $"{arguments.Name} is called without the lock of the {Describe(kind)}", "take the bpf_spin_lock that lies beside it first");
        arguments.ObjectBtf = value.Kind == RegisterKind.MapValue ? value.Map!.Btf : value.Btf;
        arguments.ObjectType = field.TypeId;
        arguments.NodeOffset = field.NodeOffset;
        return true;
    }

    /// <summary>A node that is taken over by a list or tree, or (borrowed) removed from it.</summary>
    private bool CheckGraphNode(int register, RegisterState value, bool isList, CallArguments arguments)
    {
        bool isRemoval = arguments.Name is "bpf_rbtree_remove" or "bpf_rbtree_left" or "bpf_rbtree_right";
        bool isNode = value.Kind == RegisterKind.BtfObject && value.Has(PointerFlags.Allocated) && !value.MaybeNull && value.Bounds.IsConstant
            && value.TypeId == arguments.ObjectType && value.Offset == arguments.NodeOffset;
        bool isHeld = isRemoval ? value.Has(PointerFlags.NonOwning) : value.ReferenceId != 0;
        if (isRemoval && isNode && value.ReferenceId != 0)
            return Fail(DiagnosticId.KfuncArgument, $"argument {register} of {arguments.Name} is in no tree: it owns its object", null);
        if (!isNode || !isHeld)
        {
            return Fail(
                DiagnosticId.KfuncArgument, $"argument {register} of {arguments.Name} must be the node of an object of the {(isList ? "list" : "tree")}'s type that {(isRemoval ? "is in it" : "the program owns")}, but is {Describe(value)}", null);
        }

        arguments.NodeRegister = register;
        return true;
    }

    /// <summary>An object that was put into a list or tree is borrowed until the lock is released.</summary>
    private bool LendNode(CallArguments arguments)
    {
        int id = Registers[arguments.NodeRegister].ReferenceId;
        RemoveReference(_state, id);
        _state.Rewrite(id, static (register, id) => register.ReferenceId == id
            ? register with { ReferenceId = 0, Flags = register.Flags | PointerFlags.NonOwning }
            : register);
        return true;
    }

    private bool PushTreeCallback(CallArguments arguments)
    {
        if (!LendNode(arguments) || !CheckCallback(arguments))
            return false;
        VerifierState? entered = PushPending(_image.Starts[arguments.Callback]);
        if (entered is null)
            return false;
        var frame = new FrameState(arguments.Callback, entered.FrameCount, _slot) { Role = FrameRole.Callback, CallbackResult = (0, 1), IsOnePass = true };
        frame.Registers[1] = GraphNode(arguments, PointerFlags.Allocated | PointerFlags.NonOwning);
        frame.Registers[2] = GraphNode(arguments, PointerFlags.Allocated | PointerFlags.NonOwning);
        EnterCallback(entered, frame);
        return true;
    }

    private static bool IsIteratorFunction(Kfunc kfunc) => (kfunc.Flags & (KfuncFlags.ITER_NEW | KfuncFlags.ITER_NEXT | KfuncFlags.ITER_DESTROY)) != 0;
}
