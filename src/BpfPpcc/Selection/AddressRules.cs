using BpfPpcc.Ir;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.Symbols;
using static BpfPpcc.Mir.MachineOperand;
using static BpfPpcc.Ppc64.Ppc64Opcode;

namespace BpfPpcc.Selection;

/// <summary>Operands of a memory instruction: displacement and base, or with an index two registers whose sum is the address.</summary>
/// <param name="Base">For the RA0 field.</param>
/// <param name="Other">Displacement, or index register if <paramref name="IsIndexed"/>.</param>
internal readonly record struct AddressOperands(MachineOperand Base, MachineOperand Other, bool IsIndexed);

/// <summary>What displacements a memory instruction takes.</summary>
internal enum DisplacementKind : byte
{
    /// <summary>None: indexed form only.</summary>
    None,

    /// <summary>Any of 16 bits.</summary>
    D,

    /// <summary>Multiples of 4.</summary>
    DS,
}

/// <summary>
/// Addresses: constants are folded into displacements, BPF stack slots are displacements from r1 (BPF r10 is a constant distance from it, a
/// multiple of 8), the object's own data is reached through the TOC pointer, sums of two registers are indexed.
/// </summary>
internal static class AddressRules
{
    // More than all of any BPF stack (StackExtent), and a frame's layout can still add its part to them within 16 bits.
    private const int LowestStackOffset = -16384;
    private const int HighestStackOffset = 8191;

    /// <summary>An address as a base and what is added to it.</summary>
    private readonly record struct Split(IrInstruction Base, long Offset);

    /// <summary>The offset can be a displacement from r1 once the frame is laid out.</summary>
    public static bool IsStackOffset(long offset) => offset is >= LowestStackOffset and <= HighestStackOffset;

    /// <summary>The offset can be part of a relocation: symbol and offset stay within the reach of the TOC.</summary>
    public static bool IsSymbolOffset(long offset) => offset is >= -0x1000_0000 and < 0x1000_0000;

    /// <summary>The operands for an access at operand 0 plus Immediate.</summary>
    public static AddressOperands Operands(SelectionContext context, IrInstruction access, DisplacementKind kind) =>
        Operands(context, access, access.Operands[0], access.Immediate, kind);

    /// <summary>The operands for the address <paramref name="address"/> + <paramref name="offset"/>.</summary>
    public static AddressOperands Operands(
        SelectionContext context, IrInstruction user, IrInstruction address, long offset, DisplacementKind kind)
    {
        Split split = SplitConstant(context, user, address, offset);
        if (ValueFacts.TryConstant(split.Base, out long constant))
            return WithOffset(context, context.UseImmediate(unchecked(constant + split.Offset)), 0, kind);
        if (split.Base.Opcode == IrOpcode.StackAddress)
            return OnStack(context, split, kind);
        if (split.Base.Opcode == IrOpcode.SymbolAddress)
            return AtSymbol(context, split, kind);
        if (split.Offset == 0 && IsFoldableSum(context, split.Base, user))
            return new AddressOperands(context.Use(split.Base.Operands[0]), context.Use(split.Base.Operands[1]), IsIndexed: true);
        return WithOffset(context, context.Use(split.Base), split.Offset, kind);
    }

    /// <summary>The address in one register.</summary>
    public static MachineOperand UseAddress(SelectionContext context, IrInstruction access)
    {
        Split split = SplitConstant(context, access, access.Operands[0], access.Immediate);
        if (ValueFacts.TryConstant(split.Base, out long constant))
            return context.UseImmediate(unchecked(constant + split.Offset));
        if (split.Base.Opcode == IrOpcode.StackAddress && IsStackOffset(unchecked(split.Base.Immediate + split.Offset)))
            return context.UseStackAddress(split.Base.Immediate + split.Offset);
        if (split.Base.Opcode == IrOpcode.SymbolAddress && TrySymbolOffset(context, split, out long offset))
            return context.UseSymbolAddress(split.Base.Symbol, offset);
        if (split.Offset == 0)
            return context.Use(split.Base);
        VirtualRegister sum = context.NewRegister();
        ArithmeticRules.AddImmediate(context, sum, context.Use(split.Base), split.Offset, 64);
        return Use(sum);
    }

    /// <summary>A StackAddress too far away for a displacement.</summary>
    public static void SelectFarStackAddress(SelectionContext context, IrInstruction value, VirtualRegister result) =>
        ArithmeticRules.AddImmediate(context, result, context.UseStackAddress(0), value.Immediate, 64);

