using System.Buffers.Binary;
using System.Text;

namespace BpfPpcc.Collections;

/// <summary>A growing buffer of bytes that writes integers in the byte order of the target. The only place that knows how.</summary>
public sealed class ByteWriter(bool bigEndian)
{
    private byte[] _buffer = new byte[256];

    public bool IsBigEndian { get; } = bigEndian;

    public int Length { get; private set; }

    public ReadOnlySpan<byte> Written => _buffer.AsSpan(0, Length);

    public void WriteByte(byte value) => Reserve(1)[0] = value;

    public void WriteUInt16(ushort value) => PutUInt16(Reserve(2), value);

    public void WriteUInt32(uint value) => PutUInt32(Reserve(4), value);

    public void WriteUInt64(ulong value) => PutUInt64(Reserve(8), value);

    public void WriteBytes(ReadOnlySpan<byte> bytes) => bytes.CopyTo(Reserve(bytes.Length));

    public void WriteZeros(int count) => Reserve(count).Clear();

    /// <summary>UTF-8, with a terminating NUL.</summary>
    public void WriteCString(string text)
    {
        WriteBytes(Encoding.UTF8.GetBytes(text));
        WriteByte(0);
    }

    /// <summary>Zero bytes up to a multiple of <paramref name="alignment"/>, which is a power of two.</summary>
    public void Align(int alignment) => WriteZeros(-Length & (alignment - 1));

    /// <summary>Overwrites the four bytes at <paramref name="offset"/>.</summary>
    public void PatchUInt32(int offset, uint value) => PutUInt32(_buffer.AsSpan(0, Length).Slice(offset, 4), value);

    /// <summary>Overwrites the eight bytes at <paramref name="offset"/>.</summary>
    public void PatchUInt64(int offset, ulong value) => PutUInt64(_buffer.AsSpan(0, Length).Slice(offset, 8), value);

    /// <summary>Unsigned LEB128 (DWARF 5, 7.6).</summary>
    public void WriteUleb128(ulong value)
    {
        while (value >= 0x80)
        {
            WriteByte((byte)(value | 0x80));
            value >>= 7;
        }

        WriteByte((byte)value);
    }

    /// <summary>Signed LEB128 (DWARF 5, 7.6).</summary>
    public void WriteSleb128(long value)
    {
        while (value is < -64 or > 63)
        {
            WriteByte((byte)((byte)value | 0x80));
            value >>= 7;
        }

        WriteByte((byte)(value & 0x7f));
    }

    public byte[] ToArray() => Written.ToArray();

    private void PutUInt16(Span<byte> place, ushort value)
    {
        if (IsBigEndian)
            BinaryPrimitives.WriteUInt16BigEndian(place, value);
        else
            BinaryPrimitives.WriteUInt16LittleEndian(place, value);
    }

    private void PutUInt32(Span<byte> place, uint value)
    {
        if (IsBigEndian)
            BinaryPrimitives.WriteUInt32BigEndian(place, value);
        else
            BinaryPrimitives.WriteUInt32LittleEndian(place, value);
    }

    private void PutUInt64(Span<byte> place, ulong value)
    {
        if (IsBigEndian)
            BinaryPrimitives.WriteUInt64BigEndian(place, value);
        else
            BinaryPrimitives.WriteUInt64LittleEndian(place, value);
    }

    private Span<byte> Reserve(int count)
    {
        if (_buffer.Length - Length < count)
            Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, Length + count));
        Span<byte> place = _buffer.AsSpan(Length, count);
        Length += count;
        return place;
    }
}
