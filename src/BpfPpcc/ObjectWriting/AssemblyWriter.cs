using System.Globalization;
using System.Text;
using BpfPpcc.Collections;
using BpfPpcc.Elf;
using BpfPpcc.Ppc64;
using static BpfPpcc.Elf.ElfConstants;

namespace BpfPpcc.ObjectWriting;

/// <summary>
/// The output object as text for the GNU assembler, which makes the same sections, relocations and symbols of it. References to
/// sections are written as local labels at their starts, which the assembler turns back into section symbols; code is disassembled, with
/// labels at the targets of branches.
/// </summary>
public sealed class AssemblyWriter
{
    private const int BytesPerLine = 16;

    private readonly ElfFile _file;
    private readonly TargetDescription _target;
    private readonly StringBuilder _text = new();
    private readonly Dictionary<ElfSection, List<ElfSymbol>> _symbols = new(ReferenceEqualityComparer.Instance);

    private AssemblyWriter(ElfFile file, TargetDescription target)
    {
        _file = file;
        _target = target;
        foreach (ElfSymbol symbol in file.Symbols)
        {
            if (symbol.Section is null || symbol.Type == STT_SECTION)
                continue;
            if (!_symbols.TryGetValue(symbol.Section, out List<ElfSymbol>? list))
                _symbols.Add(symbol.Section, list = []);
            list.Add(symbol);
        }

        foreach (List<ElfSymbol> list in _symbols.Values)
            list.Sort(static (a, b) => a.Value.CompareTo(b.Value));
    }

    public static string Write(ElfFile file, TargetDescription target) => new AssemblyWriter(file, target).Write();

    private string Write()
    {
        Line($"\t.machine {MachineName(_target.Cpu)}");
        Line($"\t.abiversion {_file.Flags}");
        foreach (ElfSection section in _file.Sections)
            WriteSection(section);
        foreach (ElfSymbol symbol in _file.Symbols)
        {
            if (symbol.IsUndefined && symbol.IsWeak)
                Line($"\t.weak {Quote(symbol.Name)}");
        }

        return _text.ToString();
    }

    private void WriteSection(ElfSection section)
    {
        Line("");
        Line($"\t.section {Quote(section.Name)},\"{FlagLetters(section)}\",{TypeName(section.Type)}");
        Line($"\t.balign {Math.Max(1, section.Alignment)}");
        Line($"{LabelOf(section)}:");
        var cursor = new Cursor(section, _symbols.GetValueOrDefault(section) ?? []);
        if (section.HasFlag(SHF_EXECINSTR))
            WriteCode(section, cursor);
        else if (section.Type == SHT_NOBITS)
            WriteZeros(section, cursor);
        else
            WriteData(section, cursor);
        WriteSymbolsAt(cursor, (long)section.Size);
    }

    private void WriteCode(ElfSection section, Cursor cursor)
    {
        var words = new ByteReader(section.Contents.Span, _file.IsBigEndian);
        bool[] isLabel = FindLabels(section, words);
        Span<long> operands = stackalloc long[Ppc64InstructionTable.MaxOperands];
        for (int offset = 0; offset < words.Length; offset += 4)
        {
            WriteSymbolsAt(cursor, offset);
            if (isLabel[offset / 4])
                Line($"{CodeLabel(offset)}:");
            words.TryReadUInt32((ulong)offset, out uint word);
            ElfRelocation? relocation = cursor.TakeRelocation(offset, length: 4);
            if (!Ppc64Decoder.TryDecode(word, out Ppc64Opcode opcode, operands, out int count))
                throw new InvalidOperationException($"the word {word:x8} at {offset:x} is no instruction of the table");
            Line("\t" + PrintInstruction(opcode, operands[..count], offset, relocation));
        }
    }

    private static string PrintInstruction(Ppc64Opcode opcode, ReadOnlySpan<long> operands, int offset, ElfRelocation? relocation)
    {
        if (relocation is { } found)
        {
            return (Ppc64Relocation)found.Type == Ppc64Relocation.R_PPC64_REL24
                ? Ppc64Printer.Print(opcode, operands, branchTarget: Reference(found.Symbol!, found.Addend))
                : Ppc64Printer.Print(opcode, operands, relocationOperand: HalfwordOperand(found));
        }

        string? target = IsBranch(opcode) ? CodeLabel(offset + (int)operands[^1]) : null;
        return Ppc64Printer.Print(opcode, operands, branchTarget: target);
    }

