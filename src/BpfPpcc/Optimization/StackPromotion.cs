using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>
/// BPF stack slots that only this function's loads and stores touch become values. A slot is a run of bytes that is always accessed whole;
/// bytes that are accessed in several ways, or by atomics, stay in memory.
/// </summary>
/// <remarks>
/// What an address that leaves the function's own loads and stores may reach is said by <see cref="StackUse"/>: an object handed to C code
/// holds all bytes from its address upwards (where it ends is not known), any other use holds the whole frame. That is sound without
/// verification, too: clang puts spilled registers below the objects whose addresses are taken, so they are promoted nevertheless.
/// </remarks>
public static class StackPromotion
{
    public static void Run(IrFunction function, IrModule module)
    {
        List<StackSlot> slots = StackSlots.Find(function, module.Symbols);
        if (slots.Count == 0)
            return;

        var promotion = new Promotion(function, slots);
        promotion.Run();
    }

    private sealed class Promotion
    {
        private readonly IrFunction _function;
        private readonly IrLeaves _leaves;
        private readonly IrReplacements _replacements;
        private readonly SsaConstruction _variables;
        private readonly int _words;

        /// <summary>By instruction: the number of the slot that it accesses, or -1.</summary>
        private readonly int[] _slotOf;

        public Promotion(IrFunction function, List<StackSlot> slots)
        {
            _function = function;
            _leaves = new IrLeaves(function);
            _replacements = new IrReplacements(function);
            _words = (slots.Count + 63) / 64;
            _slotOf = new int[function.InstructionCount];
            Array.Fill(_slotOf, -1);
            var widths = new byte[slots.Count];
            for (int slot = 0; slot < slots.Count; slot++)
            {
                widths[slot] = (byte)Math.Max(32, 8 * slots[slot].Bytes);
                foreach (IrInstruction access in slots[slot].Accesses)
                    _slotOf[access.Id] = slot;
            }

            _variables = new SsaConstruction(function, _leaves, widths);
        }

        public void Run()
        {
            IrBlock[] order = new DominatorTree(_function).ReversePostorder;
            ulong[][] live = SolveLiveness(order);
            var isLeft = new bool[_function.BlockCount];
            foreach (IrBlock block in order)
            {
                _variables.Enter(block, live[block.Id], block.Predecessors.TrueForAll(predecessor => isLeft[predecessor.Id]));
                PromoteAccesses(block);
                _variables.Leave(block);
                isLeft[block.Id] = true;
            }

            _replacements.Apply();
            _variables.Complete();
            _leaves.Commit();
        }

        /// <summary>By block: the slots that may be read before they are written from its start on. Backwards until nothing changes.</summary>
        private ulong[][] SolveLiveness(IrBlock[] order)
        {
            var live = new ulong[_function.BlockCount][];
            var writes = new ulong[_function.BlockCount][];
            foreach (IrBlock block in order)
            {
                live[block.Id] = new ulong[_words];
                writes[block.Id] = new ulong[_words];
                Summarize(block, live[block.Id], writes[block.Id]);
            }

            bool changed;
            do
            {
                changed = false;
                for (int i = order.Length - 1; i >= 0; i--)
                    changed |= Propagate(order[i], live, writes[order[i].Id]);
            }
            while (changed);

            return live;
        }

        private void Summarize(IrBlock block, ulong[] reads, ulong[] writes)
        {
            foreach (IrInstruction instruction in block.Instructions)
            {
                int slot = SlotOf(instruction);
                if (slot < 0)
                    continue;
                ulong bit = 1UL << (slot & 63);
                if (instruction.Opcode == IrOpcode.Store)
                    writes[slot >> 6] |= bit;
                else
                    reads[slot >> 6] |= bit & ~writes[slot >> 6];
            }
        }

        private bool Propagate(IrBlock block, ulong[][] live, ulong[] writes)
        {
            bool changed = false;
            ulong[] atEntry = live[block.Id];
            foreach (IrBlock successor in block.Successors)
            {
                for (int word = 0; word < _words; word++)
                {
                    ulong added = live[successor.Id][word] & ~writes[word] & ~atEntry[word];
                    atEntry[word] |= added;
                    changed |= added != 0;
                }
            }

            return changed;
        }

        private void PromoteAccesses(IrBlock block)
        {
            List<IrInstruction> instructions = block.Instructions;
            int kept = 0;
            for (int i = 0; i < instructions.Count; i++)
            {
                IrInstruction instruction = instructions[i];
                int slot = SlotOf(instruction);
                if (slot >= 0 && Promote(instruction, slot))
                    instruction.Block = null;
                else
                    instructions[kept++] = instruction;
            }

            instructions.RemoveRange(kept, instructions.Count - kept);
        }

        /// <summary>True if the access is gone; narrow loads stay as the extension that they also are.</summary>
        private bool Promote(IrInstruction access, int slot)
        {
            if (access.Opcode == IrOpcode.Store)
            {
                _variables[slot] = _replacements.Resolve(access.Operands[1]);
                return true;
            }

            if (access.Width == 64)
            {
                _replacements.Replace(access, _variables[slot]);
                return true;
            }

            access.Opcode = access.IsSigned ? IrOpcode.SignExtend : IrOpcode.ZeroExtend;
            access.Operands = [_variables[slot]];
            access.Immediate = 0;
            access.IsSigned = false;
            return false;
        }

        private int SlotOf(IrInstruction instruction) => instruction.Id < _slotOf.Length ? _slotOf[instruction.Id] : -1;
    }
}
