using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification;

/// <summary>Where a diagnostic of this room points to.</summary>
internal static class SlotLocation
{
    /// <summary>An instruction slot, with the C line that it comes from where the object records it.</summary>
    public static DiagnosticLocation Of(BpfModule module, BpfFunction function, int slot) =>
        new(module.SourceName, function.SectionName, function.Name, slot, function.PositionOf(slot), ModulePrinter.PrintInstruction(module, function, slot));

    /// <summary>A function as a whole.</summary>
    public static DiagnosticLocation Of(BpfModule module, BpfFunction function) =>
        new(module.SourceName, function.SectionName, function.Name);
}
