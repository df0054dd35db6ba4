using BpfPpcc.Ir;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using Xunit;

namespace BpfPpcc.Tests.Selection;

/// <summary>
/// Every operation at every width on edge values, each operand once as a constant and once in a register, clean or with garbage in the
/// upper half: selected code against the documentation of the IR.
/// </summary>
public sealed class OperationTests
{
    private static readonly IrOpcode[] s_binary =
    [
        IrOpcode.Add, IrOpcode.Subtract, IrOpcode.Multiply, IrOpcode.UnsignedDivide, IrOpcode.UnsignedRemainder, IrOpcode.SignedDivide,
        IrOpcode.SignedRemainder, IrOpcode.And, IrOpcode.Or, IrOpcode.Xor, IrOpcode.ShiftLeft, IrOpcode.ShiftRightLogical,
        IrOpcode.ShiftRightArithmetic, IrOpcode.RotateLeft, IrOpcode.MultiplyHighUnsigned, IrOpcode.MultiplyHighSigned,
    ];

    private static readonly IrCondition[] s_conditions =
    [
        IrCondition.Equal, IrCondition.NotEqual, IrCondition.UnsignedLess, IrCondition.UnsignedLessOrEqual, IrCondition.UnsignedGreater,
        IrCondition.UnsignedGreaterOrEqual, IrCondition.SignedLess, IrCondition.SignedLessOrEqual, IrCondition.SignedGreater,
        IrCondition.SignedGreaterOrEqual, IrCondition.Test, IrCondition.TestZero,
    ];

    public static TheoryData<IrOpcode, int, Ppc64Cpu> BinaryOperations()
    {
        var data = new TheoryData<IrOpcode, int, Ppc64Cpu>();
        foreach (IrOpcode opcode in s_binary)
        {
            data.Add(opcode, 32, Ppc64Cpu.Power8);
            data.Add(opcode, 64, Ppc64Cpu.Power8);
            if (opcode is not (IrOpcode.UnsignedRemainder or IrOpcode.SignedRemainder))
                continue;
            data.Add(opcode, 32, Ppc64Cpu.Power9);
            data.Add(opcode, 64, Ppc64Cpu.Power9);
        }

        return data;
    }

    public static TheoryData<IrCondition, int> Comparisons()
    {
        var data = new TheoryData<IrCondition, int>();
        foreach (IrCondition condition in s_conditions)
        {
            data.Add(condition, 32);
            data.Add(condition, 64);
        }

        return data;
    }

    /// <summary>How an argument becomes an operand; those that give an I32 leave garbage above it.</summary>
    private enum Shape
    {
        Argument,
        Sum32,
        ZeroExtended32,
        ZeroExtended8,
        SignExtended32,
        Masked,
        Complement,
        Complement32,
        Loaded16,
        Quotient32,
        ShiftedRight32,
    }

    private static IrInstruction Make(IrBuilder builder, Shape shape, int argument)
    {
        IrInstruction value = builder.Leaves.Argument(argument);
        return shape switch
        {
            Shape.Argument => value,
            Shape.Sum32 => builder.Binary(IrOpcode.Add, 32, value, builder.Leaves.Argument(2)),
            Shape.ZeroExtended32 => builder.ZeroExtend(32, value),
            Shape.ZeroExtended8 => builder.ZeroExtend(8, value),
            Shape.SignExtended32 => builder.SignExtend(32, value),
            Shape.Masked => builder.Binary(IrOpcode.And, 64, value, builder.Constant(0x3f)),
            Shape.Complement => builder.Binary(IrOpcode.Xor, 64, value, builder.Constant(-1)),
            Shape.Complement32 => builder.Binary(IrOpcode.Xor, 32, value, builder.Constant(0xffffffff)),
            Shape.Loaded16 => builder.Load(16, value, 0),
            Shape.Quotient32 => builder.Binary(IrOpcode.UnsignedDivide, 32, value, builder.Constant(3)),
            Shape.ShiftedRight32 => builder.Binary(IrOpcode.ShiftRightArithmetic, 32, value, builder.Constant(3)),
            _ => throw new InvalidOperationException(),
        };
    }

    private static Shape[] ShapesFor(int width) => [.. Enum.GetValues<Shape>().Where(shape => width == 32 || !IsI32(shape))];

    private static bool IsI32(Shape shape) => shape is Shape.Sum32 or Shape.Complement32 or Shape.Quotient32 or Shape.ShiftedRight32;

