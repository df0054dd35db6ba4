using System.Collections.Immutable;
using System.Globalization;
using BpfPpcc.Ir;
using BpfPpcc.Tests.Ir;
using BpfPpcc.Verification;
using Xunit;

namespace BpfPpcc.Tests.Optimization;

/// <summary>
/// Random programs compute the same before and after every pass. BPFPPCC_PASS_PROGRAMS and BPFPPCC_PASS_SEED set how many and which.
/// </summary>
public sealed class RandomProgramTests
{
    private const int Inputs = 3;
    private const int ContextSize = 64;

    [Fact]
    public void Passes_keep_the_meaning_of_random_programs()
    {
        int first = Setting("BPFPPCC_PASS_SEED", 1);
        int count = Setting("BPFPPCC_PASS_PROGRAMS", 300);
        int compared = 0;
        for (int seed = first; seed < first + count; seed++)
            compared += Check(seed);
        Assert.True(compared > count * Inputs / 2, $"only {compared} runs of {count} programs came to an end");
    }

    /// <summary>The number of inputs on which the program ran to its end.</summary>
    private static int Check(int seed)
    {
        string text = RandomProgram.Generate(seed);
        VerifiedModule verified = IrText.Verify(text);
        IrModule module = IrText.Lift(verified);
        BoundAccesses(module, new Random(seed));
        string before = IrPrinter.Print(module);
        bool calls = !new IrCallGraph(module).IsEmpty;
        IrOutcome?[] expected = [.. Enumerable.Range(0, Inputs).Select(input => Run(module, seed, input, 0, calls))];
        OptimizedModule.Run(module, (changed, pass) =>
        {
            for (int input = 0; input < Inputs; input++)
            {
                if (expected[input] is not { } outcome)
                    continue;
                string? difference = Difference(outcome, Run(changed, seed, input, pass.Length, calls));
                if (difference != null)
                    Assert.Fail($"seed {seed}, input {input}, after {pass}: {difference}\n{text}\n{before}\n{IrPrinter.Print(changed)}");
            }

            before = IrPrinter.Print(changed);
        });
        return expected.Count(static outcome => outcome != null);
    }

    /// <summary>Lets most calls access no more than a part of the stack from the addresses on that they get, as verification may say.</summary>
    private static void BoundAccesses(IrModule module, Random random)
    {
        foreach (IrInstruction call in module.Functions.SelectMany(static function => function.Blocks).SelectMany(static block => block.Instructions))
        {
            // The subprogram gets no addresses of the stack: of its caller's it accesses nothing.
            if (call.Opcode == IrOpcode.CallLocal)
                call.StackAccesses = [];
            bool takesAddresses = call.Opcode == IrOpcode.CallExtern && call.Operands.Any(static operand => operand.Opcode == IrOpcode.StackAddress);
            if (!takesAddresses || random.Next(4) == 0)
                continue;
            var accesses = ImmutableArray.CreateBuilder<IrStackAccess>();
            foreach (IrInstruction operand in call.Operands)
            {
                int low = (int)operand.Immediate;
                if (operand.Opcode == IrOpcode.StackAddress && low < 0)
                    accesses.Add(new IrStackAccess(low, Math.Min(0, low + random.Next(4, 25)), random.Next(2) == 0));
            }

            call.StackAccesses = accesses.ToImmutable();
        }
    }

    private static IrOutcome? Run(IrModule module, int seed, int input, int garbage, bool hidesFrames)
    {
        var context = new byte[ContextSize];
        if (input > 0)
            new Random(seed * Inputs + input).NextBytes(context);
        try
        {
            IrFunction main = module.Functions.First(static function => function.Kind == IrFunctionKind.Program);
            return new IrInterpreter(module, context, seed + garbage) { StepLimit = 100_000, HidesFrames = hidesFrames }.Run(main, 2, 3, 4, 5);
        }
        catch (IrFaultException fault) when (fault.Message == "too many steps")
        {
            return null;
        }
    }

    private static string? Difference(IrOutcome expected, IrOutcome? actual)
    {
        if (actual == null)
            return "does not end any more";
        if (expected.Result != actual.Result)
            return string.Create(CultureInfo.InvariantCulture, $"result 0x{actual.Result:x}, not 0x{expected.Result:x}");
        if (!expected.Events.SequenceEqual(actual.Events))
            return $"calls\n{string.Join('\n', actual.Events)}\nnot\n{string.Join('\n', expected.Events)}";
        bool isSame = expected.Context.SequenceEqual(actual.Context) && expected.Data.SequenceEqual(actual.Data);
        return isSame ? null : "memory differs";
    }

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out int value) ? value : otherwise;
}
