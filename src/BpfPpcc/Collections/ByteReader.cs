using System.Buffers.Binary;

namespace BpfPpcc.Collections;

/// <summary>
/// Reads integers of either byte order from a span at explicit offsets. Every read is checked against the span's end and says by its
/// result whether it succeeded: input is hostile and no read of it throws.
/// </summary>
public readonly ref struct ByteReader(ReadOnlySpan<byte> data, bool bigEndian)
{
    private readonly ReadOnlySpan<byte> _data = data;

    public ReadOnlySpan<byte> Data => _data;

    public int Length => _data.Length;

    public bool IsBigEndian { get; } = bigEndian;

    public bool TryReadByte(ulong offset, out byte value)
    {
        bool ok = TrySlice(offset, 1, out ReadOnlySpan<byte> bytes);
        value = ok ? bytes[0] : (byte)0;
        return ok;
    }

    public bool TryReadUInt16(ulong offset, out ushort value)
    {
        bool ok = TrySlice(offset, 2, out ReadOnlySpan<byte> bytes);
        value = !ok ? (ushort)0 : IsBigEndian ? BinaryPrimitives.ReadUInt16BigEndian(bytes) : BinaryPrimitives.ReadUInt16LittleEndian(bytes);
        return ok;
    }

    public bool TryReadUInt32(ulong offset, out uint value)
    {
        bool ok = TrySlice(offset, 4, out ReadOnlySpan<byte> bytes);
        value = !ok ? 0 : IsBigEndian ? BinaryPrimitives.ReadUInt32BigEndian(bytes) : BinaryPrimitives.ReadUInt32LittleEndian(bytes);
        return ok;
    }

    public bool TryReadUInt64(ulong offset, out ulong value)
    {
        bool ok = TrySlice(offset, 8, out ReadOnlySpan<byte> bytes);
        value = !ok ? 0 : IsBigEndian ? BinaryPrimitives.ReadUInt64BigEndian(bytes) : BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        return ok;
    }

    /// <summary>The <paramref name="length"/> bytes at <paramref name="offset"/>; false if they are not all inside the data.</summary>
    public bool TrySlice(ulong offset, ulong length, out ReadOnlySpan<byte> bytes)
    {
        if (offset > (ulong)_data.Length || length > (ulong)_data.Length - offset)
        {
            bytes = default;
            return false;
        }

        bytes = _data.Slice((int)offset, (int)length);
        return true;
    }

    /// <summary>The bytes from <paramref name="offset"/> up to the next NUL, which must lie inside the data.</summary>
    public bool TryReadCString(ulong offset, out ReadOnlySpan<byte> bytes)
    {
        bytes = default;
        if (offset >= (ulong)_data.Length)
            return false;
        ReadOnlySpan<byte> rest = _data[(int)offset..];
        int end = rest.IndexOf((byte)0);
        if (end < 0)
            return false;
        bytes = rest[..end];
        return true;
    }
}
