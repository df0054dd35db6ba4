using BpfPpcc.Diagnostics;

namespace BpfPpcc.Verification.Walk;

/// <summary>Checkpoints: storing states and ending paths that an older state covers.</summary>
internal sealed partial class ProgramWalk
{
    private enum PruneResult : byte
    {
        GoOn,
        Pruned,
        Failed,
    }

    private PruneResult VisitPrunePoint()
    {
        DropDeadValues();
        bool isCounted = GeneraliseRound();
        bool isForced = isCounted || _image.IsForcedCheckpoint[_slot];
        bool adds = isForced || (_jumps - _jumpsAtCheckpoint >= 2 && _instructions - _instructionsAtCheckpoint >= 8);
        List<ExploredState> known = _explored[_slot] ??= [];
        if (_options.DisablesPruning && !isForced)
            return CheckForEndlessLoop(known, adds);
        for (int i = known.Count - 1; i >= 0; i--)
        {
            ExploredState old = known[i];
            Comparison comparison = Compare(old, isForced, isCounted, ref adds);
            if (comparison == Comparison.Failed)
                return PruneResult.Failed;
            if (comparison == Comparison.Hit)
            {
                old.Hits++;
                PropagatePrecision(old.State);
                _log?.Pruned(_image, _slot);
                return PruneResult.Pruned;
            }

            if (adds)
                old.Misses++;
            int patience = isForced && old.State.Branches > 0 ? 64 : 3;
            if (old.Misses > old.Hits * patience + patience)
                known.RemoveAt(i);
        }

        if (adds)
            AddCheckpoint(known);
        return PruneResult.GoOn;
    }

    /// <summary>With pruning off, only states that repeat exactly are looked for.</summary>
    private PruneResult CheckForEndlessLoop(List<ExploredState> known, bool adds)
    {
        foreach (ExploredState old in known)
        {
            if (old.State.Branches > 0 && IsEndlessLoop(old.State))
                return FailEndlessLoop();
        }

        if (adds)
            AddCheckpoint(known);
        return PruneResult.GoOn;
    }

    private enum Comparison : byte
    {
        Miss,
        Hit,
        Failed,
    }

    private Comparison Compare(ExploredState old, bool isForced, bool isCounted, ref bool adds)
    {
        if (old.State.Branches == 0)
            return CompareWithClosed(old.State);
        if (old.State.Frame.Role == FrameRole.AsyncCallback && old.State.Frame.AsyncEntry != _state.Frame.AsyncEntry)
            return MissInLoop(isForced, ref adds);
        if (_image.IsIteratorNext(_slot))
        {
            if (_compare.Covers(old.State, _state, Exactness.RangeWithin) && IsActiveIterator(_state))
                return HitInLoop(old.State);
            return MissInLoop(isForced, ref adds);
        }

        if (IsMayGoto(_slot))
        {
            if (old.State.MayGotoDepth != _state.MayGotoDepth && _compare.Covers(old.State, _state, Exactness.RangeWithin))
                return HitInLoop(old.State);
            return MissInLoop(isForced, ref adds);
        }

        if (isCounted)
            return _compare.Covers(old.State, _state, Exactness.RangeWithin) ? HitInLoop(old.State) : MissInLoop(isForced, ref adds);

        if (_image.CallsBack(_slot))
        {
            if (_compare.Covers(old.State, _state, Exactness.RangeWithin))
                return Comparison.Hit;
            return MissInLoop(isForced, ref adds);
        }

        if (IsEndlessLoop(old.State))
        {
            FailEndlessLoop();
            return Comparison.Failed;
        }

        return MissInLoop(isForced, ref adds);
    }

    private Comparison HitInLoop(VerifierState old)
    {
        OpenLoops.Update(_state, old);
        return Comparison.Hit;
    }

    /// <summary>States of different rounds of a loop seldom help later ones: store fewer.</summary>
    private Comparison MissInLoop(bool isForced, ref bool adds)
    {
        if (!isForced && _jumps - _jumpsAtCheckpoint < 20 && _instructions - _instructionsAtCheckpoint < 100)
            adds = false;
        return Comparison.Miss;
    }

