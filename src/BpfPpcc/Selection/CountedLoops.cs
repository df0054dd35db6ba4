using BpfPpcc.Ir;

namespace BpfPpcc.Selection;

/// <summary>
/// A loop that is left, at the latest, when a branch in it has run a number of times that is known when the loop is entered.
/// </summary>
/// <param name="Header">The loop's header.</param>
/// <param name="Entering">The only block outside of the loop from which it is entered.</param>
/// <param name="ContinueTarget">Which target of the branch stays in the loop.</param>
/// <param name="Count">How often the branch runs: 0 stands for 2 to the power of 64.</param>
/// <param name="Constant">The same, if <paramref name="Count"/> is null.</param>
internal sealed record CountedLoop(IrBlock Header, IrBlock Entering, int ContinueTarget, IrInstruction? Count, long Constant);

/// <summary>
/// Which loops run on CTR (Power ISA book I, 2.4: bdnz and bdz decrement it, branch, and change nothing else). A candidate is an innermost
/// loop without calls, which lose CTR, one of whose exits happens once in every iteration and compares an induction variable, that is a phi
/// to which every iteration adds the same constant, with something that stays the same. All other exits stay as they are.
/// </summary>
internal sealed class CountedLoops
{
    /// <summary>Loops that run less often do not earn back the two instructions that set CTR.</summary>
    private const int FewestIterations = 4;

    private readonly CountedLoop?[] _byExit;
    private readonly CountedLoop?[] _byHeader;
    private readonly DominatorTree _dominators;
    private readonly LoopNest _loops;
    private readonly ValueFacts _facts;

    /// <param name="function">Not changed.</param>
    /// <param name="dominators">Its dominators.</param>
    /// <param name="loops">Its loops.</param>
    /// <param name="facts">Bit counts are enough.</param>
    public CountedLoops(IrFunction function, DominatorTree dominators, LoopNest loops, ValueFacts facts)
    {
        _byExit = new CountedLoop?[function.BlockCount];
        _byHeader = new CountedLoop?[function.BlockCount];
        _dominators = dominators;
        _loops = loops;
        _facts = facts;
        if (HasIrreducibleCycle(function))
            return;
        bool[] isCandidate = FindCandidates(function);
        foreach (IrBlock block in dominators.ReversePostorder)
        {
            if (block.Terminator.Opcode == IrOpcode.Branch && HeaderOf(block) is { } header && isCandidate[header.Id])
                TryCount(header, block);
        }
    }

    /// <summary>The loop whose count the block's branch decrements, or null.</summary>
    public CountedLoop? ByExit(IrBlock block) => _byExit[block.Id];

    /// <summary>The loop that is entered along an edge, if it is counted.</summary>
    public CountedLoop? ByEntry(IrBlock from, IrBlock to) =>
        _byHeader[to.Id] is { } loop && loop.Entering == from ? loop : null;

    /// <summary>The header of the innermost loop that a block lies in, itself perhaps, or null.</summary>
    private IrBlock? HeaderOf(IrBlock block)
    {
        IrBlock? around = _loops.Header(block);
        bool isHeader = _loops.Depth(block) > (around is null ? 0 : _loops.Depth(around));
        return isHeader ? block : around;
    }

    /// <summary>Some cycle is no natural loop, so that an exit might run several times between two visits of its header.</summary>
    private bool HasIrreducibleCycle(IrFunction function)
    {
        var order = new int[function.BlockCount];
        IrBlock[] blocks = _dominators.ReversePostorder;
        for (int i = 0; i < blocks.Length; i++)
            order[blocks[i].Id] = i;
        foreach (IrBlock block in blocks)
        {
            foreach (IrBlock successor in block.Successors)
            {
                if (order[successor.Id] <= order[block.Id] && !_dominators.Dominates(successor, block))
                    return true;
            }
        }

        return false;
    }

    /// <summary>By block: it is the header of an innermost loop in which nothing needs CTR.</summary>
    private bool[] FindCandidates(IrFunction function)
    {
        var isCandidate = new bool[function.BlockCount];
        foreach (IrBlock block in _dominators.ReversePostorder)
        {
            if (HeaderOf(block) is not { } header)
                continue;
            if (header == block)
            {
                isCandidate[block.Id] = true;
                if (_loops.Header(block) is { } outer)
                    isCandidate[outer.Id] = false;
            }

            // Headers come before their bodies.
            foreach (IrInstruction instruction in block.Instructions)
            {
                if (instruction.Opcode is IrOpcode.CallExtern or IrOpcode.CallLocal or IrOpcode.CallIndirect or IrOpcode.TailCall)
                    isCandidate[header.Id] = false;
            }
        }

        return isCandidate;
    }

    private void TryCount(IrBlock header, IrBlock exit)
    {
        if (_byHeader[header.Id] is not null || !TryEdges(header, out int entering, out int repeating))
            return;
        IrBlock latch = header.Predecessors[repeating];
        int continueTarget = IsInLoop(header, exit.Successors[0]) ? 0 : 1;
        bool leaves = IsInLoop(header, exit.Successors[continueTarget]) && !IsInLoop(header, exit.Successors[1 - continueTarget]);
        if (!leaves || !_dominators.Dominates(exit, latch))
            return;
        bool isInductive = ExitComparison.TryMatch(
            _facts, header, entering, repeating, exit.Terminator, continueTarget, out ExitComparison variable);
        if (!isInductive)
            return;
        IrBlock from = header.Predecessors[entering];
        CountedLoop? loop = null;
        if (variable.TryConstantCount(out long constant) && constant >= FewestIterations)
            loop = new CountedLoop(header, from, continueTarget, null, constant);
        else if (variable.TryVariableCount(out IrInstruction? count))
            loop = new CountedLoop(header, from, continueTarget, count, 0);
        _byHeader[header.Id] = loop;
        _byExit[exit.Id] = loop;
    }

    /// <summary>Of a header with two predecessors, which one is outside and which one inside.</summary>
    private bool TryEdges(IrBlock header, out int entering, out int repeating)
    {
        (entering, repeating) = (0, 1);
        if (header.Predecessors.Count != 2)
            return false;
        if (IsInLoop(header, header.Predecessors[0]))
            (entering, repeating) = (1, 0);
        return IsInLoop(header, header.Predecessors[repeating]) && !IsInLoop(header, header.Predecessors[entering]);
    }

    /// <summary>For an innermost loop: no block of it has another loop's header around it.</summary>
    private bool IsInLoop(IrBlock header, IrBlock block) => HeaderOf(block) == header;
}
