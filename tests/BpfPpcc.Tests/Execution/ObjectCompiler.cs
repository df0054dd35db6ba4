using System.Text;
using BpfPpcc.Diagnostics;

namespace BpfPpcc.Tests.Execution;

/// <summary>The compiler under test, as the execution tests call it.</summary>
public static class ObjectCompiler
{
    /// <summary>Compiles a BPF object that no verifier has seen, its contexts being plain memory.</summary>
    /// <param name="name">The module's name.</param>
    /// <param name="symbolPrefix">Stands in front of all exported names, so that two objects go into one link.</param>
    /// <param name="errors">Why there is no output.</param>
    public static byte[]? Compile(byte[] bpfObject, int optimizationLevel, string name, string symbolPrefix, out string errors) =>
        Compile(bpfObject, Options(name) with { OptimizationLevel = optimizationLevel, NoVerify = true, SymbolPrefix = symbolPrefix }, out errors);

    /// <summary>Compiles a BPF object that must be verified first.</summary>
    internal static byte[]? CompileVerified(byte[] bpfObject, int optimizationLevel, string name, Verification verification, out string errors) =>
        Compile(bpfObject, OptionsOf(verification, name) with { OptimizationLevel = optimizationLevel }, out errors);

    /// <summary>Why the programs of an object are refused, by their names; null where they are accepted.</summary>
    internal static Dictionary<string, string?> Verify(byte[] bpfObject, string name, Verification verification)
    {
        VerificationResult result = Compiler.Verify([new CompilerInput(name + ".o", bpfObject)], OptionsOf(verification, name));
        return result.Reports.SelectMany(static r => r.Programs).ToDictionary(static p => p.Name, static p => p.IsAccepted ? null : $"{p.Code} {p.Text}");
    }

    /// <summary>What verification knows of the host.</summary>
    /// <param name="ContextSize">Bytes of context of every program.</param>
    /// <param name="Helpers">Prototypes of the host's helpers.</param>
    /// <param name="Budget">Instructions that may be walked per program.</param>
    internal sealed record Verification(int ContextSize, string Helpers, int Budget);

    private static CompilerOptions Options(string name) => new() { InputName = name + ".o", ModuleName = name, RawContext = true };

    private static CompilerOptions OptionsOf(Verification verification, string name) => Options(name) with
    {
        ContextSize = verification.ContextSize,
        Helpers = new NamedFile("helpers.h", Encoding.UTF8.GetBytes(verification.Helpers)),
        VerifyBudget = verification.Budget,
    };

    private static byte[]? Compile(byte[] bpfObject, CompilerOptions options, out string errors)
    {
        try
        {
            CompilationResult result = Compiler.Compile(bpfObject, options);
            errors = string.Join('\n', result.Diagnostics.Where(static d => d.Severity == DiagnosticSeverity.Error).Select(static d => $"{d.Id}: {d.Message} {d.Location}"));
            return result.Output;
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            errors = $"the compiler throws {failure}";
            return null;
        }
    }
}
