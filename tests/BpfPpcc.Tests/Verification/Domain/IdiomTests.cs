using BpfPpcc.Bpf;
using BpfPpcc.Verification.Domain;
using Xunit;

namespace BpfPpcc.Tests.Verification.Domain;

/// <summary>What compilers make of common C code: the bounds that programs need to be accepted.</summary>
public sealed class IdiomTests
{
    [Fact]
    public void The_header_length_of_ip_is_at_most_60()
    {
        ScalarBounds length = ScalarBounds.Alu64(BpfAluCode.AND, ScalarBounds.U8, ScalarBounds.Constant(15));
        length = ScalarBounds.Alu64(BpfAluCode.LSH, length, ScalarBounds.Constant(2));
        Assert.Equal((0UL, 60UL), (length.UMin, length.UMax));
        Assert.True(length.IsAligned(4));
    }

    [Fact]
    public void Shifting_up_and_down_by_32_sign_extends_a_checked_low_half()
    {
        ScalarBounds value = ScalarBounds.Unknown;
        Cut(BpfJumpCode.JSGT, true, false, ref value, 100);
        Cut(BpfJumpCode.JSLT, true, false, ref value, unchecked((ulong)-3));
        value = ScalarBounds.Alu64(BpfAluCode.LSH, value, ScalarBounds.Constant(32));
        value = ScalarBounds.Alu64(BpfAluCode.ARSH, value, ScalarBounds.Constant(32));
        Assert.Equal((-3L, 100L), (value.SMin, value.SMax));
    }

    [Fact]
    public void Shifting_up_and_down_by_32_zero_extends_a_checked_low_half()
    {
        ScalarBounds value = ScalarBounds.Unknown;
        Cut(BpfJumpCode.JGT, true, false, ref value, 63);
        value = ScalarBounds.Alu64(BpfAluCode.LSH, value, ScalarBounds.Constant(32));
        value = ScalarBounds.Alu64(BpfAluCode.RSH, value, ScalarBounds.Constant(32));
        Assert.Equal((0UL, 63UL), (value.UMin, value.UMax));
    }

    [Fact]
    public void A_32_bit_check_holds_after_zero_extension()
    {
        ScalarBounds value = ScalarBounds.Unknown;
        Cut(BpfJumpCode.JGT, true, false, ref value, 4095);
        value = ScalarBounds.ZeroExtend(32, value);
        Assert.Equal((0UL, 4095UL), (value.UMin, value.UMax));
    }

    [Fact]
    public void A_signed_length_that_is_not_negative_is_an_unsigned_range()
    {
        ScalarBounds length = ScalarBounds.FromSigned(-4095, 512);
        Cut(BpfJumpCode.JSLT, false, false, ref length, 0);
        Assert.Equal((0UL, 512UL), (length.UMin, length.UMax));
        length = ScalarBounds.Unknown;
        Cut(BpfJumpCode.JSGT, false, true, ref length, unchecked((ulong)-1));
        Cut(BpfJumpCode.JSLE, false, true, ref length, 64);
        Assert.Equal((0UL, 64UL), (length.UMin, length.UMax));
    }

    [Fact]
    public void A_difference_of_two_bounded_values_is_a_signed_range()
    {
        ScalarBounds difference = ScalarBounds.Alu64(BpfAluCode.SUB, ScalarBounds.FromUnsigned(0, 100), ScalarBounds.FromUnsigned(0, 40));
        Assert.Equal((-40L, 100L), (difference.SMin, difference.SMax));
        ScalarBounds sum = ScalarBounds.Alu64(BpfAluCode.ADD, difference, ScalarBounds.Constant(40));
        Assert.Equal((0UL, 140UL), (sum.UMin, sum.UMax));
    }

    [Fact]
    public void Modulo_and_division_by_constants_bound_the_result()
    {
        ScalarBounds remainder = ScalarBounds.Alu64(BpfAluCode.MOD, ScalarBounds.Unknown, ScalarBounds.Constant(10));
        Assert.Equal((0UL, 9UL), (remainder.UMin, remainder.UMax));
        ScalarBounds quotient = ScalarBounds.Alu32(BpfAluCode.DIV, ScalarBounds.Unknown, ScalarBounds.Constant(1000));
        Assert.Equal(4294967UL, quotient.UMax);
        ScalarBounds signed = ScalarBounds.Alu64(BpfAluCode.MOD, ScalarBounds.Unknown, ScalarBounds.Constant(8), isSigned: true);
        Assert.Equal((-7L, 7L), (signed.SMin, signed.SMax));
    }

    [Fact]
    public void A_known_remainder_and_a_range_give_tight_ends()
    {
        ScalarBounds value = ScalarBounds.FromKnown(new Tnum(2, ~3UL));
        Cut(BpfJumpCode.JLT, false, true, ref value, 11);
        Assert.Equal((2UL, 10UL), (value.UMin, value.UMax));
        Cut(BpfJumpCode.JNE, false, true, ref value, 10);
        Assert.Equal(6UL, value.UMax);
    }

    [Fact]
    public void Equality_carries_all_views_over()
    {
        ScalarBounds a = ScalarBounds.FromUnsigned(3, 12), b = ScalarBounds.FromKnown(new Tnum(0, ~3UL));
        Assert.True(ScalarBranch.Refine(BpfJumpCode.JEQ, false, true, ref a, ref b));
        Assert.Equal((4UL, 12UL), (a.UMin, b.UMax));
        Assert.Equal(a, b);
    }

    [Fact]
    public void Sign_extending_loads_and_moves_give_signed_ranges()
    {
        ScalarBounds value = ScalarBounds.SignExtend64(8, ScalarBounds.Unknown);
        Assert.Equal((-128L, 127L), (value.SMin, value.SMax));
        value = ScalarBounds.SignExtend32(16, ScalarBounds.Unknown);
        Assert.Equal((-32768, 32767), (value.S32Min, value.S32Max));
        Assert.Equal((0UL, 0xffff_ffffUL), (value.UMin, value.UMax));
        Assert.Equal(100UL, ScalarBounds.SignExtend64(8, ScalarBounds.FromUnsigned(0, 100)).UMax);
    }

    [Fact]
    public void Network_order_of_a_16_bit_load_stays_16_bits()
    {
        Assert.Equal(65535UL, ScalarBounds.ToBigEndian(16, ScalarBounds.U16, false).UMax);
        Assert.Equal(0x0008UL, ScalarBounds.ToBigEndian(16, ScalarBounds.Constant(0x0800), false).ConstantValue);
        Assert.Equal(0x0800UL, ScalarBounds.ToBigEndian(16, ScalarBounds.Constant(0x0800), true).ConstantValue);
    }

    private static void Cut(BpfJumpCode code, bool is32, bool taken, ref ScalarBounds value, ulong bound)
    {
        ScalarBounds constant = ScalarBounds.Constant(bound);
        Assert.True(ScalarBranch.Refine(code, is32, taken, ref value, ref constant));
    }
}
