using Xunit;
using Xunit.Sdk;

namespace BpfPpcc.Tests.FileTests;

public sealed class FileTestTests
{
    [Fact]
    public void Passes_on_the_expected_output_and_says_how_to_bless_another()
    {
        Assert.SkipWhen(Environment.GetEnvironmentVariable("BPFPPCC_BLESS") == "1", "would bless the wrong output");
        string path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, "// test: echo\none\n//= 1: one\n//=\n//= end\n");
            FileTest.Check(path, input => $"1: {input.Split('\n')[1]}\n\nend\n");
            FailException failure = Assert.Throws<FailException>(() => FileTest.Check(path, _ => "1: two\n\nend"));
            Assert.Contains("output line 1: expected '1: one', got '1: two'", failure.Message, StringComparison.Ordinal);
            Assert.Contains("BPFPPCC_BLESS=1", failure.Message, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(path);
        }
    }
}
