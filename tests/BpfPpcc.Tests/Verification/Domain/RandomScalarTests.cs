using System.Globalization;
using BpfPpcc.Bpf;
using BpfPpcc.Verification.Domain;
using Xunit;

namespace BpfPpcc.Tests.Verification.Domain;

/// <summary>
/// 64-bit scalars around a known value: after any operation the concrete result is still inside. Bounds are made by cutting the unknown
/// scalar with random views that all hold the value.
/// </summary>
public sealed class RandomScalarTests(ITestOutputHelper output)
{
    private static readonly ulong[] Corners =
    [
        0, 1, 2, 3, 7, 8, 255, 256, 0x7fff, 0x8000, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x1_0000_0000, 0x7fff_ffff_ffff_ffff,
        0x8000_0000_0000_0000, 0x8000_0000_0000_0001, 0xffff_ffff_0000_0000, 0xffff_ffff_8000_0000, 0xffff_ffff_7fff_ffff,
        0xffff_ffff_ffff_fffe, 0xffff_ffff_ffff_ffff, 512, 14, 0x20000000,
    ];

    /// <summary>Debug builds are slow; a release run sets BPFPPCC_DOMAIN_ROUNDS to some millions.</summary>
    private static readonly int Rounds =
        int.TryParse(Environment.GetEnvironmentVariable("BPFPPCC_DOMAIN_ROUNDS"), CultureInfo.InvariantCulture, out int rounds) ? rounds : 100_000;

    [Fact]
    public void Arithmetic_keeps_the_concrete_result()
    {
        var random = new Random(1);
        for (int i = 0; i < Rounds; i++)
        {
            BpfAluCode code = SmallWords.Operations[random.Next(SmallWords.Operations.Length)];
            ulong x = Value(random), y = Value(random);
            if (code is BpfAluCode.LSH or BpfAluCode.RSH or BpfAluCode.ARSH && random.Next(8) != 0)
                y &= 63;
            ScalarBounds a = Around(random, x), b = random.Next(3) == 0 ? ScalarBounds.Constant(y) : Around(random, y);
            bool isSigned = code is BpfAluCode.DIV or BpfAluCode.MOD && random.Next(2) == 0;
            ScalarBounds wide = ScalarBounds.Alu64(code, a, b, isSigned);
            ulong exact = BpfSemantics.Alu64(code, x, y, isSigned);
            Assert.True(wide.Contains(exact), $"{x:x} {code} {y:x} = {exact:x}: {a} {b} gave {wide}");
            ScalarBounds narrow = ScalarBounds.Alu32(code, a, b, isSigned);
            exact = BpfSemantics.Alu32(code, x, y, isSigned);
            Assert.True(narrow.Contains(exact), $"{x:x} {code}32 {y:x} = {exact:x}: {a} {b} gave {narrow}");
        }
    }

    [Fact]
    public void Extensions_and_byte_orders_keep_the_concrete_result()
    {
        var random = new Random(2);
        for (int i = 0; i < Rounds / 4; i++)
        {
            ulong x = Value(random);
            ScalarBounds a = Around(random, x);
            foreach (int width in (int[])[8, 16, 32])
            {
                Assert.True(ScalarBounds.SignExtend64(width, a).Contains(BpfSemantics.SignExtend64(width, x)));
                Assert.True(ScalarBounds.ZeroExtend(width, a).Contains(x & Tnum.LowMask(width)));
            }

            foreach (int width in (int[])[8, 16])
                Assert.True(ScalarBounds.SignExtend32(width, a).Contains(BpfSemantics.SignExtend32(width, x)));
            foreach (int width in (int[])[16, 32, 64])
            {
                Assert.True(ScalarBounds.ByteSwap(width, a).Contains(BpfSemantics.ByteSwap(width, x)));
                foreach (bool isBig in (bool[])[false, true])
                {
                    Assert.True(ScalarBounds.ToBigEndian(width, a, isBig).Contains(BpfSemantics.ToBigEndian(width, x, isBig)));
                    Assert.True(ScalarBounds.ToLittleEndian(width, a, isBig).Contains(BpfSemantics.ToLittleEndian(width, x, isBig)));
                }
            }
        }
    }

    [Fact]
    public void Branches_keep_the_values_of_the_side_that_is_taken()
    {
        var random = new Random(3);
        for (int i = 0; i < Rounds; i++)
        {
            BpfJumpCode code = SmallWords.Conditions[random.Next(SmallWords.Conditions.Length)];
            bool is32 = random.Next(2) == 0;
            ulong x = Value(random), y = random.Next(4) == 0 ? x : Value(random);
            ScalarBounds a = Around(random, x), b = random.Next(2) == 0 ? ScalarBounds.Constant(y) : Around(random, y);
            bool taken = BpfSemantics.Compare(code, is32, x, y);
            BranchOutcome outcome = ScalarBranch.Outcome(code, is32, a, b);
            Assert.NotEqual(taken ? BranchOutcome.Never : BranchOutcome.Always, outcome);
            ScalarBounds refinedA = a, refinedB = b;
            Assert.True(ScalarBranch.Refine(code, is32, taken, ref refinedA, ref refinedB));
            Assert.True(refinedA.Contains(x) && refinedB.Contains(y), $"{x:x} {code} {y:x} ({taken}): {a} {b} gave {refinedA} {refinedB}");
            Assert.True(ScalarBounds.Covers(a, refinedA) && ScalarBounds.Covers(b, refinedB));
        }
    }

