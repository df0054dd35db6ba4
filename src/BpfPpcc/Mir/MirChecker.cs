using System.Globalization;
using BpfPpcc.Ppc64;

namespace BpfPpcc.Mir;

/// <summary>
/// Checks the invariants of <see cref="MachineFunction"/>: the shape of blocks and edges, SSA, and how condition fields and the carry are
/// used. The operands of each instruction are <see cref="MirOperandChecker"/>'s. What it finds is a bug of whoever made the function.
/// </summary>
public sealed class MirChecker
{
    private const int NoBlock = -1;

    private readonly MachineFunction _function;
    private readonly List<string> _violations = [];

    /// <summary>Per virtual register: the block of its definition, and the instruction there (-1 for a block parameter).</summary>
    private readonly int[] _definingBlock;
    private readonly int[] _definingInstruction;

    private MirChecker(MachineFunction function)
    {
        _function = function;
        _definingBlock = new int[function.VirtualRegisterCount];
        _definingInstruction = new int[function.VirtualRegisterCount];
        Array.Fill(_definingBlock, NoBlock);
    }

    /// <summary>All violations, each with the place where it is.</summary>
    public static IReadOnlyList<string> Check(MachineFunction function)
    {
        var checker = new MirChecker(function);
        checker.CheckBlocks();
        if (checker._violations.Count > 0)
            return checker._violations;
        checker.CheckEdges();
        checker.CheckInstructions();
        if (checker._violations.Count > 0)
            return checker._violations;
        checker.CollectDefinitions();
        if (checker._violations.Count == 0)
            checker.CheckUses();
        checker.CheckCount();
        return checker._violations;
    }

    private void Report(MachineBlock block, string violation) => _violations.Add($"{_function.Name}: b{block.Index}: {violation}");

    private void Report(MachineBlock block, int instruction, string violation) =>
        Report(block, string.Create(CultureInfo.InvariantCulture, $"{instruction}: {violation}"));

    // Blocks and edges

    private void CheckBlocks()
    {
        if (_function.Blocks.Count == 0)
            _violations.Add($"{_function.Name}: no blocks");
        for (int i = 0; i < _function.Blocks.Count; i++)
        {
            MachineBlock block = _function.Blocks[i];
            if (block.Index != i)
                Report(block, "is not at its index");
            if (block.Instructions.Count == 0 || !block.Terminator.IsTerminator)
                Report(block, "no terminator at the end");
            for (int j = 0; j < block.Instructions.Count - 1; j++)
            {
                if (block.Instructions[j].IsTerminator)
                    Report(block, j, "terminator within the block");
            }

            foreach (MachineEdge edge in block.Successors)
            {
                if (edge.Target < 0 || edge.Target >= _function.Blocks.Count)
                    Report(block, "edge to no block");
            }
        }

        if (_violations.Count == 0 && (_function.Blocks[0].Predecessors.Count > 0 || _function.Blocks[0].Parameters.Count > 0))
            Report(_function.Blocks[0], "the entry has predecessors or parameters");
        if (_function.BpfStackSize < 0 || _function.BpfStackSize % 8 != 0)
            _violations.Add($"{_function.Name}: BPF stack of {_function.BpfStackSize} bytes");
    }

    private void CheckEdges()
    {
        var predecessors = new List<int>[_function.Blocks.Count];
        for (int i = 0; i < predecessors.Length; i++)
            predecessors[i] = [];
        foreach (MachineBlock block in _function.Blocks)
        {
            CheckTargets(block);
            foreach (MachineEdge edge in block.Successors)
            {
                predecessors[edge.Target].Add(block.Index);
                CheckEdge(block, edge);
            }
        }

        foreach (MachineBlock block in _function.Blocks)
        {
            if (!predecessors[block.Index].Order().SequenceEqual(block.Predecessors.Order()))
                Report(block, "predecessors are not those that have edges to it");
        }

        bool[] isReachable = Reachable();
        foreach (MachineBlock block in _function.Blocks)
        {
            if (!isReachable[block.Index])
                Report(block, "unreachable");
        }
    }

    /// <summary>The successors are the terminator's blocks, in its order, each once.</summary>
    private void CheckTargets(MachineBlock block)
    {
        int next = 0;
        foreach (MachineOperand operand in block.Terminator.Operands)
        {
            if (operand.Kind != MachineOperandKind.Block)
                continue;
            if (next >= block.Successors.Count || block.Successors[next].Target != operand.Number)
                Report(block, $"edge {next} does not lead where the terminator does");
            next++;
        }

        if (next != block.Successors.Count)
            Report(block, "more edges than the terminator has targets");
        if (block.Successors.Count == 2 && block.Successors[0].Target == block.Successors[1].Target)
            Report(block, "both edges lead to the same block");
    }

    private void CheckEdge(MachineBlock block, MachineEdge edge)
    {
        MachineBlock target = _function.Blocks[edge.Target];
        if (edge.Arguments.Length != target.Parameters.Count)
            Report(block, $"{edge.Arguments.Length} arguments for the {target.Parameters.Count} parameters of b{target.Index}");
        if (block.Successors.Count > 1 && target.Predecessors.Count > 1 && target.Parameters.Count > 0)
            Report(block, $"critical edge to b{target.Index} carries values");
    }

    private bool[] Reachable()
    {
        var isReachable = new bool[_function.Blocks.Count];
        var pending = new Stack<int>();
        isReachable[0] = true;
        pending.Push(0);
        while (pending.TryPop(out int index))
        {
            foreach (MachineEdge edge in _function.Blocks[index].Successors)
            {
                if (isReachable[edge.Target])
                    continue;
                isReachable[edge.Target] = true;
                pending.Push(edge.Target);
            }
        }

        return isReachable;
    }

