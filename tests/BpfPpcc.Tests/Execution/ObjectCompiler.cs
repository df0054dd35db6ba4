using BpfPpcc.Diagnostics;

namespace BpfPpcc.Tests.Execution;

/// <summary>The compiler under test, as the execution tests call it.</summary>
public static class ObjectCompiler
{
    /// <summary>Compiles a BPF object that no verifier has seen, its contexts being plain memory.</summary>
    /// <param name="name">The module's name.</param>
    /// <param name="symbolPrefix">Stands in front of all exported names, so that two objects go into one link.</param>
    /// <param name="errors">Why there is no output.</param>
    public static byte[]? Compile(byte[] bpfObject, int optimizationLevel, string name, string symbolPrefix, out string errors)
    {
        var options = new CompilerOptions
        {
            InputName = name + ".o",
            ModuleName = name,
            OptimizationLevel = optimizationLevel,
            NoVerify = true,
            RawContext = true,
            SymbolPrefix = symbolPrefix,
        };
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
