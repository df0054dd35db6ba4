using System.Globalization;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using BpfPpcc.Tests.Assembler;
using BpfPpcc.Verification;

namespace BpfPpcc.Tests.Verification;

/// <summary>Runs the verifier on assembly text and shows what it says.</summary>
internal static class VerificationText
{
    /// <summary>
    /// Verifies with the given options; without any, checks the structure and the pointer classes only.
    /// </summary>
    public static (VerifiedModule? Module, DiagnosticBag Diagnostics) Verify(BpfModule module, VerifierOptions? options = null)
    {
        var diagnostics = new DiagnosticBag();
        VerifiedModule? verified = Verifier.Verify(module, options ?? new VerifierOptions { SkipsWalk = true }, diagnostics);
        return (verified, diagnostics);
    }

    /// <summary>
    /// One line per diagnostic, and per redirected load "function slot -> native offset". With a line "// --ctx=raw" in the input,
    /// contexts are raw.
    /// </summary>
    public static string Show(string input)
    {
        bool isRaw = input.Contains("// --ctx=raw", StringComparison.Ordinal);
        BpfModule module = BpfAssembler.Assemble(input);
        (VerifiedModule? verified, DiagnosticBag diagnostics) =
            isRaw ? Verify(module, new VerifierOptions { NoVerify = true, RawContext = true }) : Verify(module);
        var lines = new List<string>();
        foreach (Diagnostic diagnostic in diagnostics.Diagnostics)
            lines.Add(Show(diagnostic));
        foreach (BpfFunction function in module.Functions)
        {
            foreach ((int slot, int offset) in verified?.Facts[function.Index].ContextLoads.OrderBy(load => load.Key) ?? Enumerable.Empty<KeyValuePair<int, int>>())
                lines.Add(string.Create(CultureInfo.InvariantCulture, $"{function.Name} {slot} -> {offset}"));
        }

        return lines.Count == 0 ? "nothing" : string.Join('\n', lines);
    }

    private static string Show(Diagnostic diagnostic)
    {
        DiagnosticLocation? location = diagnostic.Location;
        string place = location?.Instruction >= 0
            ? string.Create(CultureInfo.InvariantCulture, $"{location.Function} {location.Instruction}")
            : location?.Function ?? "module";
        string source = location?.Source is { } position
            ? string.Create(CultureInfo.InvariantCulture, $" ({position.File}:{position.Line}:{position.Column} {position.Text})")
            : "";
        string help = diagnostic.Help is null ? "" : $"\n    help: {diagnostic.Help}";
        return $"{place}: {diagnostic.Id}: {diagnostic.Message}{source}{help}";
    }
}
