namespace BpfPpcc.Tests.Runtime;

/// <summary>Where the C code of a test runs: a compiler with its options, and what starts the program.</summary>
internal sealed record RuntimeTarget(string Compiler, string[] Options, string? Emulator, string[] EmulatorOptions)
{
    public static readonly RuntimeTarget Sanitized = new(
        "gcc", ["-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"], null, []);

    public static readonly RuntimeTarget ThreadSanitized = new("gcc", ["-O1", "-fsanitize=thread", "-pthread"], null, []);

    public static readonly RuntimeTarget LittleEndian = new(
        "powerpc64le-linux-gnu-gcc", ["-O2", "-static", "-pthread"], "qemu-ppc64le", ["-cpu", "power8"]);

    public static readonly RuntimeTarget BigEndian = new(
        "powerpc64-linux-gnu-gcc", ["-O2", "-static", "-pthread"], "qemu-ppc64", ["-cpu", "power8"]);
}

/// <summary>
/// Builds C programs with the reference runtime, each in a folder that goes when the object is disposed of. The runtime is compiled from the
/// files that the tool carries, not from the source tree.
/// </summary>
internal sealed class RuntimeBuild : IDisposable
{
    public static readonly string[] Warnings = ["-std=c11", "-g", "-Wall", "-Wextra", "-Werror"];

    public RuntimeBuild()
    {
        Folder = Directory.CreateTempSubdirectory("bpfppcc-runtime-").FullName;
        if (BpfPpcc.Runtime.RuntimeFiles.WriteTo(Folder) is { } error)
            throw new InvalidOperationException(error);
    }

    public string Folder { get; }

    /// <summary>The C files of the runtime.</summary>
    public static IEnumerable<string> Sources => BpfPpcc.Runtime.RuntimeFiles.Names.Where(static name => name.EndsWith(".c", StringComparison.Ordinal));

    /// <summary>The folder of the C tests, which the build copies beside the test program.</summary>
    public static string Tests => Path.Combine(AppContext.BaseDirectory, "Runtime");

    /// <summary>Compiles a program together with the runtime and runs it; it must end with exit status 0.</summary>
    public string Run(RuntimeTarget target, string source, params string[] options)
    {
        string compiler = Tools.Require(target.Compiler);
        string program = Path.Combine(Folder, "program");
        Tools.RunChecked(
            compiler,
            [.. Warnings, .. target.Options, .. options, "-I", Tests, "-I", ".", source, .. Sources, "-o", program],
            workingDirectory: Folder);
        return target.Emulator is { } emulator
            ? Tools.RunChecked(Tools.Require(emulator), [.. target.EmulatorOptions, program])
            : Tools.RunChecked(program, []);
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
