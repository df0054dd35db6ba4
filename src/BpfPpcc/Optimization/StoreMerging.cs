using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>
/// Narrow stores side by side become one store, where what they store is constant or was loaded side by side in the same order:
/// <code>
/// store.8 [p], 2; store.8 [p + 1], 0                             =  store.16 [p], 2       little-endian
/// store.8 [p], load.u8 [q]; store.8 [p + 1], load.u8 [q + 1]     =  store.16 [p], load.u16 [q]
/// </code>
/// All stand in one block, and the wide ones in the place of the last. What lies between them accesses memory, if at all, by the same
/// pointer and elsewhere: of other pointers nobody knows here where they lead.
/// </summary>
public static class StoreMerging
{
    /// <summary>Stores looked back at, so that long blocks stay linear.</summary>
    private const int MostPending = 16;

    public static void Run(IrFunction function, IrModule module)
    {
        var leaves = new IrLeaves(function);
        var merging = new Merging(function, leaves);
        foreach (IrBlock block in function.Blocks)
            merging.Run(block);
        leaves.Commit();
    }

    private sealed class Merging(IrFunction function, IrLeaves leaves)
    {
        private readonly int[] _uses = UseCounts.Of(function);

        /// <summary>By value: the run of accesses by one pointer that a load belongs to, and its place in the block.</summary>
        private readonly int[] _run = new int[function.InstructionCount];
        private readonly int[] _order = new int[function.InstructionCount];

        /// <summary>Stores of the run, all of which may as well happen now.</summary>
        private readonly List<IrInstruction> _pending = [];

        /// <summary>All bytes that the run has stored to.</summary>
        private readonly List<(long From, long To)> _stored = [];
        private IrInstruction? _pointer;
        private int _lastRun;

        public void Run(IrBlock block)
        {
            bool hasRemoved = false;
            EndRun(null);
            for (int i = 0; i < block.Instructions.Count; i++)
            {
                IrInstruction instruction = block.Instructions[i];
                if (instruction.Opcode is not (IrOpcode.Load or IrOpcode.Store))
                {
                    if (instruction.HasSideEffect)
                        EndRun(null);
                    continue;
                }

                if (instruction.IsOrdered || instruction.Operands[0] != _pointer)
                    EndRun(instruction.IsOrdered ? null : instruction.Operands[0]);
                if (_pointer is null)
                    continue;
                _order[instruction.Id] = i;
                _run[instruction.Id] = _lastRun;
                _pending.RemoveAll(pending => Overlap(pending, instruction));
                if (instruction.Opcode == IrOpcode.Store)
                    hasRemoved |= Add(instruction);
            }

            if (hasRemoved)
                block.Instructions.RemoveAll(static instruction => instruction.Block is null);
        }

        private void EndRun(IrInstruction? pointer)
        {
            _pointer = pointer;
            _lastRun++;
            _pending.Clear();
            _stored.Clear();
        }

        /// <summary>Merges the store with its neighbours as long as there are some; true if an instruction went.</summary>
        private bool Add(IrInstruction store)
        {
            if (_stored.Count == MostPending)
                EndRun(_pointer);
            _stored.Add((store.Immediate, End(store)));
            bool hasMerged = false;
            for (int i = _pending.Count - 1; i >= 0; i--)
            {
                if (!TryMerge(store, _pending[i]))
                    continue;
                _pending.RemoveAt(i);
                hasMerged = true;
                i = _pending.Count;
            }

            _pending.Add(store);
            return hasMerged;
        }

        private bool TryMerge(IrInstruction store, IrInstruction other)
        {
            int width = store.Width;
            if (other.Width != width || width == 64 || !HaveSameAccesses(store, other))
                return false;
            bool isAbove = other.Immediate == End(store);
            if (!isAbove && End(other) != store.Immediate)
                return false;
            if (!TryMergeConstants(store, other, isAbove) && !TryMergeLoads(store, other))
                return false;
            store.Immediate = Math.Min(store.Immediate, other.Immediate);
            store.Width = (byte)(2 * width);
            other.Block = null;
            return true;
        }

        private bool TryMergeConstants(IrInstruction store, IrInstruction other, bool isAbove)
        {
            if (store.Operands[1].Opcode != IrOpcode.Constant || other.Operands[1].Opcode != IrOpcode.Constant)
                return false;
            int width = store.Width;
            ulong mask = ulong.MaxValue >> (64 - width);
            ulong own = (ulong)store.Operands[1].Immediate & mask, others = (ulong)other.Operands[1].Immediate & mask;
            ulong value = isAbove != function.IsBigEndian ? others << width | own : own << width | others;
            if (2 * width == 64 && !(IsCheap((long)value) && Math.Min(store.Immediate, other.Immediate) % 4 == 0))
                return false;
            store.Operands = [store.Operands[0], leaves.Constant(ConstantFolding.Canonical((long)value, 2 * width))];
            return true;
        }

        /// <summary>One instruction makes it.</summary>
        private static bool IsCheap(long value) =>
            value is >= short.MinValue and <= short.MaxValue || (value == (int)value && (value & 0xffff) == 0);

        private bool TryMergeLoads(IrInstruction store, IrInstruction other)
        {
            IrInstruction own = store.Operands[1];
            IrInstruction others = other.Operands[1];
            if (!CanMove(own, store) || !CanMove(others, store) || own == others || !HaveSameAccesses(own, others)
                || others.Immediate - own.Immediate != other.Immediate - store.Immediate
                || (2 * store.Width == 64 && Math.Min(own.Immediate, others.Immediate) % 4 != 0)
                || (2 * store.Width == 64 && Math.Min(store.Immediate, other.Immediate) % 4 != 0))
            {
                return false;
            }

            IrInstruction last = _order[own.Id] > _order[others.Id] ? own : others;
            IrInstruction first = last == own ? others : own;
            last.Immediate = Math.Min(own.Immediate, others.Immediate);
            last.Width = (byte)(2 * store.Width);
            last.IsSigned = false;
            last.IsNotZero = false;
            first.Block = null;
            store.Operands = [store.Operands[0], last];
            return true;
        }

        /// <summary>A load for this only, from bytes that nothing has stored to since.</summary>
        private bool CanMove(IrInstruction load, IrInstruction store)
        {
            if (load.Opcode != IrOpcode.Load || load.Width != store.Width || _run[load.Id] != _lastRun || _uses[load.Id] != 1)
                return false;
            foreach ((long from, long to) in _stored)
            {
                if (from < End(load) && load.Immediate < to)
                    return false;
            }

            return true;
        }

        /// <summary>Neither of them touches the stack, or it is not known of either.</summary>
        private static bool HaveSameAccesses(IrInstruction left, IrInstruction right) => left.StackAccesses.IsDefault
            ? right.StackAccesses.IsDefault
            : left.StackAccesses.IsEmpty && !right.StackAccesses.IsDefault && right.StackAccesses.IsEmpty;

        private static bool Overlap(IrInstruction left, IrInstruction right) =>
            left.Immediate < End(right) && right.Immediate < End(left);

        private static long End(IrInstruction access) => access.Immediate + access.Width / 8;
    }
}
