using System.Collections.Immutable;
using BpfPpcc.Bpf;
using BpfPpcc.Btf;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification.Walk;

/// <summary>What a global function takes in a parameter; Linux's ARG_* kinds of btf_prepare_func_args.</summary>
internal enum GlobalParameterKind : byte
{
    Scalar,
    Context,

    /// <summary>Memory of a size, or NULL unless tagged otherwise.</summary>
    Memory,
    Dynptr,

    /// <summary>A kernel object of which the caller vouches (__arg_trusted).</summary>
    TrustedObject,

    /// <summary>An address in an arena: any number will do.</summary>
    Arena,
}

/// <param name="Size">Of memory, in bytes.</param>
/// <param name="TypeId">Of a kernel object: its type in the target's BTF.</param>
internal readonly record struct GlobalParameter(GlobalParameterKind Kind, bool MaybeNull = false, long Size = 0, uint TypeId = 0, bool IsReadOnly = false);

/// <summary>
/// Functions with external linkage, which are verified once for all that their BTF prototype allows (kernel documentation, bpf/libbpf
/// overview; tags of libbpf's bpf_helpers.h: __arg_ctx, __arg_nonnull, __arg_nullable, __arg_trusted).
/// </summary>
internal static class GlobalFunctions
{
    private const int MaximumParameters = 5;

    /// <summary>Whether the function is verified by itself: it is a subprogram with external linkage in BTF.</summary>
    public static bool IsGlobal(BpfModule module, BpfFunction function)
    {
        if (function.IsStatic || module.Btf is not { } btf)
            return false;
        uint id = btf.Find(function.Name, BtfKind.FUNC);
        return id != 0 && btf.LinkageOf(btf[id]) == BtfLinkage.GLOBAL;
    }

    /// <summary>The parameters, or null with what is wrong with the prototype.</summary>
    public static ImmutableArray<GlobalParameter>? ParametersOf(
        BpfModule module, BpfFunction function, BpfProgramType programType, out string error)
    {
        error = "";
        BtfTypes btf = module.Btf!;
        BtfType type = btf[btf.Find(function.Name, BtfKind.FUNC)];
        BtfType prototype = btf.PrototypeOf(type);
        if (btf.SkipModifiers(prototype.SizeOrType) is { Kind: not (BtfKind.INT or BtfKind.ENUM or BtfKind.ENUM64) })
        {
            error = $"the global function {function.Name} does not return a number; other functions must be static";
            return null;
        }

        ImmutableArray<BtfParameter> parameters = btf.ParametersOf(prototype);
        if (parameters.Length > MaximumParameters)
        {
            error = $"the global function {function.Name} has {parameters.Length} parameters; {MaximumParameters} are possible";
            return null;
        }

        ImmutableArray<GlobalParameter>.Builder result = ImmutableArray.CreateBuilder<GlobalParameter>(parameters.Length);
        for (int i = 0; i < parameters.Length; i++)
        {
            if (Classify(module, btf, parameters[i].Type, TagsOf(btf, type.Id, i), programType) is not { } parameter)
            {
                error = $"parameter {i + 1} ({parameters[i].Name}) of the global function {function.Name} is of a type that it cannot be verified for";
                return null;
            }

            result.Add(parameter);
        }

        return result.MoveToImmutable();
    }

    [Flags]
    private enum Tags
    {
        None = 0,
        Context = 1,
        NonNull = 2,
        Trusted = 4,
        Nullable = 8,
        Unknown = 16,
        Arena = 32,
    }

    private static Tags TagsOf(BtfTypes btf, uint function, int parameter)
    {
        const string Prefix = "arg:";
        Tags tags = Tags.None;
        for (uint id = 1; id < btf.Count; id++)
        {
            BtfType tag = btf[id];
            if (tag.Kind != BtfKind.DECL_TAG || tag.SizeOrType != function || btf.ComponentOf(tag) != parameter)
                continue;
            string name = btf.NameOf(id);
            if (!name.StartsWith(Prefix, StringComparison.Ordinal))
                continue;
            tags |= name[Prefix.Length..] switch
            {
                "ctx" => Tags.Context,
                "nonnull" => Tags.NonNull,
                "trusted" => Tags.Trusted,
                "nullable" => Tags.Nullable,
                "arena" => Tags.Arena,
                _ => Tags.Unknown,
            };
        }

        return tags;
    }

