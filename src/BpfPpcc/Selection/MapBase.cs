using BpfPpcc.Ir;
using BpfPpcc.Ppc64;
using BpfPpcc.Symbols;

namespace BpfPpcc.Selection;

/// <summary>
/// A register that holds the address of one map descriptor, from which a function with many references to maps reaches all of them by one
/// addi, or by the displacement of an access, instead of an addis and an addi to the TOC pointer for each.
/// </summary>
/// <param name="Anchor">The map whose address is in the register.</param>
/// <param name="Block">The machine block in which the register is set; it dominates all references.</param>
internal sealed record MapBase(SymbolId Anchor, int Block)
{
    /// <summary>With fewer references the register's own two instructions, its save and its restore cost what it gains.</summary>
    private const int FewestReferences = 6;

    /// <summary>The base that pays for the function, or null.</summary>
    public static MapBase? Choose(IrFunction function, IrModule module, DominatorTree dominators, LoopNest loops, BlockLayout layout)
    {
        if (module.MapOffsets.IsEmpty)
            return null;
        IrBlock? common = null;
        SymbolId anchor = SymbolId.None;
        int references = 0;
        var seen = new HashSet<(SymbolId, IrBlock)>();
        foreach (IrBlock block in dominators.ReversePostorder)
        {
            foreach (IrInstruction user in block.Instructions)
            {
                for (int i = 0; i < user.Operands.Length; i++)
                {
                    IrInstruction operand = user.Operands[i];
                    if (operand.Opcode != IrOpcode.SymbolAddress || !module.MapOffsets.ContainsKey(operand.Symbol))
                        continue;
                    IrBlock place = user.Opcode == IrOpcode.Phi ? block.Predecessors[i] : block;
                    if (!dominators.IsReachable(place) || !seen.Add((operand.Symbol, place)))
                        continue;
                    references++;
                    anchor = anchor.IsNone ? operand.Symbol : anchor;
                    common = common is null ? place : CommonDominator(common, place, dominators);
                }
            }
        }

        return references < FewestReferences ? null : new MapBase(anchor, layout.FirstBlockOf(OutsideOfLoops(common!, dominators, loops)));
    }

    /// <summary>What is added to the base for the address of a map plus <paramref name="offset"/>; false if that is out of reach.</summary>
    public bool TryDistance(IrModule module, SymbolId symbol, long offset, out long distance)
    {
        distance = 0;
        if (!module.MapOffsets.TryGetValue(symbol, out long place))
            return false;
        distance = unchecked(place + offset - module.MapOffsets[Anchor]);
        return Ppc64Fields.FitsSI16(distance);
    }

    private static IrBlock OutsideOfLoops(IrBlock block, DominatorTree dominators, LoopNest loops)
    {
        if (loops.Depth(block) == 0)
            return block;
        while (loops.Header(block) is { } header)
            block = header;
        return dominators.ImmediateDominator(block)!;
    }

    private static IrBlock CommonDominator(IrBlock left, IrBlock right, DominatorTree dominators)
    {
        while (!dominators.Dominates(left, right))
            left = dominators.ImmediateDominator(left)!;
        return left;
    }
}
