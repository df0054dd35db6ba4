using BpfPpcc.Ir;
using BpfPpcc.Symbols;
using Xunit;

namespace BpfPpcc.Tests.Ir;

/// <summary>Every rule of the form, broken once: the checker must say so.</summary>
public sealed class IrCheckerTests
{
    /// <summary>b0: v = add.64 arg0, 1; branch v == 1 -> b1, b2. b1: w = add.32 v, v; jump b3. b2: jump b3. b3: phi; return.</summary>
    private sealed class Sample
    {
        public Sample()
        {
            Function = IrTestFunction.New();
            var builder = new IrBuilder(Function);
            (IrBlock b0, B1, B2, B3) = (builder.AppendBlock(), builder.AppendBlock(), builder.AppendBlock(), builder.AppendBlock());
            builder.Block = b0;
            Sum = builder.Binary(IrOpcode.Add, 64, builder.Leaves.Argument(0), builder.Constant(1));
            Branch = builder.Branch(IrCondition.Equal, 64, Sum, builder.Constant(1), B1, B2);
            builder.Block = B1;
            Narrow = builder.Binary(IrOpcode.Add, 32, Sum, Sum);
            Wide = builder.ZeroExtend(32, Narrow);
            builder.Jump(B3);
            builder.Block = B2;
            Load = builder.Load(32, builder.Leaves.Argument(0), 8);
            builder.Jump(B3);
            builder.Block = B3;
            Phi = builder.Phi(64, [Wide, Sum]);
            builder.Return(Phi);
            builder.Leaves.Commit();
        }

        public IrFunction Function { get; }

        public IrBlock B1 { get; }

        public IrBlock B2 { get; }

        public IrBlock B3 { get; }

        public IrInstruction Sum { get; }

        public IrInstruction Branch { get; }

        public IrInstruction Narrow { get; }

        public IrInstruction Wide { get; }

        public IrInstruction Load { get; }

        public IrInstruction Phi { get; }
    }

    [Fact]
    public void A_good_function_has_no_violations() => Assert.Empty(IrChecker.Check(new Sample().Function));

