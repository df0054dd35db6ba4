using System.Globalization;
using BpfPpcc.Diagnostics;

namespace BpfPpcc.CommandLine;

/// <summary>
/// Prints diagnostics the way C compilers do: `file:line:column: error: text [BPFnnnn]` with the source line and a caret where the
/// object knows them, then where in the object it is, then the steps that led there, each with its line, then what to do.
/// </summary>
public static class DiagnosticRenderer
{
    public static void Write(TextWriter output, Diagnostic diagnostic)
    {
        DiagnosticLocation? location = diagnostic.Location;
        output.WriteLine($"{Place(location)}: {Severity(diagnostic.Severity)}: {diagnostic.Message} [{Code(diagnostic.Id)}]");
        WriteSourceLine(output, location);
        if (InObject(location) is { Length: > 0 } inObject)
            output.WriteLine($"    {inObject}");
        foreach (DiagnosticNote note in diagnostic.Notes)
            WriteNote(output, note);
        if (diagnostic.Help is not null)
            output.WriteLine($"    help: {diagnostic.Help}");
    }

    private static void WriteNote(TextWriter output, DiagnosticNote note)
    {
        if (note.Location?.Source is null)
        {
            string place = note.Location is { Instruction: >= 0 } location ? $"at {Instruction(location)}: " : "";
            output.WriteLine($"    note: {place}{note.Message}");
            return;
        }

        output.WriteLine($"{Place(note.Location)}: note: {note.Message}");
        WriteSourceLine(output, note.Location);
    }

    /// <summary>The stable code, BPF and four digits.</summary>
    public static string Code(DiagnosticId id) => "BPF" + ((int)id).ToString("D4", CultureInfo.InvariantCulture);

    private static string Place(DiagnosticLocation? location) => location switch
    {
        { Source: { } source } => source.Column > 0 ? $"{source.File}:{source.Line}:{source.Column}" : $"{source.File}:{source.Line}",
        { File: { } file } => file,
        _ => "bpfppcc",
    };

    private static string Severity(DiagnosticSeverity severity) => severity switch
    {
        DiagnosticSeverity.Note => "note",
        DiagnosticSeverity.Warning => "warning",
        DiagnosticSeverity.Error => "error",
    };

    private static void WriteSourceLine(TextWriter output, DiagnosticLocation? location)
    {
        if (location?.Source is not { Text.Length: > 0 } source)
            return;
        string number = source.Line.ToString(CultureInfo.InvariantCulture);
        output.WriteLine($"    {number} | {source.Text}");
        if (source.Column > 0 && source.Column <= source.Text.Length + 1)
        {
            // Tabs stay tabs, so that the caret stands under its column whatever their width.
            string indent = string.Concat(source.Text[..(source.Column - 1)].Select(static c => c == '\t' ? '\t' : ' '));
            output.WriteLine($"    {new string(' ', number.Length)} | {indent}^");
        }
    }

    private static string Instruction(DiagnosticLocation location)
    {
        string number = location.Instruction.ToString(CultureInfo.InvariantCulture);
        return location.InstructionText is null ? $"instruction {number}" : $"instruction {number} ({location.InstructionText})";
    }

    private static string InObject(DiagnosticLocation? location)
    {
        if (location is null)
            return "";
        List<string> parts = [];
        if (location.Instruction >= 0)
            parts.Add($"at {Instruction(location)}");
        if (location.Function is not null)
            parts.Add($"in function '{location.Function}'");
        if (location.Section is not null)
            parts.Add($"in section '{location.Section}'");
        if (location.Source is not null && location.File is not null)
            parts.Add($"of {location.File}");
        return string.Join(" ", parts);
    }
}
