using BpfPpcc.Bpf;

namespace BpfPpcc.Tests.Verification.Fuzz;

/// <summary>What the generator has to know of a type of programs.</summary>
/// <param name="Fields">Offset and size of context fields that give numbers.</param>
/// <param name="Data">Offset of the context's packet pointer; -1 if the type has none.</param>
/// <param name="CallsSeparately">Helpers of the type, by number; those of <see cref="Common"/> may be called from all.</param>
internal sealed record StressProgramType(
    BpfProgramType Type, int? AttachType, (int Offset, int Size)[] Fields, (int Offset, int Size)[] WritableFields, int Data, int DataEnd, int DataMeta,
    bool WritesPacket, int[] CallsSeparately, bool RunsOnPacket)
{
    private static readonly (int, int)[] BufferFields =
        [(0, 4), (4, 4), (8, 4), (12, 4), (16, 4), (20, 4), (24, 4), (28, 4), (32, 4), (36, 4), (40, 4), (44, 4), (48, 4), (52, 4), (56, 4), (60, 4), (64, 4), (68, 4), (152, 8), (164, 4), (176, 4)];

    private static readonly (int, int)[] ControlBlock = [(8, 4), (48, 4), (52, 4), (56, 4), (60, 4), (64, 4)];

    private static readonly int[] BufferHelpers = [26, 68, 34, 50, 46, 28];

    private static readonly int[] TracingHelpers = [14, 15, 16, 35, 4, 113, 115, 45, 67];

    /// <summary>Helpers that every type of <see cref="All"/> may call.</summary>
    public static readonly int[] Common = [5, 7, 118, 42, 125];

    public static readonly StressProgramType[] All =
    [
        new(BpfProgramType.XDP, null, [(12, 4), (16, 4)], [], 0, 4, 8, true, [28, 44, 54, 65, 188, 189, 190, 23, 51, 25], true),
        new(BpfProgramType.SCHED_CLS, null, BufferFields, [.. ControlBlock, (32, 4), (72, 4), (152, 8)], 76, 80, 140, true,
            [.. BufferHelpers, 9, 39, 38, 18, 19, 23, 84, 10, 11, 25], true),
        new(BpfProgramType.SOCKET_FILTER, null, BufferFields[..18], ControlBlock[1..], -1, -1, -1, false, [26, 68, 46, 25], true),
        new(BpfProgramType.CGROUP_SKB, 0, BufferFields, ControlBlock, 76, 80, -1, false, [26, 68, 46, 25], true),
        new(BpfProgramType.CGROUP_SKB, 1, BufferFields, ControlBlock, 76, 80, -1, false, [26, 68, 46, 25], true),
        new(BpfProgramType.LWT_XMIT, null, BufferFields[..18], ControlBlock, 76, 80, -1, true, [26, 9, 39, 34, 28], true),
        new(BpfProgramType.KPROBE, null, Words(0, 44), [], -1, -1, -1, false, [.. TracingHelpers, 25], false),
        new(BpfProgramType.TRACEPOINT, null, [(8, 8), (16, 8), (24, 4), (28, 2), (30, 1), (64, 8)], [], -1, -1, -1, false, TracingHelpers, false),
        new(BpfProgramType.RAW_TRACEPOINT, null, Words(0, 12), [], -1, -1, -1, false, TracingHelpers, false),
        new(BpfProgramType.PERF_EVENT, null, [.. Words(0, 44), (352, 8), (360, 8)], [], -1, -1, -1, false, TracingHelpers, false),
        new(BpfProgramType.SYSCALL, null, [.. Words(0, 8), (3, 1), (20, 4), (34, 2)], Words(0, 8), -1, -1, -1, false, [14, 16, 35, 113, 148], false),
        new(BpfProgramType.CGROUP_SOCK_ADDR, 10, [(0, 4), (4, 4), (24, 4), (28, 4), (32, 4), (36, 4)], [(4, 4), (24, 4)], -1, -1, -1, false, [14, 15], false),
        new(BpfProgramType.SOCK_OPS, null, [(0, 4), (4, 4), (20, 4), (64, 4), (68, 4), (84, 4), (176, 8)], [(4, 4), (8, 4), (12, 4), (16, 4)], -1, -1, -1, false, [46], false),
        new(BpfProgramType.SK_LOOKUP, 36, [(8, 4), (12, 4), (16, 4), (36, 2), (64, 4)], [], -1, -1, -1, false, [], false),
    ];

    /// <summary>How often each of <see cref="All"/> is taken.</summary>
    public static readonly int[] Weights = [20, 22, 8, 5, 5, 4, 8, 4, 4, 4, 6, 2, 2, 2];

    public bool HasPacketPointers => Data >= 0;

    public bool IsBuffer => Type is BpfProgramType.SCHED_CLS or BpfProgramType.SOCKET_FILTER or BpfProgramType.CGROUP_SKB or BpfProgramType.LWT_XMIT;

    private static (int, int)[] Words(int first, int count) => [.. Enumerable.Range(first, count).Select(i => (8 * i, 8))];
}
