using BpfPpcc.Ir;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using Xunit;

namespace BpfPpcc.Tests.Selection;

/// <summary>Loops on CTR, addresses that step, values that are extended late, constants made before a loop: shape and meaning.</summary>
public sealed class LoopTests
{
    private static readonly IrCondition[] Conditions =
    [
        IrCondition.Equal, IrCondition.NotEqual, IrCondition.UnsignedLess, IrCondition.UnsignedLessOrEqual, IrCondition.UnsignedGreater,
        IrCondition.UnsignedGreaterOrEqual, IrCondition.SignedLess, IrCondition.SignedLessOrEqual, IrCondition.SignedGreater,
        IrCondition.SignedGreaterOrEqual, IrCondition.Test, IrCondition.TestZero,
    ];

    /// <summary>What a test loop does with its induction variable besides counting.</summary>
    private sealed record Shape(
        int Width,
        int CompareWidth,
        long Initial,
        long Step,
        long Limit,
        IrCondition Condition,
        bool ComparesNext,
        bool StaysIfTrue,
        int Body);

    /// <summary>
    /// entry -> header (phi i, phi sum; perhaps an early exit) -> latch -> header or exit. The exit returns the sum, perhaps with i.
    /// </summary>
    private static IrFunction MakeLoop(Shape shape, bool isInitialArgument = false) => SelectionHarness.Build(builder =>
    {
        IrBlock header = builder.AppendBlock(), latch = builder.AppendBlock(), exit = builder.AppendBlock();
        IrInstruction initial = isInitialArgument ? builder.Leaves.Argument(1) : builder.Constant(shape.Initial);
        IrInstruction scratch = builder.Leaves.Argument(0);
        builder.Jump(header);
        builder.Block = header;
        IrInstruction i = builder.Phi(64, [initial, initial]);
        IrInstruction sum = builder.Phi(64, [builder.Constant(7), builder.Constant(7)]);
        IrInstruction address = builder.Binary(IrOpcode.Add, 64, scratch, i);
        if (shape.Body == 1)
        {
            IrInstruction end = builder.Binary(IrOpcode.Add, 64, address, builder.Constant(8));
            builder.Branch(IrCondition.UnsignedGreater, 64, end, builder.Leaves.Argument(2), exit, latch);
        }
        else
        {
            builder.Jump(latch);
        }

        builder.Block = latch;
        IrInstruction added = shape.Body switch
        {
            0 => builder.ZeroExtend(32, builder.Binary(IrOpcode.Add, 32, sum, i)),
            1 => builder.Binary(IrOpcode.Xor, 64, sum, builder.Load(32, address, 4)),
            2 => builder.Binary(IrOpcode.Add, 64, sum, builder.Load(64, address, 0)),
            _ => builder.ZeroExtend(32, builder.Binary(IrOpcode.Multiply, 32, sum, builder.Constant(0x12345))),
        };
        IrInstruction next = shape.Width == 64
            ? builder.Binary(IrOpcode.Add, 64, i, builder.Constant(shape.Step))
            : builder.ZeroExtend(32, builder.Binary(IrOpcode.Add, 32, i, builder.Constant(shape.Step)));
        IrInstruction compared = shape.ComparesNext ? next : i;
        builder.Branch(shape.Condition, shape.CompareWidth, compared, builder.Constant(shape.Limit),
            shape.StaysIfTrue ? header : exit, shape.StaysIfTrue ? exit : header);
        i.Operands = [initial, next];
        sum.Operands = [sum.Operands[0], added];
        builder.Block = exit;
        if (shape.Body == 1)
            builder.Return(builder.Phi(64, [sum, added]));
        else
            builder.Return(shape.Body == 3 ? builder.Binary(IrOpcode.Or, 64, added, next) : added);
    });

    private static bool IsCounted(MachineFunction function) =>
        function.Blocks.Exists(static block => block.Terminator.Pseudo == MachinePseudo.BranchOnCount);

    [Fact]
    public void Counted_loops_run_as_often_as_their_comparison_says()
    {
        var random = new Random(5);
        int counted = 0;
        long[] numbers =
        [
            0, 1, 2, 3, 5, 8, 16, 20, -1, -2, -3, -9, 100, 255, 256, 0x7fffffff, 0x80000000, 0xffffffff, long.MaxValue, long.MinValue,
        ];
        for (int number = 0; number < 20000; number++)
        {
            int width = random.Next(2) == 0 ? 32 : 64;
            long initial = numbers[random.Next(numbers.Length)];
            if (width == 32)
                initial = (uint)initial;
            long step = random.Next(-3, 9);
            long near = initial + (step * random.Next(-2, 40)) + random.Next(2);
            long limit = random.Next(3) == 0 ? numbers[random.Next(numbers.Length)] : near;
            int compareWidth = random.Next(3) == 0 ? 96 - width : width;
            IrCondition condition = Conditions[random.Next(Conditions.Length)];
            var shape = new Shape(width, compareWidth, initial, step, limit, condition,
                random.Next(2) == 0, random.Next(2) == 0, random.Next(4));
            IrFunction function = MakeLoop(shape);
            MachineFunction selected = SelectionHarness.Select(function, SelectionHarness.Power9);
            Assert.Empty(IrChecker.Check(function));
            ulong end = TestWorld.Scratch + (ulong)random.Next(600);
            if (SelectionHarness.Compare(MakeLoop(shape), selected, [TestWorld.Scratch, 0, end, 0, 0]) && IsCounted(selected))
                counted++;
        }

        Assert.True(counted > 1000, $"{counted} counted loops ended");
    }

