using System.Collections.Immutable;
using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Parsing;
using System.Globalization;

namespace BpfPpcc.CommandLine;

/// <summary>
/// Reads the command line: the one table of options. Conventions are those of C compilers: of an option given twice the last counts,
/// anything that starts with a dash and is no option is an error.
/// </summary>
public sealed class CommandLineParser
{
    private readonly Argument<string[]> _input = new("INPUT")
    {
        Description = "the BPF object (EM_BPF, as clang -target bpf writes it); - for standard input; several are linked into one program",
        Arity = ArgumentArity.ZeroOrMore,
    };

    private readonly Option<string[]> _output = Text("-o", "FILE", "where the object goes; - for standard output [default: the first INPUT with .ppc.o in place of .o]");
    private readonly Option<string[]> _cpu = Choice("-mcpu", "oldest processor that must run the code [default: power8]", "power8", "power9", "power10");
    private readonly Option<string[]> _level = Choice("-O", "optimisation level [default: 2]", "0", "1", "2");
    private readonly Option<bool> _assembly = Flag("-S", "write assembly text for GNU as instead of an object");
    private readonly Option<bool> _noVerify = Flag("--no-verify", "do not verify: nothing is proved of the programs, and the object says so");
    private readonly Option<bool> _verifyOnly = Flag("--verify-only", "verify the programs of each INPUT by itself and compile nothing; exit code 1 unless all are accepted");
    private readonly Option<string[]> _report = Text("--report", "FILE", "with --verify-only: write one verdict per program as JSON; - for standard output");
    private readonly Option<string[]> _budget = Text("--verify-budget", "N", "instructions that verification may walk per program, on all paths together [default: 1000000]");
    private readonly Option<string[]> _verifyLog = Text("--verify-log", "FILE", "write every step of verification in the manner of the kernel's log: --verify-log=FILE, =- for standard output; --verify-log alone writes to standard error");
    private readonly Option<string[]> _strict = Text("--strict", "stack,alignment", "stack: refuse reads of local variables that were never written; alignment: refuse accesses that may be misaligned");
    private readonly Option<string[]> _contextSize = Text("--ctx-size", "N", "programs without a kernel program type get N bytes of context [default: what the first parameter points to, by BTF]");
    private readonly Option<string[]> _helpers = Text("--helpers", "FILE", "C prototypes of the host's own helpers (docs/verification.md)");
    private readonly Option<string[]> _context = Choice("--ctx", "uapi: packet pointers of xdp_md and __sk_buff are read from 64-bit fields (bpfppcc.h); raw: contexts are used as they are [default: uapi]", "uapi", "raw");
    private readonly Option<string[]> _prefix = Text("--symbol-prefix", "P", "put P before the names of programs, maps and variables");
    private readonly Option<string[]> _rename = Text("--rename-symbol", "OLD=NEW", "give a program, map or variable another name; may be repeated");
    private readonly Option<string[]> _helperPrefix = Text("--helper-prefix", "P", "names of helper functions start with P [default: bpf_helper_]");
    private readonly Option<string[]> _moduleName = Text("--module-name", "NAME", "the module's symbol is bpfppcc_module_NAME [default: the output's name up to its first dot]");
    private readonly Option<string[]> _externMap = Text("--extern-map", "MAP", "the map is defined by another object; may be repeated");
    private readonly Option<string[]> _btf = Text("--btf", "FILE", "types of the system that the programs will run on, for CO-RE: BTF, or an ELF file with .BTF [default: the object's own]");
    private readonly Option<string[]> _btfBase = Text("--btf-base", "FILE", "what the file of --btf continues, if it is split BTF (kernel modules)");
    private readonly Option<string[]> _type = Text("--type", "[NAME=]TYPE", "program type, as a section name of libbpf (xdp, tc, kprobe), of program NAME or of all whose section says nothing; may be repeated");
    private readonly Option<string[]> _kconfig = Text("--kconfig", "FILE", "kernel configuration (.config, also gzip) for __kconfig variables");
    private readonly Option<string[]> _define = Text("-D", "NAME=VALUE", "value of a __kconfig variable, as in a .config [default value: y]; may be repeated");
    private readonly Option<string[]> _list = Choice("--list", "print programs, maps, externs and globals and compile nothing; --list alone is --list=text", "text", "json");
    private readonly Option<bool> _stripBtf = Flag("--strip-btf", "leave .BTF and .BTF.ext out of the output");
    private readonly Option<string[]> _dump = Text("--dump", "PASS[,PASS]", "print the program after these passes to standard output (standard error if the object goes there); 'all' for every pass");
    private readonly Option<string[]> _dumpFunction = Text("--dump-function", "F", "print only this function");
    private readonly Option<bool> _timePasses = Flag("--time-passes", "print to standard error how long each pass took");
    private readonly Option<string[]> _emitRuntime = Text("--emit-runtime", "DIR", "write bpfppcc.h and the C source of the reference runtime into DIR; takes no input");
    private readonly Option<bool> _help = new("--help", "-h") { Description = "Show help and usage information", Arity = ArgumentArity.Zero, Action = new HelpAction() };
    private readonly Option<bool> _version = Flag("--version", "print the version");
    private readonly Command _command;

