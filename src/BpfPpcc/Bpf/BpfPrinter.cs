using System.Globalization;

namespace BpfPpcc.Bpf;

/// <summary>
/// Prints instructions in the assembly syntax of LLVM's BPF back end, as llvm-objdump -d --mcpu=v4 does. Registers whose upper half
/// the instruction zeroes or ignores print as w0..w10. A slot that <see cref="BpfEncoding"/> finds fault with prints as its five fields:
/// .insn opcode, dst, src, offset, imm.
/// </summary>
/// <remarks>
/// References are printed by name where the caller knows one. A resolver gets a slot index and returns what that slot refers to, or null:
/// for LD_IMM64 the operand in place of the number ("map counters"), for CALL the function ("parse_ip"), for a jump the text that
/// stands in angle brackets behind the offset ("f+0x270").
/// </remarks>
public static class BpfPrinter
{
    /// <summary>The text of the instruction that starts at <paramref name="slot"/>; LD_IMM64 covers two slots.</summary>
    public static string Print(ReadOnlySpan<BpfInstruction> code, int slot, Func<int, string?>? resolve = null)
    {
        BpfInstruction instruction = code[slot];
        if (!instruction.IsLoadImmediate64)
            return Print(instruction, resolve?.Invoke(slot));
        return slot + 1 < code.Length && IsSound(instruction, code[slot + 1])
            ? PrintLoadImmediate64(instruction, code[slot + 1], resolve?.Invoke(slot))
            : PrintFields(instruction);
    }

    /// <summary>How many slots <see cref="Print(ReadOnlySpan{BpfInstruction}, int, Func{int, string?})"/> printed: 1 or 2.</summary>
    public static int SlotsOf(ReadOnlySpan<BpfInstruction> code, int slot) =>
        code[slot].IsLoadImmediate64 && slot + 1 < code.Length && IsSound(code[slot], code[slot + 1]) ? 2 : 1;

    /// <summary>The text of an instruction of one slot.</summary>
    /// <param name="reference">The name of a CALL's target or the place that a jump goes to, or null.</param>
    public static string Print(BpfInstruction instruction, string? reference = null)
    {
        if (instruction.IsLoadImmediate64 || BpfEncoding.Check(instruction) != BpfEncodingFault.None)
            return PrintFields(instruction);
        return instruction.Class switch
        {
            BpfClass.ALU or BpfClass.ALU64 => PrintAlu(instruction),
            BpfClass.JMP or BpfClass.JMP32 => PrintJump(instruction, reference),
            BpfClass.LD => PrintPacketLoad(instruction),
            BpfClass.LDX => PrintLoad(instruction),
            BpfClass.ST => $"{Memory(instruction, instruction.Dst)} = {Hex(instruction.Imm)}",
            BpfClass.STX when !instruction.IsAtomic =>
                $"{Memory(instruction, instruction.Dst)} = {Register(instruction.Src, instruction.MemoryBytes < 8)}",
            BpfClass.STX => PrintAtomic(instruction),
        };
    }

    /// <summary>The text of an LD_IMM64 pair; its subtype (the source field) is shown where it is not the plain number.</summary>
    /// <param name="reference">What the instruction takes the address of, or null for the number.</param>
    public static string PrintLoadImmediate64(BpfInstruction first, BpfInstruction second, string? reference = null) =>
        reference is not null
            ? $"r{first.Dst} = {reference}"
            : $"r{first.Dst} = {Hex((long)first.LoadImmediate64Value(second))} ll" + (first.Src == 0 ? "" : $" pseudo {Decimal(first.Src)}");

    private static bool IsSound(BpfInstruction first, BpfInstruction second) =>
        BpfEncoding.Check(first) == BpfEncodingFault.None && BpfEncoding.CheckSecondSlot(second) == BpfEncodingFault.None;

    private static string PrintFields(BpfInstruction instruction) => string.Create(
        CultureInfo.InvariantCulture,
        $".insn 0x{instruction.Opcode:x2}, {instruction.Dst}, {instruction.Src}, {Hex(instruction.Offset)}, {Hex(instruction.Imm)}");

