using System.Collections.Immutable;
using System.Globalization;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using BpfPpcc.Tests.Assembler;
using BpfPpcc.Tests.FileTests;
using BpfPpcc.Verification;

namespace BpfPpcc.Tests.Verification.Walk;

/// <summary>
/// Small programs with the verdicts that they must get. A file holds many:
/// <code>
/// === NAME => accept            === NAME => DiagnosticId [INSTRUCTION]
/// // strict stack    // strict alignment    // budget N    // context BYTES
/// text of the assembler; without a .program it is an XDP program
/// </code>
/// "@lookup MAP" stands for a lookup of element 0, "@socket" for the lookup of a socket, of which r0 may be NULL. The address of the extern
/// POISONED is one that a failed CO-RE relocation left. Types are those of <see cref="WalkTypes"/>.
/// </summary>
internal sealed record WalkProgram(string File, string Name, DiagnosticId? Error, int? Instruction, string Text)
{
    private const string Lookup =
        "*(u32 *)(r10 - 4) = 0\nr2 = r10\nr2 += -4\nr1 = map MAP\ncall map_lookup_elem\n";

    private const string Socket =
        "r2 = r10\nr2 += -48\n*(u64 *)(r10 - 48) = 0\n*(u64 *)(r10 - 40) = 0\n*(u64 *)(r10 - 32) = 0\n*(u64 *)(r10 - 24) = 0\n"
        + "*(u64 *)(r10 - 16) = 0\nr3 = 36\nr4 = 0\nr5 = 0\ncall sk_lookup_tcp\n";

    public static IEnumerable<WalkProgram> All()
    {
        string folder = Path.Combine(FileTest.ProjectFolder(), "Verification", "Walk", "Programs");
        foreach (string path in Directory.EnumerateFiles(folder, "*.txt").Order(StringComparer.Ordinal))
        {
            foreach (string block in System.IO.File.ReadAllText(path).Split("\n=== ")[1..])
                yield return Parse(Path.GetFileNameWithoutExtension(path), block);
        }

        static WalkProgram Parse(string file, string block)
        {
            int end = block.IndexOf('\n', StringComparison.Ordinal);
            string[] header = block[..end].Split(" => ");
            string[] verdict = header[1].Split(' ');
            return new WalkProgram(
                file, header[0], verdict[0] == "accept" ? null : Enum.Parse<DiagnosticId>(verdict[0]),
                verdict.Length > 1 ? int.Parse(verdict[1], CultureInfo.InvariantCulture) : null, block[(end + 1)..]);
        }
    }

    /// <summary>The error for which the first program is refused; null if it is accepted.</summary>
    public Diagnostic? Verify(bool prunes = true)
    {
        var options = new VerifierOptions
        {
            StrictStack = HasOption("strict stack"),
            StrictAlignment = HasOption("strict alignment"),
            Budget = Option("budget") ?? VerifierOptions.DefaultBudget,
            GenericContextSize = Option("context"),
            DisablesPruning = !prunes,
            FindsProgramTypes = false,
        };
        var diagnostics = new DiagnosticBag();
        bool isAccepted = Verifier.Report(Module(), options, diagnostics).Programs[0].IsAccepted;
        return isAccepted ? null : diagnostics.Diagnostics.First(static diagnostic => diagnostic.Severity == DiagnosticSeverity.Error);
    }

    public BpfModule Module()
    {
        var text = new List<string>();
        string[] lines = Text.Split('\n');
        if (!lines.Any(static line => line.StartsWith(".program", StringComparison.Ordinal)))
            text.Add(".program p section=xdp");
        foreach (string line in lines)
        {
            if (line.StartsWith("@lookup ", StringComparison.Ordinal))
                text.Add(Lookup.Replace("MAP", line["@lookup ".Length..], StringComparison.Ordinal));
            else
                text.Add(line == "@socket" ? Socket : line);
        }

        BpfModule module = WalkTypes.AddTo(BpfAssembler.Assemble(string.Join('\n', text)));
        return module with { Functions = [.. module.Functions.Select(Poison)] };
    }

    private static BpfFunction Poison(BpfFunction function) => function with
    {
        References = function.References.ToDictionary(
            static reference => reference.Key,
            static reference => reference.Value is BpfReference.ExternAddress { Name: "POISONED" }
                ? new BpfReference.Poisoned("the target has no field 'gone'")
                : reference.Value).ToImmutableDictionary(),
    };

    private bool HasOption(string name) => Text.Contains($"// {name}\n", StringComparison.Ordinal);

    private int? Option(string name)
    {
        string? line = Text.Split('\n').FirstOrDefault(line => line.StartsWith($"// {name} ", StringComparison.Ordinal));
        return line is null ? null : int.Parse(line[$"// {name} ".Length..], CultureInfo.InvariantCulture);
    }
}
