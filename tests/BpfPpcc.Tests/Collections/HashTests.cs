using System.Security.Cryptography;
using BpfPpcc.Collections;
using Xunit;

namespace BpfPpcc.Tests.Collections;

public sealed class HashTests
{
    /// <summary>All lengths around the ends of blocks, against the platform's.</summary>
    [Fact]
    public void Digests_are_those_of_the_platform()
    {
        byte[] message = new byte[1000];
        new Random(1).NextBytes(message);
        for (int length = 0; length <= message.Length; length++)
        {
            Assert.Equal(SHA256.HashData(message.AsSpan(0, length)), Sha256.HashData(message.AsSpan(0, length)));
#pragma warning disable CA5350 // Linux chose the hash of program tags; nothing is protected by it.
            Assert.Equal(SHA1.HashData(message.AsSpan(0, length)), Sha1.HashData(message.AsSpan(0, length)));
#pragma warning restore CA5350
        }
    }
}
