using BpfPpcc.Bpf;
using BpfPpcc.Verification.Domain;
using Xunit;

namespace BpfPpcc.Tests.Verification.Domain;

/// <summary>
/// Whole scalars, with a low half, of two bits (all pairs) and of four bits (all unary, a sample of the pairs), against all members.
/// </summary>
public sealed class SmallScalarTests(ITestOutputHelper output)
{
    private const int SamplePairs = 12_000;
    private static readonly ScalarBounds[] TwoBits = All(2);
    private static readonly ScalarBounds[] FourBits = All(4);

    public static TheoryData<BpfAluCode, bool> Operations()
    {
        var data = new TheoryData<BpfAluCode, bool>();
        foreach (BpfAluCode code in SmallWords.Operations)
        {
            data.Add(code, false);
            if (code is BpfAluCode.DIV or BpfAluCode.MOD)
                data.Add(code, true);
        }

        return data;
    }

    public static TheoryData<BpfJumpCode> Conditions() => [.. SmallWords.Conditions];

    [Theory]
    [MemberData(nameof(Operations))]
    public void Full_width_operations_keep_all_results(BpfAluCode code, bool isSigned) => CheckOperation(code, isSigned, is32: false);

    [Theory]
    [MemberData(nameof(Operations))]
    public void Half_width_operations_keep_all_results(BpfAluCode code, bool isSigned) => CheckOperation(code, isSigned, is32: true);

    [Theory]
    [MemberData(nameof(Conditions))]
    public void Full_width_conditions_refine_both_sides_soundly(BpfJumpCode code) => CheckCondition(code, is32: false);

    [Theory]
    [MemberData(nameof(Conditions))]
    public void Half_width_conditions_refine_both_sides_soundly(BpfJumpCode code) => CheckCondition(code, is32: true);

    [Fact]
    public void Closing_loses_no_member_finds_contradictions_and_is_idempotent()
    {
        var random = new Random(11);
        int best = 0, total = 0;
        Tnum[] tnums = SmallWords.AllTnums(4);
        for (int i = 0; i < 60_000; i++)
        {
            var full = RandomWord(random, 4, tnums[random.Next(tnums.Length)]);
            var half = RandomWord(random, 2, Tnum.UnknownOf(2));
            ulong members = 0;
            for (ulong value = 0; value < 16; value++)
            {
                if (full.Contains(value) && half.Contains(value & 3))
                    members |= 1UL << (int)value;
            }

            ScalarBounds closed = ScalarBounds.Close(full, half);
            Assert.Equal(members, SmallWords.Members(4, closed));
            if (closed.IsEmpty)
                continue;
            Assert.Equal(closed, ScalarBounds.Close(closed.Full, closed.Half));
            total++;
            if (closed == SmallWords.BestBounds(4, members))
                best++;
        }

        Report("closing", best, total, 95);
    }

    [Fact]
    public void Extensions_keep_all_members()
    {
        foreach (ScalarBounds a in FourBits)
        {
            ulong set = SmallWords.Members(4, a);
            for (int width = 1; width < 4; width++)
            {
                ScalarBounds sign = ScalarBounds.SignExtend64(width, a);
                ScalarBounds zero = ScalarBounds.ZeroExtend(width, a);
                for (ulong value = 0; value < 16; value++)
                {
                    if ((set >> (int)value & 1) == 0)
                        continue;
                    Assert.True(sign.Contains((ulong)WordBounds.Signed(width, value) & 15), $"{a} sign-extended from {width}: {sign}");
                    Assert.True(zero.Contains(value & Tnum.LowMask(width)), $"{a} zero-extended from {width}: {zero}");
                    if (width == 1)
                        Assert.True(ScalarBounds.SignExtend32(width, a).Contains((ulong)WordBounds.Signed(width, value) & 3));
                }
            }
        }
    }

