using System.Text.RegularExpressions;
using BpfPpcc.Bpf;

namespace BpfPpcc.Tests.Assembler;

/// <summary>Reads one instruction in the printer's syntax. A row per form; the first that matches counts.</summary>
internal static class InstructionText
{
    private const string Number = @"[-+]?(?:0x[0-9a-fA-F]+|\d+)";
    private const string Register = @"[rw](?:\d+)";
    private const string Memory = @"\((?<sign>[us])(?<bits>8|16|32|64) ?\*\) ?\((?<base>r\d+) ?(?<off>[-+] ?(?:0x[0-9a-fA-F]+|\d+))?\)";

    private static readonly Dictionary<string, (BpfAluCode Code, int Offset)> AluOperators = new()
    {
        ["+"] = (BpfAluCode.ADD, 0),
        ["-"] = (BpfAluCode.SUB, 0),
        ["*"] = (BpfAluCode.MUL, 0),
        ["/"] = (BpfAluCode.DIV, 0),
        ["s/"] = (BpfAluCode.DIV, 1),
        ["|"] = (BpfAluCode.OR, 0),
        ["&"] = (BpfAluCode.AND, 0),
        ["<<"] = (BpfAluCode.LSH, 0),
        [">>"] = (BpfAluCode.RSH, 0),
        ["s>>"] = (BpfAluCode.ARSH, 0),
        ["%"] = (BpfAluCode.MOD, 0),
        ["s%"] = (BpfAluCode.MOD, 1),
        ["^"] = (BpfAluCode.XOR, 0),
    };

    private static readonly Dictionary<string, BpfJumpCode> Relations = new()
    {
        ["=="] = BpfJumpCode.JEQ,
        [">"] = BpfJumpCode.JGT,
        [">="] = BpfJumpCode.JGE,
        ["&"] = BpfJumpCode.JSET,
        ["!="] = BpfJumpCode.JNE,
        ["s>"] = BpfJumpCode.JSGT,
        ["s>="] = BpfJumpCode.JSGE,
        ["<"] = BpfJumpCode.JLT,
        ["<="] = BpfJumpCode.JLE,
        ["s<"] = BpfJumpCode.JSLT,
        ["s<="] = BpfJumpCode.JSLE,
    };

    private static readonly Dictionary<string, int> AtomicOperators = new()
    {
        ["+"] = BpfAtomic.ADD,
        ["add"] = BpfAtomic.ADD,
        ["|"] = BpfAtomic.OR,
        ["or"] = BpfAtomic.OR,
        ["&"] = BpfAtomic.AND,
        ["and"] = BpfAtomic.AND,
        ["^"] = BpfAtomic.XOR,
        ["xor"] = BpfAtomic.XOR,
    };

