namespace BpfPpcc.Diagnostics;

/// <summary>Collects diagnostics in the order in which they are found. Stages report here instead of throwing on bad input.</summary>
public sealed class DiagnosticBag
{
    private readonly List<Diagnostic> _diagnostics = [];

    public IReadOnlyList<Diagnostic> Diagnostics => _diagnostics;

    /// <summary>True once an error was reported: no output may be written.</summary>
    public bool HasErrors { get; private set; }

    public Diagnostic? FirstError => _diagnostics.Find(static diagnostic => diagnostic.Severity == DiagnosticSeverity.Error);

    public void AddRange(DiagnosticBag other)
    {
        foreach (Diagnostic diagnostic in other._diagnostics)
            Add(diagnostic);
    }

    public void Add(Diagnostic diagnostic)
    {
        HasErrors |= diagnostic.Severity == DiagnosticSeverity.Error;
        _diagnostics.Add(diagnostic);
    }

    public void Error(DiagnosticId id, string message, DiagnosticLocation? location = null, string? help = null) =>
        Add(new Diagnostic(id, DiagnosticSeverity.Error, message, location, help));

    public void Warning(DiagnosticId id, string message, DiagnosticLocation? location = null, string? help = null) =>
        Add(new Diagnostic(id, DiagnosticSeverity.Warning, message, location, help));

    public void Note(DiagnosticId id, string message, DiagnosticLocation? location = null, string? help = null) =>
        Add(new Diagnostic(id, DiagnosticSeverity.Note, message, location, help));
}
