using System.Collections.Immutable;
using BpfPpcc.Bpf;

namespace BpfPpcc.Loading;

/// <summary>
/// Which ARRAY maps bring storage for their elements, and how much (object-abi.md, Maps). Lifting reads the elements of these maps inline,
/// and object writing makes the storage.
/// </summary>
public static class ArrayStorage
{
    /// <summary>Bytes of one object's elements, of all maps together.</summary>
    public const long Limit = 16 << 20;

    /// <summary>By <see cref="BpfMap.Index"/>. Given in input order while the limit lasts; a map that does not fit leaves the rest to those behind it.</summary>
    /// <param name="externMaps">Names of maps that another object defines.</param>
    public static ImmutableArray<bool> Of(ImmutableArray<BpfMap> maps, ImmutableArray<string> externMaps)
    {
        ImmutableArray<bool>.Builder result = ImmutableArray.CreateBuilder<bool>(maps.Length);
        long used = 0;
        foreach (BpfMap map in maps)
        {
            long size = map.Type == BpfMapType.ARRAY && !externMaps.Contains(map.Name) ? SizeOf(map) : 0;
            bool hasStorage = size > 0 && size <= Limit - used;
            if (hasStorage)
                used += size;
            result.Add(hasStorage);
        }

        return result.MoveToImmutable();
    }

    /// <summary>Bytes from one element of an ARRAY to the next: the value size rounded up to a multiple of 8.</summary>
    public static ulong StrideOf(BpfMap map) => ((ulong)map.ValueSize + 7) & ~7UL;

    /// <summary>Bytes of the elements of an ARRAY; long.MaxValue if it is more.</summary>
    public static long SizeOf(BpfMap map)
    {
        UInt128 size = (UInt128)StrideOf(map) * map.MaxEntries;
        return size > long.MaxValue ? long.MaxValue : (long)size;
    }
}
