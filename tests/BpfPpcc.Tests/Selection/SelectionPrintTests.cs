using BpfPpcc.Ir;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using Xunit;

namespace BpfPpcc.Tests.Selection;

/// <summary>The sequences that the rules are there for, written down.</summary>
public sealed class SelectionPrintTests
{
    private static void AssertSelects(string expected, Func<IrBuilder, IrInstruction> body) =>
        AssertSelectsBlock(expected, builder => builder.Return(body(builder)));

    private static void AssertSelectsBlock(string expected, Action<IrBuilder> body)
    {
        string text = SelectionHarness.Print(SelectionHarness.Build(body));
        string[] lines = [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Where(static line => line != "b0:" && !line.StartsWith("arguments", StringComparison.Ordinal))];
        Assert.Equal(ShapeText.Renumber(expected.ReplaceLineEndings("\n")), ShapeText.Renumber(string.Join('\n', lines)));
    }

    private static IrInstruction Arg(IrBuilder builder, int index = 0) => builder.Leaves.Argument(index);

    [Fact]
    public void A_zero_extension_and_a_shift_are_one_rotate() => AssertSelects(
        """
        rldic %v0, %v1, 3, 29
        return %v0:r3
        """,
        builder => builder.Binary(IrOpcode.ShiftLeft, 64, builder.ZeroExtend(32, Arg(builder)), builder.Constant(3)));

    [Fact]
    public void Two_shifts_that_clear_the_upper_half_are_one_rotate() => AssertSelects(
        """
        rlwinm %v0, %v1, 0, 0, 31
        return %v0:r3
        """,
        builder => builder.Binary(IrOpcode.ShiftRightLogical, 64,
            builder.Binary(IrOpcode.ShiftLeft, 64, Arg(builder), builder.Constant(32)), builder.Constant(32)));

    [Fact]
    public void A_shift_and_a_mask_extract_a_field() => AssertSelects(
        """
        rldicl %v0, %v1, 24, 56
        return %v0:r3
        """,
        builder => builder.Binary(IrOpcode.And, 64,
            builder.Binary(IrOpcode.ShiftRightLogical, 64, Arg(builder), builder.Constant(40)), builder.Constant(0xff)));

    [Fact]
    public void What_a_load_leaves_clean_is_not_extended() => AssertSelects(
        """
        lbz %v0, 14(%v1)
        return %v0:r3
        """,
        builder => builder.ZeroExtend(32, builder.Load(8, Arg(builder), 14)));

    [Fact]
    public void A_32_bit_sum_is_extended_where_64_bits_are_wanted() => AssertSelects(
        """
        addi %v1, %v2, 1
        rlwinm %v0, %v1, 0, 0, 31
        return %v0:r3
        """,
        builder => builder.ZeroExtend(32, builder.Binary(IrOpcode.Add, 32, builder.ZeroExtend(32, Arg(builder)), builder.Constant(1))));

    [Fact]
    public void A_load_and_a_byte_swap_are_one_byte_reversed_load() => AssertSelects(
        """
        load-immediate %v2, 12
        lhbrx %v0, %v1, %v2
        return %v0:r3
        """,
        builder => builder.ByteSwap(16, builder.Load(16, Arg(builder), 12)));

    [Fact]
    public void A_load_does_not_move_over_a_store() => AssertSelectsBlock(
        """
        lwz %v2, 0(%v0)
        stw %v1, 0(%v0)
        rlwinm %v3, %v2, 24, 0, 31
        rlwimi %v4, %v2, 8, 8, 15 tied %v3
        rlwimi %v5, %v2, 8, 24, 31 tied %v4
        return %v5:r3
        """,
        static builder =>
        {
            IrInstruction loaded = builder.Load(32, builder.Leaves.Argument(0), 0);
            builder.Store(32, builder.Leaves.Argument(0), 0, builder.Leaves.Argument(1));
            builder.Return(builder.ByteSwap(32, loaded));
        });

    [Fact]
    public void A_byte_swap_and_a_store_are_one_byte_reversed_store() => AssertSelectsBlock(
        """
        stwbrx %v0, 0, %v1
        load-immediate %v2, 0
        return %v2:r3
        """,
        builder =>
        {
            builder.Store(32, Arg(builder, 1), 0, builder.ByteSwap(32, Arg(builder)));
            builder.Return(builder.Constant(0));
        });

    [Fact]
    public void A_stack_slot_is_a_displacement_from_r1() => AssertSelects(
        """
        ld %v0, bpf-16(r1)
        return %v0:r3
        """,
        builder => builder.Load(64, builder.Leaves.StackAddress(-8), -8));

