using BpfPpcc.Symbols;

namespace BpfPpcc.Ir;

/// <summary>
/// Checks the rules of the form. Nothing here depends on how a function was made, so it can run after every pass: what it finds is a bug of
/// the pass before.
/// </summary>
public sealed class IrChecker
{
    private readonly IrFunction _function;
    private readonly List<string> _violations = [];
    private readonly bool[] _isBlockPresent;
    private readonly int[] _place;

    private IrChecker(IrFunction function)
    {
        _function = function;
        _isBlockPresent = new bool[function.BlockCount];
        _place = new int[function.InstructionCount];
        Array.Fill(_place, -1);
    }

    /// <summary>All violations of the module's functions, and of the symbols that they name.</summary>
    public static IReadOnlyList<string> Check(IrModule module)
    {
        var violations = new List<string>();
        var callable = new HashSet<int>();
        foreach (IrFunction function in module.Functions)
        {
            violations.AddRange(Check(function));
            if (function.IsCallableFromC && !callable.Add(function.FunctionIndex))
                violations.Add($"{function.Name}: a second function that C calls as number {function.FunctionIndex}");
            foreach (IrBlock block in function.Blocks)
            {
                foreach (IrInstruction instruction in block.Instructions)
                {
                    if (SymbolViolation(instruction, module) is { } violation)
                        violations.Add($"{function.Name}: b{block.Id}: v{instruction.Id}: {violation}");
                }
            }
        }

        return violations;
    }

    /// <summary>All violations, each with the place where it is.</summary>
    public static IReadOnlyList<string> Check(IrFunction function)
    {
        var checker = new IrChecker(function);
        checker.CheckBlocks();
        if (checker._violations.Count > 0)
            return checker._violations;
        checker.CheckInstructions();
        checker.CheckEdges();
        if (checker._violations.Count == 0)
            checker.CheckDominance();
        return checker._violations;
    }

    private static string? SymbolViolation(IrInstruction instruction, IrModule module)
    {
        if (instruction.Symbol.IsNone)
            return null;
        if (instruction.Symbol.Value >= module.Symbols.Symbols.Count)
            return "unknown symbol";
        SymbolKind kind = module.Symbols[instruction.Symbol].Kind;
        return instruction.Opcode switch
        {
            IrOpcode.CallExtern when kind != SymbolKind.ExternFunction => $"call of {kind} as an extern function",
            IrOpcode.CallLocal when !module.FunctionsBySymbol.ContainsKey(instruction.Symbol) => "call of no function of the module",
            IrOpcode.SymbolAddress when kind is SymbolKind.FunctionCode or SymbolKind.ExternFunction => $"address of {kind}",
            _ => null,
        };
    }

    /// <summary>Ids, places and terminators: what the other checks stand on.</summary>
    private void CheckBlocks()
    {
        if (_function.Blocks.Count == 0)
        {
            _violations.Add($"{_function.Name}: no blocks");
            return;
        }

        foreach (IrBlock block in _function.Blocks)
        {
            if (block.Id >= _function.BlockCount || _isBlockPresent[block.Id])
                Report(block, "its number is not its own");
            else
                _isBlockPresent[block.Id] = true;
            if (block.Instructions.Count == 0 || !block.Terminator.IsTerminator)
                Report(block, "no terminator at the end");
            for (int i = 0; i < block.Instructions.Count; i++)
                CheckPlace(block, i);
        }

        if (_function.StackSize is < 0 || _function.StackSize % 8 != 0)
            _violations.Add($"{_function.Name}: stack size {_function.StackSize}");
    }

    private void CheckPlace(IrBlock block, int index)
    {
        IrInstruction instruction = block.Instructions[index];
        if (instruction.Block != block)
            Report(block, instruction, "does not know its block");
        if (instruction.Id >= _function.InstructionCount || _place[instruction.Id] >= 0)
        {
            Report(block, instruction, "its number is not its own");
            return;
        }

        _place[instruction.Id] = index;
        if (instruction.IsTerminator && index != block.Instructions.Count - 1)
            Report(block, instruction, "terminator before the end");
    }

