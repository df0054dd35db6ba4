using System.Numerics;
using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>
/// Finds bits that are zero in every run, loops included, and removes the extensions and masks that only make zero what is zero.
/// </summary>
/// <remarks>
/// Forward data flow, started from the assumption that nothing has a bit set and weakened until every value's fact follows from those of
/// its operands: only then are the facts true.
/// </remarks>
public static class BitFacts
{
    /// <summary>Phis that still lose bits in this round lose all, so that slow loops end.</summary>
    private const int PatientRounds = 3;

    private const ulong LowHalf = uint.MaxValue;

    public static void Run(IrFunction function, IrModule module)
    {
        IrBlock[] order = new DepthFirstWalk(function).ReversePostorder;
        ulong[] zeros = Solve(function, order);
        var replacements = new IrReplacements(function);
        foreach (IrBlock block in order)
        {
            foreach (IrInstruction instruction in block.Instructions)
            {
                if (Unneeded(instruction, zeros) is { } value)
                    replacements.Replace(instruction, value);
                else
                    Weaken(instruction, zeros);
                // Later passes may leave bits unspecified that nobody looks at.
                instruction.ZeroBits = 0;
            }
        }

        replacements.Apply();
    }

    /// <summary>By value: the bits that are known to be zero.</summary>
    private static ulong[] Solve(IrFunction function, IrBlock[] order)
    {
        var zeros = new ulong[function.InstructionCount];
        Array.Fill(zeros, ulong.MaxValue);
        bool changed = true;
        for (int round = 0; changed; round++)
        {
            changed = false;
            foreach (IrBlock block in order)
            {
                foreach (IrInstruction instruction in block.Instructions)
                {
                    ulong before = zeros[instruction.Id];
                    ulong known = Zeros(instruction, zeros) | instruction.ZeroBits;
                    // Phis only ever lose: what flows around a loop settles.
                    if (instruction.Opcode == IrOpcode.Phi)
                        known &= before;
                    if (known == before)
                        continue;
                    zeros[instruction.Id] = instruction.Opcode == IrOpcode.Phi && round >= PatientRounds ? 0 : known;
                    changed = true;
                }
            }
        }

        return zeros;
    }

    /// <summary>The value that the instruction equals because the bits that it clears are zero already.</summary>
    private static IrInstruction? Unneeded(IrInstruction instruction, ulong[] zeros)
    {
        if (instruction.Operands is not [var value, ..])
            return null;
        ulong mayBeSet = ~zeros[value.Id];
        switch (instruction.Opcode)
        {
            case IrOpcode.ZeroExtend when value.Type == IrType.I64 && mayBeSet <= LowBits(instruction.Width):
                return value;
            case IrOpcode.SignExtend when value.Type == IrType.I64 && mayBeSet <= LowBits(instruction.Width - 1):
                return value;
            case IrOpcode.And when instruction.Operands[1] is { Opcode: IrOpcode.Constant } mask:
                ulong relevant = instruction.Width == 32 ? mayBeSet & LowHalf : mayBeSet;
                return (relevant & ~(ulong)mask.Immediate) == 0 ? value : null;
            default:
                return null;
        }
    }

    /// <summary>What is signed only in name becomes unsigned.</summary>
    private static void Weaken(IrInstruction instruction, ulong[] zeros)
    {
        switch (instruction.Opcode)
        {
            case IrOpcode.SignExtend when IsZero(instruction.Operands[0], instruction.Width - 1, zeros):
                instruction.Opcode = IrOpcode.ZeroExtend;
                break;
            case IrOpcode.ShiftRightArithmetic when IsZero(instruction.Operands[0], instruction.Width - 1, zeros):
                instruction.Opcode = IrOpcode.ShiftRightLogical;
                break;
            case IrOpcode.SignedDivide or IrOpcode.SignedRemainder
                when IsZero(instruction.Operands[0], instruction.Width - 1, zeros)
                && IsZero(instruction.Operands[1], instruction.Width - 1, zeros):
                instruction.Opcode = instruction.Opcode == IrOpcode.SignedDivide ? IrOpcode.UnsignedDivide : IrOpcode.UnsignedRemainder;
                break;
        }
    }

