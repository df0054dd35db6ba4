using System.Globalization;
using System.Text;
using BpfPpcc.Ppc64;
using BpfPpcc.Symbols;

namespace BpfPpcc.Mir;

/// <summary>
/// Machine IR as text: instructions as an assembler would have them, on virtual registers. `%v3:r4` must be in r4, `%v3!` is written
/// while operands are still read, `tied %v3` is read from the register that the first operand writes, `bpf-16(r1)` is 16 below BPF r10.
/// </summary>
public sealed class MirPrinter
{
    private static readonly string[] s_crBits = ["lt", "gt", "eq", "so"];

    private readonly StringBuilder _text = new();
    private readonly SymbolTable _symbols;

    private MirPrinter(SymbolTable symbols) => _symbols = symbols;

    public static string Print(MachineFunction function, SymbolTable symbols)
    {
        var printer = new MirPrinter(symbols);
        printer.Function(function);
        return printer._text.ToString();
    }

    public static string Print(MachineBlock block, MachineInstruction instruction, SymbolTable symbols)
    {
        var printer = new MirPrinter(symbols);
        printer.Instruction(block, instruction);
        return printer._text.ToString();
    }

    private void Function(MachineFunction function)
    {
        _text.Append(function.Name).Append(CultureInfo.InvariantCulture, $" stack={function.BpfStackSize}");
        if (function.IsProgram)
            _text.Append(" program");
        if (function.IsCallableFromC)
            _text.Append(" callable-from-c");
        if (function.NeedsToc)
            _text.Append(" toc");
        _text.Append(function.TailCallRole switch
        {
            TailCallRole.None => "",
            TailCallRole.Owner => " tail-call-owner",
            TailCallRole.Receiver => " tail-call-receiver",
        });
        _text.Append('\n');
        foreach (MachineBlock block in function.Blocks)
            Block(block);
    }

    private void Block(MachineBlock block)
    {
        _text.Append(CultureInfo.InvariantCulture, $"b{block.Index}");
        if (block.Parameters.Count > 0)
            Registers(block.Parameters);
        _text.Append(':');
        if (block.Frequency != 1)
            _text.Append(CultureInfo.InvariantCulture, $" frequency {block.Frequency}");
        _text.Append('\n');
        foreach (MachineInstruction instruction in block.Instructions)
        {
            _text.Append("    ");
            Instruction(block, instruction);
            _text.Append('\n');
        }
    }

    private void Registers(IReadOnlyList<VirtualRegister> registers)
    {
        for (int i = 0; i < registers.Count; i++)
            _text.Append(i == 0 ? "(" : ", ").Append(CultureInfo.InvariantCulture, $"%v{registers[i].Number}");
        _text.Append(')');
    }

    private void Instruction(MachineBlock block, MachineInstruction instruction)
    {
        switch (instruction.Pseudo)
        {
            case MachinePseudo.None:
                Real(instruction);
                break;
            case MachinePseudo.AtomicReadModifyWrite:
                Atomic(instruction);
                break;
            case MachinePseudo.AtomicCompareExchange:
                _text.Append(CultureInfo.InvariantCulture, $"atomic-compare-exchange.{instruction.Operands[^1].Value * 8}");
                Operands(instruction.Operands.AsSpan(0, 4));
                break;
            case MachinePseudo.Jump or MachinePseudo.Branch or MachinePseudo.BranchOnCount:
                Edges(block, instruction);
                break;
            case MachinePseudo.LoadImmediate or MachinePseudo.LoadLiteral or MachinePseudo.LoadAddress or MachinePseudo.LoadExternAddress
                or MachinePseudo.Copy or MachinePseudo.Arguments or MachinePseudo.CallExtern or MachinePseudo.CallLocal or MachinePseudo.CallIndirect
                or MachinePseudo.SetCount or MachinePseudo.Return or MachinePseudo.TailCallJump or MachinePseudo.Unreachable:
                _text.Append(Name(instruction.Pseudo));
                Operands(instruction.Operands);
                break;
        }
    }

    private static string Name(MachinePseudo pseudo) => pseudo switch
    {
        MachinePseudo.None => "",
        MachinePseudo.LoadImmediate => "load-immediate",
        MachinePseudo.LoadLiteral => "load-literal",
        MachinePseudo.LoadAddress => "load-address",
        MachinePseudo.LoadExternAddress => "load-extern-address",
        MachinePseudo.Copy => "copy",
        MachinePseudo.Arguments => "arguments",
        MachinePseudo.CallExtern => "call-extern",
        MachinePseudo.CallLocal => "call-local",
        MachinePseudo.CallIndirect => "call-indirect",
        MachinePseudo.AtomicReadModifyWrite => "atomic",
        MachinePseudo.AtomicCompareExchange => "atomic-compare-exchange",
        MachinePseudo.SetCount => "set-count",
        MachinePseudo.Jump => "jump",
        MachinePseudo.Branch => "branch",
        MachinePseudo.BranchOnCount => "branch-on-count",
        MachinePseudo.Return => "return",
        MachinePseudo.TailCallJump => "tail-call-jump",
        MachinePseudo.Unreachable => "unreachable",
    };

