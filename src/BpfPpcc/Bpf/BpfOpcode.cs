namespace BpfPpcc.Bpf;

/// <summary>Instruction classes: the low three bits of the opcode (RFC 9669, 3.1).</summary>
public enum BpfClass : byte
{
    LD = 0,
    LDX = 1,
    ST = 2,
    STX = 3,
    ALU = 4,
    JMP = 5,
    JMP32 = 6,
    ALU64 = 7,
}

/// <summary>Operation codes of ALU and ALU64: the high four bits of the opcode (RFC 9669, 4.1).</summary>
public enum BpfAluCode : byte
{
    ADD = 0x0,
    SUB = 0x1,
    MUL = 0x2,
    DIV = 0x3,
    OR = 0x4,
    AND = 0x5,
    LSH = 0x6,
    RSH = 0x7,
    NEG = 0x8,
    MOD = 0x9,
    XOR = 0xa,
    MOV = 0xb,
    ARSH = 0xc,
    END = 0xd,
}

/// <summary>Operation codes of JMP and JMP32: the high four bits of the opcode (RFC 9669, 4.3). JCOND is Linux's may_goto.</summary>
public enum BpfJumpCode : byte
{
    JA = 0x0,
    JEQ = 0x1,
    JGT = 0x2,
    JGE = 0x3,
    JSET = 0x4,
    JNE = 0x5,
    JSGT = 0x6,
    JSGE = 0x7,
    CALL = 0x8,
    EXIT = 0x9,
    JLT = 0xa,
    JLE = 0xb,
    JSLT = 0xc,
    JSLE = 0xd,
    JCOND = 0xe,
}

/// <summary>Bit 3 of the opcode of ALU and jump instructions: where the second operand is (RFC 9669, 4).</summary>
public enum BpfSource : byte
{
    /// <summary>The 32-bit immediate, sign-extended.</summary>
    K = 0,

    /// <summary>The source register.</summary>
    X = 1,
}

/// <summary>Bits 3 and 4 of the opcode of load and store instructions (RFC 9669, 5).</summary>
public enum BpfSize : byte
{
    W = 0,
    H = 1,
    B = 2,
    DW = 3,
}

/// <summary>Bits 5 to 7 of the opcode of load and store instructions (RFC 9669, 5).</summary>
public enum BpfMode : byte
{
    IMM = 0,
    ABS = 1,
    IND = 2,
    MEM = 3,
    MEMSX = 4,
    ATOMIC = 6,
}

/// <summary>The immediate of an atomic instruction (RFC 9669, 5.3; the last two are Linux's of 2025).</summary>
public static class BpfAtomic
{
    public const int ADD = 0x00;
    public const int OR = 0x40;
    public const int AND = 0x50;
    public const int XOR = 0xa0;
    public const int FETCH = 0x01;
    public const int XCHG = 0xe0 | FETCH;
    public const int CMPXCHG = 0xf0 | FETCH;
    public const int LOAD_ACQ = 0x100;
    public const int STORE_REL = 0x110;
}

/// <summary>The source register field of special forms.</summary>
public static class BpfPseudo
{
    /// <summary>CALL: imm is a helper's number (RFC 9669, 4.3.1).</summary>
    public const int HelperCall = 0;

    /// <summary>CALL: imm is an offset to a function of the program (RFC 9669, 4.3.2).</summary>
    public const int LocalCall = 1;

    /// <summary>CALL: imm is a BTF id of a kernel function, by BTF (RFC 9669, 4.3.1, "static ID"; Linux: BPF_PSEUDO_KFUNC_CALL).</summary>
    public const int KfuncCall = 2;

    /// <summary>LD_IMM64 subtypes (RFC 9669, 5.4).</summary>
    public const int MapFd = 1;
    public const int MapValue = 2;
    public const int VariableAddress = 3;
    public const int CodeAddress = 4;
    public const int MapIndex = 5;
    public const int MapIndexValue = 6;
}
