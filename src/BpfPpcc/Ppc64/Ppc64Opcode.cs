namespace BpfPpcc.Ppc64;

/// <summary>
/// The Power ISA instructions that the compiler knows, one row each in <see cref="Ppc64InstructionTable"/>. Names are the manual's
/// mnemonics; the suffix Rc stands for the dot (record form). Extended mnemonics (li, mr, blr, sldi) are the printer's business.
/// </summary>
public enum Ppc64Opcode : ushort
{
    // Fixed-point arithmetic (book I, 3.3.9)
    Addi, Addis, Add, AddRc, Subf, SubfRc, Subfic, Addc, Adde, Addze, Subfc, Subfe, Neg, NegRc,
    Mulli, Mulld, Mullw, Mulhd, Mulhdu, Mulhw, Mulhwu, Maddld,
    Divd, Divdu, Divw, Divwu, Modsd, Modud, Modsw, Moduw,

    // Compare and select (3.3.10, 3.3.12, 3.3.18)
    Cmpwi, Cmpdi, Cmpw, Cmpd, Cmplwi, Cmpldi, Cmplw, Cmpld, Isel, Setb, Setbc, Setbcr, Setnbc, Setnbcr,

    // Logical (3.3.13)
    AndiRc, AndisRc, Ori, Oris, Xori, Xoris,
    And, AndRc, Andc, AndcRc, Or, OrRc, Orc, Xor, XorRc, Nand, Nor, NorRc, Eqv,
    Extsb, Extsh, Extsw, ExtswRc, Cntlzw, Cntlzd, Cnttzw, Cnttzd, Popcntw, Popcntd, Brh, Brw, Brd,

    // Rotate and shift (3.3.14)
    Rlwinm, RlwinmRc, Rlwnm, Rlwimi,
    Rldicl, RldiclRc, Rldicr, RldicrRc, Rldic, RldicRc, Rldcl, Rldcr, Rldimi,
    Slw, Srw, Sraw, Srawi, Sld, Srd, Srad, Sradi, Extswsli,

    // Loads (3.3.2)
    Lbz, Lbzx, Lbzu, Lhz, Lhzx, Lhzu, Lha, Lhax, Lwz, Lwzx, Lwzu, Lwa, Lwax, Ld, Ldx, Ldu, Lhbrx, Lwbrx, Ldbrx,

    // Stores (3.3.3)
    Stb, Stbx, Stbu, Sth, Sthx, Sthu, Stw, Stwx, Stwu, Std, Stdx, Stdu, Sthbrx, Stwbrx, Stdbrx,

    // Reservations and barriers (book II, 4.6)
    Lbarx, Lharx, Lwarx, Ldarx, Stbcx, Sthcx, Stwcx, Stdcx, Sync, Lwsync, Isync,

    // Branches (book I, 2.4)
    B, Bl, Bc, Bclr, Bcctr, Bcctrl,

    // Condition register (2.5) and special-purpose registers (3.3.17)
    Crand, Crandc, Cror, Crorc, Crxor, Crnor, Creqv, Mfcr, Mfocrf, Mtocrf, Mtlr, Mflr, Mtctr, Mfctr,

    // Vector-scalar registers as a way to swap eight bytes on power9 (book I, 7.6)
    Mtvsrdd, Xxbrd, Mfvsrd,

    // Trap (3.3.11)
    Tw,
}
