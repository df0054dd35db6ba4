namespace BpfPpcc.Ppc64;

/// <summary>
/// Values of the BO field of conditional branches (Power ISA book I, 2.4, figure "BO field encodings"). Those on a condition take a hint in
/// their two low bits, those on the count in bits 0b01001.
/// </summary>
public static class BranchOptions
{
    /// <summary>Branch if the CR bit is 0.</summary>
    public const int IfFalse = 0b00100;

    /// <summary>Branch if the CR bit is 1.</summary>
    public const int IfTrue = 0b01100;

    /// <summary>Decrement CTR, branch if it is not 0 then.</summary>
    public const int DecrementNonZero = 0b10000;

    /// <summary>Decrement CTR, branch if it is 0 then.</summary>
    public const int DecrementZero = 0b10010;

    public const int Always = 0b10100;

    /// <summary>Added to <see cref="IfFalse"/> or <see cref="IfTrue"/>: very likely not taken ("-").</summary>
    public const int Unlikely = 0b00010;

    /// <summary>Added to <see cref="IfFalse"/> or <see cref="IfTrue"/>: very likely taken ("+").</summary>
    public const int Likely = 0b00011;

    /// <summary>True for branches on a CR bit alone.</summary>
    public static bool IsConditional(int options) => (options & 0b10100) == 0b00100 && (options & 0b00011) != 0b00001;

    /// <summary>For a branch on a CR bit: taken if that is 1.</summary>
    public static bool IsIfTrue(int options) => (options & 0b01000) != 0;

    /// <summary>True if the branch changes CTR.</summary>
    public static bool DecrementsCtr(int options) => (options & 0b00100) == 0;

    /// <summary>The branch on a CR bit, or on the count, that is taken exactly when this one is not, its hint turned round too.</summary>
    public static int Invert(int options) => DecrementsCtr(options)
        ? options ^ 0b00010 ^ ((options & 0b01000) >> 3)
        : options ^ 0b01000 ^ ((options & 0b00010) >> 1);

    /// <summary>The same branch without a hint.</summary>
    public static int WithoutHint(int options) => HintSuffix(options).Length == 0 ? options
        : IsConditional(options) ? options & ~0b00011
        : options & ~0b01001;

    /// <summary>What the assembler writes behind the mnemonic for the hint: "+", "-" or nothing.</summary>
    public static string HintSuffix(int options)
    {
        if (IsConditional(options)) return (options & 0b00011) switch { 0b00010 => "-", 0b00011 => "+", _ => "" };
        if ((options & 0b10100) == 0b10000) return (options & 0b01001) switch { 0b01000 => "-", 0b01001 => "+", _ => "" };
        return "";
    }
}

/// <summary>The four bits of a CR field (Power ISA book I, 2.3.1) and their numbers in the CR.</summary>
public static class CrBits
{
    public const int Lt = 0;
    public const int Gt = 1;
    public const int Eq = 2;
    public const int So = 3;

    /// <summary>Number in the CR, 0..31, of a bit of a field.</summary>
    public static int Of(int crField, int bit) => 4 * crField + bit;
}
