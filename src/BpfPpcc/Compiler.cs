using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;

namespace BpfPpcc;

/// <summary>What came out of a compilation.</summary>
/// <param name="Output">The object (or assembly text in UTF-8), or null after an error.</param>
/// <param name="Diagnostics">Everything there is to tell, in the order in which it was found.</param>
/// <param name="Timings">How long each pass took, in the order of the pipeline.</param>
public sealed record CompilationResult(byte[]? Output, IReadOnlyList<Diagnostic> Diagnostics, IReadOnlyList<PassTiming> Timings);

/// <summary>Time that a pass took over all functions of the object.</summary>
public readonly record struct PassTiming(string Pass, TimeSpan Elapsed);

/// <summary>The compiler as a library: bytes of a BPF object in, bytes of a PowerPC object out. No state, no files; thread-safe.</summary>
public static class Compiler
{
    /// <summary>Version of the tool, as --version prints it and the output records it.</summary>
    public static string Version { get; } = typeof(Compiler).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";

    /// <summary>Compiles one BPF object.</summary>
    /// <param name="bpfObject">Contents of the object file; hostile contents give diagnostics, never exceptions.</param>
    /// <param name="options">How.</param>
    public static CompilationResult Compile(ReadOnlyMemory<byte> bpfObject, CompilerOptions options)
    {
        DiagnosticBag diagnostics = new();
        Pipeline pipeline = new(options, diagnostics);
        byte[]? output = pipeline.Run(bpfObject);
        return new CompilationResult(diagnostics.HasErrors ? null : output, diagnostics.Diagnostics, pipeline.Timings);
    }

    /// <summary>
    /// Lists what a BPF object holds instead of compiling it: programs, maps, externs and global variables, as text or as JSON in UTF-8.
    /// </summary>
    public static CompilationResult List(ReadOnlyMemory<byte> bpfObject, CompilerOptions options, bool asJson)
    {
        DiagnosticBag diagnostics = new();
        BpfModule? module = new Pipeline(options, diagnostics).Load(bpfObject, isListing: true);
        byte[]? output = module is null ? null : asJson ? ModuleListing.Json(module) : ModuleListing.Text(module);
        return new CompilationResult(output, diagnostics.Diagnostics, []);
    }
}
