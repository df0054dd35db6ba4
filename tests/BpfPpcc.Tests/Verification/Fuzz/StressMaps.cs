using System.Collections.Immutable;
using BpfPpcc.Bpf;
using BpfPpcc.Loading;
using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Verification.Fuzz;

/// <summary>The maps that programs find under the numbers 100 and on; the kernel oracle makes the same ones.</summary>
internal static class StressMaps
{
    public const int FirstNumber = 100;
    public const int Array = 0;
    public const int Hash = 1;
    public const int ProgramArray = 2;
    public const int PerCpuArray = 3;
    public const int LruHash = 4;
    public const int PerfEventArray = 5;
    public const int RingBuffer = 6;
    public const int DeviceMap = 7;
    public const int Trie = 8;
    public const int ValueSize = 64;
    public const int Entries = 16;

    public static readonly ImmutableArray<BpfMap> All =
    [
        Map(Array, BpfMapType.ARRAY, 4, ValueSize, Entries),
        Map(Hash, BpfMapType.HASH, 4, ValueSize, Entries),
        Map(ProgramArray, BpfMapType.PROG_ARRAY, 4, 4, Entries),
        Map(PerCpuArray, BpfMapType.PERCPU_ARRAY, 4, ValueSize, Entries),
        Map(LruHash, BpfMapType.LRU_HASH, 4, ValueSize, Entries),
        Map(PerfEventArray, BpfMapType.PERF_EVENT_ARRAY, 4, 4, 2),
        Map(RingBuffer, BpfMapType.RINGBUF, 0, 0, 65_536),
        Map(DeviceMap, BpfMapType.DEVMAP, 4, 4, Entries),
        Map(Trie, BpfMapType.LPM_TRIE, 8, ValueSize, Entries) with { Flags = 1 },
    ];

    /// <summary>Which map a slot refers to, -1 if none.</summary>
    public static int IndexOf(Slot slot) =>
        slot is { Opcode: 0x18, Src: StressProgram.MapReference } && slot.Imm - FirstNumber is >= 0 and < 9 and var index ? index : -1;

    private static BpfMap Map(int index, BpfMapType type, uint key, uint value, uint entries) => new()
    {
        Index = index,
        Name = $"map{index}",
        Type = type,
        KeySize = key,
        ValueSize = value,
        MaxEntries = entries,
    };
}
