using BpfPpcc.Ir;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;
using static BpfPpcc.Mir.MachineOperand;

namespace BpfPpcc.Selection;

/// <summary>
/// Instruction selection: IR values become PPC64 instructions on virtual registers. What a 32-bit value leaves in the upper half of its
/// register is nobody's business until something asks for all 64 bits (<see cref="IrOpcode"/>, Types; <see cref="ValueFacts"/>).
/// The rules stand in files by family; <see cref="SelectionContext"/> says in which order they run.
/// </summary>
public static class InstructionSelector
{
    /// <param name="function">Its addresses in loops may be rewritten; it computes the same afterwards.</param>
    /// <param name="module">What the function refers to.</param>
    /// <param name="target">The processor and the calling convention.</param>
    public static MachineFunction Select(IrFunction function, IrModule module, TargetDescription target)
    {
        var result = new MachineFunction
        {
            Name = function.Name,
            FunctionIndex = function.FunctionIndex,
            Symbol = function.Symbol,
            IsCallableFromC = function.IsCallableFromC,
            IsProgram = function.Kind == IrFunctionKind.Program,
            TailCallRole = CallRules.RoleOf(function),
            BpfStackSize = function.StackSize,
        };
        var dominators = new DominatorTree(function);
        IrBlock[] reversePostorder = dominators.ReversePostorder;
        var loops = new LoopNest(function, dominators);
        ValueFacts facts = Examine(function, dominators, loops, out CountedLoops countedLoops);
        if (AddressRecurrences.Rewrite(function, dominators, loops, facts))
            facts = Examine(function, dominators, loops, out countedLoops);
        var layout = new BlockLayout(function, dominators, loops, countedLoops, facts, module, result);
        var words = new WordValues(function, reversePostorder, loops, facts);
        MapBase? mapBase = MapBase.Choose(function, module, dominators, loops, layout);
        var context = new SelectionContext(module, target, result, facts, words, mapBase, function.InstructionCount);
        for (int i = reversePostorder.Length - 1; i >= 0; i--)
            SelectBlock(context, layout, countedLoops, reversePostorder[i], isEntry: i == 0);
        ConnectPredecessors(result);
        return result;
    }

    private static ValueFacts Examine(IrFunction function, DominatorTree dominators, LoopNest loops, out CountedLoops countedLoops)
    {
        var facts = new ValueFacts(function, dominators.ReversePostorder);
        countedLoops = new CountedLoops(function, dominators, loops, facts);
        facts.MarkLive(dominators.ReversePostorder, countedLoops);
        return facts;
    }

    private static void SelectBlock(
        SelectionContext context, BlockLayout layout, CountedLoops countedLoops, IrBlock block, bool isEntry)
    {
        for (int target = 0; target < block.Successors.Length; target++)
        {
            if (layout.TrySplitBlock(block, target, out int split))
                SelectSplitBlock(context, layout, countedLoops, block, target, split);
        }

        context.BeginBlock(layout.LastBlockOf(block), layout.HoistBlockOf(block, block));
        for (int i = block.Instructions.Count - 1; i >= 0 && block.Instructions[i].Opcode != IrOpcode.Phi; i--)
        {
            IrInstruction instruction = block.Instructions[i];
            context.BeginRule(instruction.Position);
            if (instruction.IsTerminator)
                SelectTerminator(context, layout, countedLoops, instruction, block);
            else if (instruction.HasSideEffect || context.IsWanted(instruction))
                SelectInstruction(context, instruction);
            context.EndRule();
        }

        if (isEntry)
            SelectArguments(context);
        MachineBlock first = context.Result.Blocks[layout.FirstBlockOf(block)];
        foreach (IrInstruction instruction in block.Instructions)
        {
            if (instruction.Opcode != IrOpcode.Phi)
                break;
            if (context.Facts.IsLive(instruction))
                first.Parameters.Add(context.ResultOf(instruction));
        }

        context.EndBlock();
    }

