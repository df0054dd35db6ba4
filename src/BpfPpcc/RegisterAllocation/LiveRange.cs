namespace BpfPpcc.RegisterAllocation;

/// <summary>
/// Program points: three for each instruction, instructions being counted through all blocks in block order.
/// <list type="bullet">
/// <item>gap: what fixed and tied uses read from, before the moves that put them in place;</item>
/// <item>early: the uses are read here, and early and tied defs have taken their registers;</item>
/// <item>late: defs are written, and calls have destroyed the volatile registers.</item>
/// </list>
/// A range is half-open. So a use ends at the late point and a def may share its register; an early def begins where uses still are.
/// </summary>
internal static class ProgramPoint
{
    public static int Gap(int instruction) => 3 * instruction;

    public static int Early(int instruction) => (3 * instruction) + 1;

    public static int Late(int instruction) => (3 * instruction) + 2;

    public static int Instruction(int point) => point / 3;
}

/// <summary>Points <paramref name="From"/> up to but not including <paramref name="To"/>, during which a virtual register is live.</summary>
internal readonly record struct LiveRange(int From, int To, int Register);

/// <summary>What an instruction does with a virtual register, as far as it matters where the value is.</summary>
internal enum OccurrenceKind : byte
{
    /// <summary>Block parameter: the value arrives by the edges; the instruction is the first of the block.</summary>
    Parameter,

    /// <summary>Written at the late point.</summary>
    Def,

    /// <summary>Written at the early point: an early def, or a def with a tied use, whose register is taken by the use.</summary>
    EarlyDef,

    /// <summary>Appears in a fixed register, and is moved to its place in the gap of the next instruction.</summary>
    FixedDef,

    /// <summary>Read from any GPR at the early point.</summary>
    RegisterUse,

    /// <summary>Fixed or tied use: read in the gap from wherever it is, by the move that puts it in place.</summary>
    GapUse,

    /// <summary>Argument of an edge: read from wherever it is at the end of the block; the instruction is the terminator.</summary>
    EdgeUse,
}

/// <summary>One use or def of a virtual register.</summary>
/// <param name="FixedGpr">The GPR of a fixed use or def, or -1.</param>
internal readonly record struct Occurrence(int Instruction, OccurrenceKind Kind, sbyte FixedGpr)
{
    public bool IsDef => Kind <= OccurrenceKind.FixedDef;

    /// <summary>First point at which the value must be in its place.</summary>
    public int FirstPoint => Kind switch
    {
        OccurrenceKind.Parameter => ProgramPoint.Gap(Instruction),
        OccurrenceKind.Def => ProgramPoint.Late(Instruction),
        OccurrenceKind.EarlyDef => ProgramPoint.Early(Instruction),
        OccurrenceKind.FixedDef => ProgramPoint.Gap(Instruction + 1),
        OccurrenceKind.RegisterUse => ProgramPoint.Early(Instruction),
        OccurrenceKind.GapUse => ProgramPoint.Gap(Instruction),
        OccurrenceKind.EdgeUse => ProgramPoint.Gap(Instruction),
    };

    /// <summary>End of a range that is needed for this occurrence and nothing behind it.</summary>
    public int EndPoint => Kind switch
    {
        OccurrenceKind.Parameter => ProgramPoint.Early(Instruction),
        OccurrenceKind.Def => ProgramPoint.Gap(Instruction + 1),
        OccurrenceKind.EarlyDef => ProgramPoint.Gap(Instruction + 1),
        OccurrenceKind.FixedDef => ProgramPoint.Early(Instruction + 1),
        OccurrenceKind.RegisterUse => ProgramPoint.Late(Instruction),
        OccurrenceKind.GapUse => ProgramPoint.Early(Instruction),
        OccurrenceKind.EdgeUse => ProgramPoint.Gap(Instruction + 1),
    };
}
