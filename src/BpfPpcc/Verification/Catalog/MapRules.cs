using BpfPpcc.Bpf;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification.Catalog;

/// <summary>What is in a value that programs may not touch by plain loads and stores.</summary>
internal enum MapField : byte
{
    SPIN_LOCK,
    TIMER,
    WORKQUEUE,
    KPTR,
    REFCOUNT,
    LIST_HEAD,
    RB_ROOT,
}

/// <summary>
/// Which helpers work on which maps, seen from both sides as Linux 6.12 checks it (CVE-2021-34866: one side is not enough), which special
/// fields their values may have, and which programs may use them.
/// </summary>
internal static class MapRules
{
    /// <summary>Maps that only the named helpers accept; other maps are for all helpers that want no special one.</summary>
    private static readonly (BpfMapType[] Maps, string Helpers)[] ByMap =
    [
        ([BpfMapType.PROG_ARRAY], "tail_call"),
        ([BpfMapType.PERF_EVENT_ARRAY], "perf_event_read perf_event_output skb_output perf_event_read_value xdp_output"),
        ([BpfMapType.RINGBUF], "ringbuf_output ringbuf_reserve ringbuf_query ringbuf_reserve_dynptr"),
        ([BpfMapType.USER_RINGBUF], "user_ringbuf_drain"),
        ([BpfMapType.STACK_TRACE], "get_stackid"),
        ([BpfMapType.CGROUP_ARRAY], "skb_under_cgroup current_task_under_cgroup"),
        ([BpfMapType.CGROUP_STORAGE, BpfMapType.PERCPU_CGROUP_STORAGE], "get_local_storage"),
        ([BpfMapType.DEVMAP, BpfMapType.DEVMAP_HASH, BpfMapType.XSKMAP], "redirect_map map_lookup_elem"),
        ([BpfMapType.CPUMAP], "redirect_map"),
        ([BpfMapType.ARRAY_OF_MAPS, BpfMapType.HASH_OF_MAPS], "map_lookup_elem"),
        ([BpfMapType.SOCKMAP],
            "sk_redirect_map sock_map_update msg_redirect_map sk_select_reuseport map_lookup_elem map_update_elem map_delete_elem"),
        ([BpfMapType.SOCKHASH],
            "sk_redirect_hash sock_hash_update msg_redirect_hash sk_select_reuseport map_lookup_elem map_update_elem map_delete_elem"),
        ([BpfMapType.REUSEPORT_SOCKARRAY], "sk_select_reuseport"),
        ([BpfMapType.QUEUE, BpfMapType.STACK], "map_peek_elem map_pop_elem map_push_elem"),
        ([BpfMapType.BLOOM_FILTER], "map_peek_elem map_push_elem"),
        ([BpfMapType.SK_STORAGE], "sk_storage_get sk_storage_delete kptr_xchg"),
        ([BpfMapType.INODE_STORAGE], "inode_storage_get inode_storage_delete kptr_xchg"),
        ([BpfMapType.TASK_STORAGE], "task_storage_get task_storage_delete kptr_xchg"),
        ([BpfMapType.CGRP_STORAGE], "cgrp_storage_get cgrp_storage_delete kptr_xchg"),
        ([BpfMapType.STRUCT_OPS, BpfMapType.ARENA], ""),
    ];

