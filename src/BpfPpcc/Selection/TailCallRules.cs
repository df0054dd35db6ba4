using BpfPpcc.Ir;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using static BpfPpcc.Mir.MachineOperand;
using static BpfPpcc.Ppc64.Ppc64Opcode;

namespace BpfPpcc.Selection;

/// <summary>
/// TailCall: the checks of object-abi.md in its order, a block each, with the code that follows as the way out of all of them:
/// <code>
/// index:     index &lt; max_entries, as unsigned 32-bit numbers     else following    (left out if it is known)
/// count:     count &lt; 33, wherever the count is                   else following
/// slot:      progs[index] is not null                            else following
/// jump:      count + 1 is stored; to the target's tail entry
/// following:
/// </code>
/// </summary>
internal static class TailCallRules
{
    // struct bpfppcc_map and struct bpfppcc_prog (object-abi.md, Maps and Discovery).
    private const int MapMaxEntriesOffset = 16;
    private const int MapProgramsOffset = 96;
    private const int ProgramTailEntryOffset = 56;

    private enum Plan : byte
    {
        /// <summary>The index is out of range: nothing happens.</summary>
        NeverSucceeds,
        IndexInRange,
        IndexUnknown,
    }

    /// <summary>Machine blocks that a tail call needs beside the one in which it is found.</summary>
    public static int ExtraBlocks(IrInstruction call, IrModule module) => PlanOf(call, module) switch
    {
        Plan.NeverSucceeds => 0,
        Plan.IndexInRange => 3,
        Plan.IndexUnknown => 4,
    };

    public static void Select(SelectionContext context, IrInstruction call)
    {
        Plan plan = PlanOf(call, context.Module);
        if (plan == Plan.NeverSucceeds)
            return;

        int following = context.OpenBlock;
        VirtualRegister countAddress = context.NewRegister();
        VirtualRegister count = context.NewRegister();
        VirtualRegister program = context.NewRegister();
        context.ContinueInBlock(following - 1);
        EmitJump(context, call, countAddress, count, program);
        context.ContinueInBlock(following - 2);
        CheckSlot(context, call, program, following);
        context.ContinueInBlock(following - 3);
        CheckCount(context, countAddress, count, following);
        if (plan == Plan.IndexInRange)
            return;
        context.ContinueInBlock(following - 4);
        CheckIndex(context, call, following);
    }

    private static IrInstruction ContextOf(IrInstruction call) => call.Operands[0];

    private static IrInstruction MapOf(IrInstruction call) => call.Operands[1];

    private static IrInstruction IndexOf(IrInstruction call) => call.Operands[2];

    private static Plan PlanOf(IrInstruction call, IrModule module)
    {
        if (!TryMaxEntries(call, module, out uint maxEntries))
            return Plan.IndexUnknown;
        if (maxEntries == 0)
            return Plan.NeverSucceeds;
        if (!ValueFacts.TryConstant(IndexOf(call), out long index))
            return Plan.IndexUnknown;
        return (uint)index < maxEntries ? Plan.IndexInRange : Plan.NeverSucceeds;
    }

    /// <summary>The size of the prog array, if it is one of this object.</summary>
    private static bool TryMaxEntries(IrInstruction call, IrModule module, out uint maxEntries)
    {
        maxEntries = 0;
        IrInstruction map = MapOf(call);
        return map.Opcode == IrOpcode.SymbolAddress && map.Immediate == 0
            && module.ProgramArrays.TryGetValue(map.Symbol, out maxEntries);
    }

    private static void CheckIndex(SelectionContext context, IrInstruction call, int following)
    {
        MachineOperand index = context.UseLow(IndexOf(call), 32);
        if (!TryMaxEntries(call, context.Module, out uint maxEntries))
        {
            VirtualRegister size = LoadFromMap(context, call, Lwz, Lwzx, MapMaxEntriesOffset, DisplacementKind.D);
            context.Emit(Cmplw, CrField(0), index, Use(size));
        }
        else if (maxEntries <= ushort.MaxValue)
        {
            context.Emit(Cmplwi, CrField(0), index, Immediate(maxEntries));
        }
        else
        {
            context.Emit(Cmplw, CrField(0), index, context.UseImmediate((int)maxEntries));
        }

        LeaveIf(context, new ConditionOutcome(CrBits.Lt, IsSet: false), following);
    }

    private static void CheckCount(SelectionContext context, VirtualRegister countAddress, VirtualRegister count, int following)
    {
        CallRules.EmitCountAddress(context, countAddress);
        context.Emit(Ld, Def(count), Immediate(0), Use(countAddress));
        context.Emit(Cmpldi, CrField(0), Use(count), Immediate(CallRules.MaximumTailCalls));
        LeaveIf(context, new ConditionOutcome(CrBits.Lt, IsSet: false), following);
    }

    private static void CheckSlot(SelectionContext context, IrInstruction call, VirtualRegister program, int following)
    {
        VirtualRegister slots = LoadFromMap(context, call, Ld, Ldx, MapProgramsOffset, DisplacementKind.DS);
        if (ValueFacts.TryConstant(IndexOf(call), out long index))
        {
            EmitLoad(context, Ld, Ldx, program, AddressRules.WithOffset(context, Use(slots), (uint)index * 8L, DisplacementKind.DS));
        }
        else
        {
            VirtualRegister offset = context.NewRegister();
            context.Emit(Rldic, Def(offset), context.UseLow(IndexOf(call), 32), Immediate(3), Immediate(64 - 32 - 3));
            context.Emit(Ldx, Def(program), Use(slots), Use(offset));
        }

        context.Emit(Cmpdi, CrField(0), Use(program), Immediate(0));
        LeaveIf(context, new ConditionOutcome(CrBits.Eq, IsSet: true), following);
    }

    /// <summary>All checks passed, there is no way back: count, and go.</summary>
    private static void EmitJump(
        SelectionContext context, IrInstruction call, VirtualRegister countAddress, VirtualRegister count, VirtualRegister program)
    {
        VirtualRegister tailEntry = context.Compute(Ld, Immediate(ProgramTailEntryOffset), Use(program));
        VirtualRegister next = context.Compute(Addi, Use(count), Immediate(1));
        context.Emit(Std, Use(next), Immediate(0), Use(countAddress));
        context.Emit(MachinePseudo.TailCallJump, Use(tailEntry, (sbyte)12),
            Use(context.ArgumentRegister(ContextOf(call)), (sbyte)Gpr.R3.Number));
    }

    private static VirtualRegister LoadFromMap(
        SelectionContext context, IrInstruction call, Ppc64Opcode displaced, Ppc64Opcode indexed, int offset, DisplacementKind kind)
    {
        VirtualRegister loaded = context.NewRegister();
        EmitLoad(context, displaced, indexed, loaded, AddressRules.Operands(context, call, MapOf(call), offset, kind));
        return loaded;
    }

    private static void EmitLoad(
        SelectionContext context, Ppc64Opcode displaced, Ppc64Opcode indexed, VirtualRegister loaded, AddressOperands address)
    {
        if (address.IsIndexed)
            context.Emit(indexed, Def(loaded), address.Base, address.Other);
        else
            context.Emit(displaced, Def(loaded), address.Other, address.Base);
    }

    /// <summary>Ends a check: to the following code on failure, else to the next block.</summary>
    private static void LeaveIf(SelectionContext context, ConditionOutcome failure, int following) =>
        context.EmitBranch(failure, new MachineEdge(following, []), new MachineEdge(context.OpenBlock + 1, []));
}
