using BpfPpcc.Tests.Differential;
using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Verification.Fuzz;

/// <summary>Small changes of a program, most of which leave it well-formed: what is left out or changed is what the verifier must notice.</summary>
internal static class StressMutator
{
    public static Slot[] Mutate(Slot[] slots, Prng random)
    {
        Slot[] result = [.. slots];
        for (int i = random.Pick(1, 1, 1, 2, 3); i > 0; i--)
            MutateOne(result, random);
        return result;
    }

    private static void MutateOne(Slot[] slots, Prng random)
    {
        int at = random.Next(slots.Length);
        Slot slot = slots[at];
        // Half of a 64-bit immediate, an exit or a call of a function is left alone: without it nothing is a program any more.
        if (slot.Opcode is 0 or 0x18 or 0x95 || (slot.Opcode == 0x85 && slot.Src == 1))
            return;
        slots[at] = random.Next(9) switch
        {
            0 => Slot.Nop,
            1 when HasOffset(slot) => slot with { Offset = slot.Offset + random.Pick(1, -1, 8, -8, 4, -4, 2) },
            2 when HasImmediate(slot) => slot with { Imm = slot.Imm + random.Pick(1, -1, 8, -8, 64) },
            3 when HasImmediate(slot) => slot with { Imm = random.Immediate() },
            4 when slot.Opcode is not (0x05 or 0x06 or 0x85 or 0xe5) => slot with { Dst = random.Next(10) },
            5 when HasSource(slot) => slot with { Src = random.Next(10) },
            6 when slot.IsJump => slot.Negated(),
            6 when (slot.Opcode & 7) is 1 or 2 or 3 => slot with { Opcode = (byte)(slot.Opcode ^ random.Pick(0x08, 0x10, 0x18)) },
            7 => OtherOperation(slot, random),
            _ when at + 1 < slots.Length && slots[at + 1].Opcode is not (0 or 0x18 or 0x95) => Swapped(slots, at),
            _ => Slot.Nop,
        };
    }

    private static Slot Swapped(Slot[] slots, int at)
    {
        Slot second = slots[at + 1];
        slots[at + 1] = slots[at];
        return second;
    }

    private static bool HasOffset(Slot slot) => (slot.Opcode & 7) is 1 or 2 or 3 || (slot.IsJump && slot.Opcode != 0x06);

    private static bool HasImmediate(Slot slot) =>
        (slot.Opcode & 7) == 2 || ((slot.Opcode & 8) == 0 && (slot.Opcode & 7) is 4 or 5 or 6 or 7 && slot.Opcode is not (0x05 or 0x85 or 0xe5 or 0x84 or 0x87));

    private static bool HasSource(Slot slot) => (slot.Opcode & 7) is 1 or 3 || ((slot.Opcode & 8) != 0 && (slot.Opcode & 7) is 4 or 5 or 6 or 7);

    private static Slot OtherOperation(Slot slot, Prng random) => (slot.Opcode & 7) switch
    {
        // The other width, another operation.
        4 or 7 => random.Coin() ? slot with { Opcode = (byte)(slot.Opcode ^ 3) } : slot with { Opcode = (byte)(slot.Opcode & 15 | random.Next(14) << 4) },
        5 or 6 when slot.IsJump => random.Coin()
            ? slot with { Opcode = (byte)(slot.Opcode ^ 3) } : slot with { Opcode = (byte)(slot.Opcode & 15 | random.Pick(1, 2, 3, 4, 5, 6, 7, 10, 11, 12, 13) << 4) },
        1 or 2 or 3 => slot with { Opcode = (byte)(slot.Opcode ^ random.Pick(0x08, 0x10, 0x18)) },
        _ => slot,
    };
}
