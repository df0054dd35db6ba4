using System.Collections.Immutable;

namespace BpfPpcc.Loading;

/// <summary>
/// Where the descriptors of maps lie (object-abi.md, Maps): one after another in the section bpf_maps, in input order, those of other objects
/// left out. Code reaches one from another by the distance, and object writing puts them there.
/// </summary>
public static class MapDescriptorPlacement
{
    /// <summary>sizeof(struct bpfppcc_map).</summary>
    public const int DescriptorSize = 128;

    /// <summary>By <see cref="BpfMap.Index"/>: number of the map's descriptor, or -1 for a map of another object.</summary>
    public static ImmutableArray<int> Number(ImmutableArray<BpfMap> maps)
    {
        ImmutableArray<int>.Builder numbers = ImmutableArray.CreateBuilder<int>(maps.Length);
        int count = 0;
        foreach (BpfMap map in maps)
            numbers.Add(map.IsExtern ? -1 : count++);
        return numbers.MoveToImmutable();
    }
}
