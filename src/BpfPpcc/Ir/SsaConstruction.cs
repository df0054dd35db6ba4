namespace BpfPpcc.Ir;

/// <summary>
/// Makes SSA form of variables that are assigned more than once: BPF registers in lifting, stack slots in promotion. The caller visits
/// the reachable blocks in reverse postorder, reads and writes variables in between, and completes at the end.
/// </summary>
/// <remarks>
/// After Braun et al., Simple and Efficient Construction of Static Single Assignment Form (2013), with two changes: variables that are
/// live at a block's entry are read there and then, so that nothing recurses, and phis are given their operands at the end. As there,
/// a phi of one value is replaced by it, and what used it is looked at again.
/// </remarks>
public sealed class SsaConstruction
{
    private readonly IrFunction _function;
    private readonly IrLeaves _leaves;
    private readonly byte[] _widths;
    private readonly List<(IrInstruction Phi, int Variable)> _phis = [];
    private readonly List<IrInstruction> _atStart = [];
    private IrInstruction?[]?[] _atEnd;
    private IrInstruction?[] _current;

    /// <param name="widths">Width (32 or 64) of the phis of each variable.</param>
    public SsaConstruction(IrFunction function, IrLeaves leaves, byte[] widths)
    {
        _function = function;
        _leaves = leaves;
        _widths = widths;
        _atEnd = new IrInstruction?[]?[function.BlockCount];
        _current = new IrInstruction?[widths.Length];
    }

    /// <summary>The value of a variable here; the undefined value if it was not written on every path.</summary>
    public IrInstruction this[int variable]
    {
        get => _current[variable] ?? _leaves.Undefined();
        set => _current[variable] = value;
    }

    /// <summary>Goes to the start of a block, whose phis come first in it.</summary>
    /// <param name="isLive">One bit per variable: it may be read before it is written, in this block or later.</param>
    /// <param name="isSealed">All predecessors are known and left.</param>
    public void Enter(IrBlock block, ReadOnlySpan<ulong> isLive, bool isSealed)
    {
        List<IrBlock> predecessors = block.Predecessors;
        _atStart.Clear();
        _current = new IrInstruction?[_widths.Length];
        for (int variable = 0; variable < _widths.Length; variable++)
        {
            if ((isLive[variable >> 6] >> (variable & 63) & 1) == 0 || (isSealed && predecessors.Count == 0))
                continue;
            if (isSealed && IsSameEverywhere(predecessors, variable, out IrInstruction? value))
            {
                _current[variable] = value;
                continue;
            }

            IrInstruction phi = _function.NewInstruction(IrOpcode.Phi);
            phi.Width = _widths[variable];
            phi.Block = block;
            _atStart.Add(phi);
            _phis.Add((phi, variable));
            _current[variable] = phi;
        }

        block.Instructions.InsertRange(0, _atStart);
    }

    /// <summary>The variables are at the end of the block now what its successors see.</summary>
    public void Leave(IrBlock block)
    {
        if (block.Id >= _atEnd.Length)
            Array.Resize(ref _atEnd, Math.Max(_function.BlockCount, 2 * _atEnd.Length));
        _atEnd[block.Id] = _current;
    }

    /// <summary>Gives the phis their operands and takes out those that are not needed.</summary>
    public void Complete()
    {
        foreach ((IrInstruction phi, int variable) in _phis)
        {
            List<IrBlock> predecessors = phi.Block!.Predecessors;
            phi.Operands = new IrInstruction[predecessors.Count];
            for (int i = 0; i < predecessors.Count; i++)
                phi.Operands[i] = AtEnd(predecessors[i])?[variable] ?? _leaves.Undefined();
        }

        TrivialPhis.Remove(_function, _leaves, _phis);
    }

    /// <summary>Null for a block that was not visited.</summary>
    private IrInstruction?[]? AtEnd(IrBlock block) => block.Id < _atEnd.Length ? _atEnd[block.Id] : null;

    private bool IsSameEverywhere(List<IrBlock> predecessors, int variable, out IrInstruction? value)
    {
        value = _atEnd[predecessors[0].Id]![variable];
        for (int i = 1; i < predecessors.Count; i++)
        {
            if (_atEnd[predecessors[i].Id]![variable] != value)
                return false;
        }

        return true;
    }
}
