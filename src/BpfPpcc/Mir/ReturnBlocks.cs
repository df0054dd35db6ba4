namespace BpfPpcc.Mir;

/// <summary>Which blocks do nothing but return, or little more, so that to repeat them costs no more than to jump there where no frame is to be torn down.</summary>
internal sealed class ReturnBlocks
{
    private readonly MachineFunction _function;
    private readonly bool[] _isPlain;
    private readonly bool[] _isShort;

    /// <param name="function">The function.</param>
    /// <param name="remaining">By block: instructions and edits that there will be code for, the terminator among them.</param>
    public ReturnBlocks(MachineFunction function, int[] remaining)
    {
        _function = function;
        _isPlain = new bool[function.Blocks.Count];
        _isShort = new bool[function.Blocks.Count];
        for (int i = 1; i < _isPlain.Length; i++)
        {
            MachineBlock block = function.Blocks[i];
            bool returns = block.Terminator.Pseudo == MachinePseudo.Return;
            _isPlain[i] = returns && remaining[i] == 1;
            _isShort[i] = returns && (remaining[i] == 1 || (remaining[i] == 2 && block.Instructions.TrueForAll(IsOneWord)));
        }
    }

    /// <summary>The return and nothing else.</summary>
    public bool IsPlain(int block) => _isPlain[block];

    /// <summary>The return, and before it at most one instruction.</summary>
    public bool IsShort(int block) => _isShort[block];

    /// <summary>
    /// By block: it can be written for paths with and without a frame. Nothing branches to it on a condition, or that branch is a return itself.
    /// </summary>
    /// <param name="needsFrame">By block.</param>
    /// <param name="forward">By block: where branches to it lead.</param>
    public bool[] FindRepeatable(bool[] needsFrame, int[] forward)
    {
        var isRepeatable = new bool[_isShort.Length];
        for (int block = 0; block < isRepeatable.Length; block++)
            isRepeatable[block] = _isShort[block] && !needsFrame[block];
        foreach (MachineBlock block in _function.Blocks)
        {
            if (block.Successors.Count < 2)
                continue;
            foreach (MachineEdge edge in block.Successors)
                isRepeatable[forward[edge.Target]] &= _isPlain[forward[edge.Target]];
        }

        return isRepeatable;
    }

    private static bool IsOneWord(MachineInstruction instruction) => instruction.Pseudo switch
    {
        MachinePseudo.None or MachinePseudo.Copy or MachinePseudo.Arguments or MachinePseudo.Return => true,
        MachinePseudo.LoadImmediate => instruction.Operands[1].Value is >= short.MinValue and <= short.MaxValue,
        MachinePseudo.LoadLiteral or MachinePseudo.LoadAddress or MachinePseudo.LoadExternAddress or MachinePseudo.CallExtern or MachinePseudo.CallLocal
            or MachinePseudo.CallIndirect or MachinePseudo.AtomicReadModifyWrite or MachinePseudo.AtomicCompareExchange
            or MachinePseudo.SetCount or MachinePseudo.Jump or MachinePseudo.Branch or MachinePseudo.BranchOnCount
            or MachinePseudo.TailCallJump or MachinePseudo.Unreachable => false,
    };
}