    private void CheckInstructions()
    {
        foreach (IrBlock block in _function.Blocks)
        {
            IrOpcode previous = IrOpcode.Phi;
            foreach (IrInstruction instruction in block.Instructions)
            {
                if (IrRules.Violation(instruction) is { } violation)
                    Report(block, instruction, violation);
                if (instruction.Opcode == IrOpcode.Phi && previous != IrOpcode.Phi)
                    Report(block, instruction, "phi behind other instructions");
                if (instruction.Opcode == IrOpcode.Phi && instruction.Operands.Length != block.Predecessors.Count)
                    Report(block, instruction, $"{instruction.Operands.Length} operands for {block.Predecessors.Count} predecessors");
                if (IrRules.IsLeaf(instruction.Opcode)
                    && (block != _function.Entry || (previous != IrOpcode.Phi && !IrRules.IsLeaf(previous))))
                {
                    Report(block, instruction, "leaf that is not at the head of the entry block");
                }

                if (instruction.Position < -1)
                    Report(block, instruction, $"position {instruction.Position}");
                foreach (IrInstruction operand in instruction.Operands)
                {
                    if (!IsPresent(operand))
                        Report(block, instruction, $"operand v{operand.Id} is not in the function");
                }

                previous = instruction.Opcode;
            }
        }
    }

    private bool IsPresent(IrInstruction value) => value.Id < _place.Length && _place[value.Id] >= 0 && value.Block is { } block
        && block.Instructions.Count > _place[value.Id] && block.Instructions[_place[value.Id]] == value;

    private void CheckEdges()
    {
        var edges = new HashSet<(IrBlock From, IrBlock To)>();
        foreach (IrBlock block in _function.Blocks)
        {
            foreach (IrBlock target in block.Successors)
            {
                edges.Add((block, target));
                if (target.Id >= _isBlockPresent.Length || !_isBlockPresent[target.Id])
                    Report(block, $"target b{target.Id} is not in the function");
            }
        }

        if (_function.Entry.Predecessors.Count > 0)
            Report(_function.Entry, "the entry has predecessors");
        foreach (IrBlock block in _function.Blocks)
        {
            foreach (IrBlock predecessor in block.Predecessors)
            {
                if (!edges.Remove((predecessor, block)))
                    Report(block, $"b{predecessor.Id} is a predecessor but does not branch here");
            }
        }

        foreach ((IrBlock from, IrBlock to) in edges)
            Report(to, $"b{from.Id} branches here but is no predecessor");
    }

    private void CheckDominance()
    {
        var dominators = new DominatorTree(_function);
        foreach (IrBlock block in dominators.ReversePostorder)
        {
            foreach (IrInstruction instruction in block.Instructions)
            {
                for (int i = 0; i < instruction.Operands.Length; i++)
                {
                    if (!IsDefined(instruction.Operands[i], instruction, i, dominators))
                        Report(block, instruction, $"operand v{instruction.Operands[i].Id} does not dominate its use");
                }
            }
        }
    }

    private bool IsDefined(IrInstruction operand, IrInstruction user, int index, DominatorTree dominators)
    {
        bool isPhi = user.Opcode == IrOpcode.Phi;
        IrBlock usedIn = isPhi ? user.Block!.Predecessors[index] : user.Block!;
        if (!dominators.IsReachable(usedIn))
            return true;
        if (!dominators.IsReachable(operand.Block!))
            return false;
        if (operand.Block == usedIn && !isPhi)
            return _place[operand.Id] < _place[user.Id];
        return dominators.Dominates(operand.Block!, usedIn);
    }

    private void Report(IrBlock block, string what) => _violations.Add($"{_function.Name}: b{block.Id}: {what}");

    private void Report(IrBlock block, IrInstruction instruction, string what) => Report(block, $"v{instruction.Id}: {what}");
}
