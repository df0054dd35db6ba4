using BpfPpcc.Bpf;
using Xunit;

namespace BpfPpcc.Tests.Bpf;

/// <summary>Values worked out by hand from RFC 9669, 4.1 to 4.3.</summary>
public sealed class BpfSemanticsTests
{
    private const ulong Min64 = 0x8000000000000000;
    private const ulong All = 0xffffffffffffffff;

    [Theory]
    [InlineData(BpfAluCode.ADD, All, 1UL, 0UL)]
    [InlineData(BpfAluCode.SUB, 0UL, 1UL, All)]
    [InlineData(BpfAluCode.MUL, 0x100000001UL, 0x100000001UL, 0x200000001UL)]
    [InlineData(BpfAluCode.DIV, 7UL, 0UL, 0UL)]
    [InlineData(BpfAluCode.DIV, All, 2UL, 0x7fffffffffffffffUL)]
    [InlineData(BpfAluCode.MOD, 0xdeadbeef00000007UL, 0UL, 0xdeadbeef00000007UL)]
    [InlineData(BpfAluCode.MOD, All, 10UL, 5UL)]
    [InlineData(BpfAluCode.OR, 0xf0UL, 0x0fUL, 0xffUL)]
    [InlineData(BpfAluCode.AND, 0xf8UL, 0x1fUL, 0x18UL)]
    [InlineData(BpfAluCode.XOR, 0xffUL, All, 0xffffffffffffff00UL)]
    [InlineData(BpfAluCode.LSH, 1UL, 63UL, Min64)]
    [InlineData(BpfAluCode.LSH, 1UL, 65UL, 2UL)]
    [InlineData(BpfAluCode.RSH, Min64, 63UL, 1UL)]
    [InlineData(BpfAluCode.RSH, Min64, 64UL, Min64)]
    [InlineData(BpfAluCode.ARSH, Min64, 63UL, All)]
    [InlineData(BpfAluCode.ARSH, Min64, 0xffffffffffffffc1UL, 0xc000000000000000UL)]
    [InlineData(BpfAluCode.NEG, 1UL, 99UL, All)]
    [InlineData(BpfAluCode.NEG, Min64, 0UL, Min64)]
    [InlineData(BpfAluCode.MOV, 1UL, All, All)]
    public void Alu64(BpfAluCode code, ulong a, ulong b, ulong result) => Assert.Equal(result, BpfSemantics.Alu64(code, a, b));

    [Theory]
    [InlineData(BpfAluCode.DIV, 0xfffffffffffffff9UL, 2UL, 0xfffffffffffffffdUL)]
    [InlineData(BpfAluCode.DIV, Min64, All, Min64)]
    [InlineData(BpfAluCode.DIV, 5UL, 0UL, 0UL)]
    [InlineData(BpfAluCode.DIV, 5UL, All, 0xfffffffffffffffbUL)]
    [InlineData(BpfAluCode.MOD, 0xfffffffffffffff9UL, 2UL, All)]
    [InlineData(BpfAluCode.MOD, 7UL, 0xfffffffffffffffeUL, 1UL)]
    [InlineData(BpfAluCode.MOD, Min64, All, 0UL)]
    [InlineData(BpfAluCode.MOD, Min64, 0UL, Min64)]
    public void Signed_alu64(BpfAluCode code, ulong a, ulong b, ulong result) =>
        Assert.Equal(result, BpfSemantics.Alu64(code, a, b, isSigned: true));

    [Theory]
    [InlineData(BpfAluCode.ADD, 0xaaaaaaaaffffffffUL, 1UL, 0UL)]
    [InlineData(BpfAluCode.SUB, 0xaaaaaaaa00000000UL, 1UL, 0xffffffffUL)]
    [InlineData(BpfAluCode.MUL, 0x10000UL, 0x10000UL, 0UL)]
    [InlineData(BpfAluCode.DIV, 0xaaaaaaaa00000007UL, 0xbbbbbbbb00000000UL, 0UL)]
    [InlineData(BpfAluCode.DIV, 0xaaaaaaaa00000008UL, 0xffffffff00000002UL, 4UL)]
    [InlineData(BpfAluCode.MOD, 0xaaaaaaaa00000007UL, 0xbbbbbbbb00000000UL, 7UL)]
    [InlineData(BpfAluCode.MOD, 0xaaaaaaaaffffffffUL, 10UL, 5UL)]
    [InlineData(BpfAluCode.LSH, 1UL, 31UL, 0x80000000UL)]
    [InlineData(BpfAluCode.LSH, 1UL, 33UL, 2UL)]
    [InlineData(BpfAluCode.RSH, 0xffffffff80000000UL, 31UL, 1UL)]
    [InlineData(BpfAluCode.RSH, 0xffffffff80000000UL, 32UL, 0x80000000UL)]
    [InlineData(BpfAluCode.ARSH, 0x80000000UL, 31UL, 0xffffffffUL)]
    [InlineData(BpfAluCode.ARSH, 0xffffffff7fffffffUL, 1UL, 0x3fffffffUL)]
    [InlineData(BpfAluCode.NEG, 1UL, 0UL, 0xffffffffUL)]
    [InlineData(BpfAluCode.NEG, 0x80000000UL, 0UL, 0x80000000UL)]
    [InlineData(BpfAluCode.OR, 0xff00000000000000UL, 1UL, 1UL)]
    [InlineData(BpfAluCode.AND, All, All, 0xffffffffUL)]
    [InlineData(BpfAluCode.XOR, All, 0UL, 0xffffffffUL)]
    [InlineData(BpfAluCode.MOV, 0UL, All, 0xffffffffUL)]
    public void Alu32(BpfAluCode code, ulong a, ulong b, ulong result) => Assert.Equal(result, BpfSemantics.Alu32(code, a, b));