    [Fact]
    public void A_misaligned_stack_slot_needs_its_address() => AssertSelects(
        """
        addi %v1, r1, bpf-13
        ld %v0, 0(%v1)
        return %v0:r3
        """,
        builder => builder.Load(64, builder.Leaves.StackAddress(-13), 0));

    [Fact]
    public void A_misaligned_doubleword_is_indexed() => AssertSelects(
        """
        load-immediate %v2, 6
        ldx %v0, %v1, %v2
        return %v0:r3
        """,
        builder => builder.Load(64, Arg(builder), 6));

    [Fact]
    public void A_distant_displacement_comes_in_two_parts() => AssertSelects(
        """
        addis %v2, %v1, 1
        lwz %v0, 4(%v2)
        return %v0:r3
        """,
        builder => builder.Load(32, Arg(builder), 0x10004));

    [Fact]
    public void A_sum_of_registers_is_indexed() => AssertSelects(
        """
        lhzx %v0, %v1, %v2
        return %v0:r3
        """,
        builder => builder.Load(16, builder.Binary(IrOpcode.Add, 64, Arg(builder), Arg(builder, 1)), 0));

    [Fact]
    public void A_variable_is_reached_through_the_toc() => AssertSelects(
        """
        addis %v1, r2, .data+8@toc@ha
        ld %v0, .data+8@toc@l(%v1)
        return %v0:r3
        """,
        builder => builder.Load(64, builder.Leaves.SymbolAddress(SelectionHarness.Data, 0), 8));

    [Fact]
    public void An_extern_variable_is_reached_through_its_toc_entry() => AssertSelects(
        """
        load-extern-address %v1, jiffies
        ld %v0, 8(%v1)
        return %v0:r3
        """,
        builder => builder.Load(64, builder.Leaves.SymbolAddress(SelectionHarness.Kernel, 8), 0));

    [Fact]
    public void A_sign_extended_word_is_loaded_so() => AssertSelects(
        """
        lwa %v0, 8(%v1)
        return %v0:r3
        """,
        builder => builder.SignExtend(32, builder.Load(32, Arg(builder), 8)));

    [Fact]
    public void Constants_go_into_immediates() => AssertSelects(
        """
        mulli %v3, %v4, 12
        addis %v2, %v3, 18
        addi %v1, %v2, 13398
        ori %v0, %v1, 65535
        return %v0:r3
        """,
        builder =>
        {
            IrInstruction product = builder.Binary(IrOpcode.Multiply, 64, Arg(builder), builder.Constant(12));
            IrInstruction sum = builder.Binary(IrOpcode.Add, 64, product, builder.Constant(0x123456));
            return builder.Binary(IrOpcode.Or, 64, sum, builder.Constant(0xffff));
        });

    [Fact]
    public void A_shift_by_a_register_takes_the_count_modulo_the_width() => AssertSelects(
        """
        rldicl %v2, %v3, 0, 58
        sld %v0, %v1, %v2
        return %v0:r3
        """,
        builder => builder.Binary(IrOpcode.ShiftLeft, 64, Arg(builder),
            builder.Binary(IrOpcode.And, 64, Arg(builder, 1), builder.Constant(63))));

    [Fact]
    public void A_value_under_a_negated_bit_is_chosen() => AssertSelects(
        """
        andi. %v2, %v3, 8
        isel %v0, 0, %v1, cr0.eq
        return %v0:r3
        """,
        builder =>
        {
            IrInstruction bits = builder.Binary(IrOpcode.ShiftRightLogical, 64, Arg(builder, 1), builder.Constant(3));
            IrInstruction bit = builder.Binary(IrOpcode.And, 64, bits, builder.Constant(1));
            return builder.Binary(IrOpcode.And, 64, builder.Negate(64, bit), Arg(builder));
        });

    [Fact]
    public void An_unsigned_division_guards_against_zero() => AssertSelects(
        """
        cmpldi cr0, %v2, 0
        divdu %v3, %v1, %v2
        isel %v0, 0, %v3, cr0.eq
        return %v0:r3
        """,
        builder => builder.Binary(IrOpcode.UnsignedDivide, 64, Arg(builder), Arg(builder, 1)));

    [Fact]
    public void A_signed_remainder_finds_both_special_divisors_at_once() => AssertSelects(
        """
        addi %v3, %v2, 1
        cmpldi cr0, %v3, 1
        divd %v5, %v1, %v2
        mulld %v6, %v5, %v2
        subf %v4, %v6, %v1
        andc %v7, %v1, %v2
        isel %v0, %v4, %v7, cr0.gt
        return %v0:r3
        """,
        builder => builder.Binary(IrOpcode.SignedRemainder, 64, Arg(builder), Arg(builder, 1)));

