using BpfPpcc.Verification.Domain;

namespace BpfPpcc.Verification.Walk;

/// <summary>How closely a state must match an older one.</summary>
internal enum Exactness : byte
{
    /// <summary>The older one is closed: values whose bounds never mattered are not compared.</summary>
    NotExact,

    /// <summary>Every value must lie within the older one's bounds, because it is not known yet which matter.</summary>
    RangeWithin,

    /// <summary>Every value has the same bounds: the program is where it was before.</summary>
    Exact,
}

/// <summary>
/// Whether all that can happen from a state was looked at from an older state at the same instruction. Both states hold live values only.
/// </summary>
internal sealed class StateCompare
{
    private readonly IdMap _ids = new();
    private Exactness _exactness;

    public bool Covers(VerifierState old, VerifierState current, Exactness exactness)
    {
        if (old.FrameCount != current.FrameCount || old.RcuDepth != current.RcuDepth || old.PreemptDepth != current.PreemptDepth
            || old.References.Length != current.References.Length || old.IsInSleepable != current.IsInSleepable)
        {
            return false;
        }

        _ids.Clear();
        _exactness = exactness;
        if (!CoversLock(old, current) || !_ids.Match(old.ActiveIrqId, current.ActiveIrqId))
            return false;
        for (int i = 0; i < old.FrameCount; i++)
        {
            if (!CoversFrame(old.FrameAt(i), current.FrameAt(i)))
                return false;
        }

        for (int i = 0; i < old.References.Length; i++)
        {
            if (old.References[i].Frame != current.References[i].Frame || old.References[i].IsIrqFlag != current.References[i].IsIrqFlag || !_ids.Match(old.References[i].Id, current.References[i].Id))
                return false;
        }

        return true;
    }

    private bool CoversLock(VerifierState old, VerifierState current)
    {
        if (old.Lock is not { } oldLock)
            return current.Lock is null;
        return current.Lock is { } lockNow && ReferenceEquals(oldLock.Owner, lockNow.Owner) && _ids.Match(oldLock.Id, lockNow.Id);
    }

    private bool CoversFrame(FrameState old, FrameState current)
    {
        if (old.CallSite != current.CallSite || old.Role != current.Role || old.Function != current.Function
            || old.CallbackDepth > current.CallbackDepth)
        {
            return false;
        }

        for (int i = 0; i < 10; i++)
        {
            if (!CoversRegister(old.Registers[i], current.Registers[i]))
                return false;
        }

        for (int i = 0; i < Math.Max(old.StackLength, current.StackLength); i++)
        {
            if (!CoversSlot(old[i], current[i]))
                return false;
        }

        return true;
    }

    private bool CoversRegister(RegisterState old, RegisterState current)
    {
        if (old.Kind == RegisterKind.NotInit)
            return _exactness != Exactness.Exact || current.Kind == RegisterKind.NotInit;
        if (old.Kind != current.Kind || old.Flags != current.Flags)
            return false;
        return old.Kind switch
        {
            RegisterKind.NotInit => true,
            RegisterKind.Scalar => CoversScalar(old, current),
            RegisterKind.MapValue or RegisterKind.MapKey or RegisterKind.Memory or RegisterKind.Buffer or RegisterKind.TracepointBuffer =>
                IsSameObject(old, current) && CoversBounds(old, current),
            RegisterKind.Packet or RegisterKind.PacketMeta =>
                HasSameRange(old, current) && old.Offset == current.Offset && _ids.Match(old.Id, current.Id) && CoversBounds(old, current),
            RegisterKind.Context or RegisterKind.MapPointer or RegisterKind.Stack or RegisterKind.PacketEnd or RegisterKind.FlowKeys
                or RegisterKind.Socket or RegisterKind.SockCommon or RegisterKind.TcpSock or RegisterKind.XdpSock or RegisterKind.BtfObject
                or RegisterKind.Function or RegisterKind.Dynptr or RegisterKind.Arena => IsSameObject(old, current) && old.Bounds == current.Bounds,
        };
    }

