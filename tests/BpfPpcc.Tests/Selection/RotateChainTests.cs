using BpfPpcc.Ir;
using BpfPpcc.Mir;
using Xunit;

namespace BpfPpcc.Tests.Selection;

/// <summary>Shifts, rotations, extensions and masks on top of one another, with every run of ones as the mask.</summary>
public sealed class RotateChainTests
{
    private static readonly int[] s_counts = [0, 1, 3, 8, 24, 31, 32, 33, 40, 56, 63];
    private static readonly ulong[] s_values = [0x5555_5555_aaaa_aaaa, 0xaaaa_aaab_5555_5555, 0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3211];

    [Theory]
    [InlineData(IrOpcode.ShiftLeft, 64)]
    [InlineData(IrOpcode.ShiftRightLogical, 64)]
    [InlineData(IrOpcode.RotateLeft, 64)]
    [InlineData(IrOpcode.ShiftLeft, 32)]
    [InlineData(IrOpcode.ShiftRightLogical, 32)]
    [InlineData(IrOpcode.RotateLeft, 32)]
    public void Chains(IrOpcode shift, int width)
    {
        foreach (int count in s_counts)
        {
            for (int lowest = 0; lowest < width; lowest += 3)
            {
                Check(builder => Observe(builder, lowest, width, Plain, shift, count, maskLast: true));
                Check(builder => Observe(builder, lowest, width, Word, shift, count, maskLast: true));
                Check(builder => Observe(builder, lowest, width, Plain, shift, count, maskLast: false));
                Check(builder => Observe(builder, lowest, width, Halfword, shift, count, maskLast: false));
            }
        }
    }

    private static IrInstruction Plain(IrBuilder builder, IrInstruction value) => value;

    private static IrInstruction Word(IrBuilder builder, IrInstruction value) => builder.ZeroExtend(32, value);

    private static IrInstruction Halfword(IrBuilder builder, IrInstruction value) => builder.ZeroExtend(16, value);

    /// <summary>Stores one chain for every run of ones from a lowest bit on.</summary>
    private static void Observe(IrBuilder builder, int lowest, int width, Func<IrBuilder, IrInstruction, IrInstruction> prepare,
        IrOpcode shift, int count, bool maskLast)
    {
        for (int highest = lowest; highest < width; highest++)
        {
            IrInstruction mask = builder.Constant((long)(ulong.MaxValue >> (63 - highest) >> lowest << lowest));
            IrInstruction value = prepare(builder, builder.Leaves.Argument(0));
            if (!maskLast)
                value = builder.Binary(IrOpcode.And, width, value, mask);
            value = builder.Binary(shift, width, value, builder.Constant(count));
            if (maskLast)
                value = builder.Binary(IrOpcode.And, width, value, mask);
            builder.Store(64, builder.Leaves.Argument(1), 8 * highest, width == 32 ? builder.ZeroExtend(32, value) : value);
        }

        builder.Return(builder.Constant(0));
    }

    private static void Check(Action<IrBuilder> body)
    {
        IrFunction function = SelectionHarness.Build(body);
        MachineFunction selected = SelectionHarness.Select(function);
        foreach (ulong value in s_values)
            Assert.True(SelectionHarness.Compare(function, selected, [value, TestWorld.Scratch, 0, 0, 0]));
    }

    [Theory]
    [InlineData(32)]
    [InlineData(64)]
    public void Counts_with_just_enough_and_too_many_bits(int width)
    {
        IrOpcode[] shifts = [IrOpcode.ShiftLeft, IrOpcode.ShiftRightLogical, IrOpcode.ShiftRightArithmetic, IrOpcode.RotateLeft];
        foreach (IrOpcode shift in shifts)
        {
            for (int countBits = 3; countBits < 10; countBits++)
            {
                IrFunction function = SelectionHarness.Build(builder =>
                {
                    IrInstruction unused = builder.Constant(64 - countBits);
                    IrInstruction count = builder.Binary(IrOpcode.ShiftRightLogical, 64, builder.Leaves.Argument(1), unused);
                    IrInstruction shifted = builder.Binary(shift, width, builder.Leaves.Argument(0), count);
                    builder.Return(width == 32 ? builder.ZeroExtend(32, shifted) : shifted);
                });
                MachineFunction selected = SelectionHarness.Select(function);
                for (ulong count = 0; count < 1024; count++)
                    SelectionHarness.Compare(function, selected, [0x8123_4567_89ab_cdef, count << 54, 0, 0, 0]);
            }
        }
    }
}
