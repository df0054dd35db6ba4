using BpfPpcc.Bpf;
using BpfPpcc.Ir;

namespace BpfPpcc.Lifting;

/// <summary>Arithmetic, moves and byte order (RFC 9669, 4.1 and 4.2).</summary>
internal sealed partial class FunctionLifter
{
    private void LiftAlu(BpfInstruction instruction, int width)
    {
        IrInstruction value = instruction.AluCode switch
        {
            BpfAluCode.MOV => Move(instruction, width),
            BpfAluCode.END => ByteOrder(instruction, width),
            BpfAluCode.NEG => Arithmetic(instruction, width, Read(instruction.Dst), _builder.Constant(0)),
            BpfAluCode.ADD or BpfAluCode.SUB or BpfAluCode.MUL or BpfAluCode.DIV or BpfAluCode.OR or BpfAluCode.AND or BpfAluCode.LSH
                or BpfAluCode.RSH or BpfAluCode.MOD or BpfAluCode.XOR or BpfAluCode.ARSH =>
                Arithmetic(instruction, width, Read(instruction.Dst), Operand(instruction)),
        };
        if (value.Position == _builder.Position && value.Type == IrType.I64 && _facts.ZeroBits.TryGetValue(value.Position, out ulong zeros)
            && (IrRules.IsArithmetic(value.Opcode) || value.Opcode is IrOpcode.ZeroExtend or IrOpcode.ByteSwap))
        {
            value.ZeroBits = zeros;
        }

        Write(instruction.Dst, value);
    }

    private IrInstruction Arithmetic(BpfInstruction instruction, int width, IrInstruction left, IrInstruction right)
    {
        if (Fold(instruction, width, left, right) is { } folded)
            return folded;
        IrOpcode opcode = Opcode(instruction);
        IrInstruction value = opcode == IrOpcode.Negate ? _builder.Negate(width, left) : _builder.Binary(opcode, width, left, right);
        if (_facts.PlainDivisors.Contains(_builder.Position))
            value.PlainDivisor = right;
        return width == 32 ? _builder.ZeroExtend(32, value) : value;
    }

    /// <summary>Constants, and addresses a constant away from a known one.</summary>
    private IrInstruction? Fold(BpfInstruction instruction, int width, IrInstruction left, IrInstruction right)
    {
        if (left.Opcode == IrOpcode.Constant && right.Opcode == IrOpcode.Constant)
        {
            (ulong a, ulong b) = ((ulong)left.Immediate, (ulong)right.Immediate);
            bool isSigned = IsSignedDivision(instruction);
            ulong value = width == 32
                ? BpfSemantics.Alu32(instruction.AluCode, a, b, isSigned)
                : BpfSemantics.Alu64(instruction.AluCode, a, b, isSigned);
            return _builder.Constant((long)value);
        }

        if (width == 32)
            return null;
        return (instruction.AluCode, left.Opcode, right.Opcode) switch
        {
            (BpfAluCode.ADD, _, IrOpcode.Constant) => Displace(left, right.Immediate),
            (BpfAluCode.ADD, IrOpcode.Constant, _) => Displace(right, left.Immediate),
            (BpfAluCode.SUB, _, IrOpcode.Constant) => Displace(left, unchecked(-right.Immediate)),
            _ => null,
        };
    }

    private IrInstruction? Displace(IrInstruction address, long offset) => address.Opcode switch
    {
        IrOpcode.StackAddress => _builder.Leaves.StackAddress(unchecked(address.Immediate + offset)),
        IrOpcode.SymbolAddress => _builder.Leaves.SymbolAddress(address.Symbol, unchecked(address.Immediate + offset)),
        _ => null,
    };

    private IrInstruction Move(BpfInstruction instruction, int width)
    {
        IrInstruction source = Operand(instruction);
        if (instruction.Offset != 0)
            source = SignExtend(instruction.Offset, source);
        return width == 32 ? ZeroExtend(32, source) : source;
    }

    /// <summary>ALU64: reverses the bytes. ALU: converts between the host's byte order, which is the object's, and a given one.</summary>
    private IrInstruction ByteOrder(BpfInstruction instruction, int width)
    {
        IrInstruction value = Read(instruction.Dst);
        int bits = instruction.Imm;
        bool toBigEndian = instruction.Source == BpfSource.X;
        bool swaps = width == 64 || toBigEndian != _context.Module.IsBigEndian;
        if (!swaps)
            return bits == 64 ? value : ZeroExtend(bits, value);
        return value.Opcode == IrOpcode.Constant
            ? _builder.Constant((long)BpfSemantics.ByteSwap(bits, (ulong)value.Immediate))
            : _builder.ByteSwap(bits, value);
    }

    private IrInstruction ZeroExtend(int width, IrInstruction value) => value.Opcode == IrOpcode.Constant
        ? _builder.Constant((long)((ulong)value.Immediate & (ulong.MaxValue >> (64 - width))))
        : _builder.ZeroExtend(width, value);

    private IrInstruction SignExtend(int width, IrInstruction value) => value.Opcode == IrOpcode.Constant
        ? _builder.Constant((long)BpfSemantics.SignExtend64(width, (ulong)value.Immediate))
        : _builder.SignExtend(width, value);

    private static bool IsSignedDivision(BpfInstruction instruction) => instruction.Offset == 1;

    private static IrOpcode Opcode(BpfInstruction instruction) => instruction.AluCode switch
    {
        BpfAluCode.ADD => IrOpcode.Add,
        BpfAluCode.SUB => IrOpcode.Subtract,
        BpfAluCode.MUL => IrOpcode.Multiply,
        BpfAluCode.DIV => IsSignedDivision(instruction) ? IrOpcode.SignedDivide : IrOpcode.UnsignedDivide,
        BpfAluCode.OR => IrOpcode.Or,
        BpfAluCode.AND => IrOpcode.And,
        BpfAluCode.LSH => IrOpcode.ShiftLeft,
        BpfAluCode.RSH => IrOpcode.ShiftRightLogical,
        BpfAluCode.NEG => IrOpcode.Negate,
        BpfAluCode.MOD => IsSignedDivision(instruction) ? IrOpcode.SignedRemainder : IrOpcode.UnsignedRemainder,
        BpfAluCode.XOR => IrOpcode.Xor,
        BpfAluCode.ARSH => IrOpcode.ShiftRightArithmetic,
        BpfAluCode.MOV or BpfAluCode.END => throw new InvalidOperationException($"{instruction.AluCode} is not an operation"),
    };
}