    private static bool IsZero(IrInstruction value, int bit, ulong[] zeros) => (zeros[value.Id] >> bit & 1) != 0;

    private static ulong Zeros(IrInstruction instruction, ulong[] zeros)
    {
        switch (instruction.Opcode)
        {
            case IrOpcode.Constant:
                return ~(ulong)instruction.Immediate;
            case IrOpcode.ZeroExtend:
                return ~LowBits(instruction.Width) | zeros[instruction.Operands[0].Id];
            case IrOpcode.SignExtend:
                ulong source = zeros[instruction.Operands[0].Id];
                ulong copies = (source >> (instruction.Width - 1) & 1) != 0 ? ~LowBits(instruction.Width) : 0;
                return copies | (source & LowBits(instruction.Width));
            case IrOpcode.ByteSwap or IrOpcode.AtomicReadModifyWrite or IrOpcode.AtomicCompareExchange:
                return ~LowBits(instruction.Width);
            case IrOpcode.Load:
                return instruction.IsSigned ? 0 : ~LowBits(instruction.Width);
            case IrOpcode.Phi:
                return ZerosOfAll(instruction, 0, zeros);
            case IrOpcode.Select:
                return ZerosOfAll(instruction, 2, zeros);
            default:
                return IrRules.IsArithmetic(instruction.Opcode) ? ZerosOfArithmetic(instruction, zeros) : 0;
        }
    }

    private static ulong ZerosOfAll(IrInstruction instruction, int first, ulong[] zeros)
    {
        ulong known = instruction.Width == 32 ? LowHalf : ulong.MaxValue;
        for (int i = first; i < instruction.Operands.Length; i++)
            known &= zeros[instruction.Operands[i].Id];
        return known;
    }

    /// <summary>Of operations of width 32 only the low half is known.</summary>
    private static ulong ZerosOfArithmetic(IrInstruction instruction, ulong[] zeros)
    {
        int width = instruction.Width;
        ulong all = LowBits(width);
        ulong left = zeros[instruction.Operands[0].Id] & all;
        ulong right = instruction.Operands.Length > 1 ? zeros[instruction.Operands[1].Id] & all : 0;
        int leftBits = BitCount(left, width);
        int rightBits = BitCount(right, width);
        IrInstruction? count = instruction.Operands.Length > 1 && instruction.Operands[1].Opcode == IrOpcode.Constant
            ? instruction.Operands[1] : null;
        int shift = count == null ? -1 : (int)(count.Immediate & (width - 1));
        switch (instruction.Opcode)
        {
            case IrOpcode.And:
                return left | right;
            case IrOpcode.Or or IrOpcode.Xor:
                return left & right;
            case IrOpcode.Add:
                return Above(Math.Max(leftBits, rightBits) + 1, width);
            case IrOpcode.Multiply:
                return Above(leftBits + rightBits, width);
            case IrOpcode.UnsignedDivide:
                return Above(leftBits, width);
            case IrOpcode.UnsignedRemainder:
                // By zero it gives the dividend, so that only a divisor that is certainly not zero bounds it.
                return Above(count != null && right != all ? Math.Min(leftBits, rightBits) : leftBits, width);
            case IrOpcode.ShiftRightLogical:
                return shift < 0 ? Above(leftBits, width) : (left >> shift | Above(width - shift, width)) & all;
            case IrOpcode.ShiftLeft:
                return shift < 0 ? LowBits(BitOperations.TrailingZeroCount(~left)) & all : (left << shift | LowBits(shift)) & all;
            default:
                return 0;
        }
    }

    /// <summary>One more than the number of the highest bit below the width that may be set.</summary>
    private static int BitCount(ulong zeros, int width) => 64 - BitOperations.LeadingZeroCount(~zeros & LowBits(width));

    /// <summary>The bits from number <paramref name="bit"/> to the width.</summary>
    private static ulong Above(int bit, int width) => bit >= width ? 0 : LowBits(width) & ~LowBits(bit);

    private static ulong LowBits(int count) => count == 0 ? 0 : ulong.MaxValue >> (64 - count);
}
