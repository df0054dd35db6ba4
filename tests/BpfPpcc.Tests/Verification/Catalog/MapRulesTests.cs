using BpfPpcc.Bpf;
using BpfPpcc.Loading;
using BpfPpcc.Verification.Catalog;
using Xunit;

namespace BpfPpcc.Tests.Verification.Catalog;

public sealed class MapRulesTests
{
    private static readonly ProgramKind Xdp = new(BpfProgramType.XDP);

    [Theory]
    [InlineData(BpfMapType.HASH, "map_lookup_elem", true)]
    [InlineData(BpfMapType.LPM_TRIE, "map_update_elem", true)]
    [InlineData(BpfMapType.HASH, "tail_call", false)]
    [InlineData(BpfMapType.PROG_ARRAY, "tail_call", true)]
    [InlineData(BpfMapType.PROG_ARRAY, "map_lookup_elem", false)]
    [InlineData(BpfMapType.RINGBUF, "ringbuf_reserve", true)]
    [InlineData(BpfMapType.RINGBUF, "map_update_elem", false)]
    [InlineData(BpfMapType.HASH, "ringbuf_output", false)]
    [InlineData(BpfMapType.DEVMAP, "map_lookup_elem", true)]
    [InlineData(BpfMapType.DEVMAP, "map_update_elem", false)]
    [InlineData(BpfMapType.CPUMAP, "map_lookup_elem", false)]
    [InlineData(BpfMapType.XSKMAP, "redirect_map", true)]
    [InlineData(BpfMapType.SOCKMAP, "redirect_map", false)]
    [InlineData(BpfMapType.HASH_OF_MAPS, "map_lookup_elem", true)]
    [InlineData(BpfMapType.HASH_OF_MAPS, "map_update_elem", false)]
    [InlineData(BpfMapType.QUEUE, "map_push_elem", true)]
    [InlineData(BpfMapType.QUEUE, "map_lookup_elem", false)]
    [InlineData(BpfMapType.BLOOM_FILTER, "map_pop_elem", false)]
    [InlineData(BpfMapType.HASH, "map_pop_elem", false)]
    [InlineData(BpfMapType.PERCPU_ARRAY, "map_lookup_percpu_elem", true)]
    [InlineData(BpfMapType.ARRAY, "map_lookup_percpu_elem", false)]
    [InlineData(BpfMapType.ARRAY, "for_each_map_elem", true)]
    [InlineData(BpfMapType.QUEUE, "for_each_map_elem", false)]
    [InlineData(BpfMapType.SK_STORAGE, "sk_storage_get", true)]
    [InlineData(BpfMapType.SK_STORAGE, "map_lookup_elem", false)]
    [InlineData(BpfMapType.TASK_STORAGE, "sk_storage_get", false)]
    [InlineData(BpfMapType.ARENA, "map_lookup_elem", false)]
    [InlineData(BpfMapType.PERF_EVENT_ARRAY, "perf_event_output", true)]
    [InlineData(BpfMapType.STACK_TRACE, "get_stackid", true)]
    [InlineData(BpfMapType.STACK_TRACE, "map_lookup_elem", false)]
    public void Cve_2021_34866_maps_and_helpers_fit_in_both_directions(BpfMapType map, string helper, bool isCompatible) =>
        Assert.Equal(isCompatible, MapRules.IsCompatible(map, BpfHelpers.IdOf(helper), Xdp));

    [Fact]
    public void Socket_maps_are_updated_only_where_no_socket_is_locked()
    {
        int update = BpfHelpers.IdOf("map_update_elem"), delete = BpfHelpers.IdOf("map_delete_elem");
        Assert.True(MapRules.IsCompatible(BpfMapType.SOCKMAP, update, Xdp));
        Assert.False(MapRules.IsCompatible(BpfMapType.SOCKHASH, update, new ProgramKind(BpfProgramType.SOCK_OPS)));
        Assert.True(MapRules.IsCompatible(BpfMapType.SOCKHASH, delete, new ProgramKind(BpfProgramType.SOCK_OPS)));
        Assert.False(MapRules.IsCompatible(BpfMapType.SOCKMAP, update, new ProgramKind(BpfProgramType.KPROBE)));
        var iterator = new ProgramKind(BpfProgramType.TRACING, AttachTypes.BPF_TRACE_ITER);
        Assert.True(MapRules.IsCompatible(BpfMapType.SOCKMAP, update, iterator));
    }

    /// <summary>Every map has a helper, but the two that none works on.</summary>
    [Fact]
    public void Every_map_has_a_helper()
    {
        foreach (BpfMapType map in Enum.GetValues<BpfMapType>())
        {
            if (map == BpfMapType.UNSPEC)
                continue;
            bool hasHelper = false;
            foreach (HelperPrototype prototype in HelperPrototypes.All)
            {
                if (prototype.Arguments.Contains(ArgumentTypes.CONST_MAP_PTR))
                    hasHelper |= MapRules.IsCompatible(map, prototype.Id, Xdp);
            }

            Assert.Equal(map is not (BpfMapType.STRUCT_OPS or BpfMapType.ARENA), hasHelper);
        }
    }

    [Fact]
    public void Special_fields_are_where_maps_support_them()
    {
        Assert.True(MapRules.MayHold(BpfMapType.HASH, MapField.SPIN_LOCK));
        Assert.False(MapRules.MayHold(BpfMapType.PERCPU_ARRAY, MapField.SPIN_LOCK));
        Assert.True(MapRules.MayHold(BpfMapType.LRU_HASH, MapField.TIMER));
        Assert.False(MapRules.MayHold(BpfMapType.PERCPU_HASH, MapField.TIMER));
        Assert.True(MapRules.MayHold(BpfMapType.PERCPU_ARRAY, MapField.KPTR));
        Assert.False(MapRules.MayHold(BpfMapType.LPM_TRIE, MapField.KPTR));
        Assert.False(MapRules.MayUse(new ProgramKind(BpfProgramType.KPROBE), MapField.TIMER));
        Assert.False(MapRules.MayUse(new ProgramKind(BpfProgramType.SOCKET_FILTER), MapField.SPIN_LOCK));
        Assert.True(MapRules.MayUse(Xdp, MapField.SPIN_LOCK));
        Assert.False(MapRules.MayUse(new ProgramKind(BpfProgramType.LSM, IsSleepable: true), BpfMapType.LPM_TRIE));
        Assert.True(MapRules.MayUse(new ProgramKind(BpfProgramType.LSM, IsSleepable: true), BpfMapType.HASH));
        Assert.True(MapRules.HasDirectValue(BpfMapType.ARRAY, 1));
        Assert.False(MapRules.HasDirectValue(BpfMapType.ARRAY, 2));
    }
}
