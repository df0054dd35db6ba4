using System.Globalization;

namespace BpfPpcc.Tests.Ir;

/// <summary>What a program of the interpreter does that no valid program does.</summary>
public sealed class IrFaultException(string message) : Exception(message);

/// <summary>Memory of the IR interpreter: regions with gaps between them; whatever touches a gap faults.</summary>
public sealed class IrMemory(bool isBigEndian)
{
    private readonly List<(ulong Start, byte[] Bytes)> _regions = [];

    /// <summary>Bytes that become visible at an address.</summary>
    public void Add(ulong start, byte[] bytes) => _regions.Add((start, bytes));

    /// <summary>The region added last goes away.</summary>
    public void RemoveLast() => _regions.RemoveAt(_regions.Count - 1);

    public ulong Load(ulong address, int bits)
    {
        Span<byte> bytes = At(address, bits / 8);
        ulong value = 0;
        for (int i = 0; i < bytes.Length; i++)
            value = value << 8 | bytes[isBigEndian ? i : bytes.Length - 1 - i];
        return value;
    }

    public void Store(ulong address, int bits, ulong value)
    {
        Span<byte> bytes = At(address, bits / 8);
        for (int i = 0; i < bytes.Length; i++)
            bytes[isBigEndian ? bytes.Length - 1 - i : i] = (byte)(value >> (8 * i));
    }

    /// <summary>The bytes from an address to the end of its region; none if it points nowhere.</summary>
    public ReadOnlySpan<byte> From(ulong address)
    {
        foreach ((ulong start, byte[] bytes) in _regions)
        {
            if (address - start < (ulong)bytes.Length)
                return bytes.AsSpan((int)(address - start));
        }

        return [];
    }

    private Span<byte> At(ulong address, int size)
    {
        foreach ((ulong start, byte[] bytes) in _regions)
        {
            if (address - start <= (ulong)bytes.Length && address - start + (ulong)size <= (ulong)bytes.Length)
                return bytes.AsSpan((int)(address - start), size);
        }

        throw new IrFaultException(string.Create(CultureInfo.InvariantCulture, $"access of {size} bytes at 0x{address:x}"));
    }
}
