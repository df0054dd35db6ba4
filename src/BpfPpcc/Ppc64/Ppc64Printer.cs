using System.Globalization;
using System.Text;

namespace BpfPpcc.Ppc64;

/// <summary>
/// One instruction as assembly text that the GNU assembler turns back into the same word without options: registers carry the % that it
/// asks for, CR bits are written "4*%cr7+eq", and the extended mnemonics of everyday use stand for the general forms (Power ISA book I,
/// appendix C; book I, 2.4 for branches).
/// </summary>
public static class Ppc64Printer
{
    private static readonly string[] s_crBits = ["lt", "gt", "eq", "so"];

    /// <summary>Prints one instruction: mnemonic, a space, operands; no trailing space.</summary>
    /// <param name="operands">As for <see cref="Ppc64Encoder.Encode"/>.</param>
    /// <param name="branchTarget">Label or symbol that stands for the displacement of a branch; without it that is written ".+8".</param>
    /// <param name="relocationOperand">Expression ("sym@toc@ha") that stands for the 16-bit immediate or displacement.</param>
    public static string Print(
        Ppc64Opcode opcode,
        ReadOnlySpan<long> operands,
        string? branchTarget = null,
        string? relocationOperand = null)
    {
        if (opcode is Ppc64Opcode.Bc or Ppc64Opcode.Bclr or Ppc64Opcode.Bcctr or Ppc64Opcode.Bcctrl
            && TryPrintConditional(opcode, operands, branchTarget) is { } branch)
        {
            return branch;
        }
        if (relocationOperand is null && TryPrintExtended(opcode, operands) is { } extended) return extended;
        if (opcode is Ppc64Opcode.Addi or Ppc64Opcode.Addis && operands[1] == 0)
        {
            string loadImmediate = opcode == Ppc64Opcode.Addi ? "li" : "lis";
            return Join(loadImmediate, Register(operands[0]), relocationOperand ?? Number(operands[2]));
        }
        return PrintGeneral(Ppc64InstructionTable.Row(opcode), operands, branchTarget, relocationOperand);
    }

    /// <summary>Every operand as the row has it, save that CR field 0 is left out of comparisons.</summary>
    private static string PrintGeneral(
        Ppc64InstructionInfo row,
        ReadOnlySpan<long> operands,
        string? branchTarget,
        string? relocationOperand)
    {
        var text = new StringBuilder(row.Mnemonic);
        string separator = " ";
        for (int i = 0; i < operands.Length; i++)
        {
            Ppc64Field field = row.Operands[i].Field;
            if (field == Ppc64Field.BF && operands[i] == 0) continue;

            text.Append(separator);
            separator = ", ";
            string? replacement = Ppc64Fields.Kind(field) == Ppc64FieldKind.BranchTarget ? branchTarget
                : field is Ppc64Field.SI or Ppc64Field.UI or Ppc64Field.D or Ppc64Field.DS ? relocationOperand
                : null;
            text.Append(replacement ?? Operand(field, operands[i]));
            if (Ppc64Fields.Kind(field) == Ppc64FieldKind.Displacement)
            {
                i++;
                text.Append('(').Append(Operand(row.Operands[i].Field, operands[i])).Append(')');
            }
        }
        return text.ToString();
    }

    /// <summary>blt, bnelr, bctr and their like, or null where the options have no name of their own.</summary>
    private static string? TryPrintConditional(Ppc64Opcode opcode, ReadOnlySpan<long> operands, string? branchTarget)
    {
        (int options, int bit) = ((int)operands[0], (int)operands[1]);
        string? name = BranchOptions.IsConditional(options) ? ConditionName(options, bit & 3)
            : bit != 0 ? null
            : options == BranchOptions.Always && opcode != Ppc64Opcode.Bc ? ""
            : opcode is Ppc64Opcode.Bc or Ppc64Opcode.Bclr ? CountName(options)
            : null;
        if (name is null) return null;

        string mnemonic = "b" + name + Ppc64InstructionTable.Row(opcode).Mnemonic["bc".Length..] + BranchOptions.HintSuffix(options);
        string? field = bit >= 4 ? "%cr" + Number(bit >> 2) : null;
        string? target = opcode == Ppc64Opcode.Bc ? branchTarget ?? Operand(Ppc64Field.BD, operands[2]) : null;
        return (field, target) switch
        {
            (null, null) => mnemonic,
            (not null, not null) => Join(mnemonic, field, target),
            _ => mnemonic + " " + (field ?? target),
        };
    }

    private static string ConditionName(int options, int bit) => BranchOptions.IsIfTrue(options)
        ? s_crBits[bit]
        : bit switch
        {
            CrBits.Lt => "ge",
            CrBits.Gt => "le",
            CrBits.Eq => "ne",
            _ => "ns",
        };

    private static string? CountName(int options) => BranchOptions.WithoutHint(options) switch
    {
        BranchOptions.DecrementNonZero => "dnz",
        BranchOptions.DecrementZero => "dz",
        _ => null,
    };

