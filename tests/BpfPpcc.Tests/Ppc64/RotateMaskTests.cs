using BpfPpcc.Ppc64;
using Xunit;

namespace BpfPpcc.Tests.Ppc64;

public sealed class RotateMaskTests
{
    [Fact]
    public void Masks_are_ones_from_begin_to_end_in_the_manuals_bit_numbers()
    {
        for (int begin = 0; begin < 64; begin++)
        {
            for (int end = 0; end < 64; end++)
            {
                ulong expected = 0;
                for (int bit = begin; ; bit = (bit + 1) % 64)
                {
                    expected |= 1ul << (63 - bit);
                    if (bit == end) break;
                }
                Assert.Equal(expected, RotateMask.Mask64(begin, end));
                if (begin >= 32 && end >= 32) Assert.Equal(RotateMask.Mask32(begin - 32, end - 32), (uint)RotateMask.Mask64(begin, end));
            }
        }
    }

    [Fact]
    public void Every_mask_of_a_word_is_recognised_with_its_bounds()
    {
        for (int begin = 0; begin < 32; begin++)
        {
            for (int end = 0; end < 32; end++)
            {
                uint mask = RotateMask.Mask32(begin, end);
                Assert.True(RotateMask.TryWord(mask, out int foundBegin, out int foundEnd));
                (int, int) expected = mask == uint.MaxValue ? (0, 31) : (begin, end);
                Assert.Equal(expected, (foundBegin, foundEnd));
            }
        }
    }

    [Fact]
    public void Every_mask_of_a_doubleword_is_recognised_with_its_bounds()
    {
        for (int begin = 0; begin < 64; begin++)
        {
            for (int end = begin; end < 64; end++)
            {
                ulong mask = RotateMask.Mask64(begin, end);
                Assert.True(RotateMask.TryRun(mask, out int foundBegin, out int foundEnd));
                Assert.Equal((begin, end), (foundBegin, foundEnd));
                Assert.Equal(end == 63, RotateMask.TryClearLeft(mask, out _));
                Assert.Equal(begin == 0, RotateMask.TryClearRight(mask, out _));
                Assert.True(RotateMask.TryClearBoth(mask, 63 - end, out int cleared));
                Assert.Equal(begin, cleared);
                Assert.False(RotateMask.TryClearBoth(mask, 64 - end, out _));
            }
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(0xf00f00f0)]
    public void Other_masks_are_refused(long mask)
    {
        Assert.False(RotateMask.TryWord((uint)mask, out _, out _));
        Assert.False(RotateMask.TryRun((ulong)mask, out _, out _));
    }
}
