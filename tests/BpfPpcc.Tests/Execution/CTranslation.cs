using System.Globalization;
using System.Text;

namespace BpfPpcc.Tests.Execution;

/// <summary>
/// Test units -> C, for a C compiler to make an object with the same symbols and tables as a compiled BPF object has. It stands in for the
/// compiler under test where the tests themselves are tested: interpreter, generator and host must agree with a third opinion, gcc's.
/// </summary>
public static class CTranslation
{
    private const string Prelude = """
        #include "abi.h"
        typedef uint64_t u64; typedef uint32_t u32; typedef uint16_t u16; typedef uint8_t u8;
        typedef int64_t s64; typedef int32_t s32; typedef int16_t s16; typedef int8_t s8;
        #define AT(bits) typedef u##bits __attribute__((aligned(1), may_alias)) m##bits; typedef s##bits __attribute__((aligned(1), may_alias)) ms##bits;
        AT(8) AT(16) AT(32) AT(64)
        typedef u64 helper(u64, u64, u64, u64, u64);
        typedef u64 function(u64, u64, u64, u64, u64);
        extern helper bpf_helper_map_lookup_elem, bpf_helper_map_update_elem;
        extern helper bpf_helper_id_900, bpf_helper_id_901, bpf_helper_id_902, bpf_helper_id_903, bpf_helper_id_904, bpf_helper_id_905, bpf_helper_id_906, bpf_helper_id_907;
        extern const u8 *packet;
        extern u32 packet_length;
        static u32 tail_calls;
        static struct module module;
        #define DIV(t, a, b) ({ t d_ = (b); d_ ? (t)((t)(a) / d_) : 0; })
        #define MOD(t, a, b) ({ t d_ = (b); d_ ? (t)((t)(a) % d_) : (t)(a); })
        #define SDIV(t, u, a, b) ({ t d_ = (b); d_ == 0 ? 0 : d_ == -1 ? (t)-(u)(a) : (t)((t)(a) / d_); })
        #define SMOD(t, a, b) ({ t d_ = (b); d_ == 0 ? (t)(a) : d_ == -1 ? 0 : (t)((t)(a) % d_); })
        static u64 call(u64 f, u64 a, u64 b, u64 c, u64 d, u64 e)
        {
            switch (f) {
            case 1: return bpf_helper_map_lookup_elem(a, b, c, d, e);
            case 2: return bpf_helper_map_update_elem(a, b, c, d, e);
            case 900: return bpf_helper_id_900(a, b, c, d, e);
            case 901: return bpf_helper_id_901(a, b, c, d, e);
            case 902: return bpf_helper_id_902(a, b, c, d, e);
            case 903: return bpf_helper_id_903(a, b, c, d, e);
            case 904: return bpf_helper_id_904(a, b, c, d, e);
            case 905: return bpf_helper_id_905(a, b, c, d, e);
            case 906: return bpf_helper_id_906(a, b, c, d, e);
            case 907: return bpf_helper_id_907(a, b, c, d, e);
            default: return ((function *)f)(a, b, c, d, e);
            }
        }
        static const struct program *next(const struct map *map, u32 index)
        {
            return index < map->max_entries && tail_calls < 33 ? map->progs[index] : 0;
        }
        static int load_packet(u64 *r0, u32 offset, int size)
        {
            if (offset > 0x7fffffff || offset + (u64)size > packet_length)
                return 0;
            for (*r0 = 0; size--; )
                *r0 = *r0 << 8 | packet[offset++];
            return 1;
        }

        """;

    public static string Translate(IReadOnlyList<TestUnit> units)
    {
        var text = new StringBuilder(Prelude);
        var programs = new List<string>();
        for (int u = 0; u < units.Count; u++)
        {
            Data(text, u, units[u]);
            foreach (TestFunction function in units[u].Functions)
                text.Append(CultureInfo.InvariantCulture, $"static u64 body_{BpfObjectWriter.SymbolName(u, function.Name)}(u64, u64, u64, u64, u64);\n");
            foreach (TestFunction function in units[u].Functions)
            {
                string name = BpfObjectWriter.SymbolName(u, function.Name);
                Function(text, u, units[u], function);
                text.Append(CultureInfo.InvariantCulture, $"u64 {name}(u64 a, u64 b, u64 c, u64 d, u64 e) {{ tail_calls = 0; return body_{name}(a, b, c, d, e); }}\n");
                if (function.Place == FunctionPlace.Program)
                    programs.Add(name);
            }
        }

        text.Append("static struct program programs[] = {\n");
        foreach (string name in programs)
            text.Append(CultureInfo.InvariantCulture, $"    {{ .entry = (void *){name}, .tail_entry = body_{name} }},\n");
        text.Append(CultureInfo.InvariantCulture, $"}};\nstatic struct module module = {{ .progs = programs, .n_progs = {programs.Count} }};\n");
        return text.ToString();
    }