    private static readonly (Regex Pattern, Action<Match, FunctionText> Emit)[] Forms =
    [
        (Form(@"exit"), (_, f) => f.Emit(0x95)),
        (Form(@"\.insn (?<op>N) ?, ?(?<dst>N) ?, ?(?<src>N) ?, ?(?<off>N) ?, ?(?<imm>N)"), (m, f) =>
            f.Emit((byte)Value(m, "op"), (int)Value(m, "dst"), (int)Value(m, "src"), Value(m, "off"), Value(m, "imm"))),
        (Form(@"if (?<a>R) (?<rel>[s=!<>&]+) (?<b>R|N) goto (?<place>.+)"), EmitCondition),
        (Form(@"(?<kind>goto|gotol|may_goto) (?<place>.+)"), EmitJump),
        (Form(@"callx (?<a>R)"), (m, f) => f.Emit(0x8d, RegisterOf(m, "a"))),
        (Form(@"call (?<imm>N)"), (m, f) => f.Emit(0x85, imm: Value(m, "imm"))),
        (Form(@"call local (?<imm>N)"), (m, f) => f.Emit(0x85, src: BpfPseudo.LocalCall, imm: Value(m, "imm"))),
        (Form(@"call kfunc (?<imm>N)"), (m, f) => f.Emit(0x85, src: BpfPseudo.KfuncCall, imm: Value(m, "imm"))),
        (Form(@"call extern (?<name>\S+)"), (m, f) => EmitCall(f, "extern call", m.Groups["name"].Value)),
        (Form(@"call (?<name>\S+)"), (m, f) => EmitCall(f, "call", m.Groups["name"].Value)),
        (Form(@"(?<a>r\d+) = (?<imm>N) ll(?: pseudo (?<src>\d+))?"), EmitLoadImmediate64),
        (Form(@"(?<a>r\d+) = (?<kind>map|data|function|extern) (?<name>\S+)"), EmitAddress),
        (Form(@"(?<a>R) = addr_space_cast\((?<b>R), (?<to>N), (?<from>N)\)"), (m, f) =>
            f.Emit(0xbf, RegisterOf(m, "a"), RegisterOf(m, "b"), 1, (Value(m, "to") << 16) | Value(m, "from"))),
        (Form(@"(?<a>R) = -(?<b>R)"), (m, f) => f.Emit((byte)(0x80 | AluClass(m)), RegisterOf(m, "a"))),
        (Form(@"(?<a>R) = (?<order>be|le|bswap)(?<bits>16|32|64) (?<b>R)"), (m, f) =>
            f.Emit((byte)(m.Groups["order"].Value switch { "be" => 0xdc, "le" => 0xd4, _ => 0xd7 }), RegisterOf(m, "a"), imm: Value(m, "bits"))),
        (Form(@"(?<a>R) = \(s(?<bits>8|16|32)\) ?(?<b>R)"), (m, f) =>
            f.Emit((byte)(0xb8 | AluClass(m)), RegisterOf(m, "a"), RegisterOf(m, "b"), Value(m, "bits"))),
        (Form(@"(?<a>R) = (?<b>R|N)"), (m, f) => EmitAlu(m, f, BpfAluCode.MOV, 0)),
        (Form(@"(?<a>R) (?<op>[-+*/|&^%s<>]+)= (?<b>R|N)"), (m, f) =>
            EmitAlu(m, f, AluOperators[m.Groups["op"].Value].Code, AluOperators[m.Groups["op"].Value].Offset)),
        (Form(@"r0 = \*\(u(?<bits>8|16|32) ?\*\) ?skb\[(?:(?<b>r\d+) ?(?<off>[-+] ?(?:0x[0-9a-fA-F]+|\d+))?|(?<imm>N))\]"), EmitPacketLoad),
        (Form(@"(?<a>R) = \*" + Memory), (m, f) =>
            f.Emit(Opcode(BpfClass.LDX, m, m.Groups["sign"].Value == "s" ? BpfMode.MEMSX : BpfMode.MEM), RegisterOf(m, "a"), BaseOf(m), OffsetOf(m))),
        (Form(@"\*" + Memory + @" = (?<b>R)"), (m, f) =>
            f.Emit(Opcode(BpfClass.STX, m, BpfMode.MEM), BaseOf(m), RegisterOf(m, "b"), OffsetOf(m))),
        (Form(@"\*" + Memory + @" = (?<imm>N)"), (m, f) =>
            f.Emit(Opcode(BpfClass.ST, m, BpfMode.MEM), BaseOf(m), 0, OffsetOf(m), Value(m, "imm"))),
        (Form(@"lock \*" + Memory + @" (?<op>[+|&^])= (?<b>R)"), (m, f) => EmitAtomic(m, f, AtomicOperators[m.Groups["op"].Value])),
        (Form(@"R = atomic_fetch_(?<op>add|or|and|xor)\(" + Memory + @", (?<b>R)\)"), (m, f) =>
            EmitAtomic(m, f, AtomicOperators[m.Groups["op"].Value] | BpfAtomic.FETCH)),
        (Form(@"R = xchg(?:32)?_(?<bits>32|64)\((?<base>r\d+) ?(?<off>[-+] ?(?:0x[0-9a-fA-F]+|\d+))?, (?<b>R)\)"), (m, f) =>
            EmitAtomic(m, f, BpfAtomic.XCHG)),
        (Form(@"[rw]0 = cmpxchg(?:32)?_(?<bits>32|64)\((?<base>r\d+) ?(?<off>[-+] ?(?:0x[0-9a-fA-F]+|\d+))?, [rw]0, (?<b>R)\)"), (m, f) =>
            EmitAtomic(m, f, BpfAtomic.CMPXCHG)),
        (Form(@"(?<a>R) = load_acquire\(" + Memory + @"\)"), (m, f) =>
            f.Emit(Opcode(BpfClass.STX, m, BpfMode.ATOMIC), RegisterOf(m, "a"), BaseOf(m), OffsetOf(m), BpfAtomic.LOAD_ACQ)),
        (Form(@"store_release\(" + Memory + @", (?<b>R)\)"), (m, f) => EmitAtomic(m, f, BpfAtomic.STORE_REL)),
    ];

    public static void Parse(string text, FunctionText function)
    {
        string line = Regex.Replace(text, @"\s+", " ");
        foreach ((Regex pattern, Action<Match, FunctionText> emit) in Forms)
        {
            Match match = pattern.Match(line);
            if (match.Success)
            {
                emit(match, function);
                return;
            }
        }

        throw new FormatException("unknown instruction");
    }