    /// <summary>Every edge meets a plain argument and a third of the other shapes.</summary>
    private static bool IsChosen(Shape shape, int edge) => shape == Shape.Argument || ((int)shape + edge) % 3 == 0;

    /// <summary>Observes all of a value: what it is, what its extensions are, what a store makes of it.</summary>
    private static void Observe(IrBuilder builder, IrInstruction value)
    {
        IrInstruction address = builder.Constant((long)TestWorld.Scratch);
        builder.Store(32, address, 64, value);
        builder.Store(64, address, 72, builder.ZeroExtend(32, value));
        builder.Store(64, address, 80, builder.SignExtend(32, value));
        builder.Store(64, address, 88, builder.ZeroExtend(8, value));
        builder.Return(value.Type == IrType.I32 ? builder.ZeroExtend(32, value) : value);
    }

    private static void CompareOnEdges(IrFunction function, TargetDescription target, bool varyBoth)
    {
        MachineFunction selected = SelectionHarness.Select(function, target);
        for (int i = 0; i < TestValues.Edges.Length; i++)
        {
            var left = (ulong)TestValues.Edges[i];
            SelectionHarness.Compare(function, selected, [left, left, 0xdead_beef_0000_0001, 0, 0]);
            for (int j = i % 4; varyBoth && j < TestValues.Edges.Length; j += 4)
                SelectionHarness.Compare(function, selected, [left, (ulong)TestValues.Edges[j], 0xdead_beef_0000_0001, 0, 0]);
        }
    }

    [Theory]
    [MemberData(nameof(BinaryOperations))]
    public void Binary_operations_on_registers(IrOpcode opcode, int width, Ppc64Cpu cpu)
    {
        foreach (Shape left in ShapesFor(width))
        {
            foreach (Shape right in ShapesFor(width).Where(right => left == Shape.Argument || IsChosen(right, (int)left)))
            {
                IrFunction function = SelectionHarness.Build(builder =>
                    Observe(builder, builder.Binary(opcode, width, Make(builder, left, 0), Make(builder, right, 1))));
                CompareOnEdges(function, SelectionHarness.Power8 with { Cpu = cpu }, varyBoth: left == Shape.Argument);
            }
        }
    }

    [Theory]
    [MemberData(nameof(BinaryOperations))]
    public void Binary_operations_on_constants(IrOpcode opcode, int width, Ppc64Cpu cpu)
    {
        for (int i = 0; i < TestValues.Edges.Length; i++)
        {
            long constant = TestValues.Edges[i];
            foreach (Shape shape in ShapesFor(width).Where(shape => IsChosen(shape, i)))
            {
                IrFunction right = SelectionHarness.Build(builder =>
                    Observe(builder, builder.Binary(opcode, width, Make(builder, shape, 0), builder.Constant(constant))));
                IrFunction left = SelectionHarness.Build(builder =>
                    Observe(builder, builder.Binary(opcode, width, builder.Constant(constant), Make(builder, shape, 0))));
                CompareOnEdges(right, SelectionHarness.Power8 with { Cpu = cpu }, varyBoth: false);
                CompareOnEdges(left, SelectionHarness.Power8 with { Cpu = cpu }, varyBoth: false);
            }
        }
    }

    [Theory]
    [MemberData(nameof(BinaryOperations))]
    public void Binary_operations_on_two_constants(IrOpcode opcode, int width, Ppc64Cpu cpu)
    {
        for (int i = 0; i < TestValues.Edges.Length; i += 5)
        {
            long left = TestValues.Edges[i];
            foreach (long right in TestValues.Edges)
            {
                IrFunction function = SelectionHarness.Build(builder =>
                    Observe(builder, builder.Binary(opcode, width, builder.Constant(left), builder.Constant(right))));
                MachineFunction selected = SelectionHarness.Select(function, SelectionHarness.Power8 with { Cpu = cpu });
                SelectionHarness.Compare(function, selected, new ulong[5]);
            }
        }
    }

