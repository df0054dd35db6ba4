using BpfPpcc.Ir;
using BpfPpcc.Mir;
using BpfPpcc.Selection;
using Xunit;

namespace BpfPpcc.Tests.Selection;

/// <summary>What is selected for its latency rather than its length: reciprocals, multiples, addresses that a load adds by itself.</summary>
public sealed class LatencyTests
{
    private static readonly uint[] s_divisors =
    [
        3, 5, 6, 7, 9, 10, 11, 25, 48, 60, 100, 125, 255, 257, 625, 641, 1000, 1021, 32767, 32769, 65521, 65535, 65537, 1_000_000, 16_777_217,
        0x7fff_ffff, 0x8000_0001, 0xaaaa_aaab, 0xffff_fffe, 0xffff_ffff,
    ];

    [Fact]
    public void A_reciprocal_gives_the_quotient_of_every_dividend_that_it_is_for()
    {
        var random = new Random(11);
        int found = 0;
        foreach (uint divisor in s_divisors)
        {
            for (int bits = 1; bits <= 32; bits++)
            {
                if (!ReciprocalDivision.TryReciprocal(divisor, bits, out uint multiplier, out int shift))
                    continue;
                found++;
                ulong highest = (1UL << bits) - 1;
                for (int i = 0; i < 2000; i++)
                {
                    // The dividends at which the quotient steps are the ones at risk.
                    ulong multiple = divisor * (highest / divisor == 0 ? 0 : (ulong)random.NextInt64((long)(highest / divisor) + 1));
                    foreach (ulong dividend in (ReadOnlySpan<ulong>)[multiple, multiple - 1, multiple + divisor - 1, highest])
                    {
                        if (dividend <= highest)
                            Assert.Equal(dividend / divisor, dividend * multiplier >> 32 >> shift);
                    }
                }
            }
        }

        Assert.True(found > 600, $"{found} reciprocals");
    }

    [Fact]
    public void Divisions_by_constants_give_quotient_and_remainder_with_garbage_above()
    {
        foreach (uint divisor in s_divisors)
        {
            foreach (IrOpcode opcode in (IrOpcode[])[IrOpcode.UnsignedDivide, IrOpcode.UnsignedRemainder])
            {
                foreach (int bits in (int[])[8, 16, 32])
                {
                    IrFunction function = SelectionHarness.Build(builder =>
                    {
                        IrInstruction dividend = builder.Leaves.Argument(0);
                        if (bits < 32)
                            dividend = builder.ZeroExtend(bits, dividend);
                        builder.Return(builder.ZeroExtend(32, builder.Binary(opcode, 32, dividend, builder.Constant((int)divisor))));
                    });
                    MachineFunction selected = SelectionHarness.Select(function, SelectionHarness.Power9);
                    foreach (uint low in (uint[])[0, 1, divisor - 1, divisor, divisor + 1, (2 * divisor) - 1, 2 * divisor, 0x7fff_ffff, uint.MaxValue])
                        Assert.True(SelectionHarness.Compare(function, selected, [0xdead_beef_0000_0000 | low, 0, 0, 0, 0]));
                }
            }
        }
    }

    [Fact]
    public void A_remainder_is_a_multiplication_without_a_division() =>
        Assert.DoesNotContain("moduw", Print(Remainders(1)), StringComparison.Ordinal);

    [Fact]
    public void Many_remainders_outside_of_loops_are_divisions_but_for_a_few()
    {
        string text = Print(Remainders(10));
        Assert.Equal(6, text.Split("moduw").Length - 1);
        Assert.Equal(4, text.Split("mulhwu").Length - 1);
    }

    private static IrFunction Remainders(int count) => SelectionHarness.Build(builder =>
    {
        IrInstruction sum = builder.Leaves.Argument(0);
        for (int i = 0; i < count; i++)
            sum = builder.Binary(IrOpcode.UnsignedRemainder, 32, builder.Binary(IrOpcode.Add, 32, sum, builder.Leaves.Argument(1)), builder.Constant(65537));
        builder.Return(builder.ZeroExtend(32, sum));
    });

    private static string Print(IrFunction function) => SelectionHarness.Print(function, SelectionHarness.Power9);

