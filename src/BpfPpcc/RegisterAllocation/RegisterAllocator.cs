using BpfPpcc.Mir;
using BpfPpcc.Ppc64;

namespace BpfPpcc.RegisterAllocation;

/// <summary>
/// Register allocation: a machine function on virtual registers goes in and stays as it is; an <see cref="Allocation"/> comes out, which
/// says for each operand which GPR it is and what has to be moved in between. Backtracking allocation on live ranges, in this order:
/// <code>
/// Liveness          uses, defs and live ranges on a line of program points
/// BundleBuilder     registers that moves join are put together where they are never live at once
/// FrameSplitter     what crosses calls is cut where the frame is set up
/// BundleAssigner    bundles get GPRs; heavier ones evict lighter ones; what gets none goes to
///   CallSplitter,     is cut at calls, at the borders of loops, between uses,
///     BundleSplitter  and comes back in pieces, spilled in between
/// MoveCollector     operands get GPRs; moves between pieces, fixed operands, slots, edges
/// SpillSlots        slots for spilled registers
/// ParallelMoves     simultaneous moves become a sequence: edits
/// EditSimplifier    edits that bring what is there already go
/// ConstantHoister   paths of nothing but a constant are left empty
/// SpillStores       stores to slots that nothing reads any more go
/// LoopEdgeMoves     moves on the way round a loop are made before the branch out of it
/// </code>
/// Allocatable are the volatile r3..r12 and the callee-saved r14..r31 (ELFv2 2.2.1.1); r0 is scratch between instructions, r1, r2 and r13
/// are never touched. All steps are linear but for logarithms, and the result depends on the input alone.
/// <see cref="AllocationChecker"/> proves a result without knowing how it was made.
/// </summary>
public static class RegisterAllocator
{
    /// <summary>Allocates registers for a function that satisfies the invariants of <see cref="MachineFunction"/>.</summary>
    /// <param name="function">Not changed.</param>
    /// <param name="target">All targets so far have the same allocatable registers.</param>
    public static Allocation Allocate(MachineFunction function, TargetDescription target)
    {
        ArgumentNullException.ThrowIfNull(function);
        ArgumentNullException.ThrowIfNull(target);
        Liveness liveness = Liveness.Compute(function);
        List<LiveRange[]> ranges = BundleBuilder.Build(liveness, out Affinity[] affinities, out int[] groups);
        var frame = new FrameSplitter(liveness);
        ranges = frame.Split(ranges);
        var splitter = new BundleSplitter(liveness, frame);
        List<Bundle> bundles = BundleAssigner.Assign(liveness, ranges, affinities, splitter, frame);
        CollectedMoves collected = MoveCollector.Collect(liveness, new ValueLocations(liveness, bundles), splitter.IsSpilled, frame);
        int[] slots = SpillSlots.Assign(liveness, collected.NeedsSlot, groups, out int slotCount);
        AllocationEdit[] edits = ParallelMoves.Sequence(liveness, collected.Moves, slots, ref slotCount);
        edits = EditSimplifier.Simplify(liveness, collected.OperandGprs, collected.Deleted, edits, slotCount);
        edits = ConstantHoister.Hoist(function, collected.OperandGprs, collected.Deleted, edits);
        edits = SpillStores.DropDead(function, edits, slotCount);
        edits = LoopEdgeMoves.Hoist(function, collected.OperandGprs, collected.Deleted, edits);
        slotCount = SpillSlots.Compact(edits, slotCount);
        return new Allocation
        {
            OperandGprs = collected.OperandGprs,
            Edits = edits,
            Deleted = collected.Deleted.ToArray(),
            SpillSlotCount = slotCount,
            UsedCalleeSaved = CalleeSavedOf(bundles),
        };
    }

    /// <summary>Only bundles are in callee-saved registers: fixed operands are never in one.</summary>
    private static Gpr[] CalleeSavedOf(List<Bundle> bundles)
    {
        uint used = 0;
        foreach (Bundle bundle in bundles)
        {
            used |= 1u << bundle.Gpr;
        }

        var gprs = new List<Gpr>();
        for (byte number = 0; number < 32; number++)
        {
            var gpr = new Gpr(number);
            if (gpr.IsCalleeSaved && (used >> number & 1) != 0)
            {
                gprs.Add(gpr);
            }
        }

        return gprs.ToArray();
    }
}
