using System.Numerics;
using BpfPpcc.Ir;

namespace BpfPpcc.Selection;

/// <summary>
/// What the rules may know of the values of a function before any instruction is selected: which are wanted, by how many uses, and how many
/// bits of the register that will hold a value can be set.
/// </summary>
/// <remarks>
/// The bit counts speak of the machine register, upper half of an I32 included, so each is a promise that the rule for its opcode keeps
/// (facts: which Power ISA instructions leave a clean upper half). They start optimistically and grow until they agree around loops.
/// </remarks>
internal sealed class ValueFacts
{
    private const byte AllBits = 64;

    private readonly byte[] _bits;
    private readonly int[] _useCounts;
    private readonly bool[] _isLive;
    private readonly int[] _memoryEpochs;

    /// <summary>By value: somebody looks at more than its low half.</summary>
    private readonly bool[] _isWholeWanted;

    /// <summary>Measures the values; what is live is found by <see cref="MarkLive"/>.</summary>
    public ValueFacts(IrFunction function, IrBlock[] reversePostorder)
    {
        _bits = new byte[function.InstructionCount];
        _useCounts = new int[function.InstructionCount];
        _isLive = new bool[function.InstructionCount];
        _memoryEpochs = new int[function.InstructionCount];
        _isWholeWanted = new bool[function.InstructionCount];
        NoteWholeUses(reversePostorder);
        NumberMemoryEpochs(reversePostorder);
        MeasureBits(reversePostorder);
    }

    /// <summary>Its value matters to something that has an effect.</summary>
    public bool IsLive(IrInstruction value) => _isLive[value.Id];

    /// <summary>How many operands of live instructions it is.</summary>
    public int UseCount(IrInstruction value) => _useCounts[value.Id];

    /// <summary>The register that holds the value is below 2 to the power of this, 0..64.</summary>
    public int Bits(IrInstruction value) => _bits[value.Id];

    /// <summary>No user looks at more than its low half.</summary>
    public bool IsOnlyLowWanted(IrInstruction value) => !_isWholeWanted[value.Id];

    /// <summary>Two instructions with the same number have no store, call or other ordering operation between them.</summary>
    public int MemoryEpoch(IrInstruction instruction) => _memoryEpochs[instruction.Id];

    /// <summary>The value in whose register this one is: itself, or what it extends if that extension changes nothing.</summary>
    public IrInstruction Resolve(IrInstruction value)
    {
        while (value.Opcode is IrOpcode.ZeroExtend or IrOpcode.SignExtend && IsRedundantExtension(value))
            value = value.Operands[0];
        return value;
    }

    private void NoteWholeUses(IrBlock[] reversePostorder)
    {
        foreach (IrBlock block in reversePostorder)
        {
            foreach (IrInstruction user in block.Instructions)
            {
                for (int i = 0; i < user.Operands.Length; i++)
                    _isWholeWanted[user.Operands[i].Id] |= IrRules.OperandBits(user, i) > 32;
            }
        }
    }

    private bool IsRedundantExtension(IrInstruction extension)
    {
        IrInstruction operand = extension.Operands[0];
        if (extension.Opcode == IrOpcode.ZeroExtend)
            return Bits(operand) <= extension.Width;
        if (Bits(operand) < extension.Width)
            return true;
        return operand.Opcode switch
        {
            IrOpcode.SignExtend => operand.Width <= extension.Width,
            IrOpcode.Load => operand.IsSigned && operand.Width <= extension.Width,

            // sraw and srawi extend the sign through the upper half; a count of 0 is a copy of whatever the operand holds there.
            IrOpcode.ShiftRightArithmetic => operand.Width == 32 && extension.Width == 32 && !IsShiftByZero(operand),
            _ => false,
        };
    }

    private static bool IsShiftByZero(IrInstruction shift) =>
        TryConstant(shift.Operands[1], out long count) && (count & (shift.Width - 1)) == 0;

