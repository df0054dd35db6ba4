using System.Collections.Immutable;
using BpfPpcc.Verification.Catalog;

namespace BpfPpcc.Verification.Walk;

/// <summary>Notes for the code generator which instruction accesses which bytes of the stack.</summary>
internal sealed partial class ProgramWalk
{
    /// <summary>The current instruction loads or stores through a pointer to the stack, perhaps to the frame of a caller.</summary>
    private void NoteStackAccess(RegisterState pointer, long offset, long size, bool isWritten)
    {
        int slot = SlotInFrame((int)pointer.Size);
        if (slot >= 0)
            _facts.Stack.Note(slot, Clip(pointer.Bounds.SMin + offset), Clip(pointer.Bounds.SMax + offset + size), isWritten);
        for (int frame = (int)pointer.Size + 1; frame < _state.FrameCount; frame++)
        {
            if (SlotInFrame(frame) is >= 0 and var callee)
                _facts.Stack.NoteCallers(callee);
        }
    }

    /// <summary>The function that the current instruction calls accesses memory through an argument that points to the stack.</summary>
    private void NoteStackArgument(int argument, RegisterState pointer, long size, bool isWritten)
    {
        if (pointer.Size != _state.FrameCount - 1)
            NoteStackAccess(pointer, pointer.Offset, size, isWritten);
        else
            _facts.Stack.NoteArgument(_slot, argument, Clip(pointer.Bounds.SMin + pointer.Offset), Clip(pointer.Bounds.SMax + pointer.Offset + size), isWritten);
    }

    /// <summary>The instruction of the frame that runs: this one, or the call that led to it.</summary>
    private int SlotInFrame(int frame) => frame == _state.FrameCount - 1 ? _slot : _state.FrameAt(frame + 1).CallSite;

    private static int Clip(long offset) => (int)Math.Clamp(offset, -StackBytes, 0);

    /// <summary>What the helper accesses was noted with its arguments, unless one gives access to more.</summary>
    private void NoteHelperCall(HelperPrototype helper)
    {
        for (int i = 0; i < helper.Arguments.Length; i++)
        {
            if (Registers[i + 1].Kind == RegisterKind.Stack && !IsAccessNoted(helper.Arguments[i].Kind))
                NoteOpenCall();
        }
    }

    /// <summary>As <see cref="NoteHelperCall"/>, for a function that the kernel offers, whose arguments may be of many kinds.</summary>
    private void NoteKfuncCall(int parameters)
    {
        for (int i = 1; i <= Math.Min(parameters, MaximumParameters); i++)
        {
            if (Registers[i].Kind == RegisterKind.Stack)
                NoteOpenCall();
        }
    }

    private void NoteGlobalCall(ImmutableArray<GlobalParameter> parameters)
    {
        foreach (GlobalParameter parameter in parameters)
        {
            if (parameter.Kind == GlobalParameterKind.Dynptr)
                NoteOpenCall();
        }
    }

    /// <summary>
    /// Memory was noted; what is passed on to a function of the program, that function's accesses note. Dynptrs lead elsewhere, and numbers may
    /// be addresses that the helper reads.
    /// </summary>
    private static bool IsAccessNoted(ArgumentKind kind) => kind switch
    {
        ArgumentKind.MAP_KEY or ArgumentKind.MAP_VALUE or ArgumentKind.MEM or ArgumentKind.FIXED_SIZE_MEM or ArgumentKind.STACK => true,
        ArgumentKind.ANYTHING or ArgumentKind.SCALAR or ArgumentKind.CONST_MAP_PTR or ArgumentKind.CONST_SIZE or ArgumentKind.CONST_SIZE_OR_ZERO
            or ArgumentKind.CTX or ArgumentKind.SOCK_COMMON or ArgumentKind.SOCKET or ArgumentKind.BTF_ID or ArgumentKind.BTF_ID_SOCK_COMMON
            or ArgumentKind.PERCPU_BTF_ID or ArgumentKind.SPIN_LOCK or ArgumentKind.TIMER or ArgumentKind.FUNC or ArgumentKind.CONST_STR
            or ArgumentKind.KPTR_XCHG_DEST or ArgumentKind.KPTR or ArgumentKind.DYNPTR or ArgumentKind.RINGBUF_MEM
            or ArgumentKind.CONST_ALLOC_SIZE_OR_ZERO => false,
    };

    /// <summary>Neither of this frame nor of its callers' is it known what the current call accesses.</summary>
    private void NoteOpenCall()
    {
        _facts.Stack.NoteOpen(_slot);
        for (int i = 0; i < _state.FrameCount; i++)
        {
            if (_state.FrameAt(i).CallSite is >= 0 and var caller)
                _facts.Stack.NoteOpen(caller);
        }
    }
}
