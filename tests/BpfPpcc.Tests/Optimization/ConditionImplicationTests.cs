using BpfPpcc.Ir;
using BpfPpcc.Optimization;
using BpfPpcc.Symbols;
using Xunit;

namespace BpfPpcc.Tests.Optimization;

/// <summary>What a condition says about another, against all values near the places where conditions change.</summary>
public sealed class ConditionImplicationTests
{
    private static readonly IrCondition[] s_conditions =
    [
        IrCondition.Equal, IrCondition.NotEqual, IrCondition.UnsignedLess, IrCondition.UnsignedLessOrEqual, IrCondition.UnsignedGreater,
        IrCondition.UnsignedGreaterOrEqual, IrCondition.SignedLess, IrCondition.SignedLessOrEqual, IrCondition.SignedGreater,
        IrCondition.SignedGreaterOrEqual, IrCondition.Test, IrCondition.TestZero,
    ];

    private static readonly long[] s_places = [0, 1, 5, int.MaxValue, int.MinValue, uint.MaxValue, -1, -22, long.MaxValue, long.MinValue];

    /// <summary>At widths 32 and 64, of constants.</summary>
    [Theory]
    [InlineData(32, 32)]
    [InlineData(64, 64)]
    [InlineData(64, 32)]
    [InlineData(32, 64)]
    public void Conditions_against_constants(int knownWidth, int askedWidth)
    {
        var function = new Values();
        long[] values = [.. s_places.SelectMany(static place => new[] { place - 1, place, place + 1 }).Distinct()];
        int decided = 0;
        foreach (IrCondition known in s_conditions)
        {
            foreach (IrCondition asked in s_conditions)
            {
                foreach (long left in s_places)
                {
                    foreach (long right in s_places)
                    {
                        bool? outcome = ConditionImplication.Decide(
                            new(known, knownWidth, function.X, function.Constant(left)),
                            new(asked, askedWidth, function.X, function.Constant(right)));
                        if (outcome is null)
                            continue;
                        decided++;
                        foreach (long value in values)
                        {
                            if (ConstantFolding.Compare(known, knownWidth, value, left))
                                Assert.Equal(outcome, ConstantFolding.Compare(asked, askedWidth, value, right));
                        }
                    }
                }
            }
        }

        Assert.True(decided > 100 || knownWidth < askedWidth, $"{decided}");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Conditions_between_the_same_values(bool isMirrored)
    {
        var function = new Values();
        foreach (IrCondition known in s_conditions)
        {
            foreach (IrCondition asked in s_conditions)
            {
                bool? outcome = ConditionImplication.Decide(
                    isMirrored ? new(known, 64, function.Y, function.X) : new(known, 64, function.X, function.Y),
                    new(asked, 64, function.X, function.Y));
                foreach (long x in s_places)
                {
                    foreach (long y in s_places)
                    {
                        bool holds = isMirrored ? ConstantFolding.Compare(known, 64, y, x) : ConstantFolding.Compare(known, 64, x, y);
                        if (holds && outcome is not null)
                            Assert.Equal(outcome, ConstantFolding.Compare(asked, 64, x, y));
                    }
                }
            }
        }

        Assert.True(ConditionImplication.Decide(
            new(IrCondition.UnsignedLess, 64, function.X, function.Y), new(IrCondition.NotEqual, 64, function.X, function.Y)));
        Assert.False(ConditionImplication.Decide(
            new(IrCondition.SignedLess, 64, function.Y, function.X), new(IrCondition.SignedLessOrEqual, 64, function.X, function.Y)));
    }

    [Fact]
    public void Conditions_of_other_values_say_nothing()
    {
        var function = new Values();
        Assert.Null(ConditionImplication.Decide(
            new(IrCondition.Equal, 64, function.X, function.Constant(1)), new(IrCondition.Equal, 64, function.Y, function.Constant(1))));
        Assert.Null(ConditionImplication.Decide(
            new(IrCondition.UnsignedLess, 32, function.X, function.Y), new(IrCondition.UnsignedLess, 64, function.X, function.Y)));
    }

    /// <summary>Two values of which nothing is known, and constants.</summary>
    private sealed class Values
    {
        private readonly IrLeaves _leaves;

        public Values()
        {
            var function = new IrFunction
            {
                Name = "f",
                FunctionIndex = 0,
                Kind = IrFunctionKind.Program,
                Symbol = SymbolId.None,
                IsCallableFromC = true,
                ReachesTailCall = false,
                IsBigEndian = false,
                StackSize = 0,
            };
            var builder = new IrBuilder(function);
            builder.Block = builder.AppendBlock();
            builder.Return(builder.Constant(0));
            _leaves = builder.Leaves;
        }

        public IrInstruction X => _leaves.Argument(0);

        public IrInstruction Y => _leaves.Argument(1);

        public IrInstruction Constant(long value) => _leaves.Constant(value);
    }
}