    private static string PrintAlu(BpfInstruction instruction)
    {
        bool is32 = instruction.Class == BpfClass.ALU;
        string dst = Register(instruction.Dst, is32);
        string operand = Operand(instruction, is32);
        string sign = BpfEncoding.IsSignedDivision(instruction) ? "s" : "";
        return instruction.AluCode switch
        {
            BpfAluCode.ADD => $"{dst} += {operand}",
            BpfAluCode.SUB => $"{dst} -= {operand}",
            BpfAluCode.MUL => $"{dst} *= {operand}",
            BpfAluCode.DIV => $"{dst} {sign}/= {operand}",
            BpfAluCode.OR => $"{dst} |= {operand}",
            BpfAluCode.AND => $"{dst} &= {operand}",
            BpfAluCode.LSH => $"{dst} <<= {operand}",
            BpfAluCode.RSH => $"{dst} >>= {operand}",
            BpfAluCode.NEG => $"{dst} = -{dst}",
            BpfAluCode.MOD => $"{dst} {sign}%= {operand}",
            BpfAluCode.XOR => $"{dst} ^= {operand}",
            BpfAluCode.MOV => PrintMove(instruction, dst, operand),
            BpfAluCode.ARSH => $"{dst} s>>= {operand}",
            BpfAluCode.END => PrintByteOrder(instruction),
        };
    }

    private static string PrintMove(BpfInstruction instruction, string dst, string operand)
    {
        if (BpfEncoding.IsAddressSpaceCast(instruction))
            return $"{dst} = addr_space_cast({operand}, {Hex(instruction.Imm >> 16)}, {Hex(instruction.Imm & 0xffff)})";
        int width = BpfEncoding.SignExtendingMoveWidth(instruction);
        return width == 0 ? $"{dst} = {operand}" : $"{dst} = (s{Decimal(width)}){operand}";
    }

    private static string PrintByteOrder(BpfInstruction instruction)
    {
        string name = instruction.Class == BpfClass.ALU64 ? "bswap" : instruction.Source == BpfSource.X ? "be" : "le";
        return $"r{instruction.Dst} = {name}{Decimal(instruction.Imm)} r{instruction.Dst}";
    }

    private static string PrintJump(BpfInstruction instruction, string? reference)
    {
        string place = Jump(instruction.JumpOffset) + (reference is null ? "" : $" <{reference}>");
        bool is32 = instruction.Class == BpfClass.JMP32;
        return instruction.JumpCode switch
        {
            BpfJumpCode.JA => (is32 ? "gotol " : "goto ") + place,
            BpfJumpCode.JEQ => If("=="),
            BpfJumpCode.JGT => If(">"),
            BpfJumpCode.JGE => If(">="),
            BpfJumpCode.JSET => If("&"),
            BpfJumpCode.JNE => If("!="),
            BpfJumpCode.JSGT => If("s>"),
            BpfJumpCode.JSGE => If("s>="),
            BpfJumpCode.CALL => PrintCall(instruction, reference),
            BpfJumpCode.EXIT => "exit",
            BpfJumpCode.JLT => If("<"),
            BpfJumpCode.JLE => If("<="),
            BpfJumpCode.JSLT => If("s<"),
            BpfJumpCode.JSLE => If("s<="),
            BpfJumpCode.JCOND => "may_goto " + place,
        };

        string If(string relation) => $"if {Register(instruction.Dst, is32)} {relation} {Operand(instruction, is32)} goto {place}";
    }

    /// <summary>LLVM shows the three kinds of call alike; calls within the program and of kernel functions are marked here.</summary>
    private static string PrintCall(BpfInstruction instruction, string? reference)
    {
        if (instruction.IsCallIndirect)
            return $"callx r{instruction.Dst}";
        if (reference is not null)
            return $"call {reference}";
        return instruction.Src switch
        {
            BpfPseudo.LocalCall => $"call local {Jump(instruction.Imm)}",
            BpfPseudo.KfuncCall => $"call kfunc {Hex(instruction.Imm)}",
            _ => $"call {Hex(instruction.Imm)}",
        };
    }

