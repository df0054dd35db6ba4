using BpfPpcc.Verification.Domain;
using Xunit;

namespace BpfPpcc.Tests.Verification.Domain;

/// <summary>Every operation on every tristate number of three or four bits against all members.</summary>
public sealed class TnumTests
{
    private static readonly Tnum[] Small = SmallWords.AllTnums(4);
    private static readonly Tnum[] Smaller = SmallWords.AllTnums(3);

    [Fact]
    public void Addition_is_the_best_possible() => CheckBinary(4, Tnum.Add, static (a, b) => a + b, leastBest: 1.0);

    [Fact]
    public void Subtraction_is_the_best_possible() => CheckBinary(4, Tnum.Subtract, static (a, b) => a - b, leastBest: 1.0);

    [Fact]
    public void And_or_and_xor_are_the_best_possible()
    {
        CheckBinary(4, Tnum.And, static (a, b) => a & b, leastBest: 1.0);
        CheckBinary(4, Tnum.Or, static (a, b) => a | b, leastBest: 1.0);
        CheckBinary(4, Tnum.Xor, static (a, b) => a ^ b, leastBest: 1.0);
    }

    [Fact]
    public void Multiplication_is_sound_and_nearly_the_best() => CheckBinary(4, Tnum.Multiply, static (a, b) => a * b, leastBest: 0.95);

    [Fact]
    public void Unary_operations_are_the_best_possible()
    {
        foreach (Tnum a in Small)
        {
            Assert.Equal(Best(a, static x => 0 - x, 4), Tnum.Negate(a).Truncate(4));
            Assert.Equal(Best(a, static x => ~x, 4), a.Not(4));
            Assert.Equal(Best(a, static x => x, 2), a.Truncate(2));
            Assert.Equal(Best(a, static x => (ulong)WordBounds.Signed(4, x), 6), a.SignExtend(4, 6));
            Assert.Equal(Best(a, static x => (ulong)WordBounds.Signed(2, x), 4), a.SignExtend(2, 4));
            for (int count = 0; count < 4; count++)
            {
                Assert.Equal(Best(a, x => x << count, 4), a.ShiftLeft(count).Truncate(4));
                Assert.Equal(Best(a, x => x >> count, 4), a.ShiftRight(count));
                Assert.Equal(Best(a, x => (ulong)(WordBounds.Signed(4, x) >> count), 4), a.ArithmeticShiftRight(count, 4));
            }

            for (ulong size = 1; size <= 8; size *= 2)
                Assert.Equal(Values(a, 4).All(x => x % size == 0), a.IsAligned(size));
        }
    }

    [Fact]
    public void Intersection_and_union_are_exact()
    {
        foreach (Tnum a in Smaller)
        {
            foreach (Tnum b in Smaller)
            {
                ulong[] common = [.. Values(a, 3).Intersect(Values(b, 3))];
                bool isPossible = Tnum.TryIntersect(a, b, out Tnum meet);
                Assert.Equal(common.Length != 0, isPossible);
                if (isPossible)
                    Assert.Equal(common, Values(meet, 3));
                Assert.Equal(Best(Values(a, 3).Concat(Values(b, 3)), 3), Tnum.Union(a, b));
                Assert.Equal(common.Length == Values(b, 3).Length, a.Contains(b));
            }
        }
    }

    [Fact]
    public void A_range_gives_its_common_leading_bits()
    {
        for (ulong min = 0; min < 16; min++)
        {
            for (ulong max = min; max < 16; max++)
            {
                Tnum range = Tnum.Range(min, max);
                for (ulong value = min; value <= max; value++)
                    Assert.True(range.Contains(value));
                Tnum best = Best(Enumerable.Range((int)min, (int)(max - min) + 1).Select(static x => (ulong)x), 4);
                Assert.Equal(best, range);
            }
        }

        Assert.Equal(Tnum.Unknown, Tnum.Range(0, ulong.MaxValue));
        Assert.Equal(Tnum.Unknown, Tnum.Range(1, 1UL << 63));
    }

    [Fact]
    public void The_nearest_members_of_a_bound_are_found()
    {
        foreach (Tnum a in Small)
        {
            for (ulong bound = 0; bound < 16; bound++)
            {
                ulong[] above = [.. Values(a, 4).Where(x => x >= bound)];
                ulong[] below = [.. Values(a, 4).Where(x => x <= bound)];
                Assert.Equal(above.Length != 0, a.TryLeastFrom(bound, 4, out ulong least));
                Assert.Equal(below.Length != 0, a.TryGreatestTo(bound, 4, out ulong greatest));
                if (above.Length != 0)
                    Assert.Equal(above.Min(), least);
                if (below.Length != 0)
                    Assert.Equal(below.Max(), greatest);
            }
        }
    }

    [Fact]
    public void Byte_swaps_move_what_is_known()
    {
        var a = new Tnum(0x1100_0000_0000_0022, 0x00ff_0000_0000_ff00);
        Assert.Equal(new Tnum(0x2200_0000_0000_0011, 0x00ff_0000_0000_ff00), a.ByteSwap(64));
        Assert.Equal(new Tnum(0x2200_0000, 0x00ff_0000), a.ByteSwap(32));
        Assert.Equal(new Tnum(0x2200, 0x00ff), a.ByteSwap(16));
    }

    [Fact]
    public void A_low_part_can_be_replaced()
    {
        var a = new Tnum(0xaaaa_0000, 0x0000_ffff);
        Assert.Equal(new Tnum(0xaaaa_1200, 0x0000_00ff), a.WithLow(16, new Tnum(0x1200, 0x00ff)));
        Assert.Equal(Tnum.Constant(5), a.WithLow(64, Tnum.Constant(5)));
    }

    private static void CheckBinary(int bits, Func<Tnum, Tnum, Tnum> operation, Func<ulong, ulong, ulong> concrete, double leastBest)
    {
        int best = 0, total = 0;
        foreach (Tnum a in Small)
        {
            ulong[] valuesOfA = Values(a, bits);
            foreach (Tnum b in Small)
            {
                Tnum result = operation(a, b).Truncate(bits);
                Tnum exact = Best(Values(b, bits).SelectMany(y => valuesOfA.Select(x => concrete(x, y))), bits);
                Assert.True(result.Contains(exact), $"{a} {b}: {result} lacks members of {exact}");
                Assert.Equal(0UL, result.Value & result.Mask);
                total++;
                if (result == exact)
                    best++;
            }
        }

        Assert.True(best >= leastBest * total, $"only {best} of {total} are the best");
    }

    private static Tnum Best(Tnum a, Func<ulong, ulong> concrete, int bits) => Best(Values(a, 4).Select(concrete), bits);

    private static Tnum Best(IEnumerable<ulong> values, int bits)
    {
        Tnum? best = null;
        foreach (ulong value in values)
        {
            Tnum constant = Tnum.Constant(value).Truncate(bits);
            best = best is { } known ? Tnum.Union(known, constant) : constant;
        }

        return best!.Value;
    }

    private static ulong[] Values(Tnum a, int bits)
    {
        var values = new List<ulong>();
        for (ulong value = 0; value <= Tnum.LowMask(bits); value++)
        {
            if (a.Contains(value))
                values.Add(value);
        }

        return [.. values];
    }
}
