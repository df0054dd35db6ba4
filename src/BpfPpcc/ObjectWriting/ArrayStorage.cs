using System.Collections.Immutable;
using BpfPpcc.Bpf;
using BpfPpcc.Loading;

namespace BpfPpcc.ObjectWriting;

/// <summary>Which ARRAY maps bring storage for their elements, and how much (object-abi.md, Maps).</summary>
internal static class ArrayStorage
{
    /// <summary>Bytes of one object's elements, of all maps together.</summary>
    public const long Limit = 16 << 20;

    /// <summary>By <see cref="BpfMap.Index"/>. In input order, as long as the limit lasts: a map that is too large leaves room for those behind it.</summary>
    /// <param name="isDefinedHere">By map index: no map of another object.</param>
    public static ImmutableArray<bool> Of(ImmutableArray<BpfMap> maps, Func<int, bool> isDefinedHere)
    {
        ImmutableArray<bool>.Builder result = ImmutableArray.CreateBuilder<bool>(maps.Length);
        long used = 0;
        foreach (BpfMap map in maps)
        {
            long size = map.Type == BpfMapType.ARRAY && isDefinedHere(map.Index) ? SizeOf(map) : 0;
            bool hasStorage = size > 0 && size <= Limit - used;
            if (hasStorage)
                used += size;
            result.Add(hasStorage);
        }

        return result.MoveToImmutable();
    }

    /// <summary>Bytes of the elements of an ARRAY: at a stride of the value size rounded up to a multiple of 8.</summary>
    public static long SizeOf(BpfMap map)
    {
        ulong stride = ((ulong)map.ValueSize + 7) & ~7UL;
        UInt128 size = (UInt128)stride * map.MaxEntries;
        return size > long.MaxValue ? long.MaxValue : (long)size;
    }
}
