using System.Text;

namespace BpfPpcc.Tests.Execution;

/// <summary>
/// Prints test programs as BPF assembly in the syntax of LLVM's assembler, with references by name and jump targets as labels, so that
/// `llvm-mc --triple=bpfel --mcpu=v4` makes the same slots of the text.
/// </summary>
public static class BpfAssemblyPrinter
{
    private static readonly string[] Operators = ["+", "-", "*", "/", "|", "&", "<<", ">>", "", "%", "^", "", "s>>"];

    private static readonly string[] Comparisons = ["", "==", ">", ">=", "&", "!=", "s>", "s>=", "", "", "<", "<=", "s<", "s<="];

    /// <summary>A function as text; labels are L and the number of the slot.</summary>
    /// <param name="nameOf">The text for what a reference refers to.</param>
    public static string Print(TestFunction function, Func<SlotReference, string> nameOf)
    {
        var references = function.References.ToDictionary(static r => r.Slot);
        var targets = new HashSet<int>();
        for (int i = 0; i < function.Slots.Count; i++)
        {
            if (function.Slots[i].IsJump)
                targets.Add(i + 1 + function.Slots[i].JumpOffset);
        }

        var text = new StringBuilder();
        text.Append(function.Name).Append(":\n");
        for (int i = 0; i < function.Slots.Count; i++)
        {
            if (targets.Contains(i))
                text.Append('L').Append(i).Append(":\n");
            Slot slot = function.Slots[i];
            text.Append("    ");
            if (references.TryGetValue(i, out SlotReference reference))
                text.Append(slot.IsLoadImmediate64 ? $"r{slot.Dst} = {nameOf(reference)} ll" : $"call {nameOf(reference)}");
            else if (slot.IsLoadImmediate64)
                text.Append(Constant(slot, function.Slots[i + 1]));
            else
                text.Append(Print(slot, i));
            text.Append('\n');
            if (slot.IsLoadImmediate64)
                i++;
        }

        return text.ToString();
    }

    private static string Constant(Slot slot, Slot second) => $"r{slot.Dst} = 0x{(ulong)(uint)second.Imm << 32 | (uint)slot.Imm:x} ll";

    private static string Print(Slot slot, int index)
    {
        switch (slot.Opcode & 7)
        {
            case 4 or 7:
                return Arithmetic(slot);
            case 5 or 6:
                return Jump(slot, index);
            case 0:
                string size = SizeOf(slot) switch { 1 => "u8", 2 => "u16", _ => "u32" };
                return slot.Opcode >> 5 == 1 ? $"r0 = *({size} *)skb[{slot.Imm}]" : $"r0 = *({size} *)skb[r{slot.Src}{(slot.Imm == 0 ? "" : $" + {slot.Imm}")}]";
            case 1:
                return $"{ShortName(slot, slot.Dst)} = *({(slot.Opcode >> 5 == 4 ? "s" : "u")}{8 * SizeOf(slot)} *)({Address(slot.Src, slot.Offset)})";
            case 2:
                return $"*(u{8 * SizeOf(slot)} *)({Address(slot.Dst, slot.Offset)}) = {slot.Imm}";
            default:
                return slot.Opcode >> 5 == 6 ? Atomic(slot) : $"*(u{8 * SizeOf(slot)} *)({Address(slot.Dst, slot.Offset)}) = {ShortName(slot, slot.Src)}";
        }
    }

    // LLVM writes w registers for loads and stores of less than 64 bits at -mcpu=v3 and up; r registers mean the same slot.
    private static string ShortName(Slot slot, int register) => SizeOf(slot) < 8 && slot.Opcode >> 5 == 3 ? $"w{register}" : $"r{register}";

    private static string Address(int register, int offset) => offset < 0 ? $"r{register} - {-offset}" : $"r{register} + {offset}";

    private static int SizeOf(Slot slot) => ((slot.Opcode >> 3) & 3) switch { 0 => 4, 1 => 2, 2 => 1, _ => 8 };

    private static string Arithmetic(Slot slot)
    {
        int operation = slot.Opcode >> 4;
        bool is64 = (slot.Opcode & 7) == 7;
        string register = is64 ? "r" : "w";
        string dst = register + slot.Dst;
        string source = (slot.Opcode & 8) != 0 ? register + slot.Src : $"{slot.Imm}";
        return operation switch
        {
            0x8 => $"{dst} = -{dst}",
            0xb when slot.Offset != 0 => $"{dst} = (s{slot.Offset}){source}",
            0xb => $"{dst} = {source}",
            0xd => $"r{slot.Dst} = {(is64 ? "bswap" : (slot.Opcode & 8) != 0 ? "be" : "le")}{slot.Imm} r{slot.Dst}",
            _ => $"{dst} {(slot.Offset == 1 ? "s" : "")}{Operators[operation]}= {source}",
        };
    }

    private static string Jump(Slot slot, int index)
    {
        switch (slot.Opcode)
        {
            case 0x05:
                return $"goto L{index + 1 + slot.Offset}";
            case 0x06:
                return $"gotol L{index + 1 + slot.Imm}";
            case 0x85:
                return $"call {slot.Imm}";
            case 0x8d:
                return $"callx r{slot.Dst}";
            case 0x95:
                return "exit";
            case 0xe5:
                return $"may_goto L{index + 1 + slot.Offset}";
            default:
                string register = (slot.Opcode & 7) == 5 ? "r" : "w";
                string source = (slot.Opcode & 8) != 0 ? register + slot.Src : $"{slot.Imm}";
                return $"if {register}{slot.Dst} {Comparisons[slot.Opcode >> 4]} {source} goto L{index + 1 + slot.Offset}";
        }
    }

    private static string Atomic(Slot slot)
    {
        int size = SizeOf(slot);
        string register = size == 4 ? "w" : "r";
        string address = Address(slot.Dst, slot.Offset);
        string place = $"*(u{8 * size} *)({address})";
        string fetched = $"{register}{slot.Src} = atomic_fetch_";
        string operands = $"(({(size == 4 ? "u32" : "u64")} *)({address}), {register}{slot.Src})";
        return slot.Imm switch
        {
            0x00 => $"lock {place} += {register}{slot.Src}",
            0x40 => $"lock {place} |= {register}{slot.Src}",
            0x50 => $"lock {place} &= {register}{slot.Src}",
            0xa0 => $"lock {place} ^= {register}{slot.Src}",
            0x01 => $"{fetched}add{operands}",
            0x41 => $"{fetched}or{operands}",
            0x51 => $"{fetched}and{operands}",
            0xa1 => $"{fetched}xor{operands}",
            0xe1 => size == 4 ? $"w{slot.Src} = xchg32_32({address}, w{slot.Src})" : $"r{slot.Src} = xchg_64({address}, r{slot.Src})",
            0xf1 => size == 4 ? $"w0 = cmpxchg32_32({address}, w0, w{slot.Src})" : $"r0 = cmpxchg_64({address}, r0, r{slot.Src})",
            0x100 => $"{(size == 8 ? "r" : "w")}{slot.Dst} = load_acquire((u{8 * size} *)({Address(slot.Src, slot.Offset)}))",
            0x110 => $"store_release((u{8 * size} *)({address}), {(size == 8 ? "r" : "w")}{slot.Src})",
            _ => $"atomic {slot.Imm}",
        };
    }
}
