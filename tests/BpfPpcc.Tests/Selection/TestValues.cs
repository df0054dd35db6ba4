namespace BpfPpcc.Tests.Selection;

/// <summary>Numbers at which something changes.</summary>
internal static class TestValues
{
    public static readonly long[] Edges =
    [
        0, 1, 2, 3, 5, 7, 8, 10, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, 0x7ffe, 0x7fff, 0x8000, 0x8001, 0xfff0, 0xffff, 0x10000,
        0x12345, 0xff0000, 0xff00ff, 0xffff0000, 0xf000000f, 0x7fff7fff, 0x7fff8000, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe,
        0xffffffff, 0x1_0000_0000, 0x1_0000_0001, 0x12_3456_789a, 0x00ff_ff00_0000_0000, 0x7fff_ffff_ffff_ffff,
        unchecked((long)0x8000_0000_0000_0000), unchecked((long)0x8000_0000_0000_0001),
        unchecked((long)0xffff_ffff_0000_0000), unchecked((long)0xffff_0000_ffff_0000),
        -1, -2, -3, -5, -7, -8, -16, -127, -128, -129, -255, -256, -0x7fff, -0x8000, -0x8001, -0x10000, -0x10001, -0x7fff8001,
        -0x7fffffff, -0x80000000L, -0x80000001L,
    ];

    /// <summary>An edge, a small number, a single run of ones, or anything.</summary>
    public static long Random(Random random) => random.Next(6) switch
    {
        0 or 1 => Edges[random.Next(Edges.Length)],
        2 => random.Next(-70, 70),
        3 => (long)(ulong.MaxValue >> random.Next(64) << random.Next(64)),
        4 => random.Next(),
        _ => random.NextInt64(long.MinValue, long.MaxValue),
    };

    public static ulong[] RandomArguments(Random random)
    {
        var arguments = new ulong[5];
        for (int i = 0; i < arguments.Length; i++)
            arguments[i] = (ulong)Random(random);
        return arguments;
    }
}