    [Fact]
    public void A_select_takes_zero_for_free() => AssertSelects(
        """
        cmpwi cr0, %v1, -5
        isel %v0, 0, %v2, cr0.lt
        return %v0:r3
        """,
        builder => builder.Select(IrCondition.SignedLess, 32, 64,
            Arg(builder), builder.Constant(-5), builder.Constant(0), Arg(builder, 1)));

    [Fact]
    public void A_call_finds_its_arguments_in_their_registers() => AssertSelectsBlock(
        """
        load-address %v2, counters
        addi %v3, r1, bpf-4
        call-extern %v0:r3, bpf_helper_ktime_get_ns, %v2:r3, %v3:r4, %v1:r6
        return %v0:r3
        """,
        builder => builder.Return(builder.CallExtern(SelectionHarness.Helper,
        [
            builder.Leaves.SymbolAddress(SelectionHarness.Counters, 0), builder.Leaves.StackAddress(-4), builder.Leaves.Undefined(),
            Arg(builder, 4),
        ])));

    [Theory]
    [InlineData(IrCondition.SignedLess, 32, 0, true, true)]
    [InlineData(IrCondition.Equal, 32, 0, true, true)]
    [InlineData(IrCondition.UnsignedGreater, 32, 5, true, false)]
    [InlineData(IrCondition.SignedLess, 64, 0, true, false)]
    [InlineData(IrCondition.SignedLess, 32, 0, false, false)]
    public void The_low_half_of_a_result_is_moved_and_compared_at_once(
        IrCondition condition, int width, long constant, bool isLowHalfKept, bool expected)
    {
        IrFunction function = SelectionHarness.Build(builder =>
        {
            IrInstruction result = builder.CallExtern(SelectionHarness.Helper, []);
            IrInstruction chosen = builder.Select(condition, width, 64, result, builder.Constant(constant), Arg(builder), Arg(builder, 1));
            builder.CallExtern(SelectionHarness.Helper, [isLowHalfKept ? builder.ZeroExtend(32, result) : result]);
            builder.Return(chosen);
        });
        List<MachineInstruction> instructions = [.. SelectionHarness.Select(function).Blocks[0].Instructions
            .Where(static instruction => instruction.Pseudo == MachinePseudo.None)];
        Assert.Equal(expected, instructions.Exists(static instruction => instruction.Opcode == Ppc64Opcode.ExtswRc));
        Assert.Equal(!expected, instructions.Exists(static instruction => instruction.Operands[0].Kind == MachineOperandKind.CrField));
    }

    [Fact]
    public void An_atomic_operation_has_its_address_in_a_register() => AssertSelectsBlock(
        """
        addi %v2, %v3, 8
        atomic-add.64 %v0!, %v1!, %v2, %v4
        load-immediate %v5, 0
        return %v5:r3
        """,
        builder =>
        {
            builder.AtomicReadModifyWrite(IrAtomic.Add, 64, Arg(builder), 8, Arg(builder, 1), isOrdered: false);
            builder.Return(builder.Constant(0));
        });

    [Fact]
    public void An_atomic_operation_takes_a_short_constant_as_an_immediate() => AssertSelectsBlock(
        """
        atomic-add.32 %v0!, %v1!, %v2, -1
        atomic-or.64 %v3!, %v4!, %v2, 65535
        load-immediate %v5, 65536
        atomic-or.64 %v6!, %v7!, %v2, %v5
        load-immediate %v8, 0
        return %v8:r3
        """,
        builder =>
        {
            builder.AtomicReadModifyWrite(IrAtomic.Add, 32, Arg(builder), 0, builder.Constant(uint.MaxValue), isOrdered: false);
            builder.AtomicReadModifyWrite(IrAtomic.Or, 64, Arg(builder), 0, builder.Constant(0xffff), isOrdered: false);
            builder.AtomicReadModifyWrite(IrAtomic.Or, 64, Arg(builder), 0, builder.Constant(0x10000), isOrdered: false);
            builder.Return(builder.Constant(0));
        });

    [Fact]
    public void Acquire_and_release_are_lwsync() => AssertSelectsBlock(
        """
        ld %v1, 0(%v0)
        lwsync
        lwsync
        std %v1, 8(%v0)
        load-immediate %v2, 0
        return %v2:r3
        """,
        builder =>
        {
            IrInstruction loaded = builder.Load(64, Arg(builder), 0, isOrdered: true);
            builder.Store(64, Arg(builder), 8, loaded, isOrdered: true);
            builder.Return(builder.Constant(0));
        });