    /// <summary>By word: a branch goes there, or a relocation measures from there.</summary>
    private static bool[] FindLabels(ElfSection section, ByteReader words)
    {
        var isLabel = new bool[words.Length / 4 + 1];
        var isRelocated = new bool[words.Length / 4 + 1];
        foreach (ElfRelocation relocation in section.Relocations)
        {
            isRelocated[relocation.Offset / 4] = true;
            if (IsMeasuredFromAnchor(relocation))
                isLabel[((long)relocation.Offset - relocation.Addend) / 4] = true;
        }

        Span<long> operands = stackalloc long[Ppc64InstructionTable.MaxOperands];
        for (int offset = 0; offset < words.Length; offset += 4)
        {
            words.TryReadUInt32((ulong)offset, out uint word);
            if (!isRelocated[offset / 4] && Ppc64Decoder.TryDecode(word, out Ppc64Opcode opcode, operands, out int count) && IsBranch(opcode))
                isLabel[(offset + operands[count - 1]) / 4] = true;
        }

        return isLabel;
    }

    private static bool IsMeasuredFromAnchor(ElfRelocation relocation) =>
        (Ppc64Relocation)relocation.Type is Ppc64Relocation.R_PPC64_REL16_HA or Ppc64Relocation.R_PPC64_REL16_LO;

    private static bool IsBranch(Ppc64Opcode opcode) => opcode is Ppc64Opcode.B or Ppc64Opcode.Bl or Ppc64Opcode.Bc;

    /// <summary>The part of an address that goes into a 16-bit field (ELFv2 ABI, 3.5.3, and the assembler's names for it).</summary>
    private static string HalfwordOperand(ElfRelocation relocation)
    {
        switch ((Ppc64Relocation)relocation.Type)
        {
            case Ppc64Relocation.R_PPC64_TOC16_HA:
                return Reference(relocation.Symbol!, relocation.Addend) + "@toc@ha";
            case Ppc64Relocation.R_PPC64_TOC16_LO or Ppc64Relocation.R_PPC64_TOC16_LO_DS:
                return Reference(relocation.Symbol!, relocation.Addend) + "@toc@l";
            case Ppc64Relocation.R_PPC64_REL16_HA:
                return DistanceToToc(relocation) + "@ha";
            case Ppc64Relocation.R_PPC64_REL16_LO:
                return DistanceToToc(relocation) + "@l";
            default:
                throw new InvalidOperationException($"relocation {relocation.Type} of an instruction");
        }
    }

    /// <summary>The addend is the place's distance from the anchor, the start of the function.</summary>
    private static string DistanceToToc(ElfRelocation relocation) =>
        $"({relocation.Symbol!.Name}-{CodeLabel((int)((long)relocation.Offset - relocation.Addend))})";

    private void WriteZeros(ElfSection section, Cursor cursor)
    {
        long offset = 0;
        while (offset < (long)section.Size)
        {
            WriteSymbolsAt(cursor, offset);
            long end = Math.Min(cursor.NextSymbol, (long)section.Size);
            Line($"\t.zero {end - offset}");
            offset = end;
        }
    }

    private void WriteData(ElfSection section, Cursor cursor)
    {
        ReadOnlySpan<byte> bytes = section.Contents.Span;
        int offset = 0;
        while (offset < bytes.Length)
        {
            WriteSymbolsAt(cursor, offset);
            if (cursor.TakeRelocation(offset, length: 1) is { } relocation)
            {
                offset += WriteRelocated(relocation);
                continue;
            }

            int end = (int)Math.Min(Math.Min(cursor.NextSymbol, cursor.NextRelocation), bytes.Length);
            WriteBytes(bytes[offset..end]);
            offset = end;
        }
    }

    /// <returns>Bytes of the field.</returns>
    private int WriteRelocated(ElfRelocation relocation)
    {
        string reference = Reference(relocation.Symbol!, relocation.Addend);
        switch ((Ppc64Relocation)relocation.Type)
        {
            case Ppc64Relocation.R_PPC64_ADDR64:
                Line($"\t.quad {reference}");
                return 8;
            case Ppc64Relocation.R_PPC64_REL32:
                Line($"\t.long {reference}-.");
                return 4;
            default:
                throw new InvalidOperationException($"relocation {relocation.Type} of data");
        }
    }