    [Fact]
    public void Meet_join_and_cover_agree_with_sets()
    {
        foreach ((ScalarBounds a, ScalarBounds b) in Pairs(4))
        {
            ulong setA = SmallWords.Members(4, a), setB = SmallWords.Members(4, b);
            Assert.Equal(setA & setB, SmallWords.Members(4, ScalarBounds.Meet(a, b)));
            ScalarBounds join = ScalarBounds.Join(a, b);
            Assert.Equal(0UL, (setA | setB) & ~SmallWords.Members(4, join));
            Assert.True(ScalarBounds.Covers(join, a) && ScalarBounds.Covers(join, b));
            if (ScalarBounds.Covers(a, b))
                Assert.Equal(0UL, setB & ~setA);
        }
    }

    [Fact]
    public void Larger_operands_give_larger_results()
    {
        int broken = 0, total = 0;
        foreach ((ScalarBounds a, ScalarBounds b) in Pairs(4).Take(4_000))
        {
            ScalarBounds larger = ScalarBounds.Join(a, b);
            foreach (BpfAluCode code in SmallWords.Operations)
            {
                ScalarBounds small = ScalarBounds.Alu64(code, a, b);
                ScalarBounds large = ScalarBounds.Alu64(code, larger, b);
                total++;
                if (!ScalarBounds.Covers(large, small))
                    broken++;
            }
        }

        output.WriteLine($"not monotonic: {broken} of {total}");
        Assert.True(broken * 1000L <= total, $"{broken} of {total} are not monotonic");
    }

    private void CheckOperation(BpfAluCode code, bool isSigned, bool is32)
    {
        int best = 0, total = 0;
        foreach (int bits in (int[])[2, 4])
        {
            foreach ((ScalarBounds a, ScalarBounds b) in Pairs(bits))
            {
                ScalarBounds result = is32 ? ScalarBounds.Alu32(code, a, b, isSigned) : ScalarBounds.Alu64(code, a, b, isSigned);
                ulong exact = Results(code, is32 ? bits / 2 : bits, SmallWords.Members(bits, a), SmallWords.Members(bits, b), isSigned, bits);
                Assert.True((exact & ~SmallWords.Members(bits, result)) == 0, $"{a} {code} {b} = {result}, lost of {exact:x}");
                total++;
                if (result == SmallWords.BestBounds(bits, exact))
                    best++;
            }
        }

        Report($"{(isSigned ? "S" : "")}{code}{(is32 ? "32" : "64")}", best, total, 15);
    }

    private void CheckCondition(BpfJumpCode code, bool is32)
    {
        int best = 0, decided = 0, decidable = 0, total = 0;
        foreach (int bits in (int[])[2, 4])
        {
            int width = is32 ? bits / 2 : bits;
            foreach ((ScalarBounds a, ScalarBounds b) in Pairs(bits))
            {
                ulong setA = SmallWords.Members(bits, a), setB = SmallWords.Members(bits, b);
                (ulong takenA, ulong takenB) = Sides(code, width, bits, setA, setB, taken: true);
                (ulong otherA, ulong otherB) = Sides(code, width, bits, setA, setB, taken: false);
                BranchOutcome outcome = ScalarBranch.Outcome(code, is32, a, b);
                Assert.False(outcome == BranchOutcome.Always && otherA != 0, $"{a} {code} {b} is not always taken");
                Assert.False(outcome == BranchOutcome.Never && takenA != 0, $"{a} {code} {b} may be taken");
                decidable += takenA == 0 || otherA == 0 ? 1 : 0;
                bool isDecided = outcome != BranchOutcome.Unknown;
                isDecided |= !CheckSide(code, is32, true, bits, a, b, takenA, takenB, ref best);
                isDecided |= !CheckSide(code, is32, false, bits, a, b, otherA, otherB, ref best);
                decided += isDecided ? 1 : 0;
                total += 2;
            }
        }

        output.WriteLine($"{code}: {decided} of {decidable} constant outcomes found");
        Report($"{code}{(is32 ? "32" : "64")}", best, total, 65);
    }

