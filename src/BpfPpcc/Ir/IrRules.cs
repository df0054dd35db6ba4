namespace BpfPpcc.Ir;

/// <summary>What one instruction must look like, apart from its place: the part of the form's rules that the builder and the checker share.</summary>
public static class IrRules
{
    private const int MaxArguments = 5;

    /// <summary>Has no operands and stands at the head of the entry block.</summary>
    public static bool IsLeaf(IrOpcode opcode) => opcode is IrOpcode.Constant or IrOpcode.Undefined or IrOpcode.Argument
        or IrOpcode.StackAddress or IrOpcode.SymbolAddress;

    public static bool IsCall(IrOpcode opcode) => opcode is IrOpcode.CallExtern or IrOpcode.CallLocal or IrOpcode.CallIndirect;

    /// <summary>Width 32 or 64, one or two operands of that width, a result of that width.</summary>
    public static bool IsArithmetic(IrOpcode opcode) => opcode is >= IrOpcode.Add and <= IrOpcode.MultiplyHighSigned;

    /// <summary>Operands 0 and 1 may change places.</summary>
    public static bool IsCommutative(IrOpcode opcode) => opcode is IrOpcode.Add or IrOpcode.Multiply or IrOpcode.And or IrOpcode.Or
        or IrOpcode.Xor or IrOpcode.MultiplyHighUnsigned or IrOpcode.MultiplyHighSigned;

    /// <summary>Reads or writes memory through operand 0.</summary>
    public static bool IsMemoryAccess(IrOpcode opcode) => opcode is IrOpcode.Load or IrOpcode.Store or IrOpcode.AtomicReadModifyWrite
        or IrOpcode.AtomicCompareExchange;

    /// <summary>
    /// How many low bits of operand <paramref name="index"/> the instruction looks at: 8, 16, 32 or 64. An operand of type I32 may stand
    /// only where this is at most 32.
    /// </summary>
    public static int OperandBits(IrInstruction user, int index)
    {
        switch (user.Opcode)
        {
            case IrOpcode.Phi or IrOpcode.ZeroExtend or IrOpcode.SignExtend or IrOpcode.ByteSwap:
                return user.Width;
            case IrOpcode.Add or IrOpcode.Subtract or IrOpcode.Multiply or IrOpcode.UnsignedDivide or IrOpcode.UnsignedRemainder
                or IrOpcode.SignedDivide or IrOpcode.SignedRemainder or IrOpcode.And or IrOpcode.Or or IrOpcode.Xor or IrOpcode.ShiftLeft
                or IrOpcode.ShiftRightLogical or IrOpcode.ShiftRightArithmetic or IrOpcode.RotateLeft or IrOpcode.Negate
                or IrOpcode.MultiplyHighUnsigned or IrOpcode.MultiplyHighSigned:
                return user.Width;
            case IrOpcode.Select:
                return index < 2 ? user.CompareWidth : user.Width;
            case IrOpcode.Branch:
                return user.CompareWidth;
            case IrOpcode.Store or IrOpcode.AtomicReadModifyWrite or IrOpcode.AtomicCompareExchange:
                return index == 0 ? 64 : user.Width;
            default:
                return 64;
        }
    }

    /// <summary>What is wrong with the instruction's opcode, widths, operands and attributes, or null.</summary>
    public static string? Violation(IrInstruction instruction) =>
        WidthViolation(instruction) ?? OperandViolation(instruction) ?? AttributeViolation(instruction);

    private static string? WidthViolation(IrInstruction instruction)
    {
        int width = instruction.Width;
        bool ok = instruction.Opcode switch
        {
            IrOpcode.Constant or IrOpcode.Undefined or IrOpcode.Argument or IrOpcode.StackAddress or IrOpcode.SymbolAddress
                or IrOpcode.CallExtern or IrOpcode.CallLocal or IrOpcode.CallIndirect or IrOpcode.TailCall or IrOpcode.Jump
                or IrOpcode.Branch or IrOpcode.Return or IrOpcode.Unreachable => width == 64,
            IrOpcode.Phi or IrOpcode.Add or IrOpcode.Subtract or IrOpcode.Multiply or IrOpcode.UnsignedDivide
                or IrOpcode.UnsignedRemainder or IrOpcode.SignedDivide or IrOpcode.SignedRemainder or IrOpcode.And or IrOpcode.Or
                or IrOpcode.Xor or IrOpcode.ShiftLeft or IrOpcode.ShiftRightLogical or IrOpcode.ShiftRightArithmetic
                or IrOpcode.RotateLeft or IrOpcode.Negate or IrOpcode.MultiplyHighUnsigned or IrOpcode.MultiplyHighSigned
                or IrOpcode.Select or IrOpcode.AtomicReadModifyWrite or IrOpcode.AtomicCompareExchange => width is 32 or 64,
            IrOpcode.ZeroExtend or IrOpcode.SignExtend => width is 8 or 16 or 32,
            IrOpcode.ByteSwap => width is 16 or 32 or 64,
            IrOpcode.Load or IrOpcode.Store => width is 8 or 16 or 32 or 64,
        };
        if (!ok)
            return $"width {width} is not one of {instruction.Opcode}";
        bool compares = instruction.Opcode is IrOpcode.Branch or IrOpcode.Select;
        return compares && instruction.CompareWidth is not (32 or 64) ? $"comparison of width {instruction.CompareWidth}" : null;
    }

