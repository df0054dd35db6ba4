using BpfPpcc.Bpf;
using BpfPpcc.Verification.Domain;
using Xunit;

namespace BpfPpcc.Tests.Verification.Domain;

/// <summary>Mistakes that verifiers made with the bounds of scalars, each under the number it was published with.</summary>
public sealed class PitfallTests
{
    private const ulong AllOnes = ulong.MaxValue;

    [Fact]
    public void Cve_2017_16995_a_32_bit_move_of_minus_one_is_zero_extended()
    {
        ScalarBounds moved = ScalarBounds.Alu32(BpfAluCode.MOV, ScalarBounds.Unknown, ScalarBounds.Constant(AllOnes));
        Assert.Equal(0xffff_ffffUL, moved.ConstantValue);
        Assert.Equal(BranchOutcome.Always, ScalarBranch.Outcome(BpfJumpCode.JNE, false, moved, ScalarBounds.Constant(AllOnes)));
        Assert.Equal(BranchOutcome.Never, ScalarBranch.Outcome(BpfJumpCode.JNE, true, moved, ScalarBounds.Constant(AllOnes)));
    }

    [Fact]
    public void Cve_2018_18445_a_32_bit_right_shift_truncates_first()
    {
        // 0x1_0000_0002 >> 31 is 2 in 64 bits, and 0 in 32.
        ScalarBounds value = ScalarBounds.FromUnsigned(0x1_0000_0000, 0x1_0000_0002);
        ScalarBounds shifted = ScalarBounds.Alu32(BpfAluCode.RSH, value, ScalarBounds.Constant(31));
        Assert.Equal((0UL, 0UL), (shifted.UMin, shifted.UMax));
        ScalarBounds high = ScalarBounds.Alu32(BpfAluCode.RSH, ScalarBounds.Constant(0xffff_ffff_8000_0000), ScalarBounds.Constant(31));
        Assert.Equal(1UL, high.ConstantValue);
    }

    [Fact]
    public void Cve_2020_8835_a_32_bit_compare_says_nothing_about_the_upper_half()
    {
        ScalarBounds value = ScalarBounds.Unknown, one = ScalarBounds.Constant(1);
        Assert.True(ScalarBranch.Refine(BpfJumpCode.JLE, true, true, ref value, ref one));
        Assert.Equal((0U, 1U), (value.U32Min, value.U32Max));
        Assert.True(value.Contains(0x1234_5678_0000_0001));
        Assert.Equal(0UL, value.UMin);
        Assert.Equal(0xffff_ffff_0000_0001, value.UMax);
        Assert.Equal(BranchOutcome.Unknown, ScalarBranch.Outcome(BpfJumpCode.JLE, false, value, ScalarBounds.Constant(1)));
    }

    [Fact]
    public void Cve_2020_27194_a_32_bit_or_looks_at_32_bit_bounds()
    {
        // The 64-bit lower bound 0x1_0000_0001 says 1 about no low half but that of small ranges.
        ScalarBounds value = ScalarBounds.FromUnsigned(0x1_0000_0001, 0x6_0000_0000);
        ScalarBounds result = ScalarBounds.Alu32(BpfAluCode.OR, value, ScalarBounds.Zero);
        Assert.True(result.Contains(0) && result.Contains(uint.MaxValue));
    }

    [Theory]
    [InlineData(BpfAluCode.AND)]
    [InlineData(BpfAluCode.OR)]
    [InlineData(BpfAluCode.XOR)]
    public void Cve_2021_3490_bitwise_operations_on_known_low_halves_close_all_views(BpfAluCode code)
    {
        // Low halves known, upper halves not: the case in which the 32-bit bounds were left as they were.
        ScalarBounds a = ScalarBounds.FromKnown(new Tnum(1, 0xffff_ffff_0000_0000));
        ScalarBounds b = ScalarBounds.FromKnown(new Tnum(2, 0xffff_ffff_0000_0000));
        ScalarBounds result = ScalarBounds.Alu64(code, a, b);
        ulong low = BpfSemantics.Alu32(code, 1, 2);
        Assert.True(result.IsConstant32);
        Assert.Equal(((uint)low, (int)low), (result.U32Min, result.S32Min));
        Assert.Equal(low, ScalarBounds.Alu32(code, a, b).ConstantValue);
    }

