using System.Numerics;
using BpfPpcc.Ir;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using static BpfPpcc.Mir.MachineOperand;
using static BpfPpcc.Ppc64.Ppc64Opcode;

namespace BpfPpcc.Selection;

/// <summary>
/// An or of a shifted or masked value and of something that is zero there as one rlwimi or rldimi, which put a field into a register and
/// leave its other bits (Power ISA book I, 3.3.14.1):
/// <code>
/// (rotl(x, r) &amp; m) | y  =  (rotl(x, r) &amp; m) | (y &amp; ~m)  where y &amp; m = 0
/// </code>
/// </summary>
internal static class RotateAndInsert
{
    /// <summary>How far down the bits of the other operand are looked at.</summary>
    private const int DeepestLook = 4;

    public static bool TrySelect(SelectionContext context, IrInstruction or, VirtualRegister result) =>
        TryInsert(context, or, or.Operands[0], or.Operands[1], result) || TryInsert(context, or, or.Operands[1], or.Operands[0], result);

    private static bool TryInsert(
        SelectionContext context, IrInstruction or, IrInstruction field, IrInstruction background, VirtualRegister result)
    {
        // A background that lives on would have to be copied, which costs what the insertion saves.
        if (!context.IsOnlyUse(field) || context.Facts.UseCount(background) != 1
            || !RotateAndMask.TryMatch(context, field, out IrInstruction source, out int rotation, out ulong mask)
            || !RotateMask.TryRun(mask, out int begin, out int end) || (rotation == 0 && mask == ulong.MaxValue)
            || (PossibleBits(context, background, 0) & mask) != 0)
        {
            return false;
        }

        bool isWord = RotateAndMask.IsWithinWord(rotation, begin, end);
        if (!isWord && end != 63 - rotation)
            return false;
        bool readsWord = BitOperations.RotateRight(mask, rotation) <= uint.MaxValue;
        MachineOperand rotated = readsWord ? context.UseLow(source, 32) : context.Use(source);
        MachineOperand kept = TiedUse(UseBackground(context, background, mask).Register, 0);
        if (isWord)
            context.Emit(Rlwimi, Def(result), rotated, Immediate(rotation & 31), Immediate(begin - 32), Immediate(end - 32), kept);
        else
            context.Emit(Rldimi, Def(result), rotated, Immediate(rotation), Immediate(begin), kept);
        return true;
    }

    /// <summary>Where the field takes everything above 8, 16 or 32 bits, the background need not be extended from there.</summary>
    private static MachineOperand UseBackground(SelectionContext context, IrInstruction background, ulong mask)
    {
        for (int kept = 8; kept < 64; kept *= 2)
        {
            if (mask == ulong.MaxValue << kept)
                return context.UseLow(background, kept);
        }

        return context.Use(background);
    }

    /// <summary>The bits that can be set in the register that holds all of a value.</summary>
    private static ulong PossibleBits(SelectionContext context, IrInstruction value, int depth)
    {
        int bits = context.Facts.Bits(value);
        ulong possible = bits == 0 ? 0 : ulong.MaxValue >> (64 - bits);
        if (ValueFacts.TryConstant(value, out long constant))
            return (ulong)constant;
        if (depth == DeepestLook)
            return possible;
        if (value.Opcode is IrOpcode.Or or IrOpcode.Xor && value.Width == 64)
            return PossibleBits(context, value.Operands[0], depth + 1) | PossibleBits(context, value.Operands[1], depth + 1);
        if (value.Opcode is IrOpcode.And && value.Width == 64)
            return possible & PossibleBits(context, value.Operands[0], depth + 1) & PossibleBits(context, value.Operands[1], depth + 1);
        if (value.Opcode is IrOpcode.ShiftLeft && value.Width == 64 && ValueFacts.TryConstant(value.Operands[1], out long count))
            return possible & (PossibleBits(context, value.Operands[0], depth + 1) << ((int)count & 63));
        return possible;
    }
}
