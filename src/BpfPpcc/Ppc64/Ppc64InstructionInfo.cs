using System.Collections.Immutable;

namespace BpfPpcc.Ppc64;

/// <summary>A row of <see cref="Ppc64InstructionTable"/>: all that is known of one instruction.</summary>
public sealed class Ppc64InstructionInfo
{
    internal Ppc64InstructionInfo(
        Ppc64Opcode opcode,
        string mnemonic,
        uint word,
        ImmutableArray<Ppc64Operand> operands,
        Ppc64Effects effects = Ppc64Effects.None,
        Ppc64Cpu since = Ppc64Cpu.Power8)
    {
        Opcode = opcode;
        Mnemonic = mnemonic;
        Word = word;
        Operands = operands;
        Effects = effects;
        Since = since;
        foreach (Ppc64Operand operand in operands) FieldMask |= Ppc64Fields.Mask(operand.Field);
    }

    public Ppc64Opcode Opcode { get; }

    /// <summary>As the manual writes it, with the dot of record forms.</summary>
    public string Mnemonic { get; }

    /// <summary>The instruction with all operand fields zero: primary and extended opcode and other fixed bits.</summary>
    public uint Word { get; }

    /// <summary>In the order of the assembler's syntax.</summary>
    public ImmutableArray<Ppc64Operand> Operands { get; }

    public Ppc64Effects Effects { get; }

    /// <summary>Oldest processor that has it.</summary>
    public Ppc64Cpu Since { get; }

    /// <summary>The bits that operands fill; all others are those of <see cref="Word"/>, reserved bits being 0.</summary>
    public uint FieldMask { get; }

    public override string ToString() => Mnemonic;
}
