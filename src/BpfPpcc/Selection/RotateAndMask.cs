using System.Numerics;
using BpfPpcc.Ir;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using static BpfPpcc.Mir.MachineOperand;
using static BpfPpcc.Ppc64.Ppc64Opcode;

namespace BpfPpcc.Selection;

/// <summary>
/// Chains of shifts by constants, masks and zero extensions as one rotate instruction (Power ISA book I, 3.3.14). Every such operation is
/// "rotate left by r, then and with m" on 64 bits, two of them in a row are one again, and the rotate instructions are those whose mask is
/// a run of ones:
/// <code>
/// rotl(rotl(x, r2) &amp; m2, r1) &amp; m1  =  rotl(x, r2 + r1) &amp; rotl(m2, r1) &amp; m1
/// </code>
/// A 32-bit operation is the 64-bit one with a mask within the low word, so the results are clean, and the upper half of an I32 operand is
/// never looked at.
/// </summary>
internal static class RotateAndMask
{
    /// <summary>Operations looked at in one chain; longer ones are rare.</summary>
    private const int LongestChain = 6;

    /// <summary>
    /// Selects the value, and single-use operations below it, as one instruction; false if that takes more than one for the value alone.
    /// </summary>
    public static bool TrySelect(SelectionContext context, IrInstruction value, VirtualRegister result)
    {
        if (!TryMatch(context, value, out IrInstruction source, out int rotation, out ulong mask))
            return false;
        if (mask == 0)
            context.LoadImmediate(result, 0);
        else if (rotation == 0 && mask == ulong.MaxValue)
            context.Copy(result, context.Register(source));
        else if (TryWord(context, source, rotation, mask, out ulong wordMask))
            Emit(context, Def(result), context.UseLow(source, 32), rotation, wordMask);
        else
            Emit(context, Def(result), context.Use(source), rotation, mask);
        return true;
    }

    /// <summary>The mask that takes nothing from the source's upper half, where that is 0 or not wanted.</summary>
    private static bool TryWord(SelectionContext context, IrInstruction source, int rotation, ulong mask, out ulong wordMask)
    {
        ulong low = BitOperations.RotateLeft((ulong)uint.MaxValue, rotation);
        wordMask = mask & low;
        return wordMask == mask || (context.Words.IsWord(source) && wordMask != 0 && IsEncodable(rotation, wordMask));
    }

    /// <summary>The longest chain that ends with the value and is one instruction.</summary>
    public static bool TryMatch(SelectionContext context, IrInstruction value, out IrInstruction source, out int rotation, out ulong mask)
    {
        source = value;
        rotation = 0;
        mask = ulong.MaxValue;
        bool isMatched = false;
        IrInstruction link = value;
        int totalRotation = 0;
        ulong totalMask = ulong.MaxValue;
        for (int length = 0; length < LongestChain; length++)
        {
            if (!TryLink(link, out IrInstruction operand, out int linkRotation, out ulong linkMask))
                break;
            totalMask &= BitOperations.RotateLeft(linkMask, totalRotation);
            totalRotation = (totalRotation + linkRotation) & 63;
            if (IsEncodable(totalRotation, totalMask))
                (isMatched, source, rotation, mask) = (true, operand, totalRotation, totalMask);
            if (!context.IsOnlyUse(operand))
                break;
            link = operand;
        }

        return isMatched;
    }

    /// <summary>One operation as a rotation and a mask.</summary>
    private static bool TryLink(IrInstruction value, out IrInstruction operand, out int rotation, out ulong mask)
    {
        operand = value.Operands.Length > 0 ? value.Operands[0] : value;
        rotation = 0;
        mask = ulong.MaxValue >> (64 - value.Width);
        if (value.Opcode == IrOpcode.ZeroExtend)
            return true;
        if (value.Opcode == IrOpcode.And)
            return TryMaskOperand(value, out operand, ref mask);
        if (value.Opcode is not (IrOpcode.ShiftLeft or IrOpcode.ShiftRightLogical or IrOpcode.RotateLeft)
            || !ValueFacts.TryConstant(value.Operands[1], out long constant))
        {
            return false;
        }

        int count = (int)constant & (value.Width - 1);
        if (value.Opcode == IrOpcode.ShiftLeft)
        {
            rotation = count;
            mask &= mask << count;
            return true;
        }

        if (value.Opcode == IrOpcode.ShiftRightLogical)
        {
            rotation = -count & 63;
            mask >>= count;
            return true;
        }

        // A rotation within the word is none of 64 bits.
        rotation = count;
        return value.Width == 64;
    }

    private static bool TryMaskOperand(IrInstruction value, out IrInstruction operand, ref ulong mask)
    {
        operand = value.Operands[0];
        int index = ValueFacts.ImmediateOperand(value);
        if (index < 0 || !ValueFacts.TryConstant(value.Operands[index], out long constant))
            return false;
        operand = value.Operands[1 - index];
        mask &= (ulong)constant;
        return true;
    }

    private static bool IsEncodable(int rotation, ulong mask)
    {
        if (mask is 0 or ulong.MaxValue)
            return true;
        return RotateMask.TryRun(mask, out int begin, out int end)
            && (end == 63 || begin == 0 || end == 63 - rotation || IsWithinWord(rotation, begin, end));
    }

    private static void Emit(SelectionContext context, MachineOperand result, MachineOperand source, int rotation, ulong mask)
    {
        if (!RotateMask.TryRun(mask, out int begin, out int end))
            throw new InvalidOperationException("a mask that is no run of ones");
        if (IsWithinWord(rotation, begin, end))
            context.Emit(Rlwinm, result, source, Immediate(rotation & 31), Immediate(begin - 32), Immediate(end - 32));
        else if (end == 63)
            context.Emit(Rldicl, result, source, Immediate(rotation), Immediate(begin));
        else if (begin == 0)
            context.Emit(Rldicr, result, source, Immediate(rotation), Immediate(end));
        else
            context.Emit(Rldic, result, source, Immediate(rotation), Immediate(begin));
    }

    /// <summary>
    /// A rotation of the low word gives the same: the mask lies in it (bits 32..63), and takes nothing that comes from above the word or
    /// goes round its end.
    /// </summary>
    public static bool IsWithinWord(int rotation, int begin, int end)
    {
        if (begin < 32)
            return false;
        return rotation < 32 ? end <= 63 - rotation : begin > 95 - rotation;
    }
}
