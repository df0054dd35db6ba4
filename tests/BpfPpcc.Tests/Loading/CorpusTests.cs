using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using Xunit;

namespace BpfPpcc.Tests.Loading;

public sealed class CorpusTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData("samples")]
    [InlineData("verifier")]
    public void Every_object_loads_or_says_why_not(string folder)
    {
        int loaded = 0, total = 0;
        var causes = new SortedDictionary<string, List<string>>();
        foreach (string path in Directory.EnumerateFiles(Objects.CorpusFolder(folder), "*.o", SearchOption.AllDirectories).Order())
        {
            total++;
            var diagnostics = new DiagnosticBag();
            BpfModule? module = ObjectLoader.Load(File.ReadAllBytes(path), path, diagnostics);
            Assert.Equal(module is null, diagnostics.HasErrors);
            loaded += module is null ? 0 : 1;
            foreach (Diagnostic diagnostic in diagnostics.Diagnostics)
            {
                string cause = $"{diagnostic.Severity} {diagnostic.Id}";
                causes.TryAdd(cause, []);
                causes[cause].Add($"{Path.GetFileName(path)}: {diagnostic.Message}");
            }
        }

        output.WriteLine($"{folder}: {loaded} of {total} objects load");
        foreach ((string cause, List<string> messages) in causes)
            output.WriteLine($"{cause}: {messages.Count}\n    {string.Join("\n    ", messages.Take(12))}");
    }

    [Fact]
    public void Every_conformance_object_loads()
    {
        foreach (string path in Directory.EnumerateFiles(Objects.CorpusFolder("conformance/elf"), "*.o"))
        {
            BpfModule module = Objects.Load(File.ReadAllBytes(path));
            Assert.Equal(BpfFunctionRole.Program, module.Function("main").Role);
        }
    }
}
