using BpfPpcc.Ir;
using BpfPpcc.Symbols;

namespace BpfPpcc.Optimization;

/// <summary>Bytes of the BPF stack that are only accessed together, and all accesses to them.</summary>
internal sealed record StackSlot(long Offset, int Bytes, List<IrInstruction> Accesses);

/// <summary>Divides the BPF stack of a function into slots.</summary>
internal static class StackSlots
{
    /// <summary>The slots that no other code can reach, by ascending offset.</summary>
    public static List<StackSlot> Find(IrFunction function, SymbolTable symbols)
    {
        var accesses = new List<IrInstruction>();
        long reachableFrom = Scan(function, symbols, accesses);
        accesses.Sort(static (a, b) => (Offset(a), a.Id).CompareTo((Offset(b), b.Id)));

        var slots = new List<StackSlot>();
        for (int first = 0; first < accesses.Count;)
        {
            long end = Offset(accesses[first]) + Bytes(accesses[first]);
            int next = first + 1;
            while (next < accesses.Count && Offset(accesses[next]) < end)
                end = Math.Max(end, Offset(accesses[next]) + Bytes(accesses[next++]));
            if (end <= reachableFrom && IsSlot(accesses, first, next))
                slots.Add(new StackSlot(Offset(accesses[first]), Bytes(accesses[first]), accesses.GetRange(first, next - first)));
            first = next;
        }

        return slots;
    }

    /// <summary>Collects the accesses; gives the offset from which on others may reach the stack. Above r10 it is not this function's.</summary>
    private static long Scan(IrFunction function, SymbolTable symbols, List<IrInstruction> accesses)
    {
        bool hasFunctionPointers = StackExtent.HasFunctionPointers(symbols);
        long reachableFrom = 0;
        foreach (IrBlock block in function.Blocks)
        {
            foreach (IrInstruction instruction in block.Instructions)
            {
                for (int i = 0; i < instruction.Operands.Length; i++)
                {
                    IrInstruction operand = instruction.Operands[i];
                    if (operand.Opcode != IrOpcode.StackAddress)
                        continue;
                    switch (StackExtent.UseOf(instruction, i, symbols, hasFunctionPointers))
                    {
                        case StackUse.Access:
                            accesses.Add(instruction);
                            break;
                        case StackUse.Object:
                            reachableFrom = Math.Min(reachableFrom, operand.Immediate);
                            break;
                        case StackUse.Anywhere:
                            reachableFrom = long.MinValue;
                            break;
                        case StackUse.None:
                            break;
                    }
                }
            }
        }

        return reachableFrom;
    }

    /// <summary>The accesses are plain loads and stores of the same bytes.</summary>
    private static bool IsSlot(List<IrInstruction> accesses, int first, int end)
    {
        for (int i = first; i < end; i++)
        {
            IrInstruction access = accesses[i];
            if (access.Opcode is not (IrOpcode.Load or IrOpcode.Store) || access.IsOrdered
                || Offset(access) != Offset(accesses[first]) || access.Width != accesses[first].Width)
            {
                return false;
            }
        }

        return true;
    }

    private static long Offset(IrInstruction access) => unchecked(access.Operands[0].Immediate + access.Immediate);

    private static int Bytes(IrInstruction access) => access.Width / 8;
}