    private static string PrintLoad(BpfInstruction instruction)
    {
        bool isSigned = instruction.Mode == BpfMode.MEMSX;
        string dst = Register(instruction.Dst, !isSigned && instruction.MemoryBytes < 8);
        return $"{dst} = {Memory(instruction, instruction.Src, isSigned ? 's' : 'u')}";
    }

    private static string PrintPacketLoad(BpfInstruction instruction)
    {
        string index = instruction.Mode == BpfMode.ABS ? Hex(instruction.Imm)
            : instruction.Imm == 0 ? $"r{instruction.Src}"
            : $"r{instruction.Src}{Displacement(instruction.Imm)}";
        return $"r0 = *(u{Decimal(instruction.MemoryBytes * 8)} *)skb[{index}]";
    }

    private static string PrintAtomic(BpfInstruction instruction)
    {
        bool is32 = instruction.MemoryBytes < 8;
        string width = Decimal(instruction.MemoryBytes * 8);
        string src = Register(instruction.Src, is32);
        string address = $"r{instruction.Dst}{Displacement(instruction.Offset)}";
        return instruction.Imm switch
        {
            BpfAtomic.ADD => $"lock {Memory(instruction, instruction.Dst)} += {src}",
            BpfAtomic.OR => $"lock {Memory(instruction, instruction.Dst)} |= {src}",
            BpfAtomic.AND => $"lock {Memory(instruction, instruction.Dst)} &= {src}",
            BpfAtomic.XOR => $"lock {Memory(instruction, instruction.Dst)} ^= {src}",
            BpfAtomic.ADD | BpfAtomic.FETCH => $"{src} = atomic_fetch_add((u{width} *)({address}), {src})",
            BpfAtomic.OR | BpfAtomic.FETCH => $"{src} = atomic_fetch_or((u{width} *)({address}), {src})",
            BpfAtomic.AND | BpfAtomic.FETCH => $"{src} = atomic_fetch_and((u{width} *)({address}), {src})",
            BpfAtomic.XOR | BpfAtomic.FETCH => $"{src} = atomic_fetch_xor((u{width} *)({address}), {src})",
            BpfAtomic.XCHG => is32 ? $"{src} = xchg32_32({address}, {src})" : $"{src} = xchg_64({address}, {src})",
            BpfAtomic.CMPXCHG => is32 ? $"w0 = cmpxchg32_32({address}, w0, {src})" : $"r0 = cmpxchg_64({address}, r0, {src})",
            BpfAtomic.LOAD_ACQ =>
                $"{Register(instruction.Dst, is32)} = load_acquire((u{width} *)(r{instruction.Src}{Displacement(instruction.Offset)}))",
            BpfAtomic.STORE_REL => $"store_release((u{width} *)({address}), {src})",
            _ => throw new InvalidOperationException("atomic operation passed the encoding check and has no text"),
        };
    }

    private static string Memory(BpfInstruction instruction, int register, char sign = 'u') =>
        $"*({sign}{Decimal(instruction.MemoryBytes * 8)} *)(r{register}{Displacement(instruction.Offset)})";

    private static string Operand(BpfInstruction instruction, bool is32) =>
        instruction.Source == BpfSource.X ? Register(instruction.Src, is32) : Hex(instruction.Imm);

    private static string Register(int number, bool is32) => (is32 ? "w" : "r") + Decimal(number);

    private static string Displacement(int offset) => offset < 0 ? $" - {Hex(-(long)offset)}" : $" + {Hex(offset)}";

    private static string Jump(int offset) => offset < 0 ? Hex(offset) : "+" + Hex(offset);

    private static string Decimal(int value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Hex(long value) =>
        value < 0
            ? "-0x" + unchecked(0UL - (ulong)value).ToString("x", CultureInfo.InvariantCulture)
            : "0x" + value.ToString("x", CultureInfo.InvariantCulture);
}
