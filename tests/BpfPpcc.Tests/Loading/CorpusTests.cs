using BpfPpcc.Bpf;
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
        foreach (string path in Directory.EnumerateFiles(Objects.CorpusFolder(folder), "*", SearchOption.AllDirectories).Where(IsObject).Order())
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

    /// <summary>
    /// The tables name a function by its section where it has no FUNC symbol. A program type says how the kernel was asked; the section name
    /// need not have said it.
    /// </summary>
    [Theory]
    [InlineData("samples", 350, 70)]
    [InlineData("verifier/selftests-6.12", 1000, 1000)]
    public void Functions_and_types_are_those_that_libbpf_found(string folder, int minimumFunctions, int minimumTypes)
    {
        string root = Objects.CorpusFolder(folder);
        string[][] rows = [.. File.ReadLines(Path.Combine(root, "expected.tsv")).Select(line => line.Split('\t'))];
        int type = Array.IndexOf(rows[0], "prog_type");
        int functions = 0, types = 0;
        foreach (IGrouping<string, string[]> rowsOfObject in rows.Skip(1).GroupBy(row => row[0]))
        {
            if (rowsOfObject.Key.StartsWith("invalid/", StringComparison.Ordinal))
                continue;
            var diagnostics = new DiagnosticBag();
            BpfModule? module = ObjectLoader.Load(File.ReadAllBytes(Path.Combine(root, rowsOfObject.Key)), rowsOfObject.Key, diagnostics);
            Assert.NotNull(module);
            foreach (string[] row in rowsOfObject)
            {
                (string section, string name) = (row[1], row[2]);
                BpfFunction? function = module.Functions.FirstOrDefault(f => f.SectionName == section && (f.Name == name || name == section));
                Assert.True(function is not null, $"{rowsOfObject.Key} {section} {name}");
                functions++;
                if (row[type].Length == 0 || function.ProgramType == BpfProgramType.UNSPEC)
                    continue;
                Assert.Equal(row[type], function.ProgramType.ToString(), ignoreCase: true);
                types++;
            }
        }

        Assert.True(functions >= minimumFunctions && types >= minimumTypes, $"{functions} functions, {types} types");
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

    [Fact]
    public void Damaged_objects_load_or_say_why_not()
    {
        var random = new Random(11);
        foreach (string path in Directory.EnumerateFiles(Objects.CorpusFolder("."), "*.o", SearchOption.AllDirectories))
        {
            byte[] original = File.ReadAllBytes(path);
            for (int round = 0; round < 10; round++)
            {
                byte[] bytes = (byte[])original.Clone();
                for (int change = random.Next(1, 20); change > 0; change--)
                    bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
                var diagnostics = new DiagnosticBag();
                BpfModule? module = ObjectLoader.Load(bytes, path, diagnostics);
                Assert.Equal(module is null, diagnostics.HasErrors);
            }
        }
    }

    private static bool IsObject(string path) => path.EndsWith(".o", StringComparison.Ordinal) || path.Contains("invalid", StringComparison.Ordinal);
}
