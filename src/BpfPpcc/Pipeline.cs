using System.Globalization;
using System.Text;
using BpfPpcc.Btf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Elf;
using BpfPpcc.Emission;
using BpfPpcc.Ir;
using BpfPpcc.Lifting;
using BpfPpcc.Loading;
using BpfPpcc.Mir;
using BpfPpcc.ObjectWriting;
using BpfPpcc.Optimization;
using BpfPpcc.Ppc64;
using BpfPpcc.RegisterAllocation;
using BpfPpcc.Selection;
using BpfPpcc.Verification;

namespace BpfPpcc;

/// <summary>
/// The compiler from end to end, as plain calls in order:
/// <code>
///   bytes -> load -> BpfModule -> verify -> VerifiedModule -> lift -> IrModule -> (optimization passes) -> IrModule
///         -> select -> MachineFunction -> allocate -> Allocation -> emit -> CompiledFunction -> object -> bytes
/// </code>
/// A stage that returns null has reported why. Each name is a pass of --dump and --time-passes.
/// </summary>
internal sealed class Pipeline(CompilerOptions options, DiagnosticBag diagnostics)
{
    private readonly PassLog _log = new(options.Dump);
    private HelperDeclarations _helpers = HelperDeclarations.None;
    private readonly TargetDescription _target = new(IsBigEndian: false, Ppc64Abi.ElfV2, options.Cpu);

    /// <summary>All passes, in order.</summary>
    public static IReadOnlyList<string> PassNames { get; } = ["load", "verify", "lift", .. OptimizationPipeline.PassNames(), "select", "allocate", "emit", "object"];

    public IReadOnlyList<PassTiming> Timings => _log.Timings;

    /// <summary>The output's bytes, or null after an error.</summary>
    public byte[]? Run(IReadOnlyList<CompilerInput> inputs)
    {
        byte[]? output = Load(inputs) is { } module && Verify(module) is { } verified && Lift(verified) is { } ir && Optimize(ir, module)
            && Generate(ir, module) is { } functions ? WriteObject(verified, functions, ir) : null;
        _log.Leave();
        return output;
    }

    /// <summary>The module, or null after an error.</summary>
    /// <param name="isListing">The module is to be looked at, not compiled.</param>
    public BpfModule? Load(IReadOnlyList<CompilerInput> inputs, bool isListing = false)
    {
        _log.Enter("load");
        if (LoaderOptionsOf(isListing) is not { } loaderOptions)
            return null;
        BpfModule? module = inputs.Count == 1
            ? ObjectLoader.Load(inputs[0].Contents, inputs[0].Name, loaderOptions, diagnostics)
            : LoadAndLink(inputs, loaderOptions);
        if (module is not null)
            module = HostHelpers.Bind(module, _helpers.Numbered);
        foreach (BpfFunction function in module?.Functions ?? [])
            _log.Dump(function.Name, () => ModulePrinter.Print(module!, function));
        return module;
    }

    /// <summary>Verifies every object by itself: one report per object.</summary>
    public IReadOnlyList<VerificationReport> Verify(IReadOnlyList<CompilerInput> inputs)
    {
        _log.Enter("load");
        LoaderOptions? loaderOptions = LoaderOptionsOf(isListing: false);
        List<VerificationReport> reports = [];
        foreach (CompilerInput input in inputs)
        {
            DiagnosticBag own = new();
            _log.Enter("load");
            BpfModule? module = loaderOptions is null ? null : ObjectLoader.Load(input.Contents, input.Name, loaderOptions, own);
            _log.Enter("verify");
            reports.Add(module is null
                ? VerificationReport.OfUnloadable(input.Name, own.FirstError ?? diagnostics.FirstError)
                : Verifier.Report(HostHelpers.Bind(module, _helpers.Numbered), VerifierOptionsOf(), own));
            diagnostics.AddRange(own);
        }

        _log.Leave();
        return reports;
    }

    /// <summary>Null after an error in one of the files that options name.</summary>
    private LoaderOptions? LoaderOptionsOf(bool isListing)
    {
        if (!TryReadTarget(out BtfTypes? target) || !TryReadConfiguration(out KernelConfiguration configuration) || !TryReadHelpers())
            return null;
        return new LoaderOptions
        {
            ExternMaps = options.ExternMaps,
            TargetBtf = target,
            ProgramTypes = options.ProgramTypes,
            Configuration = configuration,
            WarnOfUnknownTypes = options.NoVerify && !options.RawContext && options.ContextSize is null && !isListing,
            IsListing = isListing,
        };
    }

    private bool TryReadHelpers()
    {
        if (options.Helpers is not { } file)
            return true;
        HelperDeclarations? read = HelperDeclarations.Read(file.Contents, file.Name, diagnostics);
        _helpers = read ?? HelperDeclarations.None;
        return read is not null;
    }

    private VerifierOptions VerifierOptionsOf() => new()
    {
        NoVerify = options.NoVerify,
        RawContext = options.RawContext,
        Budget = options.VerifyBudget,
        Log = options.VerifyLog,
        StrictStack = options.StrictStack,
        StrictAlignment = options.StrictAlignment,
        GenericContextSize = options.ContextSize,
        Helpers = _helpers,
    };

    private bool TryReadTarget(out BtfTypes? types)
    {
        types = null;
        if (options.TargetBtfBase is { } @base && (types = TargetTypes.Read(@base.Contents, @base.Name, null, diagnostics)) is null)
            return false;
        if (options.TargetBtf is { } target)
            types = TargetTypes.Read(target.Contents, target.Name, types, diagnostics);
        return types is not null || options.TargetBtf is null;
    }

