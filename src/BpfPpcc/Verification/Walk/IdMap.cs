namespace BpfPpcc.Verification.Walk;

/// <summary>The one-to-one relation between the ids of two states that are compared.</summary>
internal sealed class IdMap
{
    private readonly List<(int Old, int Current)> _pairs = [];
    private int _nextUnique;

    /// <summary>Forgets all pairs.</summary>
    public void Clear()
    {
        _pairs.Clear();
        _nextUnique = int.MinValue;
    }

    /// <summary>Whether the two ids may be the same thing, given the pairs so far; notes the pair. 0 pairs with 0 only.</summary>
    public bool Match(int old, int current)
    {
        if ((old == 0) != (current == 0))
            return false;
        if (old == 0)
            return true;
        foreach ((int knownOld, int knownCurrent) in _pairs)
        {
            if (knownOld == old)
                return knownCurrent == current;
            if (knownCurrent == current)
                return false;
        }

        _pairs.Add((old, current));
        return true;
    }

    /// <summary>As <see cref="Match"/>, where 0 is an id that nothing else has.</summary>
    public bool MatchScalars(int old, int current) =>
        (old == 0 && current == 0) || Match(old == 0 ? ++_nextUnique : old, current == 0 ? ++_nextUnique : current);
}