    [Theory]
    [InlineData(BpfAluCode.DIV, 0xfffffff9UL, 2UL, 0xfffffffdUL)]
    [InlineData(BpfAluCode.DIV, 0x80000000UL, 0xffffffffUL, 0x80000000UL)]
    [InlineData(BpfAluCode.DIV, 5UL, 0xffffffff00000000UL, 0UL)]
    [InlineData(BpfAluCode.MOD, 0xfffffff9UL, 2UL, 0xffffffffUL)]
    [InlineData(BpfAluCode.MOD, 0x80000000UL, All, 0UL)]
    [InlineData(BpfAluCode.MOD, 0xfffffffffffffff9UL, 0UL, 0xfffffff9UL)]
    public void Signed_alu32(BpfAluCode code, ulong a, ulong b, ulong result) =>
        Assert.Equal(result, BpfSemantics.Alu32(code, a, b, isSigned: true));

    [Theory]
    [InlineData(8, 0x80UL, 0xffffffffffffff80UL, 0xffffff80UL)]
    [InlineData(8, 0xff7fUL, 0x7fUL, 0x7fUL)]
    [InlineData(16, 0x8000UL, 0xffffffffffff8000UL, 0xffff8000UL)]
    [InlineData(32, 0x80000000UL, 0xffffffff80000000UL, 0x80000000UL)]
    public void Sign_extension(int width, ulong value, ulong to64, ulong to32)
    {
        Assert.Equal(to64, BpfSemantics.SignExtend64(width, value));
        Assert.Equal(to32, BpfSemantics.SignExtend32(width, value));
    }

    [Theory]
    [InlineData(16, 0x1122334455667788UL, 0x8877UL, 0x7788UL)]
    [InlineData(32, 0x1122334455667788UL, 0x88776655UL, 0x55667788UL)]
    [InlineData(64, 0x1122334455667788UL, 0x8877665544332211UL, 0x1122334455667788UL)]
    public void Byte_order(int width, ulong value, ulong swapped, ulong kept)
    {
        Assert.Equal(swapped, BpfSemantics.ByteSwap(width, value));
        Assert.Equal(swapped, BpfSemantics.ToBigEndian(width, value, isBigEndianHost: false));
        Assert.Equal(kept, BpfSemantics.ToBigEndian(width, value, isBigEndianHost: true));
        Assert.Equal(kept, BpfSemantics.ToLittleEndian(width, value, isBigEndianHost: false));
        Assert.Equal(swapped, BpfSemantics.ToLittleEndian(width, value, isBigEndianHost: true));
    }

    /// <summary>
    /// The relations that hold, as text, for pairs that differ between 64 and 32 bits and between signed and unsigned.
    /// </summary>
    [Theory]
    [InlineData(false, 1UL, 1UL, "JEQ JGE JSET JSGE JLE JSLE")]
    [InlineData(false, All, 1UL, "JGT JGE JSET JNE JSLT JSLE")]
    [InlineData(false, 0x100000001UL, 1UL, "JGT JGE JSET JNE JSGT JSGE")]
    [InlineData(true, 0x100000001UL, 1UL, "JEQ JGE JSET JSGE JLE JSLE")]
    [InlineData(true, 0x80000000UL, 1UL, "JGT JGE JNE JSLT JSLE")]
    [InlineData(false, 0x80000000UL, 1UL, "JGT JGE JNE JSGT JSGE")]
    [InlineData(true, 0x2UL, 0xffffffff00000004UL, "JNE JLT JLE JSLT JSLE")]
    public void Comparisons(bool is32, ulong a, ulong b, string holding)
    {
        string[] expected = holding.Split(' ');
        foreach (BpfJumpCode code in Enum.GetValues<BpfJumpCode>())
        {
            if (code is not (BpfJumpCode.JA or BpfJumpCode.CALL or BpfJumpCode.EXIT or BpfJumpCode.JCOND))
                Assert.True(expected.Contains(code.ToString()) == BpfSemantics.Compare(code, is32, a, b), code.ToString());
        }
    }
}
