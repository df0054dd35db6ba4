using System.Numerics;

namespace BpfPpcc.Ppc64;

/// <summary>
/// 64-bit constants in as few instructions of any 64-bit Power processor as the shape below allows, in one register and without memory:
///
///     base      li or lis, and perhaps ori, oris or xoris     one or two instructions
///     rotation  one rotate instruction, or none
///     tail      oris or xoris, ori or xori                    up to two instructions
///
/// The search goes backwards: from the bits that a step must deliver (the constant's own, without those that a tail sets afterwards) to
/// the bits that the step before must deliver. Bits that a rotation's mask clears anyway are free, and so are those that a tail flips as
/// needed; a wanted value is therefore a pair, the bits and which of them matter. The five-instruction shape reaches every constant.
/// </summary>
public static class ImmediateSynthesis
{
    /// <summary>No constant takes more instructions.</summary>
    public const int MaxLength = 5;

    private const ulong LowHalfword = 0xffff;
    private const ulong HighHalfword = 0xffff_0000;
    private const ulong UpperWord = 0xffff_ffff_0000_0000;

    /// <summary>A number of which only the bits in Matters are asked for; the others are 0 in Bits.</summary>
    private readonly record struct Wanted(ulong Bits, ulong Matters);

    /// <summary>A rotate instruction of the register on itself.</summary>
    private readonly record struct Rotation(Ppc64Opcode Opcode, int Shift, int Begin, int End);

    /// <summary>What the base delivers and how that is rotated. The tail is what then still differs from the constant.</summary>
    private readonly record struct Plan(ulong Base, Rotation? Rotation);

    /// <summary>Number of instructions, 1..5, that <see cref="Synthesize"/> takes.</summary>
    public static int Cost(long value) => Find(value, out _);

    /// <summary>Writes the instructions that put a constant into a register, which may be any, r0 too; they touch nothing else.</summary>
    /// <param name="instructions">Room for <see cref="MaxLength"/>.</param>
    /// <returns>How many were written.</returns>
    public static int Synthesize(long value, Gpr target, Span<Ppc64Instruction> instructions)
    {
        int length = Find(value, out Plan plan);
        int count = WriteBase((long)plan.Base, target.Number, instructions);
        ulong reached = plan.Base;
        if (plan.Rotation is { } rotation)
        {
            instructions[count++] = Instruction(rotation, target.Number);
            reached = Rotate(reached, rotation);
        }
        count += WriteTail(reached, (ulong)value, target.Number, instructions[count..]);
        if (count != length) throw new InvalidOperationException($"{value:x16} takes {count} instructions, not {length}");
        return count;
    }

    /// <summary>The shortest plan and its length; shapes of equal length in the order of preference.</summary>
    private static int Find(long value, out Plan plan)
    {
        var bits = (ulong)value;
        Wanted whole = Without(bits, 0);
        plan = default;

        if (TryBase(whole, 1, out ulong one)) return Found(new Plan(one, null), 1, out plan);
        if (TryBase(whole, 2, out ulong two)) return Found(new Plan(two, null), 2, out plan);
        if (TryRotatedBase(whole, 1, ref plan)) return 2;

        Wanted withoutLow = Without(bits, LowHalfword);
        Wanted withoutHigh = Without(bits, HighHalfword);
        if (TryRotatedBase(whole, 2, ref plan)) return 3;
        if (TryRotatedBase(withoutLow, 1, ref plan)) return 3;
        if (TryRotatedBase(withoutHigh, 1, ref plan)) return 3;

        Wanted withoutWord = Without(bits, LowHalfword | HighHalfword);
        if (TryRotatedBase(withoutLow, 2, ref plan)) return 4;
        if (TryRotatedBase(withoutHigh, 2, ref plan)) return 4;
        if (TryRotatedBase(withoutWord, 1, ref plan)) return 4;

        var upperWord = new Rotation(Ppc64Opcode.Rldicr, 32, 0, 31);
        return Found(new Plan((ulong)(value >> 32), upperWord), 5, out plan);
    }

