using BpfPpcc.Mir;

namespace BpfPpcc.Emission;

/// <summary>Which blocks do nothing but return, or little more, so that to repeat them costs no more than to jump there where no frame is to be torn down.</summary>
internal sealed class ReturnBlocks
{
    private readonly bool[] _isPlain;
    private readonly bool[] _isShort;

    /// <param name="function">The function.</param>
    /// <param name="remaining">By block: instructions and edits that are left after allocation, the terminator among them.</param>
    public ReturnBlocks(MachineFunction function, int[] remaining)
    {
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