    /// <summary>hash = hash * factor + byte [text + i], up to i = 20; the address is stored too.</summary>
    private static IrFunction HashLoop(int width, long factor) => SelectionHarness.Build(builder =>
    {
        IrBlock body = builder.AppendBlock(), exit = builder.AppendBlock();
        IrInstruction zero = builder.Constant(0);
        builder.Jump(body);
        builder.Block = body;
        IrInstruction i = builder.Phi(64, [zero, zero]);
        IrInstruction hash = builder.Phi(width, [zero, zero]);
        IrInstruction address = builder.Binary(IrOpcode.Add, 64, builder.Leaves.Argument(0), i);
        IrInstruction loaded = builder.Load(8, address, 0);
        builder.Store(64, builder.Leaves.StackAddress(-8), 0, address);
        IrInstruction product = builder.Binary(IrOpcode.Multiply, width, hash, builder.Constant(factor));
        IrInstruction next = builder.Binary(IrOpcode.Add, width, product, loaded);
        IrInstruction count = builder.Binary(IrOpcode.Add, 64, i, builder.Constant(1));
        builder.Branch(IrCondition.NotEqual, 64, count, builder.Leaves.Argument(1), body, exit);
        i.Operands = [zero, count];
        hash.Operands = [zero, next];
        builder.Block = exit;
        builder.Return(width == 64 ? next : builder.ZeroExtend(32, next));
    });

    [Theory]
    [InlineData(32, 33, true)]
    [InlineData(64, 33, true)]
    [InlineData(64, 5, true)]
    [InlineData(32, 65537, true)]
    [InlineData(64, 0x1_0000_0001, true)]
    [InlineData(32, 31, false)]
    [InlineData(32, 2, false)]
    public void A_multiple_of_what_goes_round_a_loop_is_a_shift(int width, long factor, bool isShift)
    {
        IrFunction function = HashLoop(width, factor);
        string text = Print(HashLoop(width, factor));
        if (factor != 2)
            Assert.Equal(isShift, !text.Contains("mul", StringComparison.Ordinal) && !text.Contains("maddld", StringComparison.Ordinal));
        MachineFunction selected = SelectionHarness.Select(HashLoop(width, factor), SelectionHarness.Power9);
        Assert.True(SelectionHarness.Compare(function, selected, [TestWorld.Scratch, 20, 0, 0, 0]));
    }

    [Fact]
    public void A_load_in_a_loop_does_not_wait_for_a_sum_that_others_want() =>
        Assert.Contains("lbzx", Print(HashLoop(32, 33)), StringComparison.Ordinal);

    [Theory]
    [InlineData(IrOpcode.Add, 7, 8)]
    [InlineData(IrOpcode.Multiply, 7, 100)]
    public void What_is_small_stays_small_and_is_not_extended(IrOpcode opcode, int mask, int constant)
    {
        IrFunction function = SelectionHarness.Build(builder => builder.Return(builder.ZeroExtend(32, builder.Binary(opcode, 32,
            builder.Binary(IrOpcode.And, 64, builder.Leaves.Argument(0), builder.Constant(mask)), builder.Constant(constant)))));
        Assert.DoesNotContain("0, 0, 31", Print(function), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(IrOpcode.Add, 0x7fff_ffff, 1)]
    [InlineData(IrOpcode.Add, 0xff, 0x7fff_ffff)]
    [InlineData(IrOpcode.Add, 1, -1)]
    [InlineData(IrOpcode.Multiply, 0xffff, 0x10000)]
    [InlineData(IrOpcode.Multiply, 0xffff, 0x8001)]
    public void What_may_reach_the_sign_of_the_word_is_extended(IrOpcode opcode, long mask, long constant)
    {
        IrFunction function = SelectionHarness.Build(builder => builder.Return(builder.ZeroExtend(32, builder.Binary(opcode, 32,
            builder.Binary(IrOpcode.And, 64, builder.Leaves.Argument(0), builder.Constant(mask)), builder.Constant(constant)))));
        MachineFunction selected = SelectionHarness.Select(function, SelectionHarness.Power9);
        foreach (ulong argument in (ulong[])[0, 1, 0x7fff_ffff, 0xffff_ffff, ulong.MaxValue])
            Assert.True(SelectionHarness.Compare(function, selected, [argument, 0, 0, 0, 0]));
    }
}
