using System.Globalization;
using System.Text;

namespace BpfPpcc.Tests.Differential;

/// <summary>Counts what programs did, by a name that says it: what the interpreter ran, and what the generator says of the programs' shape.</summary>
public sealed class Coverage
{
    private readonly Dictionary<string, long> _counts = [];
    private readonly long[] _taken = new long[256];
    private readonly long[] _notTaken = new long[256];

    public void Count(string what, long by = 1) => _counts[what] = _counts.GetValueOrDefault(what) + by;

    public void Max(string what, long value) => _counts[what] = Math.Max(_counts.GetValueOrDefault(what), value);

    public void CountBranch(byte opcode, bool isTaken) => (isTaken ? _taken : _notTaken)[opcode]++;

    public long this[string what] => _counts.GetValueOrDefault(what);

    public long Taken(byte opcode) => _taken[opcode];

    public long NotTaken(byte opcode) => _notTaken[opcode];

    public void Add(Coverage other)
    {
        foreach ((string what, long count) in other._counts)
        {
            if (what.StartsWith("max ", StringComparison.Ordinal))
                Max(what, count);
            else
                Count(what, count);
        }

        for (int i = 0; i < 256; i++)
        {
            _taken[i] += other._taken[i];
            _notTaken[i] += other._notTaken[i];
        }
    }

    /// <summary>A line a count, in order of names.</summary>
    public string Report()
    {
        var text = new StringBuilder();
        foreach ((string what, long count) in _counts.OrderBy(c => c.Key, StringComparer.Ordinal))
            text.Append(CultureInfo.InvariantCulture, $"{count,12}  {what}\n");
        for (int i = 0; i < 256; i++)
        {
            if (_taken[i] + _notTaken[i] > 0)
                text.Append(CultureInfo.InvariantCulture, $"{_taken[i],12}  {OpcodeNames.Of((byte)i)} taken, {_notTaken[i]} not taken\n");
        }

        return text.ToString();
    }
}
