using BpfPpcc.Bpf;
using BpfPpcc.Btf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification.Walk;

/// <summary>Objects of the kernel and of the program's own, by their BTF types.</summary>
internal sealed partial class ProgramWalk
{
    /// <summary>Members of trusted objects that are trusted as well (the kernel's BTF_TYPE_SAFE_TRUSTED).</summary>
    private static readonly HashSet<string> TrustedMembers =
    [
        "bpf_iter_meta.seq", "bpf_iter__task.meta", "bpf_iter__task.task", "linux_binprm.file", "file.f_inode", "dentry.d_inode",
    ];

    private static readonly HashSet<string> TrustedOrNullMembers = ["socket.sk"];

    private static readonly HashSet<string> RcuMembers =
    [
        "task_struct.cpus_ptr", "task_struct.cgroups", "task_struct.real_parent", "task_struct.group_leader", "cgroup.kn", "css_set.dfl_cgrp",
    ];

    private const string CongestionControl = "tcp_congestion_ops";

    /// <summary>What congestion control may set of its socket (Linux: bpf_tcp_ca_btf_struct_access).</summary>
    private static readonly HashSet<string> CongestionFields =
    [
        "sock.sk_pacing_rate", "sock.sk_pacing_status", "inet_connection_sock.icsk_ca_priv", "inet_connection_sock.pending", "tcp_sock.snd_cwnd",
        "tcp_sock.snd_cwnd_cnt", "tcp_sock.snd_cwnd_stamp", "tcp_sock.snd_ssthresh", "tcp_sock.ecn_flags", "tcp_sock.app_limited",
    ];

    private static readonly HashSet<string> RcuOrNullMembers = ["mm_struct.exe_file", "sk_buff.sk", "request_sock.sk"];

    private bool AccessBtfObject(
        int register, RegisterState address, long offset, int size, AccessKind kind, RegisterState? stored, ref RegisterState? loaded)
    {
        bool isOwn = address.Has(PointerFlags.Allocated);
        if (offset < 0 || !address.Bounds.IsConstant || address.Bounds.UMin != 0)
        {
            return Fail(
                DiagnosticId.KernelObject, $"{PointerName(register)} is {Describe(address)}, accessed at offset {DescribeOffset(address, offset)}: objects are accessed at constant offsets that are not negative",
                "access the fields by their names");
        }

        if ((address.Flags & (PointerFlags.User | PointerFlags.PerCpu)) != 0)
        {
            return Fail(
                DiagnosticId.KernelObject, $"{PointerName(register)} points to {(address.Has(PointerFlags.User) ? "user" : "per-cpu")} memory, which cannot be accessed directly",
                address.Has(PointerFlags.User) ? "use bpf_probe_read_user" : "use bpf_per_cpu_ptr or bpf_this_cpu_ptr");
        }

        if (address.Btf is not { } btf || address.TypeId == 0)
            return FailNoTypes(register);
        if (!isOwn && !_environment.IsGpl && ReferenceEquals(btf, _module.TargetBtf))
            return Fail(DiagnosticId.HelperLicence, $"only programs under a licence compatible with the GPL may access {Describe(address)}", null);
        if (kind == AccessKind.Write && !isOwn && !MayWriteKernelField(address, offset, size))
            return Fail(DiagnosticId.ReadOnlyMemory, $"{PointerName(register)} is {Describe(address)}, which is read-only", "only fields that the kernel lists may be written, by programs of struct_ops");
        if (isOwn && address.ReferenceId == 0 && !address.Has(PointerFlags.NonOwning) && !address.Has(PointerFlags.Rcu) && !address.Has(PointerFlags.Untrusted))
            return Fail(DiagnosticId.KernelObject, $"{PointerName(register)} is {Describe(address)}, which was given back", null);
        if (isOwn && kind == AccessKind.Write && address.Has(PointerFlags.Untrusted))
            return Fail(DiagnosticId.ReadOnlyMemory, $"{PointerName(register)} is {Describe(address)} that may be gone, so it is read-only", null);
        if (isOwn && SpecialFields.Of(btf, address.TypeId).Touched(offset, offset + size) is { } field)
        {
            if (field.IsKptr && field.Offset == offset && size == 8)
                return AccessKptr(register, kind, stored, field, null, ref loaded);
            return Fail(DiagnosticId.SpecialField, $"the access touches a {Describe(field.Kind)} (offset {field.Offset}), which loads and stores must not", "use the helpers for it");
        }

        BtfAccess access = BtfWalk.Find(btf, address.TypeId, offset, size);
        if (access.Kind == BtfAccessKind.Invalid)
            return Fail(DiagnosticId.KernelObject, $"the access of {size} bytes at offset {offset} of {Describe(address)} is not one of a field", "access the fields by their names");
        if (kind == AccessKind.Read && access.Kind == BtfAccessKind.Pointer && !isOwn)
            loaded = LoadedPointer(address, btf, access);
        return true;
    }

