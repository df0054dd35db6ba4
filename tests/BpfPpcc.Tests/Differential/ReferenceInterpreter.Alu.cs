using System.Buffers.Binary;

namespace BpfPpcc.Tests.Differential;

/// <summary>Arithmetic (RFC 9669, 4.1 and 4.2).</summary>
public sealed partial class ReferenceInterpreter
{
    private void Alu64(in Decoded i)
    {
        int operation = i.Opcode >> 4;
        switch (operation)
        {
            case 0x8:
                Write(i.Dst, 0 - Read(i.Dst));
                return;
            case 0xb:
                Write(i.Dst, IsRegister(in i) ? SignExtended(Read(i.Src), i.Offset) : (ulong)(long)i.Imm);
                return;
            case 0xd:
                if (IsRegister(in i))
                    throw new BpfFaultException("bswap with the source bit set");
                Write(i.Dst, Swapped(Read(i.Dst), i.Imm));
                return;
            default:
                break;
        }

        ulong a = Read(i.Dst);
        ulong b = IsRegister(in i) ? Read(i.Src) : (ulong)(long)i.Imm;
        NoteOperands("64", operation, i.Offset, IsRegister(in i), b, b == 0, b == ulong.MaxValue && a == 1UL << 63, b >= 64);
        Write(i.Dst, operation switch
        {
            0x0 => a + b,
            0x1 => a - b,
            0x2 => a * b,
            0x3 when i.Offset == 1 => (ulong)SignedQuotient((long)a, (long)b, long.MinValue),
            0x3 when i.Offset == 0 => b == 0 ? 0 : a / b,
            0x4 => a | b,
            0x5 => a & b,
            0x6 => a << (int)(b % 64),
            0x7 => a >> (int)(b % 64),
            0x9 when i.Offset == 1 => (ulong)SignedRemainder((long)a, (long)b),
            0x9 when i.Offset == 0 => b == 0 ? a : a % b,
            0xa => a ^ b,
            0xc => (ulong)((long)a >> (int)(b % 64)),
            _ => throw new BpfFaultException($"opcode 0x{i.Opcode:x2}"),
        });
    }

    private void Alu32(in Decoded i)
    {
        int operation = i.Opcode >> 4;
        switch (operation)
        {
            case 0x8:
                Write(i.Dst, 0 - (uint)Read(i.Dst));
                return;
            case 0xb:
                Write(i.Dst, IsRegister(in i) ? (uint)SignExtended(Read(i.Src), i.Offset) : (uint)i.Imm);
                return;
            case 0xd:
                Write(i.Dst, IsRegister(in i) == _isBigEndian ? Truncated(Read(i.Dst), i.Imm) : Swapped(Read(i.Dst), i.Imm));
                return;
            default:
                break;
        }

        var a = (uint)Read(i.Dst);
        uint b = IsRegister(in i) ? (uint)Read(i.Src) : (uint)i.Imm;
        NoteOperands("32", operation, i.Offset, IsRegister(in i), b, b == 0, b == uint.MaxValue && a == 1U << 31, b >= 32);
        uint result = operation switch
        {
            0x0 => a + b,
            0x1 => a - b,
            0x2 => a * b,
            0x3 when i.Offset == 1 => (uint)SignedQuotient((int)a, (int)b, int.MinValue),
            0x3 when i.Offset == 0 => b == 0 ? 0 : a / b,
            0x4 => a | b,
            0x5 => a & b,
            0x6 => a << (int)(b % 32),
            0x7 => a >> (int)(b % 32),
            0x9 when i.Offset == 1 => (uint)SignedRemainder((int)a, (int)b),
            0x9 when i.Offset == 0 => b == 0 ? a : a % b,
            0xa => a ^ b,
            0xc => (uint)((int)a >> (int)(b % 32)),
            _ => throw new BpfFaultException($"opcode 0x{i.Opcode:x2}"),
        };
        Write(i.Dst, result);
    }

    private static bool IsRegister(in Decoded i) => (i.Opcode & 8) != 0;

    // Division truncates towards zero; a quotient by zero is 0, a remainder by zero the dividend, and the least integer divided
    // by -1 is itself (RFC 9669, 4.1).
    private static long SignedQuotient(long a, long b, long least)
    {
        if (b == 0)
            return 0;
        if (b == -1)
            return a == least ? least : -a;
        return a / b;
    }

    private static long SignedRemainder(long a, long b)
    {
        if (b == 0)
            return a;
        return b == -1 ? 0 : a % b;
    }

    private static ulong SignExtended(ulong value, int bits) => bits switch
    {
        0 => value,
        8 => (ulong)(sbyte)value,
        16 => (ulong)(short)value,
        32 => (ulong)(int)value,
        _ => throw new BpfFaultException($"sign extension of {bits} bits"),
    };

    private static ulong Truncated(ulong value, int bits) => bits switch
    {
        16 => (ushort)value,
        32 => (uint)value,
        64 => value,
        _ => throw new BpfFaultException($"byte order of {bits} bits"),
    };

    private static ulong Swapped(ulong value, int bits) => bits switch
    {
        16 => BinaryPrimitives.ReverseEndianness((ushort)value),
        32 => BinaryPrimitives.ReverseEndianness((uint)value),
        64 => BinaryPrimitives.ReverseEndianness(value),
        _ => throw new BpfFaultException($"byte swap of {bits} bits"),
    };

    private void NoteOperands(string width, int operation, int offset, bool isRegister, ulong b, bool isZero, bool overflows, bool isLongShift)
    {
        if (Observed is not { } coverage)
            return;
        string source = isRegister ? "register" : "immediate";
        if (operation is 0x3 or 0x9)
        {
            string name = (offset == 1 ? "s" : "") + (operation == 0x3 ? "div" : "mod") + width;
            if (isZero)
                coverage.Count($"operands: {name} by zero {source}");
            if (overflows && isRegister && offset == 1)
                coverage.Count($"operands: {name} of the least integer by -1");
        }
        else if (operation is 0x6 or 0x7 or 0xc && isRegister)
        {
            string name = (operation switch { 0x6 => "lsh", 0x7 => "rsh", _ => "arsh" }) + width;
            if (isLongShift)
                coverage.Count($"operands: {name} by a register beyond the width");
            else if (b == 0)
                coverage.Count($"operands: {name} by a register of zero");
        }
    }
}
