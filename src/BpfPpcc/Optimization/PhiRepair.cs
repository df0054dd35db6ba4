using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>
/// Phis that are led past: each is a variable, set by the phi in its block and by every block that leads past that one. Uses see what was set
/// last.
/// </summary>
/// <remarks>
/// Takes time and memory by the uses of the variables and by the blocks at whose start they are live, not by variables times blocks: long
/// chains of branches have thousands of either, but most variables are dead a few blocks on.
/// </remarks>
internal sealed class PhiRepair(
    IrFunction function,
    int[] variableOf,
    List<IrInstruction> phis,
    Dictionary<IrBlock, List<(int Variable, IrInstruction Value)>> bypasses)
{
    private readonly IrLeaves _leaves = new(function);

    /// <summary>By variable: its value at this place; null where it is not live, or was not set on any path.</summary>
    private readonly IrInstruction?[] _current = new IrInstruction?[phis.Count];

    /// <summary>The variables that have a value at this place.</summary>
    private readonly List<int> _known = [];
    private readonly Dictionary<(int Block, int Variable), IrInstruction> _atEnd = [];
    private readonly List<(IrInstruction Phi, int Variable)> _newPhis = [];

    public void Run()
    {
        IrBlock[] order = new DepthFirstWalk(function).ReversePostorder;
        List<int>?[] live = new VariableLiveness(function, phis, bypasses, variableOf).Solve(order);
        var isLeft = new bool[function.BlockCount];
        foreach (IrBlock block in order)
        {
            if (live[block.Id] is { } variables)
                Enter(block, variables, block.Predecessors.TrueForAll(predecessor => isLeft[predecessor.Id]));
            Rewrite(block);
            Leave(block);
            isLeft[block.Id] = true;
        }

        foreach ((IrInstruction phi, int variable) in _newPhis)
            phi.Operands = [.. phi.Block!.Predecessors.Select(predecessor => AtEnd(predecessor, variable) ?? _leaves.Undefined())];
        TrivialPhis.Remove(function, _leaves, _newPhis);
        _leaves.Commit();
    }

    /// <param name="isSealed">All predecessors are left.</param>
    private void Enter(IrBlock block, List<int> live, bool isSealed)
    {
        var atStart = new List<IrInstruction>();
        foreach (int variable in live)
        {
            if (isSealed && IsSameEverywhere(block.Predecessors, variable, out IrInstruction? value))
            {
                if (value != null)
                    Set(variable, value);
                continue;
            }

            IrInstruction phi = function.NewInstruction(IrOpcode.Phi);
            phi.Width = phis[variable].Width;
            phi.Block = block;
            atStart.Add(phi);
            _newPhis.Add((phi, variable));
            Set(variable, phi);
        }

        block.Instructions.InsertRange(0, atStart);
    }

    private bool IsSameEverywhere(List<IrBlock> predecessors, int variable, out IrInstruction? value)
    {
        value = predecessors.Count == 0 ? null : AtEnd(predecessors[0], variable);
        for (int i = 1; i < predecessors.Count; i++)
        {
            if (AtEnd(predecessors[i], variable) != value)
                return false;
        }

        return true;
    }

    private void Leave(IrBlock block)
    {
        foreach (int variable in _known)
        {
            _atEnd.Add((block.Id, variable), _current[variable]!);
            _current[variable] = null;
        }

        _known.Clear();
    }

    private IrInstruction? AtEnd(IrBlock block, int variable) => _atEnd.GetValueOrDefault((block.Id, variable));

    private void Set(int variable, IrInstruction value)
    {
        if (_current[variable] is null)
            _known.Add(variable);
        _current[variable] = value;
    }

    private void Rewrite(IrBlock block)
    {
        if (bypasses.TryGetValue(block, out List<(int Variable, IrInstruction Value)>? values))
        {
            var current = new IrInstruction[values.Count];
            for (int i = 0; i < current.Length; i++)
                current[i] = Read(values[i].Value);
            for (int i = 0; i < current.Length; i++)
                Set(values[i].Variable, current[i]);
        }

        foreach (IrInstruction instruction in block.Instructions)
        {
            if (instruction.Opcode == IrOpcode.Phi)
            {
                if (VariableOf(instruction) is >= 0 and var variable)
                    Set(variable, instruction);
                continue;
            }

            for (int i = 0; i < instruction.Operands.Length; i++)
                instruction.Operands[i] = Read(instruction.Operands[i]);
        }

        foreach (IrBlock successor in block.Successors)
        {
            int way = successor.Predecessors.IndexOf(block);
            foreach (IrInstruction phi in successor.Instructions)
            {
                if (phi.Opcode != IrOpcode.Phi)
                    break;
                // New ones get their operands at the end.
                if (phi.Operands.Length > way)
                    phi.Operands[way] = Read(phi.Operands[way]);
            }
        }
    }

    private int VariableOf(IrInstruction value) => value.Id < variableOf.Length ? variableOf[value.Id] : -1;

    private IrInstruction Read(IrInstruction value) =>
        VariableOf(value) is >= 0 and var variable ? _current[variable] ?? _leaves.Undefined() : value;
}
