using BpfPpcc.Ppc64;

namespace BpfPpcc.Emission;

/// <summary>
/// Call frame information (DWARF 5, 6.4): the states of the frame in the order of the code come in, what changes from each to the next
/// leaves. So it does not matter in which order blocks with and without a frame stand. The body's state is remembered over an epilogue
/// that more of the body stands behind.
/// </summary>
internal sealed class UnwindRows
{
    private readonly FrameLayout _frame;
    private readonly List<CfiInstruction> _rows = [];

    private UnwindRows(FrameLayout frame) => _frame = frame;

    public static List<CfiInstruction> Of(FrameLayout frame, List<FrameMark> marks)
    {
        var rows = new UnwindRows(frame);
        rows.Write(marks);
        return rows._rows;
    }

    private void Write(List<FrameMark> marks)
    {
        var body = FrameState.Inside(_frame);
        int lastBody = marks.FindLastIndex(mark => mark.State == body);
        var state = FrameState.Outside(_frame);
        bool isRemembered = false;
        for (int i = 0; i < marks.Count; i++)
        {
            int offset = marks[i].CodeOffset;
            FrameState next = marks[i].State;
            if (next == body && isRemembered)
            {
                Add(offset, CfiKind.RestoreState);
                isRemembered = false;
            }
            else
            {
                if (state == body && i < lastBody)
                {
                    Add(offset, CfiKind.RememberState);
                    isRemembered = true;
                }

                WriteChange(offset, state, next);
            }

            state = next;
        }
    }

    private void WriteChange(int offset, FrameState from, FrameState to)
    {
        if (from.IsLowered != to.IsLowered)
            Add(offset, CfiKind.DefineCfaOffset, value: to.IsLowered ? _frame.Size : 0);
        if (from.HasSavedLinkRegister && !to.HasSavedLinkRegister)
            Add(offset, CfiKind.Restore, CallingConvention.DwarfNumberOfLr);
        else if (!from.HasSavedLinkRegister && to.HasSavedLinkRegister)
            Add(offset, CfiKind.Offset, CallingConvention.DwarfNumberOfLr, TargetDescription.LinkRegisterSaveOffset);
        for (int i = from.FirstSaved; i < to.FirstSaved; i++)
            Add(offset, CfiKind.Restore, CallingConvention.DwarfNumber(_frame.SavedRegisters[i]));
        for (int i = from.FirstSaved - 1; i >= to.FirstSaved; i--)
            Add(offset, CfiKind.Offset, CallingConvention.DwarfNumber(_frame.SavedRegisters[i]), _frame.SaveOffset(i));
    }

    private void Add(int offset, CfiKind kind, int register = 0, int value = 0) => _rows.Add(new CfiInstruction(offset, kind, register, value));
}
