using BpfPpcc.Bpf;
using BpfPpcc.Loading;

namespace BpfPpcc.Verification.Walk;

/// <summary>
/// Which registers may be read before they are written, per instruction of a function: the usual backward analysis, until nothing changes.
/// Calls read as many argument registers as their callee can have.
/// </summary>
internal static class RegisterLiveness
{
    private const ushort Arguments = 0b111110;
    private const ushort Clobbered = 0b111111;

    public static void Find(CodeImage image, int function, ushort[] live)
    {
        int start = image.Starts[function], end = image.Starts[function + 1];
        bool hasChanged = true;
        while (hasChanged)
        {
            hasChanged = false;
            for (int slot = end - 1; slot >= start; slot--)
            {
                BpfInstruction instruction = image.Code[slot];
                if (instruction.Opcode == 0)
                    continue;
                ushort now = Before(image, slot, After(instruction, slot, end, live));
                hasChanged |= now != live[slot];
                live[slot] = now;
            }
        }
    }

    /// <summary>What is live behind an instruction.</summary>
    public static ushort After(BpfInstruction instruction, int slot, int end, ushort[] live)
    {
        ushort after = 0;
        int next = slot + ControlFlow.SlotsOf(instruction);
        if (ControlFlow.FallsThrough(instruction) && next < end)
            after |= live[next];
        if (ControlFlow.IsJump(instruction))
            after |= live[ControlFlow.Target(instruction, slot)];
        return after;
    }

    private static ushort Before(CodeImage image, int slot, ushort after)
    {
        BpfInstruction instruction = image.Code[slot];
        if (instruction.IsExit)
            return 1;
        if (instruction.IsCall)
            return (ushort)((after & ~Clobbered) | ArgumentsOf(image, slot));
        if (instruction is { Class: BpfClass.LD, IsLoadImmediate64: false })
            return (ushort)((after & ~Clobbered) | 1 << 6 | (instruction.Mode == BpfMode.IND ? 1 << instruction.Src : 0));
        int written = instruction.WrittenRegister;
        if (written >= 0 && !(instruction.IsAtomic && instruction.Imm == BpfAtomic.CMPXCHG))
            after = (ushort)(after & ~(1 << written));
        return (ushort)(after | ReadRegisters(instruction));
    }

    private static ushort ArgumentsOf(CodeImage image, int slot)
    {
        BpfInstruction instruction = image.Code[slot];
        if (instruction.IsCallIndirect)
            return (ushort)(Arguments | 1 << instruction.Dst);
        if (image.References[slot] is BpfReference.ExternCall { Prototype: { } prototype })
            return Count(prototype.Parameters.Length);
        if (image.References[slot] is BpfReference.HostCall host)
            return Count(host.Helper.Arguments);
        if (image.References[slot] is null && instruction.Src == BpfPseudo.HelperCall && BpfHelpers.Find(instruction.Imm) is { } helper)
            return Count(helper.Arguments);
        return Arguments;
    }

    private static ushort Count(int arguments) => (ushort)((1 << (Math.Min(arguments, 5) + 1)) - 2);

    private static ushort ReadRegisters(BpfInstruction instruction)
    {
        int dst = 1 << instruction.Dst, src = 1 << instruction.Src;
        int read = instruction.Class switch
        {
            BpfClass.LD => 0,
            BpfClass.LDX => src,
            BpfClass.ST => dst,
            BpfClass.STX => instruction switch
            {
                { IsAtomic: true, Imm: BpfAtomic.LOAD_ACQ } => src,
                { IsAtomic: true, Imm: BpfAtomic.CMPXCHG } => dst | src | 1,
                _ => dst | src,
            },
            BpfClass.ALU or BpfClass.ALU64 =>
                (instruction.AluCode == BpfAluCode.MOV ? 0 : dst)
                | (instruction.Source == BpfSource.X && instruction.AluCode is not (BpfAluCode.END or BpfAluCode.NEG) ? src : 0),
            BpfClass.JMP or BpfClass.JMP32 =>
                instruction.JumpCode is BpfJumpCode.JA or BpfJumpCode.JCOND ? 0 : dst | (instruction.Source == BpfSource.X ? src : 0),
        };
        return (ushort)read;
    }
}
