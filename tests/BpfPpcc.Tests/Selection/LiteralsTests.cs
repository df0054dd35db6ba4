using BpfPpcc.Mir;
using BpfPpcc.Selection;
using BpfPpcc.Tests.RegisterAllocation;
using Xunit;

namespace BpfPpcc.Tests.Selection;

public sealed class LiteralsTests
{
    private static MachinePseudo PlaceOf(long constant, bool needsToc)
    {
        var builder = new FunctionBuilder();
        builder.Return(builder.Constant(constant));
        builder.Function.NeedsToc = needsToc;
        Literals.MoveToToc(builder.Function);
        MachineInstruction definition = builder.Function.Blocks[0].Instructions[0];
        Assert.Equal(constant, definition.Operands[1].Value);
        return definition.Pseudo;
    }

    [Theory]
    [InlineData(0x1234_5678_9abc_def0)]
    [InlineData(0x6f6c_6c65_4820_2121)]
    [InlineData(0x7fff_1234_5678_0001)]
    public void Constants_of_four_instructions_and_more_are_loaded(long constant) =>
        Assert.Equal(MachinePseudo.LoadLiteral, PlaceOf(constant, needsToc: true));

    [Theory]
    [InlineData(0)]
    [InlineData(0x1234_5678)]
    [InlineData(0x1234_5678_0000_0000)]
    [InlineData(0x0000_ffff_ffff_ffff)]
    [InlineData(0x1234_5678_1234_5678)]
    public void Shorter_ones_are_computed(long constant) => Assert.Equal(MachinePseudo.LoadImmediate, PlaceOf(constant, needsToc: true));

    [Fact]
    public void Functions_that_do_not_set_up_the_toc_compute_all() =>
        Assert.Equal(MachinePseudo.LoadImmediate, PlaceOf(0x1234_5678_9abc_def0, needsToc: false));
}