    /// <summary>The range of a packet pointer is at least the old one's; a negative one says that the pointer is at or beyond the end.</summary>
    private static bool HasSameRange(RegisterState old, RegisterState current) =>
        old.Range < 0 || current.Range < 0 ? old.Range == current.Range : old.Range <= current.Range;

    private bool CoversScalar(RegisterState old, RegisterState current)
    {
        if (_exactness == Exactness.Exact)
        {
            return old.Bounds == current.Bounds && old.IsLinkedByOffset == current.IsLinkedByOffset && old.Offset == current.Offset
                && _ids.Match(old.Id, current.Id);
        }

        if (!old.Value.IsPrecise && _exactness == Exactness.NotExact)
            return true;
        if (old.IsLinkedByOffset != current.IsLinkedByOffset || (old.IsLinkedByOffset && old.Offset != current.Offset))
            return false;
        return ScalarBounds.Covers(old.Bounds, current.Bounds) && _ids.MatchScalars(old.Id, current.Id);
    }

    private bool IsSameObject(RegisterState old, RegisterState current) =>
        old.Offset == current.Offset && old.Size == current.Size && ReferenceEquals(old.Map, current.Map) && old.TypeId == current.TypeId
        && ReferenceEquals(old.Btf, current.Btf) && old.Dynptr == current.Dynptr && old.Range == current.Range
        && _ids.Match(old.Id, current.Id) && _ids.Match(old.ReferenceId, current.ReferenceId) && _ids.Match(old.MapId, current.MapId)
        && _ids.Match(old.DynptrId, current.DynptrId);

    private bool CoversBounds(RegisterState old, RegisterState current) =>
        _exactness == Exactness.Exact ? old.Bounds == current.Bounds : ScalarBounds.Covers(old.Bounds, current.Bounds);

    private bool CoversSlot(StackSlot old, StackSlot current)
    {
        if (ReferenceEquals(old, current) && (old.Value is null || _exactness != Exactness.NotExact) && !old.IsSpecial && old.Value?.Id is null or 0)
            return true;
        if (_exactness != Exactness.NotExact && old.Bytes != current.Bytes)
            return false;
        if (CoversAsScalars(old, current) is { } result)
            return result;
        for (int i = 0; i < 8; i++)
        {
            StackByte oldByte = old[i], now = current[i];
            if (oldByte is StackByte.Invalid or StackByte.Misc && now is not (StackByte.Dynptr or StackByte.Iterator or StackByte.IrqFlag))
                continue;
            if (oldByte != now)
                return false;
        }

        if (old.IsSpecial)
            return CoversSpecial(old, current);
        return old.Value is null || (current.Value is not null && CoversRegister(old.Value, current.Value));
    }

    /// <summary>A slot of unknown data is the same as a spilled scalar of which nothing is known.</summary>
    private bool? CoversAsScalars(StackSlot old, StackSlot current) =>
        AsScalar(old) is { } oldScalar && AsScalar(current) is { } scalar ? CoversRegister(oldScalar, scalar) : null;

    private static readonly RegisterState UnknownData = RegisterState.UnknownScalar(-1);

    private static RegisterState? AsScalar(StackSlot slot)
    {
        if (slot.Value is { IsScalar: true } value && slot.SpilledBytes == 8)
            return value;
        return slot.Value is null && slot.Bytes == StackSlot.All(StackByte.Misc) ? UnknownData : null;
    }

    private bool CoversSpecial(StackSlot old, StackSlot current) =>
        old.Dynptr == current.Dynptr && old.IsFirst == current.IsFirst && old.Iterator == current.Iterator
        && old.IteratorType == current.IteratorType && old.IsRcuIterator == current.IsRcuIterator
        && _ids.Match(old.ReferenceId, current.ReferenceId) && _ids.Match(old.DynptrId, current.DynptrId);
}
