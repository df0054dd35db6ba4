using System.Globalization;
using System.Text;
using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Differential;

/// <summary>Writes a difference down as an execution case (see Execution/Cases), with what the compiled code did in comments.</summary>
public static class DifferenceReport
{
    /// <summary>Where the cases of failing programs go: BPFPPCC_DIFF_OUTPUT, else the folder for temporary files.</summary>
    public static string Folder { get; } =
        Environment.GetEnvironmentVariable("BPFPPCC_DIFF_OUTPUT") is { Length: > 0 } given ? given : Path.Combine(Path.GetTempPath(), "bpfppcc-differences");

    /// <summary>Writes the case and returns its path.</summary>
    public static string Write(Difference difference)
    {
        Directory.CreateDirectory(Folder);
        string name = $"{difference.Unit.Name.Replace(' ', '-')}-O{difference.OptimizationLevel}.case";
        string path = Path.Combine(Folder, name);
        File.WriteAllText(path, Text(difference));
        return path;
    }

    public static string Text(Difference difference)
    {
        TestUnit unit = difference.Unit;
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"# {unit.Name}, -O{difference.OptimizationLevel}: {difference.Description.ReplaceLineEndings("\n# ")}\n");
        if (difference.Actual is { } actual)
        {
            text.Append(CultureInfo.InvariantCulture, $"# compiled: r0 0x{actual.Result:x}, memory {Convert.ToHexStringLower(actual.Memory)}\n");
            foreach (byte[] bytes in actual.Variables.Concat(actual.Maps))
                text.Append(CultureInfo.InvariantCulture, $"# compiled: variable or map {Convert.ToHexStringLower(bytes)}\n");
        }

        if (difference.Expected is { } wanted)
        {
            foreach (byte[] bytes in wanted.Variables.Concat(wanted.Maps))
                text.Append(CultureInfo.InvariantCulture, $"# expected: variable or map {Convert.ToHexStringLower(bytes)}\n");
        }

        foreach (TestMap map in unit.Maps)
        {
            string what = map.Programs is null
                ? $"array of {map.MaxEntries} elements of {map.ValueSize} bytes: {Convert.ToHexStringLower(map.Contents)}"
                : $"prog array: {string.Join(", ", map.Programs.Select(p => p < 0 ? "-" : unit.Functions[p].Name))}";
            text.Append(CultureInfo.InvariantCulture, $"# map {map.Name}: {what}\n");
        }

        foreach (TestVariable variable in unit.Variables)
            text.Append(CultureInfo.InvariantCulture, $"# variable {variable.Name} in {variable.Section}: {Convert.ToHexStringLower(variable.Contents)}\n");
        TestInput input = unit.Inputs[Math.Max(difference.Input, 0)];
        text.Append(CultureInfo.InvariantCulture, $"-- mem\n{Convert.ToHexStringLower(input.Memory)}\n");
        text.Append(CultureInfo.InvariantCulture, $"-- args\n{string.Join(' ', input.Arguments.Select(static a => $"0x{a:x}"))}\n");
        if (difference.Expected is { } expected)
        {
            text.Append(CultureInfo.InvariantCulture, $"-- result\n0x{expected.Result:x}\n");
            text.Append(CultureInfo.InvariantCulture, $"-- final mem\n{Convert.ToHexStringLower(expected.Memory)}\n");
        }

        text.Append(CultureInfo.InvariantCulture, $"-- asm\n# entry {unit.Functions[unit.Entry].Name}\n");
        foreach (TestFunction function in unit.Functions)
        {
            text.Append(CultureInfo.InvariantCulture, $"# {function.Place}\n");
            text.Append(BpfAssemblyPrinter.Print(function, r => r.Kind switch
            {
                SlotReferenceKind.Map => unit.Maps[r.Target].Name,
                SlotReferenceKind.Variable => unit.Variables[r.Target].Name + (r.Addend == 0 ? "" : $" + {r.Addend}"),
                SlotReferenceKind.FunctionAddress or SlotReferenceKind.FunctionCall => unit.Functions[r.Target].Name,
            }));
        }

        return text.ToString();
    }
}
