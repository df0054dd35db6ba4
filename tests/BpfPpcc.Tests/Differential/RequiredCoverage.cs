namespace BpfPpcc.Tests.Differential;

/// <summary>What a run of the differential tester must have reached for its silence to mean something.</summary>
public static class RequiredCoverage
{
    /// <summary>The classes of which there was nothing.</summary>
    public static IReadOnlyList<string> Missing(Coverage coverage)
    {
        Dictionary<string, long> forms = coverage.Forms();
        var missing = new List<string>();
        missing.AddRange(OpcodeNames.All().Where(form => forms.GetValueOrDefault(form) == 0));
        missing.AddRange(OpcodeNames.ConditionalJumps().Where(o => coverage.Taken(o) == 0).Select(static o => OpcodeNames.Of(o) + " taken"));
        missing.AddRange(OpcodeNames.ConditionalJumps().Where(o => coverage.NotTaken(o) == 0).Select(static o => OpcodeNames.Of(o) + " not taken"));
        Dictionary<string, long> counts = coverage.Counts();
        missing.AddRange(Counts().Where(what => counts.GetValueOrDefault(what) == 0));
        if (coverage.Taken(0xe5) == 0)
            missing.Add("may_goto taken");
        if (counts.GetValueOrDefault("max depth of calls") < 5)
            missing.Add("calls five deep");
        return missing;
    }

    private static IEnumerable<string> Counts()
    {
        foreach (string width in (string[])["32", "64"])
        {
            foreach (string division in (string[])["div", "mod", "sdiv", "smod"])
                yield return $"operands: {division}{width} by zero register";
            yield return $"operands: sdiv{width} of the least integer by -1";
            yield return $"operands: smod{width} of the least integer by -1";
            foreach (string shift in (string[])["lsh", "rsh", "arsh"])
            {
                yield return $"operands: {shift}{width} by a register beyond the width";
                yield return $"operands: {shift}{width} by a register of zero";
            }
        }

        foreach (string place in (string[])["context", "stack", "variable"])
        {
            foreach (int size in (int[])[1, 2, 4, 8])
            {
                yield return $"memory: load {size}, {place}, aligned";
                yield return $"memory: store {size}, {place}, aligned";
                if (size > 1)
                {
                    yield return $"memory: load {size}, {place}, misaligned";
                    yield return $"memory: store {size}, {place}, misaligned";
                }
            }

            yield return $"memory: load 8, {place}, misaligned by other than 4";
            yield return $"memory: store 8, {place}, misaligned by other than 4";
            yield return $"memory: atomic 4, {place}, aligned";
            yield return $"memory: atomic 8, {place}, aligned";
        }

        foreach (string place in (string[])["a caller's stack", "map value"])
        {
            foreach (int size in (int[])[1, 2, 4, 8])
            {
                yield return $"memory: load {size}, {place}, aligned";
                yield return $"memory: store {size}, {place}, aligned";
            }

            yield return $"memory: atomic 8, {place}, aligned";
        }

        foreach (string reason in (string[])["taken", "limit reached", "empty slot", "index out of range"])
        {
            yield return $"tail call: from program, {reason}";
            yield return $"tail call: from subprogram, {reason}";
        }

        foreach (string loop in (string[])["CountDown", "CountUp", "CountInMemory", "ShiftOut", "MayGoto", "Walk"])
        {
            yield return $"shape: loop, {loop}";
            yield return $"shape: loop, {loop}, nested";
        }

        foreach (string pattern in Enum.GetNames<FunctionGenerator.Pattern>())
            yield return $"pattern: {pattern}";

        string[] others =
        [
            "memory: load overlaps a stack store of other width or place", "memory: stack address escapes to a helper",
            "memory: stack address escapes to a subprogram", "memory: load 4, read-only variable, aligned", "atomic: cmpxchg succeeds",
            "atomic: cmpxchg fails", "call: helper", "call: subprogram", "call: through a register, helper", "call: through a register, function",
            "packet: inside", "packet: outside", "jump: conditional, backward", "shape: loop, irreducible", "shape: ladder",
            "shape: exit in the middle", "shape: exit before any call", "shape: conditional over more than 8,500 instructions",
            "size 1: below 30 slots", "size 2: 30 to 99 slots",
            "size 3: 100 to 999 slots", "size 4: 1,000 to 7,999 slots", "size 5: 8,000 and more slots",
        ];
        foreach (string other in others)
            yield return other;
    }
}
