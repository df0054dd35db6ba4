namespace BpfPpcc.Ir;

/// <summary>
/// Which values stand for which others from now on. A pass notes replacements as it finds them and has all uses rewritten in one sweep,
/// so that values need no lists of their uses.
/// </summary>
public sealed class IrReplacements
{
    private readonly IrFunction _function;

    /// <summary>By instruction; of the first ones only, and of none until something is replaced.</summary>
    private IrInstruction?[] _replacement = [];

    public IrReplacements(IrFunction function) => _function = function;

    /// <summary>At least one replacement was noted.</summary>
    public bool Any { get; private set; }

    /// <summary>Uses of <paramref name="value"/> are to become uses of <paramref name="by"/>; the instruction itself goes away.</summary>
    public void Replace(IrInstruction value, IrInstruction by)
    {
        by = Resolve(by);
        if (by == value)
            throw new InvalidOperationException($"{_function.Name}: v{value.Id} cannot replace itself");
        if (value.Id >= _replacement.Length)
            Array.Resize(ref _replacement, _function.InstructionCount + _replacement.Length / 2);
        _replacement[value.Id] = by;
        Any = true;
    }

    public bool IsReplaced(IrInstruction value) => value.Id < _replacement.Length && _replacement[value.Id] != null;

    /// <summary>What stands for <paramref name="value"/> now.</summary>
    public IrInstruction Resolve(IrInstruction value)
    {
        if (!IsReplaced(value))
            return value;
        IrInstruction end = value;
        while (IsReplaced(end))
            end = _replacement[end.Id]!;
        while (value != end)
        {
            IrInstruction next = _replacement[value.Id]!;
            _replacement[value.Id] = end;
            value = next;
        }

        return end;
    }

    /// <summary>Rewrites the operands of <paramref name="instruction"/>.</summary>
    public void ResolveOperands(IrInstruction instruction)
    {
        if (!Any)
            return;
        IrInstruction[] operands = instruction.Operands;
        for (int i = 0; i < operands.Length; i++)
        {
            if (IsReplaced(operands[i]))
                operands[i] = Resolve(operands[i]);
        }
    }

    /// <summary>Rewrites all operands of the function and takes the replaced instructions out of their blocks.</summary>
    public void Apply()
    {
        if (!Any)
            return;
        foreach (IrBlock block in _function.Blocks)
        {
            List<IrInstruction> instructions = block.Instructions;
            int kept = 0;
            for (int i = 0; i < instructions.Count; i++)
            {
                IrInstruction instruction = instructions[i];
                if (IsReplaced(instruction))
                {
                    instruction.Block = null;
                    continue;
                }

                ResolveOperands(instruction);
                if (kept < i)
                    instructions[kept] = instruction;
                kept++;
            }

            instructions.RemoveRange(kept, instructions.Count - kept);
        }
    }
}
