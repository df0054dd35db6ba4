using System.Globalization;
using System.Text;
using BpfPpcc.Ppc64;
using BpfPpcc.Symbols;

namespace BpfPpcc.Emission;

/// <summary>Compiled functions as text, for --dump: per instruction the offset, the word and the assembler's form, with what is tied to the place.</summary>
public static class CodePrinter
{
    /// <param name="symbols">For the names in relocations.</param>
    public static string Print(CompiledFunction function, SymbolTable symbols)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"function {function.Name}: {function.CodeSize} bytes, frame {function.FrameSize}");
        text.Append(CultureInfo.InvariantCulture, $", BPF stack {function.BpfStackSize}, local entry +{function.LocalEntryOffset}");
        if (function.TailEntryOffset >= 0)
            text.Append(CultureInfo.InvariantCulture, $", tail entry +{function.TailEntryOffset}");
        text.Append(function.NeedsToc ? ", TOC\n" : ", no TOC\n");

        int relocation = 0, call = 0, cfi = 0, position = 0;
        for (int offset = 0; offset < function.CodeSize; offset += 4)
        {
            for (; position < function.Positions.Length && function.Positions[position].CodeOffset == offset; position++)
                text.Append(CultureInfo.InvariantCulture, $"  ; slot {function.Positions[position].Slot}\n");
            for (; cfi < function.Cfi.Length && function.Cfi[cfi].CodeOffset == offset; cfi++)
                text.Append(CultureInfo.InvariantCulture, $"            {Describe(function.Cfi[cfi])}\n");
            text.Append(CultureInfo.InvariantCulture, $"  {offset,5:x}  {function.Code[offset / 4]:x8}  {Disassemble(function.Code[offset / 4])}");
            for (; relocation < function.Relocations.Length && function.Relocations[relocation].Offset == offset; relocation++)
                text.Append(CultureInfo.InvariantCulture, $"  ; {Describe(function.Relocations[relocation], symbols)}");
            for (; call < function.LocalCalls.Length && function.LocalCalls[call].Offset == offset; call++)
                text.Append(CultureInfo.InvariantCulture, $"  ; {symbols[function.LocalCalls[call].Callee].Name}");
            text.Append('\n');
        }

        return text.ToString();
    }

    private static string Disassemble(uint word)
    {
        Span<long> operands = stackalloc long[Ppc64InstructionTable.MaxOperands];
        return Ppc64Decoder.TryDecode(word, out Ppc64Opcode opcode, operands, out int count)
            ? Ppc64Printer.Print(opcode, operands[..count])
            : ".long 0x" + word.ToString("x8", CultureInfo.InvariantCulture);
    }

    private static string Describe(CodeRelocation relocation, SymbolTable symbols)
    {
        if (relocation.Symbol.IsNone && relocation.ThroughTocEntry)
            return $"{relocation.Type} 0x{relocation.Addend:x} through .toc";
        string name = relocation.Symbol.IsNone ? ".TOC." : symbols[relocation.Symbol].Name;
        string addend = relocation.Addend == 0 ? "" : relocation.Addend.ToString("+0;-0", CultureInfo.InvariantCulture);
        string through = relocation.ThroughTocEntry ? " through .toc" : "";
        return $"{relocation.Type} {name}{addend}{through}";
    }

    private static string Describe(CfiInstruction row)
    {
        CultureInfo culture = CultureInfo.InvariantCulture;
        return row.Kind switch
        {
            CfiKind.DefineCfaOffset => string.Create(culture, $".cfi_def_cfa_offset {row.Value}"),
            CfiKind.Offset => string.Create(culture, $".cfi_offset {row.Register}, {row.Value}"),
            CfiKind.Restore => string.Create(culture, $".cfi_restore {row.Register}"),
            CfiKind.RememberState => ".cfi_remember_state",
            CfiKind.RestoreState => ".cfi_restore_state",
        };
    }
}
