using System.Collections.Immutable;
using BpfPpcc.Btf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using BpfPpcc.Verification.Catalog;
using BpfPpcc.Verification.Domain;

namespace BpfPpcc.Verification.Walk;

/// <summary>Calls of functions that the kernel offers by name and BTF prototype (kernel documentation, bpf/kfuncs.rst).</summary>
internal sealed partial class ProgramWalk
{
    private bool CallKfunc(BpfReference.ExternCall call)
    {
        if (KfuncTable.Find(call.Name) is not { } kfunc)
        {
            return Fail(
                DiagnosticId.KfuncUnknown, $"nothing is known of the function {call.Name}, which this object does not define",
                "link the object that defines it, or inline it: kernels have no C library");
        }

        if (_environment.Type != Bpf.BpfProgramType.UNSPEC && !kfunc.IsAllowedIn(ProgramKind))
            return Fail(DiagnosticId.KfuncUnknown, $"programs of type {_environment.TypeName} may not call {kfunc.Name}", null);
        if (FindPrototype(call.Name, kfunc.Name) is not { } prototype)
            return Fail(DiagnosticId.TypesMissing, $"the prototype of {kfunc.Name} is not known here", "compile with -g, or give the types of the target kernel: --btf vmlinux.btf");
        if (!CheckKfuncAllowed(kfunc))
            return false;
        var arguments = new CallArguments { Name = kfunc.Name, Function = kfunc, Types = prototype.Btf };
        ImmutableArray<BtfParameter> parameters = prototype.Btf.ParametersOf(prototype.Prototype);
        for (int i = 0; i < parameters.Length && i < 5; i++)
        {
            if (!CheckKfuncArgument(parameters, i, arguments))
                return false;
        }

        NoteKfuncCall(parameters.Length);
        if (!ReleaseArgument(arguments) || !CallSpecialKfunc(kfunc, arguments))
            return false;
        if (_pathEnds)
            return true;
        ClobberArguments(_state.Frame);
        if (!SetKfuncResult(prototype.Btf, prototype.Prototype, arguments))
            return false;
        return kfunc.Has(KfuncFlags.ITER_NEXT) ? SplitIterator(arguments) : Next();
    }

    /// <summary>The kernel's own description of the function where there is one, else the object's.</summary>
    private (BtfTypes Btf, BtfType Prototype)? FindPrototype(string symbol, string name)
    {
        if (_module.TargetBtf is { } target && target.Find(name, BtfKind.FUNC) is var known and not 0)
            return (target, target.PrototypeOf(target[known]));
        if (_module.Btf is { } own && own.Find(symbol, BtfKind.FUNC) is var id and not 0)
            return (own, own.PrototypeOf(own[id]));
        return null;
    }

    private bool CheckKfuncAllowed(Kfunc kfunc)
    {
        if (_state.Lock is not null && !IsAllowedUnderLock(kfunc.Name))
            return Fail(DiagnosticId.LockMisuse, $"{kfunc.Name} is called while a spin lock is held", "unlock before the call");
        switch (kfunc.Name)
        {
            case "bpf_rcu_read_lock":
                if (_state.RcuDepth > 0)
                    return Fail(DiagnosticId.CriticalSection, "RCU read sections do not nest", "one section around all is enough");
                _state.RcuDepth++;
                return true;
            case "bpf_rcu_read_unlock":
                if (_state.RcuDepth == 0)
                    return Fail(DiagnosticId.CriticalSection, "bpf_rcu_read_unlock is called outside of an RCU read section", null);
                _state.RcuDepth--;
                EndRcuSection();
                return true;
            case "bpf_preempt_disable":
                _state.PreemptDepth++;
                return true;
            case "bpf_preempt_enable":
                if (_state.PreemptDepth == 0)
                    return Fail(DiagnosticId.CriticalSection, "bpf_preempt_enable is called while preemption is enabled", null);
                _state.PreemptDepth--;
                return true;
        }

        return !kfunc.Has(KfuncFlags.SLEEPABLE) || CheckMaySleep(kfunc.Name);
    }

    private static bool IsAllowedUnderLock(string name) => name.StartsWith("bpf_list_", StringComparison.Ordinal)
        || name.StartsWith("bpf_rbtree_", StringComparison.Ordinal) || name is "bpf_refcount_acquire_impl" or "bpf_iter_num_new"
        or "bpf_iter_num_next" or "bpf_iter_num_destroy";

