using BpfPpcc.Ir;
using BpfPpcc.Ppc64;

namespace BpfPpcc.Selection;

/// <summary>
/// Which 64-bit values below 2 to the power of 32 are kept with anything in the upper half of their register, and extended where somebody
/// asks for all of it: zero extensions of 32-bit results, and the phis that they go round loops in, if that is done less often than
/// to extend where the value is made.
/// </summary>
internal sealed class WordValues
{
    /// <summary>How often the choice is made again after it has changed what users want.</summary>
    private const int Rounds = 3;

    /// <summary>What an instruction costs that never runs, where running it once per call costs 1.</summary>
    private const float SizeCost = 0.25f;

    private readonly ValueFacts _facts;
    private readonly bool[] _isWord;

    /// <summary>By block: how often it runs, if branches within loops go both ways alike and leave the loop now and then.</summary>
    private readonly float[] _frequencies;

    /// <summary>By value: how often all of it is wanted, once in each block.</summary>
    private readonly float[] _wholeUses;

    /// <summary>By value: the last block that was counted.</summary>
    private readonly int[] _lastUser;

    public WordValues(IrFunction function, IrBlock[] reversePostorder, LoopNest loops, ValueFacts facts)
    {
        _facts = facts;
        _isWord = new bool[function.InstructionCount];
        _wholeUses = new float[function.InstructionCount];
        _lastUser = new int[function.InstructionCount];
        _frequencies = new float[function.BlockCount];
        if (!MarkCandidates(reversePostorder))
            return;
        EstimateFrequencies(reversePostorder, loops);
        for (int round = 0; round < Rounds; round++)
        {
            CountWholeUses(reversePostorder);
            if (!Choose(reversePostorder))
                break;
        }
    }

    /// <summary>Only the low half of the value's register means something.</summary>
    public bool IsWord(IrInstruction value) => _isWord[value.Id];

    private bool MarkCandidates(IrBlock[] reversePostorder)
    {
        bool any = false;
        foreach (IrBlock block in reversePostorder)
        {
            foreach (IrInstruction value in block.Instructions)
            {
                if (!_facts.IsLive(value) || !(IsPhiOfWords(value) || IsExtensionOfWord(value)))
                    continue;
                _isWord[value.Id] = true;
                any = true;
            }
        }

        return any;
    }

    private bool IsPhiOfWords(IrInstruction value)
    {
        if (value.Opcode != IrOpcode.Phi || value.Width != 64 || _facts.Bits(value) > 32)
            return false;
        foreach (IrInstruction operand in value.Operands)
        {
            IrInstruction source = _facts.Resolve(operand);
            if (source.Opcode == IrOpcode.Phi ? source != value : IsExtensionOfWord(source) || IsCheaperSignExtended(source))
                return true;
        }

        return false;
    }

    /// <summary>A zero extension that is an instruction of its own: a shift or mask below it would do it along.</summary>
    private bool IsExtensionOfWord(IrInstruction value) => value.Opcode == IrOpcode.ZeroExtend && value.Width == 32
        && _facts.Resolve(value) == value && !ValueFacts.TryConstant(value, out _)
        && value.Operands[0].Opcode is IrOpcode.Add or IrOpcode.Subtract or IrOpcode.Multiply or IrOpcode.Negate or IrOpcode.Phi;

    /// <summary>A constant that takes one instruction if its upper half may be ones.</summary>
    public static bool IsCheaperSignExtended(IrInstruction value) => ValueFacts.TryConstant(value, out long constant)
        && constant == (uint)constant && (int)constant < 0
        && (Ppc64Fields.FitsSI16((int)constant) || Ppc64Fields.FitsShiftedSI16((int)constant));

    private void CountWholeUses(IrBlock[] reversePostorder)
    {
        Array.Clear(_wholeUses);
        Array.Fill(_lastUser, -1);
        foreach (IrBlock block in reversePostorder)
        {
            foreach (IrInstruction user in block.Instructions)
            {
                if (!_facts.IsLive(user))
                    continue;
                for (int index = 0; index < user.Operands.Length; index++)
                {
                    IrInstruction operand = _facts.Resolve(user.Operands[index]);
                    if (IsCandidate(operand) && WantsWhole(user, index))
                        Count(operand, user.Opcode == IrOpcode.Phi ? block.Predecessors[index] : block);
                }
            }
        }
    }

    private static bool IsCandidate(IrInstruction value) => value.Opcode is IrOpcode.Phi or IrOpcode.ZeroExtend;

    private void Count(IrInstruction value, IrBlock block)
    {
        if (_lastUser[value.Id] == block.Id)
            return;
        _lastUser[value.Id] = block.Id;
        _wholeUses[value.Id] += Cost(block);
    }

