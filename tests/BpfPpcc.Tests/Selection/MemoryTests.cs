using BpfPpcc.Ir;
using BpfPpcc.Mir;
using Xunit;

namespace BpfPpcc.Tests.Selection;

/// <summary>Every access at every kind of address and at offsets where displacements end, in both byte orders.</summary>
public sealed class MemoryTests
{
    private static readonly long[] s_atomicValues = [1, -1, 0x7fff, 0x8000, 0xffff, 0x10000, -0x8000, 0xffff_ffff, 0xffff_8000];

    private static readonly long[] s_offsets =
    [
        0, 1, 2, 3, 4, 6, 8, -1, -4, -8, 32764, 32767, 32768, 32772, -32768, -32769, -32772, 0x10004, 0x12345678, 0x7fff7fff, 0x7fff8000,
        0x7fffffff, -0x80000000L, -0x80000001L, 0x1_0000_0000, long.MaxValue, long.MinValue,
    ];

    public static readonly TheoryData<string> Bases =
    [
        "argument", "aligned stack", "misaligned stack", "far stack", "stack above", "data", "misaligned data", "far data", "extern",
        "constant", "sum", "sum with constant", "shared sum",
    ];

    private static IrInstruction Base(IrBuilder builder, string kind)
    {
        IrLeaves leaves = builder.Leaves;
        switch (kind)
        {
            case "argument": return leaves.Argument(0);
            case "aligned stack": return leaves.StackAddress(-8);
            case "misaligned stack": return leaves.StackAddress(-13);
            case "far stack": return leaves.StackAddress(-100_000);
            case "stack above": return leaves.StackAddress(9000);
            case "data": return leaves.SymbolAddress(SelectionHarness.Data, 16);
            case "misaligned data": return leaves.SymbolAddress(SelectionHarness.Data, 3);
            case "far data": return leaves.SymbolAddress(SelectionHarness.Data, 0x4000_0000);
            case "extern": return leaves.SymbolAddress(SelectionHarness.Kernel, 8);
            case "constant": return builder.Constant((long)TestWorld.Scratch);
            case "sum": return builder.Binary(IrOpcode.Add, 64, leaves.Argument(0), leaves.Argument(1));
            case "sum with constant": return builder.Binary(IrOpcode.Add, 64, builder.Constant(100), leaves.Argument(0));
            default:
                IrInstruction sum = builder.Binary(IrOpcode.Add, 64, leaves.Argument(0), builder.Constant(12));
                builder.Store(64, leaves.StackAddress(-64), 0, sum);
                return sum;
        }
    }

    private static void Check(Action<IrBuilder> body)
    {
        IrFunction function = SelectionHarness.Build(body);
        MachineFunction selected = SelectionHarness.Select(function);
        ulong[] arguments = [TestWorld.Scratch + 256, 24, 0x1122_3344_5566_7788, 0xffff_ffff_8000_0001, 5];
        Assert.True(SelectionHarness.Compare(function, selected, arguments, isBigEndian: false));
        Assert.True(SelectionHarness.Compare(function, selected, arguments, isBigEndian: true));
    }

    [Theory]
    [MemberData(nameof(Bases))]
    public void Loads(string kind)
    {
        foreach (long offset in s_offsets)
        {
            foreach (int width in (int[])[8, 16, 32, 64])
            {
                foreach (bool isOrdered in (bool[])[false, true])
                {
                    Check(builder => builder.Return(builder.Load(width, Base(builder, kind), offset, isSigned: false, isOrdered)));
                    Check(builder => builder.Return(builder.Load(width, Base(builder, kind), offset, isSigned: width < 64, isOrdered)));
                    IrInstruction Load(IrBuilder builder) => builder.Load(width, Base(builder, kind), offset, isSigned: false, isOrdered);
                    if (width > 8)
                        Check(builder => builder.Return(builder.ByteSwap(width, Load(builder))));
                    if (width < 64)
                        Check(builder => builder.Return(builder.SignExtend(width, Load(builder))));
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Bases))]
    public void Stores(string kind)
    {
        foreach (long offset in s_offsets)
        {
            foreach (int width in (int[])[8, 16, 32, 64])
            {
                Check(builder => Store(builder, kind, offset, width, builder.Leaves.Argument(2)));
                Check(builder => Store(builder, kind, offset, width, builder.Constant(unchecked((long)0x8182_8384_8586_8788))));
                Check(builder => Store(builder, kind, offset, width, builder.Constant(0)));
                Check(builder => Store(builder, kind, offset, width, builder.ZeroExtend(32, builder.Leaves.Argument(3))));
                if (width > 8)
                    Check(builder => Store(builder, kind, offset, width, builder.ByteSwap(width, builder.Leaves.Argument(2))));
            }
        }
    }

    private static void Store(IrBuilder builder, string kind, long offset, int width, IrInstruction value)
    {
        builder.Store(width, Base(builder, kind), offset, value, isOrdered: offset % 3 == 0);
        builder.Return(builder.Constant(0));
    }

    [Theory]
    [MemberData(nameof(Bases))]
    public void Atomic_operations(string kind)
    {
        foreach (long offset in s_offsets)
        {
            foreach (int width in (int[])[32, 64])
            {
                foreach (IrAtomic operation in (IrAtomic[])[IrAtomic.Add, IrAtomic.Or, IrAtomic.And, IrAtomic.Xor, IrAtomic.Exchange])
                {
                    Check(builder => builder.Return(builder.AtomicReadModifyWrite(
                        operation, width, Base(builder, kind), offset, builder.Leaves.Argument(2), isOrdered: width == 32)));
                    foreach (long value in s_atomicValues)
                    {
                        Check(builder => builder.Return(builder.AtomicReadModifyWrite(
                            operation, width, Base(builder, kind), offset, builder.Constant(value), isOrdered: false)));
                    }
                }

                Check(builder => builder.Return(builder.AtomicCompareExchange(
                    width, Base(builder, kind), offset, builder.Leaves.Argument(2), builder.Leaves.Argument(3))));
                Check(builder => builder.Return(builder.AtomicCompareExchange(
                    width, Base(builder, kind), offset, builder.Load(width, Base(builder, kind), offset), builder.Leaves.Argument(3))));
            }
        }
    }

    [Fact]
    public void A_load_that_is_used_twice_happens_once()
    {
        IrFunction function = SelectionHarness.Build(static builder =>
        {
            IrInstruction loaded = builder.Load(32, builder.Leaves.Argument(0), 0);
            builder.Return(builder.Binary(IrOpcode.Add, 64, builder.ByteSwap(32, loaded), builder.SignExtend(32, loaded)));
        });
        string text = SelectionHarness.Print(function);
        Assert.Contains("lwz", text, StringComparison.Ordinal);
        Assert.DoesNotContain("lwbrx", text, StringComparison.Ordinal);
        Assert.DoesNotContain("lwa", text, StringComparison.Ordinal);
    }
}
