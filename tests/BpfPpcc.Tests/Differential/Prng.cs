namespace BpfPpcc.Tests.Differential;

/// <summary>Pseudo-random numbers (splitmix64): the same seed gives the same numbers on every machine and .NET version.</summary>
public sealed class Prng(ulong seed)
{
    private ulong _state = seed;

    public ulong Next64()
    {
        _state += 0x9e37_79b9_7f4a_7c15;
        ulong z = _state;
        z = (z ^ (z >> 30)) * 0xbf58_476d_1ce4_e5b9;
        z = (z ^ (z >> 27)) * 0x94d0_49bb_1331_11eb;
        return z ^ (z >> 31);
    }

    /// <summary>0 to <paramref name="bound"/> - 1.</summary>
    public int Next(int bound) => (int)((Next64() >> 32) * (ulong)bound >> 32);

    /// <summary><paramref name="low"/> to <paramref name="high"/>, both possible.</summary>
    public int Between(int low, int high) => low + Next(high - low + 1);

    public bool Chance(int percent) => Next(100) < percent;

    public bool Coin() => Next(2) == 0;

    public T Pick<T>(params ReadOnlySpan<T> from) => from[Next(from.Length)];

    /// <summary>An index, with probabilities as the weights say.</summary>
    public int Weighted(ReadOnlySpan<int> weights)
    {
        int sum = 0;
        foreach (int weight in weights)
            sum += weight;
        int at = Next(sum);
        for (int i = 0; i < weights.Length; i++)
        {
            if ((at -= weights[i]) < 0)
                return i;
        }

        throw new InvalidOperationException("weights");
    }

    /// <summary>An immediate: edges, small numbers, powers of two and their neighbours, anything.</summary>
    public int Immediate() => Next(10) switch
    {
        0 or 1 => Pick<int>(0, 1, -1, int.MinValue, int.MaxValue, 2, -2, int.MinValue + 1),
        2 => Pick(0x7f, 0x80, 0xff, 0x100, 0x7fff, 0x8000, 0xffff, 0x1_0000, -0x8000, -0x8001, 0x7fff_8000, 0x7fff_0000, unchecked((int)0xffff_0000)),
        3 or 4 => Between(-16, 16),
        5 => (1 << Next(32)) + Between(-1, 1),
        6 => (int)(uint.MaxValue >> Next(32)) << Next(8),
        7 => Between(-1000, 100_000),
        _ => (int)Next64(),
    };

    /// <summary>A 64-bit value of every shape: as an immediate, in a half, masks, rotated, random.</summary>
    public ulong Value64() => Next(12) switch
    {
        0 or 1 => (ulong)(long)Immediate(),
        2 => (uint)Immediate(),
        3 => (ulong)(uint)Immediate() << 32,
        4 => (ulong)(uint)Immediate() << 32 | (uint)Immediate(),
        5 => Pick<ulong>(1UL << 63, ulong.MaxValue, long.MaxValue, (1UL << 63) + 1, 1UL << 32, (1UL << 32) - 1, (1UL << 31) - 1, 1UL << 31),
        6 => (1UL << Next(64)) + (ulong)(long)Between(-1, 1),
        7 => ulong.MaxValue >> Next(64) << Next(64),
        8 => ulong.RotateLeft((ulong)Next(0x1_0000), Next(64)),
        9 => Repeated((ushort)Next64()),
        _ => Next64(),
    };

    private static ulong Repeated(ushort value) => value * 0x0001_0001_0001_0001UL;
}
