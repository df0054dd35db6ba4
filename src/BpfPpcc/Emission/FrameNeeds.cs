using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.RegisterAllocation;

namespace BpfPpcc.Emission;

/// <summary>
/// Which blocks need the frame: those that call, touch a callee-saved register, or what lies below the red zone. The rest of the frame is
/// in the same places whether r1 has been lowered or not, so that it may be written before and read behind.
/// </summary>
internal static class FrameNeeds
{
    /// <summary>By block.</summary>
    public static bool[] Find(MachineFunction function, Allocation allocation, FrameLayout frame)
    {
        var needs = new bool[function.Blocks.Count];
        foreach (MachineBlock block in function.Blocks)
        {
            for (int i = 0; i < block.Instructions.Count; i++)
                needs[block.Index] |= NeedsFrame(block.Instructions[i], allocation.OperandGprs[block.Index][i], frame);
        }

        foreach (AllocationEdit edit in allocation.Edits)
            needs[edit.Block] |= NeedsFrame(edit.To, frame) || (edit.Rematerialize is null && NeedsFrame(edit.From, frame));
        return needs;
    }

    private static bool NeedsFrame(MachineInstruction instruction, Gpr[] gprs, FrameLayout frame)
    {
        if (instruction.ClobbersVolatile)
            return true;
        MachineOperand[] operands = instruction.Operands;
        for (int i = 0; i < operands.Length; i++)
        {
            bool needsFrame = operands[i].Kind switch
            {
                MachineOperandKind.VirtualRegister => gprs[i].IsCalleeSaved,
                MachineOperandKind.Frame => operands[i].Area == FrameArea.BpfStack && !frame.FitsRedZone,
                MachineOperandKind.Gpr or MachineOperandKind.Zero or MachineOperandKind.Immediate or MachineOperandKind.CrField
                    or MachineOperandKind.CrBit or MachineOperandKind.Block or MachineOperandKind.Symbol => false,
            };
            if (needsFrame)
                return true;
        }

        return false;
    }

    private static bool NeedsFrame(Location location, FrameLayout frame) => location.IsGpr ? location.Gpr.IsCalleeSaved : !frame.FitsRedZone;
}
