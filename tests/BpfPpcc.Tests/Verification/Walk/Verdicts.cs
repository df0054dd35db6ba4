using System.Diagnostics;
using System.Globalization;
using System.Text;
using BpfPpcc.Btf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;
using BpfPpcc.Tests.FileTests;
using BpfPpcc.Verification;
using Xunit;

namespace BpfPpcc.Tests.Verification.Walk;

/// <summary>Counts how far our verdicts agree with the kernel's and writes down where they do not.</summary>
/// <param name="name">Of the corpus.</param>
/// <param name="explained">Programs whose verdicts differ, each with the reason: nothing in their byte code is to blame.</param>
internal sealed class Verdicts(string name, IReadOnlyDictionary<string, string> explained)
{
    private readonly List<string> _unexplained = [];
    private readonly StringBuilder _lines = new();
    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private int _accepted;
    private int _bothAccept;
    private int _refused;
    private int _bothRefuse;
    private long _walked;
    private long _kernelWalked;
    private double _seconds;

    public double AcceptAgreement => _accepted == 0 ? 1 : (double)_bothAccept / _accepted;

    public double RejectAgreement => _refused == 0 ? 1 : (double)_bothRefuse / _refused;

    /// <summary>Programs on which we differ from the kernel for no reason that is known, one a line.</summary>
    public string Unexplained => string.Join('\n', _unexplained);

    public double WalkRatio => _kernelWalked == 0 ? 0 : (double)_walked / _kernelWalked;

    public double Seconds => _seconds;

    public void Add(string program, bool kernelAccepts, string kernelText, ProgramReport report, int kernelInstructions)
    {
        bool weAccept = report.IsAccepted;
        _accepted += kernelAccepts ? 1 : 0;
        _refused += kernelAccepts ? 0 : 1;
        _bothAccept += kernelAccepts && weAccept ? 1 : 0;
        _bothRefuse += !kernelAccepts && !weAccept ? 1 : 0;
        _seconds += report.Seconds;
        if (kernelAccepts == weAccept)
        {
            _walked += report.InstructionsWalked;
            _kernelWalked += kernelInstructions;
            if (report.InstructionsWalked > 3 * kernelInstructions + 100)
                _lines.AppendLine(CultureInfo.InvariantCulture, $"COST\t{program}\t{report.InstructionsWalked}\t{kernelInstructions}");
            return;
        }

        if (!explained.ContainsKey(program))
            _unexplained.Add($"{(weAccept ? "accepted" : "refused")}: {program}");
        string ours = weAccept ? "accept" : $"{report.Code} {report.Text} [{report.File}:{report.Line}]";
        _lines.AppendLine(CultureInfo.InvariantCulture, $"{(kernelAccepts ? "FALSE-REJECT" : "FALSE-ACCEPT")}\t{program}\t{ours}\t{kernelText}");
    }

    /// <summary>Prints the figures; the disagreements go to a file in the folder for temporary files.</summary>
    public void Print(ITestOutputHelper output)
    {
        string path = Path.Combine(Path.GetTempPath(), $"bpfppcc-{name}.tsv");
        File.WriteAllText(path, _lines.ToString());
        string summary = string.Create(
            CultureInfo.InvariantCulture,
            $"{name}: accepts {_bothAccept} of {_accepted} ({AcceptAgreement:P2}), refuses {_bothRefuse} of {_refused} ({RejectAgreement:P2}), walked {_walked} of {_kernelWalked} ({WalkRatio:F3}), {_seconds:F2} s of {_watch.Elapsed.TotalSeconds:F2} s; see {path}");
        output.WriteLine(summary);
        File.WriteAllText(Path.ChangeExtension(path, ".txt"), summary + "\n");
    }

    /// <summary>The types of a ppc64le kernel, or null without the corpus.</summary>
    public static BtfTypes? TargetBtf()
    {
        string? path = Corpus.Find("btf/vmlinux-6.12-ppc64le.btf");
        return path is null ? null : BtfParser.Parse(File.ReadAllBytes(path), bigEndian: false, path, new DiagnosticBag());
    }

    /// <summary>The report on the only program, or the first one's.</summary>
    public static ProgramReport ReportOf(BpfModule module, VerifierOptions options) => Verifier.Report(module, options, new DiagnosticBag()).Programs[0];
}