    /// <summary>In a pattern, the words N and R stand for a number and a register.</summary>
    private static Regex Form(string pattern)
    {
        string expanded = Regex.Replace(pattern, @"(?<![\w\\])(?:N|R)(?![\w=])", match => match.Value == "N" ? Number : Register);
        return new Regex("^(?:" + expanded + ")$", RegexOptions.CultureInvariant);
    }

    private static void EmitCondition(Match m, FunctionText f)
    {
        bool isRegister = IsRegister(m, "b");
        int jumpClass = m.Groups["a"].Value[0] == 'w' ? (int)BpfClass.JMP32 : (int)BpfClass.JMP;
        int opcode = (int)Relations[m.Groups["rel"].Value] << 4 | (isRegister ? 8 : 0) | jumpClass;
        f.Emit((byte)opcode, RegisterOf(m, "a"), isRegister ? RegisterOf(m, "b") : 0, Place(m, f), isRegister ? 0 : Value(m, "b"));
    }

    private static void EmitJump(Match m, FunctionText f)
    {
        long place = Place(m, f);
        switch (m.Groups["kind"].Value)
        {
            case "goto":
                f.Emit(0x05, offset: place);
                break;
            case "gotol":
                f.Emit(0x06, imm: place);
                break;
            default:
                f.Emit(0xe5, offset: place);
                break;
        }
    }

    /// <summary>An offset in slots, with or without what it leads to in angle brackets, or a label that is resolved later.</summary>
    private static long Place(Match m, FunctionText f)
    {
        string place = Regex.Replace(m.Groups["place"].Value, @" ?<.*>$", "");
        if (place[0] is '+' or '-')
            return BpfAssembler.Number(place);
        f.Jumps.Add((f.Code.Count, place));
        return 0;
    }

    private static void EmitCall(FunctionText f, string kind, string name)
    {
        f.Symbols.Add((f.Code.Count, new SymbolText(kind, name)));
        f.Emit(0x85, src: BpfPseudo.LocalCall, imm: -1);
    }

    private static void EmitLoadImmediate64(Match m, FunctionText f)
    {
        long value = Value(m, "imm");
        f.Emit(0x18, RegisterOf(m, "a"), m.Groups["src"].Success ? (int)Value(m, "src") : 0, 0, (uint)value);
        f.Emit(0, imm: (uint)(value >> 32));
    }

    private static void EmitAddress(Match m, FunctionText f)
    {
        f.Symbols.Add((f.Code.Count, new SymbolText(m.Groups["kind"].Value, m.Groups["name"].Value)));
        f.Emit(0x18, RegisterOf(m, "a"));
        f.Emit(0);
    }

    private static void EmitAlu(Match m, FunctionText f, BpfAluCode code, int offset)
    {
        bool isRegister = IsRegister(m, "b");
        int opcode = (int)code << 4 | (isRegister ? 8 : 0) | AluClass(m);
        f.Emit((byte)opcode, RegisterOf(m, "a"), isRegister ? RegisterOf(m, "b") : 0, offset, isRegister ? 0 : Value(m, "b"));
    }

    private static void EmitPacketLoad(Match m, FunctionText f)
    {
        if (m.Groups["b"].Success)
            f.Emit(Opcode(BpfClass.LD, m, BpfMode.IND), src: RegisterOf(m, "b"), imm: OffsetOf(m));
        else
            f.Emit(Opcode(BpfClass.LD, m, BpfMode.ABS), imm: Value(m, "imm"));
    }

    private static void EmitAtomic(Match m, FunctionText f, int operation) =>
        f.Emit(Opcode(BpfClass.STX, m, BpfMode.ATOMIC), BaseOf(m), RegisterOf(m, "b"), OffsetOf(m), operation);

    private static byte Opcode(BpfClass instructionClass, Match m, BpfMode mode)
    {
        BpfSize size = m.Groups["bits"].Value switch
        {
            "8" => BpfSize.B,
            "16" => BpfSize.H,
            "32" => BpfSize.W,
            _ => BpfSize.DW,
        };
        return (byte)((int)mode << 5 | (int)size << 3 | (int)instructionClass);
    }

    private static int AluClass(Match m) => m.Groups["a"].Value[0] == 'w' ? (int)BpfClass.ALU : (int)BpfClass.ALU64;

    private static bool IsRegister(Match m, string group) => m.Groups[group].Value[0] is 'r' or 'w';

    private static int RegisterOf(Match m, string group) => (int)BpfAssembler.Number(m.Groups[group].Value[1..]);

    private static int BaseOf(Match m) => RegisterOf(m, "base");

    private static long OffsetOf(Match m) =>
        m.Groups["off"].Success ? BpfAssembler.Number(m.Groups["off"].Value.Replace(" ", "", StringComparison.Ordinal)) : 0;

    private static long Value(Match m, string group) => BpfAssembler.Number(m.Groups[group].Value);
}
