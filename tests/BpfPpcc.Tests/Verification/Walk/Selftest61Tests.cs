using BpfPpcc.Tests.FileTests;
using BpfPpcc.Verification;
using Xunit;

namespace BpfPpcc.Tests.Verification.Walk;

public sealed class Selftest61Tests(ITestOutputHelper output)
{
    private static readonly Dictionary<string, string> Explained = new()
    {
        ["reference tracking: acquire/release system key reference"] = "the kernel that gave the verdicts was set up without the key functions",
        ["check bpf_perf_event_data->sample_period byte load permitted"] = "the offsets of the field are those of x86",
        ["check bpf_perf_event_data->sample_period half load permitted"] = "the offsets of the field are those of x86",
    };

    [Fact]
    public void Agrees_with_the_kernel_on_its_selftests_of_6_1()
    {
        string? path = Corpus.Find("verifier/selftests-6.1.json");
        Assert.SkipWhen(path is null, "no corpus");
        var verdicts = new Verdicts("selftests-6.1", Explained);
        foreach (Selftest61 test in Selftest61.Load(path!, Verdicts.TargetBtf()))
        {
            ProgramReport report = Verdicts.ReportOf(test.Module, new VerifierOptions { StrictAlignment = test.IsStrict });
            verdicts.Add(test.Name, test.IsAccepted, test.KernelError, report, test.Instructions);
        }

        verdicts.Print(output);
        Assert.Equal("", verdicts.Unexplained);
        Assert.True(verdicts is { AcceptAgreement: > 0.99, RejectAgreement: > 0.99 }, $"{verdicts.AcceptAgreement} {verdicts.RejectAgreement}");
    }
}