    /// <summary>Helpers that accept only the named maps.</summary>
    private static readonly (string Helpers, BpfMapType[] Maps)[] ByHelper =
    [
        ("tail_call", [BpfMapType.PROG_ARRAY]),
        ("perf_event_read perf_event_output skb_output perf_event_read_value xdp_output", [BpfMapType.PERF_EVENT_ARRAY]),
        ("ringbuf_output ringbuf_reserve ringbuf_query ringbuf_reserve_dynptr", [BpfMapType.RINGBUF]),
        ("user_ringbuf_drain", [BpfMapType.USER_RINGBUF]),
        ("get_stackid", [BpfMapType.STACK_TRACE]),
        ("skb_under_cgroup current_task_under_cgroup", [BpfMapType.CGROUP_ARRAY]),
        ("redirect_map", [BpfMapType.DEVMAP, BpfMapType.DEVMAP_HASH, BpfMapType.CPUMAP, BpfMapType.XSKMAP]),
        ("sk_redirect_map msg_redirect_map sock_map_update", [BpfMapType.SOCKMAP]),
        ("sk_redirect_hash msg_redirect_hash sock_hash_update", [BpfMapType.SOCKHASH]),
        ("get_local_storage", [BpfMapType.CGROUP_STORAGE, BpfMapType.PERCPU_CGROUP_STORAGE]),
        ("sk_select_reuseport", [BpfMapType.REUSEPORT_SOCKARRAY, BpfMapType.SOCKMAP, BpfMapType.SOCKHASH]),
        ("map_pop_elem", [BpfMapType.QUEUE, BpfMapType.STACK]),
        ("map_peek_elem map_push_elem", [BpfMapType.QUEUE, BpfMapType.STACK, BpfMapType.BLOOM_FILTER]),
        ("map_lookup_percpu_elem", [BpfMapType.PERCPU_ARRAY, BpfMapType.PERCPU_HASH, BpfMapType.LRU_PERCPU_HASH]),
        ("for_each_map_elem",
            [BpfMapType.HASH, BpfMapType.ARRAY, BpfMapType.PERCPU_HASH, BpfMapType.PERCPU_ARRAY, BpfMapType.LRU_HASH,
                BpfMapType.LRU_PERCPU_HASH]),
        ("sk_storage_get sk_storage_delete", [BpfMapType.SK_STORAGE]),
        ("inode_storage_get inode_storage_delete", [BpfMapType.INODE_STORAGE]),
        ("task_storage_get task_storage_delete", [BpfMapType.TASK_STORAGE]),
        ("cgrp_storage_get cgrp_storage_delete", [BpfMapType.CGRP_STORAGE]),
    ];

    private static readonly BpfMapType[] LocalStorage =
        [BpfMapType.SK_STORAGE, BpfMapType.INODE_STORAGE, BpfMapType.TASK_STORAGE, BpfMapType.CGRP_STORAGE];

    private static readonly ulong LockMaps =
        Set([BpfMapType.HASH, BpfMapType.ARRAY, BpfMapType.CGROUP_STORAGE, .. LocalStorage]);

    private static readonly ulong TimerMaps = Set([BpfMapType.HASH, BpfMapType.LRU_HASH, BpfMapType.ARRAY]);

    private static readonly ulong KptrMaps = Set(
        [BpfMapType.HASH, BpfMapType.PERCPU_HASH, BpfMapType.LRU_HASH, BpfMapType.LRU_PERCPU_HASH, BpfMapType.ARRAY,
            BpfMapType.PERCPU_ARRAY, .. LocalStorage]);

    private static readonly ulong SleepableMaps = Set(
        [BpfMapType.HASH, BpfMapType.LRU_HASH, BpfMapType.ARRAY, BpfMapType.PERCPU_HASH, BpfMapType.PERCPU_ARRAY,
            BpfMapType.LRU_PERCPU_HASH, BpfMapType.ARRAY_OF_MAPS, BpfMapType.HASH_OF_MAPS, BpfMapType.RINGBUF, BpfMapType.USER_RINGBUF,
            BpfMapType.QUEUE, BpfMapType.STACK, BpfMapType.ARENA, .. LocalStorage]);

    /// <summary>By helper: bit i is set if map type i is accepted by both sides.</summary>
    private static readonly ulong[] Accepted = Combine();

    /// <summary>Whether helper <paramref name="helper"/> may be called with a map of a type, for programs of a kind.</summary>
    public static bool IsCompatible(BpfMapType map, int helper, in ProgramKind kind) =>
        helper >= 0 && helper < Accepted.Length && Has(Accepted[helper], map)
        && (!IsSocketMap(map) || helper is not (UpdateElement or DeleteElement) || MayUpdateSocketMap(helper, kind));