    /// <summary>The value if it is known: constants, extensions of them, and what was never written (0).</summary>
    public static bool TryConstant(IrInstruction value, out long constant)
    {
        constant = value.Immediate;
        if (value.Opcode == IrOpcode.Constant)
            return true;
        if (value.Opcode == IrOpcode.Undefined)
        {
            constant = 0;
            return true;
        }

        if (value.Opcode is not (IrOpcode.ZeroExtend or IrOpcode.SignExtend) || !TryConstant(value.Operands[0], out long operand))
            return false;
        int unused = 64 - value.Width;
        constant = value.Opcode == IrOpcode.ZeroExtend ? (long)((ulong)operand << unused >> unused) : operand << unused >> unused;
        return true;
    }

    /// <summary>Finds out what is live, and by how many uses. What the exit of a counted loop compares is not used.</summary>
    public void MarkLive(IrBlock[] reversePostorder, CountedLoops countedLoops)
    {
        var pending = new Stack<IrInstruction>();
        foreach (IrBlock block in reversePostorder)
        {
            foreach (IrInstruction instruction in block.Instructions)
            {
                if (instruction.HasSideEffect && !(instruction.IsTerminator && countedLoops.ByExit(block) is not null))
                    MarkOne(instruction);
            }

            if (countedLoops.ByExit(block)?.Count is { } count)
            {
                _useCounts[count.Id]++;
                MarkOne(count);
            }
        }

        while (pending.TryPop(out IrInstruction? instruction))
        {
            foreach (IrInstruction operand in instruction.Operands)
            {
                _useCounts[operand.Id]++;
                MarkOne(operand);
            }
        }

        void MarkOne(IrInstruction instruction)
        {
            if (_isLive[instruction.Id])
                return;
            _isLive[instruction.Id] = true;
            pending.Push(instruction);
        }
    }

    private void NumberMemoryEpochs(IrBlock[] reversePostorder)
    {
        int epoch = 0;
        foreach (IrBlock block in reversePostorder)
        {
            epoch++;
            foreach (IrInstruction instruction in block.Instructions)
            {
                if (instruction.HasSideEffect)
                    epoch++;
                _memoryEpochs[instruction.Id] = epoch;
            }
        }
    }

    private void MeasureBits(IrBlock[] reversePostorder)
    {
        bool changed = true;
        while (changed)
        {
            changed = false;
            foreach (IrBlock block in reversePostorder)
            {
                foreach (IrInstruction instruction in block.Instructions)
                {
                    if (instruction.Type == IrType.None)
                        continue;
                    int bits = Math.Max(Measure(instruction), _bits[instruction.Id]);
                    changed |= bits != _bits[instruction.Id];
                    _bits[instruction.Id] = (byte)bits;
                }
            }
        }
    }

    private int Measure(IrInstruction value) => value.Opcode switch
    {
        IrOpcode.Constant => ConstantBits(value.Immediate),
        IrOpcode.Undefined => 0,
        IrOpcode.Phi => RoundUp(MaximumOf(value.Operands)),
        IrOpcode.Select => Math.Max(Bits(value.Operands[2]), Bits(value.Operands[3])),
        IrOpcode.And => MeasureAnd(value),
        IrOpcode.Or or IrOpcode.Xor => MeasureOr(value),
        IrOpcode.ShiftLeft => MeasureShiftLeft(value),
        IrOpcode.ShiftRightLogical => MeasureShiftRightLogical(value),
        IrOpcode.RotateLeft => value.Width == 32 ? 32 : AllBits,
        IrOpcode.UnsignedDivide or IrOpcode.UnsignedRemainder => value.Width == 32 ? AllBits : Bits(value.Operands[0]),
        IrOpcode.ZeroExtend => Math.Min(value.Width, Bits(value.Operands[0])),
        IrOpcode.SignExtend => Bits(value.Operands[0]) < value.Width ? Bits(value.Operands[0]) : AllBits,
        IrOpcode.ByteSwap or IrOpcode.AtomicReadModifyWrite or IrOpcode.AtomicCompareExchange => value.Width,
        IrOpcode.Load => value.IsSigned ? AllBits : value.Width,
        IrOpcode.Add => WithoutWrap(Math.Max(Bits(value.Operands[0]), Bits(value.Operands[1])) + 1),
        IrOpcode.Multiply => WithoutWrap(Bits(value.Operands[0]) + Bits(value.Operands[1])),
        IrOpcode.Argument or IrOpcode.StackAddress or IrOpcode.SymbolAddress or IrOpcode.Subtract or IrOpcode.SignedDivide
            or IrOpcode.SignedRemainder or IrOpcode.ShiftRightArithmetic or IrOpcode.Negate
            or IrOpcode.MultiplyHighUnsigned or IrOpcode.MultiplyHighSigned or IrOpcode.CallExtern or IrOpcode.CallLocal
            or IrOpcode.CallIndirect => AllBits,
        IrOpcode.Store or IrOpcode.TailCall or IrOpcode.Jump or IrOpcode.Branch or IrOpcode.Return or IrOpcode.Unreachable => AllBits,
    };

