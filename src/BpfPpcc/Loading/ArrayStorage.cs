using System.Collections.Immutable;
using BpfPpcc.Bpf;

namespace BpfPpcc.Loading;

/// <summary>Which ARRAY maps bring the storage of their elements, and may therefore be read inline (object-abi.md, Maps).</summary>
public static class ArrayStorage
{
    /// <summary>Bytes of element storage that one object brings at most; what does not fit is left to the runtime.</summary>
    public const long Limit = 16L << 20;

    private const uint KeySize = 4;

    /// <summary>Bytes from one element to the next: the value size rounded up to a multiple of 8.</summary>
    public static long Stride(BpfMap map) => (map.ValueSize + 7L) & ~7L;

    /// <summary>By index of the map: it is an ARRAY whose storage is part of the object. Maps are served in input order.</summary>
    public static ImmutableArray<bool> Find(BpfModule module)
    {
        var bringsStorage = ImmutableArray.CreateBuilder<bool>(module.Maps.Length);
        long left = Limit;
        foreach (BpfMap map in module.Maps)
        {
            bool fits = map is { Type: BpfMapType.ARRAY, KeySize: KeySize, MaxEntries: > 0 } && Stride(map) <= left / map.MaxEntries;
            bringsStorage.Add(fits);
            if (fits)
                left -= Stride(map) * map.MaxEntries;
        }

        return bringsStorage.DrainToImmutable();
    }
}
