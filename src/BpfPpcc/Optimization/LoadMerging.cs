using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>
/// Narrow loads side by side whose values are put together become one load:
/// <code>
/// load.u8 [p] | load.u8 [p + 1] &lt;&lt; 8  =  load.u16 [p]         little-endian; big-endian the other way round
/// load.u8 [p + 1] | load.u8 [p] &lt;&lt; 8  =  bswap.16 load.u16 [p]
/// </code>
/// The loads are for this only, stand in one block, and nothing between them writes memory or leaves the function, so the wide one, in the
/// place of the last, reads what they read and faults only where one of them would.
/// </summary>
public static class LoadMerging
{
    /// <summary>Operands of one sum looked at; eight bytes make the widest load.</summary>
    private const int MostOperands = 16;

    public static void Run(IrFunction function, IrModule module)
    {
        if (HasSum(function))
            new Merging(function).Run();
    }

    private static bool HasSum(IrFunction function)
    {
        foreach (IrBlock block in function.Blocks)
        {
            foreach (IrInstruction instruction in block.Instructions)
            {
                if (instruction.Opcode == IrOpcode.Or)
                    return true;
            }
        }

        return false;
    }

    /// <summary>Loads as they stand in a sum: shifted left.</summary>
    /// <param name="Value">The operand of the sum, or null if this is merged from several.</param>
    /// <param name="Last">The load, or the last of them.</param>
    /// <param name="Offset">Of the first byte.</param>
    /// <param name="Width">Of the load, or of the one that stands for all of them.</param>
    /// <param name="IsSwapped">Its bytes are to be reversed.</param>
    private readonly record struct Part(IrInstruction? Value, IrInstruction Last, long Offset, int Width, int Shift, bool IsSwapped);

    private sealed class Merging(IrFunction function)
    {
        private readonly int[] _uses = UseCounts.Of(function);
        private readonly int[] _epoch = new int[function.InstructionCount];
        private readonly int[] _order = new int[function.InstructionCount];
        private readonly bool[] _isPartOfSum = new bool[function.InstructionCount];
        private readonly IrLeaves _leaves = new(function);
        private readonly IrReplacements _replacements = new(function);
        private readonly List<Part> _parts = [];
        private readonly List<IrInstruction> _others = [];
        private readonly InsertionPoints _insertions = new(function);

        public void Run()
        {
            List<IrInstruction> sums = NumberAndFindSums();
            // From the end on: the whole sum comes before its parts.
            for (int i = sums.Count - 1; i >= 0; i--)
            {
                if (!_isPartOfSum[sums[i].Id])
                    MergeSum(sums[i]);
            }

            _insertions.Apply();
            _leaves.Commit();
            _replacements.Apply();
        }

        private List<IrInstruction> NumberAndFindSums()
        {
            var sums = new List<IrInstruction>();
            int epoch = 0;
            int order = 0;
            foreach (IrBlock block in function.Blocks)
            {
                epoch++;
                foreach (IrInstruction instruction in block.Instructions)
                {
                    if (instruction.HasSideEffect)
                        epoch++;
                    _epoch[instruction.Id] = epoch;
                    _order[instruction.Id] = order++;
                    if (instruction.Opcode == IrOpcode.Or)
                        sums.Add(instruction);
                }
            }

            return sums;
        }

        private void MergeSum(IrInstruction sum)
        {
            _parts.Clear();
            _others.Clear();
            if (!Collect(sum, sum.Width))
                return;
            int before = _parts.Count;
            while (MergePair())
            {
            }

            if (_parts.Count == before)
                return;
            foreach (Part part in _parts)
                _others.Add(part.Value ?? ValueOf(part, sum));
            IrInstruction result = _others[0];
            for (int i = 1; i < _others.Count; i++)
                result = _insertions.AddBehind(sum, IrOpcode.Or, sum.Width, result, _others[i]);
            _replacements.Replace(sum, result);
        }

        /// <summary>All operands of the or, and of the ors below it that are for it only. False if they are too many.</summary>
        private bool Collect(IrInstruction or, int width)
        {
            foreach (IrInstruction operand in or.Operands)
            {
                if (operand.Opcode == IrOpcode.Or && operand.Width == width && _uses[operand.Id] == 1 && operand.Block == or.Block)
                {
                    _isPartOfSum[operand.Id] = true;
                    if (!Collect(operand, width))
                        return false;
                }
                else if (TryPart(operand, width, out Part part))
                {
                    _parts.Add(part);
                }
                else
                {
                    _others.Add(operand);
                }

                if (_parts.Count + _others.Count > MostOperands)
                    return false;
            }

            return true;
        }

        private bool TryPart(IrInstruction value, int width, out Part part)
        {
            IrInstruction load = value;
            int shift = 0;
            part = default;
            if (load is { Opcode: IrOpcode.ShiftLeft, Operands: [_, { Opcode: IrOpcode.Constant } count] } && load.Width == width
                && _uses[load.Id] == 1)
            {
                shift = (int)count.Immediate & (width - 1);
                load = load.Operands[0];
            }

            if (load.Opcode != IrOpcode.Load || load.IsSigned || load.IsOrdered || load.Width == 64 || _uses[load.Id] != 1
                || shift + load.Width > width)
            {
                return false;
            }

            part = new Part(value, load, load.Immediate, load.Width, shift, IsSwapped: false);
            return true;
        }

        private bool MergePair()
        {
            for (int i = 0; i < _parts.Count; i++)
            {
                for (int j = 0; j < _parts.Count; j++)
                {
                    if (i == j || !AreHalves(_parts[i], _parts[j]))
                        continue;
                    Part merged = Merge(_parts[i], _parts[j]);
                    _parts.RemoveAt(Math.Max(i, j));
                    _parts[Math.Min(i, j)] = merged;
                    return true;
                }
            }

            return false;
        }

        /// <summary>The loads can be one; <paramref name="low"/> is the less significant half.</summary>
        private bool AreHalves(Part low, Part high)
        {
            int width = low.Width;
            return width == high.Width && width < 64 && low.Shift + width == high.Shift
                && low.Last.Operands[0] == high.Last.Operands[0] && low.Last.Block == high.Last.Block
                && _epoch[low.Last.Id] == _epoch[high.Last.Id]
                && (low.Offset + width / 8 == high.Offset || high.Offset + width / 8 == low.Offset)
                && (width == 8 || (low.IsSwapped == high.IsSwapped && IsSwapped(low, high) == low.IsSwapped));
        }

        /// <summary>The less significant half is not where the byte order has it.</summary>
        private bool IsSwapped(Part low, Part high) => low.Offset < high.Offset == function.IsBigEndian;

        private Part Merge(Part low, Part high)
        {
            IrInstruction last = _order[low.Last.Id] < _order[high.Last.Id] ? high.Last : low.Last;
            return new Part(null, last, Math.Min(low.Offset, high.Offset), 2 * low.Width, low.Shift, IsSwapped(low, high));
        }

        private IrInstruction ValueOf(Part part, IrInstruction sum)
        {
            IrInstruction value = _insertions.AddBehind(part.Last, IrOpcode.Load, part.Width, part.Last.Operands[0]);
            value.Immediate = part.Offset;
            if (part.Last.StackAccesses is { IsDefault: false, IsEmpty: true })
                value.StackAccesses = [];
            if (part.IsSwapped)
                value = _insertions.AddBehind(sum, IrOpcode.ByteSwap, part.Width, value);
            return part.Shift == 0 ? value
                : _insertions.AddBehind(sum, IrOpcode.ShiftLeft, sum.Width, value, _leaves.Constant(part.Shift));
        }
    }
}
