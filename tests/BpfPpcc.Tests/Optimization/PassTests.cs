using BpfPpcc.Ir;
using BpfPpcc.Optimization;
using BpfPpcc.Tests.FileTests;
using BpfPpcc.Tests.Ir;
using Xunit;

namespace BpfPpcc.Tests.Optimization;

/// <summary>
/// Filetests of single rules: assembly text in, the form after the passes out that a line "// passes: A, B" names (dead code goes at the
/// end in any case). The function computes the same before and after, which is tried on a few inputs.
/// </summary>
public sealed class PassTests
{
    private const string Directive = "// passes:";

    public static TheoryData<string> Cases() => FileTest.In("Optimization", "optimize");

    [Theory]
    [MemberData(nameof(Cases))]
    public void Optimizes_to_the_expected_form(string file) => FileTest.Check(file, Show);

    private static string Show(string input)
    {
        IrModule module = IrText.Lift(input);
        string[] passes = PassesOf(input);
        bool hidesFrames = passes.Contains(Inlining.Name);
        IrOutcome?[] before = [.. Enumerable.Range(0, 8).Select(i => Run(module, i, hidesFrames))];
        foreach (string name in passes)
        {
            OptimizedModule.RunPass(module, name);
            IrText.AssertWellFormed(module);
        }

        for (int i = 0; i < before.Length; i++)
            AssertSame(before[i], Run(module, i, hidesFrames));
        return IrPrinter.Print(module);
    }

    private static string[] PassesOf(string input)
    {
        string line = input.Split('\n').First(static line => line.StartsWith(Directive, StringComparison.Ordinal));
        return [.. line[Directive.Length..].Split(',').Select(static name => name.Trim()), "dead-code", "stack-extent"];
    }

    private static IrOutcome? Run(IrModule module, int input, bool hidesFrames)
    {
        var context = new byte[64];
        var random = new Random(input);
        random.NextBytes(context);
        ulong[] arguments = [.. Enumerable.Range(0, 4).Select(_ => (ulong)random.NextInt64() >> random.Next(63))];
        try
        {
            IrFunction main = module.Functions.First(static function => function.Kind == IrFunctionKind.Program);
            return new IrInterpreter(module, context, random.Next()) { StepLimit = 10_000, HidesFrames = hidesFrames }.Run(main, arguments);
        }
        catch (IrFaultException)
        {
            return null;
        }
    }

    private static void AssertSame(IrOutcome? before, IrOutcome? after)
    {
        if (before == null)
            return;
        Assert.NotNull(after);
        Assert.Equal(before.Result, after.Result);
        Assert.Equal(before.Events, after.Events);
        Assert.Equal(before.Context, after.Context);
        Assert.Equal(before.Data, after.Data);
    }
}
