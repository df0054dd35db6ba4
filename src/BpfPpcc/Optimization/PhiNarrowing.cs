using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>
/// Zero extensions behind phis rather than before them:
/// <code>
/// b1: p = phi.64 7 (b0), e (b1)           b1: p = phi.32 7 (b0), x (b1)
///     ...                            =>       q = zext.32 p           for those who want 64 bits; often nobody in the loop does
///     e = zext.32 x                           ...
/// </code>
/// Phis are taken together: each operand is an extended word, a constant that fits, or another of them, so that the upper half of all is 0.
/// </summary>
/// <remarks>An extension that stands in fewer loops than the phi stays there.</remarks>
public static class PhiNarrowing
{
    public static void Run(IrFunction function, IrModule module)
    {
        List<IrInstruction> phis = Candidates(function);
        if (phis.Count == 0)
            return;
        var dominators = new DominatorTree(function);
        var loops = new LoopNest(function, dominators);
        var isNarrow = new bool[function.InstructionCount];
        foreach (IrInstruction phi in phis)
            isNarrow[phi.Id] = true;
        StrikeOff(phis, isNarrow, loops);
        phis.RemoveAll(phi => !isNarrow[phi.Id]);
        StrikeOffWithoutExtension(phis, isNarrow);
        phis.RemoveAll(phi => !isNarrow[phi.Id]);
        if (phis.Count > 0)
            Narrow(function, phis, isNarrow);
    }

    private static List<IrInstruction> Candidates(IrFunction function)
    {
        var phis = new List<IrInstruction>();
        bool hasExtension = false;
        foreach (IrBlock block in function.Blocks)
        {
            foreach (IrInstruction instruction in block.Instructions)
            {
                if (instruction.Opcode != IrOpcode.Phi)
                    break;
                if (instruction.Width != 64)
                    continue;
                phis.Add(instruction);
                foreach (IrInstruction operand in instruction.Operands)
                    hasExtension |= IsExtension(operand);
            }
        }

        if (!hasExtension)
            phis.Clear();
        return phis;
    }

    private static bool IsExtension(IrInstruction value) => value is { Opcode: IrOpcode.ZeroExtend, Width: 32 };

    /// <summary>What is no word, and then what depends on it.</summary>
    private static void StrikeOff(List<IrInstruction> phis, bool[] isNarrow, LoopNest loops)
    {
        bool changed = true;
        while (changed)
        {
            changed = false;
            foreach (IrInstruction phi in phis)
            {
                if (!isNarrow[phi.Id] || HasWordsOnly(phi, isNarrow, loops))
                    continue;
                isNarrow[phi.Id] = false;
                changed = true;
            }
        }
    }

    private static bool HasWordsOnly(IrInstruction phi, bool[] isNarrow, LoopNest loops)
    {
        foreach (IrInstruction operand in phi.Operands)
        {
            if (!isNarrow[operand.Id] && !IsWord(operand, phi, loops))
                return false;
        }

        return true;
    }

    private static bool IsWord(IrInstruction value, IrInstruction phi, LoopNest loops) => value.Opcode switch
    {
        IrOpcode.Constant => value.Immediate is >= 0 and <= uint.MaxValue,
        IrOpcode.ZeroExtend => value.Width < 32 || loops.Depth(value.Block!) >= loops.Depth(phi.Block!),
        IrOpcode.Load => value.Width <= 32 && !value.IsSigned,
        IrOpcode.ByteSwap => value.Width <= 32,
        _ => false,
    };

    /// <summary>Phis that no extension goes into, not even through others, would gain nothing.</summary>
    private static void StrikeOffWithoutExtension(List<IrInstruction> phis, bool[] isNarrow)
    {
        var gains = new bool[isNarrow.Length];
        bool changed = true;
        while (changed)
        {
            changed = false;
            foreach (IrInstruction phi in phis)
            {
                if (gains[phi.Id])
                    continue;
                foreach (IrInstruction operand in phi.Operands)
                    gains[phi.Id] |= gains[operand.Id] || IsExtension(operand);
                changed |= gains[phi.Id];
            }
        }

        foreach (IrInstruction phi in phis)
            isNarrow[phi.Id] = gains[phi.Id];
    }

    private static void Narrow(IrFunction function, List<IrInstruction> phis, bool[] isNarrow)
    {
        var extended = new IrInstruction?[isNarrow.Length];
        foreach (IrInstruction phi in phis)
        {
            phi.Width = 32;
            for (int i = 0; i < phi.Operands.Length; i++)
            {
                if (IsExtension(phi.Operands[i]))
                    phi.Operands[i] = phi.Operands[i].Operands[0];
            }
        }

        foreach (IrBlock block in function.Blocks)
        {
            foreach (IrInstruction user in block.Instructions)
            {
                for (int i = 0; i < user.Operands.Length; i++)
                {
                    IrInstruction operand = user.Operands[i];
                    if (operand.Id < isNarrow.Length && isNarrow[operand.Id] && IrRules.OperandBits(user, i) > 32)
                        user.Operands[i] = extended[operand.Id] ??= Extension(operand, function);
                }
            }
        }

        foreach (IrInstruction phi in phis)
        {
            if (extended[phi.Id] is { } extension)
                phi.Block!.Instructions.Insert(phi.Block.Instructions.FindIndex(static i => i.Opcode != IrOpcode.Phi), extension);
        }
    }

    private static IrInstruction Extension(IrInstruction phi, IrFunction function)
    {
        IrInstruction extension = function.NewInstruction(IrOpcode.ZeroExtend);
        extension.Width = 32;
        extension.Operands = [phi];
        extension.Position = phi.Position;
        extension.Block = phi.Block;
        return extension;
    }
}
