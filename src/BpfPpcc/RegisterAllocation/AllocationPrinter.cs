using System.Globalization;
using System.Text;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;

namespace BpfPpcc.RegisterAllocation;

/// <summary>
/// Prints a machine function with its allocation: each register operand as `v7=r3`, edits on lines of their own before the instruction
/// that they precede (`r31 := r3`, `slot0 := r4`, `r5 := LoadImmediate 7`), and deleted instructions behind a minus sign.
/// </summary>
public sealed class AllocationPrinter
{
    private static readonly string[] CrBitNames = ["lt", "gt", "eq", "so"];

    private readonly StringBuilder _text = new();
    private readonly MachineFunction _function;
    private readonly Allocation _allocation;
    private int _nextEdit;
    private int _nextDeleted;

    private AllocationPrinter(MachineFunction function, Allocation allocation)
    {
        _function = function;
        _allocation = allocation;
    }

    public static string Print(MachineFunction function, Allocation allocation)
    {
        ArgumentNullException.ThrowIfNull(function);
        ArgumentNullException.ThrowIfNull(allocation);
        var printer = new AllocationPrinter(function, allocation);
        printer.PrintFunction();
        return printer._text.ToString();
    }

    private void PrintFunction()
    {
        _text.Append("function ").Append(_function.Name).Append(CultureInfo.InvariantCulture, $": {_allocation.SpillSlotCount} slots, saves [");
        _text.AppendJoin(' ', _allocation.UsedCalleeSaved).Append("]\n");
        foreach (MachineBlock block in _function.Blocks)
        {
            PrintBlock(block);
        }
    }

    private void PrintBlock(MachineBlock block)
    {
        _text.Append(CultureInfo.InvariantCulture, $"b{block.Index}(");
        _text.AppendJoin(", ", block.Parameters.ConvertAll(static parameter => RegisterName(parameter)));
        _text.Append(CultureInfo.InvariantCulture, $") # frequency {block.Frequency:G4}\n");
        for (int index = 0; index < block.Instructions.Count; index++)
        {
            PrintEdits(block.Index, index);
            bool isDeleted = _nextDeleted < _allocation.Deleted.Length && _allocation.Deleted[_nextDeleted] == (block.Index, index);
            _nextDeleted += isDeleted ? 1 : 0;
            _text.Append(isDeleted ? "  - " : "    ");
            PrintInstruction(block.Instructions[index], _allocation.OperandGprs[block.Index][index]);
            _text.Append('\n');
        }

        foreach (MachineEdge edge in block.Successors)
        {
            if (edge.Arguments.Length > 0)
            {
                _text.Append(CultureInfo.InvariantCulture, $"    -> b{edge.Target}(");
                _text.AppendJoin(", ", Array.ConvertAll(edge.Arguments, static argument => RegisterName(argument))).Append(")\n");
            }
        }
    }

    private void PrintEdits(int block, int instruction)
    {
        for (; _nextEdit < _allocation.Edits.Length; _nextEdit++)
        {
            AllocationEdit edit = _allocation.Edits[_nextEdit];
            if (edit.Block != block || edit.Instruction != instruction)
            {
                return;
            }

            _text.Append("      ").Append(LocationName(edit.To)).Append(" := ");
            if (edit.Rematerialize is null)
            {
                _text.Append(LocationName(edit.From));
            }
            else
            {
                PrintInstruction(edit.Rematerialize, null);
            }

            _text.Append('\n');
        }
    }

    /// <summary>Without GPRs the first operand, which the caller has written, is left out.</summary>
    private void PrintInstruction(MachineInstruction instruction, Gpr[]? gprs)
    {
        _text.Append(instruction.Pseudo == MachinePseudo.None ? instruction.Opcode.ToString() : instruction.Pseudo.ToString());
        string separator = " ";
        for (int index = gprs is null ? 1 : 0; index < instruction.Operands.Length; index++)
        {
            _text.Append(separator);
            separator = ", ";
            PrintOperand(instruction.Operands[index], gprs is null ? Gpr.R0 : gprs[index]);
        }
    }

    private void PrintOperand(in MachineOperand operand, Gpr gpr)
    {
        string text = operand.Kind switch
        {
            MachineOperandKind.VirtualRegister => $"{RegisterName(operand.Register)}={gpr}",
            MachineOperandKind.Gpr => operand.Gpr.ToString(),
            MachineOperandKind.Zero => "0",
            MachineOperandKind.Immediate => operand.Value.ToString(CultureInfo.InvariantCulture),
            MachineOperandKind.CrField => string.Create(CultureInfo.InvariantCulture, $"cr{operand.Number}"),
            MachineOperandKind.CrBit => string.Create(CultureInfo.InvariantCulture, $"cr{operand.Number / 4}.{CrBitNames[operand.Number % 4]}"),
            MachineOperandKind.Block => string.Create(CultureInfo.InvariantCulture, $"b{operand.Number}"),
            MachineOperandKind.Symbol => string.Create(CultureInfo.InvariantCulture, $"symbol{operand.Number}{operand.Value:+0;-0;''}{ModifierName(operand.Modifier)}"),
            MachineOperandKind.Frame => string.Create(CultureInfo.InvariantCulture, $"{operand.Area}{operand.Value:+0;-0;''}"),
        };
        _text.Append(operand.Role == OperandRole.EarlyDef ? "early " : "").Append(text);
    }

    private static string ModifierName(SymbolModifier modifier) => modifier switch
    {
        SymbolModifier.None => "",
        SymbolModifier.TocHa => "@toc@ha",
        SymbolModifier.TocLo => "@toc@l",
    };

    private static string RegisterName(VirtualRegister register) => "v" + register.Number.ToString(CultureInfo.InvariantCulture);

    private static string LocationName(Location location) =>
        location.IsGpr ? location.Gpr.ToString() : "slot" + location.SpillSlot.ToString(CultureInfo.InvariantCulture);
}
