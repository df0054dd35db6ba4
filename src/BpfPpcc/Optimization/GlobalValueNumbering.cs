using System.Numerics;
using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>
/// Computes nothing twice: an operation whose twin stands on every path to it is replaced by the twin. Memory is not looked at.
/// </summary>
/// <remarks>
/// Blocks are visited in preorder of the dominator tree. One table serves all: a twin that does not dominate the block at hand never will
/// again in this order, and gives its place up.
/// </remarks>
public static class GlobalValueNumbering
{
    public static void Run(IrFunction function, IrModule module)
    {
        var dominators = new DominatorTree(function);
        var replacements = new IrReplacements(function);
        var leaders = new Dictionary<IrInstruction, IrInstruction>(SameOperation.Instance);
        foreach (IrBlock block in dominators.Preorder)
        {
            foreach (IrInstruction instruction in block.Instructions)
            {
                replacements.ResolveOperands(instruction);
                if (!IsPure(instruction))
                    continue;
                if (!leaders.TryGetValue(instruction, out IrInstruction? leader))
                {
                    leaders.Add(instruction, instruction);
                }
                else if (dominators.Dominates(leader.Block!, block))
                {
                    replacements.Replace(instruction, leader);
                }
                else
                {
                    leaders.Remove(leader);
                    leaders.Add(instruction, instruction);
                }
            }
        }

        replacements.Apply();
    }

    private static bool IsPure(IrInstruction instruction) => IrRules.IsArithmetic(instruction.Opcode) || IrRules.IsLeaf(instruction.Opcode)
        || instruction.Opcode is IrOpcode.Phi or IrOpcode.Select or IrOpcode.ZeroExtend or IrOpcode.SignExtend or IrOpcode.ByteSwap;

    /// <summary>Equal if they compute the same from the same operands; phis also need the same block.</summary>
    private sealed class SameOperation : IEqualityComparer<IrInstruction>
    {
        public static readonly SameOperation Instance = new();

        public bool Equals(IrInstruction? a, IrInstruction? b)
        {
            if (a == b)
                return true;
            if (a!.Opcode != b!.Opcode || a.Width != b.Width || a.CompareWidth != b.CompareWidth || a.Condition != b.Condition
                || a.Immediate != b.Immediate || a.Symbol != b.Symbol || a.Operands.Length != b.Operands.Length
                || (a.Opcode == IrOpcode.Phi && a.Block != b.Block))
            {
                return false;
            }

            for (int i = 0; i < a.Operands.Length; i++)
            {
                if (a.Operands[i] != b.Operands[i])
                    return false;
            }

            return true;
        }

        public int GetHashCode(IrInstruction instruction)
        {
            uint hash = ((uint)instruction.Opcode << 16) | ((uint)instruction.Width << 8) | (uint)instruction.Condition;
            hash = Mix(hash, (uint)instruction.Immediate);
            hash = Mix(hash, (uint)(instruction.Immediate >> 32));
            foreach (IrInstruction operand in instruction.Operands)
                hash = Mix(hash, (uint)operand.Id);
            return (int)hash;
        }

        /// <summary>Multiplicative hashing with the golden ratio (Knuth, The Art of Computer Programming, volume 3, 6.4).</summary>
        private static uint Mix(uint hash, uint value) => (BitOperations.RotateLeft(hash, 5) ^ value) * 0x9e3779b1;
    }
}
