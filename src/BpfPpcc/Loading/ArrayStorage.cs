using System.Collections.Immutable;
using BpfPpcc.Bpf;

namespace BpfPpcc.Loading;

/// <summary>
/// Which ARRAY maps bring storage for their elements, and how much (object-abi.md, Maps). Lifting reads the elements of these maps inline,
/// and object writing makes the storage.
/// </summary>
public static class ArrayStorage
{
    /// <summary>Bytes of element storage that one object brings at most; what does not fit is left to the runtime.</summary>
    public const long Limit = 16L << 20;

    private const uint KeySize = 4;

    /// <summary>By <see cref="BpfMap.Index"/>. Given in input order; a map that does not fit leaves the rest to those behind it.</summary>
    public static ImmutableArray<bool> Find(ImmutableArray<BpfMap> maps)
    {
        ImmutableArray<bool>.Builder bringsStorage = ImmutableArray.CreateBuilder<bool>(maps.Length);
        long left = Limit;
        foreach (BpfMap map in maps)
        {
            bool fits = map is { Type: BpfMapType.ARRAY, KeySize: KeySize, MaxEntries: > 0, ValueSize: > 0, IsExtern: false }
                && Stride(map) <= left / map.MaxEntries;
            bringsStorage.Add(fits);
            if (fits)
                left -= Size(map);
        }

        return bringsStorage.MoveToImmutable();
    }

    /// <summary>Bytes from one element to the next: the value size rounded up to a multiple of 8.</summary>
    public static long Stride(BpfMap map) => (map.ValueSize + 7L) & ~7L;

    /// <summary>Bytes of all elements of a map that <see cref="Find"/> says brings them.</summary>
    public static long Size(BpfMap map) => Stride(map) * map.MaxEntries;
}
