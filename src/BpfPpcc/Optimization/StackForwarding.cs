using BpfPpcc.Ir;

namespace BpfPpcc.Optimization;

/// <summary>
/// Knows what the bytes of the BPF stack hold: loads take the value that was stored instead, and stores of what is there already go. Calls
/// change only what verification says that they may (<see cref="IrInstruction.StackAccesses"/>).
/// </summary>
/// <remarks>
/// Blocks are visited once, each after its predecessors; where a loop comes back nothing is known. Every byte is either a known number or a
/// byte of a value; a value that a byte holds on all paths to a place is computed on all of them, so that it may be used there.
/// </remarks>
public static class StackForwarding
{
    public static void Run(IrFunction function, IrModule module)
    {
        if (StackMemory.Find(function, module.Symbols) is { } memory)
            new Forwarding(function, memory).Run();
    }

    private sealed class Forwarding(IrFunction function, StackMemory memory)
    {
        private const int Unknown = -1;

        /// <summary>Codes below are the bytes 0 to 255; from here on they stand for byte (code mod 8) of a value.</summary>
        private const int FirstOfValues = 256;

        private readonly IrLeaves _leaves = new(function);
        private readonly IrReplacements _replacements = new(function);
        private readonly int[]?[] _atEnd = new int[function.BlockCount][];
        private readonly Dictionary<int, IrInstruction> _values = [];
        private readonly List<IrInstruction> _kept = [];
        private int[] _contents = [];

        public void Run()
        {
            foreach (IrBlock block in new DepthFirstWalk(function).ReversePostorder)
            {
                _contents = AtStart(block);
                Visit(block);
                _atEnd[block.Id] = _contents;
            }

            _replacements.Apply();
            _leaves.Commit();
        }

        /// <summary>What all predecessors agree on.</summary>
        private int[] AtStart(IrBlock block)
        {
            var contents = new int[memory.Bytes];
            bool isKnown = block.Predecessors.Count > 0 && block.Predecessors.TrueForAll(predecessor => _atEnd[predecessor.Id] != null);
            if (!isKnown)
            {
                Array.Fill(contents, Unknown);
                return contents;
            }

            _atEnd[block.Predecessors[0].Id]!.CopyTo(contents, 0);
            for (int i = 1; i < block.Predecessors.Count; i++)
            {
                int[] other = _atEnd[block.Predecessors[i].Id]!;
                for (int at = 0; at < contents.Length; at++)
                {
                    if (contents[at] != other[at])
                        contents[at] = Unknown;
                }
            }

            return contents;
        }

        private void Visit(IrBlock block)
        {
            _kept.Clear();
            foreach (IrInstruction instruction in block.Instructions)
            {
                ReadOnlySpan<StackReference> references = memory.Of(instruction);
                bool isPlain = references.Length == 1 && memory.IsPlain(instruction, references[0]);
                if (isPlain && instruction.Opcode == IrOpcode.Store && !Store(instruction, memory.Touched(references[0])))
                {
                    instruction.Block = null;
                    continue;
                }

                if (isPlain && instruction.Opcode == IrOpcode.Load)
                    Load(instruction, memory.Touched(references[0]));
                else if (!isPlain)
                    ForgetWritten(references);
                _kept.Add(instruction);
            }

            block.Instructions.Clear();
            block.Instructions.AddRange(_kept);
        }

        private void ForgetWritten(ReadOnlySpan<StackReference> references)
        {
            foreach (StackReference reference in references)
            {
                (int from, int to) = memory.Touched(reference);
                if (reference.IsWritten)
                    Array.Fill(_contents, Unknown, from, to - from);
            }
        }

        /// <summary>False if the store changes nothing.</summary>
        private bool Store(IrInstruction store, (int From, int To) range)
        {
            bool hasChanged = false;
            for (int i = 0; i < range.To - range.From; i++)
            {
                ref int content = ref _contents[range.From + i];
                int code = Code(store.Operands[1], Significance(i, range));
                hasChanged |= content != code;
                content = code;
            }

            return hasChanged;
        }