    public static TheoryData<string, string> Faults() => new()
    {
        { "no blocks", "no blocks" },
        { "entry has predecessors", "the entry has predecessors" },
        { "block twice", "its number is not its own" },
        { "no terminator", "no terminator at the end" },
        { "terminator inside", "terminator before the end" },
        { "instruction twice", "its number is not its own" },
        { "wrong block", "does not know its block" },
        { "phi behind code", "phi behind other instructions" },
        { "phi operand missing", "1 operands for 2 predecessors" },
        { "leaf elsewhere", "leaf that is not at the head of the entry block" },
        { "leaf behind code", "leaf that is not at the head of the entry block" },
        { "operand removed", "is not in the function" },
        { "operand later", "does not dominate its use" },
        { "operand on another path", "does not dominate its use" },
        { "phi operand on another path", "does not dominate its use" },
        { "I32 as I64", "operand 0 is I32 where I64 is needed" },
        { "operand without value", "operand 0 has no value" },
        { "too few operands", "Add with 1 operands" },
        { "width 8 addition", "width 8 is not one of Add" },
        { "width 64 extension", "width 64 is not one of ZeroExtend" },
        { "compare width", "comparison of width 16" },
        { "no condition", "no condition" },
        { "condition on add", "condition on Add" },
        { "no target", "Branch with 1 targets" },
        { "equal targets", "branch with two equal targets" },
        { "target outside", "is not in the function" },
        { "predecessor missing", "branches here but is no predecessor" },
        { "predecessor too many", "is a predecessor but does not branch here" },
        { "signed add", "IsSigned on Add" },
        { "ordered add", "IsOrdered on Add" },
        { "symbol on add", "symbol on Add" },
        { "no symbol", "no symbol" },
        { "atomic on add", "atomic operation on Add" },
        { "argument number", "argument number 5" },
        { "position", "position -2" },
        { "stack size", "stack size 12" },
        { "six arguments", "CallExtern with 6 operands" },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public void A_broken_rule_is_reported(string fault, string message)
    {
        var sample = new Sample();
        Break(sample, fault);
        Assert.Contains(IrChecker.Check(sample.Function), violation => violation.Contains(message, StringComparison.Ordinal));
    }

    private static void Break(Sample sample, string fault)
    {
        IrFunction function = sample.Function;
        List<IrInstruction> entry = function.Entry.Instructions;
        IrInstruction argument = entry.First(static instruction => instruction.Opcode == IrOpcode.Argument);
        switch (fault)
        {
            case "no blocks":
                function.Blocks.Clear();
                break;
            case "entry has predecessors":
                function.Entry.Predecessors.Add(sample.B1);
                break;
            case "block twice":
                function.Blocks.Add(sample.B3);
                break;
            case "no terminator":
                sample.B3.Instructions.RemoveAt(1);
                break;
            case "terminator inside":
                Add(function, sample.B2, 0, IrOpcode.Unreachable);
                break;
            case "instruction twice":
                sample.B1.Instructions.Insert(1, sample.Narrow);
                break;
            case "wrong block":
                sample.Narrow.Block = sample.B2;
                break;
            case "phi behind code":
                Add(function, sample.B3, 0, IrOpcode.Negate, sample.Sum);
                break;
            case "phi operand missing":
                sample.Phi.Operands = [sample.Sum];
                break;
            case "leaf elsewhere":
                Add(function, sample.B1, 0, IrOpcode.Constant);
                break;
            case "leaf behind code":
                Add(function, function.Entry, entry.IndexOf(sample.Sum) + 1, IrOpcode.Constant);
                break;
            case "operand removed":
                entry.Remove(sample.Sum);
                break;
            case "operand later":
                entry.Remove(sample.Sum);
                entry.Insert(entry.Count - 1, sample.Sum);
                Add(function, function.Entry, entry.IndexOf(sample.Sum), IrOpcode.Negate, sample.Sum);
                break;
            case "operand on another path":
                Add(function, sample.B2, 0, IrOpcode.Negate, sample.Wide);
                break;
            case "phi operand on another path":
                sample.Phi.Operands = [sample.Sum, sample.Wide];
                break;
            case "I32 as I64":
                Add(function, sample.B1, 2, IrOpcode.Negate, sample.Narrow);
                break;
            case "operand without value":
                sample.Narrow.Operands[0] = sample.Branch;
                break;
            case "too few operands":
                sample.Sum.Operands = [argument];
                break;
            case "width 8 addition":
                sample.Sum.Width = 8;
                break;
            case "width 64 extension":
                sample.Wide.Width = 64;
                break;
            case "compare width":
                sample.Branch.CompareWidth = 16;
                break;
            case "no condition":
                sample.Branch.Condition = IrCondition.None;
                break;
            case "condition on add":
                sample.Sum.Condition = IrCondition.Equal;
                break;
            case "no target":
                sample.Branch.Targets = [sample.B1];
                break;
            case "equal targets":
                sample.Branch.Targets = [sample.B1, sample.B1];
                break;
            case "target outside":
                function.Blocks.Remove(sample.B2);
                break;
            case "predecessor missing":
                sample.B2.Predecessors.Clear();
                break;
            case "predecessor too many":
                sample.B2.Predecessors.Add(sample.B1);
                break;
            case "signed add":
                sample.Sum.IsSigned = true;
                break;
            case "ordered add":
                sample.Sum.IsOrdered = true;
                break;
            case "symbol on add":
                sample.Sum.Symbol = new SymbolId(0);
                break;
            case "no symbol":
                Add(function, function.Entry, entry.Count - 1, IrOpcode.CallExtern);
                break;
            case "atomic on add":
                sample.Sum.Atomic = IrAtomic.Or;
                break;
            case "argument number":
                argument.Immediate = 5;
                break;
            case "position":
                sample.Sum.Position = -2;
                break;
            case "stack size":
                function.StackSize = 12;
                break;
            case "six arguments":
                IrInstruction call = Add(function, sample.B1, 0, IrOpcode.CallExtern, [.. Enumerable.Repeat(argument, 6)]);
                call.Symbol = new SymbolId(0);
                break;
            default:
                throw new InvalidOperationException(fault);
        }
    }

    private static IrInstruction Add(IrFunction function, IrBlock block, int index, IrOpcode opcode, params IrInstruction[] operands)
    {
        IrInstruction instruction = function.NewInstruction(opcode);
        instruction.Operands = operands;
        instruction.Block = block;
        block.Instructions.Insert(index, instruction);
        return instruction;
    }

    [Fact]
    public void The_module_check_looks_at_symbols()
    {
        IrModule module = IrText.Lift("""
            .program main
            call 5
            r1 = r0
            call f
            r1 = map m
            r0 = *(u32 *)(r1 + 4)
            exit
            .subprogram f
            r0 = r1
            exit
            .map m
            """);
        Assert.Empty(IrChecker.Check(module));
        IrInstruction call = Find(module, IrOpcode.CallLocal);
        SymbolId code = call.Symbol;
        IrInstruction external = Find(module, IrOpcode.CallExtern);
        (call.Symbol, external.Symbol) = (external.Symbol, code);
        Assert.Contains(IrChecker.Check(module), static violation => violation.Contains("call of no function of the module", StringComparison.Ordinal));
        Assert.Contains(IrChecker.Check(module), static violation => violation.Contains("call of FunctionCode as an extern function", StringComparison.Ordinal));
        Find(module, IrOpcode.SymbolAddress).Symbol = code;
        Assert.Contains(IrChecker.Check(module), static violation => violation.Contains("address of FunctionCode", StringComparison.Ordinal));
        call.Symbol = new SymbolId(1000);
        Assert.Contains(IrChecker.Check(module), static violation => violation.Contains("unknown symbol", StringComparison.Ordinal));
    }

    private static IrInstruction Find(IrModule module, IrOpcode opcode) =>
        module.Functions.SelectMany(static function => function.Blocks).SelectMany(static block => block.Instructions)
            .First(instruction => instruction.Opcode == opcode);
}
