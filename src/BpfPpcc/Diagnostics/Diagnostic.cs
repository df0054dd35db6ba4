using System.Collections.Immutable;

namespace BpfPpcc.Diagnostics;

/// <summary>How bad it is: an error keeps the output from being written; a warning and a note do not.</summary>
public enum DiagnosticSeverity
{
    Note,
    Warning,
    Error,
}

/// <summary>Where something is wrong, as far as it is known: from the file down to the C source line. All parts may be absent.</summary>
/// <param name="File">Input file, as the user named it.</param>
/// <param name="Section">ELF section name.</param>
/// <param name="Function">BPF function name.</param>
/// <param name="Instruction">Index of the 8-byte instruction slot in <paramref name="Function"/>, or -1.</param>
/// <param name="Source">C source position from .BTF.ext, if the object has it.</param>
/// <param name="InstructionText">The instruction as text.</param>
public sealed record DiagnosticLocation(
    string? File = null, string? Section = null, string? Function = null, int Instruction = -1, SourcePosition? Source = null,
    string? InstructionText = null);

/// <summary>A position in C source, from .BTF.ext line information.</summary>
/// <param name="File">Path as the BPF compiler recorded it.</param>
/// <param name="Line">1-based line.</param>
/// <param name="Column">1-based column, 0 if unknown.</param>
/// <param name="Text">The source line itself with its indentation, "" if not recorded.</param>
public sealed record SourcePosition(string File, int Line, int Column, string Text);

/// <summary>What led to the trouble: one step, and where it was taken.</summary>
/// <param name="Message">A plain phrase without a final full stop.</param>
public sealed record DiagnosticNote(string Message, DiagnosticLocation? Location = null);

/// <summary>One message to the user: what is wrong, where, and what to do about it.</summary>
/// <param name="Id">Stable id; prints as BPFnnnn.</param>
/// <param name="Severity">Whether the output is refused.</param>
/// <param name="Message">What is wrong, in one plain sentence without a final full stop.</param>
/// <param name="Location">Where.</param>
/// <param name="Help">What to do, or null where the message says it already.</param>
public sealed record Diagnostic(
    DiagnosticId Id, DiagnosticSeverity Severity, string Message, DiagnosticLocation? Location = null, string? Help = null)
{
    /// <summary>How it came to this, in the order of execution.</summary>
    public ImmutableArray<DiagnosticNote> Notes { get; init; } = [];
}