    [Fact]
    public void Cve_2021_31440_32_bit_bounds_follow_from_64_bit_ones_only_if_they_do_not_wrap()
    {
        // umin 0x8000_0000_0000_0001 fits no u32; its low half must not become a bound.
        ScalarBounds value = ScalarBounds.FromUnsigned(1, 0xffff_ffff_0000_0000);
        Assert.Equal((0U, uint.MaxValue), (value.U32Min, value.U32Max));
        ScalarBounds bound = ScalarBounds.Constant(1);
        ScalarBounds other = ScalarBounds.Unknown;
        Assert.True(ScalarBranch.Refine(BpfJumpCode.JGT, false, true, ref other, ref bound));
        Assert.Equal(0U, other.U32Min);
    }

    [Fact]
    public void Cve_2021_3444_modulo_by_zero_leaves_the_dividend_and_32_bits_truncate_it()
    {
        ScalarBounds dividend = ScalarBounds.Constant(0x5_0000_0007);
        ScalarBounds divisor = ScalarBounds.FromUnsigned(0, 4);
        ScalarBounds result = ScalarBounds.Alu64(BpfAluCode.MOD, dividend, divisor);
        Assert.True(result.Contains(0x5_0000_0007));
        result = ScalarBounds.Alu32(BpfAluCode.MOD, dividend, ScalarBounds.Zero);
        Assert.Equal(7UL, result.ConstantValue);
        result = ScalarBounds.Alu32(BpfAluCode.MOD, dividend, divisor);
        Assert.True(result.Contains(7));
        Assert.Equal(7UL, result.UMax);
        Assert.Equal(0UL, ScalarBounds.Alu64(BpfAluCode.DIV, dividend, ScalarBounds.Zero).ConstantValue);
    }

    [Fact]
    public void Cve_2021_45402_a_32_bit_move_does_not_keep_signed_bounds()
    {
        ScalarBounds value = ScalarBounds.FromSigned(-5, -1);
        ScalarBounds moved = ScalarBounds.Alu32(BpfAluCode.MOV, ScalarBounds.Unknown, value);
        Assert.Equal((0xffff_fffbUL, 0xffff_ffffUL), (moved.UMin, moved.UMax));
        Assert.Equal((0xffff_fffbL, 0xffff_ffffL), (moved.SMin, moved.SMax));
        Assert.Equal((-5, -1), (moved.S32Min, moved.S32Max));
    }

    [Fact]
    public void Cve_2024_41003_a_contradicting_refinement_is_a_dead_side_and_spoils_no_operand()
    {
        ScalarBounds a = ScalarBounds.Constant(4), b = ScalarBounds.Constant(4);
        ScalarBounds left = a, right = b;
        Assert.False(ScalarBranch.Refine(BpfJumpCode.JNE, false, true, ref left, ref right));
        Assert.True(left.IsEmpty && right.IsEmpty);
        Assert.Equal(4UL, a.ConstantValue);
        left = ScalarBounds.FromKnown(new Tnum(0, ~1UL));
        right = ScalarBounds.Constant(3);
        Assert.False(ScalarBranch.Refine(BpfJumpCode.JEQ, false, true, ref left, ref right));
        left = ScalarBounds.FromUnsigned(5, 6);
        right = ScalarBounds.Constant(5);
        Assert.False(ScalarBranch.Refine(BpfJumpCode.JLT, false, true, ref left, ref right));
    }

    [Fact]
    public void A_variable_shift_takes_its_count_modulo_the_width()
    {
        ScalarBounds result = ScalarBounds.Alu64(BpfAluCode.RSH, ScalarBounds.Constant(256), ScalarBounds.FromUnsigned(0, 64));
        Assert.True(result.Contains(256) && result.Contains(0) && result.Contains(1));
        result = ScalarBounds.Alu32(BpfAluCode.LSH, ScalarBounds.Constant(1), ScalarBounds.Constant(33));
        Assert.Equal(2UL, result.ConstantValue);
    }

    [Fact]
    public void Jset_is_refined_on_both_sides_and_from_both_operands()
    {
        ScalarBounds flags = ScalarBounds.U8, mask = ScalarBounds.Constant(4);
        Assert.True(ScalarBranch.Refine(BpfJumpCode.JSET, false, true, ref flags, ref mask));
        Assert.Equal(4UL, flags.Known.Value);
        Assert.False(ScalarBranch.Refine(BpfJumpCode.JSET, false, false, ref flags, ref mask));
        flags = ScalarBounds.U8;
        mask = ScalarBounds.Constant(0xf0);
        Assert.True(ScalarBranch.Refine(BpfJumpCode.JSET, false, false, ref mask, ref flags));
        Assert.Equal(15UL, flags.UMax);
        Assert.Equal(BranchOutcome.Never, ScalarBranch.Outcome(BpfJumpCode.JSET, false, flags, mask));
    }
}
