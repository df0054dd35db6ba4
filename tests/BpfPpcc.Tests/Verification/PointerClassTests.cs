using BpfPpcc.Verification;
using Xunit;

namespace BpfPpcc.Tests.Verification;

public sealed class PointerClassTests
{
    /// <summary>Every kind, with equal and different indices and offsets.</summary>
    private static readonly PointerClass[] Samples =
    [
        PointerClass.None, PointerClass.Other, PointerClass.Mixed, PointerClass.Function(0), PointerClass.Function(1),
        .. Many(PointerKind.Context, 0, 1), .. Many(PointerKind.MaybeContext, 0, 1), .. Many(PointerKind.Frame, 0, 1),
        .. Many(PointerKind.MaybeFrame, -1, 0, 1).Where(value => value.Offset is >= -512 and <= 0),
    ];

    [Fact]
    public void A_join_is_the_same_in_either_order()
    {
        foreach (PointerClass a in Samples)
        {
            foreach (PointerClass b in Samples)
                Assert.Equal(PointerClass.Join(a, b), PointerClass.Join(b, a));
        }
    }

    /// <summary>What went into a join changes nothing when it comes again: the fixpoint ends.</summary>
    [Fact]
    public void A_join_lies_above_both_sides()
    {
        foreach (PointerClass a in Samples)
        {
            Assert.Equal(a, PointerClass.Join(a, a));
            foreach (PointerClass b in Samples)
            {
                PointerClass join = PointerClass.Join(a, b);
                Assert.Equal(join, PointerClass.Join(join, a));
                Assert.Equal(join, PointerClass.Join(join, b));
            }
        }
    }

    [Fact]
    public void A_value_rises_at_most_six_times()
    {
        var random = new Random(7);
        for (int round = 0; round < 20_000; round++)
        {
            PointerClass value = PointerClass.None;
            int rises = 0;
            for (int step = 0; step < 40; step++)
            {
                PointerClass next = PointerClass.Join(value, Samples[random.Next(Samples.Length)]);
                rises += next == value ? 0 : 1;
                value = next;
            }

            Assert.True(rises <= 6, $"{rises}");
        }
    }

    [Fact]
    public void Only_one_place_of_one_context_is_exact()
    {
        var context = PointerClass.Context(ContextFields.XdpMd);
        Assert.Equal(context, PointerClass.Join(context, PointerClass.None));
        Assert.Equal(PointerKind.MaybeContext, PointerClass.Join(context, PointerClass.Other).Kind);
        Assert.Equal(PointerKind.Mixed, PointerClass.Join(context, context.Plus(4)).Kind);
        Assert.Equal(PointerKind.Mixed, PointerClass.Join(context, PointerClass.Context(ContextFields.SkBuff)).Kind);
        Assert.Equal(PointerKind.Mixed, PointerClass.Join(context, PointerClass.Frame(0, -8)).Kind);
        Assert.Equal(PointerKind.Mixed, context.PlusUnknown().Kind);
        Assert.Equal(context, context.Plus(1000).Plus(-1000));
        Assert.Equal(PointerKind.Mixed, context.Plus(1L << 40).Kind);
    }

    private static IEnumerable<PointerClass> Many(PointerKind kind, params int[] indices) =>
        from index in indices
        from offset in (int[])[-520, -512, -16, -8, 0, 8]
        select new PointerClass(kind, index, offset);
}
