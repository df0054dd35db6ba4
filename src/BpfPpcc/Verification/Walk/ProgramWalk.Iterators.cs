using BpfPpcc.Btf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Verification.Catalog;

namespace BpfPpcc.Verification.Walk;

/// <summary>Iterators on the stack: made, asked for elements until there are none, destroyed.</summary>
internal sealed partial class ProgramWalk
{
    private bool CheckIterator(int register, RegisterState value, BtfType type, BtfTypes btf, CallArguments arguments)
    {
        Kfunc kfunc = arguments.Function!;
        string name = btf.NameOf(type.Id);
        int slots = ((int)type.SizeOrType + 7) / 8;
        if (value.Kind != RegisterKind.Stack || !value.Bounds.IsConstant)
            return Fail(DiagnosticId.Iterator, $"argument {register} of {arguments.Name} must be the address of a {name} on the stack", null);
        long offset = value.Offset + value.Bounds.SMin;
        if (offset % 8 != 0 || offset < -StackBytes || offset + slots * 8 > 0)
            return Fail(DiagnosticId.Iterator, $"argument {register} of {arguments.Name} is not the address of a {name} (offset {offset} of the stack)", null);
        FrameState frame = FrameOf(value);
        int index = SlotOf(offset);
        NoteStackDepth(frame.Number, offset);
        arguments.Iterator = (frame.Number, index);
        if (kfunc.Has(KfuncFlags.ITER_NEW))
            return MakeIterator(frame, index, slots, name, kfunc, arguments);
        StackSlot first = frame[index];
        bool isIterator = first[0] == StackByte.Iterator && first.IsFirst && first.IteratorType == name;
        for (int i = 1; i < slots && isIterator; i++)
            isIterator = frame[index - i][0] == StackByte.Iterator && frame[index - i].ReferenceId == first.ReferenceId;
        if (!isIterator)
            return Fail(DiagnosticId.Iterator, $"argument {register} of {arguments.Name} is not an initialised {name}", "make the iterator first, and do not touch it in between");
        if (first.IsRcuIterator && _state.RcuDepth == 0 && !IsInRcuSection)
            return Fail(DiagnosticId.Iterator, $"{arguments.Name} is called outside of the RCU read section that the iterator needs", null);
        arguments.IsRcuIterator = first.IsRcuIterator;
        arguments.ReferenceId = first.ReferenceId;
        return !kfunc.Has(KfuncFlags.ITER_DESTROY) || DestroyIterator(frame, index, slots, first.ReferenceId, register);
    }

    private bool MakeIterator(FrameState frame, int index, int slots, string name, Kfunc kfunc, CallArguments arguments)
    {
        for (int i = 0; i < slots; i++)
        {
            if (frame[index - i].IsSpecial)
                return Fail(DiagnosticId.Iterator, $"{arguments.Name} overwrites an iterator or dynptr that is in use", "destroy it first");
        }

        if (kfunc.Has(KfuncFlags.RCU_PROTECTED) && !IsInRcuSection)
            return Fail(DiagnosticId.Iterator, $"{arguments.Name} is called outside of an RCU read section", "call bpf_rcu_read_lock first");
        int reference = Acquire();
        var slot = new StackSlot(StackSlot.All(StackByte.Iterator), null) { ReferenceId = reference, IteratorType = name, IsRcuIterator = kfunc.Has(KfuncFlags.RCU_PROTECTED) };
        for (int i = 0; i < slots; i++)
            frame[index - i] = slot with { IsFirst = i == 0 };
        return true;
    }

    private bool DestroyIterator(FrameState frame, int index, int slots, int reference, int register)
    {
        for (int i = 0; i < slots; i++)
            frame[index - i] = StackSlot.Misc;
        return Release(reference, register);
    }

    /// <summary>One path goes on with an element, this one without: the iterator is at its end.</summary>
    private bool SplitIterator(CallArguments arguments)
    {
        (int frameNumber, int index) = arguments.Iterator!.Value;
        FrameState frame = _state.FrameAt(frameNumber);
        StackSlot slot = frame[index];
        if (slot.Iterator == IteratorState.Active)
        {
            VerifierState? previous = FindEarlier(_slot, _state.Parent?.Parent);
            VerifierState? active = PushPending(_slot + 1);
            if (active is null)
                return false;
            active.FrameAt(frameNumber)[index] = slot with { IteratorDepth = slot.IteratorDepth + 1 };
            if (previous is not null)
                WidenImprecise(previous, active);
            active.Frame.Registers[0] = NotNull(active.Frame.Registers[0]) with { Id = 0 };
        }

        frame[index] = slot with { Iterator = IteratorState.Drained };
        Registers[0] = RegisterState.ConstantScalar(0, _slot);
        return Next();
    }
}
