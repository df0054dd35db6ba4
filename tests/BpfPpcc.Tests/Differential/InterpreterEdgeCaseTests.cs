using System.Numerics;
using BpfPpcc.Tests.Execution;
using Xunit;

namespace BpfPpcc.Tests.Differential;

/// <summary>The interpreter's arithmetic at the edges, against unbounded integers.</summary>
public sealed class InterpreterEdgeCaseTests
{
    [Fact]
    public void Arithmetic_and_comparisons_follow_the_integers()
    {
        int runs = 0;
        foreach (EdgeCases.Operation edge in EdgeCases.All())
        {
            var interpreter = new UnitInterpreter(edge.Unit);
            foreach (TestInput input in edge.Unit.Inputs)
            {
                BigInteger a = BitConverter.ToUInt64(input.Memory), b = edge.Immediate ?? (BigInteger)BitConverter.ToUInt64(input.Memory, 8);
                int width = edge.Is64 ? 64 : 32;
                ulong expected = edge.IsJump
                    ? Compare(edge.Code, a, b, width) ? 1UL : 0
                    : (ulong)Unsigned(Compute(edge.Code, edge.IsSigned, a, b, width), width);
                Assert.True(expected == interpreter.Run(input).Result, $"{edge.Unit.Name}: {a:x} {b:x}");
                runs++;
            }
        }

        Assert.True(runs > 10_000);
    }

    private static BigInteger Unsigned(BigInteger value, int width) => value & ((BigInteger.One << width) - 1);

    private static BigInteger Signed(BigInteger value, int width)
    {
        BigInteger low = Unsigned(value, width);
        return low >> (width - 1) == 0 ? low : low - (BigInteger.One << width);
    }

    private static BigInteger Compute(int operation, bool isSigned, BigInteger a, BigInteger b, int width)
    {
        BigInteger x = isSigned || operation == 0xc ? Signed(a, width) : Unsigned(a, width);
        BigInteger y = isSigned ? Signed(b, width) : Unsigned(b, width);
        var count = (int)(Unsigned(b, width) % width);
        return operation switch
        {
            0x0 => x + y,
            0x1 => x - y,
            0x2 => x * y,
            0x3 => y.IsZero ? 0 : BigInteger.Divide(x, y),
            0x4 => x | y,
            0x5 => x & y,
            0x6 => x << count,
            0x7 or 0xc => x >> count,
            0x9 => y.IsZero ? x : BigInteger.Remainder(x, y),
            0xa => x ^ y,
            _ => y,
        };
    }

    private static bool Compare(int code, BigInteger a, BigInteger b, int width)
    {
        BigInteger x = Unsigned(a, width), y = Unsigned(b, width), sx = Signed(a, width), sy = Signed(b, width);
        return code switch
        {
            0x1 => x == y,
            0x2 => x > y,
            0x3 => x >= y,
            0x4 => !(x & y).IsZero,
            0x5 => x != y,
            0x6 => sx > sy,
            0x7 => sx >= sy,
            0xa => x < y,
            0xb => x <= y,
            0xc => sx < sy,
            _ => sx <= sy,
        };
    }
}