    /// <summary>The object cannot be gone: the kernel vouches for it, or the program holds a reference.</summary>
    private static bool IsTrusted(RegisterState value) =>
        value.Has(PointerFlags.Trusted) || (value.ReferenceId != 0 && !value.Has(PointerFlags.Untrusted));

    private bool FailNoTypes(int register) => Fail(
        DiagnosticId.TypesMissing, $"{PointerName(register)} points to an object of the kernel, whose types are not known here",
        "give the types of the target kernel: --btf vmlinux.btf (on the target: /sys/kernel/btf/vmlinux)");

    /// <summary>Fields of the kernel's objects that some programs may write; Linux's btf_struct_access functions.</summary>
    private bool MayWriteKernelField(RegisterState address, long offset, int size)
    {
        if (address.Btf is not { } btf)
            return false;
        BtfAccess access = BtfWalk.Find(btf, address.TypeId, offset, size);
        return access.Kind == BtfAccessKind.Scalar && (_environment.Type, btf.NameOf(address.TypeId)) switch
        {
            (BpfProgramType.STRUCT_OPS, "bpf_dummy_ops_state") => access.Member == "val",
            (BpfProgramType.STRUCT_OPS, "tcp_sock") => _environment.Target?.Struct == CongestionControl && CongestionFields.Contains($"{access.Struct}.{access.Member}"),
            (BpfProgramType.XDP or BpfProgramType.SCHED_CLS or BpfProgramType.SCHED_ACT, "nf_conn") => access.Member == "mark",
            _ => false,
        };
    }

    private RegisterState LoadedPointer(RegisterState parent, BtfTypes btf, BtfAccess access)
    {
        string field = $"{access.Struct}.{access.Member}";
        bool isTrusted = IsTrusted(parent);
        PointerFlags flags = access.Flags;
        if (parent.Has(PointerFlags.Untrusted))
            flags = PointerFlags.Untrusted;
        else if (isTrusted || parent.Has(PointerFlags.Rcu))
            flags = TrustOfMember(parent, field, flags);
        else
            flags &= ~(PointerFlags.Trusted | PointerFlags.Rcu);
        return new RegisterState
        {
            Kind = RegisterKind.BtfObject,
            Flags = flags,
            Btf = btf,
            TypeId = access.TypeId,
            Id = (flags & PointerFlags.MaybeNull) != 0 ? NewId() : 0,
        };
    }

    private PointerFlags TrustOfMember(RegisterState parent, string field, PointerFlags flags)
    {
        if (TrustedMembers.Contains(field) && parent.Has(PointerFlags.Trusted))
            return flags | PointerFlags.Trusted;
        if (TrustedOrNullMembers.Contains(field) && parent.Has(PointerFlags.Trusted))
            return flags | PointerFlags.Trusted | PointerFlags.MaybeNull;
        if (!IsInRcuSection || parent.MaybeNull)
            return PointerFlags.Untrusted;
        if (RcuMembers.Contains(field))
            return flags | PointerFlags.Rcu;
        if ((flags & PointerFlags.Rcu) != 0 || RcuOrNullMembers.Contains(field))
            return (flags | PointerFlags.Rcu | PointerFlags.MaybeNull) & ~PointerFlags.Untrusted;
        return flags & (PointerFlags.PerCpu | PointerFlags.User | PointerFlags.Untrusted);
    }

    /// <summary>Programs that do not sleep run inside of an RCU read section as a whole.</summary>
    private bool IsInRcuSection => _state.RcuDepth > 0 || !IsSleepable;

    /// <summary>Loading a kptr from a map value or object gives a pointer that may be gone soon, or is null; storing is for bpf_kptr_xchg.</summary>
    private bool AccessKptr(int register, AccessKind kind, RegisterState? stored, SpecialField field, MapInfo? map, ref RegisterState? loaded)
    {
        if (kind == AccessKind.Write)
        {
            if (field.Kind == SpecialFieldKind.KptrUntrusted)
                return stored is { IsZero: true } || CheckKptrStored(stored!, field, map);
            return Fail(DiagnosticId.SpecialField, "a kernel pointer (kptr) that owns its object is stored by bpf_kptr_xchg only", "use bpf_kptr_xchg");
        }

        BtfTypes? btf = map?.Btf ?? _module.Btf;
        PointerFlags flags = PointerFlags.MaybeNull | PointerFlags.Untrusted;
        bool isOwn = IsOwnType(btf, field.TypeId);
        if (field.Kind is SpecialFieldKind.Kptr or SpecialFieldKind.KptrPerCpu && IsInRcuSection && (isOwn || IsRcuSafe(btf, field.TypeId)))
            flags = PointerFlags.MaybeNull | PointerFlags.Rcu;
        if (isOwn)
            flags |= PointerFlags.Allocated;
        if (field.Kind == SpecialFieldKind.KptrPerCpu)
            flags |= PointerFlags.PerCpu;
        (BtfTypes? typeBtf, uint type) = ResolveKptr(btf, field.TypeId);
        _ = register;
        loaded = new RegisterState { Kind = RegisterKind.BtfObject, Flags = flags, Btf = typeBtf, TypeId = type, Id = NewId() };
        return true;
    }

