using BpfPpcc.Bpf;
using BpfPpcc.Diagnostics;
using BpfPpcc.Elf;
using static BpfPpcc.Elf.ElfConstants;
using static BpfPpcc.Loading.RelocationTypes;

namespace BpfPpcc.Loading;

/// <summary>A section of instructions, decoded, with its relocations by slot.</summary>
internal sealed class CodeSection
{
    private readonly BpfInstruction[] _instructions;

    /// <summary>By slot: 1 + index of its relocation, 0 if it has none.</summary>
    private readonly int[] _relocations;

    /// <summary>By slot: why the instruction must not be executed.</summary>
    private readonly Dictionary<int, string> _poison = [];

    private CodeSection(ElfSection section)
    {
        Section = section;
        _instructions = Decode(section.Contents.Span);
        _relocations = new int[_instructions.Length];
    }

    public ElfSection Section { get; }

    public ReadOnlySpan<BpfInstruction> Instructions => _instructions;

    /// <summary>The code sections of the object, in file order; null after an error.</summary>
    public static List<CodeSection>? ReadAll(LoadingContext context)
    {
        var sections = new List<CodeSection>();
        foreach (ElfSection section in context.File.Sections)
        {
            if (context.KindOf(section) != SectionKind.Code)
                continue;
            if (section.Type == SHT_NOBITS || section.Size % BpfInstruction.Size != 0)
            {
                string what = $"has {section.Size} bytes, which are not whole instructions of {BpfInstruction.Size} bytes";
                context.Fail(DiagnosticId.ProgramMalformed, $"section '{section.Name}' {what}", section.Name);
                return null;
            }

            var code = new CodeSection(section);
            if (!code.TryPlaceRelocations(context))
                return null;
            sections.Add(code);
        }

        return sections;
    }

    public bool HasRelocation(int slot) => _relocations[slot] != 0;

    /// <summary>Why the instruction at a slot must not be executed, or null.</summary>
    public string? PoisonOf(int slot) => _poison.GetValueOrDefault(slot);

    /// <summary>Writes the result of a CO-RE relocation into the instruction at a slot; false with a fault ("stands on ...").</summary>
    /// <param name="end">The slot behind the function.</param>
    public bool TryPatch(int slot, int end, CoreResult result, out string fault)
    {
        if (!CorePatch.TryApply(_instructions.AsSpan(slot, Math.Min(2, end - slot)), result, out string? poison, out fault))
            return false;
        if (poison is not null)
            _poison[slot] = poison;
        return true;
    }

    /// <summary>The relocation of a slot that has one.</summary>
    public ElfRelocation RelocationOf(int slot) => Section.Relocations[_relocations[slot] - 1];

    /// <summary>
    /// What is to be added to the symbol of the relocation of a slot, in bytes: of CALL, the immediate holds the offset of the target
    /// in slots, minus 1; of LD_IMM64, the two immediates hold the offset in bytes (bpf/llvm_reloc.rst).
    /// </summary>
    public long AddendOf(int slot)
    {
        ElfRelocation relocation = RelocationOf(slot);
        if (!relocation.IsImplicit)
            return relocation.Addend;
        int low = Instructions[slot].Imm;
        if (relocation.Type == R_BPF_64_32)
            return ((long)low + 1) * BpfInstruction.Size;

        // An addend that only fills the low half is signed, as loaders read it.
        int high = slot + 1 < Instructions.Length ? Instructions[slot + 1].Imm : 0;
        return high == 0 ? low : (long)high << 32 | (uint)low;
    }

    /// <summary>
    /// The byte offset in this section to which a call or code address without a relocation refers: its immediate counts slots from the
    /// one behind the instruction's first (RFC 9669, 4.3.2 and 5.4).
    /// </summary>
    public bool TryRelativeTarget(int slot, out long offset)
    {
        BpfInstruction instruction = Instructions[slot];
        offset = ((long)slot + 1 + instruction.Imm) * BpfInstruction.Size;
        bool isCall = instruction.IsCall && instruction.Src == BpfPseudo.LocalCall;
        bool isAddress = instruction.IsLoadImmediate64 && instruction.Src == BpfPseudo.CodeAddress;
        return !HasRelocation(slot) && (isCall || isAddress);
    }

    private bool TryPlaceRelocations(LoadingContext context)
    {
        for (int i = 0; i < Section.Relocations.Count; i++)
        {
            ElfRelocation relocation = Section.Relocations[i];
            if (relocation.Type == R_BPF_NONE && !TryTypeOf(relocation, out relocation))
                continue;
            Section.Relocations[i] = relocation;
            string where = $"the relocation at {LoadingContext.Hex(relocation.Offset)} of section '{Section.Name}'";
            if (relocation.Type is not (R_BPF_64_64 or R_BPF_64_32))
            {
                string message = $"{where} has type {relocation.Type}, which code does not have";
                return context.Fail(DiagnosticId.RelocationUnsupported, message, Section.Name);
            }

            if (relocation.Offset % BpfInstruction.Size != 0)
                return context.Fail(DiagnosticId.RelocationMalformed, $"{where} is not at the start of an instruction", Section.Name);
            ref int place = ref _relocations[relocation.Offset / BpfInstruction.Size];
            if (place != 0)
                return context.Fail(DiagnosticId.RelocationMalformed, $"{where} is the second one of its instruction", Section.Name);
            place = i + 1;
        }

        return true;
    }

    /// <summary>Clang before version 4 gave all relocations the number 0: what they mean is what their instruction needs.</summary>
    private bool TryTypeOf(ElfRelocation relocation, out ElfRelocation typed)
    {
        typed = relocation;
        ulong slot = relocation.Offset / BpfInstruction.Size;
        if (relocation.Symbol is null || slot >= (ulong)_instructions.Length)
            return false;
        BpfInstruction instruction = _instructions[slot];
        if (!instruction.IsLoadImmediate64 && !instruction.IsCall)
            return false;
        typed = relocation with { Type = instruction.IsCall ? R_BPF_64_32 : R_BPF_64_64 };
        return true;
    }

    private static BpfInstruction[] Decode(ReadOnlySpan<byte> bytes)
    {
        var instructions = new BpfInstruction[bytes.Length / BpfInstruction.Size];
        for (int i = 0; i < instructions.Length; i++)
            instructions[i] = BpfInstruction.Decode(bytes[(i * BpfInstruction.Size)..], isBigEndian: false);
        return instructions;
    }
}