    private void WriteBytes(ReadOnlySpan<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            int zeros = bytes.IndexOfAnyExcept((byte)0);
            zeros = zeros < 0 ? bytes.Length : zeros;
            if (zeros >= 8)
            {
                Line($"\t.zero {zeros}");
                bytes = bytes[zeros..];
                continue;
            }

            int count = Math.Min(BytesPerLine, bytes.Length);
            _text.Append("\t.byte ");
            for (int i = 0; i < count; i++)
                _text.Append(i == 0 ? "" : ",").Append(CultureInfo.InvariantCulture, $"0x{bytes[i]:x2}");
            _text.Append('\n');
            bytes = bytes[count..];
        }
    }

    private void WriteSymbolsAt(Cursor cursor, long offset)
    {
        while (cursor.NextSymbol == offset)
            WriteSymbol(cursor.TakeSymbol());
    }

    private void WriteSymbol(ElfSymbol symbol)
    {
        string name = Quote(symbol.Name);
        if (symbol.Binding == STB_GLOBAL)
            Line($"\t.globl {name}");
        else if (symbol.Binding == STB_WEAK)
            Line($"\t.weak {name}");
        if (symbol.Visibility == STV_HIDDEN)
            Line($"\t.hidden {name}");
        Line($"\t.type {name},{(symbol.Type == STT_FUNC ? "@function" : "@object")}");
        Line($"\t.size {name},{symbol.Size}");
        Line($"{name}:");
        int entry = symbol.Other >> 5;
        if (entry > 1)
            Line($"\t.localentry {name},{4 << (entry - 2)}");
    }

    /// <summary>A symbol and an addend as an expression.</summary>
    private static string Reference(ElfSymbol symbol, long addend)
    {
        string name = symbol.Type == STT_SECTION ? LabelOf(symbol.Section!) : Quote(symbol.Name);
        return addend == 0 ? name : name + addend.ToString("+0;-0", CultureInfo.InvariantCulture);
    }

    private static string LabelOf(ElfSection section) => Quote(".L" + section.Name);

    private static string CodeLabel(int offset) => string.Create(CultureInfo.InvariantCulture, $".L{offset:x}");

    /// <summary>A name as the assembler reads it: characters that mean something else there need quotation marks.</summary>
    private static string Quote(string name)
    {
        foreach (char c in name)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('_' or '.' or '$'))
                return "\"" + name.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal) + "\"";
        }

        return name;
    }

    private static string FlagLetters(ElfSection section) =>
        (section.HasFlag(SHF_ALLOC) ? "a" : "") + (section.HasFlag(SHF_WRITE) ? "w" : "") + (section.HasFlag(SHF_EXECINSTR) ? "x" : "")
        + (section.HasFlag(SHF_GNU_RETAIN) ? "R" : "");

    private static string TypeName(uint type) => type switch
    {
        SHT_NOBITS => "@nobits",
        SHT_NOTE => "@note",
        _ => "@progbits",
    };

    private static string MachineName(Ppc64Cpu cpu) => cpu switch
    {
        Ppc64Cpu.Power8 => "power8",
        Ppc64Cpu.Power9 => "power9",
        Ppc64Cpu.Power10 => "power10",
    };

    private void Line(string line) => _text.Append(line).Append('\n');

    /// <summary>How far symbols and relocations of a section have been written.</summary>
    private sealed class Cursor(ElfSection section, List<ElfSymbol> symbols)
    {
        private readonly List<ElfRelocation> _relocations = [.. section.Relocations.OrderBy(static relocation => relocation.Offset)];
        private readonly List<ElfSymbol> _symbols = symbols;
        private int _relocation;
        private int _symbol;

        public long NextSymbol => _symbol < _symbols.Count ? (long)_symbols[_symbol].Value : long.MaxValue;

        public long NextRelocation => _relocation < _relocations.Count ? (long)_relocations[_relocation].Offset : long.MaxValue;

        public ElfSymbol TakeSymbol() => _symbols[_symbol++];

        /// <summary>The relocation of one of the bytes that begin at <paramref name="offset"/>, if there is one.</summary>
        public ElfRelocation? TakeRelocation(long offset, int length) =>
            NextRelocation < offset + length ? _relocations[_relocation++] : null;
    }
}