    /// <summary>Whether the side is alive.</summary>
    private static bool CheckSide(
        BpfJumpCode code, bool is32, bool taken, int bits, ScalarBounds a, ScalarBounds b, ulong exactA, ulong exactB, ref int best)
    {
        ScalarBounds refinedA = a, refinedB = b;
        bool isAlive = ScalarBranch.Refine(code, is32, taken, ref refinedA, ref refinedB);
        Assert.True((exactA & ~SmallWords.Members(bits, refinedA)) == 0, $"{a} {code} {b} {taken}: left {refinedA}");
        Assert.True((exactB & ~SmallWords.Members(bits, refinedB)) == 0, $"{a} {code} {b} {taken}: right {refinedB}");
        Assert.Equal(isAlive, !refinedA.IsEmpty);
        Assert.Equal(isAlive, !refinedB.IsEmpty);
        if (isAlive)
            Assert.True(ScalarBounds.Covers(a, refinedA) && ScalarBounds.Covers(b, refinedB));
        if (refinedA == SmallWords.BestBounds(bits, exactA) && refinedB == SmallWords.BestBounds(bits, exactB))
            best++;
        return isAlive;
    }

    private static (ulong A, ulong B) Sides(BpfJumpCode code, int width, int bits, ulong setA, ulong setB, bool taken)
    {
        ulong a = 0, b = 0;
        for (int x = 0; x < 1 << bits; x++)
        {
            for (int y = 0; y < 1 << bits; y++)
            {
                if ((setA >> x & setB >> y & 1) == 0 || SmallWords.Compare(code, width, (ulong)x, (ulong)y) != taken)
                    continue;
                a |= 1UL << x;
                b |= 1UL << y;
            }
        }

        return (a, b);
    }

    private static ulong Results(BpfAluCode code, int width, ulong setA, ulong setB, bool isSigned, int bits)
    {
        ulong results = 0;
        for (int x = 0; x < 1 << bits; x++)
        {
            for (int y = 0; y < 1 << bits; y++)
            {
                if ((setA >> x & setB >> y & 1) != 0)
                    results |= 1UL << (int)SmallWords.Apply(code, width, (ulong)x, (ulong)y, isSigned);
            }
        }

        return results;
    }

    private static ScalarBounds[] All(int bits)
    {
        var all = new HashSet<ScalarBounds>();
        for (ulong set = 1; set < 1UL << (1 << bits); set++)
            all.Add(SmallWords.BestBounds(bits, set));
        return [.. all];
    }

    private static IEnumerable<(ScalarBounds A, ScalarBounds B)> Pairs(int bits)
    {
        if (bits == 2)
        {
            foreach (ScalarBounds a in TwoBits)
            {
                foreach (ScalarBounds b in TwoBits)
                    yield return (a, b);
            }

            yield break;
        }

        var random = new Random(7);
        for (int i = 0; i < SamplePairs; i++)
        {
            ScalarBounds b = i % 3 == 0 ? ScalarBounds.ConstantOf(4, (ulong)random.Next(16)) : FourBits[random.Next(FourBits.Length)];
            yield return (FourBits[random.Next(FourBits.Length)], b);
        }
    }

    private static WordBounds RandomWord(Random random, int bits, Tnum known)
    {
        int count = 1 << bits;
        int umin = random.Next(count), umax = random.Next(umin, count);
        int smin = random.Next(count) - count / 2, smax = random.Next(smin, count / 2);
        return new WordBounds(bits, known, (ulong)umin, (ulong)umax, smin, smax);
    }

    private void Report(string name, int best, int total, int leastBest)
    {
        output.WriteLine($"{name}: {best} of {total} best ({100.0 * best / total:f2} %)");
        Assert.True(100L * best >= (long)leastBest * total, $"{name}: only {best} of {total} are the best");
    }
}