    /// <param name="passes">Names of the passes that --dump takes; for help and errors.</param>
    public CommandLineParser(IReadOnlyList<string> passes)
    {
        // A RootCommand would bring options of its own, with texts from resources, which take longer to load than a small object to compile.
        _command = new Command("bpfppcc", "Compiles a BPF object to a relocatable PowerPC object with a C interface.\n\nPasses for --dump: " + string.Join(", ", passes));
        _command.Arguments.Add(_input);
        foreach (Option option in new Option[]
        {
            _output, _cpu, _level, _assembly, _noVerify, _verifyOnly, _report, _budget, _verifyLog, _strict, _contextSize, _helpers, _context,
            _prefix, _rename, _helperPrefix, _moduleName, _externMap, _btf, _btfBase, _type, _kconfig, _define, _list, _stripBtf, _dump, _dumpFunction, _timePasses, _emitRuntime, _version, _help,
        })
            _command.Options.Add(option);
        Passes = passes;
    }

    private IReadOnlyList<string> Passes { get; }

    /// <summary>Reads <paramref name="args"/>, the arguments without the program's name.</summary>
    public CommandLineRequest Parse(string[] args)
    {
        args = [.. args.Select(WithDefaultValue)];
        ParseResult result = _command.Parse(args, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (result.GetValue(_help))
            return new CommandLineRequest.Help();
        if (result.GetValue(_version))
            return new CommandLineRequest.Version();
        if ((UnknownOption(args, result) ?? (result.Errors.Count > 0 ? result.Errors[0].Message : null)) is { } error)
            return new CommandLineRequest.UsageError(error);
        if (Last(result, _emitRuntime) is not { } directory)
            return Read(result);
        return (result.GetValue(_input) ?? []).Length == 0
            ? new CommandLineRequest.EmitRuntime(directory)
            : new CommandLineRequest.UsageError("--emit-runtime takes no input file");
    }

    /// <summary>Writes the help text to <paramref name="output"/>.</summary>
    public void WriteHelp(TextWriter output) =>
        _command.Parse(["--help"]).Invoke(new InvocationConfiguration { Output = output });

    private CommandLineRequest Read(ParseResult result)
    {
        string[] inputs = result.GetValue(_input) ?? [];
        ImmutableArray<string> dump = [.. (result.GetValue(_dump) ?? []).SelectMany(static list => list.Split(','))];
        ImmutableArray<(string, string)> renames = [.. (result.GetValue(_rename) ?? []).Select(SplitRename)];
        ImmutableArray<(string, string)> types = [.. (result.GetValue(_type) ?? []).Select(static text => text.Contains('=') ? SplitRename(text) : ("", text))];
        string[] strict = [.. (result.GetValue(_strict) ?? []).SelectMany(static list => list.Split(','))];
        string? error = inputs.Length == 0 ? "no input file"
            : inputs.Count(static input => input == "-") > 1 ? "standard input can be read once only, but '-' stands there twice"
            : dump.FirstOrDefault(pass => pass != "all" && !Passes.Contains(pass)) is { } unknown ? $"unknown pass '{unknown}' in --dump; there are all, {string.Join(", ", Passes)}"
            : renames.Any(static rename => rename.Item1.Length == 0 || rename.Item2.Length == 0) ? "--rename-symbol takes OLD=NEW"
            : strict.FirstOrDefault(static what => what is not ("stack" or "alignment")) is { } what ? $"'{what}' is no value of --strict; it takes stack, alignment"
            : NumberError(result, _budget, 1) ?? NumberError(result, _contextSize, 0) ?? VerifyOnlyError(result);
        if (error is not null)
            return new CommandLineRequest.UsageError(error);
        return new CommandLineRequest.Compile(new CommandLineArguments
        {
            Inputs = [.. inputs],
            Output = Last(result, _output),
            Cpu = Last(result, _cpu) ?? "power8",
            OptimizationLevel = (Last(result, _level) ?? "2")[0] - '0',
            EmitAssembly = result.GetValue(_assembly),
            NoVerify = result.GetValue(_noVerify),
            VerifyOnly = result.GetValue(_verifyOnly),
            Report = Last(result, _report),
            VerifyBudget = Number(Last(result, _budget)),
            VerifyLog = Last(result, _verifyLog),
            StrictStack = strict.Contains("stack"),
            StrictAlignment = strict.Contains("alignment"),
            ContextSize = Number(Last(result, _contextSize)),
            Helpers = Last(result, _helpers),
            RawContext = Last(result, _context) == "raw",
            SymbolPrefix = Last(result, _prefix) ?? "",
            Renames = renames,
            HelperPrefix = Last(result, _helperPrefix) ?? "bpf_helper_",
            ModuleName = Last(result, _moduleName),
            ExternMaps = [.. result.GetValue(_externMap) ?? []],
            Btf = Last(result, _btf),
            BtfBase = Last(result, _btfBase),
            ProgramTypes = types,
            KernelConfig = Last(result, _kconfig),
            Definitions = [.. (result.GetValue(_define) ?? []).Select(static text => text.Contains('=') ? SplitRename(text) : (text, "y"))],
            List = Last(result, _list),
            StripBtf = result.GetValue(_stripBtf),
            Dump = dump,
            DumpFunction = Last(result, _dumpFunction),
            TimePasses = result.GetValue(_timePasses),
        });
    }

    /// <summary>Options whose value may be left out. Their value, if they have one, is joined to them by "=".</summary>
    private static string WithDefaultValue(string arg) => arg switch
    {
        "--list" => "--list=text",
        "--verify-log" => "--verify-log=" + CommandLineArguments.StandardError,
        _ => arg,
    };

    private string? VerifyOnlyError(ParseResult result)
    {
        bool isVerifyOnly = result.GetValue(_verifyOnly);
        return !isVerifyOnly && Last(result, _report) is not null ? "--report goes with --verify-only"
            : isVerifyOnly && result.GetValue(_noVerify) ? "--verify-only and --no-verify exclude each other"
            : isVerifyOnly && (Last(result, _output) is not null || result.GetValue(_assembly)) ? "--verify-only writes no object: it takes neither -o nor -S"
            : isVerifyOnly && Last(result, _list) is not null ? "--verify-only and --list exclude each other"
            : null;
    }

    private static string? NumberError(ParseResult result, Option<string[]> option, int minimum) =>
        Last(result, option) is not { } text || Number(text) >= minimum
            ? null
            : string.Create(CultureInfo.InvariantCulture, $"'{text}' is no value of {option.Name}; it takes a number from {minimum} to {int.MaxValue}");

    private static int? Number(string? text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : null;

    /// <summary>The library takes an unknown option for an input file; here a leading dash is an option unless "--" stands before it.</summary>
    private string? UnknownOption(string[] args, ParseResult result)
    {
        int literal = Array.IndexOf(args, "--");
        HashSet<string> files = literal < 0 ? [] : [.. args[(literal + 1)..]];
        string? unknown = (result.GetValue(_input) ?? []).Concat(result.UnmatchedTokens)
            .FirstOrDefault(token => token.Length > 1 && token[0] == '-' && !files.Contains(token));
        return unknown is null ? null : $"unknown option '{unknown}'";
    }

    private static string? Last(ParseResult result, Option<string[]> option) => result.GetValue(option) is { Length: > 0 } values ? values[^1] : null;

    private static (string Old, string New) SplitRename(string text)
    {
        int equals = text.IndexOf('=');
        return equals < 0 ? ("", "") : (text[..equals], text[(equals + 1)..]);
    }

    private static Option<bool> Flag(string name, string description) => new(name) { Description = description, Arity = ArgumentArity.Zero };

    private static Option<string[]> Text(string name, string value, string description) => new(name)
    {
        Description = description,
        HelpName = value,
        Arity = ArgumentArity.OneOrMore,
        AllowMultipleArgumentsPerToken = false,
    };

    private static Option<string[]> Choice(string name, string description, params string[] choices)
    {
        Option<string[]> option = Text(name, string.Join('|', choices), description);
        option.Validators.Add(result =>
        {
            foreach (Token token in result.Tokens)
            {
                if (!choices.Contains(token.Value))
                    result.AddError($"'{token.Value}' is no value of {name}; it takes {string.Join(", ", choices)}");
            }
        });
        return option;
    }
}