    private static Wanted Without(ulong bits, ulong free) => new(bits & ~free, ~free);

    private static int Found(Plan found, int length, out Plan plan)
    {
        plan = found;
        return length;
    }

    // Bases. Each class of values is a run of bits that are all equal, bits that are 0, and bits that are anything.

    /// <summary>A value of at most this many instructions (1 or 2) that has the wanted bits.</summary>
    private static bool TryBase(Wanted wanted, int length, out ulong value)
    {
        if (length == 1)
        {
            return TryFill(wanted, ~0x7ffful, out value)
                || ((wanted.Bits & LowHalfword) == 0 && TryFill(wanted, ~0x7fff_fffful, out value));
        }
        return TryFill(wanted, ~0x7fff_fffful, out value)
            || TryFill(wanted, UpperWord | 0x8000, out value);
    }

    /// <summary>Sets the bits of <paramref name="equal"/> to all 0 or all 1, if those that matter are; other free bits to 0.</summary>
    private static bool TryFill(Wanted wanted, ulong equal, out ulong value)
    {
        ulong bits = wanted.Bits & equal;
        value = wanted.Bits;
        if (bits == 0) return true;
        value |= equal;
        return bits == (wanted.Matters & equal);
    }

    private static int WriteBase(long value, int target, Span<Ppc64Instruction> instructions)
    {
        if (Ppc64Fields.FitsSI16(value))
        {
            instructions[0] = new(Ppc64Opcode.Addi, target, 0, (int)value);
            return 1;
        }
        if (value == (int)value)
        {
            instructions[0] = new(Ppc64Opcode.Addis, target, 0, (int)value >> 16);
            return 1 + WriteTail((ulong)(value & ~0xffffL), (ulong)value, target, instructions[1..]);
        }
        instructions[0] = new(Ppc64Opcode.Addi, target, 0, (short)value);
        return 1 + WriteTail((ulong)(short)value, (ulong)value, target, instructions[1..]);
    }

    // Rotations. A mask is made as narrow as the wanted ones allow, so that as many bits of the base as possible are free.

    private static bool TryRotatedBase(Wanted wanted, int baseLength, ref Plan plan)
    {
        if (wanted.Bits == 0) return false;

        int begin = BitOperations.LeadingZeroCount(wanted.Bits);
        int end = 63 - BitOperations.TrailingZeroCount(wanted.Bits);
        return TryDoublewordRotation(wanted, Ppc64Opcode.Rldicr, 0, end, baseLength, ref plan)
            || TryDoublewordRotation(wanted, Ppc64Opcode.Rldicl, begin, 63, baseLength, ref plan)
            || TryShiftAndClear(wanted, begin, end, baseLength, ref plan)
            || TryWordRotation(wanted, begin, end, baseLength, ref plan)
            || TryRepeatedWord(wanted, baseLength, ref plan);
    }

    /// <summary>rldicl and rldicr, the plain shift left and the plain clearing first.</summary>
    private static bool TryDoublewordRotation(Wanted wanted, Ppc64Opcode opcode, int begin, int end, int baseLength, ref Plan plan)
    {
        ulong matters = wanted.Matters & RotateMask.Mask64(begin, end);
        for (int i = 0; i < 64; i++)
        {
            int shift = (i + 63 - end) & 63;
            var before = new Wanted(BitOperations.RotateRight(wanted.Bits, shift), BitOperations.RotateRight(matters, shift));
            if (!TryBase(before, baseLength, out ulong value)) continue;
            plan = new Plan(value, new Rotation(opcode, shift, begin, end));
            return true;
        }
        return false;
    }