    [Fact]
    public void Closed_bounds_stay_as_they_are()
    {
        var random = new Random(4);
        for (int i = 0; i < Rounds / 4; i++)
        {
            ScalarBounds a = Around(random, Value(random));
            Assert.Equal(a, ScalarBounds.Close(a.Full, a.Half));
        }
    }

    [Fact]
    public void Joins_cover_both_and_widening_ends()
    {
        var random = new Random(5);
        var thresholds = new WideningThresholds([10, 64, 1500, 0x20000000]);
        int longest = 0;
        for (int i = 0; i < Rounds / 100; i++)
        {
            ScalarBounds header = Around(random, Value(random));
            int steps = 0;
            for (int arrivals = 0; arrivals < 400; arrivals++)
            {
                ScalarBounds next = Around(random, Value(random));
                ScalarBounds join = ScalarBounds.Join(header, next);
                Assert.True(ScalarBounds.Covers(join, header) && ScalarBounds.Covers(join, next));
                if (ScalarBounds.Covers(header, next))
                    continue;
                ScalarBounds wide = ScalarBounds.Widen(header, next, thresholds);
                Assert.True(ScalarBounds.Covers(wide, join));
                Assert.NotEqual(header, wide);
                header = wide;
                steps++;
                if (header.IsUnknown)
                    break;
            }

            longest = Math.Max(longest, steps);
        }

        output.WriteLine($"longest chain of widenings: {longest}");
        Assert.True(longest < 200);
    }

    [Fact]
    public void A_counting_loop_is_widened_to_its_bound()
    {
        var thresholds = new WideningThresholds([1000]);
        ScalarBounds header = ScalarBounds.Zero, limit = ScalarBounds.Constant(1000);
        int rounds = 0;
        while (true)
        {
            ScalarBounds body = header, bound = limit;
            Assert.True(ScalarBranch.Refine(BpfJumpCode.JLT, false, true, ref body, ref bound));
            ScalarBounds next = ScalarBounds.Alu64(BpfAluCode.ADD, body, ScalarBounds.Constant(1));
            if (ScalarBounds.Covers(header, next))
                break;
            header = ScalarBounds.Widen(header, next, thresholds);
            Assert.True(++rounds < 20);
        }

        Assert.Equal((0UL, 1000UL), (header.UMin, header.UMax));
    }

    private static ulong Value(Random random) => random.Next(4) switch
    {
        0 => Corners[random.Next(Corners.Length)],
        1 => unchecked(Corners[random.Next(Corners.Length)] + (ulong)random.Next(-20, 20)),
        2 => (ulong)random.NextInt64() << random.Next(2) >> random.Next(64),
        _ => unchecked((ulong)-(random.NextInt64() >> random.Next(64))),
    };

    private static ScalarBounds Around(Random random, ulong value)
    {
        ScalarBounds bounds = ScalarBounds.Unknown;
        for (int cuts = random.Next(4); cuts > 0; cuts--)
        {
            ulong other = Value(random);
            ScalarBounds cut = random.Next(6) switch
            {
                0 => ScalarBounds.FromUnsigned(Math.Min(value, other), Math.Max(value, other)),
                1 => ScalarBounds.FromSigned(Math.Min((long)value, (long)other), Math.Max((long)value, (long)other)),
                2 => ScalarBounds.FromKnown(new Tnum(value & ~other, other)),
                3 => ScalarBounds.FromUnsigned(value - Math.Min(value, 100), value + Math.Min(ulong.MaxValue - value, 28)),
                4 => Low32(bounds, value, other, false),
                _ => Low32(bounds, value, other, true),
            };
            bounds = ScalarBounds.Meet(bounds, cut);
        }

        Assert.True(bounds.Contains(value));
        return bounds;
    }

    private static ScalarBounds Low32(ScalarBounds bounds, ulong value, ulong other, bool isSigned)
    {
        ScalarBounds bound = ScalarBounds.Constant(other);
        BpfJumpCode code = isSigned ? BpfJumpCode.JSLE : BpfJumpCode.JLE;
        Assert.True(ScalarBranch.Refine(code, true, BpfSemantics.Compare(code, true, value, other), ref bounds, ref bound));
        return bounds;
    }
}
