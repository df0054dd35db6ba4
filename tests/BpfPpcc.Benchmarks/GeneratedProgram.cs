using BpfPpcc.Bpf;
using BpfPpcc.Elf;

namespace BpfPpcc.Benchmarks;

/// <summary>What a generated program consists of, mostly.</summary>
public enum ProgramShape
{
    /// <summary>One block of arithmetic in 64 and 32 bits.</summary>
    StraightLine,

    /// <summary>Diamonds, one behind another, of which each chooses a value.</summary>
    ManyBranches,

    /// <summary>More values that live across calls than there are registers, in stack slots of the BPF program.</summary>
    ManySpills,
}

/// <summary>
/// BPF objects of any size with one program of section xdp, which calls helpers but has no maps. A size is a number of instructions and is
/// kept to within a few; equal arguments give equal bytes.
/// </summary>
internal sealed class GeneratedProgram
{
    private const int KtimeGetNs = 5;
    private const int SlotCount = 48;

    private readonly List<BpfInstruction> _code = [];

    private GeneratedProgram()
    {
    }

    public static byte[] Object(ProgramShape shape, int instructions)
    {
        var program = new GeneratedProgram();
        program.Write(shape, instructions);
        return program.ToObject();
    }

    private void Write(ProgramShape shape, int instructions)
    {
        Add(0x79, dst: 6, src: 1, offset: 0);
        Add(0xb7, dst: 0, imm: 1);
        Add(0xb7, dst: 7, imm: 2);
        Add(0xb7, dst: 8, imm: 3);
        if (shape == ProgramShape.ManySpills)
        {
            for (int slot = 0; slot < SlotCount; slot++)
                Add(0x7b, dst: 10, src: 6, offset: Offset(slot));
        }

        for (int number = 0; _code.Count < instructions - 2; number++)
        {
            switch (shape)
            {
                case ProgramShape.StraightLine:
                    WriteArithmetic(number);
                    break;
                case ProgramShape.ManyBranches:
                    WriteDiamond(number);
                    break;
                case ProgramShape.ManySpills:
                    WriteCall(number);
                    break;
            }
        }

        Add(0x0f, dst: 0, src: 7);
        Add(0x95);
    }

    private void WriteArithmetic(int number)
    {
        Add(0x0f, dst: 0, src: 6);
        Add(0xa4, dst: 7, imm: number * 77);
        Add(0x67, dst: 8, imm: 1 + number % 30);
        Add(0xaf, dst: 8, src: 0);
        Add(0x0c, dst: 7, src: 8);
    }

    /// <summary>if r6 > number goto + 2; r0 += r7; goto + 1; r0 ^= r8; r7 += 1</summary>
    private void WriteDiamond(int number)
    {
        Add(0x25, dst: 6, offset: 2, imm: number);
        Add(0x0f, dst: 0, src: 7);
        Add(0x05, offset: 1);
        Add(0xaf, dst: 0, src: 8);
        Add(0x07, dst: 7, imm: 1);
    }

    private void WriteCall(int number)
    {
        Add(0x85, imm: KtimeGetNs);
        Add(0x79, dst: 2, src: 10, offset: Offset(number % SlotCount));
        Add(0x0f, dst: 2, src: 0);
        Add(0x7b, dst: 10, src: 2, offset: Offset((number * 7 + 3) % SlotCount));
        Add(0x0f, dst: 7, src: 2);
    }

    private static short Offset(int slot) => (short)(-8 * (slot + 1));

    private void Add(byte opcode, byte dst = 0, byte src = 0, short offset = 0, int imm = 0) =>
        _code.Add(new BpfInstruction(opcode, dst, src, offset, imm));

    private byte[] ToObject()
    {
        var bytes = new byte[_code.Count * BpfInstruction.Size];
        for (int i = 0; i < _code.Count; i++)
            _code[i].Encode(bytes.AsSpan(i * BpfInstruction.Size), isBigEndian: false);
        var file = new ElfFile { IsBigEndian = false, Machine = ElfConstants.EM_BPF };
        ElfSection section = file.Add(new ElfSection
        {
            Name = "xdp",
            Type = ElfConstants.SHT_PROGBITS,
            Flags = ElfConstants.SHF_ALLOC | ElfConstants.SHF_EXECINSTR,
            Alignment = 8,
            Contents = bytes,
        });
        file.Add(new ElfSection
        {
            Name = "license",
            Type = ElfConstants.SHT_PROGBITS,
            Flags = ElfConstants.SHF_ALLOC,
            Contents = "GPL\0"u8.ToArray(),
        });
        file.Add(new ElfSymbol
        {
            Name = "program",
            Type = ElfConstants.STT_FUNC,
            Binding = ElfConstants.STB_GLOBAL,
            Section = section,
            Size = (ulong)bytes.Length,
        });
        return ElfWriter.Write(file);
    }
}
