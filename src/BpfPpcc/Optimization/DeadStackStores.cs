using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>
/// Removes stores to the BPF stack that nobody reads before the bytes are written again or the function ends, and makes one store of two that
/// put constants side by side.
/// </summary>
public static class DeadStackStores
{
    public static void Run(IrFunction function, IrModule module)
    {
        if (StackMemory.Find(function, module.Symbols) is not { } memory)
            return;
        new Removal(function, memory).Run();
        var leaves = new IrLeaves(function);
        var constants = new ConstantStores(function, memory, leaves);
        foreach (IrBlock block in function.Blocks)
            constants.Merge(block);
        leaves.Commit();
    }

    /// <summary>The usual backward analysis, by bytes.</summary>
    private sealed class Removal(IrFunction function, StackMemory memory)
    {
        private readonly int _words = (memory.Bytes + 63) / 64;
        private readonly ulong[]?[] _live = new ulong[function.BlockCount][];

        public void Run()
        {
            IrBlock[] order = new DepthFirstWalk(function).ReversePostorder;
            bool hasChanged;
            do
            {
                hasChanged = false;
                for (int i = order.Length - 1; i >= 0; i--)
                    hasChanged |= Update(order[i]);
            }
            while (hasChanged);

            foreach (IrBlock block in order)
            {
                ulong[] live = AtEnd(block);
                for (int i = block.Instructions.Count - 1; i >= 0; i--)
                    Step(block.Instructions[i], live, removes: true);
                block.Instructions.RemoveAll(static instruction => instruction.Block == null);
            }
        }

        private bool Update(IrBlock block)
        {
            ulong[] live = AtEnd(block);
            for (int i = block.Instructions.Count - 1; i >= 0; i--)
                Step(block.Instructions[i], live, removes: false);
            ulong[]? before = _live[block.Id];
            _live[block.Id] = live;
            return before is null || !before.AsSpan().SequenceEqual(live);
        }

        /// <summary>Behind a return nothing is read.</summary>
        private ulong[] AtEnd(IrBlock block)
        {
            var live = new ulong[_words];
            foreach (IrBlock successor in block.Successors)
            {
                if (_live[successor.Id] is not { } atStart)
                    continue;
                for (int word = 0; word < _words; word++)
                    live[word] |= atStart[word];
            }

            return live;
        }

        private void Step(IrInstruction instruction, ulong[] live, bool removes)
        {
            foreach (StackReference reference in memory.Of(instruction))
            {
                (int from, int to) = memory.Touched(reference);
                bool isPlainStore = instruction.Opcode == IrOpcode.Store && memory.IsPlain(instruction, reference);
                if (!isPlainStore)
                    Set(live, from, to);
                else if (removes && !IsAnyOf(live, from, to))
                    instruction.Block = null;
                else
                    Clear(live, from, to);
            }
        }

        private static void Set(ulong[] set, int from, int to)
        {
            for (int i = from; i < to; i++)
                set[i >> 6] |= 1UL << (i & 63);
        }

        private static void Clear(ulong[] set, int from, int to)
        {
            for (int i = from; i < to; i++)
                set[i >> 6] &= ~(1UL << (i & 63));
        }

        private static bool IsAnyOf(ulong[] set, int from, int to)
        {
            for (int i = from; i < to; i++)
            {
                if ((set[i >> 6] >> (i & 63) & 1) != 0)
                    return true;
            }

            return false;
        }
    }

    /// <summary>Stores of constants that nothing between them looks at.</summary>
    private sealed class ConstantStores(IrFunction function, StackMemory memory, IrLeaves leaves)
    {
        private readonly record struct Pending(IrInstruction Store, int From, int To);

        private readonly List<Pending> _pending = [];

        public void Merge(IrBlock block)
        {
            foreach (IrInstruction instruction in block.Instructions)
            {
                ReadOnlySpan<StackReference> references = memory.Of(instruction);
                foreach (StackReference reference in references)
                {
                    (int from, int to) = memory.Touched(reference);
                    _pending.RemoveAll(pending => pending.From < to && from < pending.To);
                }

                if (references.Length == 1 && instruction.Opcode == IrOpcode.Store && memory.IsPlain(instruction, references[0])
                    && instruction.Operands[1].Opcode == IrOpcode.Constant)
                {
                    (int from, int to) = memory.Touched(references[0]);
                    Add(new Pending(instruction, from, to));
                }
            }

            block.Instructions.RemoveAll(static instruction => instruction.Block == null);
            _pending.Clear();
        }

        /// <summary>Merges the store with its neighbours as long as that pays.</summary>
        private void Add(Pending store)
        {
            for (int i = _pending.Count - 1; i >= 0; i--)
            {
                if (!TryMerge(store, _pending[i], out Pending merged))
                    continue;
                _pending.RemoveAt(i);
                store = merged;
                i = _pending.Count;
            }

            _pending.Add(store);
        }

        private bool TryMerge(Pending store, Pending other, out Pending merged)
        {
            merged = default;
            int width = store.Store.Width;
            bool isAbove = other.From == store.To;
            IrInstruction address = store.Store.Operands[0];
            if (other.Store.Width != width || width == 64 || !(isAbove || other.To == store.From) || address.Opcode != IrOpcode.StackAddress)
                return false;
            long offset = store.Store.Immediate - (isAbove ? 0 : width / 8);
            ulong mask = ulong.MaxValue >> (64 - width);
            ulong own = (ulong)store.Store.Operands[1].Immediate & mask, others = (ulong)other.Store.Operands[1].Immediate & mask;
            bool isOwnLow = isAbove != function.IsBigEndian;
            ulong value = isOwnLow ? others << width | own : own << width | others;
            if (2 * width == 64 && !(IsCheap((long)value) && unchecked(address.Immediate + offset) % 4 == 0))
                return false;
            other.Store.Block = null;
            store.Store.Width = (byte)(2 * width);
            store.Store.Immediate = offset;
            store.Store.Operands = [address, leaves.Constant(2 * width == 64 ? (long)value : (int)value)];
            merged = new Pending(store.Store, Math.Min(store.From, other.From), Math.Max(store.To, other.To));
            return true;
        }

        /// <summary>One instruction makes it.</summary>
        private static bool IsCheap(long value) => value is >= short.MinValue and <= short.MaxValue || (value == (int)value && (value & 0xffff) == 0);
    }
}