    /// <summary>
    /// Bits of a sum or product that every way to compute it gives in full: below 2^31 neither its words nor those of its operands, of which
    /// some instructions read the low halves only, have a sign.
    /// </summary>
    private static int WithoutWrap(int bits) => bits <= 31 ? bits : AllBits;

    private static int ConstantBits(long value) => AllBits - BitOperations.LeadingZeroCount((ulong)value);

    private int MaximumOf(IrInstruction[] values)
    {
        int maximum = 0;
        foreach (IrInstruction value in values)
            maximum = Math.Max(maximum, Bits(value));
        return maximum;
    }

    /// <summary>Few steps, so that a value that grows around a loop is soon known to have no bound.</summary>
    private static int RoundUp(int bits) => bits switch
    {
        0 => 0,
        <= 8 => 8,
        <= 16 => 16,
        <= 32 => 32,
        _ => AllBits,
    };

    private int MeasureAnd(IrInstruction value)
    {
        if (value.Width == 32 && ImmediateOperand(value) is int index and >= 0 && TryConstant(value.Operands[index], out long mask))
        {
            // A negative mask may be done by an rlwinm that wraps, which fills the upper half.
            return (int)mask >= 0 ? ConstantBits((int)mask) : AllBits;
        }

        return Math.Min(Bits(value.Operands[0]), Bits(value.Operands[1]));
    }

    private int MeasureOr(IrInstruction value)
    {
        int index = ImmediateOperand(value);
        if (value.Width == 64 || index < 0 || !TryConstant(value.Operands[index], out long constant))
            return Math.Max(Bits(value.Operands[0]), Bits(value.Operands[1]));

        // ori, oris and their like leave the upper half alone; -1 makes it a nor, which does not.
        return (int)constant == -1 ? AllBits : Math.Max(Bits(value.Operands[1 - index]), ConstantBits((uint)constant));
    }

    /// <summary>Index of the operand of a commutative operation that becomes its immediate, or -1.</summary>
    public static int ImmediateOperand(IrInstruction value)
    {
        if (TryConstant(value.Operands[1], out _))
            return 1;
        return TryConstant(value.Operands[0], out _) ? 0 : -1;
    }

    private int MeasureShiftLeft(IrInstruction value)
    {
        int bits = Bits(value.Operands[0]);
        if (!TryConstant(value.Operands[1], out long count))
            return value.Width;
        return Math.Min(value.Width, bits + ((int)count & (value.Width - 1)));
    }

    private int MeasureShiftRightLogical(IrInstruction value)
    {
        int bits = Bits(value.Operands[0]);
        if (!TryConstant(value.Operands[1], out long count))
            return Math.Min(value.Width, bits);
        return Math.Max(0, Math.Min(value.Width, bits) - ((int)count & (value.Width - 1)));
    }
}
