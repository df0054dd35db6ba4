using System.Collections.Immutable;
using BpfPpcc.Mir;
using BpfPpcc.Ppc64;

namespace BpfPpcc.Emission;

/// <summary>Writes instructions that are one row of the Power ISA: registers as allocated, frame operands and symbols as displacements.</summary>
internal sealed class InstructionEmission(FrameCode frame, CodeBuffer code)
{
    private readonly FrameCode _frame = frame;
    private readonly CodeBuffer _code = code;

    /// <param name="gprs">By operand; read for virtual registers only.</param>
    public void Write(MachineInstruction instruction, ReadOnlySpan<Gpr> gprs)
    {
        ImmutableArray<Ppc64Operand> fields = Ppc64InstructionTable.Row(instruction.Opcode).Operands;
        Span<long> values = stackalloc long[Ppc64InstructionTable.MaxOperands];
        for (int i = 0; i < fields.Length; i++)
        {
            MachineOperand operand = instruction.Operands[i];
            values[i] = operand.Kind switch
            {
                MachineOperandKind.VirtualRegister => NumberOf(gprs[i], fields[i].Field),
                MachineOperandKind.Gpr => NumberOf(operand.Gpr, fields[i].Field),
                MachineOperandKind.Zero => 0,
                MachineOperandKind.Immediate => operand.Value,
                MachineOperandKind.CrField or MachineOperandKind.CrBit => operand.Number,
                MachineOperandKind.Frame => _frame.Displacement(operand.Area, operand.Value),
                MachineOperandKind.Symbol => Relocate(operand, fields[i].Field),
                MachineOperandKind.Block => throw new InvalidOperationException($"{instruction.Opcode} has a block as an operand"),
            };
        }

        _code.Emit(instruction.Opcode, values[..fields.Length]);
    }

    /// <summary>In a field (RA|0) the number 0 would mean the value zero, which selection asks for by an operand of its own.</summary>
    private static long NumberOf(Gpr gpr, Ppc64Field field) => field != Ppc64Field.RA0 || gpr.Number != 0
        ? gpr.Number
        : throw new InvalidOperationException("r0 in a field in which it reads as zero");

    private long Relocate(MachineOperand operand, Ppc64Field field)
    {
        Ppc64Relocation type = operand.Modifier switch
        {
            SymbolModifier.TocHa => Ppc64Relocation.R_PPC64_TOC16_HA,
            SymbolModifier.TocLo => field == Ppc64Field.DS ? Ppc64Relocation.R_PPC64_TOC16_LO_DS : Ppc64Relocation.R_PPC64_TOC16_LO,
            SymbolModifier.None => throw new InvalidOperationException("a symbol without a modifier is no operand of an instruction"),
        };
        _code.Relocate(type, operand.Symbol, operand.Value);
        return 0;
    }
}
