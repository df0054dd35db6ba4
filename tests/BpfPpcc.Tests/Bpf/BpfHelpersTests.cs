using System.Globalization;
using System.Text.RegularExpressions;
using BpfPpcc.Bpf;
using Xunit;

namespace BpfPpcc.Tests.Bpf;

public sealed class BpfHelpersTests
{
    [Theory]
    [InlineData(1, "map_lookup_elem", 2)]
    [InlineData(6, "trace_printk", 5)]
    [InlineData(7, "get_prandom_u32", 0)]
    [InlineData(12, "tail_call", 3)]
    [InlineData(25, "perf_event_output", 5)]
    [InlineData(181, "loop", 4)]
    [InlineData(211, "cgrp_storage_delete", 2)]
    public void Has_the_names_and_argument_counts_of_the_uapi(int id, string name, int arguments)
    {
        Assert.Equal(new BpfHelper(name, arguments), BpfHelpers.Find(id));
        Assert.Equal(id, BpfHelpers.IdOf(name));
        Assert.Equal(id, BpfHelpers.IdOf("bpf_" + name));
    }

    [Fact]
    public void Knows_no_other_numbers()
    {
        Assert.Null(BpfHelpers.Find(0));
        Assert.Null(BpfHelpers.Find(-1));
        Assert.Null(BpfHelpers.Find(212));
        Assert.Equal(0, BpfHelpers.IdOf("nothing"));
    }

    /// <summary>The header that libbpf generates from the UAPI is an independent reading of it.</summary>
    [Fact]
    public void Agrees_with_libbpf()
    {
        const string Header = "/usr/include/bpf/bpf_helper_defs.h";
        Assert.SkipUnless(File.Exists(Header), "no libbpf headers");
        MatchCollection rows = Regex.Matches(File.ReadAllText(Header), @"\(\*\s?(?:const )?bpf_(\w+)\)\((.*?)\) = \(.*?\) (\d+);");
        Assert.True(rows.Count > 200);
        foreach (Match row in rows)
        {
            string parameters = row.Groups[2].Value;
            int arguments = parameters == "void" ? 0 : parameters.Contains("...", StringComparison.Ordinal) ? 5 : parameters.Split(',').Length;
            int id = int.Parse(row.Groups[3].Value, CultureInfo.InvariantCulture);
            if (id <= BpfHelpers.LastId)
                Assert.Equal(new BpfHelper(row.Groups[1].Value, arguments), BpfHelpers.Find(id));
        }
    }
}