    /// <summary>rldic, whose mask ends where the shift count says.</summary>
    private static bool TryShiftAndClear(Wanted wanted, int begin, int end, int baseLength, ref Plan plan)
    {
        for (int shift = 1; shift <= 63 - end; shift++)
        {
            ulong matters = wanted.Matters & RotateMask.Mask64(begin, 63 - shift);
            var before = new Wanted(BitOperations.RotateRight(wanted.Bits, shift), BitOperations.RotateRight(matters, shift));
            if (!TryBase(before, baseLength, out ulong value)) continue;
            plan = new Plan(value, new Rotation(Ppc64Opcode.Rldic, shift, begin, 63 - shift));
            return true;
        }
        return false;
    }

    /// <summary>rlwinm: the upper word becomes 0 and that of the base is free.</summary>
    private static bool TryWordRotation(Wanted wanted, int begin, int end, int baseLength, ref Plan plan)
    {
        if (begin < 32) return false;
        uint matters = (uint)wanted.Matters & RotateMask.Mask32(begin - 32, end - 32);
        return TryWord((uint)wanted.Bits, matters, begin - 32, end - 32, baseLength, ref plan);
    }

    /// <summary>rlwinm with MB = 1 and ME = 0: a mask of all ones, which goes round, so that the rotated word stands in both halves.</summary>
    private static bool TryRepeatedWord(Wanted wanted, int baseLength, ref Plan plan)
    {
        (uint upperBits, uint lowerBits) = ((uint)(wanted.Bits >> 32), (uint)wanted.Bits);
        (uint upperMatters, uint lowerMatters) = ((uint)(wanted.Matters >> 32), (uint)wanted.Matters);
        if (((upperBits ^ lowerBits) & upperMatters & lowerMatters) != 0) return false;
        return TryWord(upperBits | lowerBits, upperMatters | lowerMatters, 1, 0, baseLength, ref plan);
    }

    private static bool TryWord(uint bits, uint matters, int begin, int end, int baseLength, ref Plan plan)
    {
        for (int shift = 0; shift < 32; shift++)
        {
            var before = new Wanted(BitOperations.RotateRight(bits, shift), BitOperations.RotateRight(matters, shift));
            if (!TryBase(before, baseLength, out ulong value)) continue;
            plan = new Plan(value, new Rotation(Ppc64Opcode.Rlwinm, shift, begin, end));
            return true;
        }
        return false;
    }

    private static ulong Rotate(ulong value, Rotation rotation)
    {
        if (rotation.Opcode == Ppc64Opcode.Rlwinm)
        {
            uint word = BitOperations.RotateLeft((uint)value, rotation.Shift);
            ulong both = (ulong)word << 32 | word;
            return both & RotateMask.Mask64(rotation.Begin + 32, rotation.End + 32);
        }
        return BitOperations.RotateLeft(value, rotation.Shift) & RotateMask.Mask64(rotation.Begin, rotation.End);
    }

    private static Ppc64Instruction Instruction(Rotation rotation, int target)
    {
        if (rotation.Opcode == Ppc64Opcode.Rlwinm)
        {
            return new(rotation.Opcode, target, target, rotation.Shift, rotation.Begin, rotation.End);
        }
        int maskOperand = rotation.Opcode == Ppc64Opcode.Rldicr ? rotation.End : rotation.Begin;
        return new(rotation.Opcode, target, target, rotation.Shift, maskOperand);
    }

    // Tails.

    /// <summary>Turns one value into another that differs in the lower word only.</summary>
    private static int WriteTail(ulong from, ulong to, int target, Span<Ppc64Instruction> instructions)
    {
        int count = 0;
        ulong different = from ^ to;
        if ((different & HighHalfword) != 0)
        {
            Ppc64Opcode opcode = (from & different & HighHalfword) == 0 ? Ppc64Opcode.Oris : Ppc64Opcode.Xoris;
            instructions[count++] = new(opcode, target, target, (int)((different & HighHalfword) >> 16));
        }
        if ((different & LowHalfword) != 0)
        {
            Ppc64Opcode opcode = (from & different & LowHalfword) == 0 ? Ppc64Opcode.Ori : Ppc64Opcode.Xori;
            instructions[count++] = new(opcode, target, target, (int)(different & LowHalfword));
        }
        return count;
    }
}
