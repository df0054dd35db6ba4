using BpfPpcc.Verification.Domain;
using BpfPpcc.Verification.Facts;

namespace BpfPpcc.Verification.Walk;

/// <summary>
/// Counted loops with more rounds than the budget can walk. Their numbers are widened from round to round until a round comes back with nothing
/// new: what holds for that round holds for all. That the loop ends is known of its form and of the counter at its entry
/// (<see cref="CountedLoop"/>), so that, as with iterators, a path that comes back covered is at its end.
/// </summary>
internal sealed partial class ProgramWalk
{
    private readonly Dictionary<int, CountedLoop> _countedLoops = [];
    private WideningThresholds? _thresholds;

    /// <summary>Proves counted loops of the program by induction from now on. Linux walks all rounds of a loop.</summary>
    /// <returns>False if it has none.</returns>
    public bool TryProveLoopsByInduction()
    {
        foreach ((int header, CountedLoop loop) in CountedLoop.Find(_image, _environment.Function.Index))
            _countedLoops.Add(header, loop);
        _thresholds = new WideningThresholds(ValueFacts.Constants(_environment.Function));
        return _countedLoops.Count != 0;
    }

    /// <summary>
    /// Widens what changed in the last round of a counted loop; true at the header of one. A subprogram may be called again and again by a
    /// loop of which nothing is known, so only loops of the function itself count.
    /// </summary>
    private bool GeneraliseRound()
    {
        if (_countedLoops.Count == 0 || _state.FrameCount != 1 || !_countedLoops.TryGetValue(_slot, out CountedLoop? loop))
            return false;
        RegisterState counter = Registers[loop.Counter];
        if (!loop.IsRepeated(_state.Jumps) && !(counter.IsScalar && loop.EndsFrom(counter.Bounds)))
        {
            _countedLoops.Remove(_slot);
            return false;
        }

        if (loop.IsRepeated(_state.Jumps) && FindEarlier(_slot, _state.Parent) is { } round)
            Widen(round.Frame, _state.Frame);
        return true;
    }

    private void Widen(FrameState old, FrameState current)
    {
        for (int register = 0; register < 10; register++)
            current.Registers[register] = Widen(old.Registers[register], current.Registers[register]);
        for (int slot = 0; slot < Math.Min(old.StackLength, current.StackLength); slot++)
        {
            if (old[slot].Value is { } before && current[slot].Value is { } now && Widen(before, now) is var widened && !ReferenceEquals(widened, now))
                current[slot] = current[slot] with { Value = widened };
        }
    }

    /// <summary>What mattered keeps the bounds that the program's constants are; they matter from now on, in all that they came from.</summary>
    private RegisterState Widen(RegisterState old, RegisterState current)
    {
        if (!old.IsScalar || !current.IsScalar || old.Bounds == current.Bounds)
            return current;
        if (!old.Value.IsPrecise && !current.Value.IsPrecise)
            return RegisterState.UnknownScalar(_slot);
        RegisterState widened = NewScalar(ScalarBounds.Widen(old.Bounds, current.Bounds, _thresholds!), old.Value, current.Value);
        MarkPrecise(widened);
        return widened;
    }
}