    /// <summary>Linux's map_kptr_match_type: what is stored is a pointer to an object of the field's type, or to one that begins with it.</summary>
    private bool CheckKptrStored(RegisterState stored, SpecialField field, MapInfo? map)
    {
        const PointerFlags Possible = PointerFlags.MaybeNull | PointerFlags.Untrusted | PointerFlags.Trusted | PointerFlags.Rcu | PointerFlags.Allocated;
        if (stored.Kind != RegisterKind.BtfObject || (stored.Flags & ~Possible) != 0 || stored.Btf is not { } storedBtf || stored.TypeId == 0)
            return Fail(DiagnosticId.SpecialField, $"{Describe(stored)} is stored in a kernel pointer (kptr)", "store a pointer to an object of the kptr's type, or NULL");
        if (!stored.Bounds.IsConstant || stored.Bounds.UMin != 0 || stored.Offset < 0)
            return Fail(DiagnosticId.SpecialField, $"{Describe(stored)} at offset {DescribeOffset(stored, stored.Offset)} is stored in a kernel pointer (kptr): the offset must be constant", "store the pointer as it was given");
        (BtfTypes? btf, uint type) = ResolveKptr(map?.Btf ?? _module.Btf, field.TypeId);
        string name = btf?.NameOf(type) ?? "";
        return BtfWalk.StructAt(storedBtf, stored.TypeId, stored.Offset, name)
            || Fail(DiagnosticId.SpecialField, $"{Describe(stored)} is stored in a kernel pointer (kptr) to a struct {name}", null);
    }

    /// <summary>Types that the kernel frees after a grace period.</summary>
    private static bool IsRcuSafe(BtfTypes? btf, uint type) =>
        btf is not null && btf.NameOf(type) is "task_struct" or "cgroup" or "prog_test_ref_kfunc" or "bpf_cpumask" or "css_set" or "bpf_crypto_ctx";

    /// <summary>Whether a type is one of the program's own, not one of the kernel.</summary>
    private bool IsOwnType(BtfTypes? btf, uint type)
    {
        if (btf is null)
            return false;
        string name = btf.NameOf(type);
        return _module.TargetBtf?.Find(name, BtfKind.STRUCT) is null or 0 && !name.StartsWith("prog_test_", StringComparison.Ordinal);
    }

    private (BtfTypes? Btf, uint Type) ResolveKptr(BtfTypes? btf, uint type)
    {
        if (btf is null || IsOwnType(btf, type))
            return (btf, type);
        uint target = _module.TargetBtf?.Find(btf.NameOf(type), BtfKind.STRUCT) ?? 0;
        return target != 0 ? (_module.TargetBtf, target) : (btf, type);
    }

    private RegisterState? ExternAddress(BpfReference.ExternAddress reference)
    {
        if (_module.TargetBtf is { } target && target.Find(reference.Name, BtfKind.VAR) is var variable and not 0)
        {
            uint type = target[variable].SizeOrType;
            PointerFlags perCpu = IsPerCpu(target, variable) ? PointerFlags.PerCpu : PointerFlags.None;
            if (target.SkipModifiers(type) is { Kind: BtfKind.STRUCT } structure)
                return new RegisterState { Kind = RegisterKind.BtfObject, Btf = target, TypeId = structure.Id, Flags = perCpu };
            if (perCpu != 0)
                return new RegisterState { Kind = RegisterKind.BtfObject, Btf = target, TypeId = type, Flags = perCpu };
            if (target.TryGetSize(type, out ulong size))
                return new RegisterState { Kind = RegisterKind.Memory, Flags = PointerFlags.ReadOnly, Size = (long)size };
        }

        if (IsTypedExtern(reference.Name) is { } externSize)
            return externSize == 0 ? RegisterState.UnknownScalar(_slot) : new RegisterState { Kind = RegisterKind.Memory, Flags = PointerFlags.ReadOnly | (reference.IsWeak ? PointerFlags.MaybeNull : 0), Size = externSize, Id = reference.IsWeak ? NewId() : 0 };
        return RegisterState.UnknownScalar(_slot);
    }

    private static bool IsPerCpu(BtfTypes btf, uint variable)
    {
        uint section = btf.Find(".data..percpu", BtfKind.DATASEC);
        if (section == 0)
            return false;
        foreach (BtfSectionVariable member in btf.VariablesOf(btf[section]))
        {
            if (member.Type == variable)
                return true;
        }

        return false;
    }

    /// <summary>Size of an extern variable by the object's own BTF; 0 for one of type void, null if it has none.</summary>
    private long? IsTypedExtern(string name)
    {
        if (_module.Btf is not { } btf || btf.Find(name, BtfKind.VAR) is not (var variable and not 0))
            return null;
        return btf.TryGetSize(btf[variable].SizeOrType, out ulong size) ? (long)size : 0;
    }
}
