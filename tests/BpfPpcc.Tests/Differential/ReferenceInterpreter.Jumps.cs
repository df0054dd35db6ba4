namespace BpfPpcc.Tests.Differential;

/// <summary>Jumps, calls and returns (RFC 9669, 4.3).</summary>
public sealed partial class ReferenceInterpreter
{
    private int Jump64(int slot, in Decoded i)
    {
        switch (i.Opcode)
        {
            case 0x05:
                return slot + 1 + i.Offset;
            case 0x85:
                return Call(slot, in i);
            case 0x8d:
                return CallRegister(slot, Read(i.Dst));
            case 0x95:
                return PopFrame();
            case 0xe5:
                return MayGoto(slot, in i);
            default:
                ulong b = IsRegister(in i) ? Read(i.Src) : (ulong)(long)i.Imm;
                ulong a = Read(i.Dst);
                return Branch(slot, in i, i.Offset, IsTaken(in i, a, b, (long)a, (long)b));
        }
    }

    private int Jump32(int slot, in Decoded i)
    {
        if (i.Opcode == 0x06)
            return slot + 1 + i.Imm;
        uint b = IsRegister(in i) ? (uint)Read(i.Src) : (uint)i.Imm;
        var a = (uint)Read(i.Dst);
        return Branch(slot, in i, i.Offset, IsTaken(in i, a, b, (int)a, (int)b));
    }

    private int Branch(int slot, in Decoded i, int offset, bool isTaken)
    {
        if (Observed is { } coverage)
        {
            coverage.CountBranch(i.Opcode, isTaken);
            if (offset < 0 && isTaken)
                coverage.Count("jump: conditional, backward");
        }

        return isTaken ? slot + 1 + offset : slot + 1;
    }

    private static bool IsTaken(in Decoded i, ulong a, ulong b, long signedA, long signedB) => (i.Opcode >> 4) switch
    {
        0x1 => a == b,
        0x2 => a > b,
        0x3 => a >= b,
        0x4 => (a & b) != 0,
        0x5 => a != b,
        0x6 => signedA > signedB,
        0x7 => signedA >= signedB,
        0xa => a < b,
        0xb => a <= b,
        0xc => signedA < signedB,
        0xd => signedA <= signedB,
        _ => throw new BpfFaultException($"opcode 0x{i.Opcode:x2}"),
    };

    private int Call(int slot, in Decoded i) => i.Src switch
    {
        0 => HelperOrTailCall(i.Imm, slot),
        1 => LocalCall(slot + 1 + i.Imm, slot + 1),
        _ => throw new BpfFaultException($"call of kind {i.Src}"),
    };

    private int CallRegister(int slot, ulong target)
    {
        Observed?.Count(target < 65_536 ? "call: through a register, helper" : "call: through a register, function");
        if (target < 65_536)
            return HelperOrTailCall((int)target, slot);
        ulong index = (target - CodeAddress) / 8;
        if (target < CodeAddress || index >= (ulong)_code.Length)
            throw new BpfFaultException($"call of 0x{target:x}");
        return LocalCall((int)index, slot + 1);
    }

    // Falls through while the function's budget lasts, then jumps; each fall-through costs one (Linux, BPF_MAY_GOTO).
    private int MayGoto(int slot, in Decoded i)
    {
        Frame frame = _frames[^1];
        if (frame.MayGoto == 0)
        {
            Coverage?.CountBranch(i.Opcode, isTaken: true);
            return slot + 1 + i.Offset;
        }

        Observed?.CountBranch(i.Opcode, isTaken: false);
        frame.MayGoto--;
        return slot + 1;
    }
}
