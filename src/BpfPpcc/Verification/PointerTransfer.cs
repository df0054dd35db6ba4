using BpfPpcc.Bpf;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification;

/// <summary>What one instruction, not a call or exit, does to the classes of registers and stack slots.</summary>
internal static class PointerTransfer
{
    private const int PointerBytes = 8;

    /// <summary>Updates <paramref name="state"/> and records memory accesses in <paramref name="facts"/>.</summary>
    public static void Apply(BpfFunction function, int slot, PointerState state, AccessFacts facts)
    {
        BpfInstruction instruction = function.Instructions[slot];
        switch (instruction.Class)
        {
            case BpfClass.ALU:
                state[instruction.Dst] = PointerClass.None;
                break;
            case BpfClass.ALU64:
                state[instruction.Dst] = Alu64(instruction, state);
                break;
            case BpfClass.LD when instruction.IsLoadImmediate64:
                state[instruction.Dst] = LoadImmediate64(function, slot);
                break;
            case BpfClass.LD:
                // LD_ABS and LD_IND are calls in disguise (RFC 9669, 5.6).
                state[0] = PointerClass.None;
                state.ClobberArguments();
                break;
            case BpfClass.LDX:
                facts.Record(slot, instruction, state[instruction.Src]);
                state[instruction.Dst] = Load(state, state[instruction.Src], instruction);
                break;
            case BpfClass.ST:
                facts.Record(slot, instruction, state[instruction.Dst]);
                Store(state, instruction, PointerClass.None);
                break;
            case BpfClass.STX when instruction.IsAtomic:
                Atomic(state, slot, instruction, facts);
                break;
            case BpfClass.STX:
                facts.Record(slot, instruction, state[instruction.Dst]);
                Store(state, instruction, state[instruction.Src]);
                break;
            case BpfClass.JMP:
            case BpfClass.JMP32:
                break;
        }
    }

    private static PointerClass Alu64(BpfInstruction instruction, PointerState state)
    {
        PointerClass dst = state[instruction.Dst];
        bool isRegister = instruction.Source == BpfSource.X;
        PointerClass src = isRegister ? state[instruction.Src] : PointerClass.None;
        return instruction.AluCode switch
        {
            BpfAluCode.MOV => instruction.Offset == 0 ? src : PointerClass.None,
            BpfAluCode.ADD => isRegister ? Add(dst, src) : dst.Plus(instruction.Imm),
            BpfAluCode.SUB => isRegister ? dst.MinusUnknown() : dst.Plus(-(long)instruction.Imm),
            BpfAluCode.MUL or BpfAluCode.DIV or BpfAluCode.OR or BpfAluCode.AND or BpfAluCode.LSH or BpfAluCode.RSH or BpfAluCode.NEG
                or BpfAluCode.MOD or BpfAluCode.XOR or BpfAluCode.ARSH or BpfAluCode.END => PointerClass.None,
        };
    }

    private static PointerClass Add(PointerClass a, PointerClass b)
    {
        if (b.Kind == PointerKind.None)
            return a.PlusUnknown();
        if (a.Kind == PointerKind.None)
            return b.PlusUnknown();
        // A value that was loaded as 64 bits may be a number, so this can be a pointer with an index.
        return PointerClass.Join(a.PlusUnknown(), b.PlusUnknown());
    }

    private static PointerClass LoadImmediate64(BpfFunction function, int slot)
    {
        if (!function.References.TryGetValue(slot, out BpfReference? reference))
            return PointerClass.None;
        return reference is BpfReference.FunctionAddress address ? PointerClass.Function(address.Function) : PointerClass.Other;
    }

    private static PointerClass Load(PointerState state, PointerClass address, BpfInstruction instruction)
    {
        bool isPointerSized = instruction.MemoryBytes == PointerBytes;
        return address.Kind switch
        {
            PointerKind.None => PointerClass.None,
            PointerKind.Frame or PointerKind.MaybeFrame =>
                isPointerSized ? state.Load(address.Plus(instruction.Offset)) : PointerClass.None,
            PointerKind.Other or PointerKind.Function or PointerKind.Mixed => isPointerSized ? PointerClass.Other : PointerClass.None,
            PointerKind.Context or PointerKind.MaybeContext =>
                isPointerSized || ContextFields.Touched(address.Index, address.Offset + instruction.Offset, instruction.MemoryBytes) is not null
                    ? PointerClass.Other
                    : PointerClass.None,
        };
    }

    private static void Store(PointerState state, BpfInstruction instruction, PointerClass value)
    {
        PointerClass address = state[instruction.Dst];
        if (address.IsFrameLike)
            state.Store(address.Plus(instruction.Offset), instruction.MemoryBytes, value);
    }

    private static void Atomic(PointerState state, int slot, BpfInstruction instruction, AccessFacts facts)
    {
        switch (instruction.Imm)
        {
            case BpfAtomic.LOAD_ACQ:
                facts.Record(slot, instruction, state[instruction.Src]);
                state[instruction.Dst] = Load(state, state[instruction.Src], instruction);
                return;
            case BpfAtomic.STORE_REL:
                facts.Record(slot, instruction, state[instruction.Dst]);
                Store(state, instruction, state[instruction.Src]);
                return;
        }

        PointerClass address = state[instruction.Dst];
        facts.Record(slot, instruction, address);
        PointerClass fetched = Load(state, address, instruction);
        bool isExchange = instruction.Imm is BpfAtomic.XCHG or BpfAtomic.CMPXCHG;
        if (address.IsFrameLike && isExchange)
        {
            // A compare-and-exchange may leave what was there.
            PointerClass left = PointerClass.Join(fetched, state[instruction.Src]);
            state.Store(address.Plus(instruction.Offset), instruction.MemoryBytes, left);
        }

        if (instruction.WrittenRegister >= 0)
            state[instruction.WrittenRegister] = fetched;
    }
}
