using BpfPpcc.Ir;
using BpfPpcc.Loading;
using BpfPpcc.Tests.Ir;
using BpfPpcc.Verification;
using Xunit;

namespace BpfPpcc.Tests.Lifting;

public sealed class ExternCallTests
{
    [Fact]
    public void Narrow_arguments_are_extended_as_the_prototype_says()
    {
        VerifiedModule verified = IrText.Verify("""
            call extern kfunc
            exit
            """);
        BpfScalar[] parameters = [new BpfScalar(4, true), new BpfScalar(1, false), new BpfScalar(8, false)];
        var prototype = new BpfPrototype(new BpfScalar(4, true), [.. parameters]);
        IrModule module = IrText.Lift(WithPrototype(verified, prototype));
        string[] lines = IrPrinter.Print(module).Split('\n');
        Assert.Equal("    v3 = sext.32 arg0", lines[2]);
        Assert.Equal("    v4 = zext.8 arg1", lines[3]);
        Assert.Equal("    v5 = call extern kfunc(v3, v4, arg2)", lines[4]);
        Assert.Equal("    return v5", lines[5]);
    }

    /// <summary>The assembler's text has no prototypes of extern functions.</summary>
    private static VerifiedModule WithPrototype(VerifiedModule verified, BpfPrototype prototype)
    {
        BpfFunction f = verified.Module.Functions[0];
        var function = new BpfFunction
        {
            Index = f.Index,
            Name = f.Name,
            SectionName = f.SectionName,
            Role = f.Role,
            IsStatic = f.IsStatic,
            ProgramType = f.ProgramType,
            AttachType = f.AttachType,
            AttachTarget = f.AttachTarget,
            Instructions = f.Instructions,
            References = new Dictionary<int, BpfReference>(f.References) { [0] = new BpfReference.ExternCall("kfunc", prototype) },
            Lines = f.Lines,
            Prototype = f.Prototype,
        };
        BpfModule m = verified.Module;
        return IrText.Verify(new BpfModule
        {
            SourceName = m.SourceName,
            Sha256 = m.Sha256,
            IsBigEndian = m.IsBigEndian,
            Licence = m.Licence,
            KernelVersion = m.KernelVersion,
            Functions = [function],
            Maps = m.Maps,
            DataSections = m.DataSections,
            Btf = m.Btf,
            RawBtf = m.RawBtf,
            RawBtfExt = m.RawBtfExt,
        });
    }
}
