using BpfPpcc.Mir;
using BpfPpcc.Ppc64;

namespace BpfPpcc.RegisterAllocation;

/// <summary>Where a value is: a GPR or a spill slot of 8 bytes.</summary>
public readonly record struct Location
{
    private readonly int _value;

    private Location(int value) => _value = value;

    public bool IsGpr => _value >= 0;

    public Gpr Gpr => new((byte)_value);

    /// <summary>Number of the spill slot, from 0.</summary>
    public int SpillSlot => ~_value;

    public static Location InGpr(Gpr gpr) => new(gpr.Number);

    public static Location InSpillSlot(int slot) => new(~slot);
}

/// <summary>
/// Something that emission does before an instruction, beside what the MIR says: move a value, or compute a rematerialisable one.
/// Edits at one point happen one after another, in list order (parallel moves are in sequence already). r0 may be a source or a
/// destination: it breaks cycles and carries moves from slot to slot, so it keeps nothing from one instruction of the MIR to the next.
/// Only LoadImmediate, addi and addis are ever rematerialised into r0: the expansions of the others use their register as RA.
/// An edit may stand between a comparison and its branch: it changes neither CR nor XER.
/// </summary>
/// <param name="Block">Block index.</param>
/// <param name="Instruction">Index in the block of the instruction before which this happens.</param>
/// <param name="From">Source; means nothing if <paramref name="Rematerialize"/> is set.</param>
/// <param name="To">Destination. Never both spill slots.</param>
/// <param name="Rematerialize">The defining instruction to repeat into <paramref name="To"/>, or null.</param>
public readonly record struct AllocationEdit(int Block, int Instruction, Location From, Location To, MachineInstruction? Rematerialize);

/// <summary>
/// The result of register allocation, beside the machine function, which it does not change: a GPR for every register operand, and the
/// edits in between. Emission reads both.
/// </summary>
public sealed class Allocation
{
    /// <summary>By block, by instruction, by operand: the GPR of each virtual-register operand (the number means nothing for others).</summary>
    public required Gpr[][][] OperandGprs { get; init; }

    /// <summary>Sorted by block, then instruction; in execution order at one point.</summary>
    public required AllocationEdit[] Edits { get; init; }

    /// <summary>Instructions that need not be emitted, because all uses of their value were rematerialised or coalesced: (block, instruction), sorted.</summary>
    public required (int Block, int Instruction)[] Deleted { get; init; }

    public required int SpillSlotCount { get; init; }

    /// <summary>Callee-saved registers that are written, ascending.</summary>
    public required Gpr[] UsedCalleeSaved { get; init; }
}