    /// <summary>Translates and compiles.</summary>
    public static byte[] Compile(IReadOnlyList<TestUnit> units, int optimizationLevel = 1)
    {
        string folder = Directory.CreateDirectory(Path.Combine(TestPaths.Temporary, $"c{Guid.NewGuid():N}")).FullName;
        try
        {
            File.WriteAllText(Path.Combine(folder, "units.c"), Translate(units));
            Toolchain.RunChecked(
                Toolchain.Gcc,
                ["-c", $"-O{optimizationLevel}", "-w", "-fno-pie", "-fwrapv", "-fno-strict-aliasing", "-fno-tree-vrp", "-I", Path.Combine(TestPaths.Execution, "Host"), "units.c", "-o", "units.o"],
                folder);
            return File.ReadAllBytes(Path.Combine(folder, "units.o"));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Data(StringBuilder text, int u, TestUnit unit)
    {
        foreach (TestVariable variable in unit.Variables)
        {
            string bytes = string.Join(',', variable.Contents);
            text.Append(CultureInfo.InvariantCulture, $"u8 {BpfObjectWriter.SymbolName(u, variable.Name)}[] __attribute__((aligned(8))) = {{{bytes}}};\n");
        }

        foreach (TestMap map in unit.Maps)
        {
            string name = BpfObjectWriter.SymbolName(u, map.Name);
            string storage = map.Programs is null ? $".values = {name}_storage" : $".progs = (const struct program **){name}_storage";
            int bytes = map.Programs is null ? map.Stride * map.MaxEntries : 8 * map.MaxEntries;
            text.Append(CultureInfo.InvariantCulture, $"static u8 {name}_storage[{bytes}] __attribute__((aligned(8)));\n");
            text.Append(
                CultureInfo.InvariantCulture,
                $"struct map {name} = {{ .value_size = {map.ValueSize}, .max_entries = {map.MaxEntries}, .module = &module, {storage} }};\n");
        }
    }

    private static void Function(StringBuilder text, int u, TestUnit unit, TestFunction function)
    {
        string name = BpfObjectWriter.SymbolName(u, function.Name);
        text.Append(CultureInfo.InvariantCulture, $"static __attribute__((noinline)) u64 body_{name}(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5)\n{{\n");
        text.Append("    u8 stack[512] __attribute__((aligned(16))); u64 r0 = 0, r6 = 0, r7 = 0, r8 = 0, r9 = 0, r10 = (u64)(stack + 512); u32 budget = 8388608;\n");
        var references = function.References.ToDictionary(static r => r.Slot);
        for (int i = 0; i < function.Slots.Count; i++)
        {
            Slot slot = function.Slots[i];
            text.Append(CultureInfo.InvariantCulture, $"    L{i}: ");
            if (references.TryGetValue(i, out SlotReference reference))
                text.Append(Reference(u, unit, slot, reference));
            else if (slot.IsLoadImmediate64)
                text.Append(CultureInfo.InvariantCulture, $"r{slot.Dst} = 0x{(ulong)(uint)function.Slots[i + 1].Imm << 32 | (uint)slot.Imm:x}UL;");
            else
                text.Append(Statement(slot, i));
            text.Append('\n');
            if (slot.IsLoadImmediate64)
                text.Append(CultureInfo.InvariantCulture, $"    L{++i}: ;\n");
        }

        text.Append("}\n");
    }

    private static string Reference(int u, TestUnit unit, Slot slot, SlotReference reference) => reference.Kind switch
    {
        SlotReferenceKind.Map => $"r{slot.Dst} = (u64)&{BpfObjectWriter.SymbolName(u, unit.Maps[reference.Target].Name)};",
        SlotReferenceKind.Variable => $"r{slot.Dst} = (u64)({BpfObjectWriter.SymbolName(u, unit.Variables[reference.Target].Name)} + {reference.Addend});",
        SlotReferenceKind.FunctionAddress => $"r{slot.Dst} = (u64)&body_{BpfObjectWriter.SymbolName(u, unit.Functions[reference.Target].Name)};",
        SlotReferenceKind.FunctionCall => $"r0 = body_{BpfObjectWriter.SymbolName(u, unit.Functions[reference.Target].Name)}(r1, r2, r3, r4, r5);",
    };

    private static string Statement(Slot slot, int index)
    {
        int bits = 8 * (((slot.Opcode >> 3) & 3) switch { 0 => 4, 1 => 2, 2 => 1, _ => 8 });
        switch (slot.Opcode & 7)
        {
            case 4 or 7:
                return Arithmetic(slot);
            case 5 or 6:
                return Jump(slot, index);
            case 0:
                string offset = slot.Opcode >> 5 == 1 ? $"{slot.Imm}" : $"(u32)r{slot.Src} + (u32){slot.Imm}";
                return $"if (!load_packet(&r0, {offset}, {bits / 8})) return 0;";
            case 1:
                return $"r{slot.Dst} = (u64)*(m{(slot.Opcode >> 5 == 4 ? "s" : "")}{bits} *)(r{slot.Src} + {slot.Offset});";
            case 2:
                return $"*(m{bits} *)(r{slot.Dst} + {slot.Offset}) = (u64)(s64)({slot.Imm});";
            default:
                return slot.Opcode >> 5 == 6 ? Atomic(slot, bits) : $"*(m{bits} *)(r{slot.Dst} + {slot.Offset}) = r{slot.Src};";
        }
    }

    private static string Atomic(Slot slot, int bits)
    {
        string place = $"*(volatile u{bits} *)(r{slot.Dst} + {slot.Offset})";
        string old = $"u{bits} old = {place}";
        string s = $"(u{bits})r{slot.Src}";
        string result = (slot.Imm & 1) != 0 ? $" r{slot.Src} = old;" : "";
        return (slot.Imm & ~1) switch
        {
            0x00 => $"{{ {old}; {place} = old + {s};{result} }}",
            0x40 => $"{{ {old}; {place} = old | {s};{result} }}",
            0x50 => $"{{ {old}; {place} = old & {s};{result} }}",
            0xa0 => $"{{ {old}; {place} = old ^ {s};{result} }}",
            0xe0 => $"{{ {old}; {place} = {s};{result} }}",
            0xf0 => $"{{ {old}; if (old == (u{bits})r0) {place} = {s}; r0 = old; }}",
            0x100 => $"r{slot.Dst} = *(volatile u{bits} *)(r{slot.Src} + {slot.Offset});",
            _ => $"{place} = {s};",
        };
    }

    private static string Arithmetic(Slot slot)
    {
        bool is64 = (slot.Opcode & 7) == 7;
        string u = is64 ? "u64" : "u32", s = is64 ? "s64" : "s32";
        bool isRegister = (slot.Opcode & 8) != 0;
        string a = $"({u})r{slot.Dst}";
        string b = isRegister ? $"({u})r{slot.Src}" : $"({u})({s})({slot.Imm})";
        string count = $"({b} & {(is64 ? 63 : 31)})";
        bool isSigned = slot.Offset == 1;
        string value = (slot.Opcode >> 4) switch
        {
            0x0 => $"{a} + {b}",
            0x1 => $"{a} - {b}",
            0x2 => $"{a} * {b}",
            0x3 => isSigned ? $"SDIV({s}, {u}, {a}, {b})" : $"DIV({u}, {a}, {b})",
            0x4 => $"{a} | {b}",
            0x5 => $"{a} & {b}",
            0x6 => $"{a} << {count}",
            0x7 => $"{a} >> {count}",
            0x8 => $"-{a}",
            0x9 => isSigned ? $"SMOD({s}, {a}, {b})" : $"MOD({u}, {a}, {b})",
            0xa => $"{a} ^ {b}",
            0xb => slot.Offset == 0 ? b : $"({s})(s{slot.Offset})r{slot.Src}",
            0xc => $"({s}){a} >> {count}",
            _ => is64 || isRegister ? $"__builtin_bswap{slot.Imm}((u{slot.Imm})r{slot.Dst})" : $"(u{slot.Imm})r{slot.Dst}",
        };
        return slot.Opcode >> 4 == 0xd ? $"r{slot.Dst} = {value};" : $"r{slot.Dst} = ({u})({value});";
    }

    private static string Jump(Slot slot, int index)
    {
        string target = $"goto L{index + 1 + slot.JumpOffset};";
        switch (slot.Opcode)
        {
            case 0x05 or 0x06:
                return target;
            case 0x85 when slot.Imm == 12:
                return "{ const struct program *p = next((const struct map *)r2, r3); if (p) { tail_calls++; return ((function *)p->tail_entry)(r1, 0, 0, 0, 0); } }";
            case 0x85:
                return $"r0 = call({slot.Imm}, r1, r2, r3, r4, r5);";
            case 0x8d:
                return $"r0 = call(r{slot.Dst}, r1, r2, r3, r4, r5);";
            case 0x95:
                return "return r0;";
            case 0xe5:
                return $"if (budget) budget--; else {target}";
            default:
                bool is64 = (slot.Opcode & 7) == 5;
                string u = is64 ? "u64" : "u32", s = is64 ? "s64" : "s32";
                string a = $"r{slot.Dst}", b = (slot.Opcode & 8) != 0 ? $"r{slot.Src}" : $"(u64)(s64)({slot.Imm})";
                string t = slot.Opcode >> 4 is 0x6 or 0x7 or 0xc or 0xd ? s : u;
                string comparison = (slot.Opcode >> 4) switch
                {
                    0x1 => "==",
                    0x2 or 0x6 => ">",
                    0x3 or 0x7 => ">=",
                    0x4 => "&",
                    0x5 => "!=",
                    0xa or 0xc => "<",
                    _ => "<=",
                };
                return $"if (({t}){a} {comparison} ({t}){b}) {target}";
        }
    }
}
