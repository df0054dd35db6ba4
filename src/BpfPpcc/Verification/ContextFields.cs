using BpfPpcc.Bpf;

namespace BpfPpcc.Verification;

/// <summary>A packet pointer that the UAPI squeezes into a u32 of a context struct.</summary>
/// <param name="Struct">Name of the UAPI struct.</param>
/// <param name="Name">Name of the field.</param>
/// <param name="Offset">Offset of the u32 in the UAPI struct (linux/bpf.h).</param>
/// <param name="NativeOffset">Offset of the 64-bit pointer in the native struct (object-abi.md, Context).</param>
internal readonly record struct ContextField(string Struct, string Name, int Offset, int NativeOffset);

/// <summary>The two context structs that have such fields, and which programs get them.</summary>
internal static class ContextFields
{
    /// <summary>Not a struct with packet-pointer fields.</summary>
    public const int NoStruct = -1;

    public const int XdpMd = 0;
    public const int SkBuff = 1;

    private const int FieldBytes = 4;

    private static readonly ContextField[] Xdp =
    [
        new("xdp_md", "data", 0, 64),
        new("xdp_md", "data_end", 4, 72),
        new("xdp_md", "data_meta", 8, 80),
    ];

    private static readonly ContextField[] Skb =
    [
        new("__sk_buff", "data", 76, 256),
        new("__sk_buff", "data_end", 80, 264),
        new("__sk_buff", "data_meta", 140, 272),
    ];

    /// <summary>The struct that programs of a type get as context.</summary>
    public static int StructOf(BpfProgramType type) => type switch
    {
        BpfProgramType.XDP => XdpMd,
        BpfProgramType.SOCKET_FILTER or BpfProgramType.SCHED_CLS or BpfProgramType.SCHED_ACT or BpfProgramType.CGROUP_SKB
            or BpfProgramType.SK_SKB or BpfProgramType.LWT_IN or BpfProgramType.LWT_OUT or BpfProgramType.LWT_XMIT
            or BpfProgramType.LWT_SEG6LOCAL or BpfProgramType.FLOW_DISSECTOR => SkBuff,
        BpfProgramType.UNSPEC or BpfProgramType.KPROBE or BpfProgramType.TRACEPOINT or BpfProgramType.PERF_EVENT
            or BpfProgramType.CGROUP_SOCK or BpfProgramType.SOCK_OPS or BpfProgramType.CGROUP_DEVICE or BpfProgramType.SK_MSG
            or BpfProgramType.RAW_TRACEPOINT or BpfProgramType.CGROUP_SOCK_ADDR or BpfProgramType.LIRC_MODE2
            or BpfProgramType.SK_REUSEPORT or BpfProgramType.CGROUP_SYSCTL or BpfProgramType.RAW_TRACEPOINT_WRITABLE
            or BpfProgramType.CGROUP_SOCKOPT or BpfProgramType.TRACING or BpfProgramType.STRUCT_OPS or BpfProgramType.EXT
            or BpfProgramType.LSM or BpfProgramType.SK_LOOKUP or BpfProgramType.SYSCALL or BpfProgramType.NETFILTER => NoStruct,
    };

    /// <summary>The struct by its C name; <see cref="NoStruct"/> for any other.</summary>
    public static int StructOf(string? name) => name switch
    {
        "xdp_md" => XdpMd,
        "__sk_buff" => SkBuff,
        _ => NoStruct,
    };

    /// <summary>
    /// The first packet-pointer field that the bytes [<paramref name="offset"/>, + <paramref name="size"/>) of a struct touch, or null.
    /// </summary>
    public static ContextField? Touched(int structIndex, int offset, int size)
    {
        foreach (ContextField field in structIndex == XdpMd ? Xdp : Skb)
        {
            if (offset < field.Offset + FieldBytes && field.Offset < offset + size)
                return field;
        }

        return null;
    }
}