    private static void SelectSplitBlock(
        SelectionContext context, BlockLayout layout, CountedLoops countedLoops, IrBlock block, int target, int split)
    {
        IrBlock successor = block.Successors[target];
        context.BeginBlock(split, layout.HoistBlockOf(block, successor));
        context.BeginRule(block.Terminator.Position);
        SelectJump(context, layout, countedLoops, block, target);
        context.EndRule();
        context.EndBlock();
    }

    private static void SelectTerminator(
        SelectionContext context, BlockLayout layout, CountedLoops countedLoops, IrInstruction terminator, IrBlock block)
    {
        if (terminator.Opcode == IrOpcode.Jump)
        {
            SelectJump(context, layout, countedLoops, block, 0);
        }
        else if (countedLoops.ByExit(block) is { } loop)
        {
            int stay = loop.ContinueTarget;
            context.EmitCountBranch(BranchEdge(context, layout, block, stay), BranchEdge(context, layout, block, 1 - stay));
        }
        else if (terminator.Opcode == IrOpcode.Branch)
        {
            ConditionOutcome outcome = ConditionRules.EmitComparison(context, terminator);
            context.EmitBranch(outcome, BranchEdge(context, layout, block, 0), BranchEdge(context, layout, block, 1));
        }
        else if (terminator.Opcode == IrOpcode.Return)
        {
            context.Emit(MachinePseudo.Return, Use(context.ArgumentRegister(terminator.Operands[0]), (sbyte)Gpr.R3.Number));
        }
        else
        {
            context.Emit(MachinePseudo.Unreachable);
        }
    }

    /// <summary>The jump along one edge, which sets the count of a loop that is entered by it.</summary>
    private static void SelectJump(SelectionContext context, BlockLayout layout, CountedLoops countedLoops, IrBlock block, int target)
    {
        IrBlock successor = block.Successors[target];
        if (countedLoops.ByEntry(block, successor) is { } loop)
        {
            MachineOperand count = loop.Count is null ? context.UseImmediate(loop.Constant) : context.Use(loop.Count);
            context.Emit(MachinePseudo.SetCount, count);
        }

        context.EmitJump(layout.FirstBlockOf(successor), EdgeArguments(context, layout, block, target));
    }

    private static MachineEdge BranchEdge(SelectionContext context, BlockLayout layout, IrBlock block, int target)
    {
        return layout.TrySplitBlock(block, target, out int split)
            ? new MachineEdge(split, [])
            : new MachineEdge(layout.FirstBlockOf(block.Successors[target]), EdgeArguments(context, layout, block, target));
    }

    private static VirtualRegister[] EdgeArguments(SelectionContext context, BlockLayout layout, IrBlock block, int target)
    {
        int predecessor = layout.PredecessorIndex(block, target);
        var arguments = new List<VirtualRegister>();
        foreach (IrInstruction instruction in block.Successors[target].Instructions)
        {
            if (instruction.Opcode != IrOpcode.Phi)
                break;
            if (context.Facts.IsLive(instruction))
                arguments.Add(context.EdgeRegister(instruction.Operands[predecessor], context.Words.IsWord(instruction)));
        }

        return [.. arguments];
    }

    private static void SelectArguments(SelectionContext context)
    {
        MachineOperand[] defs = context.ArgumentDefs();
        if (defs.Length == 0)
            return;
        context.BeginRule(position: -1);
        context.Emit(MachinePseudo.Arguments, defs);
        context.EndRule();
    }

