using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using BpfPpcc.Bpf;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification;

/// <summary>What verification learned of a function, as text, for --dump: every instruction, with what is known of it.</summary>
public static class FactsPrinter
{
    public static string Print(VerifiedModule verified, BpfFunction function)
    {
        ProgramFacts facts = verified.Facts[function.Index];
        var text = new StringBuilder();
        string verdict = verified.IsVerified ? "verified" : "not verified";
        text.Append(CultureInfo.InvariantCulture, $"{function.Role} {function.Name}, type {function.ProgramType}: {verdict}, {facts.StackDepth} bytes of stack at most\n");
        ReadOnlySpan<BpfInstruction> code = function.Instructions.AsSpan();
        for (int slot = 0; slot < code.Length; slot += BpfPrinter.SlotsOf(code, slot))
        {
            string instruction = string.Create(CultureInfo.InvariantCulture, $"{slot,6}:  {ModulePrinter.PrintInstruction(verified.Module, function, slot)}");
            string known = string.Join("; ", Facts(slot, facts));
            text.Append(known.Length == 0 ? instruction : $"{instruction,-48} ; {known}").Append('\n');
        }

        return text.ToString();
    }

    private static IEnumerable<string> Facts(int slot, ProgramFacts facts)
    {
        if (!facts.IsReachable[slot])
        {
            yield return "not reachable";
            yield break;
        }

        if (facts.ContextLoads.TryGetValue(slot, out int offset))
            yield return string.Create(CultureInfo.InvariantCulture, $"a packet pointer of the context: reads 64 bits at offset {offset}");
        if (facts.ProbeLoads.Contains(slot))
            yield return "may fault: gives 0 then";
        if (facts.DecidedJumps.TryGetValue(slot, out bool isTaken))
            yield return isTaken ? "always taken" : "never taken";
        if (facts.StackAccesses is null || !facts.StackAccesses.TryGetValue(slot, out ImmutableArray<StackAccess> accesses))
            yield break;
        foreach (StackAccess access in accesses)
            yield return string.Create(CultureInfo.InvariantCulture, $"{(access.IsWritten ? "changes" : "reads")} r10{access.Low} to r10{access.High - 1}");
    }
}
