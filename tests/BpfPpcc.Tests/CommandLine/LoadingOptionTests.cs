using BpfPpcc.CommandLine;
using Xunit;

namespace BpfPpcc.Tests.CommandLine;

/// <summary>Options that decide about loading.</summary>
public sealed class LoadingOptionTests
{
    [Fact]
    public void Files_types_and_definitions_are_read()
    {
        CommandLineArguments arguments = Parse(
            "a.o", "--btf", "vmlinux", "--btf-base=base", "--kconfig", "config.gz", "--type", "f=xdp", "--type=tc", "-DCONFIG_HZ=100", "-D", "CONFIG_BPF",
            "-DOTHER=\"a=b\"", "-DS=1");
        Assert.Equal(("a.o", "vmlinux", "base", "config.gz"), (arguments.Input, arguments.Btf, arguments.BtfBase, arguments.KernelConfig));
        Assert.Equal([("f", "xdp"), ("", "tc")], arguments.ProgramTypes);
        Assert.Equal([("CONFIG_HZ", "100"), ("CONFIG_BPF", "y"), ("OTHER", "\"a=b\""), ("S", "1")], arguments.Definitions);
        Assert.Null(arguments.List);
    }

    [Theory]
    [InlineData("text", "--list", "a.o")]
    [InlineData("text", "a.o", "--list")]
    [InlineData("json", "--list=json", "a.o")]
    public void Listing_takes_no_word_of_its_own(string expected, params string[] args)
    {
        CommandLineArguments arguments = Parse(args);
        Assert.Equal((expected, "a.o"), (arguments.List, arguments.Input));
    }

    [Fact]
    public void Unknown_listings_are_errors()
    {
        var request = Assert.IsType<CommandLineRequest.UsageError>(new CommandLineParser([]).Parse(["--list=xml", "a.o"]));
        Assert.Contains("--list", request.Message, StringComparison.Ordinal);
    }

    private static CommandLineArguments Parse(params string[] args) =>
        Assert.IsType<CommandLineRequest.Compile>(new CommandLineParser([]).Parse(args)).Arguments;
}
