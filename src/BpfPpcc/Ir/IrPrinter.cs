using System.Globalization;
using System.Text;
using BpfPpcc.Symbols;

namespace BpfPpcc.Ir;

/// <summary>
/// IR as text, for dumps, diagnostics and filetests: <c>v12 = add.32 v3, v4</c>, <c>v5 = load.u16 [v3 + 12]</c>,
/// <c>branch ult.32 v1, 7 -> b3, b4</c>. Leaves print where they are used, not where they stand: constants as numbers, r10 + n as
/// <c>stack - 8</c>, the address of a symbol as <c>@name + 4</c>, arguments as <c>arg0</c>.
/// </summary>
public sealed class IrPrinter
{
    private readonly StringBuilder _text = new();
    private readonly SymbolTable _symbols;

    private IrPrinter(SymbolTable symbols) => _symbols = symbols;

    /// <summary>All functions, separated by empty lines.</summary>
    public static string Print(IrModule module)
    {
        var printer = new IrPrinter(module.Symbols);
        foreach (IrFunction function in module.Functions)
        {
            if (printer._text.Length > 0)
                printer._text.Append('\n');
            printer.Function(function);
        }

        return printer._text.ToString();
    }

    public static string Print(IrFunction function, SymbolTable symbols)
    {
        var printer = new IrPrinter(symbols);
        printer.Function(function);
        return printer._text.ToString();
    }

    public static string Print(IrInstruction instruction, SymbolTable symbols)
    {
        var printer = new IrPrinter(symbols);
        printer.Instruction(instruction);
        return printer._text.ToString();
    }

    private void Function(IrFunction function)
    {
        _text.Append(function.Kind switch
        {
            IrFunctionKind.Program => "program ",
            IrFunctionKind.Subprogram => "subprogram ",
            IrFunctionKind.Thunk => "thunk ",
        });
        _text.Append(function.Name);
        _text.Append(CultureInfo.InvariantCulture, $" stack={function.StackSize}");
        if (function.IsCallableFromC)
            _text.Append(" callable-from-c");
        if (function.ReachesTailCall)
            _text.Append(" reaches-tail-call");
        _text.Append('\n');
        foreach (IrBlock block in function.Blocks)
            Block(block);
    }

    private void Block(IrBlock block)
    {
        _text.Append(CultureInfo.InvariantCulture, $"b{block.Id}:");
        if (block.Predecessors.Count > 0)
        {
            _text.Append(" <- ");
            _text.AppendJoin(", ", block.Predecessors.Select(static predecessor => $"b{predecessor.Id}"));
        }

        _text.Append('\n');
        foreach (IrInstruction instruction in block.Instructions)
        {
            if (IrRules.IsLeaf(instruction.Opcode))
                continue;
            _text.Append("    ");
            Instruction(instruction);
            _text.Append('\n');
        }
    }

