using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>
/// BPF stack slots that only this function's loads and stores touch become values. Where accesses of several widths overlap, each piece that
/// they cut the slot into becomes one: a store takes its value apart and a load puts it together. Bytes that are accessed in many ways, or
/// by atomics, stay in memory.
/// </summary>
/// <remarks>
/// What an address that leaves the function's own loads and stores may reach is said by <see cref="StackUse"/>: an object handed to C code
/// holds all bytes from its address upwards (where it ends is not known), an address plus a bounded index reaches as far as the bound, any
/// other use holds the whole frame. That is sound without verification, too: clang puts spilled registers below the objects whose addresses
/// are taken, so they are promoted nevertheless.
/// </remarks>
public static class StackPromotion
{
    public static void Run(IrFunction function, IrModule module)
    {
        StackSlots slots = StackSlots.Find(function, module.Symbols);
        if (slots.Accesses.Count > 0)
            new Promotion(function, slots).Run();
    }

    private sealed class Promotion
    {
        private readonly IrFunction _function;
        private readonly StackSlots _slots;
        private readonly IrLeaves _leaves;
        private readonly IrReplacements _replacements;
        private readonly SsaConstruction _variables;
        private readonly int _words;

        /// <summary>By instruction: the number of the access that it is, or -1.</summary>
        private readonly int[] _accessOf;

        /// <summary>What stands before the instruction at hand in the block under work.</summary>
        private readonly List<IrInstruction> _done = [];

        public Promotion(IrFunction function, StackSlots slots)
        {
            _function = function;
            _slots = slots;
            _leaves = new IrLeaves(function);
            _replacements = new IrReplacements(function);
            _words = (slots.Pieces.Count + 63) / 64;
            _accessOf = new int[function.InstructionCount];
            Array.Fill(_accessOf, -1);
            for (int access = 0; access < slots.Accesses.Count; access++)
                _accessOf[slots.Accesses[access].Instruction.Id] = access;
            var widths = new byte[slots.Pieces.Count];
            for (int piece = 0; piece < widths.Length; piece++)
                widths[piece] = slots.Pieces[piece].Bytes <= 4 ? (byte)32 : (byte)64;
            _variables = new SsaConstruction(function, _leaves, widths);
        }

        public void Run()
        {
            IrBlock[] order = new DepthFirstWalk(_function).ReversePostorder;
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

        /// <summary>By block: the pieces that may be read before they are written, from its start on.</summary>
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
                int number = AccessOf(instruction);
                if (number < 0)
                    continue;
                StackAccess access = _slots.Accesses[number];
                for (int piece = access.FirstPiece; piece < access.FirstPiece + access.Pieces; piece++)
                {
                    ulong bit = 1UL << (piece & 63);
                    if (instruction.Opcode == IrOpcode.Store)
                        writes[piece >> 6] |= bit;
                    else
                        reads[piece >> 6] |= bit & ~writes[piece >> 6];
                }
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
            _done.Clear();
            foreach (IrInstruction instruction in block.Instructions)
            {
                int number = AccessOf(instruction);
                if (number < 0)
                    _done.Add(instruction);
                else if (instruction.Opcode == IrOpcode.Store)
                    PromoteStore(instruction, _slots.Accesses[number], block);
                else
                    PromoteLoad(instruction, _slots.Accesses[number], block);
            }

            block.Instructions.Clear();
            block.Instructions.AddRange(_done);
        }

        private void PromoteStore(IrInstruction store, StackAccess access, IrBlock block)
        {
            IrInstruction value = _replacements.Resolve(store.Operands[1]);
            store.Block = null;
            for (int piece = access.FirstPiece; piece < access.FirstPiece + access.Pieces; piece++)
            {
                int position = PositionOf(piece, access);
                int width = store.Width == 64 ? 64 : 32;
                _variables[piece] = position == 0 ? value
                    : Add(IrOpcode.ShiftRightLogical, width, [value, _leaves.Constant(position)], store, block);
            }
        }

        /// <summary>The load becomes the extension that it also is, or goes, if it loads all 64 bits of a value.</summary>
        private void PromoteLoad(IrInstruction load, StackAccess access, IrBlock block)
        {
            IrInstruction value = _variables[access.FirstPiece];
            if (access.Pieces > 1)
                value = Join(load, access, block);
            if (load.Width == 64)
            {
                load.Block = null;
                _replacements.Replace(load, value);
                return;
            }

            load.Opcode = load.IsSigned ? IrOpcode.SignExtend : IrOpcode.ZeroExtend;
            load.Operands = [value];
            load.Immediate = 0;
            load.IsSigned = false;
            _done.Add(load);
        }

        /// <summary>Two pieces side by side, what is above them unspecified: the upper one needs no mask.</summary>
        private IrInstruction Join(IrInstruction load, StackAccess access, IrBlock block)
        {
            int low = PositionOf(access.FirstPiece, access) == 0 ? access.FirstPiece : access.FirstPiece + 1;
            int high = access.FirstPiece + access.FirstPiece + 1 - low;
            int bits = 8 * _slots.Pieces[low].Bytes;
            IrInstruction lower = bits is 8 or 16 or 32
                ? Add(IrOpcode.ZeroExtend, bits, [_variables[low]], load, block)
                : Add(IrOpcode.And, bits < 32 ? 32 : 64, [_variables[low], _leaves.Constant((1L << bits) - 1)], load, block);
            if (bits is not (8 or 16 or 32) && bits < 32)
                lower = Add(IrOpcode.ZeroExtend, 32, [lower], load, block);
            // An extension makes an I64 of the upper one; what it clears is not in the way.
            IrInstruction upper = _slots.Pieces[high].Bytes > 4
                ? _variables[high]
                : Add(IrOpcode.ZeroExtend, 32, [_variables[high]], load, block);
            IrInstruction shifted = Add(IrOpcode.ShiftLeft, 64, [upper, _leaves.Constant(bits)], load, block);
            return Add(IrOpcode.Or, 64, [shifted, lower], load, block);
        }

        /// <summary>Number of the lowest bit of the access's value that is in the piece.</summary>
        private int PositionOf(int piece, StackAccess access)
        {
            StackPiece first = _slots.Pieces[access.FirstPiece];
            int fromStart = (int)(_slots.Pieces[piece].Offset - first.Offset);
            int bytes = access.Instruction.Width / 8;
            return 8 * (_function.IsBigEndian ? bytes - fromStart - _slots.Pieces[piece].Bytes : fromStart);
        }

        private IrInstruction Add(IrOpcode opcode, int width, IrInstruction[] operands, IrInstruction from, IrBlock block)
        {
            IrInstruction instruction = _function.NewInstruction(opcode);
            instruction.Width = (byte)width;
            instruction.Operands = operands;
            instruction.Position = from.Position;
            instruction.Block = block;
            _done.Add(instruction);
            return instruction;
        }

        private int AccessOf(IrInstruction instruction) => instruction.Id < _accessOf.Length ? _accessOf[instruction.Id] : -1;
    }
}
