using System.Text.RegularExpressions;
using Xunit;

namespace BpfPpcc.Tests.Runtime;

/// <summary>
/// The reference runtime, by C programs beside this file that check it from inside: on the build host under the sanitizers, and on PowerPC of
/// both byte orders under qemu.
/// </summary>
public sealed class RuntimeTests(RuntimeBuild build) : IClassFixture<RuntimeBuild>
{
    public static TheoryData<string> Programs => ["maps.c", "ringbuf.c", "timers.c", "text.c", "packets.c", "modules.c"];

    [Theory]
    [MemberData(nameof(Programs))]
    public void Works_under_address_and_undefined_behaviour_sanitizers(string program) => Run(RuntimeTarget.Sanitized, program);

    [Theory]
    [MemberData(nameof(Programs))]
    public void Works_on_little_endian_power(string program) => Run(RuntimeTarget.LittleEndian, program);

    [Theory]
    [MemberData(nameof(Programs))]
    public void Works_on_big_endian_power(string program)
    {
        Tools.Require("powerpc64-linux-gnu-gcc");
        Run(RuntimeTarget.BigEndian, program);
    }

    [Fact]
    public void Threads_share_maps_under_the_thread_sanitizer() => Run(RuntimeTarget.ThreadSanitized, "threads.c");

    [Fact]
    public void Threads_share_maps_on_power() => Run(RuntimeTarget.LittleEndian, "threads.c");

    private void Run(RuntimeTarget target, string program) => build.Run(target, program);

    [Theory]
    [InlineData("gcc")]
    [InlineData("clang")]
    [InlineData("powerpc64le-linux-gnu-gcc")]
    [InlineData("clang", "--target=powerpc64le-linux-gnu")]
    [InlineData("clang", "--target=powerpc64-linux-gnu")]
    [InlineData("powerpc64-linux-gnu-gcc")]
    public void Compiles_without_warnings(string compiler, params string[] options)
    {
        if (options.Contains("--target=powerpc64-linux-gnu") && !File.Exists("/usr/powerpc64-linux-gnu/include/stdio.h"))
            Tools.Missing("there is no C library for big-endian PowerPC");
        string path = Tools.Require(compiler);
        foreach (string source in RuntimeBuild.Sources)
        {
            string[] files = [Path.Combine(build.Folder, source), "-o", Path.Combine(build.Folder, "unused.o")];
            Tools.RunChecked(path, [.. RuntimeBuild.Warnings, "-Wpedantic", .. options, "-O2", "-c", .. files]);
        }
    }

    [Theory]
    [InlineData("gcc", "c", "-std=c11", "-ffreestanding")]
    [InlineData("gcc", "c++", "-std=c++11")]
    [InlineData("clang", "c++", "-std=c++11")]
    public void Header_serves_alone(string compiler, string language, params string[] options)
    {
        const string Source = """
            #include "bpfppcc.h"
            extern "C" { extern bpfppcc_fn prog; }
            static bpfppcc_xdp_md ctx;
            uint64_t run(void *packet, unsigned length) { ctx.data = packet; ctx.data_end = (char *)packet + length; return prog(&ctx); }
            """;
        string source = language == "c++"
            ? Source
            : Source.Replace("extern \"C\" { extern bpfppcc_fn prog; }", "extern bpfppcc_fn prog;", StringComparison.Ordinal)
                .Replace("static bpf", "static struct bpf", StringComparison.Ordinal)
                .Replace("uint64_t run", "uint64_t run(void *packet, unsigned length);\nuint64_t run", StringComparison.Ordinal);
        string file = Path.Combine(build.Folder, "bare." + (language == "c" ? "c" : "cc"));
        File.WriteAllText(file, source);
        string linked = Path.Combine(build.Folder, "bare.o");
        Tools.RunChecked(Tools.Require(compiler), ["-Wall", "-Wextra", "-Werror", .. options, "-I", build.Folder, "-x", language, "-c", file, "-o", linked]);
    }

    /// <summary>The oracle for the names is libbpf's header, which lists the helpers of the kernel.</summary>
    [Fact]
    public void Every_helper_of_the_kernel_links_and_strict_builds_lack_those_without_meaning()
    {
        const string Definitions = "/usr/include/bpf/bpf_helper_defs.h";
        if (!File.Exists(Definitions)) Tools.Missing($"there is no {Definitions}");
        string[] names = [.. Regex.Matches(File.ReadAllText(Definitions), @"\(\*\s*(?:const\s+)?bpf_(\w+)\)\(").Select(static match => match.Groups[1].Value)
            .Where(static name => name != "tail_call").Distinct()];
        Assert.True(names.Length > 200);

        string declarations = string.Concat(names.Select(static name => $"extern bpfppcc_helper_fn bpf_helper_{name};\n"));
        string table = string.Concat(names.Select(static name => $"    bpf_helper_{name},\n"));
        string source = $"#include \"bpfppcc.h\"\n{declarations}static bpfppcc_helper_fn *volatile table[] = {{\n{table}}};\n"
            + "int main(void) { return table[0] == table[1]; }\n";
        string file = Path.Combine(build.Folder, "all.c");
        File.WriteAllText(file, source);
        build.Run(RuntimeTarget.LittleEndian, file);

        ToolResult strict = Tools.Run(
            Tools.Require("powerpc64le-linux-gnu-gcc"),
            ["-static", "-DBPFPPCC_STRICT", file, .. RuntimeBuild.Sources, "-o", "strict"],
            workingDirectory: build.Folder);
        Assert.NotEqual(0, strict.ExitCode);
        Assert.Contains("bpf_helper_fib_lookup", strict.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("bpf_helper_map_lookup_elem", strict.Error, StringComparison.Ordinal);
    }
}
