using BpfPpcc.Tests.Execution;

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
/// Builds C programs with the reference runtime, in a folder that goes with the object. The runtime is compiled from the files that the tool
/// carries, not from the source tree, and once for each target. Not for several threads.
/// </summary>
public sealed class RuntimeBuild : IDisposable
{
    public static readonly string[] Warnings = ["-std=c11", "-g", "-Wall", "-Wextra", "-Werror"];

    private readonly Dictionary<RuntimeTarget, string[]> _objects = [];

    public RuntimeBuild()
    {
        Folder = Directory.CreateTempSubdirectory("bpfppcc-runtime-").FullName;
        if (BpfPpcc.Runtime.RuntimeFiles.WriteTo(Folder) is { } error)
            throw new InvalidOperationException(error);
    }

    /// <summary>Where the runtime's files are.</summary>
    public string Folder { get; }

    /// <summary>The C files of the runtime, relative to <see cref="Folder"/>.</summary>
    public static IEnumerable<string> Sources => BpfPpcc.Runtime.RuntimeFiles.Names.Where(static name => name.EndsWith(".c", StringComparison.Ordinal));

    /// <summary>The folder of the C tests.</summary>
    public static string Tests => Path.Combine(TestPaths.ProjectRoot, "tests", "BpfPpcc.Tests", "Runtime");

    /// <summary>Compiles a program, links it with the runtime and runs it; it must end with exit status 0. Returns what it printed.</summary>
    /// <param name="source">The C file, in <see cref="Tests"/> or anywhere.</param>
    /// <param name="objects">More files to link.</param>
    internal string Run(RuntimeTarget target, string source, params string[] objects)
    {
        string program = Path.Combine(Folder, "program");
        string[] files = [Path.Combine(Tests, source), .. objects, .. ObjectsFor(target)];
        Tools.RunChecked(Tools.Require(target.Compiler), [.. Warnings, .. target.Options, "-I", Tests, "-I", Folder, .. files, "-o", program]);
        return target.Emulator is { } emulator
            ? Tools.RunChecked(Tools.Require(emulator), [.. target.EmulatorOptions, program])
            : Tools.RunChecked(program, []);
    }

    private string[] ObjectsFor(RuntimeTarget target)
    {
        if (_objects.TryGetValue(target, out string[]? objects))
            return objects;
        string folder = Directory.CreateDirectory(Path.Combine(Folder, $"objects{_objects.Count}")).FullName;
        Tools.RunChecked(
            Tools.Require(target.Compiler),
            [.. Warnings, .. target.Options, "-c", .. Sources.Select(name => Path.Combine(Folder, name))],
            workingDirectory: folder);
        objects = Directory.GetFiles(folder);
        _objects.Add(target, objects);
        return objects;
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);
}