    /// <summary>What RCU protected is not safe any more.</summary>
    private void EndRcuSection() => _state.Rewrite(0, static (register, _) => register.Has(PointerFlags.Rcu) && register.Kind == RegisterKind.BtfObject
        ? register with { Flags = (register.Flags & ~(PointerFlags.Rcu | PointerFlags.MaybeNull)) | PointerFlags.Untrusted }
        : register);

    private bool CallSpecialKfunc(Kfunc kfunc, CallArguments arguments)
    {
        switch (kfunc.Name)
        {
            case "bpf_throw":
                if (!CheckMayThrow("bpf_throw"))
                    return false;
                _pathEnds = true;
                return _environment.ExceptionCallback is not null || !ResultRange().IsRestricted || CheckResultRange(Registers[1], ResultRange().Min, ResultRange().Max, "bpf_throw");
            case "bpf_rbtree_add_impl":
                return PushTreeCallback(arguments);
            case "bpf_wq_set_callback_impl":
                return PushAsyncCallback(arguments, isSleepable: true);
            case "bpf_list_push_front_impl" or "bpf_list_push_back_impl":
                return LendNode(arguments);
            default:
                return true;
        }
    }

    /// <summary>An exception ends the program: nothing may be held, and no function of the kernel may wait for a callback to return.</summary>
    private bool CheckMayThrow(string callee)
    {
        if (CallbackFrame() != 0 || _state.FrameAt(0).Role != FrameRole.Plain || _environment.IsExceptionCallback)
            return Fail(DiagnosticId.Callback, $"{callee} throws an exception out of a callback", "let the callback return a number that says what happened");
        return CheckNothingHeld(callee, isOutermost: true);
    }

    private bool SetKfuncResult(BtfTypes btf, BtfType prototype, CallArguments arguments)
    {
        Kfunc kfunc = arguments.Function!;
        BtfType result = btf.SkipModifiers(prototype.SizeOrType);
        if (result.Kind == BtfKind.VOID)
            return true;
        if (result.Kind != BtfKind.PTR)
        {
            int size = btf.TryGetSize(result.Id, out ulong bytes) ? (int)bytes : 8;
            Registers[0] = size < 8 ? NewScalar(ScalarBounds.Unknown) : RegisterState.UnknownScalar(_slot);
            return true;
        }

        if (PointerResult(btf, result, arguments) is not { } pointer)
            return false;
        if (kfunc.Has(KfuncFlags.RET_NULL))
            pointer = pointer with { Flags = pointer.Flags | PointerFlags.MaybeNull, Id = NewId() };
        if (kfunc.Has(KfuncFlags.ACQUIRE))
        {
            int id = Acquire();
            pointer = pointer with { Id = pointer.MaybeNull ? id : 0, ReferenceId = id };
        }

        Registers[0] = pointer with { Origin = _slot };
        return true;
    }

