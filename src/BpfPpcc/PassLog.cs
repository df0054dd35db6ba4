using System.Diagnostics;

namespace BpfPpcc;

/// <summary>Follows the pipeline from pass to pass: how long each takes (--time-passes) and what it made (--dump).</summary>
internal sealed class PassLog(DumpOptions? dump)
{
    private readonly List<string> _passes = [];
    private readonly Dictionary<string, long> _ticks = [];
    private readonly Dictionary<string, string> _lastDumps = [];
    private string _current = "";
    private long _since;

    /// <summary>The user wants to see what some pass makes.</summary>
    public bool IsDumping => dump is not null;

    /// <summary>Time of each pass, in the order in which passes were first entered.</summary>
    public IReadOnlyList<PassTiming> Timings => [.. _passes.Select(pass => new PassTiming(pass, Stopwatch.GetElapsedTime(0, _ticks[pass])))];

    /// <summary>The current pass ends and <paramref name="pass"/> begins.</summary>
    public void Enter(string pass)
    {
        Leave();
        _current = pass;
        if (_ticks.TryAdd(pass, 0))
            _passes.Add(pass);
        _since = Stopwatch.GetTimestamp();
    }

    /// <summary>The current pass ends.</summary>
    public void Leave()
    {
        if (_current.Length != 0)
            _ticks[_current] += Stopwatch.GetTimestamp() - _since;
        _current = "";
    }

    /// <summary>Prints what the current pass made of a function, if the user wants to see it. Printing is no part of the pass's time.</summary>
    public void Dump(string function, Func<string> print)
    {
        if (dump is null || (dump.Function is not null && dump.Function != function) || !(dump.Passes.Contains(_current) || dump.Passes.Contains("all")))
            return;
        string pass = _current;
        Leave();
        dump.Output.WriteLine($"== {pass}: {function}");
        string text = print();
        dump.Output.WriteLine(_lastDumps.GetValueOrDefault(function) == text ? "(no change)\n" : text);
        _lastDumps[function] = text;
        Enter(pass);
    }
}
