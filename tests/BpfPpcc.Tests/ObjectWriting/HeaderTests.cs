using Xunit;

namespace BpfPpcc.Tests.ObjectWriting;

/// <summary>bpfppcc.h compiles without warnings, and its layout holds, wherever hosts are compiled.</summary>
public sealed class HeaderTests
{
    [Theory]
    [InlineData("gcc", "c", "c11", "")]
    [InlineData("g++", "c++", "c++11", "")]
    [InlineData("powerpc64le-linux-gnu-gcc", "c", "c11", "")]
    [InlineData("clang", "c", "c11", "--target=powerpc64le-linux-gnu")]
    [InlineData("clang", "c", "c11", "--target=powerpc64-linux-gnu")]
    [InlineData("clang", "c", "c17", "")]
    [InlineData("clang", "c++", "c++11", "")]
    [InlineData("clang", "c++", "c++20", "--target=powerpc64le-linux-gnu")]
    public void Header_compiles_without_warnings(string compiler, string language, string standard, string target)
    {
        string path = Tools.Require(compiler);
        List<string> arguments = ["-x", language, "-std=" + standard, "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"];
        if (target.Length != 0)
            arguments.AddRange([target, "-ffreestanding", "-nostdinc", "-isystem", ResourceIncludes(path)]);
        ToolResult result = Tools.Run(path, [.. arguments, "-"], $"#include \"{TestFiles.Header}\"\n");
        Assert.True((result.ExitCode, result.Error) == (0, ""), result.Error);
    }

    /// <summary>The compiler's own headers: no C library of the target need be installed.</summary>
    private static string ResourceIncludes(string clang) =>
        Path.Combine(Tools.RunChecked(clang, ["-print-resource-dir"]).Trim(), "include");
}
