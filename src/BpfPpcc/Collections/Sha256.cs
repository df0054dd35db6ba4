using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace BpfPpcc.Collections;

/// <summary>
/// SHA-256 (FIPS 180-4). The platform's own takes two milliseconds to load its libraries, which is longer than compiling a small object.
/// </summary>
public static class Sha256
{
    private const int BlockBytes = 64;
    private const int Rounds = 64;

    /// <summary>First 32 bits of the fractional parts of the square roots of the first 8 primes (5.3.3).</summary>
    private static ReadOnlySpan<uint> InitialHash =>
        [0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19];

    /// <summary>The same of the cube roots of the first 64 primes (4.2.2).</summary>
    private static ReadOnlySpan<uint> Constants =>
    [
        0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
        0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
        0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
        0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
        0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
        0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
        0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
        0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
    ];

    /// <summary>The 32 bytes of the digest.</summary>
    public static ImmutableArray<byte> HashData(ReadOnlySpan<byte> message)
    {
        Span<uint> hash = stackalloc uint[8];
        InitialHash.CopyTo(hash);
        int whole = message.Length / BlockBytes * BlockBytes;
        for (int at = 0; at < whole; at += BlockBytes)
            AddBlock(hash, message.Slice(at, BlockBytes));

        Span<byte> padded = stackalloc byte[2 * BlockBytes];
        ReadOnlySpan<byte> last = padded[..HashPadding.Fill(padded, message[whole..], message.Length)];
        for (int at = 0; at < last.Length; at += BlockBytes)
            AddBlock(hash, last.Slice(at, BlockBytes));

        byte[] digest = new byte[32];
        for (int i = 0; i < hash.Length; i++)
            BinaryPrimitives.WriteUInt32BigEndian(digest.AsSpan(4 * i), hash[i]);
        return ImmutableCollectionsMarshal.AsImmutableArray(digest);
    }

    /// <summary>6.2.2; the letters are those of the standard.</summary>
    private static void AddBlock(Span<uint> hash, ReadOnlySpan<byte> block)
    {
        Span<uint> schedule = stackalloc uint[Rounds];
        for (int t = 0; t < 16; t++)
            schedule[t] = BinaryPrimitives.ReadUInt32BigEndian(block[(4 * t)..]);
        for (int t = 16; t < Rounds; t++)
        {
            Span<uint> last = schedule.Slice(t - 16, 17);
            uint sigma1 = BitOperations.RotateRight(last[14], 17) ^ BitOperations.RotateRight(last[14], 19) ^ last[14] >> 10;
            uint sigma0 = BitOperations.RotateRight(last[1], 7) ^ BitOperations.RotateRight(last[1], 18) ^ last[1] >> 3;
            last[16] = sigma1 + last[9] + sigma0 + last[0];
        }

        (uint a, uint b, uint c, uint d, uint e, uint f, uint g, uint h) = (hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]);
        for (int t = 0; t < Rounds; t += 8)
        {
            // Eight rounds bring every working variable back to its letter, so that none is moved.
            ReadOnlySpan<uint> k = Constants.Slice(t, 8);
            ReadOnlySpan<uint> w = schedule.Slice(t, 8);
            Round(a, b, c, ref d, e, f, g, ref h, k[0] + w[0]);
            Round(h, a, b, ref c, d, e, f, ref g, k[1] + w[1]);
            Round(g, h, a, ref b, c, d, e, ref f, k[2] + w[2]);
            Round(f, g, h, ref a, b, c, d, ref e, k[3] + w[3]);
            Round(e, f, g, ref h, a, b, c, ref d, k[4] + w[4]);
            Round(d, e, f, ref g, h, a, b, ref c, k[5] + w[5]);
            Round(c, d, e, ref f, g, h, a, ref b, k[6] + w[6]);
            Round(b, c, d, ref e, f, g, h, ref a, k[7] + w[7]);
        }

        ReadOnlySpan<uint> working = [a, b, c, d, e, f, g, h];
        for (int i = 0; i < hash.Length; i++)
            hash[i] += working[i];
    }

    /// <summary>One round without its renaming of the variables: d becomes e, and h becomes a.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Round(uint a, uint b, uint c, ref uint d, uint e, uint f, uint g, ref uint h, uint word)
    {
        uint sum1 = BitOperations.RotateRight(e, 6) ^ BitOperations.RotateRight(e, 11) ^ BitOperations.RotateRight(e, 25);
        uint sum0 = BitOperations.RotateRight(a, 2) ^ BitOperations.RotateRight(a, 13) ^ BitOperations.RotateRight(a, 22);
        uint t1 = h + sum1 + (g ^ e & (f ^ g)) + word;
        d += t1;
        h = t1 + sum0 + (a & b | c & (a | b));
    }
}