    private static void SelectInstruction(SelectionContext context, IrInstruction instruction)
    {
        switch (instruction.Opcode)
        {
            case IrOpcode.Constant:
                context.EmitLeaf(instruction, context.ResultOf(instruction));
                break;
            case IrOpcode.StackAddress:
                AddressRules.SelectFarStackAddress(context, instruction, context.ResultOf(instruction));
                break;
            case IrOpcode.SymbolAddress:
                AddressRules.SelectSymbolAddress(context, instruction, context.ResultOf(instruction));
                break;
            case IrOpcode.Add:
                ArithmeticRules.SelectAdd(context, instruction, context.ResultOf(instruction));
                break;
            case IrOpcode.Subtract:
                ArithmeticRules.SelectSubtract(context, instruction, context.ResultOf(instruction));
                break;
            case IrOpcode.Multiply:
                ArithmeticRules.SelectMultiply(context, instruction, context.ResultOf(instruction));
                break;
            case IrOpcode.MultiplyHighUnsigned or IrOpcode.MultiplyHighSigned:
                ArithmeticRules.SelectMultiplyHigh(context, instruction, context.ResultOf(instruction));
                break;
            case IrOpcode.Negate:
                ArithmeticRules.SelectNegate(context, instruction, context.ResultOf(instruction));
                break;
            case IrOpcode.UnsignedDivide or IrOpcode.UnsignedRemainder or IrOpcode.SignedDivide or IrOpcode.SignedRemainder:
                DivideRules.Select(context, instruction, context.ResultOf(instruction));
                break;
            case IrOpcode.And:
                LogicalRules.SelectAnd(context, instruction, context.ResultOf(instruction));
                break;
            case IrOpcode.Or:
                LogicalRules.SelectOr(context, instruction, context.ResultOf(instruction));
                break;
            case IrOpcode.Xor:
                LogicalRules.SelectXor(context, instruction, context.ResultOf(instruction));
                break;
            case IrOpcode.ShiftLeft or IrOpcode.ShiftRightLogical or IrOpcode.ShiftRightArithmetic:
                ShiftRules.SelectShift(context, instruction, context.ResultOf(instruction));
                break;
            case IrOpcode.RotateLeft:
                ShiftRules.SelectRotate(context, instruction, context.ResultOf(instruction));
                break;
            case IrOpcode.Select:
                ConditionRules.SelectSelect(context, instruction, context.ResultOf(instruction));
                break;
            case IrOpcode.ZeroExtend:
                ConversionRules.SelectZeroExtend(context, instruction, context.ResultOf(instruction));
                break;
            case IrOpcode.SignExtend:
                ConversionRules.SelectSignExtend(context, instruction, context.ResultOf(instruction));
                break;
            case IrOpcode.ByteSwap:
                ConversionRules.SelectByteSwap(context, instruction, context.ResultOf(instruction));
                break;
            case IrOpcode.Load:
                MemoryRules.SelectLoad(context, instruction, context.ResultOf(instruction));
                break;
            case IrOpcode.Store:
                MemoryRules.SelectStore(context, instruction);
                break;
            case IrOpcode.AtomicReadModifyWrite:
                AtomicRules.SelectReadModifyWrite(context, instruction, context.ResultOf(instruction));
                break;
            case IrOpcode.AtomicCompareExchange:
                AtomicRules.SelectCompareExchange(context, instruction, context.ResultOf(instruction));
                break;
            case IrOpcode.CallExtern or IrOpcode.CallLocal or IrOpcode.CallIndirect:
                CallRules.Select(context, instruction);
                break;
            case IrOpcode.TailCall:
                TailCallRules.Select(context, instruction);
                break;
            case IrOpcode.Undefined or IrOpcode.Argument or IrOpcode.Phi:
                throw new InvalidOperationException("a value that is in a register from the start was to be computed");
            case IrOpcode.Jump or IrOpcode.Branch or IrOpcode.Return or IrOpcode.Unreachable:
                throw new InvalidOperationException("a terminator within a block");
        }
    }

    private static void ConnectPredecessors(MachineFunction result)
    {
        foreach (MachineBlock block in result.Blocks)
        {
            foreach (MachineEdge edge in block.Successors)
                result.Blocks[edge.Target].Predecessors.Add(block.Index);
        }
    }
}
