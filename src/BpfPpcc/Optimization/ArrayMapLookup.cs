using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>
/// Looks elements of ARRAY maps up inline: bounds check, then the address from the descriptor's `values` (object-abi.md, Maps). Calls of
/// helper 1, map_lookup_elem, on a map known to bring its storage become
/// <code>
/// key = load.u32 [key address]; key u&lt; max_entries ? values + key * stride : 0
/// </code>
/// </summary>
public static class ArrayMapLookup
{
    private const int MapLookupElement = 1;
    private const string MapLookupName = "bpf_helper_map_lookup_elem";

    /// <summary>Offset of `values` in struct bpfppcc_map.</summary>
    private const int ValuesOffset = 88;

    public static void Run(IrFunction function, IrModule module)
    {
        if (module.ArrayMaps.IsEmpty)
            return;
        var builder = new IrBuilder(function);
        var replacements = new IrReplacements(function);
        IrBlock[] blocks = [.. function.Blocks];
        function.Blocks.Clear();
        foreach (IrBlock block in blocks)
        {
            function.Blocks.Add(block);
            if (HasLookup(block, module))
                Expand(block, builder, replacements, module);
        }

        builder.Leaves.Commit();
        replacements.Apply();
    }

    private static bool HasLookup(IrBlock block, IrModule module)
    {
        foreach (IrInstruction instruction in block.Instructions)
        {
            if (MapOf(instruction, module) != null)
                return true;
        }

        return false;
    }

    /// <summary>The map that the instruction looks up in, if it is such a call.</summary>
    private static IrArrayMap? MapOf(IrInstruction instruction, IrModule module)
    {
        if (instruction.Opcode != IrOpcode.CallExtern || module.Symbols[instruction.Symbol] is not { Index: MapLookupElement, Name: MapLookupName })
            return null;
        return instruction.Operands is [{ Opcode: IrOpcode.SymbolAddress, Immediate: 0 } map, _]
            && module.ArrayMaps.TryGetValue(map.Symbol, out IrArrayMap? array) ? array : null;
    }

    /// <summary>Deals the block's instructions out again: up to a lookup into one block, from there on into the next.</summary>
    private static void Expand(IrBlock block, IrBuilder builder, IrReplacements replacements, IrModule module)
    {
        IrInstruction[] instructions = [.. block.Instructions];
        IrBlock[] successors = [.. block.Successors];
        block.Instructions.Clear();
        builder.Block = block;
        foreach (IrInstruction instruction in instructions)
        {
            if (MapOf(instruction, module) is { } map)
            {
                builder.Position = instruction.Position;
                replacements.Replace(instruction, Lookup(builder, instruction, map));
                instruction.Block = null;
            }
            else
            {
                instruction.Block = builder.Block;
                builder.Block!.Instructions.Add(instruction);
            }
        }

        foreach (IrBlock successor in successors)
            IrEdges.ReplacePredecessor(successor, block, builder.Block!);
    }

    /// <summary>The value of the lookup; the builder goes on behind it.</summary>
    private static IrInstruction Lookup(IrBuilder builder, IrInstruction call, IrArrayMap map)
    {
        IrInstruction descriptor = call.Operands[0];
        IrInstruction key = builder.Load(32, call.Operands[1], 0);
        key.StackAccesses = call.StackAccesses;
        key.SparesCallers = call.SparesCallers;
        IrBlock found = builder.AppendBlock();
        IrBlock end = builder.AppendBlock();
        IrInstruction count = builder.Constant(map.MaxEntries);
        builder.Branch(IrCondition.UnsignedLess, 32, key, count, found, end);

        builder.Block = found;
        IrInstruction values = builder.Load(64, descriptor, ValuesOffset);
        IrInstruction offset = builder.Binary(IrOpcode.Multiply, 64, key, builder.Constant(map.Stride));
        IrInstruction element = builder.Binary(IrOpcode.Add, 64, values, offset);
        element.IsNotZero = true;
        builder.Jump(end);

        builder.Block = end;
        return builder.Phi(64, [builder.Constant(0), element]);
    }
}
