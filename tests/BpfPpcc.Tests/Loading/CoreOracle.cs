using System.Globalization;
using System.Text.RegularExpressions;
using BpfPpcc.Bpf;
using BpfPpcc.Btf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using Xunit;

namespace BpfPpcc.Tests.Loading;

/// <summary>
/// libbpf as the oracle of CO-RE: it relocates while it loads only, so Core/core_oracle.c answers the system call itself, and libbpf's log
/// tells what became of every relocated instruction.
/// </summary>
internal static partial class CoreOracle
{
    private static readonly Lazy<string?> Program = new(Build);

    /// <summary>The test is skipped if the tool cannot be built here.</summary>
    public static void Require()
    {
        Toolchain.SkipWithout("gcc");
        if (Program.Value is null)
            Assert.Skip("the libbpf oracle cannot be built here (libbpf-dev)");
    }

    /// <summary>Compares every relocated instruction of an object with what libbpf makes of it; returns how many there are.</summary>
    public static int Compare(byte[] bytes, string objectPath, string targetPath, BtfTypes target)
    {
        string log = Toolchain.Run(Program.Value!, objectPath, targetPath);
        var diagnostics = new DiagnosticBag();
        BpfModule? module = ObjectLoader.Load(bytes, objectPath, new LoaderOptions { TargetBtf = target }, diagnostics);
        var sites = new HashSet<(string, int)>();
        foreach (Match match in Sites().Matches(log))
        {
            string where = $"{objectPath}: {match.Value}";
            Assert.True(module is not null, where + "\n" + string.Join("\n", diagnostics.Diagnostics.Select(d => d.Message)));
            BpfFunction function = Assert.Single(module.Functions, f => f.Name == match.Groups["program"].Value);
            int slot = int.Parse(match.Groups["slot"].ValueSpan, CultureInfo.InvariantCulture);
            string value = match.Groups["new"].Value;
            BpfInstruction instruction = function.Instructions[slot];
            bool isPoisoned = function.References.GetValueOrDefault(slot) is BpfReference.Poisoned;
            switch (match.Groups["what"].Value)
            {
                case "imm":
                    Assert.True(instruction.Imm == int.Parse(value, CultureInfo.InvariantCulture) && !isPoisoned, where);
                    break;
                case "off":
                    Assert.True(instruction.Offset == int.Parse(value, CultureInfo.InvariantCulture) && !isPoisoned, where);
                    break;
                case "mem_sz":
                    Assert.True(instruction.MemoryBytes == int.Parse(value, CultureInfo.InvariantCulture), where);
                    break;
                case "imm64":
                    ulong number = instruction.LoadImmediate64Value(function.Instructions[slot + 1]);
                    Assert.True(number == ulong.Parse(value, CultureInfo.InvariantCulture) && !isPoisoned, where);
                    break;
                default:
                    // The second slot of LD_IMM64 is poisoned with the first.
                    bool isFirst = slot == 0 || !function.Instructions[slot - 1].IsLoadImmediate64;
                    Assert.True(isPoisoned || !isFirst, where);
                    break;
            }

            sites.Add((function.Name, slot));
        }

        return sites.Count;
    }

    [GeneratedRegex(@"prog '(?<program>[^']*)': relo #\d+: (patched insn #(?<slot>\d+) \([^)]*\) (?<what>\w+) -?\d+ -> (?<new>-?\d+)|substituting insn #(?<slot>\d+) )")]
    private static partial Regex Sites();

    private static string? Build()
    {
        if (Objects.ProjectRoot is not string root || !File.Exists("/usr/include/bpf/libbpf.h"))
            return null;
        string output = Path.Combine(Directory.CreateTempSubdirectory("bpfppcc-oracle-").FullName, "core_oracle");
        Toolchain.Run("gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-o", output, Path.Combine(root, "tests/BpfPpcc.Tests/Loading/Core/core_oracle.c"), "-lbpf", "-ldl");
        return output;
    }
}