        /// <summary>Which byte of a value the byte at a place holds: 0 is the least significant.</summary>
        private int Significance(int place, (int From, int To) range) => function.IsBigEndian ? range.To - range.From - 1 - place : place;

        /// <summary>What stands for a byte of a value, looked up where it was computed from bytes of others.</summary>
        private int Code(IrInstruction value, int index)
        {
            while (true)
            {
                value = _replacements.Resolve(value);
                switch (value.Opcode)
                {
                    case IrOpcode.Constant:
                        return (int)((ulong)value.Immediate >> (8 * index) & 0xff);
                    case IrOpcode.Load when !value.IsSigned && 8 * index >= value.Width:
                    case IrOpcode.ZeroExtend when 8 * index >= value.Width:
                        return 0;
                    case IrOpcode.ZeroExtend:
                    case IrOpcode.SignExtend when 8 * index < value.Width:
                    case IrOpcode.And when MaskOf(value, index) == 0xff:
                        value = value.Operands[0];
                        continue;
                    case IrOpcode.And when MaskOf(value, index) == 0:
                        return 0;
                    default:
                        _values[value.Id] = value;
                        return FirstOfValues + value.Id * 8 + index;
                }
            }
        }

        /// <summary>The byte of the constant that the value is masked with, or -1.</summary>
        private static int MaskOf(IrInstruction and, int index) =>
            and.Operands[1] is { Opcode: IrOpcode.Constant } mask ? (int)((ulong)mask.Immediate >> (8 * index) & 0xff) : -1;

        private void Load(IrInstruction load, (int From, int To) range)
        {
            int count = range.To - range.From;
            Span<int> codes = stackalloc int[count];
            for (int i = 0; i < count; i++)
                codes[Significance(i, range)] = _contents[range.From + i];
            if (!TryConstant(load, codes) && !TryValue(load, codes))
                Learn(load, range);
        }

        private bool TryConstant(IrInstruction load, ReadOnlySpan<int> codes)
        {
            ulong value = 0;
            for (int i = codes.Length - 1; i >= 0; i--)
            {
                if (codes[i] is < 0 or >= FirstOfValues)
                    return false;
                value = value << 8 | (uint)codes[i];
            }

            int unused = 64 - load.Width;
            long constant = load.IsSigned ? (long)(value << unused) >> unused : (long)value;
            _replacements.Replace(load, _leaves.Constant(constant));
            return true;
        }

        /// <summary>The low bytes of one value, and zeros above.</summary>
        private bool TryValue(IrInstruction load, ReadOnlySpan<int> codes)
        {
            if (codes[0] < FirstOfValues || (codes[0] & 7) != 0)
                return false;
            int bytes = 1;
            while (bytes < codes.Length && codes[bytes] == codes[0] + bytes)
                bytes++;
            for (int i = bytes; i < codes.Length; i++)
            {
                if (codes[i] != 0)
                    return false;
            }

            IrInstruction value = _values[(codes[0] - FirstOfValues) >> 3];
            if (bytes == 8)
            {
                _replacements.Replace(load, value);
                return true;
            }

            if (bytes is not (1 or 2 or 4))
                return false;
            load.Opcode = load.IsSigned && bytes == codes.Length ? IrOpcode.SignExtend : IrOpcode.ZeroExtend;
            load.Width = (byte)(8 * bytes);
            load.Operands = [value];
            load.Immediate = 0;
            load.IsSigned = false;
            return true;
        }

        /// <summary>From here on the bytes are those of the load.</summary>
        private void Learn(IrInstruction load, (int From, int To) range)
        {
            for (int i = 0; i < range.To - range.From; i++)
            {
                ref int content = ref _contents[range.From + i];
                if (content == Unknown)
                    content = Code(load, Significance(i, range));
            }
        }
    }
}
