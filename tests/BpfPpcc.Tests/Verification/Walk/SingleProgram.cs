using BpfPpcc.Bpf;
using BpfPpcc.Loading;

namespace BpfPpcc.Tests.Verification.Walk;

/// <summary>A module in which one function is the only program.</summary>
internal static class SingleProgram
{
    public static BpfModule Of(BpfModule module, BpfFunction program, BpfProgramType type) => new()
    {
        SourceName = module.SourceName,
        Sha256 = module.Sha256,
        IsBigEndian = module.IsBigEndian,
        Licence = module.Licence.Length == 0 ? "GPL" : module.Licence,
        KernelVersion = module.KernelVersion,
        Functions = [.. module.Functions.Select(function => Of(function, ReferenceEquals(function, program), type))],
        Maps = module.Maps,
        DataSections = module.DataSections,
        Btf = module.Btf,
        TargetBtf = module.TargetBtf,
        RawBtf = module.RawBtf,
        RawBtfExt = module.RawBtfExt,
    };

    private static BpfFunction Of(BpfFunction function, bool isProgram, BpfProgramType type) => new()
    {
        Index = function.Index,
        Name = function.Name,
        SectionName = function.SectionName,
        Role = isProgram ? BpfFunctionRole.Program : BpfFunctionRole.Subprogram,
        IsStatic = function.IsStatic,
        ProgramType = isProgram ? type : function.ProgramType,
        AttachType = function.AttachType,
        AttachTarget = function.AttachTarget,
        Instructions = function.Instructions,
        References = function.References,
        Lines = function.Lines,
        Prototype = function.Prototype,
    };
}