    /// <summary>A state whose loop is still open does not know yet which of its values matter.</summary>
    private Comparison CompareWithClosed(VerifierState old)
    {
        VerifierState? entry = OpenLoops.EntryOf(old);
        bool isInOpenLoop = entry is not null && entry.Branches > 0;
        if (!_compare.Covers(old, _state, isInOpenLoop ? Exactness.RangeWithin : Exactness.NotExact))
            return Comparison.Miss;
        if (isInOpenLoop)
            OpenLoops.Update(_state, entry!);
        return Comparison.Hit;
    }

    private bool IsEndlessLoop(VerifierState old) =>
        old.MayGotoDepth == _state.MayGotoDepth && old.CallbackUnrollDepth == _state.CallbackUnrollDepth
        && HaveSameIteratorDepths(old, _state) && _compare.Covers(old, _state, Exactness.Exact);

    private PruneResult FailEndlessLoop()
    {
        Fail(
            DiagnosticId.InfiniteLoop, "the loop through here comes back with all variables as they were: it may never end",
            "let every round change a variable that the loop's condition bounds, as in for (int i = 0; i < 100; i++)");
        return PruneResult.Failed;
    }

    private void AddCheckpoint(List<ExploredState> known)
    {
        _state.WrapScalars();
        VerifierState stored = _state.Clone();
        stored.FirstSlot = stored.LastSlot = _slot;
        stored.Branches = 1;
        stored.DepthFirstDepth = _state.DepthFirstDepth + 1;
        _state.DepthFirstDepth = stored.DepthFirstDepth;
        _state.Parent = stored;
        _state.FirstSlot = _slot;
        _state.Jumps = null;
        _state.LoopEntry = null;
        known.Add(new ExploredState(stored));
        States++;
        _instructionsAtCheckpoint = _instructions;
        _jumpsAtCheckpoint = _jumps;
    }

    /// <summary>What mattered from the older state on matters in this one, which goes on alike.</summary>
    private void PropagatePrecision(VerifierState old)
    {
        for (int i = 0; i < old.FrameCount; i++)
        {
            FrameState from = old.FrameAt(i), to = _state.FrameAt(i);
            for (int register = 0; register < 10; register++)
                Propagate(from.Registers[register], to.Registers[register]);
            for (int slot = 0; slot < Math.Min(from.StackLength, to.StackLength); slot++)
                Propagate(from[slot].Value, to[slot].Value);
        }
    }

    private void Propagate(RegisterState? old, RegisterState? current)
    {
        if (old is { IsScalar: true, Value.IsPrecise: true } && current is not null)
            MarkPrecise(current);
    }

    /// <summary>Forgets what no path from here reads, so that it does not keep states apart.</summary>
    private void DropDeadValues()
    {
        for (int i = 0; i < _state.FrameCount; i++)
        {
            FrameState frame = _state.FrameAt(i);
            bool isTop = i == _state.FrameCount - 1;
            int slot = isTop ? _slot : _state.FrameAt(i + 1).CallSite;
            if (slot < 0)
                continue;
            // The caller goes on behind its call, whose result it does not have yet; a callback's call may happen again.
            bool isRepeated = !isTop && _state.FrameAt(i + 1).Role != FrameRole.Plain;
            int registers = isTop ? _image.LiveRegisters(slot) : isRepeated ? 0x3ff : _image.LiveRegisters(slot + 1) & ~0x3f;
            ulong stack = isTop ? _image.LiveStack(slot) : _image.LiveStack(slot) | _image.LiveStack(slot + 1);
            DropDeadValues(frame, registers, isRepeated ? ulong.MaxValue : stack);
        }
    }

    private static void DropDeadValues(FrameState frame, int registers, ulong stack)
    {
        for (int i = 0; i < 10; i++)
        {
            if ((registers >> i & 1) == 0)
                frame.Registers[i] = RegisterState.NotInit;
        }

        for (int i = 0; i < frame.StackLength; i++)
        {
            if ((stack >> i & 1) == 0 && !frame[i].IsSpecial)
                frame[i] = StackSlot.Invalid;
        }
    }
}
