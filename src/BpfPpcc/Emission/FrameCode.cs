using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using BpfPpcc.Symbols;

namespace BpfPpcc.Emission;

/// <summary>
/// Writes what stands before and behind a function's body: entry points, set-up and tear-down of the frame, and the call frame
/// information that follows them (object-abi.md, Entry, exit and tail calls; ELFv2 ABI, 2.3.2 and 2.2.3; DWARF 5, 6.4).
/// </summary>
internal sealed class FrameCode(FrameLayout frame, CodeBuffer code)
{
    private readonly FrameLayout _frame = frame;
    private readonly CodeBuffer _code = code;

    /// <summary>Index of the row by which the last epilogue remembered the body's rows, or -1 if they hold.</summary>
    private int _rememberedAt = -1;

    /// <summary>Byte offset of the local entry point.</summary>
    public int LocalEntryOffset { get; private set; }

    /// <summary>Byte offset of the tail entry, or -1.</summary>
    public int TailEntryOffset { get; private set; } = -1;

    public void WritePrologue(MachineFunction function, TargetDescription target)
    {
        if (function.NeedsToc && function.IsCallableFromC && target.Abi == Ppc64Abi.ElfV2)
            WriteGlobalEntry();
        LocalEntryOffset = _code.Offset;
        WriteTailCallSetUp(function);
        if (function.IsProgram)
            TailEntryOffset = _code.Offset;
        WriteFrameSetUp();
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

    /// <summary>Called at the start of every block: the body's rows hold again behind an epilogue in the middle.</summary>
    public void ResumeBody()
    {
        if (_rememberedAt < 0)
            return;
        _code.AddCfi(CfiKind.RestoreState);
        _rememberedAt = -1;
    }

    /// <summary>Called behind the last block: nobody needs to remember what holds before the last epilogue.</summary>
    public void EndBody()
    {
        if (_rememberedAt >= 0)
            _code.Cfi.RemoveAt(_rememberedAt);
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
        int slot = _frame.Displacement(FrameArea.TailCallCount, 0) - _frame.Size;
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

    private void WriteFrameSetUp()
    {
        Gpr[] saved = _frame.SavedRegisters;
        if (_frame.SavesLinkRegister)
            _code.Emit(Ppc64Opcode.Mflr, Gpr.R0.Number);
        for (int i = saved.Length - 1; i >= 0; i--)
            _code.StoreToFrame(saved[i], _frame.SaveOffset(i));
        if (_frame.SavesLinkRegister)
            _code.StoreToFrame(Gpr.R0, TargetDescription.LinkRegisterSaveOffset);
        if (_frame.Size != 0)
        {
            _code.Emit(Ppc64Opcode.Stdu, Gpr.R1.Number, -_frame.Size, Gpr.R1.Number);
            _code.AddCfi(CfiKind.DefineCfaOffset, value: _frame.Size);
        }

        if (_frame.SavesLinkRegister)
            _code.AddCfi(CfiKind.Offset, CallingConvention.DwarfNumberOfLr, TargetDescription.LinkRegisterSaveOffset);
        for (int i = saved.Length - 1; i >= 0; i--)
            _code.AddCfi(CfiKind.Offset, CallingConvention.DwarfNumber(saved[i]), _frame.SaveOffset(i));
    }

    /// <summary>LR's rule stays: its save lies in the caller's frame, where it is good until the end.</summary>
    private void WriteTearDown()
    {
        Gpr[] saved = _frame.SavedRegisters;
        if (_frame.Size != 0 || saved.Length != 0)
        {
            _rememberedAt = _code.Cfi.Count;
            _code.AddCfi(CfiKind.RememberState);
        }

        for (int i = 0; i < saved.Length; i++)
        {
            _code.LoadFromFrame(saved[i], _frame.Size + _frame.SaveOffset(i));
            _code.AddCfi(CfiKind.Restore, CallingConvention.DwarfNumber(saved[i]));
        }

        if (_frame.Size != 0)
        {
            _code.Emit(Ppc64Opcode.Addi, Gpr.R1.Number, Gpr.R1.Number, _frame.Size);
            _code.AddCfi(CfiKind.DefineCfaOffset, value: 0);
        }

        if (_frame.SavesLinkRegister)
        {
            _code.LoadFromFrame(Gpr.R0, TargetDescription.LinkRegisterSaveOffset);
            _code.Emit(Ppc64Opcode.Mtlr, Gpr.R0.Number);
        }
    }
}
