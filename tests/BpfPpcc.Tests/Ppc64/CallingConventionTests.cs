using BpfPpcc.Ppc64;
using Xunit;

namespace BpfPpcc.Tests.Ppc64;

public sealed class CallingConventionTests
{
    [Fact]
    public void Every_register_has_exactly_one_role()
    {
        Gpr[] reserved = [Gpr.R1, Gpr.R2, new Gpr(13)];
        Gpr[] all = [.. Enumerable.Range(0, 32).Select(number => new Gpr((byte)number))];
        Assert.Equal(all, CallingConvention.VolatileGprs.Concat(CallingConvention.CalleeSavedGprs).Concat(reserved).OrderBy(gpr => gpr.Number));
        Assert.Equal(all.Except(reserved).Except([Gpr.R0]), CallingConvention.AllocatableGprs);
        Assert.All(CallingConvention.CalleeSavedGprs, gpr => Assert.True(gpr.IsCalleeSaved));
        Assert.All(CallingConvention.VolatileGprs, gpr => Assert.False(gpr.IsCalleeSaved));
        Assert.Equal(CallingConvention.ResultGpr, CallingConvention.ArgumentGprs[0]);
    }

    [Theory]
    [InlineData(Ppc64Abi.ElfV1, true)]
    [InlineData(Ppc64Abi.ElfV2, false)]
    public void The_parameter_save_area_lies_in_the_frame_header_of_ElfV1_only(Ppc64Abi abi, bool isInHeader)
    {
        var target = new TargetDescription(IsBigEndian: false, abi, Ppc64Cpu.Power8);
        int end = CallingConvention.ParameterSaveAreaOffset(abi) + CallingConvention.ParameterSaveAreaSize;
        Assert.Equal(isInHeader ? target.FrameHeaderSize : target.FrameHeaderSize + CallingConvention.ParameterSaveAreaSize, end);
    }
}
