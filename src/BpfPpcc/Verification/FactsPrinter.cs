using System.Globalization;
using System.Text;
using BpfPpcc.Bpf;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification;

/// <summary>What verification learned of a function, as text, for --dump: the instructions about which there is something to say.</summary>
public static class FactsPrinter
{
    public static string Print(BpfFunction function, ProgramFacts facts)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{function.Role} {function.Name}\n");
        ReadOnlySpan<BpfInstruction> code = function.Instructions.AsSpan();
        for (int slot = 0; slot < code.Length; slot += BpfPrinter.SlotsOf(code, slot))
        {
            string? fact = Fact(slot, facts);
            if (fact is not null)
                text.Append(CultureInfo.InvariantCulture, $"{slot,6}:  {BpfPrinter.Print(code, slot)}  ; {fact}\n");
        }

        return text.ToString();
    }

    private static string? Fact(int slot, ProgramFacts facts)
    {
        if (!facts.IsReachable[slot])
            return "not reachable";
        if (facts.ContextLoads.TryGetValue(slot, out int offset))
            return string.Create(CultureInfo.InvariantCulture, $"a packet pointer of the context: reads 64 bits at offset {offset}");
        if (facts.ProbeLoads.Contains(slot))
            return "may fault: gives 0 then";
        return facts.DecidedJumps.TryGetValue(slot, out bool isTaken) ? isTaken ? "always taken" : "never taken" : null;
    }
}