    private void Instruction(IrInstruction instruction)
    {
        if (instruction.Type != IrType.None)
            _text.Append(CultureInfo.InvariantCulture, $"v{instruction.Id} = ");
        _text.Append(Mnemonic(instruction));
        switch (instruction.Opcode)
        {
            case IrOpcode.Phi:
                PhiOperands(instruction);
                break;
            case IrOpcode.Constant or IrOpcode.Undefined or IrOpcode.Argument or IrOpcode.StackAddress or IrOpcode.SymbolAddress:
                _text.Append(' ');
                Operand(instruction);
                break;
            case IrOpcode.Load or IrOpcode.Store or IrOpcode.AtomicReadModifyWrite or IrOpcode.AtomicCompareExchange:
                Address(instruction);
                Operands(instruction, 1, ", ");
                if (instruction.Operands[0].Opcode != IrOpcode.StackAddress)
                    StackAccesses(instruction);
                break;
            case IrOpcode.CallExtern or IrOpcode.CallLocal:
                _text.Append(' ').Append(_symbols[instruction.Symbol].Name).Append('(');
                Operands(instruction, 0, "");
                _text.Append(')');
                StackAccesses(instruction);
                break;
            case IrOpcode.CallIndirect:
                _text.Append(" [");
                Operand(instruction.Operands[0]);
                _text.Append("](");
                Operands(instruction, 1, "");
                _text.Append(')');
                break;
            case IrOpcode.Add or IrOpcode.Subtract or IrOpcode.Multiply or IrOpcode.UnsignedDivide or IrOpcode.UnsignedRemainder
                or IrOpcode.SignedDivide or IrOpcode.SignedRemainder or IrOpcode.And or IrOpcode.Or or IrOpcode.Xor
                or IrOpcode.ShiftLeft or IrOpcode.ShiftRightLogical or IrOpcode.ShiftRightArithmetic or IrOpcode.RotateLeft
                or IrOpcode.Negate or IrOpcode.MultiplyHighUnsigned or IrOpcode.MultiplyHighSigned or IrOpcode.Select
                or IrOpcode.ZeroExtend or IrOpcode.SignExtend or IrOpcode.ByteSwap or IrOpcode.TailCall or IrOpcode.Jump
                or IrOpcode.Branch or IrOpcode.Return or IrOpcode.Unreachable:
                Operands(instruction, 0, " ");
                Proofs(instruction);
                Targets(instruction);
                break;
        }
    }

    private void PhiOperands(IrInstruction phi)
    {
        for (int i = 0; i < phi.Operands.Length; i++)
        {
            _text.Append(i == 0 ? " " : ", ");
            Operand(phi.Operands[i]);
            if (phi.Block is { } block && i < block.Predecessors.Count)
                _text.Append(CultureInfo.InvariantCulture, $" (b{block.Predecessors[i].Id})");
        }
    }

    /// <summary>" reads -16..-8 writes ...": what is known of accesses to the stack that the operands do not tell.</summary>
    private void StackAccesses(IrInstruction instruction)
    {
        if (instruction.StackAccesses.IsDefaultOrEmpty)
            return;
        foreach (IrStackAccess access in instruction.StackAccesses)
            _text.Append(CultureInfo.InvariantCulture, $" {(access.IsWritten ? "writes" : "reads")} {access.Low}..{access.High}");
    }

    private void Proofs(IrInstruction instruction)
    {
        if (instruction.PlainDivisor is not null && instruction.PlainDivisor == instruction.Operands[1])
            _text.Append(" plain divisor");
    }

    private void Address(IrInstruction access)
    {
        _text.Append(" [");
        IrInstruction address = access.Operands[0];
        Operand(address);
        Offset(access.Immediate);
        _text.Append(']');
    }

    private void Operands(IrInstruction instruction, int first, string before)
    {
        for (int i = first; i < instruction.Operands.Length; i++)
        {
            _text.Append(i == first ? before : ", ");
            Operand(instruction.Operands[i]);
        }
    }

    private void Targets(IrInstruction instruction)
    {
        for (int i = 0; i < instruction.Targets.Length; i++)
            _text.Append(CultureInfo.InvariantCulture, $"{(i == 0 ? " -> " : ", ")}b{instruction.Targets[i].Id}");
    }

    private void Operand(IrInstruction value)
    {
        switch (value.Opcode)
        {
            case IrOpcode.Constant:
                _text.Append(CultureInfo.InvariantCulture, $"{value.Immediate}");
                break;
            case IrOpcode.Undefined:
                _text.Append("undefined");
                break;
            case IrOpcode.Argument:
                _text.Append(CultureInfo.InvariantCulture, $"arg{value.Immediate}");
                break;
            case IrOpcode.StackAddress:
                _text.Append("stack");
                Offset(value.Immediate);
                break;
            case IrOpcode.SymbolAddress:
                _text.Append('@').Append(_symbols[value.Symbol].Name);
                Offset(value.Immediate);
                break;
            default:
                _text.Append(CultureInfo.InvariantCulture, $"v{value.Id}");
                break;
        }
    }