    private static string? OperandViolation(IrInstruction instruction)
    {
        int count = instruction.Operands.Length;
        bool ok = instruction.Opcode switch
        {
            IrOpcode.Constant or IrOpcode.Undefined or IrOpcode.Argument or IrOpcode.StackAddress or IrOpcode.SymbolAddress
                or IrOpcode.Jump or IrOpcode.Unreachable => count == 0,
            IrOpcode.Negate or IrOpcode.ZeroExtend or IrOpcode.SignExtend or IrOpcode.ByteSwap or IrOpcode.Load
                or IrOpcode.Return => count == 1,
            IrOpcode.Add or IrOpcode.Subtract or IrOpcode.Multiply or IrOpcode.UnsignedDivide or IrOpcode.UnsignedRemainder
                or IrOpcode.SignedDivide or IrOpcode.SignedRemainder or IrOpcode.And or IrOpcode.Or or IrOpcode.Xor
                or IrOpcode.ShiftLeft or IrOpcode.ShiftRightLogical or IrOpcode.ShiftRightArithmetic or IrOpcode.RotateLeft
                or IrOpcode.MultiplyHighUnsigned or IrOpcode.MultiplyHighSigned or IrOpcode.Store or IrOpcode.AtomicReadModifyWrite
                or IrOpcode.Branch => count == 2,
            IrOpcode.AtomicCompareExchange or IrOpcode.TailCall => count == 3,
            IrOpcode.Select => count == 4,
            IrOpcode.CallExtern or IrOpcode.CallLocal => count <= MaxArguments,
            IrOpcode.CallIndirect => count is >= 1 and <= MaxArguments + 1,
            IrOpcode.Phi => true,
        };
        if (!ok)
            return $"{instruction.Opcode} with {count} operands";
        for (int i = 0; i < count; i++)
        {
            IrType type = instruction.Operands[i].Type;
            if (type == IrType.None)
                return $"operand {i} has no value";
            if (type == IrType.I32 && OperandBits(instruction, i) > 32)
                return $"operand {i} is I32 where I64 is needed";
        }

        return null;
    }

    private static string? AttributeViolation(IrInstruction instruction)
    {
        int targets = instruction.Opcode switch
        {
            IrOpcode.Jump => 1,
            IrOpcode.Branch => 2,
            _ => 0,
        };
        if (instruction.Targets.Length != targets)
            return $"{instruction.Opcode} with {instruction.Targets.Length} targets";
        if (targets == 2 && instruction.Targets[0] == instruction.Targets[1])
            return "branch with two equal targets";

        bool compares = instruction.Opcode is IrOpcode.Branch or IrOpcode.Select;
        if (compares != (instruction.Condition != IrCondition.None))
            return compares ? "no condition" : $"condition on {instruction.Opcode}";
        bool modifies = instruction.Opcode == IrOpcode.AtomicReadModifyWrite;
        if (modifies != (instruction.Atomic != IrAtomic.None))
            return modifies ? "no atomic operation" : $"atomic operation on {instruction.Opcode}";
        bool named = instruction.Opcode is IrOpcode.SymbolAddress or IrOpcode.CallExtern or IrOpcode.CallLocal;
        if (named == instruction.Symbol.IsNone)
            return named ? "no symbol" : $"symbol on {instruction.Opcode}";
        if (instruction.Opcode == IrOpcode.Argument && instruction.Immediate is < 0 or >= MaxArguments)
            return $"argument number {instruction.Immediate}";
        if (instruction.IsSigned && instruction.Opcode != IrOpcode.Load)
            return $"IsSigned on {instruction.Opcode}";
        return instruction.IsOrdered && !IsMemoryAccess(instruction.Opcode) ? $"IsOrdered on {instruction.Opcode}" : null;
    }
}
