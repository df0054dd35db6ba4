using System.Globalization;
using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Elf;

namespace BpfPpcc.Loading;

/// <summary>
/// iproute2's way to fill prog arrays: the program of section "ID/SLOT" goes to that slot of the prog array whose definition has that id
/// (tc-bpf(8); bpf_elf.h).
/// </summary>
internal static class ProgramArraySlots
{
    /// <summary>Slots beyond it are refused, not made.</summary>
    private const uint MaximumSlots = 1 << 16;

    /// <summary>Both are decimal, or hexadecimal with 0x.</summary>
    public static bool TryParse(string section, out uint id, out uint slot)
    {
        slot = 0;
        int slash = section.IndexOf('/');
        return TryNumber(slash < 0 ? "" : section.AsSpan(0, slash), out id) && TryNumber(section.AsSpan(slash + 1), out slot);
    }

    /// <summary>Adds the programs to what prog arrays hold, by map index; false after an error.</summary>
    public static bool TryFill(LoadingContext context, List<MapPlace> maps, FunctionTable functions, Dictionary<int, List<int>> values)
    {
        foreach (ElfSection section in context.File.Sections)
        {
            if (context.KindOf(section) != SectionKind.Code || !TryParse(section.Name, out uint id, out uint slot))
                continue;
            int index = maps.FindIndex(map => map.Id == id && id != 0 && map.Map.Type == BpfMapType.PROG_ARRAY);
            int function = functions.FindStart(section, 0);
            if (index < 0 || function < 0)
                continue;
            BpfMap map = maps[index].Map;
            if (slot >= Math.Min(map.MaxEntries, MaximumSlots))
            {
                string message = $"section '{section.Name}' puts its program beyond the {map.MaxEntries} slots of map '{map.Name}'";
                return context.Fail(DiagnosticId.MapMalformed, message, section.Name);
            }

            if (!values.TryGetValue(map.Index, out List<int>? elements))
                values.Add(map.Index, elements = []);
            while (elements.Count <= slot)
                elements.Add(-1);
            elements[(int)slot] = function;
        }

        return true;
    }

    private static bool TryNumber(ReadOnlySpan<char> text, out uint number) => text.StartsWith("0x", StringComparison.OrdinalIgnoreCase)
        ? uint.TryParse(text[2..], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number)
        : uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
