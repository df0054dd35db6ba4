using System.Collections.Immutable;
using System.Text.Encodings.Web;
using System.Text.Json;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using BpfPpcc.Verification.Walk;

namespace BpfPpcc.Verification;

/// <summary>What verification says of one program.</summary>
/// <param name="Object">The input file.</param>
/// <param name="Verdict">"accept", "reject", or "error" where the object could not be loaded.</param>
/// <param name="Code">BPFnnnn of the error, "" without one.</param>
/// <param name="Text">The error's message, "" without one.</param>
/// <param name="File">C source file of the error, "" if unknown; its line and column are 0 then.</param>
public sealed record ProgramReport(
    string Object, string Section, string Name, string Type, string Verdict, string Code, string Text, string File, int Line, int Column,
    int InstructionsWalked, int States, double Seconds)
{
    public bool IsAccepted => Verdict == "accept";
}

/// <summary>The verdicts on the programs of a module, in input order.</summary>
public sealed record VerificationReport(ImmutableArray<ProgramReport> Programs)
{
    public bool IsAccepted => Programs.All(static program => program.IsAccepted);

    /// <summary>The report on an object of which not even the programs are known.</summary>
    /// <param name="objectName">The input file.</param>
    /// <param name="error">Why it could not be loaded.</param>
    public static VerificationReport OfUnloadable(string objectName, Diagnostic? error) => new(
    [
        new ProgramReport(
            objectName, error?.Location?.Section ?? "", error?.Location?.Function ?? "", "", "error", error is null ? "" : CodeOf(error.Id), error?.Message ?? "",
            error?.Location?.Source?.File ?? "", error?.Location?.Source?.Line ?? 0, error?.Location?.Source?.Column ?? 0, 0, 0, 0),
    ]);

    /// <summary>Reports as JSON in UTF-8: {"programs":[{...}]}.</summary>
    public static byte[] Json(IEnumerable<VerificationReport> reports)
    {
        using var output = new MemoryStream();
        using (var writer = new Utf8JsonWriter(output, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            writer.WriteStartObject();
            writer.WriteStartArray("programs");
            foreach (VerificationReport report in reports)
            {
                foreach (ProgramReport program in report.Programs)
                    Write(writer, program);
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        output.WriteByte((byte)'\n');
        return output.ToArray();
    }

    internal static VerificationReport Of(BpfModule module, CodeImage image, ImmutableArray<ProgramVerdict> verdicts) =>
        new([.. verdicts.Select(verdict => Of(module, image, verdict))]);

    private static ProgramReport Of(BpfModule module, CodeImage image, ProgramVerdict verdict) => verdict.Error is { } error
        ? Of(module, verdict, error.Id, error.Message, Verifier.LocationOf(module, image, verdict, error))
        : Of(module, verdict, null, "", null);

    private static ProgramReport Of(
        BpfModule module, ProgramVerdict verdict, DiagnosticId? id, string text, DiagnosticLocation? location) => new(
        module.SourceName, verdict.Program.SectionName, verdict.Program.Name, verdict.Type.ToString(), id is null ? "accept" : "reject",
        id is { } known ? CodeOf(known) : "", text, location?.Source?.File ?? "",
        location?.Source?.Line ?? 0, location?.Source?.Column ?? 0, verdict.Instructions, verdict.States,
        verdict.Seconds);

    private static string CodeOf(DiagnosticId id) => FormattableString.Invariant($"BPF{(int)id:0000}");

    private static void Write(Utf8JsonWriter writer, ProgramReport program)
    {
        writer.WriteStartObject();
        writer.WriteString("object", program.Object);
        writer.WriteString("section", program.Section);
        writer.WriteString("name", program.Name);
        writer.WriteString("type", program.Type);
        writer.WriteString("verdict", program.Verdict);
        writer.WriteString("code", program.Code);
        writer.WriteString("text", program.Text);
        writer.WriteString("file", program.File);
        writer.WriteNumber("line", program.Line);
        writer.WriteNumber("column", program.Column);
        writer.WriteNumber("insns_walked", program.InstructionsWalked);
        writer.WriteNumber("states", program.States);
        writer.WriteNumber("seconds", program.Seconds);
        writer.WriteEndObject();
    }
}