    /// <summary>A row of the table: displacements stand before their base in parentheses.</summary>
    private void Real(MachineInstruction instruction)
    {
        Ppc64InstructionInfo row = Ppc64InstructionTable.Row(instruction.Opcode);
        _text.Append(row.Mnemonic);
        bool isInParentheses = false;
        for (int i = 0; i < instruction.Operands.Length; i++)
        {
            bool isTied = i >= row.Operands.Length;
            _text.Append(isInParentheses ? "(" : isTied ? " tied " : i == 0 ? " " : ", ");
            Operand(instruction.Operands[i]);
            if (isInParentheses)
                _text.Append(')');
            isInParentheses = !isTied && Ppc64Fields.Kind(row.Operands[i].Field) == Ppc64FieldKind.Displacement;
        }
    }

    private void Atomic(MachineInstruction instruction)
    {
        string kind = (AtomicKind)instruction.Operands[4].Value switch
        {
            AtomicKind.Add => "add",
            AtomicKind.Or => "or",
            AtomicKind.And => "and",
            AtomicKind.Xor => "xor",
            AtomicKind.Exchange => "exchange",
        };
        _text.Append(CultureInfo.InvariantCulture, $"atomic-{kind}.{instruction.Operands[5].Value * 8}");
        if (instruction.Operands[6].Value != 0)
            _text.Append(".ordered");
        Operands(instruction.Operands.AsSpan(0, 4));
    }

    private void Edges(MachineBlock block, MachineInstruction terminator)
    {
        _text.Append(Name(terminator.Pseudo));
        if (terminator.Pseudo == MachinePseudo.Branch)
        {
            _text.Append(' ');
            Operand(terminator.Operands[0]);
            _text.Append(terminator.Operands[1].Value != 0 ? " set," : " clear,");
        }

        for (int i = 0; i < block.Successors.Count; i++)
        {
            MachineEdge edge = block.Successors[i];
            _text.Append(i == 0 ? " " : ", ").Append(CultureInfo.InvariantCulture, $"b{edge.Target}");
            if (edge.Arguments.Length > 0)
                Registers(edge.Arguments);
        }
    }

    private void Operands(ReadOnlySpan<MachineOperand> operands)
    {
        for (int i = 0; i < operands.Length; i++)
        {
            _text.Append(i == 0 ? " " : ", ");
            Operand(operands[i]);
        }
    }

    private void Operand(MachineOperand operand)
    {
        switch (operand.Kind)
        {
            case MachineOperandKind.VirtualRegister:
                _text.Append(CultureInfo.InvariantCulture, $"%v{operand.Number}");
                if (operand.FixedGpr != MachineOperand.Unconstrained)
                    _text.Append(CultureInfo.InvariantCulture, $":r{operand.FixedGpr}");
                if (operand.Role == OperandRole.EarlyDef)
                    _text.Append('!');
                break;
            case MachineOperandKind.Gpr:
                _text.Append(operand.Gpr);
                break;
            case MachineOperandKind.Zero:
                _text.Append('0');
                break;
            case MachineOperandKind.Immediate:
                _text.Append(CultureInfo.InvariantCulture, $"{operand.Value}");
                break;
            case MachineOperandKind.CrField:
                _text.Append(CultureInfo.InvariantCulture, $"cr{operand.Number}");
                break;
            case MachineOperandKind.CrBit:
                _text.Append(CultureInfo.InvariantCulture, $"cr{operand.Number / 4}.{s_crBits[operand.Number % 4]}");
                break;
            case MachineOperandKind.Block:
                _text.Append(CultureInfo.InvariantCulture, $"b{operand.Number}");
                break;
            case MachineOperandKind.Symbol:
                Symbol(operand);
                break;
            case MachineOperandKind.Frame:
                _text.Append(operand.Area switch
                {
                    FrameArea.BpfStack => "bpf",
                    FrameArea.TailCallCount => "tail-call-count",
                });
                Addend(operand.Value);
                break;
        }
    }

    private void Symbol(MachineOperand operand)
    {
        _text.Append(_symbols[operand.Symbol].Name);
        Addend(operand.Value);
        _text.Append(operand.Modifier switch
        {
            SymbolModifier.None => "",
            SymbolModifier.TocHa => "@toc@ha",
            SymbolModifier.TocLo => "@toc@l",
        });
    }

    private void Addend(long value)
    {
        if (value != 0)
            _text.Append(value.ToString("+0;-0", CultureInfo.InvariantCulture));
    }
}