    /// <summary>Whether values of a map may have a field. Refcount goes with lists and trees.</summary>
    public static bool MayHold(BpfMapType map, MapField field) => field switch
    {
        MapField.SPIN_LOCK => Has(LockMaps, map),
        MapField.TIMER or MapField.WORKQUEUE or MapField.LIST_HEAD or MapField.RB_ROOT => Has(TimerMaps, map),
        MapField.KPTR or MapField.REFCOUNT => Has(KptrMaps, map),
    };

    /// <summary>Whether programs of a kind may use maps with a field: probes run where locks are held already.</summary>
    public static bool MayUse(in ProgramKind kind, MapField field) => field switch
    {
        MapField.SPIN_LOCK => !kind.IsProbe && kind.Type != BpfProgramType.SOCKET_FILTER,
        MapField.TIMER or MapField.WORKQUEUE or MapField.LIST_HEAD or MapField.RB_ROOT => !kind.IsProbe,
        MapField.KPTR or MapField.REFCOUNT => true,
    };

    /// <summary>Whether programs of a kind may refer to maps of a type at all.</summary>
    public static bool MayUse(in ProgramKind kind, BpfMapType map) =>
        map != BpfMapType.STRUCT_OPS && (!kind.IsSleepable || Has(SleepableMaps, map));

    /// <summary>Whether the address of a value may be an immediate (LD_IMM64 of a map value), given the number of entries.</summary>
    public static bool HasDirectValue(BpfMapType map, uint maxEntries) =>
        map == BpfMapType.ARRAY && maxEntries == 1 || map == BpfMapType.ARENA;

    public static bool IsSocketMap(BpfMapType map) => map is BpfMapType.SOCKMAP or BpfMapType.SOCKHASH;

    public static bool IsMapOfMaps(BpfMapType map) => map is BpfMapType.ARRAY_OF_MAPS or BpfMapType.HASH_OF_MAPS;

    private const int UpdateElement = 2;
    private const int DeleteElement = 3;
    private const int PushElement = 87;
    private const int PopElement = 88;

    /// <summary>Whether a helper adds, replaces or removes elements, which programs must not do to maps that are read-only for them.</summary>
    public static bool ChangesElements(int helper) => helper is UpdateElement or DeleteElement or PushElement or PopElement;

    /// <summary>Not where the socket may be locked by who runs the program.</summary>
    private static bool MayUpdateSocketMap(int helper, in ProgramKind kind) => kind.Type switch
    {
        BpfProgramType.TRACING => kind.AttachType == AttachTypes.BPF_TRACE_ITER,
        BpfProgramType.SOCK_OPS => helper == DeleteElement,
        BpfProgramType.SOCKET_FILTER or BpfProgramType.SCHED_CLS or BpfProgramType.SCHED_ACT or BpfProgramType.XDP
            or BpfProgramType.SK_REUSEPORT or BpfProgramType.FLOW_DISSECTOR or BpfProgramType.SK_LOOKUP => true,
        _ => false,
    };

    private static ulong[] Combine()
    {
        var accepted = new ulong[BpfHelpers.LastId + 1];
        Array.Fill(accepted, ulong.MaxValue);
        foreach ((string helpers, BpfMapType[] maps) in ByHelper)
        {
            foreach (string helper in helpers.Split(' '))
                accepted[BpfHelpers.IdOf(helper)] = Set(maps);
        }

        foreach ((BpfMapType[] maps, string helpers) in ByMap)
        {
            var own = new HashSet<int>();
            foreach (string helper in helpers.Split(' ', StringSplitOptions.RemoveEmptyEntries))
                own.Add(BpfHelpers.IdOf(helper));
            for (int id = 0; id < accepted.Length; id++)
            {
                if (!own.Contains(id))
                    accepted[id] &= ~Set(maps);
            }
        }

        return accepted;
    }

    private static ulong Set(ReadOnlySpan<BpfMapType> maps)
    {
        ulong set = 0;
        foreach (BpfMapType map in maps)
            set |= 1UL << (int)map;
        return set;
    }

    private static bool Has(ulong set, BpfMapType map) => (uint)map < 64 && (set >> (int)map & 1) != 0;
}
