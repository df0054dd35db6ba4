using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using BpfPpcc.Verification;

namespace BpfPpcc;

/// <summary>What came out of a compilation.</summary>
/// <param name="Output">The object (or assembly text in UTF-8), or null after an error.</param>
/// <param name="Diagnostics">Everything there is to tell, in the order in which it was found.</param>
/// <param name="Timings">How long each pass took, in the order of the pipeline.</param>
public sealed record CompilationResult(byte[]? Output, IReadOnlyList<Diagnostic> Diagnostics, IReadOnlyList<PassTiming> Timings);

/// <summary>What verification says of several objects.</summary>
/// <param name="Reports">One per object, in their order.</param>
/// <param name="Diagnostics">Everything there is to tell, in the order in which it was found.</param>
public sealed record VerificationResult(
    IReadOnlyList<VerificationReport> Reports, IReadOnlyList<Diagnostic> Diagnostics, IReadOnlyList<PassTiming> Timings);

/// <summary>Time that a pass took over all functions of the object.</summary>
public readonly record struct PassTiming(string Pass, TimeSpan Elapsed);

/// <summary>One BPF object to compile.</summary>
/// <param name="Name">Its name in messages, and (without its folder) in the output's module record.</param>
/// <param name="Contents">The file; hostile contents give diagnostics, never exceptions.</param>
public readonly record struct CompilerInput(string Name, ReadOnlyMemory<byte> Contents);

/// <summary>The compiler as a library: bytes of a BPF object in, bytes of a PowerPC object out. No state, no files; thread-safe.</summary>
public static class Compiler
{
    /// <summary>Version of the tool, as --version prints it and the output records it.</summary>
    /// <remarks>The assembly's, which a test holds it against: to ask for that takes reflection.</remarks>
    public const string Version = "0.1.0";

    /// <summary>Compiles one BPF object.</summary>
    /// <param name="bpfObject">Contents of the object file; hostile contents give diagnostics, never exceptions.</param>
    /// <param name="options">How.</param>
    public static CompilationResult Compile(ReadOnlyMemory<byte> bpfObject, CompilerOptions options) =>
        Compile([new CompilerInput(options.InputName, bpfObject)], options);

    /// <summary>Links BPF objects and compiles what they make together.</summary>
    /// <param name="inputs">At least one; their order is that of programs and maps in the output.</param>
    /// <param name="options">How; <see cref="CompilerOptions.InputName"/> does not count.</param>
    public static CompilationResult Compile(IReadOnlyList<CompilerInput> inputs, CompilerOptions options)
    {
        DiagnosticBag diagnostics = new();
        Pipeline pipeline = new(options, diagnostics);
        byte[]? output = pipeline.Run(inputs);
        return new CompilationResult(diagnostics.HasErrors ? null : output, diagnostics.Diagnostics, pipeline.Timings);
    }

    /// <summary>
    /// Verifies every object by itself and compiles nothing. An object that cannot be loaded has one record, with the verdict "error".
    /// </summary>
    public static VerificationResult Verify(IReadOnlyList<CompilerInput> inputs, CompilerOptions options)
    {
        DiagnosticBag diagnostics = new();
        Pipeline pipeline = new(options, diagnostics);
        IReadOnlyList<VerificationReport> reports = pipeline.Verify(inputs);
        return new VerificationResult(reports, diagnostics.Diagnostics, pipeline.Timings);
    }

    /// <summary>
    /// Lists what BPF objects hold instead of compiling them: programs, maps, externs and global variables, as text or as JSON in UTF-8.
    /// </summary>
    public static CompilationResult List(IReadOnlyList<CompilerInput> inputs, CompilerOptions options, bool asJson)
    {
        DiagnosticBag diagnostics = new();
        BpfModule? module = new Pipeline(options, diagnostics).Load(inputs, isListing: true);
        byte[]? output = module is null ? null : asJson ? ModuleListing.Json(module) : ModuleListing.Text(module);
        return new CompilationResult(output, diagnostics.Diagnostics, []);
    }
}
