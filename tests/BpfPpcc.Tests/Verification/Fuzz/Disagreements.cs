using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using BpfPpcc.Bpf;
using BpfPpcc.Verification;

namespace BpfPpcc.Tests.Verification.Fuzz;

/// <summary>Counts by class how our verdicts and the kernel's differ, and keeps examples.</summary>
internal sealed class Disagreements(string folder)
{
    private const int ExamplesPerClass = 4;
    private const int RunsOfDisputed = 100;

    private readonly SortedDictionary<string, (int Count, List<string> Examples)> _classes = new(StringComparer.Ordinal);
    private int _programs;
    private int _accepted;

    public int FalseAccepts { get; private set; }

    public int FalseRejects { get; private set; }

    /// <summary>Accepted, refused by the kernel, and a run of it does what no safe program does.</summary>
    public int Unsafe { get; private set; }

    /// <summary>Accepted because more is known of the results of arithmetic than in the kernel.</summary>
    public int KnowsMore { get; private set; }

    public int Accepted => _accepted;

    /// <param name="weak">Our verdict with no more knowledge of arithmetic than the kernel has: if it refuses as well, more knowledge is why we accept.</param>
    public void Add(StressProgram program, KernelVerdict kernel, ProgramReport report, Func<ProgramReport> weak)
    {
        _programs++;
        _accepted += kernel.IsAccepted ? 1 : 0;
        if (kernel.IsAccepted == report.IsAccepted)
            return;
        string? fault = kernel.IsAccepted ? null : AcceptedProgramTests.FindFault(program, RunsOfDisputed);
        if (fault is null && !kernel.IsAccepted && !weak().IsAccepted)
        {
            KnowsMore++;
            return;
        }

        Unsafe += fault is null ? 0 : 1;
        FalseRejects += kernel.IsAccepted ? 1 : 0;
        FalseAccepts += kernel.IsAccepted ? 0 : 1;
        string name = kernel.IsAccepted ? $"WE REJECT: {report.Code} {General(report.Text)}"
            : $"WE ACCEPT{(fault is null ? "" : $", AND IT IS UNSAFE ({General(fault)})")}: {General(kernel.Reason)}";
        if (!_classes.TryGetValue(name, out (int Count, List<string> Examples) entry))
            entry = (0, []);
        if (entry.Count < ExamplesPerClass)
        {
            entry.Examples.Add(program.Name);
            Save(program, kernel, report, name);
        }

        _classes[name] = (entry.Count + 1, entry.Examples);
    }

    public string Table()
    {
        var text = new StringBuilder();
        text.AppendLine(CultureInfo.InvariantCulture, $"programs {_programs}, the kernel accepts {_accepted} ({100.0 * _accepted / Math.Max(1, _programs):F1} %), of which we reject {FalseRejects} ({100.0 * FalseRejects / Math.Max(1, _accepted):F2} %); of its rejects we accept {FalseAccepts} ({Unsafe} unsafe), and {KnowsMore} where we know more of arithmetic");
        foreach ((string name, (int count, List<string> examples)) in _classes.OrderByDescending(static entry => entry.Value.Count))
            text.AppendLine(CultureInfo.InvariantCulture, $"{count,6}  {name}  [{string.Join(' ', examples)}]");
        return text.ToString();
    }

    /// <summary>The text without its numbers.</summary>
    private static string General(string text) => Regex.Replace(Regex.Replace(text, "0x[0-9a-f]+|-?[0-9]+", "#"), @"\s+", " ");

    private void Save(StressProgram program, KernelVerdict kernel, ProgramReport report, string name)
    {
        Directory.CreateDirectory(folder);
        string text = $"{name}\n{program.Line()}\nkernel: {string.Join("\n        ", kernel.Log)}\nwe: {report.Verdict} {report.Code} {report.Text}\n\n{Show(program)}";
        File.WriteAllText(Path.Combine(folder, program.Name + ".txt"), text);
    }

    public static string Show(StressProgram program)
    {
        BpfInstruction[] code = [.. program.Slots.Select(static slot =>
        {
            var bytes = new byte[8];
            slot.Encode(bytes);
            return BpfInstruction.Decode(bytes, isBigEndian: false);
        })];
        var text = new StringBuilder();
        for (int slot = 0; slot < code.Length; slot += BpfPrinter.SlotsOf(code, slot))
            text.AppendLine(CultureInfo.InvariantCulture, $"{slot,4}: {BpfPrinter.Print(code.AsSpan(), slot)}");
        return text.ToString();
    }
}