    private void Offset(long offset)
    {
        if (offset > 0)
            _text.Append(CultureInfo.InvariantCulture, $" + {offset}");
        else if (offset < 0)
            _text.Append(CultureInfo.InvariantCulture, $" - {unchecked(0UL - (ulong)offset)}");
    }

    private static string Mnemonic(IrInstruction instruction)
    {
        int width = instruction.Width;
        string ordered = instruction.IsOrdered ? ".ordered" : "";
        return instruction.Opcode switch
        {
            IrOpcode.Constant => "constant",
            IrOpcode.Undefined => "undefined",
            IrOpcode.Argument => "argument",
            IrOpcode.StackAddress => "address",
            IrOpcode.SymbolAddress => "address",
            IrOpcode.Phi => $"phi.{width}",
            IrOpcode.Add => $"add.{width}",
            IrOpcode.Subtract => $"sub.{width}",
            IrOpcode.Multiply => $"mul.{width}",
            IrOpcode.UnsignedDivide => $"udiv.{width}",
            IrOpcode.UnsignedRemainder => $"urem.{width}",
            IrOpcode.SignedDivide => $"sdiv.{width}",
            IrOpcode.SignedRemainder => $"srem.{width}",
            IrOpcode.And => $"and.{width}",
            IrOpcode.Or => $"or.{width}",
            IrOpcode.Xor => $"xor.{width}",
            IrOpcode.ShiftLeft => $"shl.{width}",
            IrOpcode.ShiftRightLogical => $"shr.{width}",
            IrOpcode.ShiftRightArithmetic => $"sar.{width}",
            IrOpcode.RotateLeft => $"rotl.{width}",
            IrOpcode.Negate => $"neg.{width}",
            IrOpcode.MultiplyHighUnsigned => $"umulh.{width}",
            IrOpcode.MultiplyHighSigned => $"smulh.{width}",
            IrOpcode.Select => $"select.{width} {ConditionName(instruction.Condition)}.{instruction.CompareWidth}",
            IrOpcode.ZeroExtend => $"zext.{width}",
            IrOpcode.SignExtend => $"sext.{width}",
            IrOpcode.ByteSwap => $"bswap.{width}",
            IrOpcode.Load => $"load.{(instruction.IsSigned ? 's' : 'u')}{width}{ordered}",
            IrOpcode.Store => $"store.{width}{ordered}",
            IrOpcode.AtomicReadModifyWrite => $"atomic.{AtomicName(instruction.Atomic)}.{width}{ordered}",
            IrOpcode.AtomicCompareExchange => $"atomic.cmpxchg.{width}{ordered}",
            IrOpcode.CallExtern => "call extern",
            IrOpcode.CallLocal => "call local",
            IrOpcode.CallIndirect => "call indirect",
            IrOpcode.TailCall => "tailcall",
            IrOpcode.Jump => "jump",
            IrOpcode.Branch => $"branch {ConditionName(instruction.Condition)}.{instruction.CompareWidth}",
            IrOpcode.Return => "return",
            IrOpcode.Unreachable => "unreachable",
        };
    }

    private static string ConditionName(IrCondition condition) => condition switch
    {
        IrCondition.None => "none",
        IrCondition.Equal => "eq",
        IrCondition.NotEqual => "ne",
        IrCondition.UnsignedLess => "ult",
        IrCondition.UnsignedLessOrEqual => "ule",
        IrCondition.UnsignedGreater => "ugt",
        IrCondition.UnsignedGreaterOrEqual => "uge",
        IrCondition.SignedLess => "slt",
        IrCondition.SignedLessOrEqual => "sle",
        IrCondition.SignedGreater => "sgt",
        IrCondition.SignedGreaterOrEqual => "sge",
        IrCondition.Test => "test",
        IrCondition.TestZero => "testz",
    };

    private static string AtomicName(IrAtomic atomic) => atomic switch
    {
        IrAtomic.None => "none",
        IrAtomic.Add => "add",
        IrAtomic.Or => "or",
        IrAtomic.And => "and",
        IrAtomic.Xor => "xor",
        IrAtomic.Exchange => "xchg",
    };
}
