using System.Globalization;
using System.Text;
using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;

namespace BpfPpcc.Loading;

/// <summary>A loaded function as text, for --dump: the C source lines, and below each its instructions with references by name.</summary>
public static class ModulePrinter
{
    public static string Print(BpfModule module, BpfFunction function)
    {
        var text = new StringBuilder();
        string linkage = function.IsStatic ? "static " : "";
        text.Append(CultureInfo.InvariantCulture, $"{linkage}{function.Role} {function.Name}, section {function.SectionName}, type {function.ProgramType}\n");
        ReadOnlySpan<BpfInstruction> code = function.Instructions.AsSpan();
        SourcePosition? shown = null;
        for (int slot = 0; slot < code.Length; slot += BpfPrinter.SlotsOf(code, slot))
        {
            SourcePosition? position = function.PositionOf(slot);
            if (position is not null && position != shown)
                text.Append(CultureInfo.InvariantCulture, $"; {position.File}:{position.Line}  {position.Text.Trim()}\n");
            shown = position;
            text.Append(CultureInfo.InvariantCulture, $"{slot,6}:  {PrintInstruction(module, function, slot)}\n");
        }

        return text.ToString();
    }

    /// <summary>One instruction, with what it refers to by name.</summary>
    public static string PrintInstruction(BpfModule module, BpfFunction function, int slot) =>
        BpfPrinter.Print(function.Instructions.AsSpan(), slot, at => NameOf(module, function, at));

    /// <summary>Hand-made modules may refer to what is not there; the structure check says so.</summary>
    private static string? NameOf(BpfModule module, BpfFunction function, int slot) => function.References.GetValueOrDefault(slot) switch
    {
        BpfReference.MapAddress map when (uint)map.Map < (uint)module.Maps.Length => "map " + module.Maps[map.Map].Name,
        BpfReference.DataAddress data when (uint)data.Section < (uint)module.DataSections.Length => string.Create(CultureInfo.InvariantCulture, $"data {module.DataSections[data.Section].Name}+{data.Offset}"),
        BpfReference.FunctionAddress address when (uint)address.Function < (uint)module.Functions.Length => "function " + module.Functions[address.Function].Name,
        BpfReference.FunctionCall call when (uint)call.Function < (uint)module.Functions.Length => module.Functions[call.Function].Name,
        BpfReference.ExternCall call => call.Name,
        BpfReference.HostCall call => call.Helper.Name,
        BpfReference.ExternAddress address => "extern " + address.Name,
        null when function.Instructions[slot] is { IsCall: true, IsCallIndirect: false, Src: BpfPseudo.HelperCall, Imm: var id }
            && BpfHelpers.Find(id) is { } helper => "bpf_" + helper.Name,
        _ => null,
    };
}
