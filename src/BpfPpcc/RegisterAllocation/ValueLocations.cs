namespace BpfPpcc.RegisterAllocation;

/// <summary>
/// Where each virtual register is at each point, after assignment: the GPR of the piece that covers the point, and elsewhere its spill slot
/// or its definition computed again.
/// </summary>
internal sealed class ValueLocations
{
    private readonly int[] _start;
    private readonly Piece[] _pieces;

    public ValueLocations(Liveness liveness, List<Bundle> bundles)
    {
        _start = new int[liveness.Ranges.Length + 1];
        foreach (Bundle bundle in bundles)
        {
            foreach (ref readonly LiveRange range in bundle.Ranges.AsSpan())
            {
                _start[range.Register]++;
            }
        }

        int sum = 0;
        for (int register = 0; register < _start.Length; register++)
        {
            (_start[register], sum) = (sum, sum + _start[register]);
        }

        _pieces = new Piece[sum];
        int[] next = _start.AsSpan().ToArray();
        foreach (Bundle bundle in bundles)
        {
            foreach (ref readonly LiveRange range in bundle.Ranges.AsSpan())
            {
                _pieces[next[range.Register]++] = new Piece(range.From, range.To, bundle.Gpr);
            }
        }

        for (int register = 0; register + 1 < _start.Length; register++)
        {
            _pieces.AsSpan(_start[register].._start[register + 1]).Sort(static (a, b) => a.From.CompareTo(b.From));
        }
    }

    /// <summary>The pieces of a register, ascending.</summary>
    public ReadOnlySpan<Piece> PiecesOf(int register) => _pieces.AsSpan(_start[register].._start[register + 1]);

    /// <summary>The GPR that holds a register at a point, or -1.</summary>
    public int GprAt(int register, int point)
    {
        int low = _start[register];
        int high = _start[register + 1];
        while (low < high)
        {
            int middle = (low + high) >>> 1;
            if (_pieces[middle].To <= point)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low < _start[register + 1] && _pieces[low].From <= point ? _pieces[low].Gpr : -1;
    }

    /// <summary>A register is in a GPR from one point up to another.</summary>
    public readonly record struct Piece(int From, int To, int Gpr);
}
