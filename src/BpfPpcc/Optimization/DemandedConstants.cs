using System.Numerics;
using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>
/// Constants lose the bits that nobody looks at: of <c>or x, 0xffff8000</c> of which only 16 bits are stored, 0x8000 remains, which is one
/// instruction and not two; what changes none of the bits that count goes.
/// </summary>
/// <remarks>Backward data flow from what has an effect: of each value, how many of its low bits can make a difference.</remarks>
public static class DemandedConstants
{
    public static void Run(IrFunction function, IrModule module)
    {
        byte[] demanded = Solve(function);
        var leaves = new IrLeaves(function);
        var replacements = new IrReplacements(function);
        foreach (IrBlock block in function.Blocks)
        {
            foreach (IrInstruction instruction in block.Instructions)
            {
                if (instruction.Operands is [var value, { Opcode: IrOpcode.Constant } constant] && demanded[instruction.Id] < instruction.Width
                    && value.Opcode != IrOpcode.Constant)
                {
                    Shrink(instruction, constant.Immediate, demanded[instruction.Id], leaves, replacements);
                }
            }
        }

        replacements.Apply();
        leaves.Commit();
    }

    /// <summary>By value: the number of low bits of which at least one matters.</summary>
    private static byte[] Solve(IrFunction function)
    {
        var demanded = new byte[function.InstructionCount];
        var work = new Stack<IrInstruction>();
        foreach (IrBlock block in function.Blocks)
        {
            foreach (IrInstruction instruction in block.Instructions)
            {
                if (instruction.HasSideEffect)
                    work.Push(instruction);
            }
        }

        while (work.TryPop(out IrInstruction? user))
        {
            for (int i = 0; i < user.Operands.Length; i++)
            {
                IrInstruction operand = user.Operands[i];
                // What is shifted out is computed all the same, and a load for it needs its address.
                int bits = Math.Max(1, DemandOf(user, i, demanded[user.Id]));
                if (bits <= demanded[operand.Id])
                    continue;
                demanded[operand.Id] = (byte)bits;
                work.Push(operand);
            }
        }

        return demanded;
    }

    /// <summary>How many low bits of an operand matter if <paramref name="bits"/> of the result do.</summary>
    private static int DemandOf(IrInstruction user, int operand, int bits)
    {
        int all = IrRules.OperandBits(user, operand);
        switch (user.Opcode)
        {
            case IrOpcode.Add or IrOpcode.Subtract or IrOpcode.Multiply or IrOpcode.Negate or IrOpcode.Or or IrOpcode.Xor or IrOpcode.Phi
                or IrOpcode.ZeroExtend:
                return Math.Min(all, bits);
            case IrOpcode.And:
                return Math.Min(Math.Min(all, bits), operand == 0 ? LengthOfMask(user) : 64);
            case IrOpcode.ShiftLeft when operand == 0 && user.Operands[1].Opcode == IrOpcode.Constant:
                return Math.Max(0, Math.Min(all, bits) - ((int)user.Operands[1].Immediate & (user.Width - 1)));
            case IrOpcode.ShiftRightLogical when operand == 0 && user.Operands[1].Opcode == IrOpcode.Constant:
                return Math.Min(all, bits + ((int)user.Operands[1].Immediate & (user.Width - 1)));
            case IrOpcode.Select when operand >= 2:
                return Math.Min(all, bits);
            default:
                return all;
        }
    }

    private static int LengthOfMask(IrInstruction and)
    {
        if (and.Operands[1].Opcode != IrOpcode.Constant)
            return 64;
        ulong mask = (ulong)and.Operands[1].Immediate;
        return 64 - BitOperations.LeadingZeroCount(and.Width == 32 ? (uint)mask : mask);
    }

    private static void Shrink(IrInstruction instruction, long constant, int bits, IrLeaves leaves, IrReplacements replacements)
    {
        if (bits == 0)
            return;
        long wanted = constant & (long)(ulong.MaxValue >> (64 - bits));
        long shrunk;
        switch (instruction.Opcode)
        {
            case IrOpcode.Or or IrOpcode.Xor:
                shrunk = wanted;
                break;
            case IrOpcode.And:
                shrunk = ConstantFolding.Canonical(wanted | ~(long)(ulong.MaxValue >> (64 - bits)), instruction.Width);
                if (shrunk != -1)
                    return;
                break;
            case IrOpcode.Add:
                shrunk = ConstantFolding.Canonical(wanted, bits);
                break;
            default:
                return;
        }

        bool isIdle = instruction.Opcode == IrOpcode.And ? shrunk == -1 : shrunk == 0;
        IrInstruction value = instruction.Operands[0];
        if (isIdle && value.Type == instruction.Type && !replacements.IsReplaced(value))
            replacements.Replace(instruction, value);
        else if (!isIdle && IsImmediate(instruction.Opcode, shrunk) && !IsImmediate(instruction.Opcode, constant))
            instruction.Operands[1] = leaves.Constant(shrunk);
    }

    /// <summary>It takes no instruction of its own; logical operations take halfwords without a sign.</summary>
    private static bool IsImmediate(IrOpcode opcode, long constant) => opcode == IrOpcode.Add
        ? constant is >= short.MinValue and <= short.MaxValue
        : constant is >= 0 and <= ushort.MaxValue;
}
