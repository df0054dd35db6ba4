using System.Globalization;
using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification;

/// <summary>What is wrong with an instruction, wherever it stands.</summary>
internal readonly record struct InstructionFault(DiagnosticId Id, string Message, string? Help);

/// <summary>
/// Instructions that are well-formed and still must not be executed. Linux refuses them where a path leads to them and lets them stand in
/// code that is never reached.
/// </summary>
internal static class InstructionMeaning
{
    public static readonly InstructionFault FramePointerWritten =
        new(DiagnosticId.FramePointerWritten, "the instruction writes r10, the frame pointer, which is read-only", null);

    /// <summary>Programs with arenas are verified, but not compiled.</summary>
    public static readonly InstructionFault AddressSpaceCast = new(
        DiagnosticId.AddressSpaceCastUnsupported, "addr_space_cast is not supported: arenas exist in the Linux kernel only",
        "keep the data in a map or in global variables instead");

    /// <summary>The address of a variable in a section that is an arena.</summary>
    public static InstructionFault ArenaVariable(BpfDataSection section, long offset) => new(
        DiagnosticId.ArenaUnsupported,
        $"'{section.VariableAt(offset)?.Name ?? section.Name}' is a global variable of an arena, which exists in the Linux kernel only",
        "declare the variable without address space (__arena_global)");

    /// <summary>Of an instruction of class ALU or ALU64, or null.</summary>
    public static InstructionFault? FindArithmeticFault(BpfInstruction instruction)
    {
        if (instruction.Source == BpfSource.X || instruction.Class is not (BpfClass.ALU or BpfClass.ALU64))
            return null;
        if (instruction.AluCode is BpfAluCode.DIV or BpfAluCode.MOD && instruction.Imm == 0)
            return DivisionByZero;
        int width = instruction.Class == BpfClass.ALU ? 32 : 64;
        if (instruction.AluCode is BpfAluCode.LSH or BpfAluCode.RSH or BpfAluCode.ARSH && (uint)instruction.Imm >= (uint)width)
        {
            return new InstructionFault(
                DiagnosticId.ConstantShiftOutOfRange,
                string.Create(CultureInfo.InvariantCulture, $"the shift by {instruction.Imm} is outside of 0 to {width - 1}"), null);
        }

        return null;
    }

    /// <summary>
    /// Constant division by zero and constant shifts by the operand's width or more have a meaning in RFC 9669; they are refused because
    /// nobody writes them on purpose, and --no-verify lets them through.
    /// </summary>
    public static bool IsDefined(DiagnosticId id) => id is DiagnosticId.ConstantDivisionByZero or DiagnosticId.ConstantShiftOutOfRange;

    private static readonly InstructionFault DivisionByZero = new(
        DiagnosticId.ConstantDivisionByZero, "the instruction divides by the constant 0",
        "BPF defines the result (0, or the dividend for %); if that is meant, compile with --no-verify");
}
