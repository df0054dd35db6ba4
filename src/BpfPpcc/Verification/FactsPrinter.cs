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
            string? fact = !facts.IsReachable[slot] ? "not reachable"
                : facts.ContextLoads.TryGetValue(slot, out int offset) ? $"a packet pointer of the context: reads 64 bits at offset {offset}"
                : null;
            if (fact is not null)
                text.Append(CultureInfo.InvariantCulture, $"{slot,6}:  {BpfPrinter.Print(code, slot)}  ; {fact}\n");
        }

        return text.ToString();
    }
}
