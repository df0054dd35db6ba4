using System.Buffers.Binary;

namespace BpfPpcc.Tests.Differential;

/// <summary>Code as the reference interpreter runs it, its slots taken apart; any number of runs may share it.</summary>
public sealed class InterpretedCode
{
    /// <param name="code">Whole slots.</param>
    public InterpretedCode(ReadOnlySpan<byte> code, bool isBigEndian = false)
    {
        if (code.Length % 8 != 0)
            throw new ArgumentException("not a whole number of slots", nameof(code));
        IsBigEndian = isBigEndian;
        Slots = new Decoded[code.Length / 8];
        for (int i = 0; i < Slots.Length; i++)
            Slots[i] = Decoded.From(code.Slice(8 * i, 8), isBigEndian);
    }

    public bool IsBigEndian { get; }

    internal Decoded[] Slots { get; }
}

/// <summary>A slot, taken apart (RFC 9669, 3).</summary>
internal readonly struct Decoded
{
    public required byte Opcode { get; init; }

    public required int Dst { get; init; }

    public required int Src { get; init; }

    public required int Offset { get; init; }

    public required int Imm { get; init; }

    public static Decoded From(ReadOnlySpan<byte> bytes, bool isBigEndian) => new()
    {
        Opcode = bytes[0],
        Dst = isBigEndian ? bytes[1] >> 4 : bytes[1] & 15,
        Src = isBigEndian ? bytes[1] & 15 : bytes[1] >> 4,
        Offset = isBigEndian ? BinaryPrimitives.ReadInt16BigEndian(bytes[2..]) : BinaryPrimitives.ReadInt16LittleEndian(bytes[2..]),
        Imm = isBigEndian ? BinaryPrimitives.ReadInt32BigEndian(bytes[4..]) : BinaryPrimitives.ReadInt32LittleEndian(bytes[4..]),
    };
}