    /// <summary>A SymbolAddress that stays outside of a loop, or whose offset is added at run time.</summary>
    public static void SelectSymbolAddress(SelectionContext context, IrInstruction value, VirtualRegister result)
    {
        if (context.IsLeaf(value))
            context.EmitLeaf(value, result);
        else
            ArithmeticRules.AddImmediate(context, result, context.UseSymbolAddress(value.Symbol, 0), value.Immediate, 64);
    }

    private static Split SplitConstant(SelectionContext context, IrInstruction user, IrInstruction address, long offset)
    {
        while (address.Opcode == IrOpcode.Add && address.Width == 64 && IsFoldable(context, address, user))
        {
            int index = ValueFacts.ImmediateOperand(address);
            if (index < 0 || !ValueFacts.TryConstant(address.Operands[index], out long constant))
                break;
            offset = unchecked(offset + constant);
            address = address.Operands[1 - index];
        }

        return new Split(address, offset);
    }

    /// <summary>
    /// A sum is folded into an access if nobody else wants it or both are in one block. Otherwise its operands would have to live on from
    /// block to block beside it.
    /// </summary>
    private static bool IsFoldable(SelectionContext context, IrInstruction sum, IrInstruction user) =>
        context.IsOnlyUse(sum) || sum.Block == user.Block;

    private static bool IsFoldableSum(SelectionContext context, IrInstruction value, IrInstruction user) =>
        value.Opcode == IrOpcode.Add && value.Width == 64
        && (context.IsWanted(value) ? IsAwaitedLoad(context, value, user) : IsFoldable(context, value, user));

    /// <summary>A load in a loop adds by itself what others want added too, rather than wait for the sum.</summary>
    private static bool IsAwaitedLoad(SelectionContext context, IrInstruction sum, IrInstruction load) =>
        context.IsInLoop && load.Opcode == IrOpcode.Load && sum.Block == load.Block && ValueFacts.ImmediateOperand(sum) < 0;

    /// <summary>The operands for a base in a register and a constant offset.</summary>
    public static AddressOperands WithOffset(SelectionContext context, MachineOperand register, long offset, DisplacementKind kind)
    {
        if (Fits(offset, kind))
            return new AddressOperands(register, Immediate(offset), IsIndexed: false);
        if (offset == 0)
            return new AddressOperands(Zero, register, IsIndexed: true);
        long low = (short)offset;
        long high = unchecked(offset - low) >> 16;
        if (Ppc64Fields.FitsSI16(high) && high != 0 && Fits(low, kind))
            return new AddressOperands(Use(context.Compute(Addis, register, Immediate(high))), Immediate(low), IsIndexed: false);
        return new AddressOperands(register, context.UseImmediate(offset), IsIndexed: true);
    }

    private static bool Fits(long offset, DisplacementKind kind) => kind switch
    {
        DisplacementKind.None => false,
        DisplacementKind.D => Ppc64Fields.FitsSI16(offset),
        DisplacementKind.DS => Ppc64Fields.FitsDS(offset),
    };

    private static AddressOperands OnStack(SelectionContext context, Split split, DisplacementKind kind)
    {
        long offset = unchecked(split.Base.Immediate + split.Offset);
        if (!IsStackOffset(offset))
            return WithOffset(context, context.UseStackAddress(0), offset, kind);
        if (kind == DisplacementKind.D || (kind == DisplacementKind.DS && (offset & 3) == 0))
            return new AddressOperands(Physical(Gpr.R1), Frame(FrameArea.BpfStack, offset), IsIndexed: false);
        return WithOffset(context, context.UseStackAddress(offset), 0, kind);
    }

    private static AddressOperands AtSymbol(SelectionContext context, Split split, DisplacementKind kind)
    {
        SymbolId symbol = split.Base.Symbol;
        if (!TrySymbolOffset(context, split, out long offset))
            return WithOffset(context, context.UseSymbolAddress(symbol, 0), unchecked(split.Base.Immediate + split.Offset), kind);
        if (kind != DisplacementKind.None && context.TryMapDisplacement(symbol, offset, out AddressOperands fromMap))
            return fromMap;
        if (!context.IsExtern(symbol) && (kind == DisplacementKind.D || (kind == DisplacementKind.DS && (offset & 3) == 0)))
            return new AddressOperands(context.UseTocHigh(symbol, offset), Address(symbol, offset, SymbolModifier.TocLo), IsIndexed: false);
        return WithOffset(context, context.UseSymbolAddress(symbol, offset), 0, kind);
    }

    /// <summary>The whole offset, if it can be part of the relocation. An extern symbol has one TOC entry, for the symbol itself.</summary>
    private static bool TrySymbolOffset(SelectionContext context, Split split, out long offset)
    {
        offset = unchecked(split.Base.Immediate + split.Offset);
        return context.IsExtern(split.Base.Symbol) ? offset == 0 : IsSymbolOffset(offset);
    }
}