    private RegisterState? PointerResult(BtfTypes btf, BtfType result, CallArguments arguments)
    {
        Kfunc kfunc = arguments.Function!;
        switch (kfunc.Name)
        {
            case "bpf_obj_new_impl" or "bpf_percpu_obj_new_impl":
                return NewObject(arguments, kfunc.Name == "bpf_percpu_obj_new_impl");
            case "bpf_refcount_acquire_impl":
                return new RegisterState { Kind = RegisterKind.BtfObject, Flags = PointerFlags.Allocated, Btf = arguments.ObjectBtf, TypeId = arguments.ObjectType };
            case "bpf_list_pop_front" or "bpf_list_pop_back" or "bpf_rbtree_remove":
                return GraphNode(arguments, PointerFlags.Allocated);
            case "bpf_rbtree_first" or "bpf_rbtree_root" or "bpf_rbtree_left" or "bpf_rbtree_right" or "bpf_list_front" or "bpf_list_back":
                return GraphNode(arguments, PointerFlags.Allocated | PointerFlags.NonOwning);
            case "bpf_cast_to_kern_ctx":
                return CastContext();
            case "bpf_rdonly_cast":
                return CastReadOnly(arguments);
            case "bpf_dynptr_slice_rdwr" when _environment.Type != Bpf.BpfProgramType.UNSPEC && !MayWritePacket:
                Fail(DiagnosticId.ReadOnlyMemory, $"programs of type {_environment.TypeName} must not write to the packet, and so get no slice to write to", "use bpf_dynptr_slice, or bpf_dynptr_write");
                return null;
            case "bpf_dynptr_slice" or "bpf_dynptr_slice_rdwr":
                return new RegisterState
                {
                    Kind = RegisterKind.Memory,
                    Size = arguments.ConstantSize,
                    Flags = kfunc.Name == "bpf_dynptr_slice" ? PointerFlags.ReadOnly : PointerFlags.None,
                    DynptrId = arguments.DynptrId,
                    Dynptr = arguments.Dynptr,
                    ReferenceId = arguments.DynptrReferenceId,
                };
        }

        BtfType target = btf.SkipModifiers(result.SizeOrType);
        if (target.Kind == BtfKind.STRUCT)
        {
            (BtfTypes? typeBtf, uint type) = ResolveKptr(btf, target.Id);
            return new RegisterState { Kind = RegisterKind.BtfObject, Btf = typeBtf, TypeId = type, Flags = TrustOfResult(arguments) };
        }

        if (arguments.ReturnedSize > 0)
            return new RegisterState { Kind = RegisterKind.Memory, Size = arguments.ReturnedSize, Flags = arguments.IsReturnedReadOnly ? PointerFlags.ReadOnly : PointerFlags.None, ReferenceId = arguments.ReferenceId };
        if (target.Kind == BtfKind.VOID)
            return RegisterState.UnknownScalar(_slot);
        if (btf.TryGetSize(result.SizeOrType, out ulong size) && size is > 0 and <= int.MaxValue)
            return new RegisterState { Kind = RegisterKind.Memory, Size = (long)size, Flags = PointerFlags.ReadOnly, ReferenceId = arguments.ReferenceId };
        Fail(DiagnosticId.KfuncArgument, $"{kfunc.Name} returns a pointer of a type that programs cannot use", null);
        return null;
    }

    /// <summary>What iterators give is trusted as long as the iterator lives; other results are plain unless a reference comes with them.</summary>
    private static PointerFlags TrustOfResult(CallArguments arguments)
    {
        if (!arguments.Function!.Has(KfuncFlags.ITER_NEXT))
            return PointerFlags.None;
        return arguments.IsRcuIterator ? PointerFlags.Rcu : PointerFlags.Trusted;
    }

    private RegisterState? NewObject(CallArguments arguments, bool isPerCpu)
    {
        BtfTypes? btf = _module.Btf;
        uint type = (uint)arguments.Constant;
        if (btf is null || type >= btf.Count || btf.SkipModifiers(type) is not { Kind: BtfKind.STRUCT } structure)
        {
            Fail(DiagnosticId.KfuncArgument, $"{arguments.Name} makes objects of struct types only", null);
            return null;
        }

        return new RegisterState { Kind = RegisterKind.BtfObject, Flags = PointerFlags.Allocated | (isPerCpu ? PointerFlags.PerCpu : PointerFlags.None), Btf = btf, TypeId = structure.Id };
    }

    private static RegisterState GraphNode(CallArguments arguments, PointerFlags flags) => new()
    {
        Kind = RegisterKind.BtfObject,
        Flags = flags,
        Btf = arguments.ObjectBtf,
        TypeId = arguments.ObjectType,
        Offset = arguments.NodeOffset,
    };

    private RegisterState? CastContext()
    {
        string name = _environment.Type switch
        {
            Bpf.BpfProgramType.XDP => "xdp_buff",
            Bpf.BpfProgramType.SOCKET_FILTER or Bpf.BpfProgramType.SCHED_CLS or Bpf.BpfProgramType.SCHED_ACT or Bpf.BpfProgramType.CGROUP_SKB
                or Bpf.BpfProgramType.SK_SKB => "sk_buff",
            _ => "",
        };
        return name.Length == 0 ? RegisterState.UnknownScalar(_slot) : KernelObject(name, PointerFlags.Trusted);
    }

    private RegisterState CastReadOnly(CallArguments arguments)
    {
        BtfTypes? own = _module.Btf;
        uint type = (uint)arguments.Constant;
        string name = own is not null && type < own.Count ? own.NameOf(own.SkipModifiers(type).Id) : "";
        return KernelObject(name, PointerFlags.Untrusted);
    }
}
