using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.RegisterAllocation;

namespace BpfPpcc.Emission;

/// <summary>
/// Where a function keeps what does not live in registers. From the caller's r1 downwards: the doubleword of the tail-call count (also in
/// functions that never use it: every program has it in the same place), callee-saved registers, the BPF stack, spill slots, and, if
/// there is a frame, the ABI's header. A function that calls nothing and needs no more than the red zone has no frame: the same places
/// then lie below r1. LR is saved in the caller's header, only by functions that call (object-abi.md, Entry, exit and tail calls; ELFv2 ABI, 2.2.3).
/// </summary>
internal sealed class FrameLayout
{
    private const int TailCallSlot = -8;

    private readonly int _savesEnd;
    private readonly int _spillTop;

    private FrameLayout(MachineFunction function, Allocation allocation, TargetDescription target)
    {
        SavedRegisters = allocation.UsedCalleeSaved;
        SavesLinkRegister = HasCall(function);
        _savesEnd = TailCallSlot - 8 * SavedRegisters.Length;
        _spillTop = _savesEnd - function.BpfStackSize;
        int used = -_spillTop + 8 * allocation.SpillSlotCount;
        FitsRedZone = used <= TargetDescription.RedZoneSize;
        bool needsFrame = SavesLinkRegister || !FitsRedZone;
        Size = needsFrame ? (used + target.FrameHeaderSize + CallingConvention.StackAlignment - 1) & -CallingConvention.StackAlignment : 0;
    }

    /// <summary>Bytes by which r1 is lowered, a multiple of 16; 0 without a frame.</summary>
    public int Size { get; }

    public bool SavesLinkRegister { get; }

    /// <summary>All but the header and what callees need lies where it is safe without lowering r1.</summary>
    public bool FitsRedZone { get; }

    /// <summary>There is nothing to set up or tear down.</summary>
    public bool IsNothing => Size == 0 && SavedRegisters.Length == 0 && !SavesLinkRegister;

    /// <summary>Callee-saved registers to keep, ascending.</summary>
    public Gpr[] SavedRegisters { get; }

    public static FrameLayout Of(MachineFunction function, Allocation allocation, TargetDescription target) =>
        new(function, allocation, target);

    /// <summary>Offset from the caller's r1 of the save of <c>SavedRegisters[index]</c>: the highest register lies highest.</summary>
    public int SaveOffset(int index) => _savesEnd + 8 * index;

    /// <summary>Offset from the caller's r1 of a spill slot.</summary>
    public int SpillOffset(int slot) => _spillTop - 8 * (slot + 1);

    /// <summary>Offset from the caller's r1.</summary>
    public int OffsetOf(FrameArea area, long offset) => (int)offset + area switch
    {
        FrameArea.BpfStack => _savesEnd,
        FrameArea.TailCallCount => TailCallSlot,
    };

    private static bool HasCall(MachineFunction function)
    {
        foreach (MachineBlock block in function.Blocks)
        {
            foreach (MachineInstruction instruction in block.Instructions)
            {
                if (instruction.ClobbersVolatile)
                    return true;
            }
        }

        return false;
    }
}
