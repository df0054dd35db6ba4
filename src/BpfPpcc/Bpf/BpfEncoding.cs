namespace BpfPpcc.Bpf;

/// <summary>What is wrong with the fields of one instruction slot.</summary>
public enum BpfEncodingFault
{
    None,
    UnknownOpcode,

    /// <summary>The destination register is used and is none of r0..r10.</summary>
    DstInvalid,

    /// <summary>The source register is used and is none of r0..r10.</summary>
    SrcInvalid,

    /// <summary>The form does not use the field, which then must be zero.</summary>
    DstReserved,
    SrcReserved,
    OffsetReserved,
    ImmReserved,

    /// <summary>The offset selects a variant (signed division, sign-extending move) that the form does not have.</summary>
    OffsetVariant,

    /// <summary>The immediate of END is none of 16, 32, 64.</summary>
    ByteSwapWidth,

    /// <summary>The immediate of an atomic instruction names no operation.</summary>
    AtomicOperation,

    /// <summary>A read-modify-write on 1 or 2 bytes.</summary>
    AtomicSize,

    /// <summary>The source field of CALL is none of the three kinds.</summary>
    CallKind,

    /// <summary>The source field of LD_IMM64 is none of the seven kinds.</summary>
    LoadImmediate64Kind,

    /// <summary>addr_space_cast between others than address spaces 0 and 1.</summary>
    AddressSpaces,
}

/// <summary>
/// Which instructions exist and which of their fields they use: the opcode tables of RFC 9669, appendix A, with its rule (3) that unused
/// fields are zero, and Linux's later additions: may_goto, callx, addr_space_cast, load-acquire and store-release. An instruction
/// without fault is one that the printer shows completely.
/// </summary>
public static class BpfEncoding
{
    public const int RegisterCount = 11;

    /// <summary>The read-only frame pointer.</summary>
    public const int FramePointer = 10;

    [Flags]
    private enum Fields
    {
        None = 0,
        Dst = 1,
        Src = 2,
        Offset = 4,
        Imm = 8,
        Unknown = 16,
    }

    /// <summary>The first fault of a slot that is not the second one of LD_IMM64.</summary>
    public static BpfEncodingFault Check(BpfInstruction instruction)
    {
        Fields used = FieldsOf(instruction);
        if (used == Fields.Unknown)
            return BpfEncodingFault.UnknownOpcode;
        BpfEncodingFault variant = CheckVariant(instruction);
        return variant != BpfEncodingFault.None ? variant : CheckFields(instruction, used);
    }

    /// <summary>The second slot of LD_IMM64 holds the upper half of the constant and nothing else (RFC 9669, 3.2).</summary>
    public static BpfEncodingFault CheckSecondSlot(BpfInstruction second) =>
        second.Opcode != 0 ? BpfEncodingFault.UnknownOpcode : CheckFields(second, Fields.Imm);

    /// <summary>The sign-extending move's width in bits (8, 16, 32), or 0 for another instruction.</summary>
    public static int SignExtendingMoveWidth(BpfInstruction instruction) =>
        instruction.Class is BpfClass.ALU or BpfClass.ALU64 && instruction.AluCode == BpfAluCode.MOV && instruction.Offset is 8 or 16 or 32
            ? instruction.Offset
            : 0;

    /// <summary>Linux's cast between address spaces 0 and 1 (arenas).</summary>
    public static bool IsAddressSpaceCast(BpfInstruction instruction) => instruction is { Opcode: 0xbf, Offset: 1 };

    /// <summary>Division and modulo of signed values (offset 1).</summary>
    public static bool IsSignedDivision(BpfInstruction instruction) =>
        instruction.Class is BpfClass.ALU or BpfClass.ALU64 && instruction.AluCode is BpfAluCode.DIV or BpfAluCode.MOD
        && instruction.Offset == 1;

    private static BpfEncodingFault CheckFields(BpfInstruction instruction, Fields used)
    {
        if ((used & Fields.Dst) == 0 ? instruction.Dst != 0 : instruction.Dst >= RegisterCount)
            return (used & Fields.Dst) == 0 ? BpfEncodingFault.DstReserved : BpfEncodingFault.DstInvalid;
        if ((used & Fields.Src) == 0 ? instruction.Src != 0 : instruction.Src >= RegisterCount)
            return (used & Fields.Src) == 0 ? BpfEncodingFault.SrcReserved : BpfEncodingFault.SrcInvalid;
        if ((used & Fields.Offset) == 0 && instruction.Offset != 0)
            return BpfEncodingFault.OffsetReserved;
        if ((used & Fields.Imm) == 0 && instruction.Imm != 0)
            return BpfEncodingFault.ImmReserved;
        return BpfEncodingFault.None;
    }

    private static Fields FieldsOf(BpfInstruction instruction) => instruction.Class switch
    {
        BpfClass.ALU or BpfClass.ALU64 => AluFields(instruction),
        BpfClass.JMP => JumpFields(instruction),
        BpfClass.JMP32 => Jump32Fields(instruction),
        BpfClass.LD => instruction.Opcode switch
        {
            0x18 => Fields.Dst | Fields.Src | Fields.Imm,
            0x20 or 0x28 or 0x30 => Fields.Imm,
            0x40 or 0x48 or 0x50 => Fields.Src | Fields.Imm,
            _ => Fields.Unknown,
        },
        BpfClass.LDX => instruction.Mode == BpfMode.MEM || instruction is { Mode: BpfMode.MEMSX, MemorySize: not BpfSize.DW }
            ? Fields.Dst | Fields.Src | Fields.Offset
            : Fields.Unknown,
        BpfClass.ST => instruction.Mode == BpfMode.MEM ? Fields.Dst | Fields.Offset | Fields.Imm : Fields.Unknown,
        BpfClass.STX => instruction.Mode switch
        {
            BpfMode.MEM => Fields.Dst | Fields.Src | Fields.Offset,
            BpfMode.ATOMIC => Fields.Dst | Fields.Src | Fields.Offset | Fields.Imm,
            _ => Fields.Unknown,
        },
    };

