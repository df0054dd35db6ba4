using BpfPpcc.Bpf;
using BpfPpcc.Loading;
using BpfPpcc.Verification.Catalog;

namespace BpfPpcc.Verification.Walk;

/// <summary>What a program is, as far as it decides what it may do.</summary>
internal sealed record ProgramEnvironment
{
    /// <summary>Where the walk starts: the program, or a global function that it calls.</summary>
    public required BpfFunction Function { get; init; }

    /// <summary>The program whose type counts.</summary>
    public required BpfFunction Program { get; init; }

    public required BpfProgramType Type { get; init; }

    public required int AttachType { get; init; }

    public required bool IsSleepable { get; init; }

    public required bool IsGpl { get; init; }

    public required ProgramEffects Effects { get; init; }

    /// <summary>What the program is attached to, from the target's BTF; null where that says nothing.</summary>
    public required AttachTarget? Target { get; init; }

    /// <summary>The contents of read-only sections are those of the file when the program runs.</summary>
    public required bool HasConstantData { get; init; }

    /// <summary>The function that runs after bpf_throw; null where the program just ends.</summary>
    public BpfFunction? ExceptionCallback { get; init; }

    public bool IsExceptionCallback => ReferenceEquals(Function, ExceptionCallback);

    public ProgramKind Kind => new(Type, AttachType, IsSleepable, Program.AttachTarget);

    /// <summary>The function is verified for every argument that its BTF prototype allows.</summary>
    public bool IsGlobalFunction => !ReferenceEquals(Function, Program);

    public string TypeName => Type == BpfProgramType.UNSPEC ? "without a kernel program type" : Type.ToString();

    public static ProgramEnvironment Of(BpfModule module, BpfFunction program, BpfProgramType type, ProgramEffects effects, VerifierOptions options) => new()
    {
        Function = program,
        Program = program,
        Type = type,
        AttachType = program.AttachType,
        IsSleepable = type == BpfProgramType.SYSCALL || IsSleepableSection(program.SectionName),
        IsGpl = IsGplCompatible(module.Licence),
        Effects = effects,
        Target = AttachTarget.Of(module, program),
        HasConstantData = options.HasConstantData,
    };

    /// <summary>libbpf marks sections of programs that may sleep with ".s" behind the type.</summary>
    private static bool IsSleepableSection(string section)
    {
        int slash = section.IndexOf('/', StringComparison.Ordinal);
        return (slash < 0 ? section : section[..slash]).EndsWith(".s", StringComparison.Ordinal);
    }

    /// <summary>linux/license.h: license_is_gpl_compatible.</summary>
    private static bool IsGplCompatible(string licence) => licence is "GPL" or "GPL v2" or "GPL and additional rights" or "Dual BSD/GPL"
        or "Dual MIT/GPL" or "Dual MPL/GPL";
}