    private static GlobalParameter? Classify(BpfModule module, BtfTypes btf, uint id, Tags tags, BpfProgramType programType)
    {
        BtfType type = btf.SkipModifiers(id);
        if ((tags & Tags.Unknown) != 0)
            return null;
        if (type.Kind is BtfKind.INT or BtfKind.ENUM or BtfKind.ENUM64)
            return tags == Tags.None ? new GlobalParameter(GlobalParameterKind.Scalar) : null;
        if (type.Kind != BtfKind.PTR)
            return null;
        if ((tags & Tags.Arena) != 0)
            return new GlobalParameter(GlobalParameterKind.Arena);
        BtfType target = btf.SkipModifiers(type.SizeOrType);
        string name = btf.NameOf(target.Id);
        if ((tags & Tags.Context) != 0 || IsContext(btf, type.SizeOrType, name, programType))
            return new GlobalParameter(GlobalParameterKind.Context);
        if (target.Kind == BtfKind.STRUCT && name == "bpf_dynptr")
            return tags == Tags.None ? new GlobalParameter(GlobalParameterKind.Dynptr) : null;
        bool maybeNull = (tags & Tags.NonNull) == 0;
        if ((tags & Tags.Trusted) != 0)
        {
            uint targetType = module.TargetBtf?.Find(StripFlavour(name), BtfKind.STRUCT) ?? 0;
            return targetType == 0 ? null : new GlobalParameter(GlobalParameterKind.TrustedObject, (tags & Tags.Nullable) != 0, 0, targetType);
        }

        if ((tags & Tags.Nullable) != 0 || !btf.TryGetSize(target.Id, out ulong size) || size is 0 or > int.MaxValue)
            return null;
        return new GlobalParameter(GlobalParameterKind.Memory, maybeNull, (long)size);
    }

    /// <summary>CO-RE flavours of a type are named TYPE___FLAVOUR.</summary>
    private static string StripFlavour(string name)
    {
        int flavour = name.IndexOf("___", StringComparison.Ordinal);
        return flavour > 0 ? name[..flavour] : name;
    }

    private static bool IsContext(BtfTypes btf, uint pointee, string name, BpfProgramType programType)
    {
        for (BtfType type = btf[pointee]; type.IsModifier; type = btf[type.SizeOrType])
        {
            if (type.Kind == BtfKind.TYPEDEF && programType == BpfProgramType.KPROBE && btf.NameOf(type.Id) == "bpf_user_pt_regs_t")
                return true;
        }

        return name.Length > 0 && ContextStruct(programType) == name;
    }

    /// <summary>The UAPI struct that programs of a type get as context, "" where it has no name.</summary>
    public static string ContextStruct(BpfProgramType type) => type switch
    {
        BpfProgramType.SOCKET_FILTER or BpfProgramType.SCHED_CLS or BpfProgramType.SCHED_ACT or BpfProgramType.CGROUP_SKB
            or BpfProgramType.LWT_IN or BpfProgramType.LWT_OUT or BpfProgramType.LWT_XMIT or BpfProgramType.LWT_SEG6LOCAL
            or BpfProgramType.SK_SKB or BpfProgramType.FLOW_DISSECTOR => "__sk_buff",
        BpfProgramType.XDP => "xdp_md",
        BpfProgramType.KPROBE => "pt_regs",
        BpfProgramType.PERF_EVENT => "bpf_perf_event_data",
        BpfProgramType.CGROUP_SOCK => "bpf_sock",
        BpfProgramType.SOCK_OPS => "bpf_sock_ops",
        BpfProgramType.CGROUP_DEVICE => "bpf_cgroup_dev_ctx",
        BpfProgramType.SK_MSG => "sk_msg_md",
        BpfProgramType.RAW_TRACEPOINT or BpfProgramType.RAW_TRACEPOINT_WRITABLE => "bpf_raw_tracepoint_args",
        BpfProgramType.CGROUP_SOCK_ADDR => "bpf_sock_addr",
        BpfProgramType.SK_REUSEPORT => "sk_reuseport_md",
        BpfProgramType.CGROUP_SYSCTL => "bpf_sysctl",
        BpfProgramType.CGROUP_SOCKOPT => "bpf_sockopt",
        BpfProgramType.SK_LOOKUP => "bpf_sk_lookup",
        BpfProgramType.NETFILTER => "bpf_nf_ctx",
        BpfProgramType.UNSPEC or BpfProgramType.TRACEPOINT or BpfProgramType.LIRC_MODE2 or BpfProgramType.TRACING
            or BpfProgramType.STRUCT_OPS or BpfProgramType.EXT or BpfProgramType.LSM or BpfProgramType.SYSCALL => "",
    };
}
