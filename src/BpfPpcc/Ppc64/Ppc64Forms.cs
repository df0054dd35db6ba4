namespace BpfPpcc.Ppc64;

/// <summary>
/// The fixed bits of an instruction by its form (Power ISA book I, 1.6.1): primary opcode in bits 0..5, extended opcode where the form has it.
/// Bits are numbered as in the manual, 0 is the most significant.
/// </summary>
internal static class Ppc64Forms
{
    /// <summary>Record bit of the fixed-point forms (bit 31).</summary>
    public const uint Rc = 1;

    /// <summary>Bit that stores the return address in LR (bit 31 of the branch forms).</summary>
    public const uint LK = 1;

    /// <summary>L of the compare instructions: operands of 64 bits (bit 10).</summary>
    public const uint L = 1u << (31 - 10);

    /// <summary>Bit 11, which tells mfocrf and mtocrf from mfcr and mtcrf.</summary>
    public const uint One = 1u << (31 - 11);

    public static uint IForm(uint opcd) => opcd << 26;

    public static uint BForm(uint opcd) => opcd << 26;

    public static uint DForm(uint opcd) => opcd << 26;

    public static uint DSForm(uint opcd, uint xo) => opcd << 26 | xo;

    /// <summary>XO in bits 21..30.</summary>
    public static uint XForm(uint opcd, uint xo, uint bits = 0) => opcd << 26 | xo << 1 | bits;

    /// <summary>XO in bits 22..30; OE (bit 21) is 0.</summary>
    public static uint XOForm(uint opcd, uint xo, uint bits = 0) => opcd << 26 | xo << 1 | bits;

    public static uint XLForm(uint opcd, uint xo, uint bits = 0) => opcd << 26 | xo << 1 | bits;

    /// <summary>The spr field (bits 11..20) holds the two halves of the number swapped.</summary>
    public static uint XFXForm(uint opcd, uint xo, uint spr) => opcd << 26 | (spr & 31) << 16 | (spr >> 5) << 11 | xo << 1;

    /// <summary>XO in bits 21..29; bit 30 is the high bit of the shift count.</summary>
    public static uint XSForm(uint opcd, uint xo) => opcd << 26 | xo << 2;

    /// <summary>XO in bits 26..30.</summary>
    public static uint AForm(uint opcd, uint xo) => opcd << 26 | xo << 1;

    /// <summary>XO in bits 26..31.</summary>
    public static uint VAForm(uint opcd, uint xo) => opcd << 26 | xo;

    public static uint MForm(uint opcd, uint bits = 0) => opcd << 26 | bits;

    /// <summary>XO in bits 27..29.</summary>
    public static uint MDForm(uint opcd, uint xo, uint bits = 0) => opcd << 26 | xo << 2 | bits;

    /// <summary>XO in bits 27..30.</summary>
    public static uint MDSForm(uint opcd, uint xo) => opcd << 26 | xo << 1;

    /// <summary>XO in bits 21..29; a further fixed number in bits 11..15.</summary>
    public static uint XX2Form(uint opcd, uint number, uint xo) => opcd << 26 | number << 16 | xo << 2;
}