    // Instructions

    private void CheckInstructions()
    {
        foreach (MachineBlock block in _function.Blocks)
        {
            var flags = new MirFlagState();
            for (int i = 0; i < block.Instructions.Count; i++)
            {
                MachineInstruction instruction = block.Instructions[i];
                if (MirOperandChecker.Violation(instruction) is string violation)
                {
                    Report(block, i, violation);
                    continue;
                }

                if (instruction.Pseudo == MachinePseudo.Arguments && (block.Index != 0 || i != 0))
                    Report(block, i, "arguments elsewhere than at the start of the function");
                if (flags.Step(instruction) is string flagViolation)
                    Report(block, i, flagViolation);
            }
        }
    }

    /// <summary>CTR is set, and not lost in a call, on every way to a branch on it.</summary>
    private void CheckCount()
    {
        var isLost = new bool[_function.Blocks.Count];
        isLost[0] = true;
        var pending = new Stack<MachineBlock>(_function.Blocks);
        while (pending.TryPop(out MachineBlock? block))
        {
            if (!IsCountLostBehind(block, isLost[block.Index]))
                continue;
            foreach (MachineEdge edge in block.Successors)
            {
                if (isLost[edge.Target])
                    continue;
                isLost[edge.Target] = true;
                pending.Push(_function.Blocks[edge.Target]);
            }
        }

        foreach (MachineBlock block in _function.Blocks)
        {
            if (block.Terminator.Pseudo == MachinePseudo.BranchOnCount && IsCountLostBehind(block, isLost[block.Index]))
                Report(block, "a branch on a count that is not set on every way to it");
        }
    }

    private static bool IsCountLostBehind(MachineBlock block, bool isLost)
    {
        foreach (MachineInstruction instruction in block.Instructions)
            isLost = instruction.Pseudo != MachinePseudo.SetCount && (isLost || instruction.ClobbersVolatile);
        return isLost;
    }

    // SSA

    private void CollectDefinitions()
    {
        foreach (MachineBlock block in _function.Blocks)
        {
            foreach (VirtualRegister parameter in block.Parameters)
                Define(block, -1, parameter.Number);
            for (int i = 0; i < block.Instructions.Count; i++)
            {
                foreach (MachineOperand operand in block.Instructions[i].Operands)
                {
                    if (operand.IsDef)
                        Define(block, i, operand.Number);
                }
            }
        }
    }

    private void Define(MachineBlock block, int instruction, int register)
    {
        if (register < 0 || register >= _definingBlock.Length)
        {
            Report(block, instruction, $"%v{register} is not counted");
            return;
        }

        if (_definingBlock[register] != NoBlock)
            Report(block, instruction, $"%v{register} is defined a second time");
        _definingBlock[register] = block.Index;
        _definingInstruction[register] = instruction;
    }

    private void CheckUses()
    {
        var dominators = new MirDominators(_function);
        foreach (MachineBlock block in _function.Blocks)
        {
            for (int i = 0; i < block.Instructions.Count; i++)
            {
                MachineInstruction instruction = block.Instructions[i];
                foreach (MachineOperand operand in instruction.Operands)
                {
                    if (operand.Role == OperandRole.Use)
                        CheckUse(dominators, block, i, operand.Number);
                }

                CheckTocPair(block, i, instruction);
            }

            foreach (MachineEdge edge in block.Successors)
            {
                foreach (VirtualRegister argument in edge.Arguments)
                    CheckUse(dominators, block, block.Instructions.Count, argument.Number);
            }
        }
    }

    private void CheckUse(MirDominators dominators, MachineBlock block, int instruction, int register)
    {
        if (register < 0 || register >= _definingBlock.Length || _definingBlock[register] == NoBlock)
        {
            Report(block, instruction, $"%v{register} is not defined");
            return;
        }

        bool dominates = _definingBlock[register] == block.Index
            ? _definingInstruction[register] < instruction
            : dominators.Dominates(_definingBlock[register], block.Index);
        if (!dominates)
            Report(block, instruction, $"%v{register} is used where its definition may not have happened");
    }

    /// <summary>
    /// The linker may rewrite @toc@ha and @toc@l, so both halves must be of the same symbol and addend (ELFv2 ABI, 3.6.3).
    /// </summary>
    private void CheckTocPair(MachineBlock block, int index, MachineInstruction instruction)
    {
        if (instruction.Pseudo != MachinePseudo.None)
            return;
        for (int i = 0; i < instruction.Operands.Length; i++)
        {
            MachineOperand low = instruction.Operands[i];
            if (low.Kind != MachineOperandKind.Symbol || low.Modifier != SymbolModifier.TocLo)
                continue;
            MachineOperand register = instruction.Operands[instruction.Opcode == Ppc64Opcode.Addi ? 1 : i + 1];
            if (register.Kind != MachineOperandKind.VirtualRegister || !DefinesHigh(register.Number, low))
                Report(block, index, "@toc@l without its @toc@ha");
        }
    }

    private bool DefinesHigh(int register, MachineOperand low)
    {
        if (_definingBlock[register] == NoBlock || _definingInstruction[register] < 0)
            return false;
        MachineInstruction definition = _function.Blocks[_definingBlock[register]].Instructions[_definingInstruction[register]];
        return definition.Pseudo == MachinePseudo.None && definition.Opcode == Ppc64Opcode.Addis
            && definition.Operands[2] == MachineOperand.Address(low.Symbol, low.Value, SymbolModifier.TocHa);
    }
}
