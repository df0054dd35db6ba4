using BenchmarkDotNet.Running;
using BpfPpcc.Benchmarks;

// dotnet run -c Release --project tests/BpfPpcc.Benchmarks -- --filter '*'
BenchmarkSwitcher.FromAssembly(typeof(CompileBenchmarks).Assembly).Run(args);
