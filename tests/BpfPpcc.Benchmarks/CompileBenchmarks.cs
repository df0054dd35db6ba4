using BenchmarkDotNet.Attributes;
using BpfPpcc.Ppc64;

namespace BpfPpcc.Benchmarks;

/// <summary>
/// The whole compiler, and each optimization level, on programs of several shapes and sizes: time per instruction that grows with the size
/// is a pass that is not linear.
/// </summary>
[MemoryDiagnoser]
public class CompileBenchmarks
{
    private byte[] _object = [];

    [Params(ProgramShape.StraightLine, ProgramShape.ManyBranches, ProgramShape.ManySpills)]
    public ProgramShape Shape { get; set; }

    [Params(1_000, 10_000)]
    public int Instructions { get; set; }

    [Params(0, 2)]
    public int Level { get; set; }

    [GlobalSetup]
    public void MakeObject() => _object = GeneratedProgram.Object(Shape, Instructions);

    [Benchmark]
    public int Compile()
    {
        var options = new CompilerOptions
        {
            InputName = "generated.o",
            Cpu = Ppc64Cpu.Power9,
            OptimizationLevel = Level,
            NoVerify = true,
            RawContext = true,
        };
        CompilationResult result = Compiler.Compile(_object, options);
        return result.Output?.Length ?? throw new InvalidOperationException(result.Diagnostics[0].Message);
    }
}
