using System.Globalization;
using BpfPpcc.CommandLine;
using BpfPpcc.Diagnostics;
using BpfPpcc.Ppc64;
using BpfPpcc.Runtime;
using BpfPpcc.Verification;

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
                return compile.Arguments.VerifyOnly ? Verify(compile.Arguments) : Compile(compile.Arguments);
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
        List<CompilerInput> inputs = [];
        foreach (string name in arguments.Inputs)
        {
            if (ReadInput(name, out string? problem) is not { } contents)
                return Report(DiagnosticId.InputNotReadable, name, $"cannot read the file: {problem}");
            inputs.Add(new CompilerInput(name, contents));
        }

        string outputPath = arguments.Output ?? (arguments.List is null ? DefaultOutput(arguments) : "-");
        CompilerOptions options = Options(arguments, outputPath);
        if (!TryReadFiles(arguments, ref options) || !TryOpenLog(arguments, ref options))
            return ExitCode.Failure;
        CompilationResult result = arguments.List is null
            ? Compiler.Compile(inputs, options)
            : Compiler.List(inputs, options, asJson: arguments.List == "json");
        CloseLog(options);
        WriteMessages(arguments, result.Diagnostics, result.Timings);
        return result.Output is null ? ExitCode.Failure : WriteOutput(outputPath, result.Output);
    }

    /// <summary>Inputs that cannot be read have a verdict as well, so that the report is complete.</summary>
    private static int Verify(CommandLineArguments arguments)
    {
        CompilerOptions options = Options(arguments, outputPath: "-");
        if (!TryReadFiles(arguments, ref options) || !TryOpenLog(arguments, ref options))
            return ExitCode.Failure;
        List<CompilerInput> inputs = [];
        Dictionary<int, VerificationReport> unreadable = [];
        for (int i = 0; i < arguments.Inputs.Length; i++)
        {
            string name = arguments.Inputs[i];
            if (ReadInput(name, out string? problem) is { } contents)
            {
                inputs.Add(new CompilerInput(name, contents));
                continue;
            }

            Diagnostic error = FileError(DiagnosticId.InputNotReadable, name, $"cannot read the file: {problem}");
            DiagnosticRenderer.Write(Console.Error, error);
            unreadable.Add(i, VerificationReport.OfUnloadable(name, error));
        }

        VerificationResult result = Compiler.Verify(inputs, options);
        CloseLog(options);
        WriteMessages(arguments, result.Diagnostics, result.Timings);
        List<VerificationReport> reports = [.. result.Reports];
        foreach ((int i, VerificationReport report) in unreadable.OrderBy(static entry => entry.Key))
            reports.Insert(i, report);
        int written = arguments.Report is null ? ExitCode.Success : WriteOutput(arguments.Report, VerificationReport.Json(reports));
        return reports.TrueForAll(static report => report.IsAccepted) ? written : ExitCode.Failure;
    }

    private static void WriteMessages(CommandLineArguments arguments, IReadOnlyList<Diagnostic> diagnostics, IReadOnlyList<PassTiming> timings)
    {
        foreach (Diagnostic diagnostic in diagnostics)
            DiagnosticRenderer.Write(Console.Error, diagnostic);
        if (arguments.TimePasses)
            WriteTimings(timings);
    }

    private static int WriteOutput(string path, byte[] contents)
    {
        string? problem = path == "-" ? WriteStandardOutput(contents) : OutputFile.Write(path, contents);
        return problem is null ? ExitCode.Success : Report(DiagnosticId.OutputNotWritable, path, $"cannot write the file: {problem}");
    }

    private static CompilerOptions Options(CommandLineArguments arguments, string outputPath) => new()
    {
        InputName = arguments.Inputs[0],
        Cpu = arguments.Cpu switch
        {
            "power9" => Ppc64Cpu.Power9,
            "power10" => Ppc64Cpu.Power10,
            _ => Ppc64Cpu.Power8,
        },
        OptimizationLevel = arguments.OptimizationLevel,
        EmitAssembly = arguments.EmitAssembly,
        NoVerify = arguments.NoVerify,
        VerifyBudget = arguments.VerifyBudget ?? VerifierOptions.DefaultBudget,
        StrictStack = arguments.StrictStack,
        StrictAlignment = arguments.StrictAlignment,
        ContextSize = arguments.ContextSize,
        RawContext = arguments.RawContext,
        SymbolPrefix = arguments.SymbolPrefix,
        Renames = arguments.Renames,
        HelperPrefix = arguments.HelperPrefix,
        ModuleName = arguments.ModuleName ?? Stem(outputPath == "-" ? arguments.Inputs[0] : outputPath),
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
            & TryReadFile(arguments.KernelConfig, out NamedFile? kernelConfig) & TryReadFile(arguments.Helpers, out NamedFile? helpers);
        options = options with { TargetBtf = btf, TargetBtfBase = btfBase, KernelConfig = kernelConfig, Helpers = helpers };
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

    private static bool TryOpenLog(CommandLineArguments arguments, ref CompilerOptions options)
    {
        if (arguments.VerifyLog is not { } path)
            return true;
        try
        {
            options = options with
            {
                VerifyLog = path == "-" ? Console.Out : path == CommandLineArguments.StandardError ? Console.Error : new StreamWriter(path),
            };
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            Report(DiagnosticId.OutputNotWritable, path, $"cannot write the log: {e.Message}");
            return false;
        }
    }

    private static void CloseLog(CompilerOptions options)
    {
        if (options.VerifyLog is StreamWriter log)
            log.Dispose();
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
        string input = arguments.Inputs[0];
        if (input == "-")
            return "-";
        string stem = input.EndsWith(".o", StringComparison.Ordinal) ? input[..^2] : input;
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
        DiagnosticRenderer.Write(Console.Error, FileError(id, file, message));
        return ExitCode.Failure;
    }

    private static Diagnostic FileError(DiagnosticId id, string file, string message) =>
        new(id, DiagnosticSeverity.Error, message, new DiagnosticLocation(file));

    private static int UsageError(string error)
    {
        DiagnosticRenderer.Write(Console.Error, new Diagnostic(DiagnosticId.UsageError, DiagnosticSeverity.Error, error, Help: "bpfppcc --help lists the options"));
        return ExitCode.Usage;
    }
}
