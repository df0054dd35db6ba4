using System.Numerics;
using Xunit;

namespace BpfPpcc.Tests.Optimization;

/// <summary>
/// The rule by which a remainder of words that is compared with 0 becomes a product and a comparison, at a width at which all numbers and all
/// divisors can be tried; and at 32 bits around the multiples.
/// </summary>
public sealed class DivisibilityTests
{
    [Fact]
    public void A_product_with_the_inverse_tells_multiples_of_every_byte_among_all_bytes()
    {
        for (uint divisor = 1; divisor < 256; divisor++)
        {
            for (uint number = 0; number < 256; number++)
                Assert.Equal(number % divisor == 0, IsMultiple(number, divisor, 8));
        }
    }

    [Fact]
    public void A_product_with_the_inverse_tells_multiples_of_words()
    {
        var random = new Random(7);
        for (int i = 0; i < 200_000; i++)
        {
            uint divisor = Math.Max(1, (uint)random.NextInt64(1L << 32) >> random.Next(32));
            uint multiple = unchecked((uint)random.NextInt64(1L << 32) / divisor * divisor);
            for (uint delta = 0; delta < 3; delta++)
            {
                uint number = unchecked(multiple + delta - 1);
                Assert.Equal(number % divisor == 0, IsMultiple(number, divisor, 32));
            }
        }
    }

    private static bool IsMultiple(uint number, uint divisor, int width)
    {
        uint all = uint.MaxValue >> (32 - width);
        int zeros = BitOperations.TrailingZeroCount(divisor);
        uint odd = divisor >> zeros;
        uint inverse = odd;
        for (int bits = 3; bits < width; bits *= 2)
            inverse = unchecked(inverse * (2 - (odd * inverse))) & all;
        uint product = unchecked(number * inverse) & all;
        uint rotated = ((product >> zeros) | (zeros == 0 ? 0 : product << (width - zeros))) & all;
        return rotated <= all / divisor;
    }
}