    /// <summary>The extended mnemonics that do not concern branches, or null where the general form is the common one.</summary>
    private static string? TryPrintExtended(Ppc64Opcode opcode, ReadOnlySpan<long> operands)
    {
        if (opcode is Ppc64Opcode.Rlwinm or Ppc64Opcode.RlwinmRc) return TryPrintRotateWord(opcode, operands);
        if (opcode is Ppc64Opcode.Rldicl or Ppc64Opcode.RldiclRc) return TryPrintRotateClearLeft(opcode, operands);
        if (opcode is Ppc64Opcode.Rldicr or Ppc64Opcode.RldicrRc) return TryPrintRotateClearRight(opcode, operands);
        if (opcode == Ppc64Opcode.Rlwnm && operands[3] == 0 && operands[4] == 31) return RotateByRegister("rotlw", operands);
        if (opcode == Ppc64Opcode.Rldcl && operands[3] == 0) return RotateByRegister("rotld", operands);
        if (opcode is Ppc64Opcode.Or or Ppc64Opcode.OrRc && operands[1] == operands[2]) return Unary("mr", opcode, operands);
        if (opcode is Ppc64Opcode.Nor or Ppc64Opcode.NorRc && operands[1] == operands[2]) return Unary("not", opcode, operands);
        if (opcode == Ppc64Opcode.Ori && operands is [0, 0, 0]) return "nop";
        if (opcode == Ppc64Opcode.Tw && operands is [31, 0, 0]) return "trap";
        if (opcode == Ppc64Opcode.Isel && operands[3] < CrBits.So)
        {
            string name = "isel" + s_crBits[operands[3]];
            return Join(name, Register(operands[0]), Operand(Ppc64Field.RA0, operands[1]), Register(operands[2]));
        }
        return null;
    }

    /// <summary>rlwinm RA,RS,SH,MB,ME.</summary>
    private static string? TryPrintRotateWord(Ppc64Opcode opcode, ReadOnlySpan<long> operands)
    {
        (long shift, long begin, long end) = (operands[2], operands[3], operands[4]);
        if (begin == 0 && end == 31) return Rotate("rotlwi", opcode, operands, shift);
        if (shift == 0 && end == 31) return Rotate("clrlwi", opcode, operands, begin);
        if (shift == 0 && begin == 0) return Rotate("clrrwi", opcode, operands, 31 - end);
        if (begin == 0 && end == 31 - shift) return Rotate("slwi", opcode, operands, shift);
        if (end == 31 && begin == 32 - shift) return Rotate("srwi", opcode, operands, begin);
        return null;
    }

    /// <summary>rldicl RA,RS,SH,MB.</summary>
    private static string? TryPrintRotateClearLeft(Ppc64Opcode opcode, ReadOnlySpan<long> operands)
    {
        (long shift, long begin) = (operands[2], operands[3]);
        if (begin == 0) return Rotate("rotldi", opcode, operands, shift);
        if (shift == 0) return Rotate("clrldi", opcode, operands, begin);
        if (begin == 64 - shift) return Rotate("srdi", opcode, operands, begin);
        return null;
    }

    /// <summary>rldicr RA,RS,SH,ME.</summary>
    private static string? TryPrintRotateClearRight(Ppc64Opcode opcode, ReadOnlySpan<long> operands)
    {
        (long shift, long end) = (operands[2], operands[3]);
        if (shift == 0) return Rotate("clrrdi", opcode, operands, 63 - end);
        if (end == 63 - shift) return Rotate("sldi", opcode, operands, shift);
        return null;
    }

    private static string Rotate(string name, Ppc64Opcode opcode, ReadOnlySpan<long> operands, long count) =>
        Join(name + Dot(opcode), Register(operands[0]), Register(operands[1]), Number(count));

    private static string RotateByRegister(string name, ReadOnlySpan<long> operands) =>
        Join(name, Register(operands[0]), Register(operands[1]), Register(operands[2]));

    private static string Unary(string name, Ppc64Opcode opcode, ReadOnlySpan<long> operands) =>
        Join(name + Dot(opcode), Register(operands[0]), Register(operands[1]));

    private static string Dot(Ppc64Opcode opcode) => Ppc64InstructionTable.Row(opcode).Mnemonic.EndsWith('.') ? "." : "";

    private static string Operand(Ppc64Field field, long value) => Ppc64Fields.Kind(field) switch
    {
        Ppc64FieldKind.Gpr => Register(value),
        Ppc64FieldKind.GprOrZero => value == 0 ? "0" : Register(value),
        Ppc64FieldKind.VsxRegister => "%vs" + Number(value),
        Ppc64FieldKind.CrField => "%cr" + Number(value),
        Ppc64FieldKind.CrBit => value < 4 ? s_crBits[value] : "4*%cr" + Number(value >> 2) + "+" + s_crBits[value & 3],
        Ppc64FieldKind.Immediate => Number(value),
        Ppc64FieldKind.Displacement => Number(value),
        Ppc64FieldKind.BranchTarget => value < 0 ? "." + Number(value) : ".+" + Number(value),
    };

    private static string Register(long number) => "%r" + Number(number);

    private static string Number(long value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Join(string mnemonic, params ReadOnlySpan<string> operands) => mnemonic + " " + string.Join(", ", operands);
}
