namespace BpfPpcc.Emission;

/// <summary>What an unwinder must know at an instruction.</summary>
/// <param name="IsLowered">r1 is below the caller's by the frame's size.</param>
/// <param name="HasSavedLinkRegister">The return address is in the caller's header (and may be in LR as well).</param>
/// <param name="FirstSaved">Callee-saved registers from this one of the layout's on are in their saves; those before it hold the caller's values.</param>
internal readonly record struct FrameState(bool IsLowered, bool HasSavedLinkRegister, int FirstSaved)
{
    /// <summary>Nothing is set up.</summary>
    public static FrameState Outside(FrameLayout frame) => new(false, false, frame.SavedRegisters.Length);

    /// <summary>All is set up.</summary>
    public static FrameState Inside(FrameLayout frame) => new(frame.Size != 0, frame.SavesLinkRegister, 0);
}

/// <summary>The state that holds from the instruction at byte <paramref name="CodeOffset"/> on.</summary>
internal readonly record struct FrameMark(int CodeOffset, FrameState State);