    private static Fields AluFields(BpfInstruction instruction)
    {
        Fields operand = instruction.Source == BpfSource.X ? Fields.Dst | Fields.Src : Fields.Dst | Fields.Imm;
        return instruction.AluCode switch
        {
            BpfAluCode.ADD or BpfAluCode.SUB or BpfAluCode.MUL or BpfAluCode.OR or BpfAluCode.AND or BpfAluCode.XOR
                or BpfAluCode.LSH or BpfAluCode.RSH or BpfAluCode.ARSH => operand,
            BpfAluCode.DIV or BpfAluCode.MOD => operand | Fields.Offset,
            BpfAluCode.MOV => instruction.Source == BpfSource.K ? operand
                : IsAddressSpaceCast(instruction) ? operand | Fields.Offset | Fields.Imm
                : operand | Fields.Offset,
            BpfAluCode.NEG => instruction.Source == BpfSource.K ? Fields.Dst : Fields.Unknown,
            BpfAluCode.END => instruction is { Class: BpfClass.ALU64, Source: BpfSource.X } ? Fields.Unknown : Fields.Dst | Fields.Imm,
            _ => Fields.Unknown,
        };
    }

    private static Fields JumpFields(BpfInstruction instruction) => instruction.Opcode switch
    {
        0x05 => Fields.Offset,
        0x85 => Fields.Src | Fields.Imm,
        0x8d => Fields.Dst,
        0x95 => Fields.None,
        0xe5 => Fields.Offset,
        _ => ConditionFields(instruction),
    };

    private static Fields Jump32Fields(BpfInstruction instruction) => instruction.Opcode == 0x06 ? Fields.Imm : ConditionFields(instruction);

    private static Fields ConditionFields(BpfInstruction instruction) => instruction.JumpCode switch
    {
        BpfJumpCode.JEQ or BpfJumpCode.JGT or BpfJumpCode.JGE or BpfJumpCode.JSET or BpfJumpCode.JNE or BpfJumpCode.JSGT
            or BpfJumpCode.JSGE or BpfJumpCode.JLT or BpfJumpCode.JLE or BpfJumpCode.JSLT or BpfJumpCode.JSLE =>
            Fields.Dst | Fields.Offset | (instruction.Source == BpfSource.X ? Fields.Src : Fields.Imm),
        _ => Fields.Unknown,
    };

    /// <summary>Faults of fields that select between variants of a known opcode.</summary>
    private static BpfEncodingFault CheckVariant(BpfInstruction instruction) => instruction.Class switch
    {
        BpfClass.ALU or BpfClass.ALU64 => CheckAluVariant(instruction),
        BpfClass.JMP => instruction is { Opcode: 0x85, Src: > BpfPseudo.KfuncCall } ? BpfEncodingFault.CallKind : BpfEncodingFault.None,
        BpfClass.LD => instruction is { Opcode: 0x18, Src: > BpfPseudo.MapIndexValue }
            ? BpfEncodingFault.LoadImmediate64Kind
            : BpfEncodingFault.None,
        BpfClass.STX => instruction.IsAtomic ? CheckAtomicVariant(instruction) : BpfEncodingFault.None,
        BpfClass.LDX or BpfClass.ST or BpfClass.JMP32 => BpfEncodingFault.None,
    };

    private static BpfEncodingFault CheckAluVariant(BpfInstruction instruction)
    {
        if (instruction.AluCode == BpfAluCode.END)
            return instruction.Imm is 16 or 32 or 64 ? BpfEncodingFault.None : BpfEncodingFault.ByteSwapWidth;
        if (IsAddressSpaceCast(instruction))
            return instruction.Imm is 1 or 1 << 16 ? BpfEncodingFault.None : BpfEncodingFault.AddressSpaces;
        bool isKnown = instruction.AluCode switch
        {
            BpfAluCode.DIV or BpfAluCode.MOD => instruction.Offset is 0 or 1,
            BpfAluCode.MOV when instruction.Source == BpfSource.X =>
                instruction.Offset is 0 or 8 or 16 || (instruction.Class == BpfClass.ALU64 && instruction.Offset == 32),
            _ => true,
        };
        return isKnown ? BpfEncodingFault.None : BpfEncodingFault.OffsetVariant;
    }

    private static BpfEncodingFault CheckAtomicVariant(BpfInstruction instruction)
    {
        switch (instruction.Imm)
        {
            case BpfAtomic.LOAD_ACQ or BpfAtomic.STORE_REL:
                return BpfEncodingFault.None;
            case BpfAtomic.ADD or BpfAtomic.OR or BpfAtomic.AND or BpfAtomic.XOR:
            case BpfAtomic.ADD | BpfAtomic.FETCH or BpfAtomic.OR | BpfAtomic.FETCH or BpfAtomic.AND | BpfAtomic.FETCH:
            case BpfAtomic.XOR | BpfAtomic.FETCH or BpfAtomic.XCHG or BpfAtomic.CMPXCHG:
                return instruction.MemoryBytes >= 4 ? BpfEncodingFault.None : BpfEncodingFault.AtomicSize;
            default:
                return BpfEncodingFault.AtomicOperation;
        }
    }
}
