using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.Symbols;

namespace BpfPpcc.Emission;

/// <summary>
/// Writes a function's entry points, and the set-up and tear-down of its frame wherever they stand; knows at each place whether the frame
/// is set up, and marks that in the code (object-abi.md, Entry, exit and tail calls; ELFv2 ABI, 2.3.2 and 2.2.3).
/// </summary>
internal sealed class FrameCode(FrameLayout frame, CodeBuffer code)
{
    private readonly FrameLayout _frame = frame;
    private readonly CodeBuffer _code = code;

    /// <summary>Byte offset of the local entry point.</summary>
    public int LocalEntryOffset { get; private set; }

    /// <summary>Byte offset of the tail entry, or -1.</summary>
    public int TailEntryOffset { get; private set; } = -1;

    /// <summary>What is written now runs with the frame set up.</summary>
    public bool IsSetUp { get; private set; }

    /// <summary>A return is a blr and nothing else.</summary>
    public bool HasPlainReturn => !IsSetUp || _frame.IsNothing;

    /// <summary>Displacement from r1 of a spill slot.</summary>
    public int SpillDisplacement(int slot) => LoweredBy + _frame.SpillOffset(slot);

    /// <summary>Displacement from r1.</summary>
    public int Displacement(FrameArea area, long offset) => LoweredBy + _frame.OffsetOf(area, offset);

    private int LoweredBy => IsSetUp ? _frame.Size : 0;

    /// <summary>What every path into the function begins with.</summary>
    public void WriteEntries(MachineFunction function, TargetDescription target)
    {
        _code.MarkFrame(FrameState.Outside(_frame));
        if (function.NeedsToc && function.IsCallableFromC && target.Abi == Ppc64Abi.ElfV2)
            WriteGlobalEntry();
        LocalEntryOffset = _code.Offset;
        WriteTailCallSetUp(function);
        if (function.IsProgram)
            TailEntryOffset = _code.Offset;
    }

    /// <summary>A block begins, with or without the frame.</summary>
    public void EnterBlock(bool isSetUp)
    {
        IsSetUp = isSetUp;
        _code.MarkFrame(isSetUp ? FrameState.Inside(_frame) : FrameState.Outside(_frame));
    }

    public void WriteSetUp()
    {
        Gpr[] saved = _frame.SavedRegisters;
        if (_frame.SavesLinkRegister)
            _code.Emit(Ppc64Opcode.Mflr, Gpr.R0.Number);
        for (int i = saved.Length - 1; i >= 0; i--)
            _code.StoreToFrame(saved[i], _frame.SaveOffset(i));
        if (_frame.SavesLinkRegister)
            _code.StoreToFrame(Gpr.R0, TargetDescription.LinkRegisterSaveOffset);
        if (_frame.Size != 0)
            _code.Emit(Ppc64Opcode.Stdu, Gpr.R1.Number, -_frame.Size, Gpr.R1.Number);
        EnterBlock(isSetUp: true);
    }

    /// <summary>Everything from the end of the body to the return.</summary>
    public void WriteReturn()
    {
        WriteTearDown();
        _code.ReturnToLink();
    }

    /// <summary>Everything from the end of the body to the jump into another program. Its address goes from r12 to CTR first, because that takes long.</summary>
    public void WriteTailCallJump()
    {
        _code.Emit(Ppc64Opcode.Mtctr, Gpr.R12.Number);
        WriteTearDown();
        _code.JumpToCount();
    }

    /// <summary>r2 from r12, which holds the function's own address when C comes in (ELFv2 ABI, 2.3.2.1).</summary>
    private void WriteGlobalEntry()
    {
        _code.Relocate(Ppc64Relocation.R_PPC64_REL16_HA, SymbolId.None, 0);
        _code.Emit(Ppc64Opcode.Addis, Gpr.R2.Number, Gpr.R12.Number, 0);
        _code.Relocate(Ppc64Relocation.R_PPC64_REL16_LO, SymbolId.None, 0);
        _code.Emit(Ppc64Opcode.Addi, Gpr.R2.Number, Gpr.R2.Number, 0);
    }

    private void WriteTailCallSetUp(MachineFunction function)
    {
        int slot = _frame.OffsetOf(FrameArea.TailCallCount, 0);
        switch (function.TailCallRole)
        {
            case TailCallRole.None:
                if (function.IsProgram)
                {
                    _code.Nop();
                    _code.Nop();
                }

                break;
            case TailCallRole.Owner:
                _code.LoadImmediate16(Gpr.R0, 0);
                _code.StoreToFrame(Gpr.R0, slot);
                break;
            case TailCallRole.Receiver:
                if (function.IsProgram)
                    throw new InvalidOperationException($"{function.Name}: a program owns its tail-call count");
                _code.StoreToFrame(Gpr.R8, slot);
                break;
        }
    }

    /// <summary>The link register's save stays good until the end: it lies in the caller's frame.</summary>
    private void WriteTearDown()
    {
        if (!IsSetUp)
            return;
        Gpr[] saved = _frame.SavedRegisters;
        FrameState state = FrameState.Inside(_frame);
        for (int i = 0; i < saved.Length; i++)
        {
            _code.LoadFromFrame(saved[i], _frame.Size + _frame.SaveOffset(i));
            _code.MarkFrame(state = state with { FirstSaved = i + 1 });
        }

        if (_frame.Size != 0)
        {
            _code.Emit(Ppc64Opcode.Addi, Gpr.R1.Number, Gpr.R1.Number, _frame.Size);
            _code.MarkFrame(state with { IsLowered = false });
        }

        if (_frame.SavesLinkRegister)
        {
            _code.LoadFromFrame(Gpr.R0, TargetDescription.LinkRegisterSaveOffset);
            _code.Emit(Ppc64Opcode.Mtlr, Gpr.R0.Number);
        }
    }
}
