using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace BpfPpcc.Collections;

/// <summary>SHA-1 (FIPS 180-4), of which the tags of BPF programs are made. For the reason see <see cref="Sha256"/>.</summary>
public static class Sha1
{
    private const int BlockBytes = 64;
    private const int Rounds = 80;

    /// <summary>The 20 bytes of the digest.</summary>
    public static byte[] HashData(ReadOnlySpan<byte> message)
    {
        Span<uint> hash = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];
        int whole = message.Length / BlockBytes * BlockBytes;
        for (int at = 0; at < whole; at += BlockBytes)
            AddBlock(hash, message.Slice(at, BlockBytes));
        Span<byte> padded = stackalloc byte[2 * BlockBytes];
        ReadOnlySpan<byte> last = padded[..HashPadding.Fill(padded, message[whole..], message.Length)];
        for (int at = 0; at < last.Length; at += BlockBytes)
            AddBlock(hash, last.Slice(at, BlockBytes));

        byte[] digest = new byte[20];
        for (int i = 0; i < hash.Length; i++)
            BinaryPrimitives.WriteUInt32BigEndian(digest.AsSpan(4 * i), hash[i]);
        return digest;
    }

    /// <summary>6.1.2; the letters are those of the standard.</summary>
    private static void AddBlock(Span<uint> hash, ReadOnlySpan<byte> block)
    {
        Span<uint> schedule = stackalloc uint[Rounds];
        for (int t = 0; t < 16; t++)
            schedule[t] = BinaryPrimitives.ReadUInt32BigEndian(block[(4 * t)..]);
        for (int t = 16; t < Rounds; t++)
            schedule[t] = BitOperations.RotateLeft(schedule[t - 3] ^ schedule[t - 8] ^ schedule[t - 14] ^ schedule[t - 16], 1);

        (uint a, uint b, uint c, uint d, uint e) = (hash[0], hash[1], hash[2], hash[3], hash[4]);
        for (int t = 0; t < 20; t++)
            (a, b, c, d, e) = Round(a, b, c, d, e, (b & c ^ ~b & d) + 0x5a827999 + schedule[t]);
        for (int t = 20; t < 40; t++)
            (a, b, c, d, e) = Round(a, b, c, d, e, (b ^ c ^ d) + 0x6ed9eba1 + schedule[t]);
        for (int t = 40; t < 60; t++)
            (a, b, c, d, e) = Round(a, b, c, d, e, (b & c ^ b & d ^ c & d) + 0x8f1bbcdc + schedule[t]);
        for (int t = 60; t < Rounds; t++)
            (a, b, c, d, e) = Round(a, b, c, d, e, (b ^ c ^ d) + 0xca62c1d6 + schedule[t]);

        ReadOnlySpan<uint> working = [a, b, c, d, e];
        for (int i = 0; i < hash.Length; i++)
            hash[i] += working[i];
    }

    /// <param name="word">What the round adds: a function of b, c and d, a constant and a word of the schedule.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static (uint A, uint B, uint C, uint D, uint E) Round(uint a, uint b, uint c, uint d, uint e, uint word) =>
        (BitOperations.RotateLeft(a, 5) + e + word, a, BitOperations.RotateLeft(b, 30), c, d);
}