    [Theory]
    [InlineData(IrOpcode.Negate, 32)]
    [InlineData(IrOpcode.Negate, 64)]
    [InlineData(IrOpcode.ZeroExtend, 8)]
    [InlineData(IrOpcode.ZeroExtend, 16)]
    [InlineData(IrOpcode.ZeroExtend, 32)]
    [InlineData(IrOpcode.SignExtend, 8)]
    [InlineData(IrOpcode.SignExtend, 16)]
    [InlineData(IrOpcode.SignExtend, 32)]
    [InlineData(IrOpcode.ByteSwap, 16)]
    [InlineData(IrOpcode.ByteSwap, 32)]
    [InlineData(IrOpcode.ByteSwap, 64)]
    public void Unary_operations(IrOpcode opcode, int width)
    {
        foreach (Shape shape in ShapesFor(width == 64 ? 64 : 32))
        {
            IrFunction function = SelectionHarness.Build(builder =>
                Observe(builder, Unary(builder, opcode, width, Make(builder, shape, 0))));
            CompareOnEdges(function, SelectionHarness.Power8, varyBoth: false);
            CompareOnEdges(function, SelectionHarness.Power10, varyBoth: false);
        }
    }

    private static IrInstruction Unary(IrBuilder builder, IrOpcode opcode, int width, IrInstruction value) => opcode switch
    {
        IrOpcode.Negate => builder.Negate(width, value),
        IrOpcode.ZeroExtend => builder.ZeroExtend(width, value),
        IrOpcode.SignExtend => builder.SignExtend(width, value),
        IrOpcode.ByteSwap => builder.ByteSwap(width, value),
        _ => throw new InvalidOperationException(),
    };

    [Theory]
    [MemberData(nameof(Comparisons))]
    public void Selects_and_branches_on_registers(IrCondition condition, int width)
    {
        foreach (Shape left in ShapesFor(width))
        {
            foreach (Shape right in ShapesFor(width).Where(right => left == Shape.Argument || IsChosen(right, (int)left)))
            {
                bool isPlain = right == Shape.Argument;
                foreach (IrFunction function in Conditional(condition, width,
                    builder => Make(builder, left, 0), builder => Make(builder, right, 1)))
                {
                    CompareOnEdges(function, SelectionHarness.Power8, isPlain);
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Comparisons))]
    public void Selects_and_branches_on_constants(IrCondition condition, int width)
    {
        for (int i = 0; i < TestValues.Edges.Length; i++)
        {
            long constant = TestValues.Edges[i];
            foreach (Shape shape in ShapesFor(width).Where(shape => IsChosen(shape, i)))
            {
                foreach (IrFunction function in Conditional(condition, width,
                    builder => Make(builder, shape, 0), builder => builder.Constant(constant)))
                {
                    CompareOnEdges(function, SelectionHarness.Power8, varyBoth: false);
                }

                foreach (IrFunction function in Conditional(condition, width,
                    builder => builder.Constant(constant), builder => Make(builder, shape, 0)))
                {
                    CompareOnEdges(function, SelectionHarness.Power8, varyBoth: false);
                }
            }
        }
    }

    [Fact]
    public void An_and_that_is_compared_with_zero_is_a_test()
    {
        foreach (long mask in TestValues.Edges)
        {
            foreach ((int andWidth, int compareWidth) in ((int, int)[])[(32, 32), (64, 32), (64, 64)])
            {
                foreach (Shape shape in ShapesFor(andWidth))
                {
                    IEnumerable<IrFunction> functions = Conditional(IrCondition.NotEqual, compareWidth,
                        builder => builder.Binary(IrOpcode.And, andWidth, builder.Constant(mask), Make(builder, shape, 0)),
                        builder => builder.Constant(0));
                    foreach (IrFunction function in functions)
                        CompareOnEdges(function, SelectionHarness.Power8, varyBoth: false);
                }
            }
        }
    }

    /// <summary>The condition deciding a Select of both types, a Select with a zero, and a Branch.</summary>
    private static IEnumerable<IrFunction> Conditional(
        IrCondition condition, int width, Func<IrBuilder, IrInstruction> left, Func<IrBuilder, IrInstruction> right)
    {
        yield return SelectionHarness.Build(builder => Observe(builder, builder.Select(condition, width, 32,
            left(builder), right(builder), builder.Leaves.Argument(0), Make(builder, Shape.Sum32, 1))));
        yield return SelectionHarness.Build(builder => Observe(builder, builder.Select(condition, width, 64,
            left(builder), right(builder), builder.Constant(0), builder.ZeroExtend(32, builder.Leaves.Argument(1)))));
        yield return SelectionHarness.Build(builder =>
        {
            IrBlock ifTrue = builder.AppendBlock();
            IrBlock ifFalse = builder.AppendBlock();
            builder.Branch(condition, width, left(builder), right(builder), ifTrue, ifFalse);
            builder.Block = ifTrue;
            builder.Return(builder.Constant(1));
            builder.Block = ifFalse;
            builder.Return(builder.Constant(2));
        });
    }
}