    [Fact]
    public void An_or_of_fields_is_an_insertion() => AssertSelects(
        """
        rldimi %v0, %v1, 32, 0 tied %v2
        return %v0:r3
        """,
        builder => builder.Binary(IrOpcode.Or, 64,
            builder.Binary(IrOpcode.ShiftLeft, 64, Arg(builder), builder.Constant(32)), builder.ZeroExtend(32, Arg(builder, 1))));

    [Fact]
    public void A_field_within_the_word_is_inserted_by_rlwimi() => AssertSelects(
        """
        lbz %v1, 1(%v0)
        lbz %v2, 0(%v0)
        rlwimi %v3, %v1, 8, 16, 23 tied %v2
        return %v3:r3
        """,
        builder =>
        {
            IrInstruction high = builder.Load(8, Arg(builder), 1);
            IrInstruction shifted = builder.Binary(IrOpcode.ShiftLeft, 64, high, builder.Constant(8));
            IrInstruction field = builder.Binary(IrOpcode.And, 64, shifted, builder.Constant(0xff00));
            return builder.Binary(IrOpcode.Or, 64, field, builder.Load(8, Arg(builder), 0));
        });

    [Fact]
    public void What_a_field_is_inserted_into_stays_clean_above_the_word() => AssertSelects(
        """
        rlwinm %v0, %v1, 0, 24, 31
        rlwimi %v2, %v3, 8, 0, 23 tied %v0
        return %v2:r3
        """,
        builder => builder.ZeroExtend(32, builder.Binary(IrOpcode.Or, 32,
            builder.Binary(IrOpcode.ShiftLeft, 32, Arg(builder), builder.Constant(8)), builder.ZeroExtend(8, Arg(builder, 1)))));

    [Fact]
    public void Nothing_is_inserted_over_what_may_be_set() => AssertSelects(
        """
        rldicr %v1, %v0, 31, 32
        rlwinm %v3, %v2, 0, 0, 31
        or %v4, %v1, %v3
        return %v4:r3
        """,
        builder => builder.Binary(IrOpcode.Or, 64,
            builder.Binary(IrOpcode.ShiftLeft, 64, Arg(builder), builder.Constant(31)), builder.ZeroExtend(32, Arg(builder, 1))));

    [Fact]
    public void A_comparison_serves_two_choices() => AssertSelects(
        """
        cmplw cr0, %v0, %v1
        isel %v2, %v0, %v1, cr0.gt
        isel %v3, %v0, %v1, cr0.lt
        subf %v4, %v3, %v2
        return %v4:r3
        """,
        builder => builder.Binary(IrOpcode.Subtract, 64,
            builder.Select(IrCondition.UnsignedGreater, 32, 64, Arg(builder), Arg(builder, 1), Arg(builder), Arg(builder, 1)),
            builder.Select(IrCondition.UnsignedLess, 32, 64, Arg(builder), Arg(builder, 1), Arg(builder), Arg(builder, 1))));

    [Fact]
    public void A_comparison_is_made_again_when_something_else_set_the_field() => AssertSelects(
        """
        cmplw cr0, %v0, %v1
        isel %v2, %v0, %v1, cr0.lt
        andi. %v3, %v2, 1025
        cmplw cr0, %v0, %v1
        isel %v4, %v0, %v3, cr0.gt
        return %v4:r3
        """,
        builder =>
        {
            IrInstruction minimum = builder.Select(
                IrCondition.UnsignedLess, 32, 64, Arg(builder), Arg(builder, 1), Arg(builder), Arg(builder, 1));
            return builder.Select(IrCondition.UnsignedGreater, 32, 64, Arg(builder), Arg(builder, 1), Arg(builder),
                builder.Binary(IrOpcode.And, 64, minimum, builder.Constant(0x401)));
        });

    [Fact]
    public void A_product_is_added_by_one_instruction_since_power9()
    {
        IrFunction function = SelectionHarness.Build(builder => builder.Return(builder.Binary(IrOpcode.Add, 64,
            builder.Binary(IrOpcode.Multiply, 64, Arg(builder), Arg(builder, 1)), Arg(builder, 2))));
        Assert.Contains("maddld", SelectionHarness.Print(function, SelectionHarness.Power9), StringComparison.Ordinal);
        Assert.DoesNotContain("maddld", SelectionHarness.Print(function, SelectionHarness.Power8), StringComparison.Ordinal);
    }
}