    private bool TryReadConfiguration(out KernelConfiguration configuration)
    {
        configuration = KernelConfiguration.Empty;
        return (options.KernelConfig is not { } file || KernelConfiguration.TryRead(file.Contents, file.Name, diagnostics, out configuration))
            && configuration.TryDefine(options.Definitions, diagnostics, out configuration);
    }

    private BpfModule? LoadAndLink(IReadOnlyList<CompilerInput> inputs, LoaderOptions loaderOptions)
    {
        LoaderOptions partOptions = loaderOptions with { IsPart = true, ExternMaps = [] };
        List<BpfModule> modules = [];
        foreach (CompilerInput input in inputs)
        {
            if (ObjectLoader.Load(input.Contents, input.Name, partOptions, diagnostics) is { } module)
                modules.Add(module);
        }

        return modules.Count == inputs.Count ? ModuleLinker.Link(modules, loaderOptions.ExternMaps, diagnostics) : null;
    }

    private VerifiedModule? Verify(BpfModule module)
    {
        _log.Enter("verify");
        VerifiedModule? verified = Verifier.Verify(module, VerifierOptionsOf(), diagnostics);
        foreach (BpfFunction function in verified is null ? [] : module.Functions)
            _log.Dump(function.Name, () => FactsPrinter.Print(verified!, function));
        return verified;
    }

    private IrModule? Lift(VerifiedModule verified)
    {
        _log.Enter("lift");
        IrModule? module = Lifter.Lift(verified, diagnostics);
        foreach (IrFunction function in module?.Functions ?? [])
            DumpIr(function, module!);
        return module;
    }

    private bool Optimize(IrModule module, BpfModule source)
    {
        OptimizationPipeline.Run(module, options.OptimizationLevel, _log.Enter, function =>
        {
            if (_log.IsDumping)
                DumpIr(function, module);
        });
        return IndirectCalls.Resolve(module, source, diagnostics);
    }

    private List<CompiledFunction>? Generate(IrModule module, BpfModule source)
    {
        _log.Enter("select");
        List<MachineFunction> machineFunctions = [];
        foreach (IrFunction function in module.Functions)
        {
            MachineFunction selected = InstructionSelector.Select(function, module, _target);
            machineFunctions.Add(selected);
            _log.Dump(function.Name, () => MirPrinter.Print(selected, module.Symbols));
        }

        TocUse.Propagate(machineFunctions);
        foreach (MachineFunction function in machineFunctions)
            Literals.MoveToToc(function);
        List<CompiledFunction> compiled = [];
        foreach (MachineFunction function in machineFunctions)
        {
            _log.Enter("allocate");
            Allocation allocation = RegisterAllocator.Allocate(function, _target);
            _log.Dump(function.Name, () => AllocationPrinter.Print(function, allocation));
            _log.Enter("emit");
            if (CodeEmitter.Emit(function, allocation, _target) is not { } code)
            {
                ReportTooLarge(function, source);
                return null;
            }

            compiled.Add(code);
            _log.Dump(function.Name, () => CodePrinter.Print(code, module.Symbols));
        }

        return compiled;
    }

    private byte[]? WriteObject(VerifiedModule verified, List<CompiledFunction> functions, IrModule module)
    {
        _log.Enter("object");
        var objectOptions = new ObjectOptions
        {
            Stem = options.ModuleName,
            SymbolPrefix = options.SymbolPrefix,
            Renames = [.. options.Renames.Select(static rename => new SymbolRename(rename.Old, rename.New))],
            HelperPrefix = options.HelperPrefix,
            StripBtf = options.StripBtf,
            ToolVersion = Compiler.Version,
            OptionsText = OptionsText(),
            VerifierLimits = verified.IsVerified ? string.Create(CultureInfo.InvariantCulture, $"insns={options.VerifyBudget}") : "",
        };
        ElfFile? file = ObjectWriter.Write(verified, functions, module.Symbols, objectOptions, _target, diagnostics);
        return file is null ? null : options.EmitAssembly ? Encoding.UTF8.GetBytes(AssemblyWriter.Write(file, _target)) : ElfWriter.Write(file);
    }

    private void DumpIr(IrFunction function, IrModule module) => _log.Dump(function.Name, () => IrPrinter.Print(function, module.Symbols));

    private void ReportTooLarge(MachineFunction function, BpfModule source) => diagnostics.Error(
        DiagnosticId.FunctionTooLarge,
        $"the code of '{function.Name}' is larger than the 32 MiB that a branch can span",
        new DiagnosticLocation(source.SourceName, Function: function.Name),
        "split the program");

    /// <summary>The options that decided about the code, as the user would write them; defaults are left out.</summary>
    private string OptionsText()
    {
        List<string> text = [$"-O{options.OptimizationLevel}"];
        if (options.NoVerify)
            text.Add("--no-verify");
        if (options.RawContext)
            text.Add("--ctx=raw");
        if (options.StrictStack)
            text.Add("--strict=stack");
        if (options.StrictAlignment)
            text.Add("--strict=alignment");
        if (options.ContextSize is { } size)
            text.Add(string.Create(CultureInfo.InvariantCulture, $"--ctx-size={size}"));
        return string.Join(' ', text);
    }
}
