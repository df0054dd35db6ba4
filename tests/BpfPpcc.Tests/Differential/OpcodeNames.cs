using BpfPpcc.Tests.Execution;

namespace BpfPpcc.Tests.Differential;

/// <summary>A name for every instruction form, for the coverage report: operation, width, source of the operand.</summary>
public static class OpcodeNames
{
    private static readonly string[] Arithmetic =
        ["add", "sub", "mul", "div", "or", "and", "lsh", "rsh", "neg", "mod", "xor", "mov", "arsh"];

    private static readonly string?[] Jumps =
        [null, "jeq", "jgt", "jge", "jset", "jne", "jsgt", "jsge", null, null, "jlt", "jle", "jslt", "jsle", null, null];

    private static readonly (int Imm, string Name)[] Atomics =
    [
        (0x00, "add"), (0x40, "or"), (0x50, "and"), (0xa0, "xor"), (0x01, "fetch_add"), (0x41, "fetch_or"), (0x51, "fetch_and"),
        (0xa1, "fetch_xor"), (0xe1, "xchg"), (0xf1, "cmpxchg"),
    ];

    /// <summary>The form of a slot.</summary>
    public static string Of(Slot slot)
    {
        int operation = slot.Opcode >> 4;
        bool isRegister = (slot.Opcode & 8) != 0;
        string source = isRegister ? "register" : "immediate";
        int size = ((slot.Opcode >> 3) & 3) switch { 0 => 4, 1 => 2, 2 => 1, _ => 8 };
        switch (slot.Opcode & 7)
        {
            case 4 or 7:
                bool is64 = (slot.Opcode & 7) == 7;
                if (operation == 0xd)
                    return (is64 ? "bswap" : isRegister ? "to_be" : "to_le") + slot.Imm;
                string name = Arithmetic[operation];
                string width = is64 ? "64" : "32";
                if (operation == 0xb && slot.Offset != 0)
                    return $"movsx{slot.Offset} to {width}";
                if (operation == 0x8)
                    return name + width;
                return $"{(slot.Offset == 1 ? "s" : "")}{name}{width} {source}";
            case 5 or 6:
                return slot.Opcode switch
                {
                    0x05 => "ja",
                    0x06 => "gotol",
                    0x85 => slot.Src == 1 ? "call subprogram" : "call helper",
                    0x8d => "callx",
                    0x95 => "exit",
                    0xe5 => "may_goto",
                    _ => $"{Jumps[operation]}{((slot.Opcode & 7) == 5 ? "64" : "32")} {source}",
                };
            case 0:
                return slot.Opcode switch
                {
                    0x18 => "ld_imm64",
                    0 => "second slot",
                    _ => $"{(slot.Opcode >> 5 == 1 ? "ld_abs" : "ld_ind")} {size}",
                };
            case 1:
                return $"{(slot.Opcode >> 5 == 4 ? "ldxsx" : "ldx")} {size}";
            case 2:
                return $"st {size}";
            default:
                if (slot.Opcode >> 5 != 6)
                    return $"stx {size}";
                if (slot.Imm is 0x100 or 0x110)
                    return $"{(slot.Imm == 0x100 ? "load_acquire" : "store_release")} {size}";
                return $"atomic {Array.Find(Atomics, a => a.Imm == slot.Imm).Name} {size}";
        }
    }

    /// <summary>The form of a conditional jump's opcode.</summary>
    public static string Of(byte opcode) => Of(new Slot(opcode, 0, 0, 0, 0));

    /// <summary>Opcodes of all conditional jumps.</summary>
    public static IEnumerable<byte> ConditionalJumps()
    {
        for (int code = 0; code < 16; code++)
        {
            if (Jumps[code] is null)
                continue;
            foreach (int low in (int[])[0x5, 0xd, 0x6, 0xe])
                yield return (byte)(code << 4 | low);
        }
    }

    /// <summary>Every form of RFC 9669 and of what clang and Linux add to it.</summary>
    public static IReadOnlyList<string> All()
    {
        var all = new List<string>();
        foreach (string width in (ReadOnlySpan<string>)["64", "32"])
        {
            foreach (string source in (ReadOnlySpan<string>)["immediate", "register"])
            {
                foreach (string name in Arithmetic)
                {
                    if (name != "neg")
                        all.Add($"{name}{width} {source}");
                }

                all.Add($"sdiv{width} {source}");
                all.Add($"smod{width} {source}");
                foreach (string? name in Jumps)
                {
                    if (name is not null)
                        all.Add($"{name}{width} {source}");
                }
            }

            all.Add($"neg{width}");
            all.Add($"movsx8 to {width}");
            all.Add($"movsx16 to {width}");
        }

        all.Add("movsx32 to 64");
        foreach (int bits in (ReadOnlySpan<int>)[16, 32, 64])
            all.AddRange([$"to_le{bits}", $"to_be{bits}", $"bswap{bits}"]);
        foreach (int size in (ReadOnlySpan<int>)[1, 2, 4, 8])
            all.AddRange([$"ldx {size}", $"st {size}", $"stx {size}", $"load_acquire {size}", $"store_release {size}"]);
        foreach (int size in (ReadOnlySpan<int>)[1, 2, 4])
            all.AddRange([$"ldxsx {size}", $"ld_abs {size}", $"ld_ind {size}"]);
        foreach ((int _, string name) in Atomics)
            all.AddRange([$"atomic {name} 4", $"atomic {name} 8"]);
        all.AddRange(["ja", "gotol", "may_goto", "call subprogram", "call helper", "callx", "exit", "ld_imm64"]);
        return all;
    }
}
