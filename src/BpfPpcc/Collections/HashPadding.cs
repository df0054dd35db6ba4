using System.Buffers.Binary;

namespace BpfPpcc.Collections;

/// <summary>The end of a message, the same for SHA-1 and SHA-256 (FIPS 180-4, 5.1.1).</summary>
internal static class HashPadding
{
    private const int BlockBytes = 64;

    /// <summary>Writes what is left of the message, a one bit, and its length in bits at the end of a block; returns the bytes used.</summary>
    /// <param name="padded">Two blocks.</param>
    /// <param name="rest">Less than a block.</param>
    /// <param name="length">Bytes of the whole message.</param>
    public static int Fill(Span<byte> padded, ReadOnlySpan<byte> rest, int length)
    {
        padded.Clear();
        rest.CopyTo(padded);
        padded[rest.Length] = 0x80;
        int end = rest.Length + 9 <= BlockBytes ? BlockBytes : 2 * BlockBytes;
        BinaryPrimitives.WriteUInt64BigEndian(padded[(end - 8)..], 8UL * (ulong)length);
        return end;
    }
}
