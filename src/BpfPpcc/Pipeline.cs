using BpfPpcc.Diagnostics;

namespace BpfPpcc;

internal sealed class Pipeline(CompilerOptions options, DiagnosticBag diagnostics)
{
    public static IReadOnlyList<string> PassNames { get; } = ["load"];

    public List<PassTiming> Timings { get; } = [];

    public byte[]? Run(ReadOnlyMemory<byte> bpfObject) => options.InputName.Length == 0 || diagnostics.HasErrors ? null : bpfObject.ToArray();
}
