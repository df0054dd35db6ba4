using BpfPpcc.Bpf;
using BpfPpcc.Verification.Domain;

namespace BpfPpcc.Verification.Walk;

/// <summary>Comparisons of packet pointers with the packet's end: they say how many bytes may be accessed.</summary>
internal sealed partial class ProgramWalk
{
    private const int MaximumPacketOffset = 0xffff;

    /// <summary>The pointer is known to be at the end of the packet or beyond.</summary>
    private const int AtEnd = -1;

    private const int BeyondEnd = -2;

    /// <summary>A comparison of a pointer known to be at or beyond the end with that end.</summary>
    private static BranchOutcome PacketOutcome(BpfJumpCode code, RegisterState dst, RegisterState src)
    {
        RegisterState packet = dst;
        if (dst.Kind == RegisterKind.PacketEnd)
        {
            packet = src;
            code = Mirrored(code);
        }
        else if (src.Kind != RegisterKind.PacketEnd)
        {
            return BranchOutcome.Unknown;
        }

        if (packet.Kind != RegisterKind.Packet || packet.Range >= 0)
            return BranchOutcome.Unknown;
        return code switch
        {
            BpfJumpCode.JGT => packet.Range == BeyondEnd ? BranchOutcome.Always : BranchOutcome.Unknown,
            BpfJumpCode.JLE => packet.Range == BeyondEnd ? BranchOutcome.Never : BranchOutcome.Unknown,
            BpfJumpCode.JGE => BranchOutcome.Always,
            BpfJumpCode.JLT => BranchOutcome.Never,
            BpfJumpCode.JA or BpfJumpCode.JEQ or BpfJumpCode.JSET or BpfJumpCode.JNE or BpfJumpCode.JSGT or BpfJumpCode.JSGE
                or BpfJumpCode.CALL or BpfJumpCode.EXIT or BpfJumpCode.JSLT or BpfJumpCode.JSLE or BpfJumpCode.JCOND => BranchOutcome.Unknown,
        };
    }

    private static BpfJumpCode Mirrored(BpfJumpCode code) => code switch
    {
        BpfJumpCode.JGT => BpfJumpCode.JLT,
        BpfJumpCode.JLT => BpfJumpCode.JGT,
        BpfJumpCode.JGE => BpfJumpCode.JLE,
        BpfJumpCode.JLE => BpfJumpCode.JGE,
        BpfJumpCode.JSGT => BpfJumpCode.JSLT,
        BpfJumpCode.JSLT => BpfJumpCode.JSGT,
        BpfJumpCode.JSGE => BpfJumpCode.JSLE,
        BpfJumpCode.JSLE => BpfJumpCode.JSGE,
        BpfJumpCode.JA or BpfJumpCode.JEQ or BpfJumpCode.JSET or BpfJumpCode.JNE or BpfJumpCode.CALL or BpfJumpCode.EXIT
            or BpfJumpCode.JCOND => code,
    };

    private void RefinePacketPointers(BpfInstruction instruction, RegisterState dst, RegisterState src, VerifierState taken)
    {
        BpfJumpCode code = instruction.JumpCode;
        int register = instruction.Dst;
        RegisterState pointer = dst, end = src;
        if (!IsPair(pointer, end))
        {
            if (!IsPair(src, dst))
                return;
            (pointer, end, register, code) = (src, dst, instruction.Src, Mirrored(code));
        }

        // From here on the comparison reads: pointer (code) end.
        switch (code)
        {
            case BpfJumpCode.JGT:
                Widen(_state, pointer, isStrict: false);
                MarkEnd(taken, register, BeyondEnd);
                break;
            case BpfJumpCode.JGE:
                Widen(_state, pointer, isStrict: true);
                MarkEnd(taken, register, AtEnd);
                break;
            case BpfJumpCode.JLT:
                Widen(taken, pointer, isStrict: true);
                MarkEnd(_state, register, AtEnd);
                break;
            case BpfJumpCode.JLE:
                Widen(taken, pointer, isStrict: false);
                MarkEnd(_state, register, BeyondEnd);
                break;
            case BpfJumpCode.JA or BpfJumpCode.JEQ or BpfJumpCode.JSET or BpfJumpCode.JNE or BpfJumpCode.JSGT or BpfJumpCode.JSGE
                or BpfJumpCode.CALL or BpfJumpCode.EXIT or BpfJumpCode.JSLT or BpfJumpCode.JSLE or BpfJumpCode.JCOND:
                break;
        }
    }

    private static bool IsPair(RegisterState pointer, RegisterState end) =>
        (pointer.Kind == RegisterKind.Packet && end.Kind == RegisterKind.PacketEnd)
        || (pointer.Kind == RegisterKind.PacketMeta
            && end is { Kind: RegisterKind.Packet, Id: 0, Offset: 0, Bounds: { IsConstant: true, ConstantValue: 0 } });

    /// <summary>The bytes below the pointer are in the packet, and the one at it if the comparison was strict.</summary>
    private static void Widen(VerifierState state, RegisterState pointer, bool isStrict)
    {
        if (pointer.Offset < 0 || (pointer.Offset == 0 && isStrict))
            return;
        if (pointer.Bounds.UMax > MaximumPacketOffset || pointer.Bounds.UMax + (ulong)pointer.Offset > MaximumPacketOffset)
            return;
        int range = pointer.Offset + (isStrict ? 1 : 0);
        state.Rewrite((pointer.Kind, pointer.Id, range), static (register, argument) =>
            register.Kind == argument.Kind && register.Id == argument.Id && register.Range < argument.range
                ? register with { Range = argument.range }
                : register);
    }

    private static void MarkEnd(VerifierState state, int register, int range)
    {
        RegisterState pointer = state.Frame.Registers[register];
        if (pointer.Kind == RegisterKind.Packet)
            state.Frame.Registers[register] = pointer with { Range = range };
    }

    /// <summary>The packet's data may have moved: pointers into it are numbers from here on.</summary>
    private void ForgetPacketPointers() => ForgetPacketPointers(_state);

    private void ForgetPacketPointers(VerifierState state)
    {
        state.Rewrite(_slot, static (register, slot) =>
            register.Kind is RegisterKind.Packet or RegisterKind.PacketMeta or RegisterKind.PacketEnd || register.Dynptr is DynptrKind.SkBuff or DynptrKind.Xdp
                && register.Kind == RegisterKind.Memory
                ? RegisterState.FormerPointer(slot, PointerLoss.PacketMoved)
                : register);
    }
}
