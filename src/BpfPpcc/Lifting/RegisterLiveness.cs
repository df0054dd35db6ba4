using BpfPpcc.Bpf;
using BpfPpcc.Loading;

namespace BpfPpcc.Lifting;

/// <summary>Which BPF registers a block may read before it writes them. One bit per register, r0 to r9 by number.</summary>
internal static class RegisterLiveness
{
    /// <summary>
    /// The hidden variable behind may_goto: how often it may still be passed. It takes the place of r10, which is never written.
    /// </summary>
    public const int MayGotoBudget = 10;

    public const int VariableCount = 11;

    private const int CallClobbers = 0b111111;
    private const int ContextOfLegacyLoads = 6;

    /// <summary>By block: the variables that are live at its entry.</summary>
    /// <param name="localArguments">By function: the argument registers that a local call to it reads.</param>
    public static ulong[] Solve(BpfFunction function, ControlFlow controlFlow, int[] localArguments)
    {
        BpfBlock[] blocks = controlFlow.Blocks;
        var reads = new int[blocks.Length];
        var writes = new int[blocks.Length];
        for (int i = 0; i < blocks.Length; i++)
            (reads[i], writes[i]) = Summarize(function, blocks[i], localArguments);

        // Backwards in postorder until nothing changes: a loop nest of depth d takes d + 2 rounds.
        var live = new ulong[blocks.Length];
        int[] order = controlFlow.ReversePostorder();
        bool changed;
        do
        {
            changed = false;
            for (int i = order.Length - 1; i >= 0; i--)
            {
                int block = order[i];
                ulong atEnd = (blocks[block].Taken >= 0 ? live[blocks[block].Taken] : 0)
                    | (blocks[block].Next >= 0 ? live[blocks[block].Next] : 0);
                ulong atEntry = (uint)reads[block] | (atEnd & ~(ulong)(uint)writes[block]);
                changed |= atEntry != live[block];
                live[block] = atEntry;
            }
        }
        while (changed);

        return live;
    }

    /// <summary>What the block reads before writing it, and what it writes.</summary>
    private static (int Reads, int Writes) Summarize(BpfFunction function, BpfBlock block, int[] localArguments)
    {
        int reads = 0, writes = 0;
        for (int slot = block.First; slot < block.End; slot += ControlFlow.Length(function.Instructions[slot]))
        {
            if (IsDecided(function, slot, block))
                continue;
            (int instructionReads, int instructionWrites) = Effects(function, slot, localArguments);
            reads |= instructionReads & ~writes;
            writes |= instructionWrites;
        }

        return (reads, writes);
    }

    /// <summary>A jump that goes one way only, so that its operands do not matter.</summary>
    private static bool IsDecided(BpfFunction function, int slot, BpfBlock block) =>
        (block.Taken < 0 || block.Next < 0) && ControlFlow.IsJump(function.Instructions[slot]);

    private static (int Reads, int Writes) Effects(BpfFunction function, int slot, int[] localArguments)
    {
        BpfInstruction instruction = function.Instructions[slot];
        int dst = Bit(instruction.Dst);
        int src = Bit(instruction.Src);
        int operand = instruction.Source == BpfSource.X ? src : 0;
        switch (instruction.Class)
        {
            case BpfClass.ALU or BpfClass.ALU64:
                return instruction.AluCode switch
                {
                    BpfAluCode.MOV => (operand, dst),
                    BpfAluCode.NEG or BpfAluCode.END => (dst, dst),
                    BpfAluCode.ADD or BpfAluCode.SUB or BpfAluCode.MUL or BpfAluCode.DIV or BpfAluCode.OR or BpfAluCode.AND
                        or BpfAluCode.LSH or BpfAluCode.RSH or BpfAluCode.MOD or BpfAluCode.XOR or BpfAluCode.ARSH => (dst | operand, dst),
                };
            case BpfClass.LD when instruction.IsLoadImmediate64:
                return (0, dst);
            case BpfClass.LD:
                return (Bit(ContextOfLegacyLoads) | (instruction.Mode == BpfMode.IND ? src : 0), CallClobbers);
            case BpfClass.LDX:
                return (src, dst);
            case BpfClass.ST:
                return (dst, 0);
            case BpfClass.STX when instruction.IsAtomic:
                return AtomicEffects(instruction, dst, src);
            case BpfClass.STX:
                return (dst | src, 0);
            case BpfClass.JMP or BpfClass.JMP32 when instruction.IsCall || instruction.IsCallIndirect:
                int callee = instruction.IsCallIndirect ? dst : 0;
                return (callee | CallSite.At(function, slot).ArgumentRegisters(localArguments), CallClobbers);
            case BpfClass.JMP or BpfClass.JMP32 when instruction.IsExit:
                return (1, 0);
            case BpfClass.JMP or BpfClass.JMP32:
                return instruction.JumpCode switch
                {
                    BpfJumpCode.JA or BpfJumpCode.CALL or BpfJumpCode.EXIT => (0, 0),
                    BpfJumpCode.JCOND => (1 << MayGotoBudget, 1 << MayGotoBudget),
                    BpfJumpCode.JEQ or BpfJumpCode.JGT or BpfJumpCode.JGE or BpfJumpCode.JSET or BpfJumpCode.JNE or BpfJumpCode.JSGT
                        or BpfJumpCode.JSGE or BpfJumpCode.JLT or BpfJumpCode.JLE or BpfJumpCode.JSLT
                        or BpfJumpCode.JSLE => (dst | operand, 0),
                };
        }

        return (0, 0);
    }

    private static (int Reads, int Writes) AtomicEffects(BpfInstruction instruction, int dst, int src) => instruction.Imm switch
    {
        BpfAtomic.LOAD_ACQ => (src, dst),
        BpfAtomic.CMPXCHG => (dst | src | 1, 1),
        _ => (dst | src, (instruction.Imm & BpfAtomic.FETCH) != 0 ? src : 0),
    };

    /// <summary>r10 is no variable.</summary>
    private static int Bit(int register) => register == 10 ? 0 : 1 << register;
}
