namespace BpfPpcc.Tests.Differential;

/// <summary>Loads, stores and atomic operations (RFC 9669, 5).</summary>
public sealed partial class ReferenceInterpreter
{
    private int LoadImmediateOrPacket(int slot, in Decoded i)
    {
        switch (i.Opcode)
        {
            case 0x18:
                if (slot + 1 >= _code.Length)
                    throw new BpfFaultException("half a 64-bit immediate");
                ref readonly Decoded second = ref _code[slot + 1];
                if (second.Opcode != 0 || second.Dst != 0 || second.Src != 0 || second.Offset != 0)
                    throw new BpfFaultException("second half of a 64-bit immediate has fields set");
                if (i.Src != 0)
                    throw new BpfFaultException($"64-bit immediate of kind {i.Src}, unresolved");
                Write(i.Dst, (ulong)(uint)second.Imm << 32 | (uint)i.Imm);
                return slot + 2;
            case 0x20 or 0x28 or 0x30:
                return PacketAccess(slot, (uint)i.Imm, SizeOf(i.Opcode));
            case 0x40 or 0x48 or 0x50:
                return PacketAccess(slot, (uint)Read(i.Src) + (uint)i.Imm, SizeOf(i.Opcode));
            default:
                throw new BpfFaultException($"opcode 0x{i.Opcode:x2}");
        }
    }

    // r6 must hold the context; r1 to r5 are lost; where the packet has no such bytes, the program ends with 0 (Linux, classic BPF).
    private int PacketAccess(int slot, uint offset, int size)
    {
        Read(6);
        ulong? value = Packet?.Invoke(offset, size);
        for (int r = 1; r <= 5; r++)
            Forget(r);
        Write(0, value ?? 0);
        Observed?.Count(value is null ? "packet: outside" : "packet: inside");
        return value is null ? PopFrame() : slot + 1;
    }

    private void LoadRegister(in Decoded i)
    {
        int size = SizeOf(i.Opcode);
        ulong address = Read(i.Src) + (ulong)(long)i.Offset;
        ulong value = _memory.Load(address, size, Observed);
        NotePlace("load", address, size);
        Write(i.Dst, (i.Opcode >> 5) switch
        {
            3 => value,
            4 when size < 8 => SignExtended(value, 8 * size),
            _ => throw new BpfFaultException($"opcode 0x{i.Opcode:x2}"),
        });
    }

    private void StoreImmediate(in Decoded i)
    {
        if (i.Opcode >> 5 != 3)
            throw new BpfFaultException($"opcode 0x{i.Opcode:x2}");
        ulong address = Read(i.Dst) + (ulong)(long)i.Offset;
        _memory.Store(address, SizeOf(i.Opcode), (ulong)(long)i.Imm);
        NotePlace("store", address, SizeOf(i.Opcode));
    }

    private void StoreRegister(in Decoded i)
    {
        if (i.Opcode >> 5 != 3)
            throw new BpfFaultException($"opcode 0x{i.Opcode:x2}");
        ulong address = Read(i.Dst) + (ulong)(long)i.Offset;
        _memory.Store(address, SizeOf(i.Opcode), Read(i.Src));
        NotePlace("store", address, SizeOf(i.Opcode));
    }

    private void Atomic(in Decoded i)
    {
        int size = SizeOf(i.Opcode);
        if (i.Imm == 0x100)
        {
            Write(i.Dst, _memory.Load(Aligned(Read(i.Src) + (ulong)(long)i.Offset, size), size, Observed));
            return;
        }

        ulong address = Aligned(Read(i.Dst) + (ulong)(long)i.Offset, size);
        ulong operand = Read(i.Src);
        if (i.Imm == 0x110)
        {
            _memory.Store(address, size, operand);
            return;
        }

        if (size < 4)
            throw new BpfFaultException($"atomic operation on {size} bytes");
        ulong mask = size == 4 ? uint.MaxValue : ulong.MaxValue;
        ulong old = _memory.Load(address, size, Observed);
        NotePlace("atomic", address, size);
        if (i.Imm == 0xf1)
        {
            ulong expected = Read(0) & mask;
            if (old == expected)
                _memory.Store(address, size, operand);
            Observed?.Count(old == expected ? "atomic: cmpxchg succeeds" : "atomic: cmpxchg fails");
            Write(0, old);
            return;
        }

        _memory.Store(address, size, (i.Imm & ~1) switch
        {
            0x00 => old + operand,
            0x40 => old | operand,
            0x50 => old & operand,
            0xa0 => old ^ operand,
            0xe0 when i.Imm == 0xe1 => operand,
            _ => throw new BpfFaultException($"atomic operation 0x{i.Imm:x}"),
        });
        if ((i.Imm & 1) != 0)
            Write(i.Src, old);
    }

    private static int SizeOf(int opcode) => ((opcode >> 3) & 3) switch
    {
        0 => 4,
        1 => 2,
        2 => 1,
        _ => 8,
    };

    private static ulong Aligned(ulong address, int size) =>
        address % (ulong)size == 0 ? address : throw new BpfFaultException($"atomic access to a misaligned address, {size} bytes");

    private void NotePlace(string what, ulong address, int size)
    {
        if (Observed is not { } coverage)
            return;
        MemoryRegion region = _memory.RegionOf(address)!;
        string place = region.IsStack && region != _frames[^1].Stack ? "a caller's stack" : region.Name;
        coverage.CountAccess(new Access(what, size, place, (int)(address % (ulong)size)));
    }
}