    [Theory]
    [InlineData(1UL)]
    [InlineData(2UL)]
    [InlineData(40UL)]
    public void A_loop_down_to_zero_runs_on_a_count_known_at_run_time(ulong initial)
    {
        var shape = new Shape(64, 64, 0, -1, 0, IrCondition.NotEqual, true, true, 2);
        MachineFunction selected = SelectionHarness.Select(MakeLoop(shape, isInitialArgument: true));
        Assert.True(IsCounted(selected));
        Assert.True(SelectionHarness.Compare(MakeLoop(shape, isInitialArgument: true), selected, [TestWorld.Scratch, initial, 0, 0, 0]));
    }

    [Fact]
    public void A_loop_of_constant_length_runs_on_the_count_and_steps_its_address()
    {
        IrFunction function = MakeLoop(new Shape(64, 64, 0, 4, 256, IrCondition.NotEqual, true, true, 1));
        string text = string.Join('\n', SelectionHarness.Print(function).Replace(": frequency 10", ":", StringComparison.Ordinal)
            .Split('\n', StringSplitOptions.TrimEntries));
        Assert.Equal(ShapeText.Renumber("""
            b0:
            arguments %v0:r3, %v1:r5
            addi %v3, %v0, 8
            load-immediate %v2, 64
            load-immediate %v4, 7
            set-count %v2
            jump b1(%v3, %v4)
            b1(%v5, %v6):
            cmpld cr0, %v5, %v1
            branch cr0.gt set, b2, b3
            b2:
            jump b6(%v6)
            b3:
            lwz %v7, -4(%v5)
            xor %v8, %v6, %v7
            addi %v9, %v5, 4
            branch-on-count b5, b6
            """.ReplaceLineEndings("\n")), ShapeText.Renumber(text[..Math.Max(0, text.IndexOf("branch-on-count", StringComparison.Ordinal))]
            + "branch-on-count b5, b6"));
    }

    [Fact]
    public void A_word_that_goes_round_a_loop_is_extended_behind_it()
    {
        IrFunction function = MakeLoop(new Shape(64, 64, 0, 1, 20, IrCondition.NotEqual, true, true, 0));
        MachineFunction selected = SelectionHarness.Select(function);
        foreach (MachineBlock block in selected.Blocks)
        {
            bool extends = block.Instructions.Exists(static instruction =>
                instruction.Pseudo == MachinePseudo.None && instruction.Opcode == Ppc64Opcode.Rlwinm);
            Assert.Equal(block.Terminator.Pseudo == MachinePseudo.Return, extends);
        }
    }

    [Fact]
    public void A_loop_with_a_call_keeps_its_comparison()
    {
        IrFunction function = SelectionHarness.Build(builder =>
        {
            IrBlock loop = builder.AppendBlock(), exit = builder.AppendBlock();
            builder.Jump(loop);
            builder.Block = loop;
            IrInstruction i = builder.Phi(64, [builder.Constant(0), builder.Constant(0)]);
            builder.CallExtern(SelectionHarness.Helper, []);
            IrInstruction next = builder.Binary(IrOpcode.Add, 64, i, builder.Constant(1));
            builder.Branch(IrCondition.NotEqual, 64, next, builder.Constant(100), loop, exit);
            i.Operands = [i.Operands[0], next];
            builder.Block = exit;
            builder.Return(builder.Constant(0));
        });
        Assert.False(IsCounted(SelectionHarness.Select(function)));
    }

    [Fact]
    public void A_constant_of_a_loop_is_made_before_it()
    {
        IrFunction function = SelectionHarness.Build(builder =>
        {
            IrBlock loop = builder.AppendBlock(), exit = builder.AppendBlock();
            builder.Jump(loop);
            builder.Block = loop;
            IrInstruction i = builder.Phi(64, [builder.Leaves.Argument(0), builder.Constant(0)]);
            IrInstruction next = builder.Binary(IrOpcode.Add, 64, i, builder.Constant(0x1_0000_0000_0000));
            builder.Store(64, builder.Leaves.StackAddress(-16), 0, builder.Constant(0));
            builder.Branch(IrCondition.SignedGreater, 64, next, builder.Leaves.Argument(1), loop, exit);
            i.Operands = [i.Operands[0], next];
            builder.Block = exit;
            builder.Return(next);
        });
        MachineFunction selected = SelectionHarness.Select(function);
        foreach (MachineBlock block in selected.Blocks)
        {
            if (block.Index != 0)
                Assert.DoesNotContain(block.Instructions, static instruction => instruction.Pseudo == MachinePseudo.LoadImmediate);
        }
    }
}
