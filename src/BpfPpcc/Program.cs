using System.Globalization;
using BpfPpcc.CommandLine;
using BpfPpcc.Diagnostics;
using BpfPpcc.Ppc64;
using BpfPpcc.Runtime;

namespace BpfPpcc;

/// <summary>The command: arguments to files and exit code. Everything else is <see cref="Compiler"/>'s.</summary>
internal static class Program
{
    private static int Main(string[] args)
    {
        var parser = new CommandLineParser(Pipeline.PassNames);
        CommandLineRequest request = parser.Parse(args);
        switch (request)
        {
            case CommandLineRequest.Compile compile:
                return Compile(compile.Arguments);
            case CommandLineRequest.EmitRuntime runtime:
                string? problem = RuntimeFiles.WriteTo(runtime.Directory);
                return problem is null ? ExitCode.Success : Report(DiagnosticId.OutputNotWritable, runtime.Directory, $"cannot write the runtime: {problem}");
            case CommandLineRequest.Help:
                parser.WriteHelp(Console.Out);
                return ExitCode.Success;
            case CommandLineRequest.Version:
                Console.Out.WriteLine($"bpfppcc {Compiler.Version}");
                return ExitCode.Success;
            case CommandLineRequest.UsageError error:
                return UsageError(error.Message);
        }

        throw new InvalidOperationException($"no such request: {request}");
    }

    private static int Compile(CommandLineArguments arguments)
    {
        if (ReadInput(arguments.Input, out string? problem) is not { } input)
            return Report(DiagnosticId.InputNotReadable, arguments.Input, $"cannot read the file: {problem}");

        string outputPath = arguments.Output ?? (arguments.List is null ? DefaultOutput(arguments) : "-");
        CompilerOptions options = Options(arguments, outputPath);
        if (!TryReadFiles(arguments, ref options))
            return ExitCode.Failure;
        CompilationResult result = arguments.List is null
            ? Compiler.Compile(input, options)
            : Compiler.List(input, options, asJson: arguments.List == "json");
        foreach (Diagnostic diagnostic in result.Diagnostics)
            DiagnosticRenderer.Write(Console.Error, diagnostic);
        if (arguments.TimePasses)
            WriteTimings(result.Timings);
        if (result.Output is null)
            return ExitCode.Failure;

        problem = outputPath == "-" ? WriteStandardOutput(result.Output) : OutputFile.Write(outputPath, result.Output);
        return problem is null ? ExitCode.Success : Report(DiagnosticId.OutputNotWritable, outputPath, $"cannot write the file: {problem}");
    }

    private static CompilerOptions Options(CommandLineArguments arguments, string outputPath) => new()
    {
        InputName = arguments.Input,
        Cpu = arguments.Cpu switch
        {
            "power9" => Ppc64Cpu.Power9,
            "power10" => Ppc64Cpu.Power10,
            _ => Ppc64Cpu.Power8,
        },
        OptimizationLevel = arguments.OptimizationLevel,
        EmitAssembly = arguments.EmitAssembly,
        NoVerify = arguments.NoVerify,
        RawContext = arguments.RawContext,
        SymbolPrefix = arguments.SymbolPrefix,
        Renames = arguments.Renames,
        HelperPrefix = arguments.HelperPrefix,
        ModuleName = arguments.ModuleName ?? Stem(outputPath == "-" ? arguments.Input : outputPath),
        ExternMaps = arguments.ExternMaps,
        ProgramTypes = arguments.ProgramTypes,
        Definitions = arguments.Definitions,
        StripBtf = arguments.StripBtf,
        Dump = arguments.Dump.IsEmpty ? null : new DumpOptions(arguments.Dump, arguments.DumpFunction, outputPath == "-" ? Console.Error : Console.Out),
    };

    /// <summary>Reads the files that options name; false after an error.</summary>
    private static bool TryReadFiles(CommandLineArguments arguments, ref CompilerOptions options)
    {
        bool ok = TryReadFile(arguments.Btf, out NamedFile? btf) & TryReadFile(arguments.BtfBase, out NamedFile? btfBase)
            & TryReadFile(arguments.KernelConfig, out NamedFile? kernelConfig);
        options = options with { TargetBtf = btf, TargetBtfBase = btfBase, KernelConfig = kernelConfig };
        return ok;
    }

    private static bool TryReadFile(string? path, out NamedFile? file)
    {
        file = null;
        if (path is null)
            return true;
        if (ReadInput(path, out string? problem) is not { } contents)
        {
            Report(DiagnosticId.InputNotReadable, path, $"cannot read the file: {problem}");
            return false;
        }

        file = new NamedFile(path, contents);
        return true;
    }

    /// <summary>The output's name up to its first dot, as a C identifier; "stdin" where there is no name (object-abi.md, Discovery).</summary>
    private static string Stem(string path)
    {
        string name = path == "-" ? "stdin" : Path.GetFileName(path);
        int dot = name.IndexOf('.', 1 <= name.Length ? 1 : 0);
        return string.Concat((dot < 0 ? name : name[..dot]).Select(static c => char.IsAsciiLetterOrDigit(c) || c == '_' ? c : '_'));
    }

    private static string DefaultOutput(CommandLineArguments arguments)
    {
        if (arguments.Input == "-")
            return "-";
        string stem = arguments.Input.EndsWith(".o", StringComparison.Ordinal) ? arguments.Input[..^2] : arguments.Input;
        return stem + (arguments.EmitAssembly ? ".ppc.s" : ".ppc.o");
    }

    private static byte[]? ReadInput(string path, out string? problem)
    {
        problem = null;
        try
        {
            if (path != "-")
                return File.ReadAllBytes(path);
            using Stream stream = Console.OpenStandardInput();
            using MemoryStream contents = new();
            stream.CopyTo(contents);
            return contents.ToArray();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            problem = e.Message;
            return null;
        }
    }

    private static string? WriteStandardOutput(byte[] contents)
    {
        try
        {
            using Stream stream = Console.OpenStandardOutput();
            stream.Write(contents);
            return null;
        }
        catch (IOException e)
        {
            return e.Message;
        }
    }

    private static void WriteTimings(IReadOnlyList<PassTiming> timings)
    {
        double total = timings.Sum(static timing => timing.Elapsed.TotalMilliseconds);
        foreach (PassTiming timing in timings)
        {
            double milliseconds = timing.Elapsed.TotalMilliseconds;
            Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{milliseconds,10:F3} ms {(total > 0 ? 100 * milliseconds / total : 0),6:F1} %  {timing.Pass}"));
        }

        Console.Error.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{total,10:F3} ms 100.0 %  total"));
    }

    private static int Report(DiagnosticId id, string file, string message)
    {
        DiagnosticRenderer.Write(Console.Error, new Diagnostic(id, DiagnosticSeverity.Error, message, new DiagnosticLocation(file)));
        return ExitCode.Failure;
    }

    private static int UsageError(string error)
    {
        DiagnosticRenderer.Write(Console.Error, new Diagnostic(DiagnosticId.UsageError, DiagnosticSeverity.Error, error, Help: "bpfppcc --help lists the options"));
        return ExitCode.Usage;
    }
}