    /// <summary>The cost of one more instruction in a block: what it takes to run it, and a little for its size.</summary>
    private float Cost(IrBlock block) => _frequencies[block.Id] + SizeCost;

    private void EstimateFrequencies(IrBlock[] reversePostorder, LoopNest loops)
    {
        foreach (IrBlock block in reversePostorder)
        {
            int depth = loops.Depth(block);
            if (depth == 0 || _frequencies[block.Id] == 0 || loops.Header(block) is null || loops.Depth(loops.Header(block)!) < depth)
                _frequencies[block.Id] = BlockLayout.LoopFrequency(depth);
            int staying = 0;
            foreach (IrBlock successor in block.Successors)
                staying += loops.Depth(successor) >= depth ? 1 : 0;
            foreach (IrBlock successor in block.Successors)
            {
                if (loops.Depth(successor) >= depth)
                    _frequencies[successor.Id] += _frequencies[block.Id] / staying;
            }
        }
    }

    /// <summary>Takes back the choice where it costs more than it saves; true if it did so anywhere.</summary>
    private bool Choose(IrBlock[] reversePostorder)
    {
        bool changed = false;
        foreach (IrBlock block in reversePostorder)
        {
            foreach (IrInstruction value in block.Instructions)
            {
                if (!_isWord[value.Id] || _wholeUses[value.Id] < Saved(value, block))
                    continue;
                _isWord[value.Id] = false;
                changed = true;
            }
        }

        return changed;
    }

    /// <summary>How often the value would be extended where it is made.</summary>
    private float Saved(IrInstruction value, IrBlock block)
    {
        if (value.Opcode != IrOpcode.Phi)
            return Cost(block);
        float saved = 0;
        for (int index = 0; index < value.Operands.Length; index++)
        {
            IrInstruction operand = _facts.Resolve(value.Operands[index]);
            if (IsCheaperSignExtended(operand))
                saved += Cost(block.Predecessors[index]);
            else if (operand != value && IsCandidate(operand) && _isWord[operand.Id])
                saved += Cost(operand.Opcode == IrOpcode.Phi ? block.Predecessors[index] : operand.Block!);
        }

        return saved;
    }

    /// <summary>The rule for an operation looks at more than the low half of an operand (an estimate: no rule relies on it).</summary>
    private bool WantsWhole(IrInstruction user, int index) => user.Opcode switch
    {
        IrOpcode.Phi => !_isWord[user.Id],
        IrOpcode.ZeroExtend or IrOpcode.SignExtend => user.Width > 32,
        IrOpcode.ByteSwap or IrOpcode.AtomicReadModifyWrite or IrOpcode.AtomicCompareExchange => index == 0 || user.Width == 64,
        IrOpcode.Store => index == 0 || user.Width == 64,
        IrOpcode.Branch => WantsWholeComparison(user, index),
        IrOpcode.Select => index > 1 || WantsWholeComparison(user, index),
        IrOpcode.Add or IrOpcode.Subtract or IrOpcode.Multiply or IrOpcode.Negate or IrOpcode.UnsignedDivide or IrOpcode.UnsignedRemainder
            or IrOpcode.SignedDivide or IrOpcode.SignedRemainder or IrOpcode.MultiplyHighUnsigned or IrOpcode.MultiplyHighSigned
            or IrOpcode.RotateLeft => user.Width == 64,
        IrOpcode.ShiftLeft or IrOpcode.ShiftRightLogical =>
            user.Width == 64 && (index == 1 || !ValueFacts.TryConstant(user.Operands[1], out _)),
        IrOpcode.ShiftRightArithmetic => user.Width == 64,
        IrOpcode.And => !IsMask(user),
        IrOpcode.Or or IrOpcode.Xor or IrOpcode.Load or IrOpcode.CallExtern or IrOpcode.CallLocal or IrOpcode.CallIndirect
            or IrOpcode.TailCall or IrOpcode.Jump or IrOpcode.Return or IrOpcode.Unreachable => true,
        IrOpcode.Constant or IrOpcode.Undefined or IrOpcode.Argument or IrOpcode.StackAddress or IrOpcode.SymbolAddress => false,
    };

    private bool WantsWholeComparison(IrInstruction user, int index)
    {
        if (user.CompareWidth == 32)
            return false;
        IrInstruction other = user.Operands[1 - index];
        return ValueFacts.TryConstant(other, out long constant) ? constant != (uint)constant : _facts.Bits(other) > 32;
    }

    private static bool IsMask(IrInstruction and)
    {
        int index = ValueFacts.ImmediateOperand(and);
        return index >= 0 && ValueFacts.TryConstant(and.Operands[index], out long mask)
            && RotateMask.TryRun((ulong)mask & uint.MaxValue, out _, out _);
    }
}
