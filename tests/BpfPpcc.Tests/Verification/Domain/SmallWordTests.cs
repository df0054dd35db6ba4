using BpfPpcc.Bpf;
using BpfPpcc.Verification.Domain;
using Xunit;

namespace BpfPpcc.Tests.Verification.Domain;

/// <summary>
/// Every operation and every condition on every pair of words of three bits, against all members of both: nothing is lost, and how often
/// the result is the best that the form can say.
/// </summary>
public sealed class SmallWordTests(ITestOutputHelper output)
{
    private const int Bits = 3;
    private static readonly WordBounds[] Words = SmallWords.AllWords(Bits);
    private static readonly ulong[] Sets = [.. Words.Select(static word => SmallWords.Members(word))];

    /// <summary>Least share of pairs, in per cent, whose result is the best: a drop is a loss of precision.</summary>
    [Theory]
    [InlineData(BpfAluCode.ADD, false, 86)]
    [InlineData(BpfAluCode.SUB, false, 86)]
    [InlineData(BpfAluCode.MUL, false, 50)]
    [InlineData(BpfAluCode.DIV, false, 50)]
    [InlineData(BpfAluCode.DIV, true, 45)]
    [InlineData(BpfAluCode.OR, false, 76)]
    [InlineData(BpfAluCode.AND, false, 76)]
    [InlineData(BpfAluCode.LSH, false, 60)]
    [InlineData(BpfAluCode.RSH, false, 34)]
    [InlineData(BpfAluCode.NEG, false, 94)]
    [InlineData(BpfAluCode.MOD, false, 27)]
    [InlineData(BpfAluCode.MOD, true, 67)]
    [InlineData(BpfAluCode.XOR, false, 71)]
    [InlineData(BpfAluCode.MOV, false, 100)]
    [InlineData(BpfAluCode.ARSH, false, 79)]
    public void Operations_keep_all_results(BpfAluCode code, bool isSigned, int leastBest)
    {
        int best = 0;
        for (int i = 0; i < Words.Length; i++)
        {
            for (int j = 0; j < Words.Length; j++)
            {
                WordBounds result = WordArithmetic.Apply(code, Words[i], Words[j], isSigned).Tightened().Tightened();
                ulong exact = Results(code, Sets[i], Sets[j], isSigned);
                Assert.True(
                    !result.IsEmpty && (exact & ~SmallWords.Members(result)) == 0, $"{Words[i]} {code} {Words[j]} = {result}, lost of {exact:x}");
                if (result == SmallWords.BestWord(Bits, exact))
                    best++;
            }
        }

        Report($"{(isSigned ? "S" : "")}{code}", best, Words.Length * Words.Length, leastBest);
    }

    [Fact]
    public void Tightening_loses_no_member_and_finds_contradictions()
    {
        int best = 0, total = 0;
        foreach (WordBounds raw in RawWords())
        {
            ulong members = SmallWords.Members(raw);
            WordBounds closed = raw.Tightened().Tightened().Tightened();
            Assert.Equal(members, SmallWords.Members(closed));
            Assert.Equal(closed, closed.Tightened());
            if (closed == SmallWords.BestWord(Bits, members))
                best++;
            total++;
        }

        Report("closing", best, total, 99);
    }

    [Fact]
    public void Best_words_are_closed()
    {
        foreach (WordBounds word in Words)
            Assert.Equal(word, word.Tightened());
    }

    [Fact]
    public void Meet_and_join_keep_all_members()
    {
        for (int i = 0; i < Words.Length; i++)
        {
            for (int j = 0; j < Words.Length; j++)
            {
                ulong common = Sets[i] & Sets[j];
                Assert.Equal(common, SmallWords.Members(WordBounds.Meet(Words[i], Words[j])));
                ulong union = Sets[i] | Sets[j];
                Assert.Equal(SmallWords.BestWord(Bits, union), WordBounds.Join(Words[i], Words[j]));
                if (Words[i].Covers(Words[j]))
                    Assert.Equal(0UL, Sets[j] & ~Sets[i]);
            }
        }
    }

    [Fact]
    public void Resizing_keeps_all_members()
    {
        for (int i = 0; i < Words.Length; i++)
        {
            WordBounds narrow = Words[i].Narrowed(2);
            WordBounds zero = Words[i].ZeroExtended(5);
            WordBounds sign = Words[i].SignExtended(5);
            for (ulong value = 0; value < 8; value++)
            {
                if ((Sets[i] >> (int)value & 1) == 0)
                    continue;
                Assert.True(narrow.Contains(value & 3), $"{Words[i]} narrowed: {narrow}");
                Assert.True(zero.Contains(value));
                Assert.True(sign.Contains((ulong)WordBounds.Signed(3, value) & 31));
            }
        }
    }

    [Fact]
    public void Arcs_have_the_values_counted()
    {
        for (ulong start = 0; start < 8; start++)
        {
            for (ulong length = 0; length < 10; length++)
            {
                ulong set = 0;
                for (ulong i = 0; i <= length; i++)
                    set |= 1UL << (int)((start + i) & 7);
                WordBounds arc = WordBounds.FromArc(Bits, start, length);
                Assert.Equal(0UL, set & ~SmallWords.Members(arc));
                Assert.Equal(SmallWords.BestWord(Bits, set), arc.Tightened());
            }
        }
    }

    private static ulong Results(BpfAluCode code, ulong a, ulong b, bool isSigned)
    {
        ulong results = 0;
        for (int x = 0; x < 8; x++)
        {
            for (int y = 0; y < 8; y++)
            {
                if ((a >> x & b >> y & 1) != 0)
                    results |= 1UL << (int)SmallWords.Apply(code, Bits, (ulong)x, (ulong)y, isSigned);
            }
        }

        return results;
    }

    /// <summary>All combinations of bits and two ranges, consistent or not.</summary>
    private static IEnumerable<WordBounds> RawWords()
    {
        foreach (Tnum known in SmallWords.AllTnums(Bits))
        {
            for (ulong umin = 0; umin < 8; umin++)
            {
                for (ulong umax = umin; umax < 8; umax++)
                {
                    for (long smin = -4; smin < 4; smin++)
                    {
                        for (long smax = smin; smax < 4; smax++)
                            yield return new WordBounds(Bits, known, umin, umax, smin, smax);
                    }
                }
            }
        }
    }

    private void Report(string name, int best, int total, int leastBest)
    {
        output.WriteLine($"{name}: {best} of {total} best ({100.0 * best / total:f2} %)");
        Assert.True(100L * best >= (long)leastBest * total, $"{name}: only {best} of {total} are the best");
    }
}
